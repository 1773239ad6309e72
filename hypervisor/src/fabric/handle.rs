//! What callers hold of a fabric, and what they share with its thread.

use std::collections::{BTreeMap, HashMap};
use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};

use super::FabricConfig;
use super::capture::{Capture, Recorder};
use super::counts::Counts;
use super::effect::Effect;
use super::engine::{self, Engine};
use super::rules::{Rule, RuleGuard, RuleId};
use super::state::FabricState;
use super::world::World;
use crate::Error;
use crate::error::check_length;
use crate::run::{Access, RunDirectory};
use crate::switch::PATH_MAX;

/// A running switch. Dropping it ends it, and unplugs everybody.
///
/// [`Switch::fabric`](crate::Switch::fabric) is the same where any switch will do.
#[derive(Debug)]
pub struct Fabric {
    name: String,
    path: PathBuf,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<io::Result<()>>>,
    _run: RunDirectory,
}

/// What callers and the fabric's thread share.
#[derive(Debug)]
pub(super) struct Shared {
    world: Mutex<World>,
    /// How many callers wait for the lock: the thread, which has it nearly always under load, lets
    /// them go first.
    waiting: AtomicUsize,
    pub(super) epoll: Arc<OwnedFd>,
    pub(super) timer: Arc<OwnedFd>,
    stop: OwnedFd,
}

impl Shared {
    fn new(name: &str, config: &FabricConfig, failed: impl Fn(io::Error) -> Error) -> Result<Self, Error> {
        let system = |errno: Errno| failed(errno.into());
        let epoll = Arc::new(epoll::create(CreateFlags::CLOEXEC).map_err(system)?);
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = Arc::new(timerfd_create(TimerfdClockId::Monotonic, flags).map_err(system)?);
        let stop = eventfd(0, EventfdFlags::CLOEXEC).map_err(system)?;
        let world = World::new(name, config, Arc::clone(&epoll), Arc::clone(&timer))?;
        Ok(Self { world: Mutex::new(world), waiting: AtomicUsize::new(0), epoll, timer, stop })
    }

    /// The world, for a caller.
    fn lock(&self) -> MutexGuard<'_, World> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        world
    }

    /// The world, for the fabric's own thread.
    pub(super) fn enter(&self) -> MutexGuard<'_, World> {
        /// A caller that does not get a processor meanwhile does not hold up everybody.
        const YIELDS: usize = 100;
        for _ in 0..YIELDS {
            if self.waiting.load(Ordering::SeqCst) == 0 {
                break;
            }
            std::thread::yield_now();
        }
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the rules, or nothing where that fails.
    pub(super) fn change(&self, change: impl FnOnce(&mut World) -> Result<(), Error>) -> Result<(), Error> {
        let mut world = self.lock();
        change(&mut world)?;
        world.apply_rules();
        Ok(())
    }

    /// Ends the capture, if it is still this one.
    pub(super) fn end_capture(&self, id: u64) -> io::Result<()> {
        let mut world = self.lock();
        let recorder = world.recorder.take_if(|recorder| recorder.id == id);
        // Whoever writes to a slow disk does so without the lock.
        drop(world);
        recorder.map_or(Ok(()), Recorder::finish)
    }
}

impl Fabric {
    /// Starts a fabric whose control directory lies in the run directory, as that of
    /// [`Switch::vde`](crate::Switch::vde) does; clients can join when it returns.
    ///
    /// # Errors
    /// [`Error::PortName`], [`Error::PortAddress`] or [`Error::NoSuchPort`] where a name or an address
    /// cannot be used, [`Error::PathTooLong`] where its sockets
    /// would not fit, and [`Error::SwitchStart`].
    pub fn start(
        run: &RunDirectory,
        name: &str,
        access: Access,
        config: &FabricConfig,
    ) -> Result<Self, Error> {
        let path = run.path().join(format!("{name}.vde"));
        check_length(&path, PATH_MAX)?;
        let failed =
            |error: io::Error| Error::SwitchStart { name: name.to_owned(), message: error.to_string() };
        let shared = Arc::new(Shared::new(name, config, failed)?);
        let listener = listen(&path, access).map_err(failed)?;
        match begin(&shared, listener, &path, access) {
            Ok(thread) => {
                Ok(Self { name: name.to_owned(), path, shared, thread: Some(thread), _run: run.clone() })
            }
            Err(error) => {
                let _ = std::fs::remove_dir_all(&path);
                Err(failed(error))
            }
        }
    }

