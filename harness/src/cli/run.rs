//! `netprop run`: generated networks against a model of what machines do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use model::{KernelVersion, LaneShape, Mebibytes, Model, NetworkParameters, Shape};

use super::Fatal;
use super::args::{CoverageKind, OutputOptions, RunOptions, SystemKind};
use super::capture;
use super::interrupt::{self, Remembering};
use super::lab::{self, Tested};
use super::nixos;
use super::offered::{Offered, SpecificationKind, With};
use super::{parameters, progress, shrink};
use crate::config::Config;
use crate::coverage::Coverage;
use crate::exit::Exit;
use crate::machines::simulated::SimulatedSystem;
use crate::machines::{Lab, MachineSystem};
use crate::observe::Observer;
use crate::report;
use crate::runner::{Runner, Summary};
use crate::shrink::Budget;
use crate::stop::Stop;
use crate::system::System;

/// The kernels that the simulation pretends to have.
const SIMULATED_KERNELS: [&str; 2] = ["6.1", "6.12"];

/// What every command that runs cases needs: an observer, and a way to be stopped.
pub(crate) struct Session {
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) stop: Stop,
}

impl Session {
    /// Listens to signals from now on.
    pub(crate) fn start(options: &OutputOptions) -> Result<Self, Fatal> {
        progress::start_logging(options.verbose);
        let (stop, best) = (Stop::default(), Arc::new(Mutex::default()));
        interrupt::watch(&stop, &best).map_err(|error| Fatal::usage(&error))?;
        let observer = Arc::new(Remembering { inner: progress::observer(options), best });
        Ok(Self { observer, stop })
    }
}

pub(crate) fn run(options: &RunOptions) -> Result<Exit, Fatal> {
    let is_fabric = options.lab.switch.to_str() == Some("fabric");
    if options.specification == SpecificationKind::Faults && !is_fabric {
        let switch = options.lab.switch.display();
        return Err(super::wrong(format!(
            "the switch {switch} takes no faults of the network: leave out --switch"
        )));
    }
    options.specification.with(Run(options))
}

struct Run<'a>(&'a RunOptions);

impl With for Run<'_> {
    type Output = Result<Exit, Fatal>;

    fn with<M: Offered>(self) -> Result<Exit, Fatal>
    where
        SimulatedSystem: System<M>,
    {
        prepare::<M>(self.0)
    }
}

fn prepare<M: Offered>(options: &RunOptions) -> Result<Exit, Fatal>
where
    SimulatedSystem: System<M>,
{
    let session = Session::start(&options.output)?;
    match lab::open(&options.lab, &session)? {
        Tested::Simulated(system) => {
            let kernels = SIMULATED_KERNELS.map(|kernel| kernel.parse());
            let kernels = kernels.into_iter().collect::<Result<Vec<KernelVersion>, _>>();
            let kernels = kernels.map_err(|error| Fatal::usage(&error))?;
            let settings = options.parameters.settings(&kernels, &(Mebibytes::MIN..=Mebibytes::new(256)?))?;
            test::<M, _>(options, &session, &system, None, settings)
        }
        Tested::Machines(lab) => {
            let offer = lab.offer()?;
            let mut settings = options.parameters.settings(&offer.kernels, &offer.memory)?;
            lab.check(&bounds(options, &settings)?)?;
            settings.extend(nixos::settings(&options.lab, &lab.pins()?));
            test::<M, _>(options, &session, &MachineSystem::of(&lab), Some(&lab), settings)
        }
    }
}

/// What networks are generated in.
fn bounds(options: &RunOptions, settings: &BTreeMap<String, String>) -> Result<NetworkParameters, Fatal> {
    let mut bounds = parameters::bounds(settings)?.with_machines(options.machines.clone());
    bounds.subnet = options.subnet;
    bounds.check().map_err(|error| Fatal::usage(&error))?;
    Ok(bounds)
}

fn test<M: Offered, S: System<M> + Sync>(
    options: &RunOptions,
    session: &Session,
    system: &S,
    lab: Option<&Lab>,
    settings: BTreeMap<String, String>,
) -> Result<Exit, Fatal> {
    let bounds = bounds(options, &settings)?;
    let specification = M::within(bounds).map_err(|error| Fatal::usage(&error))?;
    let config = config(options, settings);
    let runner = Runner::new(&specification, system, &config, session.observer.as_ref(), &session.stop);
    let mut summary = runner.run_side_by_side()?;
    let captured = match (lab, &mut summary.failure) {
        (Some(lab), Some(failure)) if !session.stop.requested() => {
            capture::of_failure(lab, &specification, &runner, failure)
        }
        _ => None,
    };
    Ok(conclude(&specification, &summary, captured.as_deref(), session.observer.as_ref()))
}

fn config(options: &RunOptions, mut settings: BTreeMap<String, String>) -> Config {
    let defaults = Config::default();
    let system = match options.lab.system {
        SystemKind::Libvirt => "libvirt",
        SystemKind::Simulated => "simulated",
    };
    settings.insert("system".to_owned(), system.to_owned());
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
    captured: Option<&str>,
    observer: &dyn Observer,
) -> Exit {
    let Summary { held, inconclusive, excluded, .. } = summary;
    let count =
        |number: &u32, what: &str| format!("{number} case{} {what}", if *number == 1 { "" } else { "s" });
    let mut text = String::new();
    if let Some(failure) = &summary.failure {
        text.push_str(&report::summary(specification, summary));
        text.push_str(captured.unwrap_or_default());
        text.push_str(&shrink::next(failure));
    }
    text.push_str(&format!("{}: {}", summary.verdict(), count(held, "held")));
    if !summary.once.is_empty() {
        text.push_str(&format!(", {} more failed once", summary.once.len()));
    }
    if *inconclusive > 0 {
        text.push_str(&format!(", {}", count(inconclusive, "inconclusive")));
    }
    if *excluded > 0 {
        text.push_str(&format!(", {}", count(excluded, "excluded")));
    }
    text.push('\n');
    let exit = match summary.verdict() {
        "falsified" => Exit::Falsified,
        "stopped" => Exit::Stopped,
        "inconclusive" => Exit::Inconclusive,
        _ => Exit::Holds,
    };
    observer.text(&text);
    exit
}
