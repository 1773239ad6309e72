//! Lanes that boot, cut off and ping real machines side by side.
//!
//! NETPROP_TEST_LANES names how many generated cases with lanes are run.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use harness::machines::give::give;
use harness::machines::{Lab, LiveNetwork, MachineSystem};
use harness::shrink::Budget;
use harness::{
    Config, Event, LaneShape, Lanes, Observer, Purpose, Runner, Shape, Stop, Summary, System, SystemError,
};
use hypervisor::State;
use model::machines::{Command, Response};
use model::{MachineId, MachineSpec, Mebibytes, Model, Network, NetworkParameters, Outcome, Parameter};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde::{Deserialize, Serialize};

/// Networks of 2 or 3 small machines.
fn bounds(lab: &Lab) -> NetworkParameters {
    let memory = [96, 128].map(|mebibytes| Mebibytes::new(mebibytes).unwrap());
    NetworkParameters::new(lab.kernels().unwrap().into_iter().take(1).collect())
        .unwrap()
        .with(Parameter::memory(memory[0]..=memory[1]).unwrap())
        .with_machines(2..=3)
}

fn two_machines(lab: &Lab) -> Network {
    let strategy = bounds(lab).with_machines(2..=2).strategy().unwrap();
    strategy.new_tree(&mut TestRunner::default()).unwrap().current()
}

/// Gives each command on a thread of its own, all at once.
fn side_by_side(live: &LiveNetwork<'_>, commands: &[Command]) -> Vec<Outcome<Response>> {
    thread::scope(|scope| {
        let lanes: Vec<_> =
            commands.iter().map(|command| scope.spawn(move || give(live, command).unwrap())).collect();
        lanes.into_iter().map(|lane| lane.join().unwrap()).collect()
    })
}

#[test]
fn a_machine_is_cut_off_under_another_lane() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let network = two_machines(&lab).all_running();
    let [a, b] = [0, 1].map(|index| network.machines()[index].id.clone());
    let live = LiveNetwork::create(&lab, &network).unwrap();
    let ping = |from, to| Command::Ping { from, to };
    assert!(live.run(&a, &remote::Command::new("mkfifo /root/begun")).unwrap().ending.is_success());
    let long = remote::Command::new("echo >/root/begun; sleep 60");
    let outcome = thread::scope(|scope| {
        let lane = scope.spawn(|| live.attempt(&a, &long).unwrap());
        // This is answered while the other command runs, and once it runs.
        assert!(live.run(&a, &remote::Command::new("cat /root/begun")).unwrap().ending.is_success());
        let begin = Instant::now();
        live.power_cut(&a).unwrap();
        let outcome = lane.join().unwrap();
        assert!(begin.elapsed() < Duration::from_secs(10), "the cut waited for the command");
        outcome
    });
    assert!(matches!(&outcome, Outcome::Unknown(why) if why.contains("was cut off")), "{outcome:?}");
    let off = give(&live, &ping(a.clone(), b.clone())).unwrap();
    assert_eq!(off, Outcome::Refused(format!("{a} is off")));
    let unanswered = give(&live, &ping(b.clone(), a.clone())).unwrap();
    assert_eq!(unanswered, Outcome::Answered(Response::Pinged { answered: false }));

    // Of two Boots of one machine one is too late; the ping may have come before or after.
    let outcomes = side_by_side(
        &live,
        &[Command::Boot(a.clone()), Command::Boot(a.clone()), ping(b.clone(), a.clone())],
    );
    let booted = outcomes.iter().filter(|outcome| **outcome == Outcome::Answered(Response::Booted)).count();
    let refused = Outcome::Refused(format!("{a} is on already"));
    assert!(booted == 1 && outcomes.contains(&refused), "{outcomes:?}");
    assert!(matches!(outcomes[2], Outcome::Answered(Response::Pinged { .. })), "{outcomes:?}");
    let answered = give(&live, &ping(b.clone(), a.clone())).unwrap();
    assert_eq!(answered, Outcome::Answered(Response::Pinged { answered: true }));

    // A machine that is cut off under a ping to it costs no more than the wait for one that is off.
    let outcomes =
        side_by_side(&live, &[Command::Shutdown(a.clone()), ping(b.clone(), a.clone()), ping(a.clone(), b)]);
    assert_eq!(outcomes[0], Outcome::Answered(Response::ShutDown));
    assert!(matches!(outcomes[1], Outcome::Answered(Response::Pinged { .. })), "{outcomes:?}");
    assert_ne!(outcomes[2], Outcome::Answered(Response::Pinged { answered: false }), "{outcomes:?}");

    // A Shutdown waits for a Boot that is under way, or is refused before it.
    let outcomes = side_by_side(&live, &[Command::Boot(a.clone()), Command::Shutdown(a.clone())]);
    assert_eq!(outcomes[0], Outcome::Answered(Response::Booted));
    let left = match &outcomes[1] {
        Outcome::Refused(_) => State::Running,
        Outcome::Answered(Response::ShutDown) => State::Off,
        other => panic!("{other:?}"),
    };
    assert_eq!(live.state(&a).unwrap(), left);
}

