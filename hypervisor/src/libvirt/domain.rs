//! One machine under libvirt: a transient domain for each life.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use virt::domain::Domain;
use virt::error::{Error as VirtError, ErrorNumber};
use virt::sys;

use super::disk_faults::DiskFaults;
use super::monitor::Monitor;
use super::reaper::{Adoption, Reaper};
use super::snapshots::{Kept, NotSaved, Snapshots};
use super::templates::{self, Memory, Transfer};
use super::{Session, definition, is_about_a_namesake, is_about_a_port, message};
use crate::guest_ports::GuestPorts;
use crate::machine::{Definition, Event, Machine, State, Transition};
use crate::{ConsoleLine, DiskFault, Error, Lost, Snapshot};

/// How long a machine that has started may take to connect its ports, which QEMU does before it
/// answers libvirt at all.
const CONNECTS: Duration = Duration::from_secs(10);
/// How long the ports of a machine whose process has ended may take to say so.
const ENDS: Duration = Duration::from_secs(10);
/// How long libvirt may take to forget a domain that it says is no longer there.
const FORGETS: Duration = Duration::from_secs(2);
/// How soon a start is tried again that met such a domain.
const AGAIN: Duration = Duration::from_millis(10);

/// A machine defined over a libvirt connection.
#[derive(Debug)]
pub(super) struct LibvirtMachine {
    pub(super) life: Option<Life>,
    /// What libvirt calls it.
    domain: String,
    pub(super) definition: Definition,
    pub(super) snapshots: Snapshots,
    session: Arc<Session>,
}

#[derive(Debug)]
pub(super) struct Life {
    pub(super) domain: Domain,
    ports: GuestPorts,
    reaper: Option<Reaper>,
    pub(super) suspended: bool,
    pub(super) faults: DiskFaults,
    /// Whether its memory is called as that of a template.
    is_named: bool,
    /// Where it is to be kept as a template.
    template: Option<PathBuf>,
}

impl LibvirtMachine {
    pub(super) fn new(session: Arc<Session>, definition: Definition, domain: String) -> Self {
        Self { life: None, domain, definition, snapshots: Snapshots::default(), session }
    }

    /// Has libvirt start a domain once it has forgotten the last one of this name.
    ///
    /// Where a process ends by itself while its domain is destroyed, libvirt says of the domain
    /// that there is none shortly before it takes it out of its list, and only a start that fails
    /// tells whether it has.
    fn create(&self, xml: &str, flags: u32) -> Result<(Domain, Option<Reaper>), VirtError> {
        let deadline = Instant::now() + FORGETS;
        loop {
            match self.create_once(xml, flags) {
                Err(error) if is_about_a_namesake(error.message()) && Instant::now() < deadline => {
                    std::thread::sleep(AGAIN);
                }
                created => return created,
            }
        }
    }

    /// Has libvirt start a domain, which it destroys when the connection closes where it can.
    fn create_once(&self, xml: &str, flags: u32) -> Result<(Domain, Option<Reaper>), VirtError> {
        let create = |more| self.session.connection.create_domain_xml(xml, flags | more);
        if let Some(root) = &self.session.embedded {
            let _ours = Adoption::begin();
            let reaper = Reaper::of_pid_file(root.pid_file(&self.domain));
            return match create(sys::VIR_DOMAIN_NONE) {
                Ok(domain) => Ok((domain, reaper)),
                Err(error) => {
                    if let Some(reaper) = reaper {
                        reaper.kill(None);
                    }
                    Err(error)
                }
            };
        }
        match create(sys::VIR_DOMAIN_START_AUTODESTROY) {
            Err(error) if error.message().to_lowercase().contains("autodestroy") => {
                create(sys::VIR_DOMAIN_NONE)
            }
            created => created,
        }
        .map(|domain| (domain, None))
    }

    fn refused(&self, action: Transition, error: &VirtError) -> Error {
        let machine = self.definition.name.clone();
        let message = message(error);
        if matches!(action, Transition::Start | Transition::Revert) && is_about_a_port(&message) {
            return Error::PortTaken { machine, message };
        }
        Error::Refused { action, machine, message }
    }

