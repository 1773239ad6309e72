//! The two traits that a backend fills: a hypervisor, and a machine defined in it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::check_socket_path;
use crate::{ConsoleLine, DiskFault, Error, Lost, Snapshot};

/// Something that machines can be defined in: a libvirt connection, a program that starts
/// processes, a simulation.
///
/// # Writing a backend
/// 1. [`Hypervisor::define`] looks at the definition, reports what is wrong with it, and keeps
///    it. It starts nothing and leaves nothing behind that outlives the run directory.
/// 2. [`Machine::start`] makes a [`GuestPorts`](crate::GuestPorts) for the life that begins,
///    then starts the machine such that it *connects* to the two unix sockets of
///    [`Definition::endpoints`]: its console (a serial port) to one, its control port (a
///    virtio-serial port named `org.netprop.control`) to the other. Since the sockets listen
///    before the machine exists, no byte of it is lost, and since the machine's own process
///    holds the other ends, its death is seen at once as the end of the stream.
/// 3. The other methods of [`Machine`] say what they must do; [`Transition::check`] holds the
///    table of which of them a state permits.
/// 4. [`contract::check`](crate::contract::check) then says whether the backend is one.
///
/// `examples/own_backend.rs` does all this with a QEMU process for each machine.
pub trait Hypervisor: Send + Sync {
    /// Takes a machine's definition; the machine is off afterwards.
    ///
    /// # Errors
    /// [`Error::Definition`] where the definition cannot become a machine, as early as the
    /// backend can know; [`Error::PathTooLong`] where an endpoint cannot be a socket.
    fn define(&self, definition: &Definition) -> Result<Box<dyn Machine>, Error>;
}

/// What a hypervisor has to know of a machine.
#[derive(Clone, Debug)]
pub struct Definition {
    /// The name that messages call the machine by. What the hypervisor knows it by is in the XML,
    /// and only that has to be distinct.
    pub name: String,
    /// The machine in libvirt's domain XML, which is the lingua franca here: a backend that does
    /// not speak it takes from it what it can, or has definitions of its own.
    pub xml: String,
    /// The sockets that the machine connects to; the XML names the same two paths.
    pub endpoints: Endpoints,
}

/// The unix sockets between a machine and us: we listen, the machine connects.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoints {
    /// Where the machine's serial console connects to.
    pub console: PathBuf,
    /// Where the machine's control port connects to.
    pub control: PathBuf,
    /// The file that everything the console says is added to, over all lives of the machine.
    pub log: PathBuf,
}

impl Endpoints {
    /// The endpoints of the machine `name` with files in `directory`.
    ///
    /// # Errors
    /// [`Error::PathTooLong`] where the directory and the name are too long for a socket.
    pub fn new(directory: &Path, name: &str) -> Result<Self, Error> {
        let file = |ending: &str| directory.join(format!("{name}.{ending}"));
        let endpoints = Self { console: file("con"), control: file("ctl"), log: file("log") };
        endpoints.check()?;
        Ok(endpoints)
    }

    /// Checks that both paths are short enough for a socket.
    ///
    /// # Errors
    /// [`Error::PathTooLong`] names the one that is not.
    pub fn check(&self) -> Result<(), Error> {
        check_socket_path(&self.console)?;
        check_socket_path(&self.control)
    }
}

/// One virtual machine, from its definition to its end.
///
/// A machine lives, dies and lives again: each [`Machine::start`] begins a new life on the same
/// disks, with a fresh console text and no events of the life before. Dropping a machine ends
/// its life and its definition as [`Machine::undefine`] does, without a word about failures.
pub trait Machine: Send {
    /// The name from the definition.
    fn name(&self) -> &str;

    /// Begins a life: powers the machine on. Returns when its processor runs and both ports are
    /// connected, which is long before the guest is ready; [`boot`](crate::boot()) waits for that.
    ///
    /// # Errors
    /// [`Error::WrongState`] unless the machine is off, [`Error::PortTaken`] where a port that
    /// the definition forwards is in use (another one may succeed), [`Error::Refused`] with
    /// what the hypervisor said otherwise. The machine is off after any of them.
    fn start(&mut self) -> Result<(), Error>;

    /// Ends the life at once, as pulling the plug does: what the guest has not written to its
    /// disk is lost. When it returns the machine is off and its processes are gone.
    ///
    /// # Errors
    /// [`Error::WrongState`] where the machine is off already.
    fn power_cut(&mut self) -> Result<(), Error>;