    /// What messages call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its control directory, for `-netdev vde,sock=`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says so where it has ended, which it does by itself only where the system fails it.
    ///
    /// # Errors
    /// [`Error::SwitchDied`].
    pub fn check(&self) -> Result<(), Error> {
        if self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return Ok(());
        }
        let message = "its thread is gone".to_owned();
        Err(Error::SwitchDied { name: self.name.clone(), path: self.path.clone(), message })
    }

    /// Has these rules hold, all from the same moment on, until the guard is dropped.
    ///
    /// # Errors
    /// [`Error::NoSuchPort`], after which nothing has changed.
    pub fn apply(&self, rules: &[Rule]) -> Result<RuleGuard, Error> {
        let mut id = None;
        self.shared.change(|world| {
            let new = world.rules.next_id();
            id = Some(new);
            world.rules.put(new, rules, &world.names, &world.name)
        })?;
        let id = id.unwrap_or_else(|| unreachable!("a change that succeeds has given it an id"));
        Ok(RuleGuard { id, fabric: Arc::downgrade(&self.shared) })
    }

    /// A guard for rules that are in effect, as after [`RuleGuard::keep`] or [`Fabric::restore`];
    /// none where they are not.
    #[must_use]
    pub fn guard(&self, id: RuleId) -> Option<RuleGuard> {
        let known = self.shared.lock().rules.all.contains_key(&id);
        known.then(|| RuleGuard { id, fabric: Arc::downgrade(&self.shared) })
    }

    /// Takes all rules back at one moment, whoever has guards for them.
    pub fn heal(&self) {
        let mut world = self.shared.lock();
        world.rules.all.clear();
        world.apply_rules();
    }

    /// What becomes of a frame from one port to another by the rules that hold now.
    ///
    /// # Errors
    /// [`Error::NoSuchPort`].
    pub fn effect(&self, from: &str, to: &str) -> Result<Effect, Error> {
        let world = self.shared.lock();
        let place = |name| world.names.place(&world.name, name);
        Ok(world.links.effect(place(from)?, place(to)?))
    }

    /// What became of the frames from one port to another.
    ///
    /// # Errors
    /// [`Error::NoSuchPort`].
    pub fn counts(&self, from: &str, to: &str) -> Result<Counts, Error> {
        let mut world = self.shared.lock();
        let place = |name| world.names.place(&world.name, name);
        let (from, to) = (place(from)?, place(to)?);
        Ok(world.links.get(from, to).counts)
    }

    /// What became of the frames of all pairs that had any: from, to, and the counts.
    #[must_use]
    pub fn all_counts(&self) -> Vec<(String, String, Counts)> {
        let world = self.shared.lock();
        let used = world.links.iter().filter(|(_, _, link)| link.counts != Counts::default());
        let name = |place| world.names.name(place).to_owned();
        used.map(|(from, to, link)| (name(from), name(to), link.counts)).collect()
    }

    /// How often a port has sent what is no Ethernet frame that can be forwarded.
    ///
    /// # Errors
    /// [`Error::NoSuchPort`].
    pub fn malformed(&self, port: &str) -> Result<u64, Error> {
        let world = self.shared.lock();
        Ok(world.malformed[world.names.place(&world.name, port)?])
    }

    /// The ports that somebody is plugged into, in the order of their numbers.
    #[must_use]
    pub fn plugged(&self) -> Vec<String> {
        let world = self.shared.lock();
        let ports = world.ports.iter().enumerate().filter(|(_, port)| port.is_some());
        ports.map(|(place, _)| world.names.name(place).to_owned()).collect()
    }

    /// Puts the fabric back to its start, for a network that is put back to its own: no rules, no
    /// counts, no frames in flight or unread, no addresses learned, and the next frame of each class
    /// is the first. Who is plugged in stays so, and a capture goes on.
    ///
    /// What a client has not read yet of its own socket stays there.
    pub fn reset(&self) {
        self.shared.lock().reset();
    }

    /// As [`Fabric::reset`], with another seed from then on: for a case that has its own.
    pub fn reset_to(&self, seed: u64) {
        let mut world = self.shared.lock();
        world.reset();
        world.reseed(seed);
    }

    /// What the fabric is now, for [`Fabric::restore`].
    #[must_use]
    pub fn state(&self) -> FabricState {
        self.shared.lock().state()
    }

    /// Puts the fabric back to what it was when [`Fabric::state`] was asked for that, its seed too, as
    /// [`Fabric::reset`] does to its start. Guards of rules that have come since hold nothing any
    /// more; those of rules that were in effect then hold them again, and where there are none any
    /// more, [`Fabric::guard`] has new ones. Frames that were in flight then count as unplugged.
    ///
    /// # Errors
    /// [`Error::ForeignFabricState`] where it is of a fabric with other names.
    pub fn restore(&self, state: &FabricState) -> Result<(), Error> {
        self.shared.lock().restore(state)
    }

    /// Writes everything that goes through the fabric from now on to a file that Wireshark reads
    /// (pcapng), until the capture is finished or dropped: each frame that comes in, on the interface
    /// of its port, with what rules do to it, and each that a port is given, on that port's. There is
    /// one capture at a time; another one ends it.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::DiskFull`] where the file cannot be made.
    pub fn capture(&self, path: &Path) -> Result<Capture, Error> {
        static CAPTURES: AtomicUsize = AtomicUsize::new(0);
        let id = CAPTURES.fetch_add(1, Ordering::Relaxed) as u64;
        let file = File::create(path).map_err(Error::file("make the capture", path))?;
        let names = self.shared.lock().names.clone();
        let recorder = Recorder::new(id, file, &names).map_err(Error::file("write the capture", path))?;
        let before = self.shared.lock().recorder.replace(recorder);
        drop(before);
        Ok(Capture { path: path.to_owned(), id, fabric: Arc::downgrade(&self.shared) })
    }

    /// Writes a line into the capture, if there is one, at this moment: what fault begins, what
    /// command was given. All that came before is in the file then.
    pub fn annotate(&self, text: &str) {
        if let Some(recorder) = &mut self.shared.lock().recorder {
            recorder.annotate(text);
            recorder.flush();
        }
    }
}

