//! Systems in memory that any number of lanes can use at once, and how they are run.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use harness::{
    Config, Failure, LaneShape, Lanes, Model, Outcome, Runner, Shape, Silent, Stop, Summary, System,
    SystemError,
};

/// What takes commands from several threads at once.
pub(crate) trait Shared<M: Model>: Sync {
    fn give(&self, command: &M::Command) -> Outcome<M::Response>;
}

/// Makes systems whose lanes all share one thing.
pub(crate) struct InMemory<M: Model, T>(pub(crate) fn(&M::State) -> T);

impl<M, T> System<M> for InMemory<M, T>
where
    M: Model + Sync,
    M::Command: Send + Sync,
    M::Response: Send + Sync,
    T: Shared<M>,
{
    type Sut = T;

    fn new_sut(&self, state: &M::State) -> Result<T, SystemError> {
        Ok((self.0)(state))
    }

    fn run(&self, sut: &mut T, command: &M::Command) -> Result<Outcome<M::Response>, SystemError> {
        Ok(sut.give(command))
    }

    fn run_lanes(&self, sut: &mut T, lanes: &Lanes<'_, M>) -> Result<(), SystemError> {
        let shared: &T = sut;
        lanes.run(|_| Ok(|command: &M::Command| Ok(shared.give(command))))
    }
}

/// Two threads meet here: one that comes alone goes on after a moment, so that whatever happens
/// between a read and a write does happen.
#[derive(Default)]
pub(crate) struct Meeting(Mutex<u32>, Condvar);

impl Meeting {
    pub(crate) fn meet(&self) {
        let mut here = self.0.lock().unwrap();
        *here += 1;
        self.1.notify_all();
        let patience = Duration::from_millis(5);
        let (mut here, _) = self.1.wait_timeout_while(here, patience, |here| *here < 2).unwrap();
        *here = here.saturating_sub(1);
    }
}

/// Cases that all have lanes.
pub(crate) fn config(cases: u32) -> Config {
    Config {
        cases,
        shape: Shape { commands: 0..=4, lanes: Some(LaneShape { percent: 100, ..LaneShape::default() }) },
        seed: Some(1.into()),
        failures: None,
        regressions: None,
        ..Config::default()
    }
}

pub(crate) fn run<M: Model, S: System<M>>(model: &M, system: &S, config: &Config) -> Summary<M> {
    Runner::new(model, system, config, &Silent, &Stop::default()).run().unwrap()
}

/// Every one of so many cases holds.
pub(crate) fn holds<M: Model, S: System<M>>(cases: u32, model: &M, system: &S) {
    let summary = run(model, system, &config(cases));
    if let Some(failure) = &summary.failure {
        panic!("{}", harness::report::failure(model, failure));
    }
    assert_eq!((summary.held, summary.inconclusive), (cases, 0));
}

/// One of so many cases fails.
pub(crate) fn fails<M: Model, S: System<M>>(cases: u32, model: &M, system: &S) -> Failure<M> {
    let summary = run(model, system, &config(cases));
    summary.failure.unwrap_or_else(|| panic!("{} cases held, and none fails", summary.held))
}
