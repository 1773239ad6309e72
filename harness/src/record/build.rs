//! A record of a failure, in the words of its model.

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use anstream::adapter::strip_str;
use hypervisor::ConsoleLine;
use model::step::{predict, step};
use model::{Model, Outcome, Place};

use super::contradiction;
use super::file::{FORMAT, VERSION};
use super::states::{States, bounded};
use super::{Ending, Line, Operation, Part, Reason, Record, Said, Verdict};
use crate::execute::Recorded;
use crate::runner::Failure;
use crate::statistics::Statistics;
use crate::system::Console;

/// A command of the history with its number.
pub(super) type Numbered<'a, M> = (usize, &'a Recorded<M>);

/// An operation's place in the order that was followed, and the states before and after it, by their
/// places.
#[derive(Clone, Copy, Default)]
struct Step {
    rank: Option<usize>,
    before: Option<usize>,
    after: Option<usize>,
}

impl Record {
    /// That of a failure, with what the cases of its run were like.
    #[must_use]
    pub fn of<M: Model>(model: &M, failure: &Failure<M>, statistics: Option<Statistics>) -> Self {
        let Failure { case, .. } = failure;
        let numbers: HashMap<Place, usize> = case.places().map(|(place, _)| place).zip(1..).collect();
        let numbered = failure.history.iter().map(|recorded| (numbers.get(&recorded.place), recorded));
        let history: Vec<Numbered<'_, M>> =
            numbered.filter_map(|(number, recorded)| Some((*number?, recorded))).collect();
        let mut states = States::new(model, &case.initial);
        let steps = follow(model, failure, &history, &mut states);
        let began = history.iter().find_map(|(_, recorded)| recorded.given);
        let operation = |(number, recorded): &Numbered<'_, M>| {
            operation(model, *number, recorded, began, steps.get(number).copied().unwrap_or_default())
        };
        let name = |path: &std::path::PathBuf| Some(path.file_name()?.to_string_lossy().into_owned());
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            netprop: env!("CARGO_PKG_VERSION").to_owned(),
            specification: model.name(),
            seed: failure.seed.to_string(),
            replay: failure.file.as_ref().filter(|_| failure.unkept.is_none()).and_then(name),
            settings: failure.settings.clone(),
            smallest: failure.smallest,
            initial: bounded(model.show_state(&case.initial)),
            operations: history.iter().map(operation).collect(),
            machines: states.machines,
            states: states.all,
            lanes: case.lanes.len(),
            commands: case.len(),
            verdict: Verdict::Falsified,
            evidence: reason(model, failure, &history),
            causes: failure.causes.clone().filter(|causes| !causes.is_empty()),
            commands_at_first: failure.commands_at_first,
            shrink_runs: failure.shrink_runs,
            shrinking: failure.trail.clone(),
            first_rate: failure.first_rate,
            rate: failure.rate,
            confirmed: failure.confirmed,
            others: failure.others.iter().map(|other| other.way.clone()).collect(),
            statistics,
            began: began.map(since_1970),
            consoles: failure.consoles.iter().map(|console| said(console, began)).collect(),
            capture: None,
            warnings: failure.unkept.iter().chain(&failure.warnings).cloned().collect(),
        }
    }

    /// Takes over from an earlier record of the same failure what this one does not know: what the run
    /// was like that found it, and what earlier searches have tried.
    #[must_use]
    pub fn after(mut self, earlier: Self) -> Self {
        if (&self.specification, &self.seed) != (&earlier.specification, &earlier.seed) {
            return self;
        }
        self.statistics = self.statistics.or(earlier.statistics);
        let goes_on = self.commands_at_first == earlier.commands;
        if self.shrinking.candidates.is_empty() || goes_on {
            self.commands_at_first = earlier.commands_at_first;
            self.shrink_runs += earlier.shrink_runs;
            self.shrinking = earlier.shrinking.then(self.shrinking);
        }
        if self.others.is_empty() {
            self.others = earlier.others;
        }
        self
    }

    /// With another run of the same case in the place of the one that it shows.
    #[must_use]
    pub fn showing(self, run: Self) -> Self {
        let Self { machines, states, operations, evidence, began, consoles, capture, .. } = run;
        Self { machines, states, operations, evidence, began, consoles, capture, ..self }
    }
}