    /// Presses the power button (ACPI) and waits until the guest has shut itself down.
    ///
    /// # Errors
    /// [`Error::WrongState`] unless the machine is running; [`Error::Limit`] where it still
    /// runs after `limit`, in which case it goes on running.
    fn shut_down(&mut self, limit: Duration) -> Result<(), Error>;

    /// Stops the processor; memory, devices and connections stay. The guest answers nothing
    /// until [`Machine::resume`].
    ///
    /// # Errors
    /// [`Error::WrongState`] unless the machine is running.
    fn suspend(&mut self) -> Result<(), Error>;

    /// Lets the processor go on where [`Machine::suspend`] stopped it.
    ///
    /// # Errors
    /// [`Error::WrongState`] unless the machine is suspended.
    fn resume(&mut self) -> Result<(), Error>;

    /// What the machine is doing. A machine that ended by itself is off.
    fn state(&self) -> State;

    /// The end of what the console said in this life, or in the last one where the machine is
    /// off: up to 256 KiB, line ends as `\n`, what is no UTF-8 replaced. The whole of it is in
    /// the file [`Endpoints::log`].
    fn console(&self) -> String;

    /// The same line by line, with when each began to come where the backend knows that; by default it
    /// does not.
    fn console_lines(&self) -> Vec<ConsoleLine> {
        let line = |text: &str| ConsoleLine { at: None, text: text.to_owned() };
        self.console().lines().map(line).collect()
    }

    /// The end of what the guest's services said in this life, or in the last one where the machine is
    /// off, up to 256 KiB: what the guest told of it in lines `log NAME TEXT` on the control port, as
    /// `NAME TEXT`, with when each came. Such lines are no [events](Machine::next_event), and nobody has to
    /// take them.
    fn journal_lines(&self) -> Vec<ConsoleLine>;

    /// Writes one line to the control port; the line's end is added. A suspended machine gets
    /// it when it resumes.
    ///
    /// # Errors
    /// [`Error::WrongState`] where the machine is off or has crashed, [`Error::Control`] where
    /// the port is gone or the guest takes nothing for five seconds.
    fn send(&mut self, line: &str) -> Result<(), Error>;

    /// Waits for what the guest does next, at most until `deadline`. What was already there is
    /// returned even where the deadline has passed.
    fn next_event(&mut self, deadline: Instant) -> Event;

    /// Keeps the machine as it is: its memory, its devices, and the disks that it writes to, for
    /// [`Machine::revert`]. The machine goes on, or stays suspended, as if nothing had been. Of a
    /// machine that is off the disks are kept. What is kept lies on the machine's disks, and goes when
    /// it is [forgotten](Machine::forget), the machine is undefined, or its disks are removed.
    ///
    /// A backend that cannot do so has what is here: it refuses.
    ///
    /// # Errors
    /// [`Error::WrongState`] where the machine has crashed; [`Error::NoSnapshots`] where the backend
    /// has none; [`Error::DiskFull`] where there is no room, or
    /// [`Error::Refused`] with what the hypervisor said. After an error the machine is as it was,
    /// and nothing is kept.
    fn save(&mut self) -> Result<Snapshot, Error> {
        Transition::Save.check(self.name(), self.state())?;
        Err(Error::NoSnapshots { machine: self.name().to_owned() })
    }

    /// Begins a life in which the machine is as it was saved, whatever it is doing now, and
    /// suspended, so that several machines can be put back before the first of them goes on. One that
    /// was saved while it was off is off afterwards, with its disks as they were.
    ///
    /// As in any new life the console's text begins afresh, and neither an event nor a line that was
    /// sent before comes after. A guest that was saved as it spoke may say the rest of the line.
    /// What leads out of the machine stays: its ports, its plug in a switch. The guest does not
    /// notice, so somebody has to tell it what time it is by now.
    ///
    /// A backend that cannot do so has what is here: it refuses.
    ///
    /// # Errors
    /// [`Error::ForeignSnapshot`] where this machine has no such snapshot and
    /// [`Error::NoSnapshots`] where the backend has none; the machine is as it was then.
    /// [`Error::PortTaken`] and [`Error::Refused`] as for [`Machine::start`]; it is off then.
    fn revert(&mut self, _snapshot: &Snapshot) -> Result<(), Error> {
        Err(Error::NoSnapshots { machine: self.name().to_owned() })
    }

