//! Parameters of machines: what is varied, from plain to suspect.

use std::collections::HashSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::factor::Factor;
use crate::machine::{
    ClockSource, GuestPath, KernelParameterName, KernelParameterValue, KernelVersion, Machine, MachineError,
    Mebibytes, Mtu, PackageName, PackageVersion, ParameterName, Processors, Scratch, Service, ServiceName,
};

/// Why a parameter cannot be one.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// There is nothing to choose from.
    #[error("parameter {0:?} has no values: give it at least one")]
    NoValues(String),
    /// A range ends before it starts.
    #[error(
        "parameter {name:?} has the empty range {start}..{end}: give one that does not end before it starts"
    )]
    EmptyRange {
        /// The parameter.
        name: String,
        /// Where it would start.
        start: u64,
        /// Where it would end.
        end: u64,
    },
    /// A range with steps that lead nowhere, or too many of them.
    #[error(
        "parameter {name:?} has {start}..{end} in steps of {step}: give steps of at least 1 and not more than {MOST_VALUES} values"
    )]
    Steps {
        /// The parameter.
        name: String,
        /// Where it would start.
        start: u64,
        /// Where it would end.
        end: u64,
        /// How far its values would lie apart.
        step: u64,
    },
    /// Two values are the same.
    #[error("parameter {name:?} has the value {value:?} twice: give each once")]
    Twice {
        /// The parameter.
        name: String,
        /// The value.
        value: String,
    },
    /// A value is not one of its kind.
    #[error("parameter {name:?} cannot have that value: {source}")]
    Value {
        /// The parameter.
        name: String,
        /// Why not.
        source: MachineError,
    },
}

/// The most values that a parameter has.
const MOST_VALUES: usize = 4096;

/// One thing that is set in a machine.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Setting {
    /// The kernel that it boots.
    Kernel(KernelVersion),
    /// Its main memory.
    Memory(Mebibytes),
    /// How its scratch disk is formatted and mounted.
    Scratch(Scratch),
    /// A package in this version, or not at all.
    Package(PackageName, Option<PackageVersion>),
    /// A file with this content, or none of that name beyond what the image has.
    File(GuestPath, Option<String>),
    /// A service, or none of that name.
    Service(ServiceName, Option<Service>),
    /// A parameter of its kernel, or none of that name.
    KernelParameter(KernelParameterName, Option<KernelParameterValue>),
    /// How many processors it has.
    Processors(Processors),
    /// What its kernel takes the time from, or the kernel's own choice.
    ClockSource(Option<ClockSource>),
    /// The most bytes in a packet on the data network.
    Mtu(Mtu),
    /// A parameter that is a specification's own.
    Own(ParameterName, String),
}

impl Setting {
    /// Sets it in a machine.
    pub fn apply(&self, machine: &mut Machine) {
        match self.clone() {
            Self::Kernel(kernel) => machine.kernel = kernel,
            Self::Memory(memory) => machine.memory = memory,
            Self::Scratch(Scratch { file_system, mkfs_options, mount_options }) => {
                machine.file_system = file_system;
                machine.mkfs_options = mkfs_options;
                machine.mount_options = mount_options;
            }
            Self::Package(name, version) => replace(&mut machine.packages, name, version),
            Self::File(path, content) => replace(&mut machine.files, path, content),
            Self::Service(name, service) => replace(&mut machine.services, name, service),
            Self::KernelParameter(name, value) => replace(&mut machine.kernel_parameters, name, value),
            Self::Processors(processors) => machine.processors = processors,
            Self::ClockSource(clock_source) => machine.clock_source = clock_source,
            Self::Mtu(mtu) => machine.mtu = mtu,
            Self::Own(name, value) => replace(&mut machine.parameters, name, Some(value)),
        }
    }

