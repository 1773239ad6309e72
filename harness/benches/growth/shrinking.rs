//! What it costs in memory to make a failing case of 10 to 1,000 commands smaller.
//!
//! Only the last command of a case can fail, and does so because of three others, which are a quarter,
//! a half and three quarters of the way through it: nothing is gained by cutting off the end, and all but four
//! commands have to go, wherever they are.

use std::cell::Cell;

use harness::model::Model;
use harness::proptest::prelude::*;
use harness::shrink::Budget;
use harness::{Config, Outcome, Runner, Shape, Silent, Stop, Swarm, System, SystemError};
use serde::{Deserialize, Serialize};

use crate::processor;
use crate::starts::Result;
use crate::table::{Series, Table};

const SIZES: [usize; 5] = [10, 30, 100, 300, 1000];
/// How many seeds a cost is the median of.
const SEEDS: u64 = 5;

pub(crate) fn measure(rounds: usize) -> Result<Option<Table>> {
    let names = ["runs", "commands in all of them", "µs of processor time"];
    let mut costs = names.map(|_| vec![Vec::new(); SIZES.len()]);
    for (place, size) in SIZES.into_iter().enumerate() {
        for seed in 0..SEEDS * rounds as u64 {
            let cost = shrink(size, seed)?;
            costs.iter_mut().zip(cost).for_each(|(costs, cost)| costs[place].push(cost));
        }
    }
    let series = names.into_iter().zip(costs);
    Ok(Some(Table {
        title: "Making a failing case of so many commands smaller, in memory",
        size: "commands",
        unit: "cost",
        each: None,
        series: series.map(|(name, costs)| Series::of_rounds(name, &SIZES, costs)).collect(),
    }))
}

/// How many runs, commands and microseconds one case takes from its failure to its smallest form.
fn shrink(size: usize, seed: u64) -> Result<[f64; 3]> {
    let model = Marks { size };
    let system = Counted::default();
    let config = Config {
        cases: 1,
        shape: Shape::sequential(size..=size),
        swarm: Swarm::OFF,
        seed: Some(seed.into()),
        shrink: Budget { runs: 1_000_000, time: None },
        probes: Budget { runs: 0, time: None },
        failures: None,
        regressions: None,
        ..Config::default()
    };
    let start = processor::seconds()?;
    let summary = Runner::new(&model, &system, &config, &Silent, &Stop::default()).run()?;
    let taken = (processor::seconds()? - start) * 1e6;
    let failure = summary.failure.ok_or("the case does not fail")?;
    if failure.case.len() != 4 || !failure.smallest {
        return Err(format!("not the smallest case: {:?}", failure.case).into());
    }
    Ok([f64::from(failure.shrink_runs), system.commands.get() as f64, taken])
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum Command {
    Add(u32),
    Mark,
    Total,
}

/// A total of what was added. The state is how many commands there were, and the total.
struct Marks {
    size: usize,
}

impl Model for Marks {
    type State = (usize, u64);
    type Command = Command;
    type Response = Option<u64>;

    fn gen_initial_state(&self) -> BoxedStrategy<Self::State> {
        Just((0, 0)).boxed()
    }

    fn gen_command(&self, (place, _): &Self::State) -> BoxedStrategy<Command> {
        let Self { size } = self;
        if place + 1 == *size {
            Just(Command::Total).boxed()
        } else if [size / 4, size / 2, size * 3 / 4].contains(place) {
            Just(Command::Mark).boxed()
        } else {
            (0..1000_u32).prop_map(Command::Add).boxed()
        }
    }

    fn next_state(&self, (place, total): &Self::State, command: &Command) -> Self::State {
        (place + 1, total + if let Command::Add(number) = command { u64::from(*number) } else { 0 })
    }

    fn post_condition(&self, (_, total): &Self::State, command: &Command, came: &Option<u64>) -> bool {
        *came == matches!(command, Command::Total).then_some(*total)
    }
}

/// A total that is wrong after three marks, and how many commands were given in all.
#[derive(Default)]
struct Counted {
    commands: Cell<u64>,
}

impl System<Marks> for Counted {
    /// The total, and how many marks there were.
    type Sut = (u64, u32);

    fn new_sut(&self, _: &(usize, u64)) -> std::result::Result<Self::Sut, SystemError> {
        Ok((0, 0))
    }

    fn run(
        &self,
        (total, marks): &mut Self::Sut,
        command: &Command,
    ) -> std::result::Result<Outcome<Option<u64>>, SystemError> {
        self.commands.set(self.commands.get() + 1);
        match command {
            Command::Add(number) => *total += u64::from(*number),
            Command::Mark => *marks += 1,
            Command::Total => return Ok(Outcome::Answered(Some(*total + u64::from(*marks >= 3)))),
        }
        Ok(Outcome::Answered(None))
    }
}
