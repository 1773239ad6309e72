//! Ordered pairs of ports, and the shapes of partitions that consist of them.

use std::collections::BTreeSet;

/// A set of ordered pairs of ports, by their names: what a rule is for. Frames from the first of a
/// pair to the second are meant; the way back is another pair.
///
/// The shapes say which pairs a partition *cuts*. They take machines in the order in which they are
/// given, and a machine that is given twice counts once. Sets combine, so any shape can be had:
/// `a.union(b)`, `a.without(b)`.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Pairs(BTreeSet<(String, String)>);

impl Pairs {
    /// From each of these ports to each of those; never from a port to itself.
    #[must_use]
    pub fn one_way<A: AsRef<str>, B: AsRef<str>>(from: &[A], to: &[B]) -> Self {
        let pairs = from.iter().flat_map(|from| to.iter().map(|to| (from.as_ref(), to.as_ref())));
        pairs.collect()
    }

    /// Between each of these and each of those, both ways: two halves that do not hear each other.
    #[must_use]
    pub fn between<A: AsRef<str>, B: AsRef<str>>(these: &[A], those: &[B]) -> Self {
        Self::one_way(these, those).union(Self::one_way(those, these))
    }

    /// All pairs of these.
    #[must_use]
    pub fn among<A: AsRef<str>>(all: &[A]) -> Self {
        Self::one_way(all, all)
    }

    /// One alone: nothing reaches it from the others, nor them from it.
    #[must_use]
    pub fn isolate<A: AsRef<str>>(one: &str, all: &[A]) -> Self {
        Self::between(&[one], all)
    }

    /// The groups do not hear each other; within a group everybody does.
    #[must_use]
    pub fn groups<A: AsRef<str>>(groups: &[&[A]]) -> Self {
        let others = groups.iter().enumerate().flat_map(|(place, group)| {
            groups[..place].iter().map(|earlier| Self::between(group, earlier)).collect::<Vec<_>>()
        });
        others.fold(Self::default(), Self::union)
    }

    /// The first half against the second; of an odd number the second has one more.
    #[must_use]
    pub fn halves<A: AsRef<str>>(all: &[A]) -> Self {
        let (first, second) = all.split_at(all.len() / 2);
        Self::between(first, second)
    }

    /// Two halves that only `bridge` hears, and that both hear it: it stands in neither.
    #[must_use]
    pub fn bridge<A: AsRef<str>>(bridge: &str, all: &[A]) -> Self {
        let others: Vec<&str> = all.iter().map(AsRef::as_ref).filter(|&name| name != bridge).collect();
        Self::halves(&others)
    }

    /// Each sees a majority, and no two see the same one: the machines stand in a ring, and each
    /// hears its neighbours, as many of them as a majority with itself takes. Of three or fewer
    /// that is everybody, so nothing is cut.
    #[must_use]
    pub fn majority_ring<A: AsRef<str>>(all: &[A]) -> Self {
        let count = all.len();
        // Neighbours come in twos, one on either side, so that who hears is heard.
        let reach = (count / 2).div_ceil(2);
        let far = |(one, other): (usize, usize)| {
            let distance = one.abs_diff(other);
            distance.min(count - distance) > reach
        };
        let pairs = (0..count).flat_map(|one| (0..count).map(move |other| (one, other)));
        pairs.filter(|&pair| far(pair)).map(|(one, other)| (all[one].as_ref(), all[other].as_ref())).collect()
    }

    /// These and those.
    #[must_use]
    pub fn union(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// These but not those.
    #[must_use]
    pub fn without(mut self, other: &Self) -> Self {
        self.0.retain(|pair| !other.0.contains(pair));
        self
    }

    /// The pairs, from and to, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(from, to)| (from.as_str(), to.as_str()))
    }

    /// How many pairs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<A: Into<String>, B: Into<String>> FromIterator<(A, B)> for Pairs {
    /// Any pairs; those of a port with itself are left out, since nothing goes there.
    fn from_iter<I: IntoIterator<Item = (A, B)>>(pairs: I) -> Self {
        let pairs = pairs.into_iter().map(|(from, to)| (from.into(), to.into()));
        Self(pairs.filter(|(from, to)| from != to).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: [&str; 5] = ["a", "b", "c", "d", "e"];

    /// Whom `one` still hears, itself included.
    fn heard<'a>(cut: &Pairs, all: &[&'a str], one: &str) -> Vec<&'a str> {
        let is_cut = |from: &str| cut.iter().any(|pair| pair == (from, one));
        all.iter().copied().filter(|&from| !is_cut(from)).collect()
    }

    #[test]
    fn halves_hear_themselves_only() {
        let cut = Pairs::halves(&FIVE);
        assert_eq!(heard(&cut, &FIVE, "a"), ["a", "b"]);
        assert_eq!(heard(&cut, &FIVE, "e"), ["c", "d", "e"]);
        assert_eq!(cut, Pairs::groups(&[&FIVE[..2], &FIVE[2..]]));
    }

    #[test]
    fn one_is_alone() {
        let cut = Pairs::isolate("c", &FIVE);
        assert_eq!(heard(&cut, &FIVE, "c"), ["c"]);
        assert_eq!(heard(&cut, &FIVE, "a"), ["a", "b", "d", "e"]);
        assert_eq!(cut.len(), 8);
    }

    #[test]
    fn a_bridge_hears_both_halves() {
        let cut = Pairs::bridge("c", &FIVE);
        assert_eq!(heard(&cut, &FIVE, "c"), FIVE);
        assert_eq!(heard(&cut, &FIVE, "a"), ["a", "b", "c"]);
        assert_eq!(heard(&cut, &FIVE, "e"), ["c", "d", "e"]);
    }

    #[test]
    fn one_way_leaves_the_other() {
        let cut = Pairs::one_way(&["a"], &["b", "a"]);
        assert_eq!(cut.iter().collect::<Vec<_>>(), [("a", "b")]);
        let both = Pairs::between(&["a"], &["b"]);
        assert_eq!(both.clone().without(&cut).iter().collect::<Vec<_>>(), [("b", "a")]);
        assert_eq!(Pairs::among(&["a", "b", "a"]), both);
    }

    #[test]
    fn in_a_ring_each_hears_a_majority_of_its_own() {
        for count in 4..12 {
            let names: Vec<String> = (0..count).map(|number| format!("{number:02}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let cut = Pairs::majority_ring(&names);
            let majorities: BTreeSet<_> = names.iter().map(|one| heard(&cut, &names, one)).collect();
            assert!(majorities.iter().all(|heard| 2 * heard.len() > count && heard.len() < count));
            assert_eq!(majorities.len(), count);
            let reversed: Pairs = cut.iter().map(|(from, to)| (to, from)).collect();
            assert_eq!(reversed, cut, "who hears is heard");
        }
        for count in 0..4 {
            assert!(Pairs::majority_ring(&FIVE[..count]).is_empty());
        }
    }
}
