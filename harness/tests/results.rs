//! What a run has come to, as other programs read it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use harness::machines::simulated::SimulatedNetwork;
use harness::model::machines::{Command, Response};
use harness::model::{MachineSpec, Network, NetworkParameters};
use harness::results::{CaseVerdict, Recorder, RunResult, RunVerdict, junit, markdown};
use harness::{Config, Outcome, Runner, Shape, Stop, System, SystemError};
use quick_junit::Report;

/// Second boots fail, and what the guest says is meant badly.
struct BootsOnce;

const SAID: &str = "</code></pre><img src=x> | `@all`\n]]>\u{1b}[31m";

impl System<MachineSpec> for BootsOnce {
    type Sut = SimulatedNetwork;

    fn new_sut(&self, network: &Network) -> Result<SimulatedNetwork, SystemError> {
        Ok(network.into())
    }

    fn run(&self, sut: &mut SimulatedNetwork, command: &Command) -> Result<Outcome<Response>, SystemError> {
        match command {
            Command::Boot(id) if sut.boots(id) > 0 => {
                Ok(Outcome::Answered(Response::Failed(SAID.to_owned())))
            }
            _ => Ok(sut.give(command)),
        }
    }
}

fn falsified() -> RunResult {
    let directory = tempfile::tempdir().unwrap();
    let kernels = vec!["6.1".parse().unwrap()];
    let specification = MachineSpec::new(NetworkParameters::new(kernels).unwrap()).unwrap();
    let config = Config {
        cases: 200,
        seed: Some(3.into()),
        shape: Shape::sequential(5..=10),
        failures: Some(directory.path().join("failures")),
        regressions: None,
        ..Config::default()
    };
    let (recorder, stop) = (Recorder::default(), Stop::default());
    let summary = Runner::new(&specification, &BootsOnce, &config, &recorder, &stop).run().unwrap();
    recorder.failure(&specification, &summary.failure.unwrap());
    recorder.result(RunVerdict::Falsified, None)
}

#[test]
fn a_falsified_run_says_which_case_failed_and_how() {
    let result = falsified();
    let failed: Vec<_> = result.cases.iter().filter(|case| case.verdict == CaseVerdict::Falsified).collect();
    let (case, failure) = (failed[0], &result.failures[0]);
    assert_eq!((failed.len(), &case.seed), (1, &Some(failure.seed.clone())));
    assert!(case.file.is_some() && case.file == failure.file, "{case:?}");
    assert!(case.reason.as_ref().unwrap().contains("came"), "{case:?}");
    assert!(failure.commands <= failure.commands_at_first && failure.report.starts_with("falsified:"));
    let again: RunResult = serde_json::from_str(&result.json()).unwrap();
    assert_eq!(again.failures, result.failures);

    let xml = Report::deserialize_from_str(&junit(&result).unwrap()).unwrap();
    assert_eq!((xml.tests, xml.failures, xml.errors), (result.cases.len(), 1, 0));
}

#[test]
fn a_summary_for_people_begins_with_the_verdict_and_takes_nothing_a_guest_says_for_markup() {
    let text = markdown(&falsified());
    assert!(text.starts_with("### netprop: falsified\n"), "{text}");
    assert!(text.contains("| falsified |") && text.contains("<details><summary>smallest case: "), "{text}");
    let (folded, next) = text.split_once("</details>").unwrap();
    assert!(!text.contains("<img") && !text.contains('\u{1b}'), "{text}");
    let (before, _) = text.split_once("<pre>").unwrap();
    assert!(!before.contains(['`', '@']), "{before}");
    assert_eq!(folded.matches("</pre>").count(), 1, "{text}");
    assert!(next.contains("run it again: <code>netprop replay "), "{text}");
    assert!(text.len() < 65_536);
}
