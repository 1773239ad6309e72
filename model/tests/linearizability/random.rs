//! Random histories of an object, about half of them linearizable.

use model::Outcome;
use model::history::{History, Operation};

use crate::objects::Playable;

/// Numbers as SplitMix64 makes them (Steele, Lea and Flood, 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True once in so many times.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.next()).unwrap() % of.len()].clone()
    }
}

/// An operation that is under way.
struct Pending {
    index: usize,
    lane: Option<usize>,
    took_effect: bool,
}

/// Lets lanes use the object side by side, with answers lost and refused, and then, in two of
/// three histories, changes one answer to a random one.
pub(crate) fn history<O: Playable>(object: &O, random: &mut Random) -> History<O::Command, O::Response> {
    let (most, lanes) = (2 + random.below(6) as usize, 1 + random.below(4) as usize);
    // Of histories without losses more are linearizable by real time alone.
    let losses = random.once_in(2);
    let (mut operations, mut pending) = (Vec::<Operation<_, _>>::new(), Vec::<Pending>::new());
    let (mut state, mut position) = (object.initial(), 0);
    for _ in 0..most * 8 {
        // Now and then two events have the same position.
        position += u64::from(!random.once_in(10));
        let idle = (0..lanes).find(|lane| pending.iter().all(|one| one.lane != Some(*lane)));
        match (random.below(3), idle) {
            (0, Some(lane)) if operations.len() < most => {
                let outcome = Outcome::Unknown(String::new());
                let command = object.command(random);
                pending.push(Pending { index: operations.len(), lane: Some(lane), took_effect: false });
                operations.push(Operation { lane, command, called: position, ended: None, outcome });
            }
            _ if pending.is_empty() => {}
            (1, _) => {
                let at = random.below(pending.len() as u64) as usize;
                let one = &mut pending[at];
                if !one.took_effect {
                    one.took_effect = true;
                    let operation = &mut operations[one.index];
                    let right = object.responses().into_iter().find_map(|response| {
                        Some((object.step(&state, &operation.command, Some(&response))?, response))
                    });
                    let (next, response) = right.expect("the object answers each command");
                    state = next;
                    if one.lane.is_some() {
                        operation.outcome = Outcome::Answered(response);
                    }
                }
            }
            _ => {
                let at = random.below(pending.len() as u64) as usize;
                let operation = &mut operations[pending[at].index];
                if losses && pending[at].lane.is_some() && random.once_in(3) {
                    // Its lane gives up; it may take effect later.
                    operation.outcome = Outcome::Unknown(String::new());
                    operation.ended = Some(position);
                    pending[at].lane = None;
                } else if pending[at].took_effect {
                    if pending[at].lane.is_some() {
                        operation.ended = Some(position);
                    }
                    pending.remove(at);
                } else if losses && pending[at].lane.is_some() && random.once_in(4) {
                    operation.outcome = Outcome::Refused(String::new());
                    operation.ended = Some(position);
                    pending.remove(at);
                }
            }
        }
    }
    for operation in operations.iter_mut().filter(|operation| operation.ended.is_none()) {
        operation.outcome = Outcome::Unknown(String::new());
    }
    let answered: Vec<usize> =
        (0..operations.len()).filter(|&index| operations[index].outcome.answer().is_some()).collect();
    if !answered.is_empty() && !random.once_in(3) {
        let index = random.pick(&answered);
        operations[index].outcome = Outcome::Answered(random.pick(&object.responses()));
    }
    History::new(operations).unwrap()
}