    /// What QEMU's monitor said of why not. Of a full disk QEMU says no more than that it could not
    /// write, so the disk itself is asked.
    fn not_done(&self, action: Transition, message: String) -> Error {
        match self.snapshots.full_disk() {
            Some(path) => Error::DiskFull { path: path.to_owned() },
            None => Error::Refused { action, machine: self.definition.name.clone(), message },
        }
    }

    /// How many bytes of memory the machine has.
    fn memory(&self, action: Transition) -> Result<u64, Error> {
        definition::memory(&self.definition.xml).map_err(|message| self.not_done(action, message))
    }

    /// The definition for a life with this memory.
    fn xml_with(&self, action: Transition, memory: Memory<'_>) -> Result<String, Error> {
        let size = if memory.is_named() { self.memory(action)? } else { 0 };
        let xml = definition::with_arguments(&self.definition.xml, &memory.arguments(size));
        let xml = match memory {
            Memory::Private(_) => xml.and_then(|xml| definition::with_short_start(&xml)),
            Memory::Usual | Memory::Named | Memory::Shared(_) => xml,
        };
        xml.map_err(|message| self.not_done(action, message))
    }

    /// Begins a life, suspended or not, on disks as they are.
    fn begin(&mut self, action: Transition, suspended: bool, memory: Memory<'_>) -> Result<(), Error> {
        // libvirt may not have noticed the end of the last life yet, and would refuse a second.
        self.end(action)?;
        self.life = None;
        let ports = GuestPorts::listen(&self.definition.name, &self.definition.endpoints)?;
        let flags = if suspended { sys::VIR_DOMAIN_START_PAUSED } else { sys::VIR_DOMAIN_NONE };
        let xml = self.xml_with(action, memory)?;
        let (domain, reaper) = self.create(&xml, flags).map_err(|error| self.refused(action, &error))?;
        let connected = ports.wait_connected(CONNECTS);
        let reaper = reaper.or_else(|| ports.process().and_then(Reaper::of_process));
        let is_named = memory.is_named();
        let faults = DiskFaults::default();
        self.life = Some(Life { domain, ports, reaper, suspended, faults, is_named, template: None });
        if connected.is_err() {
            self.end(action)?;
        }
        connected
    }

    /// Has a machine that lives stand still; false where it has ended, or where its process still
    /// has to take what was sent, which no other life must get.
    fn stand_still(&mut self) -> Result<bool, Error> {
        let Some(life) = &mut self.life else { return Ok(false) };
        if !life.suspended
            && let Err(error) = life.domain.suspend()
        {
            if life.ports.wait_ended(Instant::now()) {
                return Ok(false);
            }
            return Err(self.refused(Transition::Revert, &error));
        }
        life.suspended = true;
        Ok(life.ports.has_taken_all())
    }

    /// Does what [`Machine::revert`] does to a machine that has this snapshot: in the process that
    /// it has, where it can.
    fn go_back(&mut self, snapshot: &Snapshot, is_named: bool) -> Result<(), Error> {
        let fits = self.life.as_ref().is_some_and(|life| life.is_named == is_named);
        let in_place = self.state() != State::Off && fits && self.stand_still()?;
        if !in_place {
            let memory = if is_named { Memory::Named } else { Memory::Usual };
            self.begin(Transition::Revert, true, memory)?;
        }
        let Some(life) = &mut self.life else { return Ok(()) };
        if in_place {
            let healed = life.faults.heal(&Monitor(&life.domain));
            healed.map_err(|message| self.not_done(Transition::Revert, message))?;
        }
        let Some(life) = &self.life else { return Ok(()) };
        let loaded = self.snapshots.load(&life.domain, snapshot);
        loaded.map_err(|message| self.not_done(Transition::Revert, message))?;
        if in_place && !life.ports.begin_anew() {
            let message = "its process has ended".to_owned();
            return Err(self.not_done(Transition::Revert, message));
        }
        Ok(())
    }

