//! `netprop replay`: a failing case again, as it was written down.

use std::fs::OpenOptions;
use std::path::Path;

use model::Model;

use super::args::{ReplayOptions, SystemKind};
use super::bundle::check_unchanged;
use super::kept::{AboutKept, Kept};
use super::offered::Specified;
use super::run::Session;
use super::shrink;
use super::{Fatal, export, wrong};
use crate::config::Config;
use crate::execute::{Exclusion, Verdict};
use crate::exit::Exit;
use crate::machines::MachineSystem;
use crate::replay::{Replay, ReplayError};
use crate::runner::{Failure, Runner};
use crate::shrink::{Budget, Trail};
use crate::system::System;
use crate::{regressions, report};

impl AboutKept for ReplayOptions {
    fn file(&self) -> &Path {
        &self.file
    }

    fn of_machines<T: Specified>(&self, specified: &T) -> Result<Exit, Fatal> {
        let kept = Kept::read(specified, &self.file)?;
        if self.as_test {
            super::print(&export::rust(specified, &kept.model, &kept.replay));
            return Ok(Exit::Holds);
        }
        check(self)?;
        let session = Session::start(&self.output)?;
        match kept.lab(&self.lab, &session)? {
            None => run(&kept.model, &specified.simulation()?, kept.replay, self, &session),
            Some(lab) => {
                lab.capture_into(self.capture.as_deref());
                run(&kept.model, &MachineSystem::of(&lab), kept.replay, self, &session)
            }
        }
    }
}

/// Replays a case of a system in memory.
pub(crate) fn in_memory<M: Model, S: System<M>>(
    model: &M,
    system: &S,
    options: &ReplayOptions,
) -> Result<Exit, Fatal> {
    let replay = Replay::read(model, &options.file).map_err(|error| Fatal::usage(&error))?;
    if options.as_test {
        super::print(&export::rust_in_memory::<M, S>(model, &replay));
        return Ok(Exit::Holds);
    }
    check(options)?;
    run(model, system, replay, options, &Session::start(&options.output)?)
}

/// Refuses what could not be written, before anything runs.
fn check(options: &ReplayOptions) -> Result<(), Fatal> {
    if options.probe {
        check_unchanged(&options.file)?;
    }
    let Some(file) = &options.capture else { return Ok(()) };
    let is_fabric = options.lab.switch.to_str() == Some("fabric");
    if options.lab.system == SystemKind::Simulated || !is_fabric {
        let why = "nothing goes through the fabric that could be captured: leave out --capture, or --system and --switch";
        return Err(wrong(why));
    }
    // What is there already stays until there is something to write.
    let opened = OpenOptions::new().append(true).create(true).open(file);
    opened.map(drop).map_err(|error| {
        wrong(format!("could not make the capture {}: {error}: choose another place", file.display()))
    })
}

