//! `netprop shrink`: a failing case is made smaller, from where an earlier run ended.

use std::fmt::Write as _;
use std::path::Path;

use model::Model;

use super::Fatal;
use super::args::{ShrinkLimits, ShrinkOptions};
use super::bundle::check_unchanged;
use super::capture;
use super::kept::{AboutKept, Kept};
use super::offered::Specified;
use super::run::Session;
use crate::config::Config;
use crate::execute::{Exclusion, Verdict};
use crate::exit::Exit;
use crate::machines::{Lab, MachineSystem};
use crate::replay::Replay;
use crate::report;
use crate::runner::{Continued, Failure, Runner};
use crate::shrink::Budget;
use crate::system::System;

impl AboutKept for ShrinkOptions {
    fn file(&self) -> &Path {
        &self.file
    }

    fn of_machines<T: Specified>(&self, specified: &T) -> Result<Exit, Fatal> {
        check_unchanged(&self.file)?;
        let kept = Kept::read(specified, &self.file)?;
        let session = Session::start(&self.output)?;
        match kept.lab(&self.lab, &session)? {
            None => go_on(&kept.model, &specified.simulation()?, None, self, &session),
            Some(lab) => go_on(&kept.model, &MachineSystem::of(&lab), Some(&lab), self, &session),
        }
    }
}

/// Makes a case of a system in memory smaller.
pub(crate) fn in_memory<M, S>(model: &M, system: &S, options: &ShrinkOptions) -> Result<Exit, Fatal>
where
    M: Model<State: Send, Command: Send, Response: Send> + Sync,
    S: System<M> + Sync,
{
    check_unchanged(&options.file)?;
    Replay::read(model, &options.file).map_err(|error| Fatal::usage(&error))?;
    go_on(model, system, None, options, &Session::start(&options.output)?)
}

fn go_on<M, S>(
    specification: &M,
    system: &S,
    lab: Option<&Lab>,
    options: &ShrinkOptions,
    session: &Session,
) -> Result<Exit, Fatal>
where
    M: Model<State: Send, Command: Send, Response: Send> + Sync,
    S: System<M> + Sync,
{
    let defaults = Config::default();
    let probes = Budget { runs: options.probes, ..defaults.probes };
    // The run that found the failure has kept its seed.
    let config =
        limited(&options.limits, Config { probes, regressions: None, jobs: options.jobs, ..defaults });
    let config = options.lab.limited(config);
    let runner = Runner::new(specification, system, &config, session.observer.as_ref(), &session.stop);
    let (exit, text) = match runner.shrink_file_side_by_side(&options.file)? {
        Continued::Failed(mut failure) => {
            let is_over = session.stop.requested();
            let lab = lab.filter(|_| !is_over);
            let captured = lab.and_then(|lab| capture::of_failure(lab, specification, &runner, &mut failure));
            let text = report::failure(specification, &failure);
            let text = text + &captured.unwrap_or_default() + &next(&failure);
            (if session.stop.requested() { Exit::Stopped } else { Exit::Falsified }, text)
        }
        Continued::Passed(Verdict::Inconclusive(reason)) => {
            (Exit::Inconclusive, format!("inconclusive: {reason}\n"))
        }
        Continued::Passed(Verdict::Excluded(Exclusion { configuration, reason })) => {
            (Exit::Inconclusive, format!("excluded: {configuration} cannot be built or booted: {reason}\n"))
        }
        Continued::Passed(_) => {
            let text = "holds: the case does not fail here, so there is nothing to make smaller\n";
            (Exit::Holds, text.to_owned())
        }
    };
    session.observer.text(&text);
    Ok(exit)
}

/// The configuration with what the options say of shrinking.
pub(crate) fn limited(limits: &ShrinkLimits, config: Config) -> Config {
    let ShrinkLimits { shrink_runs, shrink_time, reruns } = limits;
    let shrink =
        Budget { runs: shrink_runs.unwrap_or(config.shrink.runs), time: shrink_time.or(config.shrink.time) };
    Config { shrink, reruns: *reruns, ..config }
}

