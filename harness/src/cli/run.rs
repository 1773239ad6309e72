//! `netprop run`: generated networks against a model of what machines do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use model::{KernelVersion, LaneShape, Mebibytes, Model, NetworkParameters, Shape};

use super::Fatal;
use super::args::{CoverageKind, OutputOptions, RunOptions};
use super::capture;
use super::interrupt::{self, Remembering};
use super::lab;
use super::nixos;
use super::offered::{SpecificationKind, Specified, With};
use super::results::{Recording, Results};
use super::screen::Screen;
use super::{logging, parameters, progress, resume, shrink};
use crate::config::Config;
use crate::coverage::Coverage;
use crate::execute::Standing;
use crate::exit::Exit;
use crate::inside::Live;
use crate::machines::{Lab, MachineSystem};
use crate::observe::{Event, Observer};
use crate::regressions::Seed;
use crate::report;
use crate::results::Recorder;
use crate::runner::{Runner, Summary};
use crate::shrink::Budget;
use crate::stop::Stop;
use crate::system::System;

/// The kernels that the simulation pretends to have.
const SIMULATED_KERNELS: [&str; 2] = ["6.1", "6.12"];

/// What is written into replay files of how systems were made.
type Settings = BTreeMap<String, String>;

/// What every command that runs cases needs: an observer, and a way to be stopped.
pub(crate) struct Session {
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) stop: Stop,
    /// Who is told what a run has come to, where somebody asks.
    pub(crate) recorder: Option<Arc<Recorder>>,
    /// What the observer shows things on.
    pub(crate) screen: Screen,
}

impl Session {
    /// One of a test, which listens to no signals and has no terminal.
    #[cfg(test)]
    pub(crate) fn quiet(observer: Arc<dyn Observer>) -> Self {
        Self { observer, stop: Stop::default(), recorder: None, screen: Screen::of_process() }
    }

    /// Listens to signals from now on.
    pub(crate) fn start(options: &OutputOptions) -> Result<Self, Fatal> {
        Self::told(options, None)
    }

    /// As [`Session::start`], with what happens recorded for the results.
    fn recorded(options: &OutputOptions, results: &Results) -> Result<Self, Fatal> {
        Self::told(options, results.are_asked_for().then(|| Arc::clone(&results.recorder)))
    }

    fn told(options: &OutputOptions, recorder: Option<Arc<Recorder>>) -> Result<Self, Fatal> {
        let screen = Screen::of_process();
        logging::start(options.verbose, &screen);
        let (stop, best) = (Stop::default(), Arc::new(Mutex::default()));
        interrupt::watch(&stop, &best, &screen).map_err(|error| Fatal::usage(&error))?;
        let inner = progress::observer(options, &screen);
        let inner = match &recorder {
            Some(recorder) => Box::new(Recording { inner, recorder: Arc::clone(recorder) }),
            None => inner,
        };
        Ok(Self { observer: Arc::new(Remembering { inner, best }), stop, recorder, screen })
    }
}

/// Runs a specification that the command knows by name.
pub(crate) fn run(options: &RunOptions) -> Result<Exit, Fatal> {
    let is_fabric = options.lab.switch.to_str() == Some("fabric");
    if options.specification == SpecificationKind::Faults && !is_fabric {
        let switch = options.lab.switch.display();
        return Err(super::wrong(format!(
            "the switch {switch} takes no faults of the network: leave out --switch"
        )));
    }
    let results = Results::begin(&options.results)?;
    results.end(options.specification.with(Run(options, &results)))
}

struct Run<'a>(&'a RunOptions, &'a Results);

impl With for Run<'_> {
    type Output = Result<Exit, Fatal>;

    fn with<T: Specified>(self, specified: &T) -> Result<Exit, Fatal> {
        prepare(specified, self.0, self.1)
    }
}

/// Runs a specification of machines.
pub(crate) fn of_machines<T: Specified>(specified: &T, options: &RunOptions) -> Result<Exit, Fatal> {
    let results = Results::begin(&options.results)?;
    results.end(prepare(specified, options, &results))
}

