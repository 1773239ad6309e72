use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::select;

use super::{Entered, Load, Permit, Room};
use crate::stop::Stop;

const BOUND: Load = Load { memory: 1000, cores: 4 };

fn load(memory: u64, cores: u64) -> Load {
    Load { memory, cores }
}

/// What a host has to bear, as it is seen by what is there rather than by the room.
#[derive(Default)]
struct Host {
    memory: AtomicU64,
    cores: AtomicU64,
    most: Mutex<Load>,
}

/// A network that takes memory until it is dropped, and cores while it runs.
struct Network {
    memory: u64,
    host: Arc<Host>,
}

impl Network {
    fn new(memory: u64, host: &Arc<Host>) -> Self {
        let all = host.memory.fetch_add(memory, Ordering::SeqCst) + memory;
        let mut most = host.most.lock().unwrap();
        most.memory = most.memory.max(all);
        Self { memory, host: Arc::clone(host) }
    }

    fn run(&self, cores: u64) {
        let all = self.host.cores.fetch_add(cores, Ordering::SeqCst) + cores;
        let mut most = self.host.most.lock().unwrap();
        most.cores = most.cores.max(all);
        drop(most);
        thread::yield_now();
        self.host.cores.fetch_sub(cores, Ordering::SeqCst);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        thread::yield_now();
        self.host.memory.fetch_sub(self.memory, Ordering::SeqCst);
    }
}

/// What one thread does with its networks, one after the other.
#[derive(Clone, Debug)]
struct Visit {
    load: Load,
    rests: bool,
}

fn visits() -> impl Strategy<Value = Vec<Vec<Visit>>> {
    let memory = select(vec![1, 100, 300, 400, 999, 1000, 5000]);
    let visit = (memory, 0..6_u64, any::<bool>())
        .prop_map(|(memory, cores, rests)| Visit { load: load(memory, cores), rests });
    prop::collection::vec(prop::collection::vec(visit, 1..12), 1..9)
}

/// A network for this, and its permit, on the terms of the room.
fn network(room: &Room<Network>, wanted: Load, host: &Arc<Host>) -> (Network, Permit) {
    let entered = room.enter(wanted, &Stop::default(), |network| network.memory == wanted.memory);
    match entered.expect("nobody asks for a stop") {
        Entered::New(permit) => (Network::new(wanted.memory, host), permit),
        Entered::Again(network, permit) => (network, permit),
    }
}

proptest! {
    #[test]
    fn the_bound_holds_and_everybody_has_a_turn(visits in visits(), most_resting in 0..4_usize) {
        let (room, host) = (Room::new(BOUND, most_resting, &Stop::default()), Arc::new(Host::default()));
        thread::scope(|scope| {
            for visits in &visits {
                let (room, host) = (&room, &host);
                scope.spawn(move || {
                    for Visit { load, rests } in visits {
                        let (network, permit) = network(room, *load, host);
                        network.run(load.cores.min(BOUND.cores));
                        if *rests {
                            room.rest(network, permit);
                        } else {
                            drop(network);
                            drop(permit);
                        }
                    }
                });
            }
        });
        // Only what wants more than there is takes more, and it is alone then.
        let all = visits.iter().flatten();
        let largest = all.map(|visit| visit.load.memory).max().unwrap_or_default();
        let most = *host.most.lock().unwrap();
        prop_assert!(most.memory <= BOUND.memory.max(largest), "{most:?}");
        prop_assert!(most.cores <= BOUND.cores, "{most:?}");
        drop(room);
        prop_assert_eq!(host.memory.load(Ordering::SeqCst), 0, "nothing is left");
    }

    #[test]
    fn nobody_is_overtaken(wanted in prop::collection::vec((1..1200_u64, 1..6_u64), 1..8)) {
        let room = Room::<()>::new(BOUND, 0, &Stop::default());
        let all = take(&room, BOUND);
        let order = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for (number, (memory, cores)) in wanted.iter().enumerate() {
                let (room, order) = (&room, &order);
                scope.spawn(move || {
                    // Those that are next to each other may be there at once, and tell of it in
                    // any order, so each takes all the cores.
                    let permit = take(room, load(*memory, cores + BOUND.cores));
                    order.lock().unwrap().push(number);
                    drop(permit);
                });
                wait_until(|| room.shared.now().queue.len() == number + 1);
            }
            drop(all);
        });
        prop_assert_eq!(order.into_inner().unwrap(), (0..wanted.len()).collect::<Vec<_>>());
    }
}

