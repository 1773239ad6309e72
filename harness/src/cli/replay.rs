//! `netprop replay`: a failing case again, as it was written down.

use std::fs::OpenOptions;
use std::io;
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
use crate::execute::{Evidence, Exclusion, Execution, Verdict};
use crate::exit::Exit;
use crate::machines::MachineSystem;
use crate::observe::Event;
use crate::plain::plain;
use crate::record;
use crate::replay::{Replay, ReplayError, can_write_in};
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
    if let Some(file) = &options.record {
        check_record(&options.file, file)?;
    }
    let Some(file) = &options.capture else { return Ok(()) };
    let is_fabric = options.lab.switch.to_str() == Some("fabric");
    if options.lab.system == SystemKind::Simulated || !is_fabric {
        let why = "nothing goes through the fabric that could be captured: leave out --capture, or --system and --switch";
        return Err(wrong(why));
    }
    // What is there already stays until there is something to write.
    let opened = OpenOptions::new().append(true).create(true).open(file);
    opened.map(drop).map_err(|error| unwritable("capture", file, &error))
}

/// Refuses to write a record over the case that is replayed, or over what is known of how it failed.
fn check_record(case: &Path, file: &Path) -> Result<(), Fatal> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if [case, &record::beside(case)].iter().any(|taken| real(taken) == real(file)) {
        let file = file.display();
        return Err(wrong(format!(
            "{file} is kept of the case that failed: choose another place with --record"
        )));
    }
    let directory = file.parent().unwrap_or(Path::new("."));
    can_write_in(directory).map_err(|error| unwritable("record", file, &error))
}

fn unwritable(what: &str, file: &Path, error: &io::Error) -> Fatal {
    wrong(format!("could not make the {what} {}: {error}: choose another place", file.display()))
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
    let mut warnings = Vec::new();
    if options.probe
        && execution.evidence().is_some()
        && let Err(why) = probe(&runner, &mut replay, &options.file)
    {
        warnings.push(format!("what matters is not kept in the file: {why}"));
    }
    let (exit, verdict, said) = told(&execution.verdict);
    let mut failure = Failure { warnings, ..failed(replay, execution, &options.file) };
    let text = if exit == Exit::Falsified {
        runner.keep_record(&mut failure, None);
        report::failure(specification, &failure) + &shrink::page(&failure)
    } else {
        said + "\n"
    };
    observer.text(&text);
    if let Some(file) = &options.record
        && let Err(why) = runner.write_record_to(&failure, verdict, file)
    {
        // The verdict stands.
        observer.event(&Event::Warning { text: &format!("no record of this run is kept: {why}") });
    }
    Ok(exit)
}

/// What a verdict means for the command and for a record, and in a line.
fn told(verdict: &Verdict) -> (Exit, record::Verdict, String) {
    match verdict {
        Verdict::Holds => {
            (Exit::Holds, record::Verdict::Holds, "holds: the case does not fail here".to_owned())
        }
        Verdict::Falsified(_) => (Exit::Falsified, record::Verdict::Falsified, String::new()),
        Verdict::Inconclusive(reason) => {
            (Exit::Inconclusive, record::Verdict::Inconclusive, format!("inconclusive: {}", plain(reason)))
        }
        Verdict::Excluded(Exclusion { configuration, reason }) => {
            let said = format!("excluded: {configuration} cannot be built or booted: {}", plain(reason));
            (Exit::Inconclusive, record::Verdict::Inconclusive, said)
        }
    }
}

/// The failure that a replayed case is; where it did not fail, with what there is to say instead.
fn failed<M: Model>(replay: Replay<M>, execution: Execution<M>, file: &Path) -> Failure<M> {
    let evidence = match execution.verdict {
        Verdict::Falsified(evidence) => evidence,
        other => Evidence { came: told(&other).2, ..Evidence::default() },
    };
    Failure {
        seed: replay.seed.parse().unwrap_or_else(|_| regressions::Seed::from(0)),
        commands_at_first: replay.case.len(),
        case: replay.case,
        evidence,
        history: execution.history,
        consoles: execution.consoles,
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
        file: Some(file.to_owned()),
        unkept: None,
        warnings: Vec::new(),
    }
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
    use crate::difference::{Aspect, Difference, First};
    use crate::machines::simulated::{SimulatedNetwork, SimulatedSystem};
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

    /// Replays a case of a machine that boots and of one that may not, and gives the record of that.
    fn recorded<S: System<MachineSpec>>(directory: &Path, system: &S, name: &str) -> Record {
        let machine = |name: &str, last: u8, kernel: &str| {
            let uuid = uuid::Uuid::from_bytes([last; 16]);
            Machine::new(name.parse().unwrap(), uuid, [172, 16, 2, last].into(), kernel.parse().unwrap())
        };
        let network = Network::new(Subnet::default(), vec![machine("a", 7, "6.1"), machine("b", 8, "6.12")]);
        let boot = |id: &str| Command::Boot(id.parse().unwrap());
        let ping = Command::Ping { from: "a".parse().unwrap(), to: "b".parse().unwrap() };
        let case = Case::sequential(network.unwrap(), vec![boot("a"), boot("b"), ping]);
        let settings = [("kernels".to_owned(), "6.1,6.12".to_owned())];
        let bounds = parameters::bounds(&settings.clone().into()).unwrap();
        let (specification, to) = (MachineSpec::new(bounds).unwrap(), directory.join(name));
        let replay = Replay::new(&specification, &"0".repeat(64), settings.into(), case, Evidence::default());
        let file = replay.write(directory).unwrap();
        let arguments = ["netprop", "replay", file.to_str().unwrap(), "--system", "simulated", "--record"];
        let arguments = arguments.iter().copied().chain([to.to_str().unwrap()]);
        let Asked::Replay(options) = Cli::parse_from(arguments).command else {
            unreachable!("it says replay")
        };
        run(&specification, system, replay, &options, &Session::quiet(Arc::new(Silent))).unwrap();
        Record::read(&to).unwrap()
    }

    #[test]
    fn runs_of_a_case_are_the_same_until_one_answers_otherwise() {
        let directory = tempfile::tempdir().unwrap();
        let held = |name| recorded(directory.path(), &SimulatedSystem, name);
        let (one, other) = (held("one.json"), held("other.json"));
        let failed = recorded(directory.path(), &NeedsOldKernel, "failed.json");
        assert_eq!((one.verdict, failed.verdict), (record::Verdict::Holds, record::Verdict::Falsified));
        assert!(Difference::between(("one", &one), ("other", &other)).is_none());
        let difference = Difference::between(("one", &one), ("failed", &failed));
        assert_eq!((difference.first, difference.other_case), (Some(First::Row(1)), vec![]));
        let differs: Vec<_> = difference.rows.iter().map(|row| row.differs.clone()).collect();
        assert_eq!(differs, [vec![], vec![Aspect::Answer], vec![Aspect::NotGiven]]);
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
