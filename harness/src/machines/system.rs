//! Cases on real machines, of any model whose states have a network in them.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use model::machines::Command;
use model::{MachineId, MachineSpec, Model, Network, Outcome};

use crate::lanes::Lanes;
use crate::machines::lab::{Boots, Lab, SwitchChoice};
use crate::machines::live::LiveNetwork;
use crate::machines::room::{Entered, Room};
use crate::machines::warm::Begin;
use crate::machines::{give, host};
use crate::moments::{Moment, Moments};
use crate::system::{Console, Cost, Purpose, System, SystemError};

/// So many networks rest at most: what is saved of each takes as much of the disk as its machines
/// have memory.
const MOST_RESTING: usize = 8;

/// A model of networks of machines: its states have a network in them, and maybe more, and its
/// commands go to that network. [`MachineSystem::of`] runs its cases on real machines.
pub trait OnMachines: Model<Command: Send + Sync, Response: Send + Sync> + Sync {
    /// The network that a state has in it: its machines, and which of them are on.
    fn network(state: &Self::State) -> &Network;

    /// Brings about what a state has beside its network, once the network is there: a case begins
    /// then. By default there is nothing.
    ///
    /// # Errors
    /// [`SystemError`] where that fails.
    fn begin(_live: &LiveNetwork<'_>, _state: &Self::State) -> Result<(), SystemError> {
        Ok(())
    }

    /// Gives the network a command and waits for the outcome. Several lanes do so at once.
    ///
    /// # Errors
    /// [`SystemError`] where what failed is not the network.
    fn give(live: &LiveNetwork<'_>, command: &Self::Command) -> Result<Outcome<Self::Response>, SystemError>;

    /// The machine on which something is run for the command: a lane opens a session to it before it
    /// begins.
    fn runs_on(_command: &Self::Command) -> Option<&MachineId> {
        None
    }
}

impl OnMachines for MachineSpec {
    fn network(network: &Network) -> &Network {
        network
    }

    fn give(live: &LiveNetwork<'_>, command: &Command) -> Result<Outcome<Self::Response>, SystemError> {
        give::give(live, command)
    }

    fn runs_on(command: &Command) -> Option<&MachineId> {
        command.runs_on()
    }
}

/// Networks of real machines, made in a [`Lab`], or put back to their start where the lab says so and
/// an earlier case had the same machines.
///
/// Each waits until the host has room for it beside those that are there
/// ([`System::can_create_new_sut`], or [`System::new_sut`] by itself): a specification of one's own
/// whose cases run side by side makes its networks by this system too.
pub struct MachineSystem<'lab, M = MachineSpec> {
    model: PhantomData<fn(&M)>,
    lab: &'lab Lab,
    /// What is there, and what rests to be put back.
    room: Room<LiveNetwork<'lab>>,
    /// What threads that are about to make a network have room for.
    entered: Mutex<HashMap<ThreadId, Entered<LiveNetwork<'lab>>>>,
    put_back: AtomicU64,
    went_back: AtomicU64,
}

impl<M> fmt::Debug for MachineSystem<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MachineSystem").field("put_back", &self.put_back).finish_non_exhaustive()
    }
}

impl<'lab> MachineSystem<'lab> {
    /// Makes networks with what the lab has, for cases of [`MachineSpec`].
    #[must_use]
    pub fn new(lab: &'lab Lab) -> Self {
        Self::of(lab)
    }
}

impl<'lab, M> MachineSystem<'lab, M> {
    /// Makes networks with what the lab has, for cases of the model `M`.
    #[must_use]
    pub fn of(lab: &'lab Lab) -> Self {
        let room = Room::new(host::room(lab.options.overcommit), MOST_RESTING, &lab.stop);
        Self {
            model: PhantomData,
            lab,
            room,
            entered: Mutex::default(),
            put_back: AtomicU64::new(0),
            went_back: AtomicU64::new(0),
        }
    }

    /// How many networks were put back so far, and not made.
    #[must_use]
    pub fn put_back(&self) -> u64 {
        self.put_back.load(Ordering::Relaxed)
    }

