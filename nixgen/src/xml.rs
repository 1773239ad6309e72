//! A machine as libvirt's XML. Nothing here needs libvirt: it is text that libvirt 9.0 takes.
//!
//! Every device sits in a slot of its own on the root bus, chosen here: so the guest finds the
//! management NIC first (eth0) and the data NIC second (eth1), libvirt adds no PCI bridges (each
//! costs a guest time to look behind), and QEMU's own arguments for the NICs, which libvirt 9.0
//! has no XML for, collide with nothing.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use model::machine::ClockSource;
use model::{Machine, MachineId, Network};
use serde::Serialize;
use uuid::Uuid;

use crate::error::Error;
use crate::image::Image;
use crate::template::{domain, is_xml_text};

/// The slots of the two NICs; the template has the other devices' in 4 to 7.
const MANAGEMENT_SLOT: &str = "0x2";
const DATA_SLOT: &str = "0x3";
/// The longest command line that the kernel takes (`COMMAND_LINE_SIZE` on x86, less its end).
const COMMAND_LINE_LENGTH: usize = 2047;
/// The longest path of a socket that the kernel takes.
const SOCKET_PATH: usize = 107;
/// The longest directory of a switch: it names sockets in it, and cuts what is longer silently.
const SWITCH_PATH: usize = 90;

/// Where a guest's console goes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Console {
    /// A pseudo-terminal that libvirt opens.
    #[default]
    Pty,
    /// A unix socket that is listening when the machine starts: QEMU connects to it.
    Socket(PathBuf),
}

/// Where the guest's control port goes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Control {
    /// A unix socket that libvirt has QEMU listen on, at a path of libvirt's choice.
    #[default]
    Automatic,
    /// A unix socket that is listening when the machine starts: QEMU connects to it.
    Socket(PathBuf),
}

/// The first NIC, over which the tester reaches the guest.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Management {
    /// There is none.
    #[default]
    None,
    /// QEMU's user-mode network, restricted, with this port of 127.0.0.1 forwarded to SSH.
    Forwarded {
        /// The port on the host.
        port: u16,
    },
}

/// The second NIC, over which machines reach one another.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Data {
    /// There is none.
    #[default]
    None,
    /// A port of a virtual switch (VDE).
    Switch {
        /// The switch's control directory.
        directory: PathBuf,
        /// The number of the port; whichever is free, where none is given.
        port: Option<u16>,
    },
}

/// What runs the guest's instructions.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Accelerator {
    /// The host's processor.
    Kvm,
    /// QEMU's emulation, which works everywhere.
    #[default]
    Tcg,
}

/// How QEMU reads and writes a file of the host.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum DiskIo {
    /// By threads of its own, which works everywhere.
    #[default]
    Threads,
    /// By the kernel's `io_uring`, which is faster where a machine is put back to a snapshot, and
    /// which neither every kernel nor every QEMU has.
    IoUring,
}

/// What of a machine is another at each run; the default makes XML that is complete by itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Wiring {
    /// Where the console goes.
    pub console: Console,
    /// Where the control port goes.
    pub control: Control,
    /// The scratch disk, a qcow2 over the image's template.
    pub scratch: Option<PathBuf>,
    /// How the scratch disk is read and written.
    pub scratch_io: DiskIo,
    /// The first NIC.
    pub management: Management,
    /// The second NIC.
    pub data: Data,
    /// What runs the guest's instructions.
    pub accelerator: Accelerator,
    /// The QEMU to use; libvirt's choice where there is none.
    pub emulator: Option<PathBuf>,
    /// The network that the machine is in, by a name that no other network has which one libvirt
    /// runs meanwhile. libvirt then knows the machine by a name and a uuid that follow from it, so
    /// that networks with machines of the same names can be there side by side; the guest finds
    /// its own uuid all the same. Where there is none, libvirt knows the machine by its own.
    pub network: Option<String>,
}

