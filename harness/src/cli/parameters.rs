//! What machines vary in, from the command line or from the settings in a replay file.
//!
//! Options become settings first, and parameters are read from settings alone: so what a replay
//! file holds is enough to read it again.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use clap::Args;
use model::machine::{
    ClockSource, KernelParameterName, KernelParameterValue, Mtu, PackageName, PackageVersion, Processors,
};
use model::{KernelVersion, Mebibytes, NetworkParameters, Parameter, ParameterError, Scratch};

use super::{Fatal, wrong};
use crate::config::range;

/// Names of settings and their values, as replay files keep them.
type Settings = BTreeMap<String, String>;

/// What these options stand under.
pub(crate) const HEADING: &str = "What machines vary in (lists from plain to suspect)";

/// What machines vary in. Lists go from plain to suspect.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = HEADING)]
pub(crate) struct ParameterOptions {
    /// The kernels to choose from [default: all that the base offers]
    #[arg(long, value_name = "VERSION", value_delimiter = ',')]
    kernels: Vec<String>,
    /// How much memory a machine has, in MiB [default: 96..256; 512..1024 for NixOS]
    #[arg(long, value_name = "MIN..MAX", value_parser = range)]
    memory: Option<RangeInclusive<usize>>,
    /// How scratch disks are formatted and mounted, such as `ext4;xfs mount:noatime` [default: ext4;xfs;btrfs]
    #[arg(long, value_name = "FORMAT", value_delimiter = ';', alias = "file-system")]
    file_systems: Vec<String>,
    /// A package and its versions, of which `absent` and `newest` are two, and .deb files others
    #[arg(long = "package", value_name = "NAME=VERSION,…")]
    packages: Vec<String>,
    /// How many processors a machine has, such as 1,2
    #[arg(long, value_name = "NUMBER", value_delimiter = ',')]
    processors: Vec<String>,
    /// The MTU of the data network, such as 1500,1400
    #[arg(long, value_name = "BYTES", value_delimiter = ',')]
    mtu: Vec<String>,
    /// What kernels take the time from; `default` is their own choice
    #[arg(long, value_name = "SOURCE", value_delimiter = ',')]
    clock_sources: Vec<String>,
    /// A parameter of the kernel and its values; `absent` and `present` are two
    #[arg(long = "kernel-parameter", value_name = "NAME=VALUE,…")]
    kernel_parameters: Vec<String>,
}

impl ParameterOptions {
    /// The settings that stand for these options, where the base offers these kernels, and its
    /// guests want so much memory.
    pub(crate) fn settings(
        &self,
        offered: &[KernelVersion],
        memory: &RangeInclusive<Mebibytes>,
    ) -> Result<Settings, Fatal> {
        let kernels = if self.kernels.is_empty() {
            offered.iter().map(ToString::to_string).collect()
        } else {
            self.kernels.clone()
        };
        let (least, most) = match &self.memory {
            Some(range) => (range.start().to_string(), range.end().to_string()),
            None => (memory.start().get().to_string(), memory.end().get().to_string()),
        };
        let mut settings = Settings::from([
            ("kernels".to_owned(), kernels.join(",")),
            ("memory".to_owned(), format!("{least}..{most}")),
        ]);
        let lists = [
            ("file-systems", &self.file_systems, ";"),
            ("processors", &self.processors, ","),
            ("mtu", &self.mtu, ","),
            ("clock-sources", &self.clock_sources, ","),
        ];
        for (name, values, separator) in lists.into_iter().filter(|(_, values, _)| !values.is_empty()) {
            settings.insert(name.to_owned(), values.join(separator));
        }
        let named = [("package", &self.packages), ("kernel-parameter", &self.kernel_parameters)];
        for (kind, text) in named.iter().flat_map(|(kind, texts)| texts.iter().map(move |text| (kind, text)))
        {
            let (name, values) = text
                .split_once('=')
                .filter(|(_, values)| !values.is_empty())
                .ok_or_else(|| wrong(format!("--{kind} {text:?} has no values: write NAME=VALUE,VALUE")))?;
            let values: Result<Vec<_>, _> = match *kind {
                "package" => values.split(',').map(absolute).collect(),
                _ => Ok(vec![values.to_owned()]),
            };
            if settings.insert(format!("{kind} {name}"), values?.join(",")).is_some() {
                return Err(wrong(format!("--{kind} {name} is given twice: give all its values at once")));
            }
        }
        Ok(settings)
    }
}

