//! Reading recorded histories: what they mean, and what is wrong with them.

use std::fmt::Write as _;

use model::Outcome;
use model::history::{self, Value};
use model::linearizability::{
    Limits, Map, MapCommand, MapResponse, Register, RegisterCommand, RegisterResponse, Undecided, Verdict,
    check, is_linearizable,
};

use crate::recorded;

#[test]
fn jepsen_s_histories_are_read() {
    let history = history::read::<Register>(&recorded("jepsen.edn")).unwrap();
    let told: Vec<_> = history
        .operations
        .iter()
        .map(|operation| {
            let outcome = match &operation.outcome {
                Outcome::Answered(response) => response.to_string(),
                Outcome::Refused(_) => "refused".to_owned(),
                Outcome::Unknown(_) => "unknown".to_owned(),
            };
            (operation.lane, operation.command.to_string(), outcome, operation.called, operation.ended)
        })
        .collect();
    let told: Vec<_> =
        told.iter().map(|(lane, command, outcome, ..)| (*lane, &**command, &**outcome)).collect();
    assert_eq!(
        told,
        [
            (0, "write 3", "ok"),
            (1, "read", "3"),
            (2, "cas 3 to 4", "unknown"),
            (0, "cas 1 to 2", "refused"),
            (1, "read", "4"),
            (5, "write :x/y", "unknown"),
        ]
    );
    assert_eq!(is_linearizable(&Register, &history, Limits::default()), Ok(true));
    let history = history::read::<Map>(&recorded("jepsen-keys.edn")).unwrap();
    assert_eq!(history.operations.len(), 4);
    let Verdict::NotLinearizable(evidence) = check(&Map::default(), &history, Limits::default()) else {
        panic!("it is linearizable")
    };
    assert_eq!((evidence.part.as_deref(), evidence.operations), (Some("k"), vec![0, 2]));
}

#[test]
fn both_formats_say_the_same() {
    let json = r#"{"id": 1, "client": 4, "call": 0, "ret": 1, "op": ["put", "k", "v"], "out": "ok"}
        {"id": 2, "client": 4, "call": 2, "ret": 3, "op": ["get", "k"], "out": "fail"}"#;
    let edn = r#"({:type :invoke, :f :put, :value ["k" "v"], :process 4} {:type :ok, :f :put, :value ["k" "v"], :process 4}
        {:type :invoke, :f :get, :value ["k" nil], :process 4} {:type :ok, :f :get, :value ["k" "fail"], :process 4})"#;
    let json = history::read::<Map>(json.as_bytes()).unwrap();
    assert_eq!(json, history::read::<Map>(edn.as_bytes()).unwrap());
    assert_eq!(json.operations[1].command, MapCommand::Get("k".into()));
    assert_eq!(json.operations[1].outcome, Outcome::Answered(MapResponse::Value("fail".into())));
    let nil = br#"{"id": 1, "client": 4, "call": 0, "ret": 1, "op": ["read"], "out": "nil"}"#;
    let nil = history::read::<Register>(nil).unwrap();
    assert_eq!(nil.operations[0].outcome, Outcome::Answered(RegisterResponse::Value(Value::Nil)));
    assert_eq!(history::read::<Register>(b"").unwrap().operations, []);
    assert_eq!(history::read::<Register>(b"\xef\xbb\xbf[]").unwrap().operations, []);
}

#[test]
fn what_says_nothing_is_no_value() {
    // In JSON lines "unknown" says that there was no answer in time; a string of EDN is a string.
    let json = br#"{"id": 2, "client": 4, "call": 2, "ret": 3, "op": ["get", "k"], "out": "unknown"}"#;
    let history = history::read::<Map>(json).unwrap();
    assert!(matches!(history.operations[0].outcome, Outcome::Unknown(_)), "{history:?}");
    let edn = br#"{:type :invoke, :f :get, :key "k", :process 4} {:type :ok, :f :get, :value "unknown", :process 4}"#;
    let history = history::read::<Map>(edn).unwrap();
    assert_eq!(history.operations[0].outcome, Outcome::Answered(MapResponse::Value("unknown".into())));
}

/// A call and an answer of Jepsen's, each with what the braces hold beside type and process.
fn pair(call: &str, answer: &str) -> String {
    format!("[{{:type :invoke, :process 0, {call}}}\n {{:type :ok, :process 0, {answer}}}]")
}

