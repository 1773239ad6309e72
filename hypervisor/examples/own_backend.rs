//! A backend of one's own in short: a QEMU process for each machine, without libvirt.
//!
//! It takes what it needs from the definition's XML, lets QEMU connect to the machine's two
//! sockets, and drives it by QEMU's monitor on standard input. The contract suite runs over it
//! (`tests/suite/own_backend_contract.rs`), which is what makes it a backend.
//!
//! `cargo run -p hypervisor --example own_backend -- KERNEL INITRD` boots a machine with it and
//! prints what its console said.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use hypervisor::{
    Access, ConsoleLine, Definition, Error, Event, GuestPorts, Hypervisor, Machine, RunDirectory, State,
    Transition, boot,
};
use roxmltree::Document;

/// How long a QEMU process may take to connect its ports, or to be gone when it is killed.
const LIMIT: Duration = Duration::from_secs(10);

/// Starts QEMU processes that belong to a run.
pub(crate) struct OwnBackend {
    /// The run; its mark makes sure that no process outlives it.
    pub(crate) run: RunDirectory,
    /// The QEMU program.
    pub(crate) qemu: PathBuf,
}

impl Hypervisor for OwnBackend {
    fn define(&self, definition: &Definition) -> Result<Box<dyn Machine>, Error> {
        definition.endpoints.check()?;
        let arguments = arguments(definition)
            .map_err(|message| Error::Definition { machine: definition.name.clone(), message })?;
        Ok(Box::new(Process {
            definition: definition.clone(),
            arguments,
            run: self.run.clone(),
            qemu: self.qemu.clone(),
            life: None,
        }))
    }
}

/// QEMU's arguments for a machine.
fn arguments(definition: &Definition) -> Result<Vec<String>, String> {
    let document = Document::parse(&definition.xml).map_err(|error| error.to_string())?;
    let text = |name: &str| {
        let found = document.descendants().find(|node| node.has_tag_name(name))?;
        Some(found.text()?.trim().to_owned())
    };
    let disk = document
        .descendants()
        .find(|node| node.has_tag_name("source") && node.has_attribute("file"))
        .and_then(|source| source.attribute("file"));
    let mut arguments: Vec<String> =
        "-nodefaults -no-user-config -display none -no-reboot -machine q35 -cpu max -monitor stdio"
            .split(' ')
            .map(str::to_owned)
            .collect();
    let mut add = |option: &str, value: String| arguments.extend([option.to_owned(), value]);
    for (option, element) in [("-kernel", "kernel"), ("-initrd", "initrd"), ("-append", "cmdline")] {
        add(option, text(element).ok_or(format!("it has no <{element}>"))?);
    }
    add("-m", text("memory").ok_or("it has no <memory>")?);
    if let Some(disk) = disk {
        add("-drive", format!("file={disk},format=raw,if=virtio"));
    }
    let endpoints = &definition.endpoints;
    add("-chardev", format!("socket,id=console,path={}", endpoints.console.display()));
    add("-serial", "chardev:console".to_owned());
    add("-device", "virtio-serial-pci".to_owned());
    add("-chardev", format!("socket,id=control,path={}", endpoints.control.display()));
    add("-device", "virtserialport,chardev=control,name=org.netprop.control".to_owned());
    Ok(arguments)
}

/// A machine that is a QEMU process while it lives.
struct Process {
    definition: Definition,
    arguments: Vec<String>,
    run: RunDirectory,
    qemu: PathBuf,
    life: Option<Life>,
}

struct Life {
    child: Child,
    ports: GuestPorts,
    suspended: bool,
}

impl Process {
    /// The life that permits this, or the error that says why there is none.
    fn life(&mut self, transition: Transition) -> Result<&mut Life, Error> {
        let state = self.state();
        transition.check(&self.definition.name, state)?;
        let machine = self.definition.name.clone();
        self.life.as_mut().ok_or(Error::WrongState { machine, transition, state })
    }