/// Runs a specification of a system in memory.
pub(crate) fn in_memory<M, S>(model: &M, system: &S, options: &RunOptions) -> Result<Exit, Fatal>
where
    M: Model<State: Send, Command: Send, Response: Send> + Sync,
    S: System<M> + Sync,
{
    let results = Results::begin(&options.results)?;
    let test = || {
        let session = Session::recorded(&options.output, &results)?;
        test(options, &session, model, system, |_| None, None, BTreeMap::new())
    };
    results.end(test())
}

fn prepare<T: Specified>(specified: &T, options: &RunOptions, results: &Results) -> Result<Exit, Fatal> {
    let session = Session::recorded(&options.output, results)?;
    let named = |mut settings: Settings, name: &str| {
        settings.insert("system".to_owned(), name.to_owned());
        settings
    };
    match lab::open(&options.lab, &session)? {
        None => {
            let system = specified.simulation()?;
            let kernels = SIMULATED_KERNELS.map(|kernel| kernel.parse());
            let kernels = kernels.into_iter().collect::<Result<Vec<KernelVersion>, _>>();
            let kernels = kernels.map_err(|error| Fatal::usage(&error))?;
            let settings = options.parameters.settings(&kernels, &(Mebibytes::MIN..=Mebibytes::new(256)?))?;
            let model = specified.within(bounds(options, &settings)?)?;
            test(options, &session, &model, &system, |_| None, None, named(settings, "simulated"))
        }
        Some(lab) => {
            let offer = lab.offer()?;
            let mut settings = options.parameters.settings(&offer.kernels, &offer.memory)?;
            lab.check(&bounds(options, &settings)?)?;
            settings.extend(nixos::settings(&options.lab, &lab.pins()?));
            let (model, system) = (specified.within(bounds(options, &settings)?)?, MachineSystem::of(&lab));
            test(
                options,
                &session,
                &model,
                &system,
                |live| Some(live),
                Some(&lab),
                named(settings, "libvirt"),
            )
        }
    }
}

/// What networks are generated in.
fn bounds(options: &RunOptions, settings: &Settings) -> Result<NetworkParameters, Fatal> {
    let mut bounds = parameters::bounds(settings)?.with_machines(options.machines.clone());
    bounds.subnet = options.subnet;
    bounds.check().map_err(|error| Fatal::usage(&error))?;
    Ok(bounds)
}

fn test<M, S>(
    options: &RunOptions,
    session: &Session,
    model: &M,
    system: &S,
    live: Live<'_, S::Sut>,
    lab: Option<&Lab>,
    settings: Settings,
) -> Result<Exit, Fatal>
where
    M: Model<State: Send, Command: Send, Response: Send> + Sync,
    S: System<M> + Sync,
{
    let mut config = config(options, settings);
    let seed = *config.seed.get_or_insert_with(Seed::random);
    let runner = Runner::new(model, system, &config, session.observer.as_ref(), &session.stop);
    // One person looks at one thing at a time.
    let one = Mutex::new(());
    let look = |sut: &mut S::Sut, standing: &Standing<'_, M>| {
        let _one = one.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(Fatal { message, .. }) = resume::standing(model, system, sut, live, standing, session) {
            session.observer.event(&Event::Warning { text: &message });
        }
    };
    let runner = if options.keep_on_failure { runner.looking(&look) } else { runner };
    let mut summary = runner.run_side_by_side()?;
    if let Some(recorder) = &session.recorder {
        let failures = summary.failure.iter().chain(&summary.once);
        failures.for_each(|failure| recorder.failure(model, failure));
    }
    let captured = match (lab, &mut summary.failure) {
        (Some(lab), Some(failure)) if !session.stop.requested() => {
            capture::of_failure(lab, model, &runner, failure)
        }
        _ => None,
    };
    Ok(conclude(model, &summary, seed, captured.as_deref(), session.observer.as_ref()))
}

