//! What cases are generated: by weights that depend on the state, in swarms, by scenarios, and
//! what is said of strategies that do not do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use model::{Case, LaneShape, Model, Phase, Scenario, Shape, Swarm, generate, generate_swarm, weighted};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
enum Command {
    Push(u8),
    Pop,
    Clear,
    Cut,
    Heal,
}
use Command::{Clear, Cut, Heal, Pop, Push};

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
struct Stack {
    values: Vec<u8>,
    cut: bool,
}

/// A stack, with whatever of it a test has go wrong.
#[derive(Default)]
struct Spec {
    scenario: Option<fn() -> Scenario<Spec>>,
    trouble: Trouble,
}

#[derive(Default, Eq, PartialEq)]
enum Trouble {
    #[default]
    None,
    RefusesAll,
    StrategyPanics,
    NextStatePanics,
    Grows,
}

impl Model for Spec {
    type State = Stack;
    type Command = Command;
    type Response = Option<u8>;

    fn gen_initial_state(&self) -> BoxedStrategy<Stack> {
        Just(Stack::default()).boxed()
    }

    fn gen_command(&self, stack: &Stack) -> BoxedStrategy<Command> {
        assert!(self.trouble != Trouble::StrategyPanics || stack.values.len() < 3, "no more than three");
        weighted()
            .or(3, || any::<u8>().prop_map(Push))
            .or(u32::try_from(stack.values.len()).unwrap().min(3), || Just(Pop))
            .or(!stack.values.is_empty(), || Just(Clear))
            .boxed()
    }

    fn pre_condition(&self, stack: &Stack, command: &Command) -> bool {
        let fits = *command != Pop || !stack.values.is_empty();
        fits && (self.trouble != Trouble::RefusesAll || stack.values.len() < 3)
    }

    fn next_state(&self, stack: &Stack, command: &Command) -> Stack {
        assert!(self.trouble != Trouble::NextStatePanics || *command != Pop, "out of plates");
        let mut stack = stack.clone();
        match command {
            Push(value) => stack.values.push(*value),
            Pop => drop(stack.values.pop()),
            Clear => stack.values.clear(),
            Cut => stack.cut = true,
            Heal => stack.cut = false,
        }
        if self.trouble == Trouble::Grows {
            stack.values.push(1);
            stack.values.extend(stack.values.clone());
        }
        stack
    }

    fn post_condition(&self, _: &Stack, _: &Command, _: &Option<u8>) -> bool {
        true
    }

    fn scenarios(&self) -> Vec<(u32, Scenario<Self>)> {
        self.scenario.iter().map(|scenario| (1, scenario())).collect()
    }
}

fn runner(seed: u8) -> TestRunner {
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]))
}

fn cases(spec: &Spec, shape: &Shape, swarm: Swarm) -> Vec<Case<Spec>> {
    (0..100).map(|seed| generate_swarm(spec, shape, swarm, &mut runner(seed)).unwrap().case).collect()
}

fn kinds(case: &Case<Spec>) -> BTreeSet<String> {
    case.commands.iter().map(|command| Spec::default().kind(command).into_owned()).collect()
}

#[test]
fn what_weighs_nothing_is_not_generated() {
    for case in cases(&Spec::default(), &Shape::sequential(30..=30), Swarm::OFF) {
        assert_eq!(case.validate(&Spec::default()), Ok(()));
        assert!(matches!(case.commands[0], Push(_)), "an empty stack takes nothing but a push");
        assert!(!case.commands.contains(&Cut));
    }
}

#[test]
fn a_swarm_leaves_out_kinds_but_never_all_that_can_be_done() {
    // So long that no kind is missing by chance.
    let shape = Shape::sequential(100..=100);
    let all = cases(&Spec::default(), &shape, Swarm::OFF);
    assert!(all.iter().all(|case| kinds(case).len() == 3));
    let swarm = cases(&Spec::default(), &shape, Swarm(100));
    assert!(swarm.iter().all(|case| case.commands.len() == 100 && case.validate(&Spec::default()).is_ok()));
    let with = |kinds_wanted: &[&str]| {
        let wanted: BTreeSet<_> = kinds_wanted.iter().map(|kind| (*kind).to_owned()).collect();
        swarm.iter().filter(|case| kinds(case) == wanted).count()
    };
    // A push is all that an empty stack takes, so that it is let in where the coin left it out.
    let subsets = [&["Push"][..], &["Pop", "Push"], &["Clear", "Push"], &["Clear", "Pop", "Push"]];
    assert_eq!(subsets.map(with).iter().sum::<usize>(), 100);
    assert!(subsets.map(with).iter().all(|count| *count >= 10), "{:?}", subsets.map(with));
    let half = cases(&Spec::default(), &shape, Swarm(50));
    let less = half.iter().filter(|case| kinds(case).len() < 3).count();
    assert!((20..=55).contains(&less), "{less} of 100 lack a kind, of 50 of which a quarter have all");
}