/// Bounds of networks with the parameters that the settings tell of, and the defaults of others.
/// What is not about machines is passed over.
pub(crate) fn bounds(settings: &Settings) -> Result<NetworkParameters, Fatal> {
    // Without a list of kernels, any does: a case that is there already has its own.
    let kernels = settings.get("kernels").map_or("0", String::as_str);
    let bounds = NetworkParameters::new(list(kernels, ',', str::parse)?).map_err(|error| usage(&error))?;
    settings.iter().try_fold(bounds, |bounds, (name, value)| {
        let (kind, name) = name.split_once(' ').unwrap_or((name, ""));
        Ok(match parameter(kind, name, value)? {
            Some(parameter) => bounds.with(parameter),
            None => bounds,
        })
    })
}

fn parameter(kind: &str, name: &str, value: &str) -> Result<Option<Parameter>, Fatal> {
    let parameter = match kind {
        "memory" => memory(value)?,
        "file-systems" => Parameter::scratches(list(value, ';', str::parse::<Scratch>)?),
        "processors" => Parameter::processors(list(value, ',', |text| {
            Processors::new(number(kind, text)?).map_err(|error| usage(&error))
        })?),
        "mtu" => Parameter::mtus(list(value, ',', |text| {
            Mtu::new(number(kind, text)?).map_err(|error| usage(&error))
        })?)
        .map(Parameter::for_network),
        "clock-sources" => Parameter::clock_sources(list(value, ',', |text| {
            (text != "default").then(|| text.parse::<ClockSource>()).transpose()
        })?),
        "package" => {
            let name: PackageName = name.parse().map_err(|error| usage(&error))?;
            let versions = list(value, ',', |text| {
                (text != "absent").then(|| text.parse::<PackageVersion>()).transpose()
            });
            Parameter::package(&name, versions?)
        }
        "kernel-parameter" => {
            let name: KernelParameterName = name.parse().map_err(|error| usage(&error))?;
            let values = list(value, ',', |text| match text {
                "absent" => Ok(None),
                "present" => KernelParameterValue::new("").map(Some),
                text => text.parse().map(Some),
            });
            Parameter::kernel_parameter(&name, values?)
        }
        _ => return Ok(None),
    };
    parameter.map(Some).map_err(|error: ParameterError| usage(&error))
}

fn memory(text: &str) -> Result<Result<Parameter, ParameterError>, Fatal> {
    let range = range(text).map_err(|error| wrong(format!("memory {text:?}: {error}")))?;
    let mebibytes = |number: usize| {
        Mebibytes::new(u64::try_from(number).unwrap_or(u64::MAX)).map_err(|error| usage(&error))
    };
    Ok(Parameter::memory(mebibytes(*range.start())?..=mebibytes(*range.end())?))
}

/// Reads the values of a list.
fn list<T, E: Into<Fatal>>(
    text: &str,
    separator: char,
    value: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, Fatal> {
    text.split(separator).map(|part| value(part.trim()).map_err(Into::into)).collect()
}

fn number(what: &str, text: &str) -> Result<u32, Fatal> {
    text.parse().map_err(|_| wrong(format!("--{what}: {text:?} is not a number: write such as 1,2")))
}

/// A package's file by a path that means the same anywhere on this host; a version as it is.
fn absolute(version: &str) -> Result<String, Fatal> {
    if !version.contains('/') && !version.ends_with(".deb") {
        return Ok(version.to_owned());
    }
    let path = std::path::absolute(version)
        .map_err(|error| wrong(format!("--package: file {version:?} cannot be found: {error}")))?;
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| wrong(format!("--package: the path of {version:?} is not UTF-8: move the file")))
}

