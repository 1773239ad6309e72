//! A history laid out for the search.
//!
//! Real time bounds the choice. Let the *level* be the first answer, in the order of answers, that
//! the order does not hold yet. Every operation answered before it is in the order, none called
//! after it can be, so what else the order holds are operations that were open at that answer.
//! A plan has for each level which operations those are, with a slot for each, so that a few
//! bits tell which of them the order holds.

use rustc_hash::FxHashMap;

use super::limits::{Undecided, Watch};
use super::object::Sequential;
use super::rows::{Row, Rows};

/// One operation as the search takes it.
pub(super) struct Item<'a, O: Sequential> {
    /// Its place in the history.
    pub(super) index: usize,
    pub(super) command: &'a O::Command,
    /// What it answers; none where nobody knows.
    pub(super) response: Option<&'a O::Response>,
    pub(super) called: u64,
    /// The position by which it took effect; without one it may do so at any moment after its
    /// call, or never.
    pub(super) until: Option<u64>,
}

// Derived, these would ask for `O: Clone`.
impl<O: Sequential> Clone for Item<'_, O> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<O: Sequential> Copy for Item<'_, O> {}

/// A command with its answer, where there is one: all that a step depends on beside the state.
pub(super) type Kind<'a, O> = (&'a <O as Sequential>::Command, Option<&'a <O as Sequential>::Response>);

/// An operation that was answered.
pub(super) struct Answered {
    /// Its place in the history.
    pub(super) index: usize,
    pub(super) kind: u32,
    /// The bit that stands for it while it is open.
    pub(super) slot: u32,
    pub(super) called: u64,
    pub(super) at: u64,
    reads: bool,
}

/// Operations that were never answered and are all alike, in the order of their calls. Which of
/// them took effect does not matter but for their calls, so they are tried only in that order.
pub(super) struct Unanswered {
    pub(super) kind: u32,
    /// Their places in the history and the positions of their calls.
    pub(super) members: Vec<(usize, u64)>,
    /// Where the number of those that took effect is counted.
    word: usize,
    shift: u32,
    ones: u64,
}

impl Unanswered {
    /// How many of them took effect.
    pub(super) fn taken(&self, counts: &[u64]) -> usize {
        usize::try_from((counts[self.word] >> self.shift) & self.ones).unwrap_or(usize::MAX)
    }

    pub(super) fn take(&self, counts: &mut [u64]) {
        counts[self.word] += 1 << self.shift;
    }
}

/// The layout of the operations of one part of the object.
pub(super) struct Plan<'a, O: Sequential> {
    pub(super) kinds: Vec<Kind<'a, O>>,
    /// In the order of their answers.
    pub(super) answered: Vec<Answered>,
    /// In the order of the first call among those alike.
    pub(super) unanswered: Vec<Unanswered>,
    /// The open operations of each level that may change the state, by their answers, and the
    /// kinds of never-answered ones; of both only those that the level's operation depends on.
    changing: Rows,
    taking: Rows,
    /// Those that only read.
    reading: Rows,
    /// Those that only read and were not open a level before.
    newly_reading: Rows,
    /// Words for the bits of open operations.
    pub(super) mask_words: usize,
    /// For each word of counts, a bit above each count.
    pub(super) guards: Vec<u64>,
}

/// After so many looks at operations the limits are looked at.
const LOOK: usize = 1 << 18;
/// What a distinct kind takes, in bytes.
const KIND: usize = 64;

impl<'a, O: Sequential> Plan<'a, O> {
    /// Lays the items out within the limits, beside so many bytes that are held already.
    pub(super) fn new(
        object: &O,
        items: &[Item<'a, O>],
        watch: &Watch<'_>,
        held: usize,
    ) -> Result<Self, Undecided> {
        let mut kinds = Kinds::<O>::default();
        let mut answered = Vec::new();
        let mut alike: FxHashMap<u32, Vec<(usize, u64)>> = FxHashMap::default();
        for &Item { index, command, response, called, until } in items {
            let reads = object.only_reads(command, response);
            match until {
                Some(at) => {
                    let kind = kinds.number(command, response);
                    answered.push(Answered { index, kind, slot: 0, called, at, reads });
                }
                // A read that need not be in the order explains nothing.
                None if reads => {}
                None => {
                    let kind = kinds.number(command, response);
                    alike.entry(kind).or_default().push((index, called));
                }
            }
        }
        answered.sort_by_key(|one| (one.at, one.called));
        let mut plan = Self {
            kinds: kinds.list,
            answered,
            unanswered: Vec::new(),
            changing: Rows::default(),
            taking: Rows::default(),
            reading: Rows::default(),
            newly_reading: Rows::default(),
            mask_words: 0,
            guards: Vec::new(),
        };
        plan.lay_out_unanswered(alike);
        plan.lay_out_levels(object, watch, held)?;
        Ok(plan)
    }

    /// About how many bytes it takes.
    pub(super) fn memory(&self) -> usize {
        let rows = [&self.changing, &self.taking, &self.reading, &self.newly_reading];
        let members: usize = self.unanswered.iter().map(|unanswered| unanswered.members.len()).sum();
        rows.iter().map(|rows| rows.memory()).sum::<usize>()
            + self.answered.len() * size_of::<Answered>()
            + self.unanswered.len() * size_of::<Unanswered>()
            + members * size_of::<(usize, u64)>()
            + self.kinds.len() * KIND
    }

    /// The operations that can come next at a level and may change the state.
    pub(super) fn changing(&self, level: usize) -> Row<'_> {
        self.changing.row(level)
    }

