//! `netprop replay`: a failing case again, as it was written down.

use model::{KernelVersion, MachineSpec, NetworkParameters};

use super::Fatal;
use super::args::ReplayOptions;
use super::lab::{self, Tested};
use super::run::Session;
use crate::config::Config;
use crate::execute::Verdict;
use crate::exit::Exit;
use crate::machines::MachineSystem;
use crate::replay::Replay;
use crate::runner::{Failure, Runner};
use crate::system::System;
use crate::{regressions, report};

pub(crate) fn replay(options: &ReplayOptions) -> Result<Exit, Fatal> {
    // The bounds of generation mean nothing for a case that is there already.
    let any_kernel: KernelVersion = "0".parse().map_err(|error: model::MachineError| Fatal::usage(&error))?;
    let parameters = NetworkParameters::new(vec![any_kernel]).map_err(|error| Fatal::usage(&error))?;
    let specification = MachineSpec::new(parameters).map_err(|error| Fatal::usage(&error))?;
    let replay = Replay::read(&specification, &options.file).map_err(|error| Fatal::usage(&error))?;
    let session = Session::start(&options.output)?;
    match lab::open(&options.lab, &session)? {
        Tested::Simulated(system) => run(&specification, &system, replay, options, &session),
        Tested::Machines(lab) => run(&specification, &MachineSystem::new(&lab), replay, options, &session),
    }
}

fn run<S: System<MachineSpec>>(
    specification: &MachineSpec,
    system: &S,
    replay: Replay<MachineSpec>,
    options: &ReplayOptions,
    session: &Session,
) -> Result<Exit, Fatal> {
    let (config, observer) = (Config::default(), session.observer.as_ref());
    let runner = Runner::new(specification, system, &config, observer, &session.stop);
    let execution = runner.run_case(&replay.case, &options.file.display().to_string())?;
    Ok(match execution.verdict {
        Verdict::Holds => {
            observer.text("holds: the case does not fail here\n");
            Exit::Holds
        }
        Verdict::Inconclusive(reason) => {
            observer.text(&format!("inconclusive: {reason}\n"));
            Exit::Inconclusive
        }
        Verdict::Falsified(evidence) => {
            let failure: Failure<MachineSpec> = Failure {
                seed: replay.seed.parse().unwrap_or_else(|_| regressions::Seed::from(0)),
                commands_at_first: replay.case.commands.len(),
                case: replay.case,
                evidence,
                shrink_runs: 0,
                smallest: replay.smallest,
                file: None,
            };
            observer.text(&report::failure(specification, &failure));
            Exit::Falsified
        }
    })
}
