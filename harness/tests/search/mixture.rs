//! The smallest model with factors: a state is a list of numbers for each site, and the one
//! command asks whether all is well.

use std::cell::RefCell;
use std::sync::Arc;

use harness::system::Cost;
use harness::{Outcome, System, SystemError};
use model::{Choice, Factor, Model};
use proptest::prelude::{BoxedStrategy, Just, Strategy as _};

/// The values of each factor at each site.
pub(crate) type State = Vec<Vec<usize>>;

/// Factors with so many values each, at so many sites.
#[derive(Debug)]
pub(crate) struct Mixture {
    factors: Vec<Arc<Factor>>,
    sites: usize,
}

impl Mixture {
    pub(crate) fn new(sites: usize, values: &[usize]) -> Self {
        let factor = |(index, count): (usize, &usize)| {
            let values = (0..*count).map(|value| value.to_string()).collect();
            Arc::new(Factor { name: format!("f{index}"), values, ordered: false })
        };
        Self { factors: values.iter().enumerate().map(factor).collect(), sites }
    }

    /// The same factors, on scales.
    pub(crate) fn ordered(self) -> Self {
        let ordered = |factor: &Arc<Factor>| Arc::new(Factor { ordered: true, ..(**factor).clone() });
        Self { factors: self.factors.iter().map(ordered).collect(), ..self }
    }
}

impl Model for Mixture {
    type State = State;
    type Command = bool;
    type Response = bool;

    fn gen_initial_state(&self) -> BoxedStrategy<State> {
        let site: Vec<_> = self.factors.iter().map(|factor| 0..factor.values.len()).collect();
        vec![site; self.sites].no_shrink().boxed()
    }

    fn gen_command(&self, _: &State) -> BoxedStrategy<bool> {
        Just(true).boxed()
    }

    fn next_state(&self, state: &State, _: &bool) -> State {
        state.clone()
    }

    fn post_condition(&self, _: &State, _: &bool, fine: &bool) -> bool {
        *fine
    }

    fn choices(&self, state: &State) -> Vec<Choice> {
        let site = |(site, values): (usize, &Vec<usize>)| {
            let choice = |(factor, value): (&Arc<Factor>, &usize)| Choice {
                site: format!("site {site}"),
                factor: Arc::clone(factor),
                value: *value,
            };
            self.factors.iter().zip(values).map(choice).collect::<Vec<_>>()
        };
        state.iter().enumerate().flat_map(site).collect()
    }

    fn with_choice(&self, state: &State, choice: &Choice) -> Option<State> {
        let site: usize = choice.site.strip_prefix("site ")?.parse().ok()?;
        let factor = self.factors.iter().position(|factor| factor.name == choice.factor.name)?;
        let mut state = state.clone();
        *state.get_mut(site)?.get_mut(factor)? = choice.value;
        Some(state)
    }
}

/// A system that fails in some states, cannot be made in some, and keeps those that it was made in.
pub(crate) struct Judging {
    pub(crate) fails: fn(&State) -> bool,
    /// What of the state cannot be built.
    pub(crate) unfit: fn(&State) -> Option<&'static str>,
    pub(crate) cost: fn(&State) -> u64,
    pub(crate) made: RefCell<Vec<State>>,
}

impl Judging {
    pub(crate) fn new(fails: fn(&State) -> bool) -> Self {
        Self { fails, unfit: |_| None, cost: |_| 0, made: RefCell::default() }
    }
}

impl System<Mixture> for Judging {
    type Sut = bool;

    fn new_sut(&self, state: &State) -> Result<bool, SystemError> {
        if let Some(configuration) = (self.unfit)(state) {
            return Err(SystemError::unfit(configuration, "there is no such part"));
        }
        self.made.borrow_mut().push(state.clone());
        Ok(!(self.fails)(state))
    }

    fn run(&self, fine: &mut bool, _: &bool) -> Result<Outcome<bool>, SystemError> {
        Ok(Outcome::Answered(*fine))
    }

    fn cost(&self, state: &State) -> Cost {
        Cost((self.cost)(state))
    }
}