fn take(room: &Room<()>, load: Load) -> Permit {
    match room.enter(load, &Stop::default(), |()| false).expect("nobody asks for a stop") {
        Entered::New(permit) | Entered::Again((), permit) => permit,
    }
}

fn wait_until(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "it never came to that");
        thread::yield_now();
    }
}

#[test]
fn a_large_one_is_not_starved_by_small_ones() {
    let room = Room::<()>::new(BOUND, 0, &Stop::default());
    let (small, other) = (take(&room, load(400, 1)), take(&room, load(400, 1)));
    let entered = Mutex::new(Vec::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            let large = take(&room, load(900, 1));
            entered.lock().unwrap().push("large");
            drop(large);
        });
        wait_until(|| room.shared.now().queue.len() == 1);
        scope.spawn(|| {
            let small = take(&room, load(300, 1));
            entered.lock().unwrap().push("small");
            drop(small);
        });
        wait_until(|| room.shared.now().queue.len() == 2);
        drop(small);
        // There is room for the small one now, and the large one came first.
        thread::sleep(Duration::from_millis(50));
        assert_eq!(*entered.lock().unwrap(), [""; 0]);
        drop(other);
    });
    assert_eq!(*entered.lock().unwrap(), ["large", "small"]);
}

#[test]
fn what_rests_makes_room_and_the_longest_first() {
    let (room, stop) = (Room::new(BOUND, 8, &Stop::default()), Stop::default());
    for name in ["a", "b", "c"] {
        let Some(Entered::New(permit)) = room.enter(load(300, 4), &stop, |_| false) else {
            panic!("there is room for {name}")
        };
        room.rest(name, permit);
    }
    // It is there already, so it takes no more memory.
    let Some(Entered::Again("c", permit)) = room.enter(load(300, 4), &stop, |name| *name == "c") else {
        panic!("c rests")
    };
    drop(permit);
    // 600 rest; of these one has to go.
    let Some(Entered::New(large)) = room.enter(load(500, 1), &stop, |_| false) else {
        panic!("there is room")
    };
    assert_eq!(room.shared.now().taken, load(800, 1));
    assert!(matches!(room.enter(load(300, 1), &stop, |_| true), Some(Entered::Again("b", _))));
    drop(large);
    assert_eq!(room.shared.now().taken, Load::default());
}

#[test]
fn of_what_rests_the_best_is_taken_and_of_equals_the_last() {
    let (room, stop) = (Room::new(BOUND, 8, &Stop::default()), Stop::default());
    for name in ["good", "best", "good too", "useless"] {
        let Some(Entered::New(permit)) = room.enter(load(100, 1), &stop, |_| false) else {
            panic!("there is room for {name}")
        };
        room.rest(name, permit);
    }
    let rank = |name: &&str| match *name {
        "best" => Some(0),
        "useless" => None,
        _ => Some(1),
    };
    for expected in ["best", "good too", "good"] {
        let Some(Entered::Again(name, _)) = room.enter_best(load(100, 1), &stop, rank) else {
            panic!("{expected} rests")
        };
        assert_eq!(name, expected);
    }
    assert!(matches!(room.enter_best(load(100, 1), &stop, rank), Some(Entered::New(_))));
}

#[test]
fn a_stop_ends_the_waiting_and_leaves_the_queue() {
    let stop = Stop::default();
    let room = Room::<()>::new(BOUND, 0, &stop);
    let all = take(&room, BOUND);
    thread::scope(|scope| {
        let waits = scope.spawn(|| room.enter(load(1, 1), &stop, |()| false).is_none());
        wait_until(|| room.shared.now().queue.len() == 1);
        stop.request();
        assert!(waits.join().unwrap());
    });
    drop(all);
    let now = room.shared.now();
    assert!(now.queue.is_empty() && now.taken == Load::default());
}
