//! A store that loses power.

use std::collections::BTreeMap;

use model::Case;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::bug::{Bug, Planted};

/// The store's commands.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Store {
    Write { key: u8, value: u8 },
    Read(u8),
    Sync,
    Cut,
    Start,
}

/// What is in it, and whether it has power.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Stored {
    on: bool,
    values: BTreeMap<u8, u8>,
}

/// A store that answers a write before it is safe: if power is cut after two writes without a
/// sync, the later one is gone.
#[derive(Debug)]
pub(crate) struct PowerCut;

/// The store, and the writes since the last sync.
pub(crate) struct Unsafe {
    stored: Stored,
    unsynced: Vec<u8>,
}

impl Bug for PowerCut {
    type State = Stored;
    type Command = Store;
    type Response = Option<u8>;
    type Sut = Unsafe;
    const COMMANDS: usize = 5;

    fn initial() -> BoxedStrategy<Stored> {
        Just(Stored { on: true, values: BTreeMap::new() }).boxed()
    }

    fn command(state: &Stored) -> BoxedStrategy<Store> {
        if !state.on {
            return Just(Store::Start).boxed();
        }
        prop_oneof![
            4 => (0_u8..4, any::<u8>()).prop_map(|(key, value)| Store::Write { key, value }),
            3 => (0_u8..4).prop_map(Store::Read),
            2 => Just(Store::Sync),
            1 => Just(Store::Cut),
        ]
        .boxed()
    }

    fn allowed(state: &Stored, command: &Store) -> bool {
        state.on != (*command == Store::Start)
    }

    fn right(state: &mut Stored, command: &Store) -> Option<u8> {
        match command {
            Store::Write { key, value } => {
                state.values.insert(*key, *value);
            }
            Store::Read(key) => return state.values.get(key).copied(),
            Store::Sync => {}
            Store::Cut => state.on = false,
            Store::Start => state.on = true,
        }
        None
    }

    fn sut(state: &Stored) -> Unsafe {
        Unsafe { stored: state.clone(), unsynced: Vec::new() }
    }

    fn wrong(sut: &mut Unsafe, command: &Store) -> Option<u8> {
        match command {
            Store::Write { key, .. } => sut.unsynced.push(*key),
            Store::Sync => sut.unsynced.clear(),
            Store::Cut => {
                if let [_, .., last] = sut.unsynced[..] {
                    sut.stored.values.remove(&last);
                }
                sut.unsynced.clear();
            }
            Store::Read(_) | Store::Start => {}
        }
        Self::right(&mut sut.stored, command)
    }

    fn is_smallest(case: &Case<Planted<Self>>) -> bool {
        use Store::{Cut, Read, Start, Write};
        let zero = Write { key: 0, value: 0 };
        case.commands == [zero.clone(), zero, Cut, Start, Read(0)]
    }
}