impl Drop for Fabric {
    fn drop(&mut self) {
        let _ = rustix::io::write(&self.shared.stop, &1_u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            match thread.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(name = self.name, %error, "a fabric had ended"),
                Err(_) => tracing::warn!(name = self.name, "a fabric had panicked"),
            }
        }
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Makes the control directory, and listens in it.
fn listen(path: &Path, access: Access) -> io::Result<UnixListener> {
    // Clients make their sockets in it; of others' they may remove none.
    let (directory, socket) = match access {
        Access::Owner => (0o700, 0o600),
        Access::Everybody => (0o1777, 0o666),
    };
    DirBuilder::new().mode(0o700).create(path)?;
    let listen = || {
        let control = path.join("ctl");
        let listener = UnixListener::bind(&control)?;
        listener.set_nonblocking(true)?;
        std::fs::set_permissions(&control, PermissionsExt::from_mode(socket))?;
        std::fs::set_permissions(path, PermissionsExt::from_mode(directory))?;
        Ok(listener)
    };
    listen().inspect_err(|_| drop(std::fs::remove_dir_all(path)))
}

/// Begins to serve.
fn begin(
    shared: &Arc<Shared>,
    listener: UnixListener,
    path: &Path,
    access: Access,
) -> io::Result<JoinHandle<io::Result<()>>> {
    let told = |token| EventData::new_u64(token);
    epoll::add(&*shared.epoll, &listener, told(engine::LISTENER), EventFlags::IN)?;
    epoll::add(&*shared.epoll, &*shared.timer, told(engine::TIMER), EventFlags::IN)?;
    epoll::add(&*shared.epoll, &shared.stop, told(engine::STOP), EventFlags::IN)?;
    let engine = Engine {
        shared: Arc::clone(shared),
        listener,
        directory: path.to_owned(),
        access,
        asking: BTreeMap::new(),
        served: HashMap::new(),
        connected: 0,
        plugged: 0,
        closed_until: None,
        buffer: engine::buffer(),
    };
    std::thread::Builder::new().name("fabric".to_owned()).spawn(move || engine.run())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_can_share_a_fabric() {
        fn is_shared<T: Send + Sync>() {}
        is_shared::<Fabric>();
        is_shared::<RuleGuard>();
        is_shared::<Capture>();
    }
}