fn plot() -> Scenario<Spec> {
    Scenario::new("plot")
        .then(Phase::new("load", |_, _| any::<u8>().prop_map(Push)).times(2..=4))
        .then(Phase::new("fault", |_, _| Just(Cut)).times(1..=1))
        .then(Phase::free("whatever"))
        .then(
            Phase::new("more", |_, _| weighted().or(9, || Just(Push(0))).or(1, || Just(Clear)).boxed())
                .until(|stack: &Stack| stack.values.len() >= 9),
        )
        .beside(|_, _| select(vec![Push(1), Push(2)]))
        .finally(|_, stack: &Stack| vec![if stack.cut { Heal } else { Cut }, Push(99)])
}

#[test]
fn phases_come_in_order_and_last_until_they_are_to() {
    let spec = Spec { scenario: Some(plot), ..Spec::default() };
    let shape = Shape { commands: 3..=3, lanes: None };
    for case in cases(&spec, &shape, Swarm(100)) {
        assert_eq!(case.validate(&spec), Ok(()));
        let cut = case.commands.iter().position(|command| *command == Cut).unwrap();
        assert!((2..=4).contains(&cut), "{case:?}");
        assert!(case.commands[..cut].iter().all(|command| matches!(command, Push(_))), "{case:?}");
        let states = case.states(&spec);
        let (last, before) = (states.last().unwrap(), &states[cut + 4..states.len() - 1]);
        assert!(last.values.len() >= 9, "{case:?}");
        assert!(before.iter().all(|stack| stack.values.len() < 9), "the phase went on: {case:?}");
        let more = &case.commands[cut + 4..];
        assert!(more.iter().all(|command| matches!(command, Push(0) | Clear)), "{case:?}");
        assert_eq!(case.finally, [Heal, Push(99)]);
        assert!(case.lanes.is_empty());
    }
}

#[test]
fn lanes_of_a_scenario_come_from_its_own_mix() {
    let lanes = LaneShape { percent: 100, ..LaneShape::default() };
    let spec = Spec { scenario: Some(plot), ..Spec::default() };
    for case in cases(&spec, &Shape { commands: 3..=3, lanes: Some(lanes) }, Swarm::OFF) {
        assert!(case.lanes.len() >= 2 && case.validate(&spec).is_ok());
        assert!(case.lanes.iter().flatten().all(|command| matches!(command, Push(1 | 2))), "{case:?}");
        assert_eq!(case.finally, [Heal, Push(99)]);
    }
}

fn refused(spec: &Spec, shape: &Shape) -> String {
    let start = Instant::now();
    let error = (0..20).find_map(|seed| generate(spec, shape, &mut runner(seed)).err()).unwrap();
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    let text = error.to_string();
    assert!(text.chars().count() < 1200, "{} characters", text.chars().count());
    text
}

#[test]
fn a_phase_that_never_ends_is_named() {
    let scenario = || {
        let never =
            Phase::new("wait", |_, _| Just(Cut)).until_at_most(|stack: &Stack| !stack.values.is_empty(), 5);
        Scenario::new("stuck").then(never)
    };
    let spec = Spec { scenario: Some(scenario), ..Spec::default() };
    let said = refused(&spec, &Shape::sequential(1..=1));
    assert!(
        said.starts_with("phase \"wait\" of scenario \"stuck\" did not come to its end in 5 commands"),
        "{said}"
    );
    assert!(said.contains("cut: true"), "{said}");
}

#[test]
fn a_scenario_without_phases_has_only_its_end() {
    let end = || Scenario::new("end").finally(|_, _| vec![Heal]);
    let spec = Spec { scenario: Some(end), ..Spec::default() };
    let case = &cases(&spec, &Shape::sequential(3..=3), Swarm::OFF)[0];
    assert_eq!((&case.commands[..], &case.finally[..]), (&[][..], &[Heal][..]));
}

#[test]
fn strategies_that_do_not_do_are_named_with_the_state_in_bounded_time() {
    let lanes = LaneShape { lanes: 3..=3, commands: 4..=4, percent: 100, ..LaneShape::default() };
    for shape in [Shape::sequential(20..=20), Shape { commands: 2..=20, lanes: Some(lanes) }] {
        let refuses = refused(&Spec { trouble: Trouble::RefusesAll, ..Spec::default() }, &shape);
        assert!(refuses.contains("gen_command made 1000 commands for state Stack { values: ["), "{refuses}");
        let panics = refused(&Spec { trouble: Trouble::StrategyPanics, ..Spec::default() }, &shape);
        assert!(panics.starts_with("gen_command gives nothing for state Stack { values: ["), "{panics}");
        assert!(
            panics.contains("generation.rs:") && panics.contains(": no more than three: mend it"),
            "{panics}"
        );
        let next = refused(&Spec { trouble: Trouble::NextStatePanics, ..Spec::default() }, &shape);
        assert!(
            next.contains("next_state gives nothing at command ")
                && next.contains(" (Pop), since it panicked"),
            "{next}"
        );
    }
}

#[test]
fn a_state_that_grows_without_bound_ends_generation_at_the_command() {
    let spec = Spec { trouble: Trouble::Grows, ..Spec::default() };
    let said = refused(&spec, &Shape::sequential(200..=200));
    assert!(said.contains("the state grew beyond 67108864 bytes of text by command "), "{said}");
    assert!(said.contains(" (Push(") || said.contains(" (Pop)"), "{said}");
}
