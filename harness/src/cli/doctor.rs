//! `netprop doctor` and `netprop clean`: whether a run can work here, and what runs have left.

use std::collections::BTreeMap;
use std::process::Command;

use serde::Serialize;

use super::Fatal;
use super::args::{CleanOptions, DoctorOptions, MessageFormat};
use super::lab::lab_options;
use super::run::Session;
use crate::components::{self, Component};
use crate::exit::Exit;
use crate::machines::Lab;

/// What was found out about one thing that a run needs.
#[derive(Debug, Serialize)]
struct Finding<'a> {
    component: &'a str,
    found: bool,
    /// Its version or what it answered; where it is missing, what to do.
    detail: String,
}

pub(crate) fn doctor(options: &DoctorOptions) -> Result<Exit, Fatal> {
    let session = Session::start(&options.output)?;
    let json = options.output.message_format == MessageFormat::Json;
    let quiet = options.output.is_quiet();
    let show = |finding: &Finding<'_>| {
        if !(quiet && finding.found) {
            anstream::print!("{}", shown(finding, json));
        }
    };
    let mut exit = Exit::Holds;
    for component in components::ALL {
        let finding = look_for(component);
        show(&finding);
        if !finding.found {
            exit = Exit::MissingComponent;
        }
    }
    if exit != Exit::Holds {
        return Ok(exit);
    }
    let lab = Lab::open(lab_options(&options.lab)?, session.observer.clone(), session.stop.clone());
    let (lab, found) = match lab {
        Ok(lab) => (Some(lab), Ok("connected".to_owned())),
        Err(error) => (None, Err(Fatal::from(error))),
    };
    exit = worse(exit, conclude("libvirt", found, &show));
    if let Some(lab) = lab {
        exit = worse(exit, conclude("images", lab.try_build().map_err(Fatal::from), &show));
        exit = worse(exit, conclude("accelerator", lab.try_accelerator().map_err(Fatal::from), &show));
    }
    Ok(exit)
}

fn worse(one: Exit, other: Exit) -> Exit {
    if one == Exit::Holds { other } else { one }
}

fn conclude(component: &str, found: Result<String, Fatal>, show: &dyn Fn(&Finding<'_>)) -> Exit {
    let (exit, found, detail) = match found {
        Ok(detail) => (Exit::Holds, true, detail),
        Err(Fatal { exit, message }) => (exit, false, message),
    };
    show(&Finding { component, found, detail });
    exit
}

fn look_for(component: &Component) -> Finding<'static> {
    let (found, detail) = match component.find() {
        Ok(path) => {
            let version = version(Command::new(path).args(component.version_arguments));
            (true, version.unwrap_or_else(|| "there".to_owned()))
        }
        Err(missing) => (false, missing.to_string()),
    };
    Finding { component: component.program, found, detail }
}

/// What the programs that are there say of their versions, by their names.
pub(crate) fn versions() -> BTreeMap<String, String> {
    let findings = components::ALL.iter().map(look_for).filter(|finding| finding.found);
    findings.map(|finding| (finding.component.to_owned(), finding.detail)).collect()
}

/// The first line that a program says about its version.
fn version(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    let said = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    let text = String::from_utf8_lossy(&said);
    text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

fn shown(finding: &Finding<'_>, json: bool) -> String {
    let Finding { component, found, detail } = finding;
    match serde_json::to_string(finding) {
        Ok(line) if json => format!("{line}\n"),
        _ => format!("{}  {component:20} {detail}\n", if *found { "found  " } else { "MISSING" }),
    }
}

pub(crate) fn clean(options: &CleanOptions) -> Result<Exit, Fatal> {
    let report = hypervisor::clean(options.run_directory.as_deref())
        .map_err(|error| Fatal::from(crate::system::SystemError::from(error)))?;
    report.failed.iter().for_each(|error| anstream::eprintln!("error: {error}"));
    if !options.output.is_quiet() {
        let (removed, ended, live) = (report.removed.len(), report.ended, report.live.len());
        anstream::println!(
            "removed {removed} directories of dead runs, ended {ended} of their processes, left {live} live runs alone"
        );
    }
    let cache = hypervisor::TemplateCache::of_user(0).filter(|_| options.snapshots);
    if let Some((removed, bytes)) = cache.map(|cache| cache.clear())
        && !options.output.is_quiet()
    {
        let mebibytes = bytes >> 20;
        anstream::println!("removed {removed} snapshots of {mebibytes} MiB that were kept between runs");
    }
    if !report.failed.is_empty() {
        return Ok(Exit::Inconclusive);
    }
    Ok(Exit::Holds)
}