fn run<M: Model, S: System<M>>(
    specification: &M,
    system: &S,
    mut replay: Replay<M>,
    options: &ReplayOptions,
    session: &Session,
) -> Result<Exit, Fatal> {
    let probes = Budget { runs: options.probes, time: None };
    let config = options.lab.limited(Config { probes, ..Config::default() });
    let observer = session.observer.as_ref();
    let runner = Runner::new(specification, system, &config, observer, &session.stop);
    let execution = runner.replay(&replay, &options.file.display().to_string())?;
    let (history, consoles) = (execution.history, execution.consoles);
    let (exit, text) = match execution.verdict {
        Verdict::Holds => (Exit::Holds, "holds: the case does not fail here\n".to_owned()),
        Verdict::Inconclusive(reason) => (Exit::Inconclusive, format!("inconclusive: {reason}\n")),
        Verdict::Excluded(exclusion) => {
            let Exclusion { configuration, reason } = exclusion;
            (Exit::Inconclusive, format!("excluded: {configuration} cannot be built or booted: {reason}\n"))
        }
        Verdict::Falsified(evidence) => {
            let mut warnings = Vec::new();
            if options.probe
                && let Err(why) = probe(&runner, &mut replay, &options.file)
            {
                warnings.push(format!("what matters is not kept in the file: {why}"));
            }
            let mut failure: Failure<M> = Failure {
                seed: replay.seed.parse().unwrap_or_else(|_| regressions::Seed::from(0)),
                commands_at_first: replay.case.len(),
                case: replay.case,
                evidence,
                history,
                consoles,
                trail: Trail::default(),
                shrink_runs: 0,
                smallest: replay.smallest,
                first_rate: replay.first_rate,
                rate: replay.rate,
                in_order: replay.in_order,
                confirmed: None,
                others: Vec::new(),
                causes: replay.causes,
                settings: replay.settings,
                file: Some(options.file.clone()),
                unkept: None,
                warnings,
            };
            runner.keep_record(&mut failure, None);
            (Exit::Falsified, report::failure(specification, &failure) + &shrink::page(&failure))
        }
    };
    observer.text(&text);
    Ok(exit)
}

