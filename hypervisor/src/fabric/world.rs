//! The whole state of a fabric, and its changes at one moment.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};

use super::addresses::Addresses;
use super::capture::Recorder;
use super::flights::Flights;
use super::link::Links;
use super::names::{Names, Place};
use super::port::Port;
use super::rules::Rules;
use super::state::FabricState;
use super::{FabricConfig, PORTS};
use crate::Error;

/// Everything that changes. Whoever holds its lock sees the whole network at one moment.
#[derive(Debug)]
pub(super) struct World {
    pub(super) name: String,
    pub(super) seed: u64,
    pub(super) names: Names,
    pub(super) ports: Vec<Option<Port>>,
    /// Which of them there are.
    pub(super) plugged: Vec<Place>,
    /// What came in at each port and is no frame.
    pub(super) malformed: Vec<u64>,
    pub(super) addresses: Addresses,
    pub(super) links: Links,
    pub(super) flights: Flights,
    pub(super) rules: Rules,
    pub(super) recorder: Option<Recorder>,
    pub(super) epoll: Arc<OwnedFd>,
    timer: Arc<OwnedFd>,
    /// When the timer goes off.
    armed: Option<Instant>,
}

impl World {
    /// One that nobody is plugged into yet, told by this epoll and timer.
    pub(super) fn new(
        name: &str,
        config: &FabricConfig,
        epoll: Arc<OwnedFd>,
        timer: Arc<OwnedFd>,
    ) -> Result<Self, Error> {
        let names = Names::new(name, &config.names)?;
        let addresses = Addresses::new(&names, name, &config.addresses)?;
        Ok(Self {
            name: name.to_owned(),
            seed: config.seed,
            names,
            ports: (0..PORTS).map(|_| None).collect(),
            plugged: Vec::new(),
            malformed: vec![0; PORTS],
            addresses,
            links: Links::new(),
            flights: Flights::new(),
            rules: Rules::default(),
            recorder: None,
            epoll,
            timer,
            armed: None,
        })
    }

    /// The port that a client gets that asks for this number; none where it cannot have it.
    pub(super) fn free(&self, number: Option<u32>) -> Option<Place> {
        match number {
            Some(number) => {
                let place = usize::try_from(number).ok()?.checked_sub(1)?;
                (place < PORTS && self.ports[place].is_none()).then_some(place)
            }
            None => (0..PORTS).find(|&place| self.ports[place].is_none() && !self.names.is_given(place)),
        }
    }

    pub(super) fn plug(&mut self, place: Place, port: Port) {
        self.ports[place] = Some(port);
        self.plugged.push(place);
        self.plugged.sort_unstable();
    }

    pub(super) fn unplug(&mut self, place: Place) {
        let Some(port) = self.ports[place].take() else { return };
        self.plugged.retain(|&plugged| plugged != place);
        self.addresses.forget(place);
        for queued in &port.queue {
            self.links.get(queued.from, place).counts.unplugged.add(queued.frame.len());
        }
    }