    /// Does what [`Machine::revert`] does to a machine that was off.
    fn be_off(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        self.end(Transition::Revert)?;
        // Nothing that the last life has said comes after.
        self.life = None;
        let applied = self.snapshots.apply(snapshot);
        applied.map_err(|message| self.not_done(Transition::Revert, message))
    }

    /// What is kept of a snapshot that is this machine's.
    fn kept(&self, snapshot: &Snapshot) -> Result<Kept, Error> {
        let kept = self.snapshots.kept(snapshot).cloned();
        kept.ok_or_else(|| Error::ForeignSnapshot {
            machine: self.definition.name.clone(),
            of: snapshot.machine().to_owned(),
        })
    }

    /// Does what [`Machine::save_template`] does, of the machine's last moments.
    fn keep(&mut self, directory: &Path) -> Result<(), Error> {
        let name = self.definition.name.clone();
        let socket = templates::socket(&self.definition.endpoints.control);
        let life = self.life(Transition::Save)?;
        if life.template.as_deref() != Some(directory) {
            return Err(Error::NoSnapshots { machine: name });
        }
        if !life.suspended {
            let suspended = life.domain.suspend();
            life.suspended = suspended.is_ok();
            suspended.map_err(|error| self.refused(Transition::Save, &error))?;
        }
        let life = self.life(Transition::Save)?;
        Transfer { machine: &name, domain: &life.domain, socket: &socket }.save(directory)
    }

    /// Has a life that waits for it go on from a template.
    fn take(&self, directory: &Path) -> Result<(), Error> {
        let Some(life) = &self.life else { return Ok(()) };
        let socket = templates::socket(&self.definition.endpoints.control);
        let machine = &self.definition.name;
        Transfer { machine, domain: &life.domain, socket: &socket }.load(directory)
    }

    /// The life that permits this, or the error that says why there is none.
    pub(super) fn life(&mut self, transition: Transition) -> Result<&mut Life, Error> {
        let state = self.state();
        transition.check(&self.definition.name, state)?;
        let machine = &self.definition.name;
        self.life.as_mut().ok_or_else(|| Error::WrongState {
            machine: machine.clone(),
            transition,
            state: State::Off,
        })
    }

    /// Ends the domain of this life, whatever it is doing, until libvirt has let go of it.
    pub(super) fn end(&mut self, action: Transition) -> Result<(), Error> {
        let Some(life) = &mut self.life else { return Ok(()) };
        if let Some(reaper) = life.reaper.take() {
            reaper.kill(life.ports.process().as_deref());
        }
        match life.domain.destroy() {
            Ok(()) => {}
            // libvirt has seen the end of its process, which its ports are about to.
            Err(error) if error.code().known() == Some(ErrorNumber::NoDomain) => {}
            // It ended by itself meanwhile: there is no such domain then, or it is not running.
            Err(_) if life.ports.wait_ended(Instant::now()) => {}
            Err(error) => return Err(self.refused(action, &error)),
        }
        if life.ports.wait_ended(Instant::now() + ENDS) {
            life.faults.remove();
            Ok(())
        } else {
            Err(Error::Limit { action, machine: self.definition.name.clone(), limit: ENDS })
        }
    }
}

impl Machine for LibvirtMachine {
    fn name(&self) -> &str {
        &self.definition.name
    }

    fn start(&mut self) -> Result<(), Error> {
        Transition::Start.check(&self.definition.name, self.state())?;
        self.begin(Transition::Start, false, Memory::Usual)
    }

    fn power_cut(&mut self) -> Result<(), Error> {
        self.life(Transition::PowerCut)?;
        self.end(Transition::PowerCut)
    }