fn reason<M: Model>(model: &M, failure: &Failure<M>, history: &[Numbered<'_, M>]) -> Reason {
    let Failure { case, evidence, .. } = failure;
    let course = evidence.course.as_deref().cloned().unwrap_or_default();
    Reason {
        number: evidence.number,
        expected: bounded(evidence.expected.clone()),
        came: bounded(evidence.came.clone()),
        is_panic: evidence.is_panic(),
        order: course.order,
        state: bounded(course.state),
        contradiction: (!course.obstacles.is_empty())
            .then(|| contradiction::of(model, &case.initial, history))
            .flatten(),
        obstacles: course.obstacles,
    }
}

fn operation<M: Model>(
    model: &M,
    number: usize,
    recorded: &Recorded<M>,
    began: Option<SystemTime>,
    step: Step,
) -> Operation {
    let Recorded { place, operation, elapsed, given } = recorded;
    let command = &operation.command;
    let (part, lane) = match place {
        Place::Prefix(_) => (Part::Prefix, None),
        Place::Lane { lane, .. } => (Part::Lane, Some(lane + 1)),
        Place::Finally(_) => (Part::Finally, None),
    };
    let (ending, came) = match &operation.outcome {
        Outcome::Answered(response) => (Ending::Answered, model.show_response(response)),
        Outcome::Refused(why) => (Ending::Refused, why.clone()),
        Outcome::Unknown(why) => (Ending::Unknown, why.clone()),
    };
    Operation {
        number,
        part,
        lane,
        command: bounded(model.show_command(command)),
        kind: model.kind(command).into_owned(),
        role: model.role(command),
        machines: concerned(model, command),
        ending,
        came: bounded(came),
        called: operation.called,
        ended: operation.ended,
        started: given.zip(began).map(|(given, began)| seconds_between(began, given)),
        seconds: elapsed.map(|time| time.as_secs_f64()),
        rank: step.rank,
        before: step.before,
        after: step.after,
    }
}

/// The machines that a command concerns, each once.
fn concerned<M: Model>(model: &M, command: &M::Command) -> Vec<String> {
    let mut machines = Vec::new();
    for machine in model.concerns(command) {
        if !machines.contains(&machine) {
            machines.push(machine);
        }
    }
    machines
}

fn said(console: &Console, began: Option<SystemTime>) -> Said {
    let line = |line: &ConsoleLine| Line {
        at: line.at.zip(began).map(|(at, began)| seconds_between(began, at)),
        // Colours and the like mean nothing on a page.
        text: strip_str(&line.text).to_string(),
    };
    Said {
        machine: console.name.clone(),
        voice: console.voice,
        is_cut: console.is_cut,
        lines: console.lines.iter().map(line).collect(),
    }
}

fn since_1970(time: SystemTime) -> f64 {
    seconds_between(SystemTime::UNIX_EPOCH, time)
}

/// From one moment to another, less than nothing where that was before.
fn seconds_between(from: SystemTime, to: SystemTime) -> f64 {
    match to.duration_since(from) {
        Ok(time) => time.as_secs_f64(),
        Err(error) => -error.duration().as_secs_f64(),
    }
}

/// The states that the model predicts along the order that explains most: that of the lanes, or the
/// one in which commands were given in sequence, as far as the wrong answer.
fn follow<M: Model>(
    model: &M,
    failure: &Failure<M>,
    history: &[Numbered<'_, M>],
    states: &mut States<'_, M>,
) -> BTreeMap<usize, Step> {
    let Failure { case, evidence, .. } = failure;
    let order = evidence.course.as_ref().map(|course| &course.order).filter(|order| !order.is_empty());
    let given: HashMap<usize, &Recorded<M>> = history.iter().copied().collect();
    let in_sequence = || {
        let outside =
            history.iter().take_while(|(_, recorded)| !matches!(recorded.place, Place::Lane { .. }));
        outside.map(|(number, _)| *number).collect()
    };
    let numbers: Vec<usize> = order.map_or_else(in_sequence, Clone::clone);
    let (mut state, mut steps) = (case.initial.clone(), BTreeMap::new());
    let mut before = states.place(&state);
    for (index, number) in numbers.into_iter().enumerate() {
        let Some(recorded) = given.get(&number) else { continue };
        let rank = order.map(|_| index + 1);
        if order.is_none() && number == evidence.number {
            steps.insert(number, Step { rank, before, after: None });
            break;
        }
        if let Some(next) = next(model, &state, recorded) {
            state = next;
        }
        let after = states.place(&state);
        steps.insert(number, Step { rank, before, after });
        before = after;
    }
    steps
}

/// The state that a command leads to with what came of it; none where it is the same.
fn next<M: Model>(model: &M, state: &M::State, recorded: &Recorded<M>) -> Option<M::State> {
    let command = &recorded.operation.command;
    match &recorded.operation.outcome {
        Outcome::Refused(_) => None,
        Outcome::Unknown(_) => Some(predict(model, state, command)),
        Outcome::Answered(response) => {
            let stepped = step(model, state, command, Some(response));
            // An earlier outcome that is unknown may have led elsewhere.
            Some(stepped.unwrap_or_else(|_| predict(model, state, command)))
        }
    }
}
