//! Which commands a failure seems to need: each has a probability, and the commands to delete
//! together next are those with the greatest expected gain (probabilistic delta debugging: Wang,
//! Shen, Chen, Xiong and Zhang, "Probabilistic Delta Debugging", ESEC/FSE 2021).

use std::collections::{HashMap, HashSet};

/// How likely it is of each command, by its identity, that the failure needs it.
#[derive(Clone)]
pub(super) struct Relevance {
    needed: HashMap<usize, f64>,
    at_first: f64,
}

/// So many commands are expected to be needed, whatever the length of a case.
const EXPECTED: f64 = 3.0;

/// What is never reached by a failed deletion alone, so that a command can be tried again once
/// others are gone.
const NEARLY_CERTAIN: f64 = 0.95;

impl Relevance {
    /// Nothing is known of so many commands.
    pub(super) fn new(commands: usize) -> Self {
        let count = f64::from(u32::try_from(commands.max(1)).unwrap_or(u32::MAX));
        Self { needed: HashMap::new(), at_first: (EXPECTED / count).min(0.3) }
    }

    /// The command got the wrong answer: it is hardly to be missed.
    pub(super) fn suspect(&mut self, id: usize) {
        self.needed.insert(id, NEARLY_CERTAIN);
    }

    /// How likely it is that the failure needs the command.
    pub(super) fn of(&self, id: usize) -> f64 {
        self.needed.get(&id).copied().unwrap_or(self.at_first)
    }

    /// How likely it is that the failure needs none of the commands.
    pub(super) fn none_of(&self, ids: impl IntoIterator<Item = usize>) -> f64 {
        ids.into_iter().map(|id| 1.0 - self.of(id)).product()
    }

    /// Without these commands the case holds: one of them at least is needed.
    pub(super) fn are_needed(&mut self, ids: &[usize]) {
        let one_is = 1.0 - self.none_of(ids.iter().copied());
        for id in ids {
            let needed = self.of(*id) / one_is.max(f64::EPSILON);
            self.needed.insert(*id, needed.min(NEARLY_CERTAIN));
        }
    }

    /// Of these commands the set with the greatest expected gain: how many they are, times how
    /// likely it is that none is needed. Sets that were tried are passed over.
    pub(super) fn best_set(&self, ids: &[usize], tried: &HashSet<Vec<usize>>) -> Option<Vec<usize>> {
        let mut order = ids.to_vec();
        // A stable sort: commands of which equally little is known stay together.
        order.sort_by(|one, other| self.of(*one).total_cmp(&self.of(*other)));
        let mut chance = 1.0;
        let gains = (1_u32..).zip(&order).map(|(count, id)| {
            chance *= 1.0 - self.of(*id);
            chance * f64::from(count)
        });
        let mut gains: Vec<(usize, f64)> =
            (1..).zip(gains).filter(|(count, gain)| *count > 1 && *gain > 0.0).collect();
        // Of equal gains that of the smaller set comes first. Few sets were tried, so few are looked up.
        gains.sort_by(|one, other| other.1.total_cmp(&one.1));
        let best = gains.into_iter().find(|(count, _)| !tried.contains(&order[..*count]))?;
        order.truncate(best.0);
        Some(order)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Relevance;

    #[test]
    fn what_holds_without_some_commands_makes_these_more_likely_and_others_not() {
        let mut relevance = Relevance::new(30);
        let ids: Vec<usize> = (0..30).collect();
        let first = relevance.best_set(&ids, &HashSet::new()).unwrap();
        assert_eq!(first, (0..first.len()).collect::<Vec<_>>());
        assert!((8..=11).contains(&first.len()), "{first:?}");
        relevance.are_needed(&first);
        let second = relevance.best_set(&ids, &HashSet::new()).unwrap();
        assert!(second.iter().all(|id| !first.contains(id)), "{second:?}");
        relevance.are_needed(&[0]);
        assert!(relevance.of(0) > 0.9 && relevance.of(29) < 0.2);
    }
}
