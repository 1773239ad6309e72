//! Bugs that need the right commands in the right order.

use std::collections::BTreeSet;

use model::Case;
use proptest::prelude::*;
use proptest::sample::select;
use serde::{Deserialize, Serialize};

use crate::bug::{Bug, Planted};

/// The jugs of three and five litres.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Jug {
    FillSmall,
    FillBig,
    EmptySmall,
    EmptyBig,
    SmallIntoBig,
    BigIntoSmall,
    Look,
}

/// Who looks at four litres in the big jug sees five.
#[derive(Debug)]
pub(crate) struct Jugs;

impl Bug for Jugs {
    /// Litres in the small and in the big jug.
    type State = (u8, u8);
    type Command = Jug;
    type Response = Option<u8>;
    type Sut = (u8, u8);
    const COMMANDS: usize = 7;

    fn initial() -> BoxedStrategy<(u8, u8)> {
        Just((0, 0)).boxed()
    }

    fn command(_: &(u8, u8)) -> BoxedStrategy<Jug> {
        use Jug::{BigIntoSmall, EmptyBig, EmptySmall, FillBig, FillSmall, SmallIntoBig};
        let moves = select(vec![FillSmall, FillBig, EmptySmall, EmptyBig, SmallIntoBig, BigIntoSmall]);
        prop_oneof![2 => moves, 1 => Just(Jug::Look)].boxed()
    }

    fn right((small, big): &mut (u8, u8), command: &Jug) -> Option<u8> {
        match command {
            Jug::FillSmall => *small = 3,
            Jug::FillBig => *big = 5,
            Jug::EmptySmall => *small = 0,
            Jug::EmptyBig => *big = 0,
            Jug::SmallIntoBig => {
                let poured = (*small).min(5 - *big);
                (*small, *big) = (*small - poured, *big + poured);
            }
            Jug::BigIntoSmall => {
                let poured = (*big).min(3 - *small);
                (*small, *big) = (*small + poured, *big - poured);
            }
            Jug::Look => return Some(*big),
        }
        None
    }

    fn sut(state: &(u8, u8)) -> (u8, u8) {
        *state
    }

    fn wrong(sut: &mut (u8, u8), command: &Jug) -> Option<u8> {
        Self::right(sut, command).map(|litres| if litres == 4 { 5 } else { litres })
    }

    fn is_smallest(_: &Case<Planted<Self>>) -> bool {
        true
    }
}

/// A switch's commands.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Switch {
    Flip,
    Look,
}

/// A switch that, once it was flipped an even number of times and at least four, is seen wrongly:
/// no single flip can be left out.
#[derive(Debug)]
pub(crate) struct Even;

impl Bug for Even {
    type State = bool;
    type Command = Switch;
    type Response = Option<bool>;
    type Sut = u32;
    const COMMANDS: usize = 5;

    fn initial() -> BoxedStrategy<bool> {
        Just(false).boxed()
    }

    fn command(_: &bool) -> BoxedStrategy<Switch> {
        prop_oneof![3 => Just(Switch::Flip), 1 => Just(Switch::Look)].boxed()
    }

    fn right(state: &mut bool, command: &Switch) -> Option<bool> {
        match command {
            Switch::Flip => *state = !*state,
            Switch::Look => return Some(*state),
        }
        None
    }

    fn sut(_: &bool) -> u32 {
        0
    }

    fn wrong(flips: &mut u32, command: &Switch) -> Option<bool> {
        *flips += u32::from(*command == Switch::Flip);
        let wrong = *flips >= 4 && flips.is_multiple_of(2);
        (*command == Switch::Look).then_some(wrong || !flips.is_multiple_of(2))
    }

    fn is_smallest(_: &Case<Planted<Self>>) -> bool {
        true
    }
}

/// An editor's commands.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Edit {
    Type(u8),
    Undo,
    Redo,
}

/// An editor that can still redo what was undone before something else was typed.
#[derive(Debug)]
pub(crate) struct Redo;

/// What is typed, and what was undone.
type Text = (Vec<u8>, Vec<u8>);

fn edit((typed, undone): &mut Text, command: &Edit, forgets: bool) -> Vec<u8> {
    match command {
        Edit::Type(letter) => {
            typed.push(*letter);
            if forgets {
                undone.clear();
            }
        }
        Edit::Undo => undone.extend(typed.pop()),
        Edit::Redo => typed.extend(undone.pop()),
    }
    typed.clone()
}

impl Bug for Redo {
    type State = Text;
    type Command = Edit;
    type Response = Vec<u8>;
    type Sut = Text;
    const COMMANDS: usize = 4;

    fn initial() -> BoxedStrategy<Text> {
        Just(Text::default()).boxed()
    }

    fn command(_: &Text) -> BoxedStrategy<Edit> {
        prop_oneof![5 => any::<u8>().prop_map(Edit::Type), 2 => Just(Edit::Undo), 1 => Just(Edit::Redo)]
            .boxed()
    }

    fn right(state: &mut Text, command: &Edit) -> Vec<u8> {
        edit(state, command, true)
    }

    fn sut(state: &Text) -> Text {
        state.clone()
    }

    fn wrong(sut: &mut Text, command: &Edit) -> Vec<u8> {
        edit(sut, command, false)
    }

    fn is_smallest(case: &Case<Planted<Self>>) -> bool {
        case.commands == [Edit::Type(0), Edit::Undo, Edit::Type(0), Edit::Redo]
    }
}

/// A sorted set's commands.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Set {
    Insert(u8),
    Remove(u8),
    Contains(u8),
}

/// A sorted set that also loses the greatest element when one between two others is removed.
#[derive(Debug)]
pub(crate) struct Middle;

impl Bug for Middle {
    type State = BTreeSet<u8>;
    type Command = Set;
    type Response = bool;
    type Sut = BTreeSet<u8>;
    const COMMANDS: usize = 5;

    fn initial() -> BoxedStrategy<BTreeSet<u8>> {
        Just(BTreeSet::new()).boxed()
    }

    fn command(_: &BTreeSet<u8>) -> BoxedStrategy<Set> {
        let key = || 0_u8..8;
        prop_oneof![key().prop_map(Set::Insert), key().prop_map(Set::Remove), key().prop_map(Set::Contains)]
            .boxed()
    }

    fn right(state: &mut BTreeSet<u8>, command: &Set) -> bool {
        match command {
            Set::Insert(key) => state.insert(*key),
            Set::Remove(key) => state.remove(key),
            Set::Contains(key) => state.contains(key),
        }
    }

    fn sut(state: &BTreeSet<u8>) -> BTreeSet<u8> {
        state.clone()
    }

    fn wrong(sut: &mut BTreeSet<u8>, command: &Set) -> bool {
        let inside = |key: &u8| sut.first().is_some_and(|least| least < key) && sut.last() > Some(key);
        let loses = matches!(command, Set::Remove(key) if sut.contains(key) && inside(key));
        let answer = Self::right(sut, command);
        if loses {
            sut.pop_last();
        }
        answer
    }

    /// The keys are 0, 1 and 2.
    fn is_smallest(case: &Case<Planted<Self>>) -> bool {
        let key = |command: &Set| match command {
            Set::Insert(key) | Set::Remove(key) | Set::Contains(key) => *key,
        };
        case.commands.iter().all(|command| key(command) <= 2)
    }
}