    /// How many networks were put back so far to what they were in the middle of a case.
    #[must_use]
    pub fn went_back(&self) -> u64 {
        self.went_back.load(Ordering::Relaxed)
    }

    /// Waits for room for a network, or for one that rests and can be it, best at one of these moments.
    fn enter(&self, network: &Network, wanted: &[Moment]) -> Result<Entered<LiveNetwork<'lab>>, SystemError> {
        let load = if matches!(self.lab.options.switch, SwitchChoice::Existing(_)) {
            // Networks on one switch would see each other.
            host::EVERYTHING
        } else {
            host::load(network)
        };
        let entered = self.room.enter_best(load, &self.lab.stop, |resting| {
            resting.can_be(network).then(|| resting.first_of(wanted).unwrap_or(wanted.len()))
        });
        entered.ok_or(SystemError::Stopped)
    }

    /// Waits for the same, and keeps it for the call on this thread that makes the network.
    fn enter_first(&self, network: &Network, wanted: &[Moment]) -> Result<(), SystemError> {
        if !self.lab.options.overcommit {
            host::check(network)?;
        }
        // What an earlier call was given and nobody has made goes first: it would be waited for.
        drop(self.take_entered());
        let entered = self.enter(network, wanted)?;
        self.put_entered(entered);
        Ok(())
    }

    fn put_entered(&self, entered: Entered<LiveNetwork<'lab>>) {
        let mut all = self.entered.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(thread::current().id(), entered);
    }

    /// What this thread has waited for before.
    fn take_entered(&self) -> Option<Entered<LiveNetwork<'lab>>> {
        let mut entered = self.entered.lock().unwrap_or_else(PoisonError::into_inner);
        entered.remove(&thread::current().id())
    }

    /// A network that rested, put back to the start of a case on this one, if it still can be.
    fn again(&self, resting: LiveNetwork<'lab>, network: &Network) -> Option<LiveNetwork<'lab>> {
        match resting.put_back(network) {
            Ok(()) => {
                self.put_back.fetch_add(1, Ordering::Relaxed);
                Some(resting)
            }
            Err(error) => {
                if !matches!(error, SystemError::Stopped) {
                    self.lab.warn(&format!("a network could not be put back to its start: {error}"));
                }
                None
            }
        }
    }
}

/// Has a network that somebody panicked on not be used again: nobody knows what it is by now.
struct SpoiledByPanic<'a, 'lab>(&'a LiveNetwork<'lab>);

impl Drop for SpoiledByPanic<'_, '_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.shared.spoil();
        }
    }
}

/// Takes note of a failure that leaves it open what the network is by now.
fn noted<T>(live: &LiveNetwork<'_>, result: Result<T, SystemError>) -> Result<T, SystemError> {
    if result.is_err() {
        live.shared.spoil();
    }
    result
}

impl<'lab, M: OnMachines> System<M> for MachineSystem<'lab, M> {
    type Sut = LiveNetwork<'lab>;

    fn can_create_new_sut(&self, state: &M::State) -> Result<(), SystemError> {
        self.enter_first(M::network(state), &[])
    }