    /// The kinds of never-answered ones that can.
    pub(super) fn taking(&self, level: usize) -> Row<'_> {
        self.taking.row(level)
    }

    /// The open operations of a level that only read.
    pub(super) fn reading(&self, level: usize) -> Row<'_> {
        self.reading.row(level)
    }

    /// Those of them that the level before did not have.
    pub(super) fn newly_reading(&self, level: usize) -> Row<'_> {
        self.newly_reading.row(level)
    }

    fn lay_out_unanswered(&mut self, alike: FxHashMap<u32, Vec<(usize, u64)>>) {
        let last = self.answered.last().map_or(0, |last| last.at);
        let mut alike: Vec<_> = alike.into_iter().collect();
        for (_, members) in &mut alike {
            // What was called after the last answer explains nothing.
            members.retain(|&(_, called)| called <= last);
            members.sort_unstable_by_key(|&(index, called)| (called, index));
        }
        alike.retain(|(_, members)| !members.is_empty());
        alike.sort_unstable_by_key(|(kind, members)| (members[0].1, *kind));
        let (mut word, mut used) = (0, 0);
        for (kind, members) in alike {
            let bits = usize::BITS - members.len().leading_zeros();
            if used + bits + 1 > u64::BITS {
                (word, used) = (word + 1, 0);
            }
            self.guards.resize(word + 1, 0);
            self.guards[word] |= 1 << (used + bits);
            self.unanswered.push(Unanswered { kind, members, word, shift: used, ones: (1 << bits) - 1 });
            used += bits + 1;
        }
    }

    fn lay_out_levels(&mut self, object: &O, watch: &Watch<'_>, held: usize) -> Result<(), Undecided> {
        let all = u32::try_from(self.answered.len()).map_err(|_| Undecided::Memory(watch.memory()))?;
        let mut calls: Vec<u32> = (0..all).collect();
        calls.sort_by_key(|&number| self.answered[number as usize].called);
        let mut calls = calls.into_iter().peekable();
        let (mut open, mut slots) = (Vec::<u32>::new(), Slots::default());
        let mut looks = LOOK;
        for level in 0..self.answered.len() {
            let moment = self.answered[level].at;
            let mut new = Vec::new();
            while let Some(number) = calls.next_if(|&number| self.answered[number as usize].called <= moment)
            {
                self.answered[number as usize].slot = slots.take();
                new.push(number);
            }
            open.extend(&new);
            // Answers in their order: the operation that must come next is the best guess.
            open.sort_unstable();
            let reads = |number: &u32| self.answered[*number as usize].reads;
            self.reading.push(open.iter().copied().filter(reads));
            self.newly_reading.push(new.into_iter().filter(reads));
            let taking = self.unanswered.partition_point(|unanswered| unanswered.members[0].1 <= moment);
            self.push_dependent(object, &open, taking);
            looks += open.len() + taking + 1;
            if looks > LOOK {
                looks = 0;
                if let Some(why) = watch.over(held + self.memory()) {
                    return Err(why);
                }
            }
            // The level's own operation is the first that is open.
            open.remove(0);
            slots.free(self.answered[level].slot);
        }
        self.mask_words = slots.most.div_ceil(u64::BITS) as usize;
        Ok(())
    }

    /// Notes for the next level what can come next there.
    ///
    /// The level's own operation, the first that is open, must come before anything that is not
    /// open yet. What depends neither on it nor on anything open that does, in turn, can as well
    /// come later: it is a persistent set (Godefroid, 1996).
    fn push_dependent(&mut self, object: &O, open: &[u32], taking: usize) {
        let command = |kind: u32| self.kinds[kind as usize].0;
        let mut reached = vec![command(self.answered[open[0] as usize].kind)];
        let mut apart_answered = open[1..].to_vec();
        let mut apart_taking: Vec<usize> = (0..taking).collect();
        while let Some(one) = reached.pop() {
            let depends = |kind: u32| !object.independent(one, command(kind));
            let depending =
                apart_answered.extract_if(.., |number| depends(self.answered[*number as usize].kind));
            reached.extend(depending.map(|number| command(self.answered[number as usize].kind)));
            let depending = apart_taking.extract_if(.., |number| depends(self.unanswered[*number].kind));
            reached.extend(depending.map(|number| command(self.unanswered[number].kind)));
        }
        let changing = |number: &u32| {
            !self.answered[*number as usize].reads && apart_answered.binary_search(number).is_err()
        };
        self.changing.push(open.iter().copied().filter(changing));
        if apart_taking.is_empty() {
            self.taking.push_first(taking);
        } else {
            let dependent = (0..taking).filter(|number| apart_taking.binary_search(number).is_err());
            self.taking.push(dependent.map(|number| number as u32));
        }
    }
}

/// Numbers for the distinct kinds.
struct Kinds<'a, O: Sequential> {
    list: Vec<Kind<'a, O>>,
    numbers: FxHashMap<Kind<'a, O>, u32>,
}

impl<O: Sequential> Default for Kinds<'_, O> {
    fn default() -> Self {
        Self { list: Vec::new(), numbers: FxHashMap::default() }
    }
}

impl<'a, O: Sequential> Kinds<'a, O> {
    fn number(&mut self, command: &'a O::Command, response: Option<&'a O::Response>) -> u32 {
        let new = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry((command, response)).or_insert(new);
        if number == new {
            self.list.push((command, response));
        }
        number
    }
}

/// The slots of open operations, each free again once its operation was answered.
#[derive(Default)]
struct Slots {
    free: Vec<u32>,
    most: u32,
}

impl Slots {
    fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.most += 1;
            self.most - 1
        })
    }

    fn free(&mut self, slot: u32) {
        self.free.push(slot);
    }
}