    /// Whether a machine has it so.
    #[must_use]
    pub fn holds(&self, machine: &Machine) -> bool {
        match self {
            Self::Kernel(kernel) => machine.kernel == *kernel,
            Self::Memory(memory) => machine.memory == *memory,
            Self::Scratch(scratch) => machine.scratch() == *scratch,
            Self::Package(name, version) => machine.packages.get(name) == version.as_ref(),
            Self::File(path, content) => machine.files.get(path) == content.as_ref(),
            Self::Service(name, service) => machine.services.get(name) == service.as_ref(),
            Self::KernelParameter(name, value) => machine.kernel_parameters.get(name) == value.as_ref(),
            Self::Processors(processors) => machine.processors == *processors,
            Self::ClockSource(clock_source) => machine.clock_source == *clock_source,
            Self::Mtu(mtu) => machine.mtu == *mtu,
            Self::Own(name, value) => machine.parameters.get(name) == Some(value),
        }
    }

    /// Whether it is part of a machine's software, so that its image changes with it.
    #[must_use]
    pub fn is_software(&self) -> bool {
        matches!(self, Self::Kernel(_) | Self::Package(..))
    }
}

fn replace<K: Ord, V>(map: &mut std::collections::BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => drop(map.insert(key, value)),
        None => drop(map.remove(&key)),
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel(kernel) => write!(f, "kernel {kernel}"),
            Self::Memory(memory) => write!(f, "{memory}"),
            Self::Scratch(scratch) => write!(f, "{scratch}"),
            Self::Package(name, Some(version)) => write!(f, "{name} {version}"),
            Self::Package(name, None) => write!(f, "no {name}"),
            Self::File(path, content) => {
                write!(f, "{path} of {} bytes", content.as_ref().map_or(0, String::len))
            }
            Self::Service(name, Some(_)) => write!(f, "service {name}"),
            Self::Service(name, None) => write!(f, "no service {name}"),
            Self::KernelParameter(name, Some(value)) if value.as_str().is_empty() => write!(f, "{name}"),
            Self::KernelParameter(name, Some(value)) => write!(f, "{name}={value}"),
            Self::KernelParameter(name, None) => write!(f, "no {name}"),
            Self::Processors(processors) => write!(f, "{processors} processors"),
            Self::ClockSource(Some(clock_source)) => write!(f, "clock source {clock_source}"),
            Self::ClockSource(None) => f.write_str("the kernel's clock source"),
            Self::Mtu(mtu) => write!(f, "MTU {mtu}"),
            Self::Own(name, value) => write!(f, "{name} {value}"),
        }
    }
}

/// One value of a parameter: what reports call it, and what it sets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Value {
    /// Its name in reports.
    pub label: String,
    /// What it sets; a machine has this value where all of it holds.
    pub settings: Vec<Setting>,
}

impl Value {
    /// A value that sets one thing.
    #[must_use]
    pub fn new(label: impl Into<String>, setting: Setting) -> Self {
        Self { label: label.into(), settings: vec![setting] }
    }

    fn holds(&self, machine: &Machine) -> bool {
        self.settings.iter().all(|setting| setting.holds(machine))
    }
}

/// What a parameter's value is the same for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Scope {
    /// Each machine has a value of its own.
    #[default]
    Machine,
    /// All machines of a network have one value.
    Network,
}

/// Something that machines are varied in, with its values from plain to suspect.
///
/// It takes part in generation, in coverage (each value, each pair of values), in shrinking
/// (toward the plain end) and in the search for what matters to a failure.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Parameter {
    factor: Arc<Factor>,
    values: Vec<Value>,
    scope: Scope,
}

impl Parameter {
    /// A parameter with these values, plain to suspect; each sets the same things in its own way.
    ///
    /// # Errors
    /// [`ParameterError::NoValues`] or [`ParameterError::Twice`].
    pub fn new(name: impl Into<String>, values: Vec<Value>) -> Result<Self, ParameterError> {
        let name = name.into();
        if values.is_empty() {
            return Err(ParameterError::NoValues(name));
        }
        let mut seen = HashSet::new();
        if let Some(twice) = values.iter().find(|value| !seen.insert(&value.label)) {
            return Err(ParameterError::Twice { name, value: twice.label.clone() });
        }
        let labels = values.iter().map(|value| value.label.clone()).collect();
        let factor = Arc::new(Factor { name, values: labels, ordered: false });
        Ok(Self { factor, values, scope: Scope::Machine })
    }