    fn shut_down(&mut self, limit: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + limit;
        let life = self.life(Transition::ShutDown)?;
        if let Err(error) = life.domain.shutdown_flags(sys::VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
            && !life.ports.ended()
        {
            return Err(self.refused(Transition::ShutDown, &error));
        }
        if !life.ports.wait_ended(deadline) {
            let machine = self.definition.name.clone();
            return Err(Error::Limit { action: Transition::ShutDown, machine, limit });
        }
        self.end(Transition::ShutDown)
    }

    fn suspend(&mut self) -> Result<(), Error> {
        let life = self.life(Transition::Suspend)?;
        match life.domain.suspend() {
            Ok(()) => life.suspended = true,
            Err(error) => return Err(self.refused(Transition::Suspend, &error)),
        }
        Ok(())
    }

    fn resume(&mut self) -> Result<(), Error> {
        let life = self.life(Transition::Resume)?;
        match life.domain.resume() {
            Ok(()) => life.suspended = false,
            Err(error) => return Err(self.refused(Transition::Resume, &error)),
        }
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

    fn console_lines(&self) -> Vec<ConsoleLine> {
        self.life.as_ref().map(|life| life.ports.console_lines()).unwrap_or_default()
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

    fn save(&mut self) -> Result<Snapshot, Error> {
        let (state, memory) = (self.state(), self.memory(Transition::Save)?);
        let name = &self.definition.name;
        Transition::Save.check(name, state)?;
        let saved = match &self.life {
            Some(life) if state != State::Off => {
                self.snapshots.save(name, &life.domain, life.is_named, memory)
            }
            _ => definition::written_disks(&self.definition.xml)
                .and_then(|files| self.snapshots.save_off(name, files))
                .map_err(NotSaved::Refused),
        };
        saved.map_err(|why| match why {
            NotSaved::NoRoom(path) => {
                Error::NoRoom { path, mebibytes: memory >> 20, variable: "NETPROP_RUNTIME_DIR" }
            }
            NotSaved::Refused(message) => self.not_done(Transition::Save, message),
        })
    }

    fn revert(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        let back = match self.kept(snapshot)? {
            Kept::Off { .. } => self.be_off(snapshot),
            Kept::On { is_named } => self.go_back(snapshot, is_named),
        };
        if back.is_err() {
            self.end(Transition::Revert)?;
        }
        back
    }

    fn forget(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        self.kept(snapshot)?;
        let is_off = self.state() == State::Off;
        let domain = self.life.as_ref().filter(|_| !is_off).map(|life| &life.domain);
        let forgotten = self.snapshots.forget(domain, snapshot);
        forgotten.map_err(|message| self.not_done(Transition::Save, message))
    }

    fn start_template(&mut self, directory: &Path) -> Result<(), Error> {
        Transition::Start.check(&self.definition.name, self.state())?;
        templates::create_memory(directory, self.memory(Transition::Start)?)?;
        self.begin(Transition::Start, false, Memory::Shared(directory))?;
        if let Some(life) = &mut self.life {
            life.template = Some(directory.to_owned());
        }
        Ok(())
    }

    fn save_template(&mut self, directory: &Path) -> Result<(), Error> {
        Transition::SaveTemplate.check(&self.definition.name, self.state())?;
        let kept = self.keep(directory);
        self.end(Transition::Save)?;
        kept
    }

    fn start_from(&mut self, directory: &Path) -> Result<(), Error> {
        Transition::Start.check(&self.definition.name, self.state())?;
        templates::check_memory(directory, self.memory(Transition::Start)?)?;
        self.begin(Transition::Start, true, Memory::Private(directory))?;
        let taken = self.take(directory);
        if taken.is_err() {
            self.end(Transition::Start)?;
        }
        taken
    }

    fn set_disk_fault(&mut self, disk: &Path, fault: DiskFault) -> Result<(), Error> {
        self.change_disk(disk, fault)
    }

    fn set_volatile(&mut self, disk: &Path) -> Result<(), Error> {
        self.make_volatile(disk)
    }

    fn power_cut_losing(&mut self, seed: u64) -> Result<Lost, Error> {
        self.cut_losing(seed)
    }

    fn undefine(mut self: Box<Self>) -> Result<(), Error> {
        self.end(Transition::PowerCut)?;
        self.life = None;
        self.snapshots.remove();
        Ok(())
    }
}

impl Drop for LibvirtMachine {
    fn drop(&mut self) {
        if let Err(error) = self.end(Transition::PowerCut) {
            tracing::warn!(%error, "a machine was not ended");
            return;
        }
        self.life = None;
        self.snapshots.remove();
    }
}
