//! The simulation keeps the contract, and misbehaves as it is told.

use super::*;
use crate::boot::{BootError, Patience, boot};
use crate::contract::{Subject, check, check_disk_faults, check_snapshots, check_templates};
use crate::machine::Endpoints;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

fn definition(name: &str) -> Definition {
    let endpoints = Endpoints::new(Path::new("/nonexistent"), name).unwrap();
    Definition { name: name.to_owned(), xml: String::new(), endpoints }
}

#[test]
fn keeps_the_contract() {
    let simulated = Simulated::new();
    let limit = Duration::from_secs(5);
    let subject = Subject { hypervisor: &simulated, definition: &definition, limit };
    check(&subject);
    check_snapshots(&subject);
    check_templates(&subject, Path::new("/nonexistent/template"));
    check_disk_faults(&subject, &|name| Path::new("/nonexistent").join(name));
}

#[test]
fn misbehaves_as_told() {
    let simulated = Simulated::new();
    let mut machine = simulated.define(&definition("m")).unwrap();
    let mut outcome = |behaviour| {
        simulated.behave("m", behaviour);
        let outcome = boot(&mut *machine, "end\n", Duration::from_millis(50));
        let _ = machine.power_cut();
        outcome.map(|booted| booted.message).map_err(|error| error.to_string())
    };
    let start = "\n    simulated machine begins";
    let refusal = Behaviour::RefusesToStart("no memory".to_owned());
    assert_eq!(outcome(refusal).unwrap_err(), "could not start machine m: no memory");
    assert_eq!(
        outcome(Behaviour::PortTaken).unwrap_err(),
        "could not start machine m since a port that it forwards is taken: choose another port (simulated)"
    );
    assert_eq!(
        outcome(Behaviour::Panics).unwrap_err(),
        format!("the kernel of machine m panicked: {PANIC}; the end of its console:{start}\n    {PANIC}")
    );
    assert_eq!(
        outcome(Behaviour::NeverReady).unwrap_err(),
        format!(
            "machine m was not ready after 50ms; its guest has its identity and is not done with it; the end of its console:{start}"
        )
    );
    assert_eq!(
        outcome(Behaviour::Mute).unwrap_err(),
        format!(
            "machine m was not ready after 50ms; its guest never spoke on the control port; the end of its console:{start}"
        )
    );
    assert_eq!(
        outcome(Behaviour::Fails("no disk".to_owned())).unwrap_err(),
        format!("the guest of machine m could not get ready: no disk; the end of its console:{start}")
    );
    assert_eq!(
        outcome(Behaviour::Ends).unwrap_err(),
        format!("machine m ended before it was ready; the end of its console:{start}")
    );
    assert_eq!(outcome(Behaviour::Ready).unwrap(), "");
}

#[test]
fn who_is_told_to_stop_waits_no_longer() {
    let simulated = Simulated::new();
    simulated.behave("m", Behaviour::Mute);
    let mut machine = simulated.define(&definition("m")).unwrap();
    let stop = AtomicBool::new(false);
    let error = std::thread::scope(|scope| {
        // It would be a minute otherwise.
        let patience = Patience::until(&stop, Duration::from_secs(60));
        let waits = scope.spawn(move || boot(&mut *machine, "end\n", patience).unwrap_err());
        stop.store(true, Ordering::SeqCst);
        waits.join().unwrap()
    });
    assert!(matches!(error, BootError::Stopped { .. }), "{error}");
    assert_eq!(error.to_string(), "machine m was not waited for: the run was asked to stop");
}

#[test]
fn another_version_is_told() {
    let mut machine = Simulated::new().define(&definition("m")).unwrap();
    machine.start().unwrap();
    machine.next_event(Instant::now());
    machine.send("end").unwrap();
    machine.next_event(Instant::now());
    machine.send("say hello 2").unwrap();
    let error = boot(&mut *machine, "end\n", Duration::from_secs(1)).unwrap_err();
    assert!(matches!(error, BootError::Version { .. }), "{error}");
}
