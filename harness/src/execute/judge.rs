//! The verdict on a whole history: can its lanes have taken effect in some order that the model
//! allows?

use std::time::Duration;

use model::history::{History, Operation};
use model::linearizability::{
    Counterexample, Limits, Undecided, Verdict as Order, Why, check_model, check_steps,
};
use model::step::{Impossible, step};
use model::{Case, Model, Place};

use super::record::{Panic, show_command, show_outcome};
use super::{Course, Evidence, Given, Obstacle, Recorded, Verdict};
use crate::stop::Stop;
use crate::system::SystemError;

/// How long one history is looked at. Of lanes as long as those that are generated it takes well
/// under a millisecond.
const TIME: Duration = Duration::from_secs(10);
/// How much memory that may take, in bytes.
const MEMORY: usize = 256 << 20;

/// Judges everything that was given in a case with lanes.
///
/// # Errors
/// [`SystemError::Stopped`].
pub(super) fn whole<M: Model>(
    model: &M,
    case: &Case<M>,
    given: &[Recorded<M>],
    stop: &Stop,
) -> Result<Verdict, SystemError> {
    let operations = given.iter().map(|recorded| recorded.operation.clone()).collect();
    let history = History { operations };
    // What cannot be explained is told of the whole history, so no time goes into making it less.
    let limits = Limits {
        time: Some(TIME),
        evidence: Duration::ZERO,
        memory: MEMORY,
        cancel: Some(stop.flag()),
        since: None,
    };
    let counterexample = match check_model(model, &case.initial, &history, limits) {
        Order::Linearizable { .. } => return Ok(Verdict::Holds),
        Order::Undecided(Undecided::Cancelled) => return Err(SystemError::Stopped),
        Order::Undecided(why) => return Ok(Verdict::Inconclusive(format!("the lanes: {why}"))),
        Order::NotLinearizable(counterexample) => counterexample,
    };
    // Only now is it worth asking whether the model had anything to say of all commands.
    let lenient = |known: &Option<M::State>, command: &M::Command, response: Option<&M::Response>| {
        lenient_step(model, known, command, response)
    };
    let initial = Some(case.initial.clone());
    Ok(match check_steps(&initial, &history, limits, lenient) {
        Order::Linearizable { order } => Verdict::Inconclusive(senseless(model, initial, given, &order)),
        Order::Undecided(Undecided::Cancelled) => return Err(SystemError::Stopped),
        Order::Undecided(why) => Verdict::Inconclusive(format!("the lanes: {why}")),
        Order::NotLinearizable(_) => Verdict::Falsified(unexplained(model, case, given, &counterexample)),
    })
}

/// A step of a model that has nothing to say any more (no state) once a command has taken effect
/// where it makes no sense, unless it is one that the system refuses there.
///
/// What these steps explain and the model's own do not is no failure of the system: it was asked
/// for something that the model says nothing about.
fn lenient_step<M: Model>(
    model: &M,
    known: &Option<M::State>,
    command: &M::Command,
    response: Option<&M::Response>,
) -> Result<Option<M::State>, Impossible> {
    let Some(state) = known else { return Ok(None) };
    match step(model, state, command, response) {
        Err(Impossible::PreCondition) if response.is_some() && !model.can_be_refused(command) => Ok(None),
        stepped => stepped.map(Some),
    }
}

/// Why there is no verdict where only an order explains the answers in which a command makes no
/// sense where it takes effect.
fn senseless<M: Model>(
    model: &M,
    mut known: Option<M::State>,
    given: &[Recorded<M>],
    order: &[usize],
) -> String {
    let first = order.iter().map(|index| &given[*index]).find(|recorded| {
        let Operation { command, outcome, .. } = &recorded.operation;
        if let Ok(next) = lenient_step(model, &known, command, outcome.answer()) {
            known = next;
        }
        known.is_none()
    });
    let first = first.map(|Recorded { place, operation, .. }| {
        format!("{place} ({})", show_command(model, &operation.command))
    });
    format!(
        "{} makes no sense in a state that other lanes or unknown outcomes left possible",
        first.unwrap_or_else(|| "a command".to_owned())
    )
}

/// The evidence of a history that no order explains.
fn unexplained<M: Model>(
    model: &M,
    case: &Case<M>,
    given: &[Recorded<M>],
    counterexample: &Counterexample<M::State>,
) -> Evidence {
    let Counterexample { prefix, state, obstacles, .. } = counterexample;
    let number = |index: usize| number(case, given[index].place);
    // Of those that cannot come next, what was answered first is what had to by then. What was never
    // answered need not come at all.
    let impossible = obstacles.iter().filter(|obstacle| {
        let answered = given[obstacle.operation].operation.outcome.answer().is_some();
        answered && matches!(obstacle.why, Why::Impossible(_))
    });
    let blamed = impossible.min_by_key(|obstacle| given[obstacle.operation].operation.ended);
    let mut evidence = blamed.map_or_else(Evidence::default, |obstacle| {
        let Operation { command, outcome, .. } = &given[obstacle.operation].operation;
        let expected = step(model, state, command, outcome.answer()).err().map(|why| why.expected());
        let came = show_outcome(model, outcome);
        Evidence::new(number(obstacle.operation), expected.unwrap_or_default(), came)
    });
    let obstacles = obstacles.iter().map(|obstacle| Obstacle {
        number: number(obstacle.operation),
        why: match &obstacle.why {
            Why::Impossible(why) => why.clone(),
            Why::NoEffect => "it has no effect there".to_owned(),
            Why::DeadEnd => "what follows explains no more of the answers".to_owned(),
        },
    });
    let mut course = course(model, case, given);
    course.obstacles = obstacles.collect();
    course.order = prefix.iter().map(|index| number(*index)).collect();
    course.state = model.show_progress(state);
    evidence.course = Some(Box::new(course));
    evidence
}

/// The evidence of a panic in or after lanes.
pub(super) fn panicked<M: Model>(
    model: &M,
    case: &Case<M>,
    given: &[Recorded<M>],
    Panic { spot, said, .. }: Panic,
) -> Evidence {
    Evidence { course: Some(Box::new(course(model, case, given))), ..Evidence::panic(spot.number, said) }
}

/// What was given, with nothing explained yet.
fn course<M: Model>(model: &M, case: &Case<M>, given: &[Recorded<M>]) -> Course {
    let given = given.iter().map(|Recorded { place, operation, .. }| Given {
        number: number(case, *place),
        command: show_command(model, &operation.command),
        came: show_outcome(model, &operation.outcome),
        called: operation.called,
        ended: operation.ended,
    });
    Course { given: given.collect(), ..Course::default() }
}

/// The place in the order of [`Case::places`], counted from 1.
fn number<M: Model>(case: &Case<M>, place: Place) -> usize {
    case.places().position(|(other, _)| other == place).map_or(0, |index| index + 1)
}
