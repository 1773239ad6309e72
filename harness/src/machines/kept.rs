//! What is kept within bounds, of which the least useful goes first.
//!
//! Use is measured: the time that each use has saved, against the size (GreedyDual-Size-Frequency,
//! Cherkasova 1998). What goes leaves a floor that all that comes later begins from, so that what was
//! useful long ago does not stay for ever.

use std::time::Duration;

use crate::moments::Moment;

/// How much may be kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) count: usize,
    pub(super) bytes: u64,
}

/// Things that are each of a moment.
#[derive(Debug)]
pub(super) struct Kept<T> {
    bounds: Bounds,
    floor: f64,
    all: Vec<One<T>>,
}

#[derive(Debug)]
struct One<T> {
    moment: Moment,
    what: T,
    bytes: u64,
    /// What one use saves, in seconds.
    saves: f64,
    uses: f64,
    rank: f64,
}

impl<T> One<T> {
    fn ranked(mut self, floor: f64) -> Self {
        self.rank = floor + self.uses * self.saves / (self.bytes.max(1) as f64);
        self
    }
}

impl<T> Kept<T> {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, floor: 0.0, all: Vec::new() }
    }

    pub(super) fn has(&self, moment: &Moment) -> bool {
        self.all.iter().any(|one| one.moment == *moment)
    }

    /// What is kept of a moment, which is used once more.
    pub(super) fn take_up(&mut self, moment: &Moment) -> Option<&T> {
        let index = self.all.iter().position(|one| one.moment == *moment)?;
        let used = self.all.remove(index);
        self.all.push(One { uses: used.uses + 1.0, ..used }.ranked(self.floor));
        self.all.last().map(|one| &one.what)
    }

    /// Takes out what has to go for something of this size: what nobody wants any more, and the least
    /// useful. None where it does not fit at all.
    pub(super) fn make_room(&mut self, bytes: u64) -> Option<Vec<T>> {
        let mut gone = self.take_where(|moment, _| !moment.is_shared());
        if bytes > self.bounds.bytes || self.bounds.count == 0 {
            return None;
        }
        while self.all.len() >= self.bounds.count || self.bytes() + bytes > self.bounds.bytes {
            let least =
                self.all.iter().enumerate().min_by(|(_, one), (_, other)| one.rank.total_cmp(&other.rank));
            let Some(index) = least.map(|(index, _)| index) else { break };
            let least = self.all.remove(index);
            self.floor = least.rank;
            gone.push(least.what);
        }
        Some(gone)
    }

    /// Keeps something there is room for, of which each use is expected to save so much time, and
    /// gives it a name.
    pub(super) fn add(&mut self, what: T, bytes: u64, saves: Duration) -> Moment {
        let moment = Moment::new();
        let (saves, named) = (saves.as_secs_f64(), moment.clone());
        self.all.push(One { moment: named, what, bytes, saves, uses: 1.0, rank: 0.0 }.ranked(self.floor));
        moment
    }

    /// Takes out what is so.
    pub(super) fn take_where(&mut self, mut is_so: impl FnMut(&Moment, &T) -> bool) -> Vec<T> {
        let (gone, kept) =
            std::mem::take(&mut self.all).into_iter().partition(|one| is_so(&one.moment, &one.what));
        self.all = kept;
        let gone: Vec<One<T>> = gone;
        gone.into_iter().map(|one| one.what).collect()
    }

    fn bytes(&self) -> u64 {
        self.all.iter().map(|one| one.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn kept() -> Kept<&'static str> {
        Kept::new(Bounds { count: 3, bytes: 100 })
    }

    #[test]
    fn what_saves_least_for_its_size_goes_first() {
        let mut kept = kept();
        let large = kept.add("large", 60, seconds(6));
        let small = kept.add("small", 10, seconds(5));
        assert_eq!(kept.make_room(30), Some(vec![]));
        assert_eq!(kept.make_room(50), Some(vec!["large"]));
        assert!(kept.has(&small) && !kept.has(&large) && !large.is_shared());
        assert_eq!(kept.make_room(101), None, "it never fits");
        assert!(kept.has(&small));
    }

    #[test]
    fn uses_count_and_those_of_long_ago_less() {
        let mut kept = kept();
        let first = kept.add("first", 10, seconds(1));
        let second = kept.add("second", 10, seconds(1));
        let third = kept.add("third", 10, seconds(1));
        assert_eq!(kept.take_up(&first), Some(&"first"));
        assert_eq!(kept.take_up(&third), Some(&"third"));
        assert_eq!(kept.make_room(10), Some(vec!["second"]));
        assert!(!kept.has(&second) && kept.take_up(&second).is_none());
        // Those that come now begin where the last one that went ended.
        let mut later = Vec::new();
        for name in ["a", "b", "c"] {
            let gone = kept.make_room(10).unwrap();
            later.push((kept.add(name, 10, seconds(1)), gone));
        }
        let gone: Vec<_> = later.iter().flat_map(|(_, gone)| gone).collect();
        assert!(gone.contains(&&"first") || gone.contains(&&"third"), "{gone:?}");
    }

    #[test]
    fn what_nobody_wants_goes_before_all_that_somebody_does() {
        let mut kept = kept();
        let useful = kept.add("useful", 10, seconds(1));
        drop(kept.add("unwanted", 10, seconds(1000)));
        assert_eq!(kept.make_room(10), Some(vec!["unwanted"]));
        assert_eq!(kept.take_where(|moment, _| *moment == useful), ["useful"]);
        assert_eq!(kept.make_room(100), Some(vec![]));
    }
}
