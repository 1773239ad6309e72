//! Whether a candidate fails in the same way as the first case, and how often.

use model::{Case, Model};

use super::reproduction::{Rate, SequentialTest};
use super::trail::Fate;
use super::{Bench, End, Shrinker, Trial};
use crate::execute::{Evidence, Verdict};
use crate::memory::Finding;

/// What a candidate has shown.
pub(super) enum Judged {
    /// It fails in the same way as the first case, this often.
    Fails(Box<Evidence>, Rate),
    /// Anything else.
    Dropped(Fate),
}

impl<M: Model, B: Bench<M>> Shrinker<'_, M, B> {
    /// Runs a candidate, as often as it takes to tell whether it fails in the same way.
    pub(super) fn judge(&mut self, case: &Case<M>) -> Result<Judged, End> {
        let most = self.reruns.max(1).saturating_mul(2);
        let mut test = self.reference.map(|reference| SequentialTest::new(reference.expected(), most));
        let (mut rate, mut found, mut otherwise) = (Rate::default(), None, false);
        loop {
            let trial = self.run(case)?;
            if matches!(trial.verdict, Verdict::Inconclusive(_) | Verdict::Excluded(_)) {
                self.memory.keep(case, &trial.verdict);
                return Ok(Judged::Dropped(Fate::dropped(&Finding::from(&trial.verdict), rate)));
            }
            let falsified = matches!(trial.verdict, Verdict::Falsified(_));
            let evidence = self.same_failure(case, trial);
            let failed = evidence.is_some();
            rate.add(failed);
            otherwise |= falsified && !failed;
            found = evidence.or(found);
            if let Some(fails) = test.as_mut().map_or(Some(failed), |test| test.observe(failed)) {
                let kept = found.filter(|_| fails);
                let known = if otherwise || kept.is_some() { Finding::Fails } else { Finding::Holds };
                let fate = Fate::dropped(&known, rate);
                self.memory.know(case, known);
                return Ok(
                    kept.map_or(Judged::Dropped(fate), |evidence| Judged::Fails(Box::new(evidence), rate))
                );
            }
        }
    }

    /// Runs a case once, within the budget.
    fn run(&mut self, case: &Case<M>) -> Result<Trial, End> {
        if self.budget.is_spent(self.runs, self.start) {
            return Err(End::Budget);
        }
        let trial = self.bench.run(case).map_err(End::System)?;
        self.runs += 1;
        self.clock.learn(self.size(&case.initial), &trial.took);
        Ok(trial)
    }

    /// The evidence, if the case failed in the same way as the first.
    fn same_failure(&mut self, case: &Case<M>, trial: Trial) -> Option<Evidence> {
        let (Verdict::Falsified(evidence), Some(way)) = (trial.verdict, trial.way) else { return None };
        if way.is_same(&self.way) {
            return Some(evidence);
        }
        self.bench.other(case, &evidence, &way);
        None
    }

    /// Measures how often the smallest case fails, where one run does not tell.
    pub(super) fn measure(&mut self) -> Result<(), End> {
        if self.reference.is_none() || self.epoch == 0 {
            return Ok(());
        }
        let (case, mut rate) = (self.best.case(), Rate::default());
        while rate.runs < self.reruns {
            let trial = self.run(&case)?;
            let conclusive = matches!(trial.verdict, Verdict::Holds | Verdict::Falsified(_));
            if !conclusive {
                break;
            }
            rate.add(self.same_failure(&case, trial).is_some());
        }
        if rate.runs > 0 {
            self.rate = rate;
        }
        Ok(())
    }
}