#[test]
fn calls_and_answers_of_jepsen_s_have_to_go_together() {
    let bad = [
        (
            ":f :read",
            ":f :write, :value 1",
            "line 2: process 0 called :read in line 1, and this answers :write; give",
        ),
        (
            ":f :write, :value 1",
            ":f :write, :value 2",
            "line 2: the call in line 1 is write with [1], and this answers write with [2]; give",
        ),
        (
            ":f :write, :value 1",
            ":f :write, :value nil",
            "line 2: the call in line 1 is write with [1], and this answers",
        ),
        (
            ":f :cas, :value [1 2]",
            ":f :cas, :value [1 3]",
            "line 2: the call in line 1 is cas with [1 2], and this answers",
        ),
        (":f :read", ":f :read", "line 2: the answer to :read has no :value; give it what was read, nil"),
        (":f :read, :value nil", ":f :read, :value fail", "line 2: fail is no value of a register"),
        (":f :read", ":f :read, :value unknown", "line 2: unknown is no answer of an :ok; write"),
        (
            ":f :write, :value [1 5]",
            ":f :write, :value [1 5]",
            "line 1: [1 5] is a vector, as if of one of several registers with its key; split",
        ),
        (":f :cas, :value [1 [5 6]]", ":f :cas, :value [1 [5 6]]", "line 1: [5 6] is a vector"),
        (":f :read", ":f :read, :value [1 5]", "line 2: [1 5] is a vector"),
        (":f :read, :f :write", ":f :read, :value 1", "line 1: the event has :f twice; leave one out"),
    ];
    for (call, answer, said) in bad {
        let error = history::read::<Register>(pair(call, answer).as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(said), "{error:?} does not begin with {said:?}");
    }
    let bad = [
        (
            r#":f :get, :value ["k" nil]"#,
            r#":f :get, :value ["l" "v"]"#,
            r#"line 2: the call in line 1 is get with ["k" nil], and this answers get with ["l"]"#,
        ),
        (
            r#":f :get, :key "k""#,
            r#":f :get, :key "l", :value "v""#,
            r#"line 2: the call in line 1 is get with ["k"], and this"#,
        ),
        (r#":f :get, :key "k""#, r#":f :get, :key "k""#, "line 2: the answer to :get has no :value"),
        (r#":f :put, :value ["k" "v"]"#, r#":f :put, :value ["k" "w"]"#, "line 2: the call in line 1 is put"),
        (r#":f :put, :key "k", :value "v""#, r#":f :put, :key "l""#, "line 2: the call in line 1 is put"),
    ];
    for (call, answer, said) in bad {
        let error = history::read::<Map>(pair(call, answer).as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(said), "{error:?} does not begin with {said:?}");
    }
    let good = [
        (":f :read, :value nil", ":f :read, :value nil"),
        (":f :write, :value 1", ":f :write, :value 1"),
        (":f :write, :value 1", ":f :write"),
        (":f :cas, :value [1 2]", ":f :cas, :value (1 2)"),
    ];
    for (call, answer) in good {
        history::read::<Register>(pair(call, answer).as_bytes()).unwrap();
    }
    let good = [
        (r#":f :put, :key "k", :value "v""#, r#":f :put, :value "v""#),
        (r#":f :get, :value ["k" nil]"#, r#":f :get, :value ["k" "v"]"#),
        (r#":f :get, :key "k""#, r#":f :get, :value ["k" "v"]"#),
        (r#":f :get, :value "k""#, r#":f :get, :value "v""#),
    ];
    for (call, answer) in good {
        let history = history::read::<Map>(pair(call, answer).as_bytes()).unwrap();
        assert!(history.operations[0].outcome.answer().is_some());
    }
    // What became of a call that failed or that nobody knows of has no value to compare.
    let info = "{:type :invoke, :process 0, :f :write, :value 1} {:type :info, :process 0, :f :write, :value :timed-out}";
    assert_eq!(history::read::<Register>(info.as_bytes()).unwrap().operations.len(), 1);
}

/// A line of a register's history.
fn line(id: u64, client: usize, (call, ret): (u64, u64), op: &str, out: &str) -> String {
    format!(r#"{{"id": {id}, "client": {client}, "call": {call}, "ret": {ret}, "op": {op}, "out": {out}}}"#)
}

#[test]
fn bad_files_are_refused_with_the_line() {
    let read = r#"["read"]"#;
    let good = line(0, 0, (0, 3), read, "1");
    let after = |bad: &str| format!("{good}\n{bad}");
    let cases = [
        (after(&line(1, 1, (5, 4), read, "1")), "line 2: the answer at 4 comes before its call at 5"),
        (after(&line(0, 1, (4, 5), read, "1")), "line 2: id 0 is that of line 1 already"),
        (after(&line(1, 0, (2, 5), read, "1")), "line 2: client 0 calls while its operation of line 1 still"),
        (after(&line(1, 1, (2, 5), r#"["jump"]"#, "1")), "line 2: \"jump\" with [] is none of a register's"),
        (after(&line(1, 1, (2, 5), r#"["cas", 1]"#, "\"ok\"")), "line 2: \"cas\" with [1] is none of"),
        (after(&line(1, 1, (2, 5), "[]", "1")), "line 2: op does not begin with the name"),
        (after(&line(1, 1, (2, 5), r#"["write", 1]"#, "7")), "line 2: 7 is no answer to write 1"),
        (after(&line(1, 1, (2, 5), read, "null")), "line 2: there is a ret but no answer"),
        (
            after(r#"{"id": 1, "client": 1, "call": 2, "ret": null, "op": ["read"], "out": 1}"#),
            "line 2: there is an answer but no ret",
        ),
        (
            after(&line(1, 1, (4, 5), read, "\"fail\"")),
            "line 2: fail is no value of a register, since it says",
        ),
        (after(&line(1, 1, (4, 5), read, "\"ok\"")), "line 2: ok is no value of a register, since it says"),
        (after(&line(1, 1, (4, 5), read, "[1, 2]")), "line 2: [1 2] is a vector"),
        (after(&line(1, 1, (4, 5), r#"["write", [1, 5]]"#, "\"ok\"")), "line 2: [1 5] is a vector"),
        (after(&line(1, 1, (4, 5), r#"["write", "fail"]"#, "\"ok\"")), "line 2: fail is no value"),
        (after("\0\0"), "line 2: the text has a byte that is zero"),
        ("[\0{".to_owned(), "line 1: the text has a byte that is zero"),
        (after("{\"id\": 1"), "line 2: column 8: EOF while parsing"),
        (after(&format!("{{\"op\": {}", "[".repeat(100_000))), "line 2: column 13"),
        (
            "[{:type :ok, :process 0, :f :read, :value 1}]".to_owned(),
            "line 1: an answer to process 0 comes before its call",
        ),
        (
            "[{:type :invoke, :process 0, :f :read}\n{:type :invoke, :process 0, :f :read}]".to_owned(),
            "line 2: process 0 calls while its operation of line 1",
        ),
        (
            "[{:type :invoke, :process 0, :f :read, :index 3}\n{:type :ok, :process 0, :f :read, :index 3}]"
                .to_owned(),
            "line 2: index 3 comes after index 3",
        ),
        ("[{:type :invoke, :process 0, :f :read}\n".to_owned(), "line 2: the text ends before its ']'"),
        ("{:type :invoke, :process 0, :f :read}\n}".to_owned(), "line 2: '}' closes nothing"),
        ("[]\n[]".to_owned(), "line 2: there is more after the history's end"),
        (
            "[{:type :invoke, :process 0, :f :read, :value [7 nil]}]".to_owned(),
            "line 1: a read with a key is one of several registers; split the history by key",
        ),
        ("[7]".to_owned(), "line 1: 7 is no event"),
        ("[{:process 0, :f :read}]".to_owned(), "line 1: the event has no :type"),
        ("[{:type :invoke, :f :read}]".to_owned(), "line 1: the event has no :process"),
        ("[{:type :invoke, :process -1, :f :read}]".to_owned(), "line 1: a process has a negative number"),
        ("[{:type :invoke, :process 0, :f 7}]".to_owned(), "line 1: :f is 7"),
        ("[{:type :invoke, :process 0, :f :pop}]".to_owned(), "line 1: \"pop\" with [nil] is none of"),
    ];
    for (text, said) in cases {
        let error = history::read::<Register>(text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(said), "{error:?} does not begin with {said:?}");
    }
    let error = history::read::<Register>(b"\n\xff").unwrap_err().to_string();
    assert!(error.starts_with("line 2: the text is not UTF-8 (byte 0xff)"), "{error}");
}

/// Writes of different numbers by so many clients at once, then a read of none of them.
fn hopeless(clients: usize) -> String {
    let mut text = String::new();
    for client in 0..clients {
        let op = format!(r#"["cas", {}, {}]"#, client % 2, client % 3);
        writeln!(text, "{}", line(client as u64, client, (client as u64, 10_000), &op, "\"unknown\""))
            .unwrap();
        let write = format!(r#"["write", {client}]"#);
        let id = (clients + client) as u64;
        writeln!(text, "{}", line(id, clients + client, (client as u64, 10_000 + id), &write, "\"ok\""))
            .unwrap();
    }
    // Something may make what is read, if only it could be set where there is 1000.
    writeln!(text, "{}", line(9_998, 9_998, (9_998, 20_000), r#"["cas", 1000, 77777]"#, "\"unknown\""))
        .unwrap();
    text + &line(9_999, 9_999, (9_998, 9_999), r#"["read"]"#, "77777")
}

#[test]
fn a_search_without_end_is_undecided() {
    let history = history::read::<Register>(hopeless(60).as_bytes()).unwrap();
    let limits = Limits { memory: 8 << 20, ..Limits::default() };
    assert_eq!(is_linearizable(&Register, &history, limits), Err(Undecided::Memory(8 << 20)));
    let time = std::time::Duration::from_millis(20);
    let limits = Limits { time: Some(time), ..Limits::default() };
    assert_eq!(is_linearizable(&Register, &history, limits), Err(Undecided::Time(time)));
    let cancel = std::sync::atomic::AtomicBool::new(true);
    let limits = Limits { cancel: Some(&cancel), ..Limits::default() };
    assert_eq!(is_linearizable(&Register, &history, limits), Err(Undecided::Cancelled));
    assert_eq!(
        history.operations[0].command,
        RegisterCommand::CompareAndSet(Value::Number(0), Value::Number(0))
    );
}
