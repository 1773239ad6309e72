//! Lanes that boot, cut off and ping real machines side by side.
//!
//! NETPROP_TEST_LANES names how many generated cases with lanes are run.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::thread;
use std::time::{Duration, Instant};

use harness::machines::system::give;
use harness::machines::{Lab, LiveNetwork};
use hypervisor::State;
use model::machines::{Command, Response};
use model::{Mebibytes, Network, NetworkParameters, Outcome, Parameter};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

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
