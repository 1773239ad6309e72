//! What a search has tried: a tree whose root is the first failing case, for reports.

use std::collections::HashSet;

use model::Model;
use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::step::Kind;
use super::{Bench, Rate, Shrinker};
use crate::memory::Finding;

/// So many candidates that came to nothing are kept at most.
const MOST: usize = 2000;
/// So many commands are named at most where a candidate is without them.
const MOST_NAMED: usize = 6;

/// The smaller cases that were tried, in the order in which they were.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Trail {
    /// Each of them; all that were kept, and the first of the others.
    pub candidates: Vec<Candidate>,
    /// How many more came to nothing.
    pub left_out: u32,
}

/// A smaller case that was tried.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// The one that it was made from, by its place in [`Trail::candidates`]; none where that is the
    /// first failing case.
    pub from: Option<usize>,
    /// What was changed, in a few words. Commands have their numbers in the case that the search began
    /// with.
    pub change: String,
    /// How many commands it has.
    pub commands: usize,
    /// How often it was run.
    pub runs: u32,
    /// How long that took, in seconds.
    pub seconds: f64,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a smaller case.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fate {
    /// It fails in the same way, and so is the best so far.
    Kept,
    /// It was dropped, since it holds.
    Holds,
    /// It was dropped, since it fails too seldom to be the same failure.
    Seldom(Rate),
    /// It was dropped, since it fails, but in another way.
    Otherwise,
    /// It was dropped without a verdict, for the reason given.
    Undecided(String),
}

impl Fate {
    /// Of a candidate that was dropped, by what came of it and how often it failed in the same way.
    pub(super) fn dropped(known: &Finding, rate: Rate) -> Self {
        match known {
            Finding::Fails => Self::Otherwise,
            Finding::Holds if rate.failed > 0 => Self::Seldom(rate),
            Finding::Holds => Self::Holds,
            other => Self::Undecided(other.to_string()),
        }
    }
}

impl Trail {
    /// Takes in what another search has tried that began with the first case again.
    pub(crate) fn append(&mut self, other: Self) {
        self.extend(other, None);
    }

    /// With what another search has tried that went on from the best case of this one.
    #[must_use]
    pub(crate) fn then(mut self, other: Self) -> Self {
        let best = self.candidates.iter().rposition(|candidate| candidate.fate == Fate::Kept);
        self.extend(other, best);
        self
    }

    fn extend(&mut self, other: Self, first: Option<usize>) {
        let offset = self.candidates.len();
        let moved = |candidate: Candidate| {
            let from = candidate.from.map(|from| from + offset).or(first);
            Candidate { from, ..candidate }
        };
        self.candidates.extend(other.candidates.into_iter().map(moved));
        self.left_out += other.left_out;
    }
}

impl Kind {
    /// What it does, in a few words.
    fn words(self) -> &'static str {
        match self {
            Self::Delete => "fewer commands",
            Self::Loop => "no commands that lead back to where they began",
            Self::Shortcut => "fewer commands to the same state",
            Self::Pair => "two commands less",
            Self::Lane => "a lane less",
            Self::Advance => "a lane's first command before all lanes",
            Self::Sequence => "the lanes one after another",
            Self::Join => "two lanes one after the other",
            Self::Hoist => "a command's effect there from the beginning",
            Self::State => "a smaller or plainer state",
            Self::Value => "a simpler command",
            Self::Plainest => "the plainest values",
            Self::Rename => "a plainer value wherever it is",
        }
    }
}

impl<M: Model, B: Bench<M>> Shrinker<'_, M, B> {
    /// What a draft changes of the best case, in a few words.
    pub(super) fn in_words(&self, kind: Kind, draft: &Draft<M>) -> String {
        let kept: HashSet<usize> = draft.commands().map(|traced| traced.id).collect();
        let gone: Vec<_> = self.best.commands().filter(|traced| !kept.contains(&traced.id)).collect();
        if gone.is_empty() {
            return kind.words().to_owned();
        }
        let named = gone.iter().take(MOST_NAMED);
        let mut names: Vec<_> =
            named.map(|traced| format!("{}. {}", traced.id + 1, self.model.kind(&traced.command))).collect();
        let more = gone.len() - names.len();
        names.extend((more > 0).then(|| format!("{more} more")));
        format!("{}: without {}", kind.words(), names.join(", "))
    }

    /// Takes note of a candidate that was run.
    pub(super) fn note(&mut self, candidate: Candidate) {
        let is_kept = candidate.fate == Fate::Kept;
        if !is_kept && self.trail.candidates.len() >= MOST {
            self.trail.left_out += 1;
            return;
        }
        self.trail.candidates.push(candidate);
        if is_kept {
            self.from = Some(self.trail.candidates.len() - 1);
        }
    }
}
