//! The machines of a test as Nix has them.

use model::Machine;
use model::machine::{KernelVersion, PackageVersion};
use serde::Serialize;

use super::guests::{Guest, Guests};
use crate::plain::in_one_line;

/// So many mebibytes a machine has at least: NixOS does not boot in what is enough for other guests.
pub(super) const LEAST_MEMORY: u64 = 1024;

/// What the template is given of a machine; texts become literals there.
#[derive(Default, Serialize)]
pub(super) struct Node {
    name: String,
    /// Comments, one line each.
    remarks: Vec<String>,
    address: Option<String>,
    prefix: Option<u8>,
    mtu: Option<u32>,
    memory: Option<u64>,
    processors: Option<u32>,
    kernel: Option<String>,
    kernel_parameters: Vec<String>,
    packages: Vec<String>,
    /// Lines of shell that bring the scratch disk about.
    scratch: Vec<String>,
    files: Vec<File>,
    services: Vec<Service>,
}

#[derive(Serialize)]
struct File {
    path: String,
    content: String,
}

#[derive(Serialize)]
struct Service {
    name: String,
    command: String,
}

impl Node {
    pub(super) fn of(guest: &Guest, guests: &Guests) -> Self {
        let mut node = Self { name: guest.name.clone(), prefix: guests.prefix(), ..Self::default() };
        if guest.name != guest.id {
            node.remark(format!("In the case it is called {}.", guest.id));
        }
        guest.details.iter().for_each(|detail| node.remark(detail.clone()));
        match &guest.machine {
            Some(machine) => node.give(machine),
            None => {
                node.remark("Nothing but its name and these words is known of it: make it here.".to_owned());
            }
        }
        node
    }

    fn remark(&mut self, text: String) {
        self.remarks.push(in_one_line(&text));
    }

    fn give(&mut self, machine: &Machine) {
        self.address = Some(machine.address.to_string());
        self.processors = Some(machine.processors.get());
        self.mtu = (machine.mtu != Default::default()).then(|| machine.mtu.get());
        self.memory = Some(memory(machine));
        if machine.memory.get() < LEAST_MEMORY {
            self.remark(format!("It has {} in the case, which NixOS does not boot in.", machine.memory));
        }
        self.kernel = line(&machine.kernel).map(|line| format!("linuxPackages_{}", line.replace('.', "_")));
        match line(&machine.kernel) {
            Some(line) if line == machine.kernel.as_str() => {}
            Some(line) => self.remark(format!("Its kernel is {}; here it is one of {line}.", machine.kernel)),
            None => self.remark(format!("Its kernel is {}, which Nix has no name for.", machine.kernel)),
        }
        let parameter = |(name, value): (&_, &model::machine::KernelParameterValue)| match value.as_str() {
            "" => format!("{name}"),
            value => format!("{name}={value}"),
        };
        self.kernel_parameters = machine.kernel_parameters.iter().map(parameter).collect();
        self.kernel_parameters
            .extend(machine.clock_source.iter().map(|source| format!("clocksource={source}")));
        self.packages = machine.packages.keys().map(ToString::to_string).collect();
        for (name, version) in &machine.packages {
            if *version != PackageVersion::Newest {
                self.remark(format!("Its {name} is {version}; here it is nixpkgs's own."));
            }
        }
        self.scratch = scratch(machine);
        self.files(machine);
        self.services(machine);
    }

    fn files(&mut self, machine: &Machine) {
        let parameters: String = machine
            .parameters
            .iter()
            .map(|(name, value)| format!("{name}={}\n", value.replace('\n', " ")))
            .collect();
        let own = (!parameters.is_empty()).then(|| ("/run/netprop/parameters".to_owned(), parameters));
        let given = machine.files.iter().map(|(path, content)| (path.to_string(), content.clone()));
        for (path, content) in given.chain(own) {
            match content.contains('\0') {
                true => self.remark(format!("Its file {path} has a NUL in it, which Nix cannot say.")),
                false => self.files.push(File { path, content }),
            }
        }
    }

    fn services(&mut self, machine: &Machine) {
        for (name, service) in &machine.services {
            match service.command.contains('\0') {
                true => self.remark(format!("Its service {name} has a NUL in it, which Nix cannot say.")),
                false => self.services.push(Service {
                    name: format!("netprop-service-{name}"),
                    command: service.command.clone(),
                }),
            }
        }
    }
}

/// How much memory it has in the test, in MiB.
pub(super) fn memory(machine: &Machine) -> u64 {
    machine.memory.get().max(LEAST_MEMORY)
}

/// The line of a kernel, as nixpkgs names its kernels: 6.12 of 6.12.9.
fn line(kernel: &KernelVersion) -> Option<String> {
    match kernel.numbers()[..] {
        [major, minor, ..] => Some(format!("{major}.{minor}")),
        _ => None,
    }
}

/// Formats the scratch disk the first time, and mounts it each time.
fn scratch(machine: &Machine) -> Vec<String> {
    let file_system = machine.file_system.as_str();
    let words = |words: &[model::machine::OptionWord], between: &str| {
        words.iter().map(model::machine::OptionWord::as_str).collect::<Vec<_>>().join(between)
    };
    let options = words(&machine.mkfs_options, " ");
    let mount = match &machine.mount_options[..] {
        [] => String::new(),
        options => format!("-o {} ", words(options, ",")),
    };
    vec![
        format!("blkid /dev/vdb >/dev/null || mkfs.{file_system} {options} /dev/vdb"),
        "mkdir -p /scratch".to_owned(),
        format!("mountpoint -q /scratch || mount -t {file_system} {mount}/dev/vdb /scratch"),
    ]
}
