//! What of a failing case's initial state matters.

use model::{Case, Model};

use crate::causes::Causes;
use crate::execute::Course;
use crate::falsified::REPLAY_PATIENCE;
use crate::lanes::Order;
use crate::memory::Memory;
use crate::observe::Event;
use crate::probe::{Prober, Tools};
use crate::runner::{Failure, Runner};
use crate::system::{System, SystemError};

impl<M: Model, S: System<M>> Runner<'_, M, S> {
    /// Probes what of the initial state matters, going on where an earlier run ended, and keeps
    /// each finding in the replay file.
    pub(super) fn probe(&self, failure: &mut Failure<M>, memory: &mut Memory) {
        let (case, earlier) = (failure.case.clone(), failure.causes.clone());
        let course = failure.evidence.course.clone().filter(|_| failure.in_order);
        let keep = |causes: &Causes| {
            failure.causes = Some(causes.clone());
            self.save(failure, Vec::new());
        };
        failure.causes = self.probe_case(&case, course.as_deref(), earlier, memory, keep);
    }

    /// Finds out what of a failing case's initial state matters. Its lanes follow `course`, where
    /// there is one; `earlier` is what is known of it; `keep` is given what is known after each run.
    /// None where nothing of the state is varied or nothing was asked.
    ///
    /// It ends early where its budget ends, the run is stopped, or no system can be had.
    pub fn causes(
        &self,
        case: &Case<M>,
        course: Option<&Course>,
        earlier: Option<Causes>,
        keep: impl FnMut(&Causes),
    ) -> Option<Causes> {
        self.probe_case(case, course, earlier, &mut Memory::default(), keep)
    }

    fn probe_case(
        &self,
        case: &Case<M>,
        course: Option<&Course>,
        earlier: Option<Causes>,
        memory: &mut Memory,
        mut keep: impl FnMut(&Causes),
    ) -> Option<Causes> {
        if self.config.probes.runs == 0 {
            return earlier;
        }
        let executor = &self.executor;
        let mut judge = |other: &Case<M>| {
            let order = course.and_then(|course| Order::of(course, case, other, REPLAY_PATIENCE));
            executor.run(other, order.as_ref()).map(|execution| execution.verdict)
        };
        let cost = |state: &M::State| executor.system.cost(state);
        let mut told = |runs, changed: &str, finding: &_, causes: &Causes| {
            keep(causes);
            self.tell(&Event::Probed { runs, changed, finding });
        };
        let tools = Tools { judge: &mut judge, cost: &cost, told: &mut told };
        let prober = Prober::new(executor.model, case, memory, earlier, self.config.probes, tools);
        let (causes, error) = prober.search();
        match error {
            // What was found before still stands.
            Some(error) if !matches!(error, SystemError::Stopped) => {
                let text = format!("what matters could not be found out to the end: {error}");
                self.tell(&Event::Warning { text: &text });
            }
            _ => {}
        }
        if causes.is_empty() {
            return None;
        }
        keep(&causes);
        self.tell(&Event::Causes { causes: &causes });
        Some(causes)
    }
}