    /// The kernels to choose from.
    ///
    /// # Errors
    /// As [`Parameter::new`].
    pub fn kernels(kernels: impl IntoIterator<Item = KernelVersion>) -> Result<Self, ParameterError> {
        Self::listed("kernel", kernels, |kernel| (kernel.to_string(), Setting::Kernel(kernel)))
    }

    /// How scratch disks are formatted and mounted.
    ///
    /// # Errors
    /// As [`Parameter::new`].
    pub fn scratches<S: Into<Scratch>>(
        scratches: impl IntoIterator<Item = S>,
    ) -> Result<Self, ParameterError> {
        let scratches = scratches.into_iter().map(Into::into);
        Self::listed("file system", scratches, |scratch: Scratch| {
            (scratch.to_string(), Setting::Scratch(scratch))
        })
    }

    /// Memory in steps of 32 MiB from the least.
    ///
    /// # Errors
    /// [`ParameterError::EmptyRange`] or [`ParameterError::Steps`].
    pub fn memory(range: RangeInclusive<Mebibytes>) -> Result<Self, ParameterError> {
        let range = range.start().get()..=range.end().get();
        Self::range("memory", range, 32, |number| {
            let memory = Mebibytes::new(number)?;
            Ok((memory.to_string(), Setting::Memory(memory)))
        })
    }

    /// The versions of a package; none stands for a machine without it.
    ///
    /// # Errors
    /// As [`Parameter::new`].
    pub fn package(
        name: &PackageName,
        versions: impl IntoIterator<Item = Option<PackageVersion>>,
    ) -> Result<Self, ParameterError> {
        Self::listed(&format!("package {name}"), versions, |version| {
            let label = version.as_ref().map_or_else(|| "absent".to_owned(), PackageVersion::to_string);
            (label, Setting::Package(name.clone(), version))
        })
    }

    /// The contents of a file, each with a label; none stands for a machine without it.
    ///
    /// # Errors
    /// As [`Parameter::new`].
    pub fn file(
        path: &GuestPath,
        contents: impl IntoIterator<Item = (String, Option<String>)>,
    ) -> Result<Self, ParameterError> {
        Self::listed(&format!("file {path}"), contents, |(label, content)| {
            (label, Setting::File(path.clone(), content))
        })
    }

    /// The variants of a service, each with a label; none stands for a machine without it.
    ///
    /// # Errors
    /// As [`Parameter::new`].
    pub fn service(
        name: &ServiceName,
        variants: impl IntoIterator<Item = (String, Option<Service>)>,
    ) -> Result<Self, ParameterError> {
        Self::listed(&format!("service {name}"), variants, |(label, service)| {
            (label, Setting::Service(name.clone(), service))
        })
    }

    /// The values of a kernel parameter; none stands for a command line without it.
    ///
    /// # Errors
    /// As [`Parameter::new`].
    pub fn kernel_parameter(
        name: &KernelParameterName,
        values: impl IntoIterator<Item = Option<KernelParameterValue>>,
    ) -> Result<Self, ParameterError> {
        Self::listed(&format!("kernel parameter {name}"), values, |value| {
            let label = match &value {
                None => "absent".to_owned(),
                Some(value) if value.as_str().is_empty() => "present".to_owned(),
                Some(value) => value.to_string(),
            };
            (label, Setting::KernelParameter(name.clone(), value))
        })
    }

    /// Numbers of processors.
    ///
    /// # Errors
    /// As [`Parameter::new`].
    pub fn processors(numbers: impl IntoIterator<Item = Processors>) -> Result<Self, ParameterError> {
        let listed =
            Self::listed("processors", numbers, |number| (number.to_string(), Setting::Processors(number)));
        listed.map(Self::on_a_scale)
    }

    /// The clock sources to choose from; none stands for the kernel's own choice.
    ///
    /// # Errors
    /// As [`Parameter::new`].
    pub fn clock_sources(
        sources: impl IntoIterator<Item = Option<ClockSource>>,
    ) -> Result<Self, ParameterError> {
        Self::listed("clock source", sources, |source| {
            let label = source.as_ref().map_or_else(|| "kernel's choice".to_owned(), ClockSource::to_string);
            (label, Setting::ClockSource(source))
        })
    }