/// What libvirt knows a machine by: its own id and uuid, or in a named network others that follow
/// from these and that name.
fn known_by(machine: &Machine, wiring: &Wiring) -> (String, Uuid) {
    match &wiring.network {
        None => (machine.id.to_string(), machine.uuid),
        Some(network) => {
            (format!("{network}-{}", machine.id), Uuid::new_v5(&machine.uuid, network.as_bytes()))
        }
    }
}

/// What `templates/domain.xml.hbs` is rendered with.
#[derive(Serialize)]
struct Domain<'a> {
    name: String,
    uuid: String,
    description: String,
    memory: u64,
    processors: u32,
    clock_timer: Option<&'static str>,
    accelerator: &'static str,
    cpu_mode: &'static str,
    kernel: &'a str,
    initrd: &'a str,
    command_line: String,
    root: &'a str,
    store: Option<&'a str>,
    emulator: Option<&'a str>,
    scratch: Option<&'a str>,
    scratch_io: Option<&'static str>,
    console_socket: Option<&'a str>,
    control_socket: Option<&'a str>,
    qemu_arguments: Vec<String>,
}

/// Describes a machine of a network for libvirt.
///
/// # Errors
/// [`Error::Wiring`] where a path can be told neither in XML nor to QEMU.
pub fn domain_xml(
    machine: &Machine,
    network: &Network,
    image: &Image,
    wiring: &Wiring,
) -> Result<String, Error> {
    let texts = Texts(&machine.id);
    let console = match &wiring.console {
        Console::Pty => None,
        Console::Socket(socket) => Some(texts.socket("console socket", socket, SOCKET_PATH)?),
    };
    let control = match &wiring.control {
        Control::Automatic => None,
        Control::Socket(socket) => Some(texts.socket("control socket", socket, SOCKET_PATH)?),
    };
    let (accelerator, cpu_mode) = match wiring.accelerator {
        Accelerator::Kvm => ("kvm", "host-passthrough"),
        Accelerator::Tcg => ("qemu", "maximum"),
    };
    let prefix = network.subnet().prefix_len();
    let (name, uuid) = known_by(machine, wiring);
    let (kernel, initrd) = image.booted();
    let mut qemu_arguments = nics(machine, wiring)?;
    if uuid != machine.uuid {
        // Of two uuids that QEMU is given, the guest finds the last.
        qemu_arguments.extend(["-smbios".to_owned(), format!("type=1,uuid={}", machine.uuid)]);
    }
    domain(&Domain {
        name,
        uuid: uuid.to_string(),
        description: format!(
            "{}/{prefix}, kernel {}, {} on /scratch",
            machine.address, machine.kernel, machine.file_system
        ),
        memory: machine.memory.get(),
        processors: machine.processors.get(),
        clock_timer: machine.clock_source.as_ref().and_then(timer),
        accelerator,
        cpu_mode,
        kernel: texts.path("kernel", kernel)?,
        initrd: texts.path("initrd", initrd)?,
        command_line: command_line(machine, image)?,
        root: texts.path("root", &image.root)?,
        store: texts.optional("store", image.store.as_deref())?,
        emulator: texts.optional("emulator", wiring.emulator.as_deref())?,
        scratch: texts.optional("scratch disk", wiring.scratch.as_deref())?,
        scratch_io: match wiring.scratch_io {
            DiskIo::Threads => None,
            DiskIo::IoUring => Some("io_uring"),
        },
        console_socket: console,
        control_socket: control,
        qemu_arguments,
    })
}