    /// Has the timer go off when the next frame is due.
    pub(super) fn arm(&mut self) {
        let next = self.flights.next_due();
        if next == self.armed {
            return;
        }
        // A time of nothing would turn the timer off.
        let left = next.map_or(Duration::ZERO, |next| {
            next.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1))
        });
        let time = |time: Duration| Timespec::try_from(time).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        let timer = Itimerspec { it_interval: time(Duration::ZERO), it_value: time(left) };
        if timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &timer).is_ok() {
            self.armed = next;
        }
    }

    /// Notes that the timer went off.
    pub(super) fn went_off(&mut self) {
        self.armed = None;
    }

    /// Has the rules that there are now hold for everything, frames in flight too: those that meet a
    /// cut are gone, and none takes longer than one that is sent now.
    pub(super) fn apply_rules(&mut self) {
        let effects = self.rules.effects(&self.names);
        for &(from, to) in effects.keys() {
            self.links.get(from, to);
        }
        let now = Instant::now();
        let mut changed = vec![vec![false; PORTS]; PORTS];
        for (from, to, link) in self.links.iter_mut() {
            let effect = effects.get(&(from, to)).copied().unwrap_or_default();
            if link.effect == effect {
                continue;
            }
            if effect.rate.is_none() {
                link.free = None;
                changed[from][to] = true;
                link.last_due = link.last_due.map(|due| due.min(now + effect.longest()));
            }
            link.effect = effect;
        }
        let links = &self.links;
        let cut = self.flights.take_where(|flight| links.effect(flight.from, flight.to).cut);
        self.flights.hurry(
            |flight| !flight.held && changed[flight.from][flight.to],
            |flight| now + links.effect(flight.from, flight.to).longest(),
        );
        for (due, flight) in cut {
            self.cut(flight.from, flight.to, &flight.frame);
            let link = self.links.get(flight.from, flight.to);
            if flight.held {
                link.held.retain(|&held| held != due);
            } else {
                link.delayed -= 1;
            }
        }
        for to in self.plugged.clone() {
            let Some(port) = &mut self.ports[to] else { continue };
            let links = &self.links;
            for queued in port.take_queued(|queued| links.effect(queued.from, to).cut) {
                self.cut(queued.from, to, &queued.frame);
            }
        }
        self.advance(now);
        self.arm();
    }

    /// Drops every frame that is on its way, without a trace in the counts.
    pub(super) fn drop_frames(&mut self) {
        let mut buffer = [0];
        for port in self.ports.iter_mut().flatten() {
            port.take_queued(|_| true);
            // What clients have sent and was not read yet is on its way too. Who sends meanwhile does
            // not hold us up.
            for _ in 0..FRAMES_IN_SOCKET {
                if port.receive(&mut buffer).is_none() {
                    break;
                }
            }
        }
        self.flights = Flights::new();
        self.arm();
    }

    /// Puts everything back to the start, but for who is plugged in.
    pub(super) fn reset(&mut self) {
        self.drop_frames();
        self.rules.all.clear();
        self.addresses.clear();
        self.malformed.fill(0);
        for (_, _, link) in self.links.iter_mut() {
            link.reset();
        }
        self.apply_rules();
    }

    /// Has chance be another from now on.
    pub(super) fn reseed(&mut self, seed: u64) {
        self.seed = seed;
        self.links.iter_mut().for_each(|(_, _, link)| link.key = None);
    }

    pub(super) fn state(&self) -> FabricState {
        let links = self.links.iter().filter(|(_, _, link)| link.numbers != [0; _]);
        FabricState {
            seed: self.seed,
            names: self.names.clone(),
            rules: self.rules.all.iter().map(|(&id, rules)| (id, rules.clone())).collect(),
            links: links.map(|(from, to, link)| (from, to, link.numbers, link.counts)).collect(),
            addresses: self.addresses.all(),
        }
    }

    pub(super) fn restore(&mut self, state: &FabricState) -> Result<(), Error> {
        if state.names != self.names {
            return Err(Error::ForeignFabricState { fabric: self.name.clone() });
        }
        self.reset();
        self.reseed(state.seed);
        self.rules.restore(&state.rules);
        for &(from, to, numbers, mut counts) in &state.links {
            let link = self.links.get(from, to);
            // What was in flight then is not any more.
            let in_flight = counts.in_flight();
            counts.unplugged.frames += in_flight.frames;
            counts.unplugged.bytes += in_flight.bytes;
            (link.numbers, link.counts) = (numbers, counts);
        }
        let now = Instant::now();
        for &(address, place) in &state.addresses {
            if self.ports[place].is_some() {
                self.addresses.learn(address, place, now);
            }
        }
        self.apply_rules();
        Ok(())
    }
}

/// More frames than a socket holds.
const FRAMES_IN_SOCKET: usize = 4096;
