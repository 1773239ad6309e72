//! The guest of the contract suite: a kernel from Debian, busybox, and a script.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use cpio::newc::Builder;
use hypervisor::{Definition, Endpoints};
use rustix::fs::{FlockOperation, flock};

use crate::support::{missing, qemu};

/// What the guest needs of a kernel that has it as modules, in the order in which it loads them.
const MODULES: [&str; 12] = [
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "virtio_console",
    "virtio_blk",
    "failover",
    "net_failover",
    "virtio_net",
    "evdev",
    "button",
];

/// The guest's kernel and initial RAM disk.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    pub(crate) kernel: PathBuf,
    pub(crate) initrd: PathBuf,
}

impl Guest {
    /// The guest, made once in a process; `None` after a loud word where a component is missing.
    pub(crate) fn find() -> Option<Self> {
        static GUEST: OnceLock<Option<Guest>> = OnceLock::new();
        GUEST.get_or_init(Self::make).clone()
    }

    fn make() -> Option<Self> {
        // A test that runs again as another user is given the guest, which it could not read.
        if let Some(guest) = std::env::var_os("NETPROP_TEST_GUEST").map(PathBuf::from) {
            return Some(Self { kernel: guest.join("kernel"), initrd: guest.join("initrd") });
        }
        let kernel = kernel()?;
        let busybox = which::which("busybox").ok().and_then(|path| fs::read(path).ok());
        let Some(busybox) = busybox.filter(|program| !contains(program, b"/ld-linux")) else {
            missing("a static busybox", "apt-get install busybox-static");
            return None;
        };
        let modules =
            std::env::var_os("NETPROP_TEST_MODULES").map_or_else(|| modules_of(&kernel), PathBuf::from);
        let directory = cache();
        fs::create_dir_all(&directory).unwrap();
        let mut file = tempfile::Builder::new().prefix(".initrd-").tempfile_in(&directory).unwrap();
        write_initrd(file.as_file_mut(), &busybox, &modules).unwrap();
        let initrd = directory.join("contract-initrd");
        file.persist(&initrd).unwrap();
        Some(Self { kernel, initrd })
    }

    /// The machine `name` with this guest, as libvirt is told it, with `more` devices.
    pub(crate) fn definition(&self, directory: &Path, name: &str, more: &str) -> Definition {
        let disk = directory.join(format!("{name}.disk"));
        if !disk.exists() {
            File::create(&disk).unwrap().set_len(1 << 20).unwrap();
        }
        self.definition_on(directory, name, more, &disk, "raw")
    }

    /// As [`Guest::definition`], with a disk whose memory can be kept beside it.
    pub(crate) fn savable(&self, directory: &Path, name: &str) -> Definition {
        let disk = directory.join(format!("{name}.qcow2"));
        if !disk.exists() {
            let template = directory.join("blank");
            File::create(&template).unwrap().set_len(1 << 20).unwrap();
            hypervisor::create_overlay(&template, &disk).unwrap();
        }
        self.definition_on(directory, name, "", &disk, "qcow2")
    }

    fn definition_on(
        &self,
        directory: &Path,
        name: &str,
        more: &str,
        disk: &Path,
        format: &str,
    ) -> Definition {
        let endpoints = Endpoints::new(directory, name).unwrap();
        let xml = format!(
            "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>{name}</name>
  <memory unit='MiB'>96</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{kernel}</kernel>
    <initrd>{initrd}</initrd>
    <cmdline>console=ttyS0 quiet panic=0</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='maximum'/>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>destroy</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>{qemu}</emulator>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <disk type='file' device='disk'>
      <driver name='qemu' type='{format}' cache='unsafe' error_policy='report'/>
      <source file='{disk}'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <serial type='unix'>
      <source mode='connect' path='{console}'/>
      <target port='0'/>
    </serial>
    <channel type='unix'>
      <source mode='connect' path='{control}'/>
      <target type='virtio' name='org.netprop.control'/>
    </channel>
  </devices>
  {more}
</domain>",
            kernel = self.kernel.display(),
            initrd = self.initrd.display(),
            qemu = qemu().display(),
            disk = disk.display(),
            console = endpoints.console.display(),
            control = endpoints.control.display(),
        );
        Definition { name: name.to_owned(), xml, endpoints }
    }
}

