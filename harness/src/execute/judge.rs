//! The verdict on a whole history: can its lanes have taken effect in some order that the model
//! allows?

use model::history::Operation;
use model::{Case, Model, Outcome, Place};

use super::drive::Panic;
use super::record::show_outcome;
use super::search::{Search, Searched};
use super::{Course, Evidence, Given, Obstacle, Recorded, Verdict};

/// Judges everything that was given in a case with lanes.
pub(super) fn whole<M: Model>(model: &M, case: &Case<M>, history: &[Recorded<M>]) -> Verdict {
    let operations: Vec<&Operation<M::Command, M::Response>> =
        history.iter().map(|recorded| &recorded.operation).collect();
    let found = match Search::new(model, case.initial.clone(), &operations).run() {
        Searched::Explained => return Verdict::Holds,
        Searched::Undecided(why) => return Verdict::Inconclusive(why),
        Searched::Unexplained(found) => found,
    };
    if let Some(index) = found.senseless {
        let Recorded { place, operation, .. } = &history[index];
        let shown = model.show_command(&operation.command);
        return Verdict::Inconclusive(format!(
            "{place} ({shown}) makes no sense in a state that other lanes or unknown outcomes left possible"
        ));
    }
    let numbers: Vec<usize> = history.iter().map(|recorded| number(case, recorded.place)).collect();
    let obstacles = found.obstacles.iter().map(|(index, why)| (numbers[*index], why.to_string()));
    // What was answered first had to take effect by then.
    let stuck = found.obstacles.iter().min_by_key(|(index, _)| operations[*index].ended);
    let (number, expected, came) = stuck.map_or_else(Default::default, |(index, why)| {
        (numbers[*index], why.expected(), show_outcome(model, &operations[*index].outcome))
    });
    let course = Course {
        given: given(model, case, history),
        order: found.order.iter().map(|index| numbers[*index]).collect(),
        state: model.show_progress(&found.state),
        obstacles: obstacles.map(|(number, why)| Obstacle { number, why }).collect(),
    };
    Verdict::Falsified(Evidence { number, expected, came, course: Some(Box::new(course)) })
}

/// The evidence of a panic in or after lanes.
pub(super) fn panicked<M: Model>(
    model: &M,
    case: &Case<M>,
    history: &[Recorded<M>],
    (spot, came): Panic,
) -> Evidence {
    let course = Course { given: given(model, case, history), ..Course::default() };
    Evidence { course: Some(Box::new(course)), ..Evidence::panic(spot.number, came) }
}

fn given<M: Model>(model: &M, case: &Case<M>, history: &[Recorded<M>]) -> Vec<Given> {
    let given = history.iter().map(|Recorded { place, operation, .. }| Given {
        number: number(case, *place),
        command: model.show_command(&operation.command),
        came: show_outcome::<M>(model, &operation.outcome),
        called: operation.called,
        ended: operation.ended.filter(|_| !matches!(operation.outcome, Outcome::Unknown(_))),
    });
    given.collect()
}

/// The place in the order of [`Case::places`], counted from 1.
fn number<M: Model>(case: &Case<M>, place: Place) -> usize {
    case.places().position(|(other, _)| other == place).map_or(0, |index| index + 1)
}