/// Prints why a case had no verdict, and the seed of each.
struct Reasons;

impl Observer for Reasons {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::CaseStarted { number, origin, .. } => println!("case {number}: {origin}"),
            Event::Inconclusive { attempt, reason, .. } => println!("attempt {attempt}: {reason}"),
            Event::Warning { text } => println!("warning: {text}"),
            _ => {}
        }
    }
}

/// Runs cases of two lanes at least, none of which is sequential. Machines of one process need names
/// of their own, so each test has a seed of its own.
fn run<M: Model, S: System<M>>(model: &M, system: &S, seed: u64, cases: u32, shape: Shape) -> Summary<M> {
    let config = Config {
        cases,
        shape,
        seed: Some(seed.into()),
        failures: None,
        regressions: None,
        shrink: Budget { runs: 100, time: None },
        probes: Budget { runs: 0, time: None },
        ..Config::default()
    };
    Runner::new(model, system, &config, &Reasons, &Stop::default()).run().unwrap()
}

fn lanes(
    lanes: std::ops::RangeInclusive<usize>,
    commands: std::ops::RangeInclusive<usize>,
) -> Option<LaneShape> {
    Some(LaneShape { lanes, commands, percent: 100, ..LaneShape::default() })
}

#[test]
fn lanes_of_pings_and_reboots_hold() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let cases = std::env::var("NETPROP_TEST_LANES").map_or(4, |number| number.parse().unwrap());
    let shape = Shape { lanes: lanes(2..=3, 1..=3), ..Shape::sequential(1..=3) };
    let model = MachineSpec::new(bounds(&lab)).unwrap();
    let summary = run(&model, &MachineSystem::new(&lab), 1, cases, shape);
    assert_eq!((summary.held, summary.verdict()), (cases, "holds"), "{:?}", summary.failure);
}

/// A counter in a file on each machine. The one command reads it and writes it back, greater by
/// one, which is right for one client and loses updates of two.
struct Counters(SBoxedStrategy<Network>);

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Counted {
    network: Network,
    counts: BTreeMap<MachineId, u64>,
}

impl Counted {
    fn of(&self, id: &MachineId) -> u64 {
        self.counts.get(id).copied().unwrap_or_default()
    }
}

impl Model for Counters {
    type State = Counted;
    type Command = MachineId;
    type Response = u64;

    fn gen_initial_state(&self) -> BoxedStrategy<Counted> {
        let state = |network: Network| Counted { network: network.all_running(), counts: BTreeMap::new() };
        self.0.clone().prop_map(state).boxed()
    }

    fn gen_command(&self, state: &Counted) -> BoxedStrategy<MachineId> {
        select(state.network.ids()).boxed()
    }

    fn pre_condition(&self, state: &Counted, id: &MachineId) -> bool {
        state.network.machine(id).is_some()
    }

    fn next_state(&self, state: &Counted, id: &MachineId) -> Counted {
        let mut state = state.clone();
        *state.counts.entry(id.clone()).or_default() += 1;
        state
    }

    fn post_condition(&self, state: &Counted, id: &MachineId, count: &u64) -> bool {
        *count == state.of(id) + 1
    }

