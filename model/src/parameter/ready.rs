//! The parameters that come ready.

use std::ops::RangeInclusive;

use super::{Parameter, ParameterError, Setting};
use crate::machine::{
    ClockSource, GuestPath, KernelParameterName, KernelParameterValue, KernelVersion, Mebibytes, Mtu,
    PackageName, PackageVersion, ParameterName, Processors, Scratch, Service, ServiceName,
};

impl Parameter {
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

    /// A parameter of the specification's own: it is in [`crate::Machine::parameters`], and means what
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
}
