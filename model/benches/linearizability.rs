//! What checking costs: recorded histories, and a long generated one.
//!
//! With `NETPROP_BENCH_RIVAL` set to a command, it runs in the same minutes: it takes
//! `register|map|map-whole FILE…` and prints `FILE linearizable|not MILLISECONDS` for each file.

use std::hint::black_box;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use model::Outcome;
use model::history::{History, Operation, read};
use model::linearizability::{
    Limits, Map, MapCommand, MapResponse, Register, RegisterCommand, RegisterResponse, Sequential,
    is_linearizable,
};

fn place(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/histories").join(name)
}

fn etcd_names() -> Vec<String> {
    (0..=102).step_by(2).map(|number| format!("etcd_{number:03}.jsonl")).collect()
}

fn etcd() -> Vec<History<RegisterCommand, RegisterResponse>> {
    let bytes = |name: &String| std::fs::read(place(name)).expect("the history is there");
    etcd_names().iter().map(|name| read::<Register>(&bytes(name)).expect("it is a history")).collect()
}

fn map(name: &str) -> History<MapCommand, MapResponse> {
    read::<Map>(&std::fs::read(place(name)).expect("the history is there")).expect("it is a history")
}

fn decide<O: Sequential>(object: &O, histories: &[History<O::Command, O::Response>]) {
    for history in histories {
        let decided = is_linearizable(object, black_box(history), Limits::default());
        black_box(decided.expect("the limits suffice"));
    }
}

/// Clients that get, put and append; each operation takes effect at some moment while it is open,
/// and one in a hundred has no answer.
fn generated(operations: usize, keys: u64, clients: usize) -> History<MapCommand, MapResponse> {
    let mut seed = 7_u64;
    let mut below = |end: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % end
    };
    let object = Map { whole: false };
    let mut state = object.initial();
    let mut all: Vec<Operation<MapCommand, MapResponse>> = Vec::new();
    // Of each client, its open operation, and the answer once it took effect.
    let mut open: Vec<Option<(usize, Option<MapResponse>)>> = vec![None; clients];
    let mut position = 0;
    while all.len() < operations {
        position += 1;
        let lane = usize::try_from(below(clients as u64)).expect("is small");
        open[lane] = match open[lane].take() {
            None => {
                let (key, value) = (below(keys).to_string().into(), below(1000).to_string().into());
                let command = match below(3) {
                    0 => MapCommand::Get(key),
                    1 => MapCommand::Put(key, value),
                    _ => MapCommand::Append(key, value),
                };
                let outcome = Outcome::Unknown(String::new());
                all.push(Operation { lane, command, called: position, outcome, ended: None });
                Some((all.len() - 1, None))
            }
            Some((index, None)) => {
                let command = &all[index].command;
                let response = match command {
                    MapCommand::Get(key) => MapResponse::Value(state.get(key).into()),
                    _ => MapResponse::Done,
                };
                state = object.step(&state, command, Some(&response)).expect("the answer is right");
                Some((index, Some(response)))
            }
            Some((index, Some(response))) => {
                all[index].ended = Some(position);
                if below(100) > 0 {
                    all[index].outcome = Outcome::Answered(response);
                }
                None
            }
        };
    }
    History::new(all).expect("it is a history")
}

fn recorded(criterion: &mut Criterion) {
    let etcd = etcd();
    criterion.bench_function("52 etcd histories", |bencher| bencher.iter(|| decide(&Register, &etcd)));
    for name in ["c10-ok", "c10-bad"] {
        let history = [map(&format!("{name}.jsonl"))];
        for (how, whole) in [("by key", false), ("as one map", true)] {
            criterion.bench_function(&format!("{name} {how}"), |bencher| {
                bencher.iter(|| decide(&Map { whole }, &history));
            });
        }
    }
}

fn long(criterion: &mut Criterion) {
    for operations in [10_000, 100_000] {
        let history = [generated(operations, 100, 50)];
        criterion.bench_function(&format!("{operations} operations, 100 keys, 50 clients"), |bencher| {
            bencher.iter(|| decide(&Map { whole: false }, &history));
        });
    }
    if let Some(peak) = peak_memory() {
        println!("peak memory of all of this: {peak}");
    }
}

/// The most memory that this process had, where the system tells.
fn peak_memory() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().to_owned())
}

/// Both sides in turns, five times each, the least time of each.
fn rival(_: &mut Criterion) {
    let Ok(command) = std::env::var("NETPROP_BENCH_RIVAL") else { return };
    let c10 = |name: &str| vec![format!("{name}.jsonl")];
    let cases: [(&str, &str, Vec<String>); 4] = [
        ("52 etcd histories", "register", etcd_names()),
        ("c10-ok as one map", "map-whole", c10("c10-ok")),
        ("c10-bad as one map", "map-whole", c10("c10-bad")),
        ("c10-ok by key", "map", c10("c10-ok")),
    ];
    for (title, kind, names) in cases {
        let (mut ours, mut theirs) = (Duration::MAX, f64::INFINITY);
        for _ in 0..5 {
            ours = ours.min(our_time(kind, &names));
            theirs = theirs.min(rival_time(&command, kind, &names));
        }
        let ours = ours.as_secs_f64() * 1e3;
        println!("{title}: {ours:.2} ms, rival {theirs:.2} ms, ratio {:.1}", theirs / ours);
    }
}

fn our_time(kind: &str, names: &[String]) -> Duration {
    if kind == "register" {
        let etcd = etcd();
        let start = Instant::now();
        decide(&Register, &etcd);
        return start.elapsed();
    }
    let histories: Vec<_> = names.iter().map(|name| map(name)).collect();
    let start = Instant::now();
    decide(&Map { whole: kind == "map-whole" }, &histories);
    start.elapsed()
}

/// The milliseconds that the rival says it took.
fn rival_time(command: &str, kind: &str, names: &[String]) -> f64 {
    let output = Command::new(command).arg(kind).args(names.iter().map(|name| place(name))).output();
    let output = output.expect("the rival runs");
    assert!(output.status.success(), "the rival failed: {output:?}");
    let text = String::from_utf8(output.stdout).expect("the rival prints text");
    let times = text.lines().filter_map(|line| line.split_whitespace().last()?.parse::<f64>().ok());
    times.sum()
}

criterion_group!(benches, recorded, long, rival);
criterion_main!(benches);
