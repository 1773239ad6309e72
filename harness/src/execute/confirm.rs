//! Confirming on systems made from nothing what failed on one that was not.

use model::{Case, Model};

use super::{Execution, Executor, Verdict};
use crate::lanes::Order;
use crate::observe::Event;
use crate::shrink::Rate;
use crate::system::{Purpose, System, SystemError};

/// What running a case on systems made from nothing has shown.
pub(crate) struct Confirmation<M: Model> {
    pub(crate) rate: Rate,
    /// The run that failed, if one did.
    pub(crate) execution: Option<Execution<M>>,
}

impl<M: Model, S: System<M>> Executor<'_, M, S> {
    /// Runs a case. Where it fails on a system that was not made from nothing, what counts is what
    /// comes of it on systems that were; if it fails on none, there is no verdict, since nobody can
    /// tell whether the case or the making of the system is to blame.
    ///
    /// # Errors
    /// What no fresh system would mend.
    #[inline]
    pub(crate) fn run_confirmed(
        &self,
        case: &Case<M>,
        order: Option<&Order>,
    ) -> Result<Execution<M>, SystemError> {
        match self.run(case, order) {
            Ok(execution) if execution.reused && execution.evidence().is_some() => {
                self.confirmed(execution, case, order)
            }
            came => came,
        }
    }

    /// What comes of a case on systems made from nothing, that failed on one that was not.
    #[cold]
    fn confirmed(
        &self,
        found: Execution<M>,
        case: &Case<M>,
        order: Option<&Order>,
    ) -> Result<Execution<M>, SystemError> {
        let Confirmation { rate, execution } = self.confirm(case, order, |_| true)?;
        Ok(execution.unwrap_or_else(|| {
            let came = found.evidence().map(ToString::to_string).unwrap_or_default();
            let reason = format!(
                "it failed on a system that was not made from nothing ({came}), and failed in {rate} on systems that were"
            );
            Execution { verdict: Verdict::Inconclusive(reason), ..found }
        }))
    }

    /// Runs a case on systems made from nothing until it fails as is asked, or has held as often as
    /// a failing case is run again.
    pub(crate) fn confirm(
        &self,
        case: &Case<M>,
        order: Option<&Order>,
        fails: impl Fn(&Execution<M>) -> bool,
    ) -> Result<Confirmation<M>, SystemError> {
        let mut confirmation = Confirmation { rate: Rate::default(), execution: None };
        let rate = &mut confirmation.rate;
        while confirmation.execution.is_none() && rate.runs < self.reruns.max(1) {
            let execution = self.made_for(Purpose::Confirm, || self.run(case, order))?;
            if matches!(execution.verdict, Verdict::Inconclusive(_) | Verdict::Excluded(_)) {
                break;
            }
            let failed = execution.evidence().is_some() && fails(&execution);
            rate.add(failed);
            confirmation.execution = failed.then_some(execution);
        }
        self.observer.event(&Event::Confirmed { failed: rate.failed, runs: rate.runs });
        Ok(confirmation)
    }

    /// Has systems made for a purpose meanwhile.
    pub(crate) fn made_for<T>(&self, purpose: Purpose, run: impl FnOnce() -> T) -> T {
        let outer = self.purpose.replace(purpose);
        let result = run();
        self.purpose.set(outer);
        result
    }
}
