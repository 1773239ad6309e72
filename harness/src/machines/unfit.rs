//! Configurations that cannot be built or booted: why, told again without trying again.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use model::machine::{PackageName, PackageVersion};
use model::{FileSystem, Format, KernelVersion, Machine, MachineId, Network, Software};
use nixgen::Error;
use uuid::Uuid;

use crate::system::SystemError;

/// What a reason holds for: every machine that has it is out of the question.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Subject {
    Kernel(KernelVersion),
    Package(PackageName, Option<PackageVersion>),
    Module(KernelVersion, FileSystem),
    Disk(Format),
    Software(Software),
    /// A machine, but for what tells it from its neighbours.
    Machine(Box<Machine>),
}

impl Subject {
    fn concerns(&self, machine: &Machine) -> bool {
        match self {
            Self::Kernel(kernel) => machine.kernel == *kernel,
            Self::Package(name, None) => machine.packages.contains_key(name),
            Self::Package(name, version) => machine.packages.get(name) == version.as_ref(),
            Self::Module(kernel, file_system) => {
                machine.kernel == *kernel && machine.file_system == *file_system
            }
            Self::Disk(format) => machine.format() == *format,
            Self::Software(software) => machine.software() == *software,
            Self::Machine(other) => configuration(machine) == **other,
        }
    }

    fn shown(&self) -> String {
        let disk = |format: &Format| {
            let options = format.mkfs_options.iter().map(|option| option.as_str()).collect::<Vec<_>>();
            format!("{} with the mkfs options {:?}", format.file_system, options.join(" "))
        };
        match self {
            Self::Kernel(kernel) => format!("kernel {kernel}"),
            Self::Package(name, None) => format!("package {name}"),
            Self::Package(name, Some(version)) => format!("package {name} {version}"),
            Self::Module(kernel, file_system) => format!("kernel {kernel} with {file_system}"),
            Self::Disk(format) => disk(format),
            Self::Software(software) => software.to_string(),
            Self::Machine(machine) => {
                format!("a machine with {}, {}, {}", machine.software(), machine.memory, machine.scratch())
            }
        }
    }
}

/// A machine without what tells it from its neighbours: machines that are alike in it boot alike.
fn configuration(machine: &Machine) -> Machine {
    let id = MachineId::new("x").unwrap_or_else(|_| machine.id.clone());
    let address = std::net::Ipv4Addr::UNSPECIFIED;
    Machine { id, uuid: Uuid::nil(), address, running: false, ..machine.clone() }
}

/// What was found out in a run about the configurations of machines.
#[derive(Debug, Default)]
pub(super) struct Configurations {
    found: Mutex<Found>,
}

#[derive(Debug, Default)]
struct Found {
    unfit: Vec<(Subject, String)>,
    booted: HashSet<Machine>,
}

