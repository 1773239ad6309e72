//! Which candidates come next should none before them help: where several can be run at once, these
//! are, and what comes of the search is what it would be one by one.

use model::{Case, Model};

use super::step::Step;
use super::{Bench, Shrinker};
use crate::memory::Finding;

/// So many steps are looked at for each candidate that is wanted: most of the others are known.
const LOOKS: usize = 8;

impl<M: Model, B: Bench<M>> Shrinker<'_, M, B> {
    /// Has the bench run what comes of this step and of those after it, if it can run several.
    pub(super) fn foresee(&mut self, step: &Step<M>, steps: &[Step<M>]) {
        let most = self.bench.at_once();
        if most > 1 {
            let cases = self.upcoming(step, steps, most);
            self.bench.foresee(cases);
        }
    }

    /// The next candidates, from this step on, if all of them hold. What would be learnt of that is
    /// learnt on the way, and forgotten at the end.
    fn upcoming(&mut self, step: &Step<M>, steps: &[Step<M>], most: usize) -> Vec<Case<M>> {
        let (relevance, rates) = (self.relevance.clone(), self.rates.clone());
        let (tried_sets, new_id) = (self.tried_sets.clone(), self.new_id);
        let (mut steps, mut cases) = (steps.to_vec(), Vec::new());
        let mut next = Some(step.clone());
        for _ in 0..LOOKS * most {
            let Some(step) = next else { break };
            cases.extend(self.candidate_if_in_vain(&step).filter(|case| !cases.contains(case)));
            if cases.len() == most {
                break;
            }
            self.rates.was_in_vain(&step.name);
            next = self.most_promising(&mut steps);
        }
        (self.relevance, self.rates) = (relevance, rates);
        (self.tried_sets, self.new_id) = (tried_sets, new_id);
        cases
    }

    /// What a step would have run, where that is not known; it is taken to hold.
    fn candidate_if_in_vain(&mut self, step: &Step<M>) -> Option<Case<M>> {
        let draft = self.drafted(step)?.repaired(self.model)?;
        let case = draft.case();
        if case.is_empty() || case == self.best.case() {
            return None;
        }
        match self.memory.of(&case) {
            None => {
                self.rates.learn(step.kind, false);
                self.learn_needed(&draft);
                Some(case)
            }
            Some(known) => {
                if *known == Finding::Holds {
                    self.learn_needed(&draft);
                }
                None
            }
        }
    }
}
