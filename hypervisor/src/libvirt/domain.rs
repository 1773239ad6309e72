//! One machine under libvirt: a transient domain for each life.

use std::sync::Arc;
use std::time::{Duration, Instant};

use virt::domain::Domain;
use virt::error::Error as VirtError;
use virt::sys;

use super::reaper::{Adoption, Reaper};
use super::{Session, message};
use crate::Error;
use crate::guest_ports::GuestPorts;
use crate::machine::{Definition, Event, Machine, State, Transition};

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
    life: Option<Life>,
    /// What libvirt calls it.
    domain: String,
    definition: Definition,
    session: Arc<Session>,
}

#[derive(Debug)]
struct Life {
    domain: Domain,
    ports: GuestPorts,
    reaper: Option<Reaper>,
    suspended: bool,
}

impl LibvirtMachine {
    pub(super) fn new(session: Arc<Session>, definition: Definition, domain: String) -> Self {
        Self { life: None, domain, definition, session }
    }

    /// Has libvirt start a domain once it has forgotten the last one of this name.
    ///
    /// Where a process ends by itself while its domain is destroyed, libvirt says of the domain
    /// that there is none shortly before it takes it out of its list, and only a start that fails
    /// tells whether it has.
    fn create(&self) -> Result<(Domain, Option<Reaper>), VirtError> {
        let deadline = Instant::now() + FORGETS;
        loop {
            match self.create_once() {
                Err(error) if is_about_a_namesake(error.message()) && Instant::now() < deadline => {
                    std::thread::sleep(AGAIN);
                }
                created => return created,
            }
        }
    }

    /// Has libvirt start a domain, which it destroys when the connection closes where it can.
    fn create_once(&self) -> Result<(Domain, Option<Reaper>), VirtError> {
        let create = |flags| self.session.connection.create_domain_xml(&self.definition.xml, flags);
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
        if action == Transition::Start && is_about_a_port(&message) {
            return Error::PortTaken { machine, message };
        }
        Error::Refused { action, machine, message }
    }

    /// The life that permits this, or the error that says why there is none.
    fn life(&mut self, transition: Transition) -> Result<&mut Life, Error> {
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
    fn end(&mut self, action: Transition) -> Result<(), Error> {
        let Some(life) = &mut self.life else { return Ok(()) };
        if let Some(reaper) = life.reaper.take() {
            reaper.kill(life.ports.process().as_deref());
        }
        match life.domain.destroy() {
            Ok(()) => {}
            // It ended by itself meanwhile: there is no such domain then, or it is not running.
            Err(_) if life.ports.wait_ended(Instant::now()) => {}
            Err(error) => return Err(self.refused(action, &error)),
        }
        if life.ports.wait_ended(Instant::now() + ENDS) {
            Ok(())
        } else {
            Err(Error::Limit { action, machine: self.definition.name.clone(), limit: ENDS })
        }
    }
}

/// Whether QEMU could not have a port that it was to forward.
fn is_about_a_port(message: &str) -> bool {
    message.contains("Could not set up host forwarding rule") || message.contains("Address already in use")
}

/// Whether libvirt still had a domain of this name or uuid.
fn is_about_a_namesake(message: &str) -> bool {
    ["already exists with uuid", "is already being started", "is already active as"]
        .iter()
        .any(|words| message.contains(words))
}

impl Machine for LibvirtMachine {
    fn name(&self) -> &str {
        &self.definition.name
    }

    fn start(&mut self) -> Result<(), Error> {
        Transition::Start.check(&self.definition.name, self.state())?;
        // libvirt may not have noticed the end of the last life yet, and would refuse a second.
        self.end(Transition::Start)?;
        self.life = None;
        let ports = GuestPorts::listen(&self.definition.name, &self.definition.endpoints)?;
        let (domain, reaper) = self.create().map_err(|error| self.refused(Transition::Start, &error))?;
        let connected = ports.wait_connected(CONNECTS);
        let reaper = reaper.or_else(|| ports.process().and_then(Reaper::of_process));
        self.life = Some(Life { domain, ports, reaper, suspended: false });
        if connected.is_err() {
            self.end(Transition::Start)?;
        }
        connected
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

    fn send(&mut self, line: &str) -> Result<(), Error> {
        self.life(Transition::Send)?.ports.send(line)
    }

    fn next_event(&mut self, deadline: Instant) -> Event {
        self.life.as_ref().map_or(Event::Ended, |life| life.ports.next_event(deadline))
    }

    fn undefine(mut self: Box<Self>) -> Result<(), Error> {
        self.end(Transition::PowerCut)?;
        self.life = None;
        Ok(())
    }
}

impl Drop for LibvirtMachine {
    fn drop(&mut self) {
        if let Err(error) = self.end(Transition::PowerCut) {
            tracing::warn!(%error, "a machine was not ended");
        }
    }
}
