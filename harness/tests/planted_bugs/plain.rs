//! A plain shrinker to compare with: one command less at a time, from the end, in one pass.

use harness::{Outcome, System};
use model::{Case, Model, Possible};

/// Deletes commands as a plain shrinker does; the case that is left, and how often it was run.
pub(crate) fn shrink<M: Model, S: System<M>>(model: &M, system: &S, case: &Case<M>) -> (Case<M>, u32) {
    let mut best = case.clone();
    let mut runs = 1;
    best.commands.truncate(failing(model, system, &best).unwrap_or(best.commands.len()));
    for index in (0..best.commands.len()).rev() {
        let mut fewer = best.clone();
        fewer.commands.remove(index);
        if fewer.commands.is_empty() || fewer.validate(model).is_err() {
            continue;
        }
        runs += 1;
        if failing(model, system, &fewer).is_some() {
            best = fewer;
        }
    }
    (best, runs)
}

/// The place of the first wrong answer, counted from 1.
fn failing<M: Model, S: System<M>>(model: &M, system: &S, case: &Case<M>) -> Option<usize> {
    let mut sut = system.new_sut(&case.initial).unwrap();
    let mut possible = Possible::new(case.initial.clone());
    let mut results = std::collections::HashMap::new();
    (1..).zip(&case.commands).find_map(|(number, command)| {
        let uses = !model.uses(command).is_empty();
        let bound = if uses { model.bind(command, &|symbol| results.get(&symbol).cloned()) } else { None };
        let command = bound.as_ref().unwrap_or(command);
        let outcome = system.run(&mut sut, command).unwrap();
        if let (Some(symbol), Outcome::Answered(response)) = (model.defines(command), &outcome) {
            results.insert(symbol, response.clone());
        }
        let judgement = possible.observe(model, command, &outcome);
        matches!(judgement, model::Judgement::Forbidden(_)).then_some(number)
    })
}