    /// MTUs of the data network; give them to the whole network ([`Parameter::for_network`])
    /// unless machines that disagree about it are what is tested.
    ///
    /// # Errors
    /// As [`Parameter::new`].
    pub fn mtus(mtus: impl IntoIterator<Item = Mtu>) -> Result<Self, ParameterError> {
        Self::listed("MTU", mtus, |mtu| (mtu.to_string(), Setting::Mtu(mtu))).map(Self::on_a_scale)
    }

    /// A parameter of the specification's own: it is in [`Machine::parameters`], and means what
    /// the specification's system makes of it.
    ///
    /// # Errors
    /// As [`Parameter::new`].
    pub fn own(
        name: &ParameterName,
        values: impl IntoIterator<Item = String>,
    ) -> Result<Self, ParameterError> {
        Self::listed(name.as_str(), values, |value| (value.clone(), Setting::Own(name.clone(), value)))
    }

    /// [`Parameter::own`] with numbers in steps.
    ///
    /// # Errors
    /// [`ParameterError::EmptyRange`] or [`ParameterError::Steps`].
    pub fn own_range(
        name: &ParameterName,
        range: RangeInclusive<u64>,
        step: u64,
    ) -> Result<Self, ParameterError> {
        Self::range(name.as_str(), range, step, |number| {
            Ok((number.to_string(), Setting::Own(name.clone(), number.to_string())))
        })
    }

    fn listed<T>(
        name: &str,
        values: impl IntoIterator<Item = T>,
        value: impl Fn(T) -> (String, Setting),
    ) -> Result<Self, ParameterError> {
        let values = values.into_iter().map(value).map(|(label, setting)| Value::new(label, setting));
        Self::new(name, values.collect())
    }

    fn range(
        name: &str,
        range: RangeInclusive<u64>,
        step: u64,
        value: impl Fn(u64) -> Result<(String, Setting), MachineError>,
    ) -> Result<Self, ParameterError> {
        let (start, end) = range.clone().into_inner();
        let named = || name.to_owned();
        if range.is_empty() {
            return Err(ParameterError::EmptyRange { name: named(), start, end });
        }
        if step == 0 || (end - start) / step >= MOST_VALUES as u64 {
            return Err(ParameterError::Steps { name: named(), start, end, step });
        }
        let steps = (0..=(end - start) / step).map(|index| start + index * step);
        let values = steps.map(|number| value(number).map(|(label, setting)| Value::new(label, setting)));
        let values = values.collect::<Result<_, _>>();
        let values = values.map_err(|source| ParameterError::Value { name: named(), source })?;
        Ok(Self::new(name, values)?.on_a_scale())
    }

    /// The same parameter, whose values lie on a scale.
    #[must_use]
    pub fn on_a_scale(mut self) -> Self {
        self.factor = Arc::new(Factor { ordered: true, ..(*self.factor).clone() });
        self
    }

    /// The same parameter, of which all machines of a network have one value.
    #[must_use]
    pub fn for_network(mut self) -> Self {
        self.scope = Scope::Network;
        self
    }

    /// Its name in reports.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.factor.name
    }

    /// Its values, plain to suspect.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// What its value is the same for.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// How coverage and reports know it.
    #[must_use]
    pub fn factor(&self) -> &Arc<Factor> {
        &self.factor
    }

    /// The place of the value that a machine has; none where it has another, such as one of a
    /// file that somebody wrote.
    #[must_use]
    pub fn value_of(&self, machine: &Machine) -> Option<usize> {
        self.values.iter().position(|value| value.holds(machine))
    }

    /// Gives a machine the value of this place; leaves it as it is where there is none.
    pub fn set(&self, machine: &mut Machine, value: usize) {
        if let Some(value) = self.values.get(value) {
            value.settings.iter().for_each(|setting| setting.apply(machine));
        }
    }
}