fn usage(error: &dyn std::error::Error) -> Fatal {
    Fatal::usage(error)
}

impl From<model::MachineError> for Fatal {
    fn from(error: model::MachineError) -> Self {
        Self::usage(&error)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::{Cli, Command};

    fn options(arguments: &[&str]) -> ParameterOptions {
        let arguments = [&["netprop", "run"], arguments].concat();
        match Cli::parse_from(arguments).command {
            Command::Run(options) => options.parameters,
            _ => unreachable!("it says run"),
        }
    }

    fn offered() -> Vec<KernelVersion> {
        ["6.1", "6.12"].map(|kernel| kernel.parse().unwrap()).to_vec()
    }

    /// The names of the parameters, each with its values.
    fn parameters(arguments: &[&str]) -> Vec<String> {
        let settings = options(arguments).settings(&offered(), &memory()).unwrap();
        let bounds = bounds(&settings).unwrap();
        let show = |parameter: &Parameter| {
            let values = parameter.factor().values.join(" | ");
            format!("{}: {values} ({:?})", parameter.name(), parameter.scope())
        };
        bounds.parameters().iter().map(show).collect()
    }

    fn memory() -> RangeInclusive<Mebibytes> {
        Mebibytes::new(96).unwrap()..=Mebibytes::new(256).unwrap()
    }

    #[test]
    fn all_that_is_asked_for_is_a_parameter() {
        let shown = parameters(&[
            "--memory=128..192",
            "--file-system=ext4;xfs mount:noatime",
            "--file-systems=ext4 mkfs:-O,^has_journal",
            "--package=redis-server=newest,5:7.0.15-1~deb12u7,absent",
            "--package=etcd=/srv/etcd_1.0_amd64.deb",
            "--processors=1,2",
            "--mtu=1500,1400",
            "--clock-sources=default,hpet",
            "--kernel-parameter=nosmt=absent,present",
            "--kernel-parameter=mitigations=auto,off",
        ]);
        assert_eq!(
            shown,
            [
                "kernel: 6.1 | 6.12 (Machine)",
                "memory: 128 MiB | 160 MiB | 192 MiB (Machine)",
                "file system: ext4 | xfs mount:noatime | ext4 mkfs:-O,^has_journal (Machine)",
                "clock source: kernel's choice | hpet (Machine)",
                "kernel parameter mitigations: auto | off (Machine)",
                "kernel parameter nosmt: absent | present (Machine)",
                "MTU: 1500 | 1400 (Network)",
                "package etcd: /srv/etcd_1.0_amd64.deb (Machine)",
                "package redis-server: newest | 5:7.0.15-1~deb12u7 | absent (Machine)",
                "processors: 1 | 2 (Machine)",
            ]
        );
    }

    #[test]
    fn files_of_packages_are_named_absolutely() {
        let here = std::env::current_dir().unwrap();
        for name in ["redis_2_amd64.deb", "./redis_2_amd64.deb"] {
            let settings =
                options(&["--package", &format!("redis=newest,{name}")]).settings(&offered(), &memory());
            let expected = format!("newest,{}", here.join("redis_2_amd64.deb").display());
            assert_eq!(settings.unwrap()["package redis"], expected);
        }
    }

    #[test]
    fn a_file_without_these_settings_has_the_defaults() {
        let old = Settings::from([("system".to_owned(), "simulated".to_owned())]);
        let bounds = bounds(&old).unwrap();
        let names: Vec<_> = bounds.parameters().iter().map(Parameter::name).collect();
        assert_eq!(names, ["kernel", "memory", "file system"]);
    }
}