    /// Takes what was saved off the machine's disks, whatever the machine is doing, which it goes on
    /// doing. It cannot be reverted to that any more.
    ///
    /// # Errors
    /// [`Error::ForeignSnapshot`] where this machine has no such snapshot, [`Error::NoSnapshots`]
    /// where the backend has none, and [`Error::Refused`] where it stays on the disks.
    fn forget(&mut self, _snapshot: &Snapshot) -> Result<(), Error> {
        Err(Error::NoSnapshots { machine: self.name().to_owned() })
    }

    /// Begins a life as [`Machine::start`] does, of a machine that is to be a template: other machines
    /// can begin from what it is when [`Machine::save_template`] is called. Its memory lies in a file
    /// of this directory.
    ///
    /// # Errors
    /// As for [`Machine::start`]; [`Error::NoSnapshots`] where the backend has no templates.
    fn start_template(&mut self, _directory: &Path) -> Result<(), Error> {
        Transition::Start.check(self.name(), self.state())?;
        Err(Error::NoSnapshots { machine: self.name().to_owned() })
    }

    /// Keeps in the directory that [`Machine::start_template`] was given what the machine is, its disks
    /// aside, and ends its life: nothing of its memory may change any more. The files there are all
    /// that [`Machine::start_from`] needs; they are not written through to the disk.
    ///
    /// # Errors
    /// [`Error::WrongState`] unless the machine is running or suspended, [`Error::NoSnapshots`] where
    /// it was not started for this, [`Error::File`] or [`Error::DiskFull`] where the directory cannot
    /// be written, and [`Error::Refused`] with what the hypervisor said. The machine is off after any
    /// of them but the first.
    fn save_template(&mut self, _directory: &Path) -> Result<(), Error> {
        Transition::SaveTemplate.check(self.name(), self.state())?;
        Err(Error::NoSnapshots { machine: self.name().to_owned() })
    }

    /// Begins a life in which the machine is what the template in this directory was, on its own disks
    /// and plugged in where its own definition says, and suspended. Both have to be defined alike, but
    /// for names, addresses, and what the host's end of each device is; a guest that had its disks in
    /// use will find others in their place.
    ///
    /// Machines that begin from one template share its memory until they write to it. The guest does
    /// not notice, so somebody has to tell it what time it is, and who it is now.
    ///
    /// # Errors
    /// As for [`Machine::start`]; [`Error::NoSnapshots`] where the backend has no templates;
    /// [`Error::Refused`] where the template does not fit. The machine is off after any of them.
    fn start_from(&mut self, _directory: &Path) -> Result<(), Error> {
        Transition::Start.check(self.name(), self.state())?;
        Err(Error::NoSnapshots { machine: self.name().to_owned() })
    }

    /// From now on, until another takes its place or the life ends, this is wrong with the disk that
    /// has this file in the definition. Requests that are under way are waited for. A new life begins
    /// healthy, and a machine that is reverted is so, whatever was wrong with it when it was saved.
    ///
    /// The guest has to see errors: a hypervisor that stops a machine instead has to be told, under
    /// libvirt by `error_policy='report'` on the disk's `<driver>`.
    ///
    /// A backend that cannot do so has what is here: it refuses.
    ///
    /// # Errors
    /// [`Error::WrongState`] unless the machine is running or suspended, [`Error::NoDiskFaults`] where
    /// the backend has none, [`Error::NoSuchDisk`], and [`Error::DiskFault`] with what the hypervisor
    /// said or what the definition lacks. The disk is as it was after any of them.
    fn set_disk_fault(&mut self, _disk: &Path, _fault: DiskFault) -> Result<(), Error> {
        Transition::ChangeDisk.check(self.name(), self.state())?;
        Err(Error::NoDiskFaults { machine: self.name().to_owned() })
    }

    /// Gives the disk a volatile cache for the rest of the life: what is on it now is kept, and of what
    /// the guest writes from now on everything that it flushes, while the rest is at the mercy of
    /// [`Machine::power_cut_losing`]. Any other end of the life loses nothing. A second call begins
    /// anew: it keeps all that was written so far, and gives back the room that the record of it took.
    ///
    /// A disk may write back what it holds at any time. This one does when the machine is suspended or
    /// saved and when what is wrong with the disk changes, and at no other time.
    ///
    /// # Errors
    /// As for [`Machine::set_disk_fault`].
    fn set_volatile(&mut self, _disk: &Path) -> Result<(), Error> {
        Transition::ChangeDisk.check(self.name(), self.state())?;
        Err(Error::NoDiskFaults { machine: self.name().to_owned() })
    }

