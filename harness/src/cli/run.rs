//! `netprop run`: generated networks against the model of Boot, Shutdown and Ping.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use model::{KernelVersion, MachineSpec, Mebibytes, NetworkParameters, Parameter};

use super::Fatal;
use super::args::{OutputOptions, RunOptions, SystemKind};
use super::interrupt::{self, Remembering};
use super::lab::{self, Tested};
use super::progress;
use crate::config::Config;
use crate::exit::Exit;
use crate::observe::Observer;
use crate::report;
use crate::runner::{Runner, Summary};
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
    let session = Session::start(&options.output)?;
    match lab::open(&options.lab, &session)? {
        Tested::Simulated(system) => {
            let kernels = SIMULATED_KERNELS.map(|kernel| kernel.parse());
            let kernels =
                kernels.into_iter().collect::<Result<_, _>>().map_err(|error| Fatal::usage(&error))?;
            test(options, &session, &system, kernels)
        }
        Tested::Machines(lab) => {
            let kernels = lab.kernels()?;
            test(options, &session, &crate::machines::MachineSystem::new(&lab), kernels)
        }
    }
}

fn test<S: System<MachineSpec>>(
    options: &RunOptions,
    session: &Session,
    system: &S,
    offered: Vec<KernelVersion>,
) -> Result<Exit, Fatal> {
    let specification = specification(options, offered)?;
    let config = config(options);
    let runner = Runner::new(&specification, system, &config, session.observer.as_ref(), &session.stop);
    let summary = runner.run()?;
    Ok(conclude(&specification, &summary, session.observer.as_ref()))
}

/// The specification within the bounds that were asked for.
fn specification(options: &RunOptions, offered: Vec<KernelVersion>) -> Result<MachineSpec, Fatal> {
    let usage = |error: &dyn std::error::Error| Fatal::usage(error);
    let kernels = if options.kernels.is_empty() {
        offered
    } else {
        let chosen = options.kernels.iter().map(|kernel| kernel.parse());
        chosen.collect::<Result<_, _>>().map_err(|error: model::MachineError| usage(&error))?
    };
    let memory = |mebibytes: usize| {
        Mebibytes::new(u64::try_from(mebibytes).unwrap_or(u64::MAX)).map_err(|error| usage(&error))
    };
    let memory = memory(*options.memory.start())?..=memory(*options.memory.end())?;
    let memory = Parameter::memory(memory).map_err(|error| usage(&error))?;
    let bounds = NetworkParameters::new(kernels).map_err(|error| usage(&error))?;
    let mut bounds = bounds.with(memory).with_machines(options.machines.clone());
    bounds.subnet = options.subnet;
    MachineSpec::new(bounds).map_err(|error| usage(&error))
}

fn config(options: &RunOptions) -> Config {
    let defaults = Config::default();
    let system = match options.lab.system {
        SystemKind::Libvirt => "libvirt",
        SystemKind::Simulated => "simulated",
    };
    Config {
        cases: options.cases,
        commands: options.commands.clone(),
        seed: options.seed.or(defaults.seed),
        failures: defaults.failures.and(Some(options.failures.clone())),
        settings: BTreeMap::from([("system".to_owned(), system.to_owned())]),
        ..defaults
    }
}

/// Shows what the run has come to, and what to do next.
fn conclude(specification: &MachineSpec, summary: &Summary<MachineSpec>, observer: &dyn Observer) -> Exit {
    let Summary { held, inconclusive, .. } = summary;
    let count =
        |number: &u32, what: &str| format!("{number} case{} {what}", if *number == 1 { "" } else { "s" });
    let mut text = String::new();
    if let Some(failure) = &summary.failure {
        text.push_str(&report::failure(specification, failure));
        if let Some(file) = &failure.file {
            text.push_str(&format!("run it again: netprop replay {}\n", file.display()));
        }
    }
    text.push_str(&format!("{}: {}", summary.verdict(), count(held, "held")));
    if *inconclusive > 0 {
        text.push_str(&format!(", {}", count(inconclusive, "inconclusive")));
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