    /// Gives QEMU's monitor a command.
    fn monitor(&mut self, transition: Transition, command: &str) -> Result<(), Error> {
        let machine = self.definition.name.clone();
        let life = self.life(transition)?;
        let written = match &mut life.child.stdin {
            Some(monitor) => writeln!(monitor, "{command}"),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        written.map_err(|error| Error::Refused { action: transition, machine, message: error.to_string() })
    }
}

impl Life {
    /// Ends the process, whatever it is doing, until nothing is left of it.
    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = self.ports.wait_ended(Instant::now() + LIMIT);
    }
}

impl Machine for Process {
    fn name(&self) -> &str {
        &self.definition.name
    }

    fn start(&mut self) -> Result<(), Error> {
        Transition::Start.check(&self.definition.name, self.state())?;
        if let Some(mut last) = self.life.take() {
            last.end();
        }
        let ports = GuestPorts::listen(&self.definition.name, &self.definition.endpoints)?;
        let child = self
            .run
            .command(&self.qemu)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| Error::Spawn { program: self.qemu.display().to_string(), source })?;
        let mut life = Life { child, ports, suspended: false };
        if let Err(error) = life.ports.wait_connected(LIMIT) {
            life.end();
            return Err(error);
        }
        self.life = Some(life);
        Ok(())
    }

    fn power_cut(&mut self) -> Result<(), Error> {
        self.life(Transition::PowerCut)?.end();
        Ok(())
    }

    fn shut_down(&mut self, limit: Duration) -> Result<(), Error> {
        self.monitor(Transition::ShutDown, "system_powerdown")?;
        let life = self.life(Transition::ShutDown)?;
        if life.ports.wait_ended(Instant::now() + limit) {
            life.end();
            return Ok(());
        }
        Err(Error::Limit { action: Transition::ShutDown, machine: self.definition.name.clone(), limit })
    }

    fn suspend(&mut self) -> Result<(), Error> {
        let life = self.life(Transition::Suspend)?;
        signal(&life.child, rustix::process::Signal::STOP);
        life.suspended = true;
        Ok(())
    }

    fn resume(&mut self) -> Result<(), Error> {
        let life = self.life(Transition::Resume)?;
        signal(&life.child, rustix::process::Signal::CONT);
        life.suspended = false;
        Ok(())
    }

    fn state(&self) -> State {
        match &self.life {
            None => State::Off,
            Some(life) if life.ports.ended() => State::Off,
            Some(life) if life.ports.panicked() => State::Crashed,
            Some(life) if life.suspended => State::Suspended,
            Some(_) => State::Running,
        }
    }

    fn console(&self) -> String {
        self.life.as_ref().map(|life| life.ports.console()).unwrap_or_default()
    }

    fn journal_lines(&self) -> Vec<ConsoleLine> {
        self.life.as_ref().map(|life| life.ports.journal_lines()).unwrap_or_default()
    }

    fn send(&mut self, line: &str) -> Result<(), Error> {
        self.life(Transition::Send)?.ports.send(line)
    }

    fn next_event(&mut self, deadline: Instant) -> Event {
        self.life.as_ref().map_or(Event::Ended, |life| life.ports.next_event(deadline))
    }

    fn undefine(self: Box<Self>) -> Result<(), Error> {
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(life) = &mut self.life {
            life.end();
        }
    }
}

/// Stops a whole process or lets it go on, and its virtual processor with it.
fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

#[cfg_attr(test, expect(dead_code, reason = "the test that includes this file has a main of its own"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [kernel, initrd] =
        std::env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| "KERNEL INITRD")?;
    let run = RunDirectory::create(None, Access::Owner)?;
    let backend = OwnBackend { run: run.clone(), qemu: Path::new("qemu-system-x86_64").to_owned() };
    let xml = format!(
        "<domain><memory>128</memory><os><kernel>{kernel}</kernel><initrd>{initrd}</initrd>\
         <cmdline>console=ttyS0</cmdline></os></domain>"
    );
    let endpoints = run.endpoints("example")?;
    let mut machine = backend.define(&Definition { name: "example".to_owned(), xml, endpoints })?;
    let booted = boot(&mut *machine, "end\n", Duration::from_secs(60))?;
    println!("{}\nready after {:?}", machine.console(), booted.ready);
    Ok(())
}
