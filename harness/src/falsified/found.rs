//! A case with where it was found.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use model::{Case, GeneratedCase, Model};

use crate::causes::Causes;
use crate::lanes::Order;
use crate::regressions::Seed;
use crate::replay::Replay;
use crate::shrink::{Rate, Trees};

/// How long lanes wait for one another where nothing is known of how long their commands take.
pub(crate) const REPLAY_PATIENCE: Duration = Duration::from_secs(10);

/// A case with where it was found.
pub(crate) struct Found<M: Model> {
    pub(crate) case: Case<M>,
    pub(crate) seed: Seed,
    /// Its own, where it was generated just now.
    pub(super) trees: Trees<M>,
    pub(super) smallest: bool,
    /// What an earlier run has learnt of it.
    pub(super) causes: Option<Causes>,
    /// How often the first case failed, as an earlier run has measured.
    pub(super) first_rate: Option<Rate>,
    /// How often this one failed.
    pub(super) rate: Option<Rate>,
    /// Marks of smaller cases that hold.
    pub(super) held: Vec<String>,
    /// Whether its lanes are to follow the order that was recorded, since it fails more often so.
    pub(super) in_order: bool,
    /// How that run made its systems.
    pub(super) settings: Option<BTreeMap<String, String>>,
    /// The replay file that it was read from.
    pub(super) file: Option<PathBuf>,
}

impl<M: Model> Found<M> {
    pub(crate) fn fresh(seed: Seed, case: Case<M>) -> Self {
        Self {
            case,
            seed,
            trees: Trees::default(),
            smallest: false,
            causes: None,
            first_rate: None,
            rate: None,
            held: Vec::new(),
            in_order: false,
            settings: None,
            file: None,
        }
    }

    /// The case with its trees, where these are from the same case.
    pub(crate) fn with_trees(mut self, generated: GeneratedCase<M>) -> Self {
        if generated.case == self.case {
            self.trees = generated.into();
        }
        self
    }

    pub(crate) fn saved(file: PathBuf, replay: Replay<M>) -> Self {
        let Replay { case, smallest, causes, settings, first_rate, rate, held, failure, .. } = replay;
        let in_order = replay.in_order && failure.course.is_some();
        let seed = replay.seed.parse().unwrap_or_else(|_| Seed::from(0));
        Self {
            case,
            seed,
            trees: Trees::default(),
            smallest,
            causes,
            first_rate,
            rate,
            held,
            in_order,
            settings: Some(settings),
            file: Some(file),
        }
    }
}

impl<M: Model> Replay<M> {
    /// What its lanes are to follow when it is run.
    pub(crate) fn order(&self) -> Option<Order> {
        let course = self.failure.course.as_ref().filter(|_| self.in_order)?;
        Order::of(course, &self.case, &self.case, REPLAY_PATIENCE)
    }
}
