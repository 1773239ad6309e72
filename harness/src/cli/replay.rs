//! `netprop replay`: a failing case again, as it was written down.

use std::path::Path;

use model::MachineSpec;

use super::Fatal;
use super::args::ReplayOptions;
use super::lab::{self, Tested};
use super::run::Session;
use super::{nixos, parameters};
use crate::config::Config;
use crate::execute::{Exclusion, Verdict};
use crate::exit::Exit;
use crate::machines::MachineSystem;
use crate::observe::Event;
use crate::replay::{self, Replay};
use crate::runner::{Failure, Runner};
use crate::shrink::Budget;
use crate::system::System;
use crate::{regressions, report};

pub(crate) fn replay(options: &ReplayOptions) -> Result<Exit, Fatal> {
    let usage = |error: &dyn std::error::Error| Fatal::usage(error);
    // What machines vary in is in the file; how many there are was decided already.
    let settings = replay::settings(&options.file).map_err(|error| usage(&error))?;
    let bounds = parameters::bounds(&settings)?;
    let specification = MachineSpec::new(bounds).map_err(|error| usage(&error))?;
    let replay = Replay::read(&specification, &options.file).map_err(|error| usage(&error))?;
    let session = Session::start(&options.output)?;
    match lab::open(&nixos::recall(&options.lab, &settings), &session)? {
        Tested::Simulated(system) => run(&specification, &system, replay, options, &session),
        Tested::Machines(lab) => {
            for text in nixos::differences(&settings, &lab.pins()?) {
                session.observer.event(&Event::Warning { text: &text });
            }
            run(&specification, &MachineSystem::new(&lab), replay, options, &session)
        }
    }
}

fn run<S: System<MachineSpec>>(
    specification: &MachineSpec,
    system: &S,
    mut replay: Replay<MachineSpec>,
    options: &ReplayOptions,
    session: &Session,
) -> Result<Exit, Fatal> {
    let probes = Budget { runs: options.probes, time: None };
    let (config, observer) = (Config { probes, ..Config::default() }, session.observer.as_ref());
    let runner = Runner::new(specification, system, &config, observer, &session.stop);
    let execution = runner.run_case(&replay.case, &options.file.display().to_string())?;
    let (exit, text) = match execution.verdict {
        Verdict::Holds => (Exit::Holds, "holds: the case does not fail here\n".to_owned()),
        Verdict::Inconclusive(reason) => (Exit::Inconclusive, format!("inconclusive: {reason}\n")),
        Verdict::Excluded(exclusion) => {
            let Exclusion { configuration, reason } = exclusion;
            (Exit::Inconclusive, format!("excluded: {configuration} cannot be built or booted: {reason}\n"))
        }
        Verdict::Falsified(evidence) => {
            if options.probe {
                probe(&runner, &mut replay, &options.file)?;
            }
            let failure: Failure<MachineSpec> = Failure {
                seed: replay.seed.parse().unwrap_or_else(|_| regressions::Seed::from(0)),
                commands_at_first: replay.case.commands.len(),
                case: replay.case,
                evidence,
                shrink_runs: 0,
                smallest: replay.smallest,
                causes: replay.causes,
                settings: replay.settings,
                file: None,
            };
            (Exit::Falsified, report::failure(specification, &failure))
        }
    };
    observer.text(&text);
    Ok(exit)
}

/// Finds out more of what matters, and keeps it in the file as it is found.
fn probe<S: System<MachineSpec>>(
    runner: &Runner<'_, MachineSpec, S>,
    replay: &mut Replay<MachineSpec>,
    file: &Path,
) -> Result<(), Fatal> {
    let (case, earlier) = (replay.case.clone(), replay.causes.take());
    let mut written = Ok(());
    runner.causes(&case, earlier, |causes| {
        replay.causes = Some(causes.clone());
        if written.is_ok() {
            written = replay.write_to(file);
        }
    });
    written.map_err(|error| Fatal::usage(&error))
}
