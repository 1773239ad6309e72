//! Making a case smaller on systems that were not made from nothing, and confirming what comes of it.

use model::Model;

use super::REPLAY_PATIENCE;
use crate::execute::{Confirmation, Execution};
use crate::lanes::Order;
use crate::memory::Memory;
use crate::observe::Event;
use crate::runner::{Failure, RunError, Runner};
use crate::shrink::Way;
use crate::system::{Purpose, System, SystemError};

impl<M: Model, S: System<M>> Runner<'_, M, S> {
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
        let Confirmation { rate, execution } = self.executor.confirm(case, order.as_ref(), is_same)?;
        failure.shrink_runs += rate.runs;
        failure.confirmed = Some(rate);
        let Some(execution) = execution else { return Ok(false) };
        let Some(evidence) = execution.evidence().cloned() else { return Ok(false) };
        failure.evidence = evidence;
        (failure.history, failure.consoles) = (execution.history, execution.consoles);
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
        let told = (failure.history.clone(), failure.consoles.clone());
        let reused = self.executor.made_for(Purpose::Rerun, || shrink(failure, memory))?;
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
        (failure.history, failure.consoles) = told;
        (failure.confirmed, failure.smallest, failure.first_rate, failure.rate) = (None, false, None, None);
        *memory = Memory::default();
        let runs = failure.shrink_runs;
        self.executor.made_for(Purpose::Confirm, || shrink(failure, memory))?;
        failure.shrink_runs += runs;
        Ok(())
    }
}