/// Where kernels are kept, so that they are downloaded once.
fn cache() -> PathBuf {
    hypervisor::cache_directory().unwrap_or_else(std::env::temp_dir).join("test-guest")
}

/// A kernel: `$NETPROP_TEST_KERNEL`, else Debian's cloud kernel, which apt downloads as any user
/// and which is not installed.
fn kernel() -> Option<PathBuf> {
    if let Some(kernel) = std::env::var_os("NETPROP_TEST_KERNEL") {
        return Some(PathBuf::from(kernel));
    }
    let unpacked = cache().join("linux");
    fs::create_dir_all(cache()).unwrap();
    let lock = File::create(cache().join("lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    if !unpacked.exists()
        && let Err(error) = download(&unpacked)
    {
        missing(
            &format!("a kernel for the guest ({error})"),
            "set NETPROP_TEST_KERNEL to a kernel and NETPROP_TEST_MODULES to its modules, or let apt reach a mirror",
        );
        return None;
    }
    let boot = fs::read_dir(unpacked.join("boot")).unwrap();
    boot.map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("vmlinuz"))
}

fn download(unpacked: &Path) -> io::Result<()> {
    let directory = tempfile::Builder::new().prefix(".linux-").tempdir_in(cache())?;
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(directory.path()).output()?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(io::Error::other(format!("{program} {}: {}", arguments.join(" "), said.trim())))
        }
    };
    let depends = run("apt-cache", &["depends", "linux-image-cloud-amd64"])?;
    let package = depends
        .lines()
        .find_map(|line| line.trim().strip_prefix("Depends: linux-image-"))
        .ok_or_else(|| io::Error::other("apt knows no linux-image-cloud-amd64: run apt-get update"))?;
    run("apt-get", &["download", &format!("linux-image-{package}")])?;
    let archive = fs::read_dir(directory.path())?.next().ok_or(io::ErrorKind::NotFound)??.path();
    run("dpkg-deb", &["-x", &archive.to_string_lossy(), "linux"])?;
    fs::rename(directory.path().join("linux"), unpacked)
}

/// Where Debian has the modules of the kernel `…/boot/vmlinuz-VERSION`.
fn modules_of(kernel: &Path) -> PathBuf {
    let version = kernel.file_name().unwrap().to_str().unwrap().trim_start_matches("vmlinuz-");
    kernel.parent().unwrap().parent().unwrap().join("lib/modules").join(version)
}

fn write_initrd(file: &mut File, busybox: &[u8], modules: &Path) -> io::Result<()> {
    let mut inode = 0;
    let mut add = |file: &mut File, name: &str, mode: u32, content: &[u8]| {
        inode += 1;
        let entry = Builder::new(name).ino(inode).mode(mode);
        let mut writer = entry.write(&mut *file, content.len() as u32);
        writer.write_all(content)?;
        writer.finish().map(|_| ())
    };
    for directory in ["bin", "dev", "etc", "modules", "proc", "sys"] {
        add(file, directory, 0o040_755, b"")?;
    }
    add(file, "bin/busybox", 0o100_755, busybox)?;
    add(file, "init", 0o100_755, include_bytes!("init.sh"))?;
    // Whatever is not there is built into the kernel.
    let mut order = String::new();
    for module in MODULES {
        if let Some(path) = find(modules, &format!("{module}.ko")) {
            add(file, &format!("modules/{module}.ko"), 0o100_644, &fs::read(path)?)?;
            order.push_str(module);
            order.push('\n');
        }
    }
    add(file, "modules/order", 0o100_644, order.as_bytes())?;
    cpio::newc::trailer(file).map(|_| ())
}

fn find(directory: &Path, name: &str) -> Option<PathBuf> {
    let entries: Vec<PathBuf> = fs::read_dir(directory).ok()?.map(|entry| entry.unwrap().path()).collect();
    entries.iter().find_map(|path| {
        if path.is_dir() { find(path, name) } else { path.ends_with(name).then(|| path.clone()) }
    })
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
