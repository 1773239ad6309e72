//! What a fabric is in the middle of a case, to be put back to later.

use super::addresses::Address;
use super::class::CLASSES;
use super::counts::Counts;
use super::names::{Names, Place};
use super::rules::{Rule, RuleId};

/// The rules of a fabric, the numbers of its frames, its counts, and which machines it has learned,
/// as they were when [`Fabric::state`](super::Fabric::state) was asked for them. Frames in flight
/// are not in it.
#[derive(Clone, Debug)]
pub struct FabricState {
    pub(super) seed: u64,
    pub(super) names: Names,
    pub(super) rules: Vec<(RuleId, Vec<Rule>)>,
    pub(super) links: Vec<(Place, Place, [u64; CLASSES], Counts)>,
    pub(super) addresses: Vec<(Address, Place)>,
}

impl FabricState {
    /// The rules that were in effect, each with what to ask [`Fabric::guard`](super::Fabric::guard)
    /// for once the fabric is put back to them.
    #[must_use]
    pub fn rules(&self) -> &[(RuleId, Vec<Rule>)] {
        &self.rules
    }
}