/// Finds out more of what matters, and keeps it in the file as it is found.
fn probe<M: Model, S: System<M>>(
    runner: &Runner<'_, M, S>,
    replay: &mut Replay<M>,
    file: &Path,
) -> Result<(), ReplayError> {
    let (case, earlier) = (replay.case.clone(), replay.causes.take());
    let mut written = Ok(());
    let course = replay.failure.course.clone().filter(|_| replay.in_order);
    runner.causes(&case, course.as_deref(), earlier, |causes| {
        replay.causes = Some(causes.clone());
        if written.is_ok() {
            written = replay.write_to(file);
        }
    });
    written
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use clap::Parser as _;
    use model::machines::{Command, Response};
    use model::{Case, Machine, MachineSpec, Network, Outcome, Subnet};

    use super::*;
    use crate::cli::args::{Cli, Command as Asked};
    use crate::cli::offered::BuiltIn;
    use crate::cli::parameters;
    use crate::execute::Evidence;
    use crate::machines::simulated::SimulatedNetwork;
    use crate::observe::Silent;
    use crate::record::Record;
    use crate::replay;
    use crate::system::SystemError;

    /// Machines with kernel 6.12 do not boot.
    struct NeedsOldKernel;

    impl System<MachineSpec> for NeedsOldKernel {
        type Sut = SimulatedNetwork;

        fn new_sut(&self, network: &Network) -> Result<SimulatedNetwork, SystemError> {
            Ok(network.into())
        }

        fn run(
            &self,
            network: &mut SimulatedNetwork,
            command: &Command,
        ) -> Result<Outcome<Response>, SystemError> {
            let Command::Boot(id) = command else { return Ok(Outcome::Answered(network.run(command))) };
            let new = network.machine(id).is_some_and(|machine| machine.kernel.as_str() == "6.12");
            let panicked = || Response::Failed("kernel panic".to_owned());
            Ok(Outcome::Answered(if new { panicked() } else { network.run(command) }))
        }
    }

    /// A file of a run that varied kernels of three lines, with nothing known of its causes.
    fn saved(directory: &Path) -> std::path::PathBuf {
        let settings = [("kernels", "6.1,6.6,6.12"), ("system", "simulated")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let specification = MachineSpec::new(parameters::bounds(&settings.clone().into()).unwrap()).unwrap();
        let (id, kernel) = ("a".parse().unwrap(), "6.12".parse().unwrap());
        let machine = Machine::new(id, uuid::Uuid::from_bytes([7; 16]), [172, 16, 2, 9].into(), kernel);
        let commands = vec![Command::Boot(machine.id.clone())];
        let case = Case::sequential(Network::new(Subnet::default(), vec![machine]).unwrap(), commands);
        let evidence = Evidence { number: 1, ..Evidence::default() };
        Replay::new(&specification, &"0".repeat(64), settings.into(), case, evidence)
            .write(directory)
            .unwrap()
    }

    fn replayed(file: &Path, arguments: &[&str]) -> Replay<MachineSpec> {
        let file_text = file.to_str().unwrap();
        let arguments = [&["netprop", "replay", file_text, "--system", "simulated"], arguments].concat();
        let Asked::Replay(options) = Cli::parse_from(arguments).command else {
            unreachable!("it says replay")
        };
        let bounds = parameters::bounds(&replay::settings(file).unwrap()).unwrap();
        let specification = MachineSpec::new(bounds).unwrap();
        let read = || Replay::read(&specification, file).unwrap();
        let session = Session::quiet(Arc::new(Silent));
        let exit = run(&specification, &NeedsOldKernel, read(), &options, &session).unwrap();
        assert_eq!(exit, Exit::Falsified);
        read()
    }

    /// What is printed for machines; `tests/environment.rs` sees to it that it compiles.
    const PRINTED: &str = include_str!("../../tests/ring/machines.rs");

    #[test]
    fn a_case_becomes_a_test_that_stands_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = saved(directory.path());
        let bounds = parameters::bounds(&replay::settings(&file).unwrap()).unwrap();
        let specification = MachineSpec::new(bounds).unwrap();
        let replay = Replay::read(&specification, &file).unwrap();
        let text = export::rust(&BuiltIn::MACHINES, &specification, &replay);
        assert_eq!(text.replace("#[test]\n", ""), PRINTED, "the file is not what is printed now");
        let mut json = text.split("r#\"").skip(1).map(|rest| rest.split_once("\"#").unwrap().0);
        let network: Network = crate::from_json(json.next().unwrap());
        let command: Command = crate::from_json(json.next().unwrap());
        assert_eq!((network, vec![command]), (replay.case.initial, replay.case.commands));
    }

    #[test]
    fn what_matters_is_kept_in_the_file_and_found_out_step_by_step() {
        let directory = tempfile::tempdir().unwrap();
        let file = saved(directory.path());
        assert!(replayed(&file, &[]).causes.is_none());
        let (record, _) = Record::open(&file).unwrap();
        assert_eq!((&*record.evidence.came, record.machines.len()), ("failed: kernel panic", 1));
        let begun = replayed(&file, &["--probe", "--probes", "1"]).causes.unwrap();
        assert_eq!((begun.runs, begun.complete), (1, false));
        let causes = replayed(&file, &["--probe"]).causes.unwrap();
        assert!(causes.complete);
        let said = "what matters\n  machine a: kernel  fails with 6.12; holds with 6.1, 6.6\n";
        assert!(causes.to_string().starts_with(said), "{causes}");
        // Two kernels, the greatest memory, two file systems, and both of these at once.
        assert_eq!(causes.runs, 6, "{causes}");
        assert_eq!(replayed(&file, &["--probe"]).causes.unwrap(), causes);
    }

    #[test]
    fn a_file_that_cannot_be_written_any_more_leaves_the_report() {
        let directory = tempfile::tempdir().unwrap();
        let file = saved(&directory.path().join("failures"));
        let bounds = parameters::bounds(&replay::settings(&file).unwrap()).unwrap();
        let specification = MachineSpec::new(bounds).unwrap();
        let replay = Replay::read(&specification, &file).unwrap();
        std::fs::remove_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file.parent().unwrap(), "").unwrap();
        let arguments = ["netprop", "replay", file.to_str().unwrap(), "--system", "simulated", "--probe"];
        let Asked::Replay(options) = Cli::parse_from(arguments).command else {
            unreachable!("it says replay")
        };
        let session = Session::quiet(Arc::new(Silent));
        let exit = run(&specification, &NeedsOldKernel, replay, &options, &session).unwrap();
        assert_eq!(exit, Exit::Falsified);
    }
}