    fn simpler_states(&self, state: &Counted) -> Vec<Counted> {
        let smaller = state.network.ids().into_iter().filter_map(|id| state.network.without(&id));
        smaller.map(|network| Counted { network, ..state.clone() }).collect()
    }
}

struct CountersOnMachines<'lab>(MachineSystem<'lab>);

/// What a command printed on a machine that stays on.
fn said(live: &LiveNetwork<'_>, id: &MachineId, line: &str) -> Result<String, SystemError> {
    let output = live.run(id, &remote::Command::new(line))?;
    assert!(output.ending.is_success(), "{line}: {output:?}");
    Ok(String::from_utf8(output.stdout).unwrap())
}

/// Where two lanes meet that have read, so that whether an update is lost does not depend on how
/// busy the host is: the first of one with the first of the other, and so on.
struct Meeting {
    /// How many there are in the shorter lane: who comes after these has nobody to meet.
    pairs: usize,
    come: Mutex<[usize; 2]>,
    changed: Condvar,
}

impl Meeting {
    fn of(lanes: &Lanes<'_, Counters>) -> Self {
        let pairs = if lanes.count() < 2 { 0 } else { lanes.commands(0).len().min(lanes.commands(1).len()) };
        Self { pairs, come: Mutex::default(), changed: Condvar::new() }
    }

    fn come(&self, lane: usize) {
        let mut come = self.come.lock().unwrap();
        come[lane] += 1;
        let number = come[lane];
        self.changed.notify_all();
        if number <= self.pairs {
            // Who follows an order may not be able to come meanwhile.
            let patience = Duration::from_secs(10);
            drop(self.changed.wait_timeout_while(come, patience, |come| come[1 - lane] < number).unwrap());
        }
    }
}

fn count(live: &LiveNetwork<'_>, id: &MachineId, meet: impl Fn()) -> Result<Outcome<u64>, SystemError> {
    let read: u64 = said(live, id, "cat /scratch/count 2>/dev/null || echo 0")?.trim().parse().unwrap();
    meet();
    said(live, id, &format!("echo {} >/scratch/count", read + 1))?;
    Ok(Outcome::Answered(read + 1))
}

impl<'lab> System<Counters> for CountersOnMachines<'lab> {
    type Sut = LiveNetwork<'lab>;

    fn new_sut(&self, state: &Counted) -> Result<LiveNetwork<'lab>, SystemError> {
        self.0.new_sut(&state.network)
    }

    fn new_sut_for(&self, state: &Counted, purpose: Purpose) -> Result<LiveNetwork<'lab>, SystemError> {
        self.0.new_sut_for(&state.network, purpose)
    }

    fn is_reused(&self, live: &LiveNetwork<'lab>) -> bool {
        self.0.is_reused(live)
    }

    fn destroy_sut(&self, live: LiveNetwork<'lab>) -> Result<(), SystemError> {
        self.0.destroy_sut(live)
    }

    fn run(&self, live: &mut LiveNetwork<'lab>, id: &MachineId) -> Result<Outcome<u64>, SystemError> {
        count(live, id, || ())
    }

    fn run_lanes(
        &self,
        live: &mut LiveNetwork<'lab>,
        lanes: &Lanes<'_, Counters>,
    ) -> Result<(), SystemError> {
        let meeting = Meeting::of(lanes);
        lanes.run(|lane| {
            lanes.commands(lane).iter().take(1).try_for_each(|id| live.connect(id))?;
            let (live, meeting) = (&*live, &meeting);
            Ok(move |id: &MachineId| count(live, id, || meeting.come(lane)))
        })
    }
}

#[test]
fn an_update_that_is_lost_in_a_guest_is_caught_on_machines() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let shape = Shape { lanes: lanes(2..=2, 1..=2), ..Shape::sequential(0..=1) };
    let model = Counters(bounds(&lab).with_machines(1..=1).strategy().unwrap());
    let failure = run(&model, &CountersOnMachines(MachineSystem::new(&lab)), 2, 5, shape)
        .failure
        .expect("the race is found");
    let ids = failure.case.initial.network.ids();
    assert_eq!((ids.len(), failure.case.commands.len()), (1, 0), "{:?}", failure.case);
    assert_eq!(failure.case.lanes, vec![ids.clone(), ids], "one Count in each of two lanes");
}
