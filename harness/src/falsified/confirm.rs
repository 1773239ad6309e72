//! Confirming on systems made from nothing what failed on one that was not.

use model::{Case, Model};

use super::REPLAY_PATIENCE;
use crate::execute::{Execution, Verdict};
use crate::lanes::Order;
use crate::memory::Memory;
use crate::observe::Event;
use crate::runner::{Failure, RunError, Runner};
use crate::shrink::{Rate, Way};
use crate::system::{Purpose, System, SystemError};

/// What running a case on systems made from nothing has shown.
struct Confirmation<M: Model> {
    rate: Rate,
    /// The run that failed, if one did.
    execution: Option<Execution<M>>,
}

impl<M: Model, S: System<M>> Runner<'_, M, S> {
    /// Runs a case. Where it fails on a system that was not made from nothing, what counts is what
    /// comes of it on systems that were; if it fails on none, there is no verdict, since nobody can
    /// tell whether the case or the making of the system is to blame.
    ///
    /// # Errors
    /// What no fresh system would mend.
    pub(crate) fn run_confirmed(
        &self,
        case: &Case<M>,
        order: Option<&Order>,
    ) -> Result<Execution<M>, SystemError> {
        let execution = self.executor.run(case, order)?;
        let (Verdict::Falsified(evidence), true) = (&execution.verdict, execution.reused) else {
            return Ok(execution);
        };
        let Confirmation { rate, execution: confirmed } = self.confirm(case, order, |_| true)?;
        Ok(confirmed.unwrap_or_else(|| {
            let reason = format!(
                "it failed on a system that was not made from nothing ({evidence}), and failed in {rate} on systems that were"
            );
            let verdict = Verdict::Inconclusive(reason);
            Execution { history: execution.history, verdict, reused: true }
        }))
    }

    /// Confirms the smallest case that reruns on systems not made from nothing have led to; what is
    /// shown of it from then on is what came of it on one that was. False where it cannot be
    /// confirmed.
    ///
    /// # Errors
    /// What no fresh system would mend.
    pub(super) fn confirm_smallest(&self, failure: &mut Failure<M>, way: &Way) -> Result<bool, SystemError> {
        let (case, model) = (&failure.case, self.executor.model);
        let course = failure.evidence.course.as_ref().filter(|_| failure.in_order);
        let order = course.and_then(|course| Order::of(course, case, case, REPLAY_PATIENCE));
        let is_same = |execution: &Execution<M>| {
            let evidence = execution.evidence();
            evidence.is_some_and(|evidence| Way::of(model, case, evidence, execution).is_same(way))
        };
        let Confirmation { rate, execution } = self.confirm(case, order.as_ref(), is_same)?;
        failure.shrink_runs += rate.runs;
        failure.confirmed = Some(rate);
        let Some(evidence) = execution.as_ref().and_then(Execution::evidence) else { return Ok(false) };
        failure.evidence = evidence.clone();
        Ok(true)
    }

    /// Makes a case smaller on systems that may be made in any way, and confirms what comes of it.
    /// Where that cannot be confirmed, or the case never fails on such systems, all is done once
    /// more on systems made from nothing. `shrink` says whether some system was not.
    ///
    /// # Errors
    /// Those of `shrink`, and what no fresh system would mend.
    pub(super) fn shrink_confirmed(
        &self,
        failure: &mut Failure<M>,
        way: &Way,
        memory: &mut Memory,
        mut shrink: impl FnMut(&mut Failure<M>, &mut Memory) -> Result<bool, RunError>,
    ) -> Result<(), RunError> {
        let first = (failure.case.clone(), failure.evidence.clone(), failure.in_order);
        let reused = self.made_for(Purpose::Rerun, || shrink(failure, memory))?;
        let came_again = failure.came_again();
        if came_again && (failure.confirmed.is_none() || self.confirm_smallest(failure, way)?) {
            self.save(failure, self.held(failure, memory));
            return Ok(());
        }
        if !came_again && !reused {
            return Ok(());
        }
        let what = if came_again {
            "a smaller form of it failed only on systems that were not made from nothing"
        } else {
            "it failed on a system that was made from nothing, and on none that was not"
        };
        let text = format!("{what}, so it was made smaller on systems made from nothing alone");
        self.tell(&Event::Warning { text: &text });
        failure.warnings.push(text);
        (failure.case, failure.evidence, failure.in_order) = first;
        (failure.confirmed, failure.smallest, failure.first_rate, failure.rate) = (None, false, None, None);
        *memory = Memory::default();
        let runs = failure.shrink_runs;
        self.made_for(Purpose::Confirm, || shrink(failure, memory))?;
        failure.shrink_runs += runs;
        Ok(())
    }

    /// Runs a case on systems made from nothing until it fails as is asked, or has held as often as
    /// a failing case is run again.
    fn confirm(
        &self,
        case: &Case<M>,
        order: Option<&Order>,
        fails: impl Fn(&Execution<M>) -> bool,
    ) -> Result<Confirmation<M>, SystemError> {
        let mut confirmation = Confirmation { rate: Rate::default(), execution: None };
        let rate = &mut confirmation.rate;
        while confirmation.execution.is_none() && rate.runs < self.config.reruns.max(1) {
            let execution = self.made_for(Purpose::Confirm, || self.executor.run(case, order))?;
            if matches!(execution.verdict, Verdict::Inconclusive(_) | Verdict::Excluded(_)) {
                break;
            }
            let failed = execution.evidence().is_some() && fails(&execution);
            rate.add(failed);
            confirmation.execution = failed.then_some(execution);
        }
        self.tell(&Event::Confirmed { failed: rate.failed, runs: rate.runs });
        Ok(confirmation)
    }

    /// Has systems made for a purpose meanwhile.
    pub(super) fn made_for<T>(&self, purpose: Purpose, run: impl FnOnce() -> T) -> T {
        let outer = self.executor.purpose.replace(purpose);
        let result = run();
        self.executor.purpose.set(outer);
        result
    }
}