/// What a machine's kernel is told: what the image's base says, then what is the machine's own.
fn command_line(machine: &Machine, image: &Image) -> Result<String, Error> {
    let mut words = vec![image.command_line.clone()];
    words.extend(machine.kernel_parameters.iter().map(|(name, value)| match value.as_str() {
        "" => name.to_string(),
        value => format!("{name}={value}"),
    }));
    words.extend(machine.clock_source.iter().map(|source| format!("clocksource={source}")));
    let text = words.join(" ");
    if text.len() > COMMAND_LINE_LENGTH {
        let why = "is longer than the 2047 signs that the kernel takes: give it fewer parameters";
        return Err(Error::Wiring { machine: machine.id.clone(), what: "command line", text, why });
    }
    Ok(text)
}

/// What libvirt calls the timer behind a clock source, where a machine has it only if asked.
fn timer(source: &ClockSource) -> Option<&'static str> {
    match source.as_str() {
        "hpet" => Some("hpet"),
        "kvm-clock" => Some("kvmclock"),
        _ => None,
    }
}

/// The arguments for both NICs, as far as there are any. An empty `romfile` spares the firmware
/// the option ROM for booting from the network.
fn nics(machine: &Machine, wiring: &Wiring) -> Result<Vec<String>, Error> {
    let mut arguments = Vec::new();
    let mut nic = |backend: String, name: &str, mac: String, slot: &str| {
        let device =
            format!("virtio-net-pci,netdev={name},id=nic-{name},mac={mac},bus=pcie.0,addr={slot},romfile=");
        arguments.extend(["-netdev".to_owned(), backend, "-device".to_owned(), device]);
    };
    if let Management::Forwarded { port } = wiring.management {
        let backend = format!(
            "user,id=management,restrict=on,net=169.254.77.0/24,hostfwd=tcp:127.0.0.1:{port}-169.254.77.15:22"
        );
        nic(backend, "management", "52:55:a9:fe:4d:0f".to_owned(), MANAGEMENT_SLOT);
    }
    if let Data::Switch { directory, port } = &wiring.data {
        let directory = Texts(&machine.id).socket("switch", directory, SWITCH_PATH)?;
        // A comma ends an option of QEMU's, two stand for one.
        let mut backend = format!("vde,id=data,sock={}", directory.replace(',', ",,"));
        if let Some(port) = port {
            backend = format!("{backend},port={port}");
        }
        nic(backend, "data", mac(machine.address), DATA_SLOT);
    }
    Ok(arguments)
}

/// A hardware address from the last three bytes of an address: distinct in any subnet from /8 on.
#[must_use]
pub fn mac(address: Ipv4Addr) -> String {
    mac_bytes(address).map(|byte| format!("{byte:02x}")).join(":")
}

/// The same as bytes.
#[must_use]
pub fn mac_bytes(address: Ipv4Addr) -> [u8; 6] {
    let [_, b, c, d] = address.octets();
    [0x52, 0x54, 0, b, c, d]
}

/// Turns paths into text for one machine's XML.
struct Texts<'a>(&'a MachineId);

impl Texts<'_> {
    fn path<'b>(&self, what: &'static str, path: &'b Path) -> Result<&'b str, Error> {
        let refuse =
            |why| Error::Wiring { machine: self.0.clone(), what, text: path.display().to_string(), why };
        match path.to_str() {
            None => Err(refuse("is not UTF-8: choose another path")),
            Some(_) if !path.is_absolute() => Err(refuse("is not absolute: libvirt wants a whole path")),
            Some(text) if !is_xml_text(text) => Err(refuse("has a control character: choose another path")),
            Some(text) => Ok(text),
        }
    }

    fn optional<'b>(&self, what: &'static str, path: Option<&'b Path>) -> Result<Option<&'b str>, Error> {
        path.map(|path| self.path(what, path)).transpose()
    }

    fn socket<'b>(&self, what: &'static str, path: &'b Path, most: usize) -> Result<&'b str, Error> {
        let text = self.path(what, path)?;
        if text.len() > most {
            let why = "is too long for the path of a socket: choose a directory with a shorter name";
            return Err(Error::Wiring { machine: self.0.clone(), what, text: text.to_owned(), why });
        }
        Ok(text)
    }
}
