//! `netprop check`: whether a recorded history is linearizable, and if not, why.

mod evidence;
mod lanes;

use std::collections::BTreeSet;
use std::fmt::{Debug, Display};
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use model::history::{self, History, HistoryOf, Operation, Recordable};
use model::linearizability::{self, Counterexample, Limits, Map, Register, Undecided, Verdict};
use serde_json::json;

use super::args::{CheckOptions, ObjectKind};
use super::{Fatal, wrong};
use crate::exit::Exit;

/// Files that are larger are refused, so that the memory for one has a bound.
const LARGEST: u64 = 1 << 30;
/// What the texts of an operation take, in bytes, about.
const TEXT: usize = 64;
/// More operations of one kind than this are left out of what is printed as JSON.
const MOST: usize = 10_000;

pub(crate) fn check(options: &CheckOptions) -> Result<Exit, Fatal> {
    match options.model {
        ObjectKind::Register if options.whole => {
            Err(wrong("--whole is for maps, since a register has no parts; leave it out"))
        }
        ObjectKind::Register => run(&Register, options),
        ObjectKind::Map => run(&Map { whole: options.whole }, options),
    }
}

fn run<O>(object: &O, options: &CheckOptions) -> Result<Exit, Fatal>
where
    O: Recordable,
    O::Command: Display,
    O::Response: Display,
{
    let (since, name) = (Instant::now(), options.history.display());
    let memory = usize::try_from(options.memory).map_or(usize::MAX, |mebibytes| mebibytes << 20);
    let bytes = bytes(&options.history)?;
    let takes = |operations: usize| bytes.len() + held::<O>(operations);
    let go_on = |operations| since.elapsed() <= options.timeout && takes(operations) <= memory;
    let read = history::read_while::<O>(&bytes, &go_on).map_err(|error| wrong(format!("{name}, {error}")))?;
    let Some(history) = read else {
        let in_time = since.elapsed() <= options.timeout;
        let why = if in_time { Undecided::Memory(memory) } else { Undecided::Time(options.timeout) };
        let verdict = Verdict::<O::State>::Undecided(why);
        let unread = HistoryOf::<O> { operations: Vec::new() };
        return Ok(tell(&name.to_string(), &unread, &verdict, options));
    };
    drop(bytes);
    if history.operations.is_empty() {
        return Err(wrong(format!("{name} has no operation: give a history that was recorded to its end")));
    }
    let limits = Limits {
        time: Some(options.timeout),
        since: Some(since),
        memory: memory.saturating_sub(held::<O>(history.operations.len())),
        // A short answer stays short; at best the evidence is there much sooner.
        evidence: options.timeout.min(Duration::from_secs(10)),
        cancel: None,
    };
    let verdict = match linearizability::check(object, &history, limits) {
        // What was given is what is told, not what the history has left of it.
        Verdict::Undecided(Undecided::Memory(_)) => Verdict::Undecided(Undecided::Memory(memory)),
        verdict => verdict,
    };
    Ok(tell(&name.to_string(), &history, &verdict, options))
}

/// Prints a verdict, and gives the exit status for it.
fn tell<C: Display, R: Display, S: Debug>(
    name: &str,
    history: &History<C, R>,
    verdict: &Verdict<S>,
    options: &CheckOptions,
) -> Exit {
    if options.json {
        anstream::println!("{:#}", machine(history, verdict));
    } else {
        anstream::print!("{}", human(name, history, verdict));
    }
    match verdict {
        Verdict::Linearizable { .. } => Exit::Holds,
        Verdict::NotLinearizable(_) => Exit::Falsified,
        Verdict::Undecided(_) => Exit::Inconclusive,
    }
}

/// About how many bytes a history of so many operations takes.
fn held<O: Recordable>(operations: usize) -> usize {
    operations * (size_of::<Operation<O::Command, O::Response>>() + TEXT)
}

fn bytes(path: &Path) -> Result<Vec<u8>, Fatal> {
    let mut bytes = Vec::new();
    let refused = |error: std::io::Error| {
        wrong(format!(
            "{} cannot be read ({error}): name a file with a history, or - for standard input",
            path.display()
        ))
    };
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).map_err(refused)?.take(LARGEST + 1).read_to_end(&mut bytes)
    };
    let length = read.map_err(refused)?;
    if length as u64 > LARGEST {
        let (path, most) = (path.display(), LARGEST >> 20);
        return Err(wrong(format!("{path} has more than {most} MiB; check a history of fewer operations")));
    }
    Ok(bytes)
}

fn human<C: Display, R: Display, S>(name: &str, history: &History<C, R>, verdict: &Verdict<S>) -> String {
    let operations = &history.operations;
    let lanes: BTreeSet<usize> = operations.iter().map(|operation| operation.lane).collect();
    let plural = |number: usize| if number == 1 { "" } else { "s" };
    let (many, clients) = (operations.len(), lanes.len());
    let size = format!("{many} operation{} of {clients} client{}", plural(many), plural(clients));
    match verdict {
        Verdict::Linearizable { order } => {
            let effects = order.len();
            format!("linearizable: {name}, {size}; an order of {effects} explains every answer\n")
        }
        Verdict::NotLinearizable(counterexample) => {
            format!("not linearizable: {name}, {size}\n{}", evidence::text(history, counterexample))
        }
        Verdict::Undecided(why) => {
            let remedy = match why {
                Undecided::Time(_) => "give it more with --timeout",
                Undecided::Memory(_) => "give it more with --memory",
                Undecided::Cancelled => "run it again",
            };
            let size = if many == 0 { "not read to its end".to_owned() } else { size };
            format!("undecided: {name}, {size}; {why}, {remedy}\n")
        }
    }
}

fn machine<C: Display, R: Display, S: Debug>(
    history: &History<C, R>,
    verdict: &Verdict<S>,
) -> serde_json::Value {
    let operation = |&index: &usize| evidence::json(history, index);
    let operations = |indexes: &[usize]| indexes.iter().take(MOST).map(operation).collect::<Vec<_>>();
    let left_out = |many: usize| many.saturating_sub(MOST);
    match verdict {
        Verdict::Linearizable { order } => json!({"verdict": "linearizable", "order": order}),
        Verdict::Undecided(why) => json!({"verdict": "undecided", "why": why.to_string()}),
        Verdict::NotLinearizable(counterexample) => {
            let Counterexample { part, until, minimal, prefix, state, obstacles, .. } = &**counterexample;
            let all_obstacles = obstacles.len();
            let obstacles = obstacles.iter().take(MOST).map(|obstacle| {
                let mut value = operation(&obstacle.operation);
                value["why"] = evidence::why(&obstacle.why).into();
                value
            });
            json!({
                "verdict": "not linearizable",
                "part": part,
                "operations": operations(&counterexample.operations),
                "bystanders": operations(&counterexample.bystanders),
                "until": until,
                "minimal": minimal,
                "prefix": prefix,
                "state": format!("{state:?}"),
                "obstacles": obstacles.collect::<Vec<_>>(),
                "left_out": {
                    "operations": left_out(counterexample.operations.len()),
                    "bystanders": left_out(counterexample.bystanders.len()),
                    "obstacles": left_out(all_obstacles),
                },
            })
        }
    }
}
