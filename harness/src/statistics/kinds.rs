//! Kinds of commands as the cases of a run have them: how often each was given and what came of
//! it, and which kinds were met together.

use std::borrow::Cow;

use model::Outcome;
use rustc_hash::FxHashMap;

use super::report::{Kind, Pairs};

/// More kinds than this are not told apart: a set of them is one number.
const MOST_KINDS: usize = 127;

/// What the kinds are called that are not told apart.
const OTHERS: &str = "others";

/// The kinds that were met so far.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    met: Vec<Kind>,
    places: FxHashMap<Cow<'static, str>, usize>,
    /// Names of the program with the places of their kinds. Such a name is known by where it
    /// lies, which is sooner told than what it says.
    names: Vec<(&'static str, usize)>,
}

impl Kinds {
    /// The place of a kind among all.
    #[inline]
    pub(super) fn place(&mut self, kind: Cow<'static, str>) -> usize {
        let Cow::Borrowed(name) = kind else { return self.look_up(kind) };
        let known = self.names.iter().find(|(known, _)| std::ptr::eq(*known, name));
        known.map(|(_, place)| *place).unwrap_or_else(|| {
            let place = self.look_up(kind);
            if self.names.len() < MOST_KINDS {
                self.names.push((name, place));
            }
            place
        })
    }

    fn look_up(&mut self, kind: Cow<'static, str>) -> usize {
        if let Some(place) = self.places.get(&kind) {
            return *place;
        }
        if self.met.len() > MOST_KINDS {
            return MOST_KINDS;
        }
        let name = if self.met.len() == MOST_KINDS { OTHERS.into() } else { kind.clone().into_owned() };
        self.met.push(Kind { kind: name, ..Kind::default() });
        self.places.insert(kind, self.met.len() - 1);
        self.met.len() - 1
    }

    /// Counts a command of a kind, by its place, and what came of it.
    pub(super) fn count<Response>(&mut self, place: usize, outcome: &Outcome<Response>) {
        let kind = &mut self.met[place];
        kind.given += 1;
        match outcome {
            Outcome::Answered(_) => {}
            Outcome::Refused(_) => kind.refused += 1,
            Outcome::Unknown(_) => kind.unknown += 1,
        }
    }

    /// The kinds, the most frequent first.
    pub(super) fn report(&self) -> Vec<Kind> {
        let mut kinds = self.met.clone();
        kinds.sort_by(|one, other| other.given.cmp(&one.given).then_with(|| one.kind.cmp(&other.kind)));
        kinds
    }

    /// Which pairs of kinds were met, in this order or, where `ordered` is not so, in any.
    pub(super) fn pairs(&self, met: &Together, ordered: bool, word: &str) -> Pairs {
        let all = 0..self.met.len();
        let pairs = all.clone().flat_map(|one| {
            let others = if ordered { all.clone() } else { one..all.end };
            others.map(move |other| (one, other))
        });
        let mut report = Pairs::default();
        for (one, other) in pairs {
            report.of += 1;
            if met.has(one, other) {
                report.met += 1;
            } else {
                report.missing.push(format!("{} {word} {}", self.met[one].kind, self.met[other].kind));
            }
        }
        report
    }
}

/// Which kinds were met with which, by their places.
#[derive(Debug, Default)]
pub(super) struct Together(Vec<u128>);

impl Together {
    #[inline]
    pub(super) fn meet(&mut self, one: usize, other: usize) {
        if self.0.len() <= one {
            self.0.resize(one + 1, 0);
        }
        self.0[one] |= 1 << other;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn has(&self, one: usize, other: usize) -> bool {
        self.0.get(one).is_some_and(|others| others >> other & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use model::Outcome;

    use super::{Kinds, MOST_KINDS, OTHERS, Together};

    #[test]
    fn kinds_are_told_apart_up_to_a_bound() {
        let mut kinds = Kinds::default();
        let borrowed = ["Push", "Pop", "Push"].map(|name| kinds.place(name.into()));
        assert_eq!((borrowed, kinds.place("Pop".to_owned().into())), ([0, 1, 0], 1));
        let more: Vec<_> = (0..1000).map(|number| kinds.place(number.to_string().into())).collect();
        assert_eq!((more[0], more[MOST_KINDS - 3], more[MOST_KINDS - 2], more[999]), (2, 126, 127, 127));
        kinds.count(127, &Outcome::Answered(()));
        kinds.count(1, &Outcome::<()>::Refused("it is empty".to_owned()));
        let report = kinds.report();
        assert_eq!((report.len(), report[0].kind.as_str(), report[1].kind.as_str()), (128, "Pop", OTHERS));
        assert_eq!((report[0].refused, report[0].answered(), report[1].answered()), (1, 0, 1));
    }

    #[test]
    fn pairs_are_met_in_an_order_or_in_any() {
        let (mut kinds, mut together) = (Kinds::default(), Together::default());
        assert_eq!((kinds.place("Push".into()), kinds.place("Pop".into())), (0, 1));
        together.meet(0, 1);
        let ordered = kinds.pairs(&together, true, "then");
        assert_eq!((ordered.met, ordered.of), (1, 4));
        assert_eq!(ordered.missing, ["Push then Push", "Pop then Push", "Pop then Pop"]);
        let any = kinds.pairs(&together, false, "beside");
        assert_eq!((any.met, any.of, any.missing.len()), (1, 3, 2));
    }
}