/// What can be done with a failure that is kept.
pub(crate) fn next<M: Model>(failure: &Failure<M>) -> String {
    let Some(file) = failure.file.as_ref().map(|file| file.display()) else { return String::new() };
    let (mut text, program) = (String::new(), super::called());
    if !failure.smallest {
        writeln!(text, "make it smaller still: {program} shrink {file}").ok();
    }
    if failure.causes.as_ref().is_some_and(|causes| !causes.complete) {
        writeln!(text, "find out more of what matters: {program} replay --probe {file}").ok();
    }
    writeln!(text, "run it again: {program} replay {file}").ok();
    text + &page(failure)
}

/// How to see a failure that is kept as a page.
pub(crate) fn page<M: Model>(failure: &Failure<M>) -> String {
    let (file, program) = (failure.file.as_ref().filter(|_| failure.unkept.is_none()), super::called());
    let line = |file: &std::path::PathBuf| format!("see it as a page: {program} report {}\n", file.display());
    file.map(line).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use clap::Parser as _;
    use model::machines::{Command, Response};
    use model::{Case, Machine, MachineSpec, Network, NetworkParameters, Outcome, Subnet};

    use super::*;
    use crate::cli::args::{Cli, Command as Asked};
    use crate::execute::Evidence;
    use crate::machines::simulated::SimulatedNetwork;
    use crate::observe::{Event, Observer};
    use crate::system::SystemError;

    /// Boots fail.
    struct NeverBoots;

    impl System<MachineSpec> for NeverBoots {
        type Sut = SimulatedNetwork;

        fn new_sut(&self, network: &Network) -> Result<SimulatedNetwork, SystemError> {
            Ok(network.into())
        }

        fn run(&self, _: &mut SimulatedNetwork, _: &Command) -> Result<Outcome<Response>, SystemError> {
            Ok(Outcome::Answered(Response::Failed("no".to_owned())))
        }
    }

    #[derive(Default)]
    struct Texts(Mutex<String>);

    impl Observer for Texts {
        fn event(&self, _: &Event<'_>) {}

        fn text(&self, text: &str) {
            self.0.lock().unwrap().push_str(text);
        }
    }

    fn machine(number: u8) -> Machine {
        let address = [172, 16, 2, number].into();
        let id = format!("m{number}").parse().unwrap();
        Machine::new(id, uuid::Uuid::from_bytes([number; 16]), address, "6.1".parse().unwrap())
    }

    #[test]
    fn the_file_keeps_what_is_smaller_and_the_text_says_how_to_go_on() {
        let directory = tempfile::tempdir().unwrap();
        let kernels = vec!["6.1".parse().unwrap()];
        let specification = MachineSpec::new(NetworkParameters::new(kernels).unwrap()).unwrap();
        let network = Network::new(Subnet::default(), (5..9).map(machine).collect()).unwrap();
        let boots: Vec<Command> =
            network.machines().iter().map(|machine| Command::Boot(machine.id.clone())).collect();
        let evidence = Evidence { number: 1, ..Evidence::default() };
        let case = Case::sequential(network, boots);
        let replay = Replay::new(&specification, &"0".repeat(64), Default::default(), case, evidence);
        let file = replay.write(directory.path()).unwrap();
        let run = |runs: &str, jobs: &str| {
            let path = file.to_str().unwrap();
            let arguments =
                ["netprop", "shrink", path, "--shrink-runs", runs, "--reruns", "0", "--jobs", jobs];
            let Asked::Shrink(options) = Cli::parse_from(arguments).command else {
                unreachable!("it says shrink")
            };
            let texts = Arc::new(Texts::default());
            let session = Session::quiet(texts.clone());
            assert_eq!(
                go_on(&specification, &NeverBoots, None, &options, &session).unwrap(),
                Exit::Falsified
            );
            let said = texts.0.lock().unwrap().clone();
            (Replay::read(&specification, &file).unwrap(), said)
        };
        let (begun, said) = run("1", "1");
        assert!(!begun.smallest && said.contains("make it smaller still: netprop shrink "), "{said}");
        let (ended, said) = run("100", "3");
        assert!(ended.smallest && !said.contains("netprop shrink"), "{said}");
        assert_eq!((ended.case.initial.machines().len(), ended.case.len()), (1, 1));
    }
}