impl Configurations {
    /// Refuses a network in which a machine has a configuration that is known not to work.
    pub(super) fn check(&self, network: &Network) -> Result<(), SystemError> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        for machine in network.machines() {
            if let Some((subject, reason)) = found.unfit.iter().find(|(subject, _)| subject.concerns(machine))
            {
                return Err(SystemError::unfit(subject.shown(), reason.clone()));
            }
        }
        Ok(())
    }

    /// Takes note of what could not be built, where that is the configuration's fault.
    pub(super) fn not_built(&self, error: Error, network: &Network) -> SystemError {
        let machine = error.machines().first().and_then(|id| network.machine(id));
        // What a user's module says wrongly is wrong for all machines that have it.
        let excluded = error.is_configuration() && !matches!(error, Error::Evaluation(_));
        let (true, Some(machine)) = (excluded, machine) else { return error.into() };
        let subject = match &error {
            Error::UnknownKernel { kernel, .. } => Subject::Kernel(kernel.clone()),
            Error::UnknownPackage { package, .. } => Subject::Package(package.clone(), None),
            Error::UnknownVersion { package, .. } | Error::PackageFile { package, .. } => {
                Subject::Package(package.clone(), machine.packages.get(package).cloned())
            }
            Error::MissingModule { kernel, .. } => Subject::Module(kernel.clone(), machine.file_system),
            Error::Mkfs { .. } => Subject::Disk(machine.format()),
            _ => Subject::Software(machine.software()),
        };
        self.exclude(subject, &error.to_string())
    }

    /// Takes note of a machine that did not become ready and never was.
    pub(super) fn not_booted(&self, machine: &Machine, reason: &str) -> SystemError {
        self.exclude(Subject::Machine(Box::new(configuration(machine))), reason)
    }

    fn exclude(&self, subject: Subject, reason: &str) -> SystemError {
        let error = SystemError::unfit(subject.shown(), reason.to_owned());
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if !found.unfit.iter().any(|(other, _)| *other == subject) {
            found.unfit.push((subject, reason.to_owned()));
        }
        error
    }

    /// Takes note of a machine that became ready.
    pub(super) fn remember_booted(&self, machine: &Machine) {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).booted.insert(configuration(machine));
    }

    /// Whether a machine just like this one became ready in this run.
    pub(super) fn has_booted(&self, machine: &Machine) -> bool {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).booted.contains(&configuration(machine))
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    /// Two machines that differ in their kernels and addresses.
    fn network() -> Network {
        serde_json::from_str(
            r#"{ "machines": [
                { "id": "a", "uuid": "b9d1ee3a-55b1-4a1c-9d9b-0d9e5c7c0a01", "address": "172.16.2.2",
                  "kernel": "6.1", "memory": 96, "file_system": "xfs", "packages": { "p": "1" } },
                { "id": "b", "uuid": "b9d1ee3a-55b1-4a1c-9d9b-0d9e5c7c0a02", "address": "172.16.2.3",
                  "kernel": "6.12", "memory": 96, "file_system": "xfs", "packages": { "p": "2" } } ] }"#,
        )
        .unwrap()
    }

    fn shown(error: &SystemError) -> String {
        match error {
            SystemError::Unfit { configuration, .. } => configuration.clone(),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn what_cannot_be_built_is_known_by_what_is_at_fault() {
        let network = network();
        let [a, b] = [0, 1].map(|index| network.machines()[index].id.clone());
        let only = |id: &MachineId| network.without(id).unwrap();
        let found = Configurations::default();
        assert!(found.check(&network).is_ok());
        let error = Error::UnknownVersion {
            package: "p".parse().unwrap(),
            version: "1".to_owned(),
            machines: vec![a.clone()],
            offered: vec!["2".to_owned()],
        };
        assert_eq!(shown(&found.not_built(error, &network)), "package p 1");
        assert_eq!(shown(&found.check(&network).unwrap_err()), "package p 1");
        assert!(found.check(&only(&a)).is_ok(), "the other machine has another version");
        let error = Error::MissingModule {
            kernel: "6.12".parse().unwrap(),
            module: "xfs".to_owned(),
            purpose: "its scratch disk",
            machines: vec![b.clone()],
        };
        assert_eq!(shown(&found.not_built(error, &network)), "kernel 6.12 with xfs");
        assert_eq!(shown(&found.check(&only(&a)).unwrap_err()), "kernel 6.12 with xfs");
    }

    #[test]
    fn a_failure_of_the_environment_is_nobodys_configuration() {
        let found = Configurations::default();
        let error = Error::DiskFull { what: "x".to_owned(), places: "y".to_owned() };
        assert!(matches!(found.not_built(error, &network()), SystemError::Hopeless(_)));
        assert!(found.check(&network()).is_ok());
    }

    #[test]
    fn machines_that_differ_in_names_alone_boot_alike() {
        let found = Configurations::default();
        let network = network();
        let machine = network.machines()[0].clone();
        let twin = Machine { id: "z".parse().unwrap(), uuid: Uuid::from_u128(7), ..machine.clone() };
        assert!(!found.has_booted(&machine));
        found.remember_booted(&machine);
        assert!(found.has_booted(&twin) && !found.has_booted(&network.machines()[1]));
        assert!(matches!(found.not_booted(&network.machines()[1], "panic"), SystemError::Unfit { .. }));
        assert!(
            shown(&found.check(&network).unwrap_err()).starts_with("a machine with kernel 6.12, p 2, 96 MiB")
        );
    }
}