fn config(options: &RunOptions, settings: Settings) -> Config {
    let defaults = Config::default();
    let defaults = options.lab.limited(shrink::limited(&options.limits, defaults));
    Config {
        cases: options.cases,
        jobs: options.jobs,
        shape: shape(options),
        seed: options.seed.or(defaults.seed),
        coverage: match options.coverage {
            CoverageKind::None => Coverage::None,
            CoverageKind::Values => Coverage::Values,
            CoverageKind::Pairs => Coverage::Pairs,
        },
        probes: Budget { runs: options.probes, ..defaults.probes },
        failures: defaults.failures.and(Some(options.failures.clone())),
        settings,
        ..defaults
    }
}

fn shape(options: &RunOptions) -> Shape {
    let lanes = LaneShape {
        lanes: options.lanes.clone(),
        commands: options.lane_commands.clone(),
        percent: options.lane_share,
        ..LaneShape::default()
    };
    let lanes = (lanes.percent > 0).then_some(lanes);
    Shape { lanes, ..Shape::sequential(options.commands.clone()) }
}

/// Shows what the run has come to, and what to do next.
fn conclude<M: Model>(
    specification: &M,
    summary: &Summary<M>,
    seed: Seed,
    captured: Option<&str>,
    observer: &dyn Observer,
) -> Exit {
    let mut text = report::summary(specification, summary);
    text.push_str(captured.unwrap_or_default());
    text.push_str(&verdict(summary));
    let exit = match summary.verdict() {
        "falsified" => Exit::Falsified,
        "stopped" => Exit::Stopped,
        "inconclusive" => Exit::Inconclusive,
        _ => Exit::Holds,
    };
    text.push_str(&match (&summary.failure, exit) {
        (Some(failure), _) => shrink::next(failure),
        (None, Exit::Stopped) => format!("run the same cases again: {}\n", again(std::env::args(), seed)),
        (None, Exit::Inconclusive) => INCONCLUSIVE.to_owned(),
        (None, _) => String::new(),
    });
    observer.text(&text);
    exit
}

/// What can be done where the infrastructure failed.
const INCONCLUSIVE: &str = "see whether anything is missing: netprop doctor\n";

/// The command line that runs the cases of this one again, which had these arguments.
fn again(arguments: impl Iterator<Item = String>, seed: Seed) -> String {
    let mut arguments: Vec<String> = arguments.collect();
    if !arguments.iter().any(|argument| argument == "--seed" || argument.starts_with("--seed=")) {
        arguments.extend(["--seed".to_owned(), seed.to_string()]);
    }
    // What has no form for a shell, which is a zero byte, cannot have been an argument.
    shlex::try_join(arguments.iter().map(String::as_str)).unwrap_or_default()
}

/// The verdict of a run in one line, with how many cases came to what.
fn verdict<M: Model>(summary: &Summary<M>) -> String {
    let Summary { held, inconclusive, excluded, once, .. } = summary;
    let count =
        |number: u32, what: &str| format!("{number} case{} {what}", if number == 1 { "" } else { "s" });
    let mut text = format!("{}: {}", summary.verdict(), count(*held, "held"));
    if !once.is_empty() {
        text.push_str(&format!(", {} more failed once", once.len()));
    }
    if *inconclusive > 0 {
        text.push_str(&format!(", {}", count(*inconclusive, "inconclusive")));
    }
    if *excluded > 0 {
        text.push_str(&format!(", {}", count(*excluded, "excluded")));
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_can_be_run_again_by_what_is_said_of_it() {
        let seed = Seed::from(7);
        let said = |arguments: &[&str]| again(arguments.iter().map(|&text| text.to_owned()), seed);
        assert_eq!(
            said(&["netprop", "run", "--failures", "a b"]),
            format!("netprop run --failures 'a b' --seed {seed}")
        );
        assert_eq!(said(&["netprop", "run", "--seed", "7"]), "netprop run --seed 7");
    }
}