    fn new_sut(&self, state: &M::State) -> Result<LiveNetwork<'lab>, SystemError> {
        self.new_sut_for(state, Purpose::Search)
    }

    fn new_sut_for(&self, state: &M::State, purpose: Purpose) -> Result<LiveNetwork<'lab>, SystemError> {
        let network = M::network(state);
        let begin = match (self.lab.options.boots, purpose) {
            (Boots::Cold, _) | (_, Purpose::Confirm) => Begin::Cold,
            (Boots::Auto, Purpose::Search) => Begin::Known,
            (Boots::Auto, Purpose::Rerun) | (Boots::Warm, Purpose::Search | Purpose::Rerun) => Begin::Kept,
        };
        let entered = self.take_entered().map_or_else(|| self.enter(network, &[]), Ok)?;
        let (resting, permit) = match entered {
            Entered::New(permit) => (None, permit),
            Entered::Again(resting, permit) => (Some(resting), permit),
        };
        // Where it is not to be used it is taken down: what it takes of the host is the new one's.
        let again = resting.filter(|_| begin == Begin::Kept);
        let again = again.and_then(|resting| self.again(resting, network));
        let mut live = match again {
            Some(live) => live,
            None => LiveNetwork::create_so(self.lab, network, begin)?,
        };
        live.permit = Some(permit);
        let begun = M::begin(&live, state);
        noted(&live, begun)?;
        live.capture = self.lab.capture(live.shared.fabric())?;
        Ok(live)
    }

    fn is_reused(&self, live: &LiveNetwork<'lab>) -> bool {
        live.is_reused()
    }

    fn moments(&self) -> Option<&dyn Moments<M, LiveNetwork<'lab>>> {
        if self.lab.options.boots == Boots::Cold { None } else { Some(self) }
    }

    fn destroy_sut(&self, mut live: LiveNetwork<'lab>) -> Result<(), SystemError> {
        live.capture = None;
        if live.is_sound()
            && live.rest().is_ok()
            && let Some(permit) = live.permit.take()
        {
            self.room.rest(live, permit);
        }
        Ok(())
    }

    fn consoles(&self, live: &LiveNetwork<'lab>) -> Vec<Console> {
        let network = live.network();
        let said = network.machines().iter().filter_map(|machine| live.said(&machine.id).ok()).flatten();
        said.filter(|console| !console.lines.is_empty()).collect()
    }

    fn prepare(&self, states: &mut dyn Iterator<Item = M::State>) {
        self.lab.build_ahead(states.map(|state| M::network(&state).clone()).collect());
    }

    fn cost(&self, state: &M::State) -> Cost {
        Cost(self.lab.missing(M::network(state)) as u64)
    }

    fn run(
        &self,
        live: &mut LiveNetwork<'lab>,
        command: &M::Command,
    ) -> Result<Outcome<M::Response>, SystemError> {
        let _spoiled = SpoiledByPanic(live);
        let outcome = M::give(live, command);
        noted(live, outcome)
    }

    fn run_lanes(&self, live: &mut LiveNetwork<'lab>, lanes: &Lanes<'_, M>) -> Result<(), SystemError> {
        let live = &*live;
        let ran = lanes.run(|lane| {
            let machines: BTreeSet<_> = lanes.commands(lane).iter().filter_map(M::runs_on).collect();
            machines.into_iter().try_for_each(|id| live.connect(id))?;
            Ok(|command: &M::Command| {
                let _spoiled = SpoiledByPanic(live);
                M::give(live, command)
            })
        });
        noted(live, ran)
    }
}

impl<'lab, M: OnMachines> Moments<M, LiveNetwork<'lab>> for MachineSystem<'lab, M> {
    fn save(&self, live: &mut LiveNetwork<'lab>, age: Duration) -> Result<Option<Moment>, SystemError> {
        let moment = live.save_moment(age);
        noted(live, moment)
    }

    fn can_go_back(&self, state: &M::State, wanted: &[Moment]) -> Result<(), SystemError> {
        self.enter_first(M::network(state), wanted)
    }

    fn go_back(
        &self,
        state: &M::State,
        wanted: &[Moment],
    ) -> Result<Option<(LiveNetwork<'lab>, Moment)>, SystemError> {
        let network = M::network(state);
        let (mut live, permit) = match self.take_entered() {
            Some(Entered::Again(live, permit)) => (live, permit),
            Some(entered) => {
                self.put_entered(entered);
                return Ok(None);
            }
            None => return Ok(None),
        };
        let Some(moment) = live.first_of(wanted).map(|index| wanted[index].clone()) else {
            self.put_entered(Entered::Again(live, permit));
            return Ok(None);
        };
        if let Err(error) = live.go_back_to(network, &moment) {
            self.lab.warn(&format!("a network could not be put back to the middle of a case: {error}"));
            drop(live);
            self.put_entered(Entered::New(permit));
            return Ok(None);
        }
        self.went_back.fetch_add(1, Ordering::Relaxed);
        live.permit = Some(permit);
        Ok(Some((live, moment)))
    }
}