    /// Ends the life as [`Machine::power_cut`] does, and has each volatile disk lose what it may: the
    /// writes since the guest's last flush that ended are dropped, kept though an earlier one is not,
    /// or torn into sectors of 512 bytes of which some survive, as [`Survival`](crate::Survival) says of
    /// this seed. What was flushed is there.
    ///
    /// From the last write that counts to the end no read or write ends any more, so that the guest can
    /// tell nobody of one that is lost without its being unflushed.
    ///
    /// # Errors
    /// [`Error::WrongState`] where the machine is off already; [`Error::NotVolatile`] where no disk is
    /// volatile, and the machine goes on; [`Error::DiskFault`] where the disk could not be made what it
    /// would be, which leaves it in no state to be used.
    fn power_cut_losing(&mut self, _seed: u64) -> Result<Lost, Error> {
        Transition::PowerCut.check(self.name(), self.state())?;
        Err(Error::NotVolatile { machine: self.name().to_owned() })
    }

    /// Ends the life, if there is one, and forgets the machine; its name is free afterwards.
    ///
    /// # Errors
    /// [`Error::Refused`] where the hypervisor would not; the machine is to be taken for lost.
    fn undefine(self: Box<Self>) -> Result<(), Error>;
}

/// What a machine is doing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum State {
    /// It does not run and holds no process.
    Off,
    /// Its processor runs.
    Running,
    /// Its processor stands still and can be resumed.
    Suspended,
    /// Its kernel has panicked; only its power can be cut.
    Crashed,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Off => "off",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Crashed => "crashed",
        })
    }
}

/// What a guest did, as [`Machine::next_event`] tells it.
///
/// Lines come before the panic or end that they preceded. `Panic` comes once in a life; `Ended`
/// is the last event of a life and is repeated for as long as the machine is off.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A line on the control port, without its end.
    Control(String),
    /// The kernel panicked; the text is what the console said about it.
    Panic(String),
    /// The machine is off: cut, shut down, or its process died.
    Ended,
    /// The deadline passed and nothing happened.
    Timeout,
}

/// A request that not every state permits.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Transition {
    /// [`Machine::start`].
    Start,
    /// [`Machine::power_cut`].
    PowerCut,
    /// [`Machine::shut_down`].
    ShutDown,
    /// [`Machine::suspend`].
    Suspend,
    /// [`Machine::resume`].
    Resume,
    /// [`Machine::send`].
    Send,
    /// [`Machine::save`].
    Save,
    /// [`Machine::revert`].
    Revert,
    /// [`Machine::save_template`].
    SaveTemplate,
    /// [`Machine::set_disk_fault`] and [`Machine::set_volatile`].
    ChangeDisk,
}

impl Transition {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Start,
        Self::PowerCut,
        Self::ShutDown,
        Self::Suspend,
        Self::Resume,
        Self::Send,
        Self::Save,
        Self::Revert,
        Self::SaveTemplate,
        Self::ChangeDisk,
    ];

    /// Whether a machine in `state` takes this request.
    #[must_use]
    pub fn permitted(self, state: State) -> bool {
        match self {
            Self::Start => state == State::Off,
            Self::PowerCut => state != State::Off,
            Self::ShutDown | Self::Suspend => state == State::Running,
            Self::Resume => state == State::Suspended,
            Self::Send | Self::SaveTemplate | Self::ChangeDisk => {
                matches!(state, State::Running | State::Suspended)
            }
            Self::Save => state != State::Crashed,
            Self::Revert => true,
        }
    }

    /// Refuses the request where the state does not permit it.
    ///
    /// # Errors
    /// [`Error::WrongState`] naming `machine`.
    pub fn check(self, machine: &str, state: State) -> Result<(), Error> {
        if self.permitted(state) {
            Ok(())
        } else {
            Err(Error::WrongState { machine: machine.to_owned(), transition: self, state })
        }
    }
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Start => "start",
            Self::PowerCut => "cut the power of",
            Self::ShutDown => "shut down",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Send => "send a line to",
            Self::Save => "save",
            Self::Revert => "revert",
            Self::SaveTemplate => "save as a template",
            Self::ChangeDisk => "change a disk of",
        })
    }
}
