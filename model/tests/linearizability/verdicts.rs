//! The verdicts of all recorded histories.

use model::history;
use model::linearizability::{Limits, Map, Register, Verdict, check};

use crate::recorded;

fn of<State>(verdict: &Verdict<State>) -> Option<bool> {
    match verdict {
        Verdict::Linearizable { .. } => Some(true),
        Verdict::NotLinearizable(_) => Some(false),
        Verdict::Undecided(_) => None,
    }
}

#[test]
fn recorded_histories_have_their_verdicts() {
    let table = String::from_utf8(recorded("verdicts.tsv")).unwrap();
    let mut wrong = Vec::new();
    for line in table.lines().skip(1) {
        let [name, model, linearizable] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let bytes = recorded(&format!("{name}.jsonl"));
        let verdicts = if model.starts_with("kv") {
            let history = history::read::<Map>(&bytes).unwrap();
            [false, true].map(|whole| of(&check(&Map { whole }, &history, Limits::default()))).to_vec()
        } else {
            let history = history::read::<Register>(&bytes).unwrap();
            vec![of(&check(&Register, &history, Limits::default()))]
        };
        if verdicts.iter().any(|verdict| *verdict != Some(linearizable == "true")) {
            wrong.push((name.to_owned(), verdicts));
        }
    }
    assert_eq!(wrong, []);
    assert_eq!(table.lines().count(), 57);
}
