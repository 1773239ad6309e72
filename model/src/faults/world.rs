//! A network and all that faults have made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::clock::Pace;
use super::disk::{Disk, Found};
use super::links::{Quality, Way};
use super::service::Service;
use crate::machine::MachineId;
use crate::network::Network;

/// A network, what lies between its machines, and what of each is not as it began.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// The machines, and which are on.
    pub network: Network,
    /// What decides which frames are lost where some are: with this, the two machines, the kind of frame
    /// and its number it is decided, so that a case meets the same faults each time.
    #[serde(default)]
    pub seed: u64,
    /// Machines that are on and stand still.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub paused: BTreeSet<MachineId>,
    /// Ways on which nothing passes.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub cut: BTreeSet<Way>,
    /// Ways on which frames fare worse than they did.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub worse: BTreeSet<(Way, Quality)>,
    /// What was written to scratch disks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub disks: BTreeMap<MachineId, Disk>,
    /// Scratch disks that may have no room left.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub full: BTreeSet<MachineId>,
    /// Machines whose disk has failed since they were booted, whether it does still: their file systems may
    /// have given up, and nothing that is written is sure to be kept.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub failed: BTreeSet<MachineId>,
    /// What services do that are not down.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<MachineId, Service>,
    /// By how many seconds clocks were set ahead of what time it is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ahead: BTreeMap<MachineId, i64>,
    /// How clocks run that have not always run at the right pace since their machines were booted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pace: BTreeMap<MachineId, Pace>,
}

/// What a ping comes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reach {
    /// It is answered.
    Answered,
    /// It is not, for this reason.
    Silent(Why),
    /// It may be answered or not: frames are lost by chance.
    Either,
}

/// Why a ping is not answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    /// Whom it is for is off.
    Off,
    /// Whom it is for stands still.
    Paused,
    /// It does not get there.
    CutThere,
    /// The answer does not get back.
    CutBack,
}

impl From<Network> for World {
    fn from(network: Network) -> Self {
        Self {
            network,
            seed: 0,
            paused: BTreeSet::new(),
            cut: BTreeSet::new(),
            worse: BTreeSet::new(),
            disks: BTreeMap::new(),
            full: BTreeSet::new(),
            failed: BTreeSet::new(),
            services: BTreeMap::new(),
            ahead: BTreeMap::new(),
            pace: BTreeMap::new(),
        }
    }
}

impl World {
    /// Whether nothing is wrong and nothing was written: what a case begins with.
    #[must_use]
    pub fn is_pristine(&self) -> bool {
        *self == Self { seed: self.seed, ..Self::from(self.network.clone()) }
    }

    /// Whether something is wrong with the links.
    #[must_use]
    pub fn is_disturbed(&self) -> bool {
        !self.cut.is_empty() || !self.worse.is_empty()
    }

    /// Whether commands can be run on a machine: it is on and goes on.
    #[must_use]
    pub fn is_usable(&self, id: &MachineId) -> bool {
        self.network.is_running(id) && !self.paused.contains(id)
    }

    /// What a ping comes to.
    #[must_use]
    pub fn reach(&self, from: &MachineId, to: &MachineId) -> Reach {
        let (there, back) = ((from.clone(), to.clone()), (to.clone(), from.clone()));
        if !self.network.is_running(to) {
            Reach::Silent(Why::Off)
        } else if self.paused.contains(to) {
            Reach::Silent(Why::Paused)
        } else if self.cut.contains(&there) {
            Reach::Silent(Why::CutThere)
        } else if self.cut.contains(&back) {
            Reach::Silent(Why::CutBack)
        } else if self
            .worse
            .iter()
            .any(|(way, quality)| (*way == there || *way == back) && quality.may_lose())
        {
            Reach::Either
        } else {
            Reach::Answered
        }
    }

    /// The disk of a machine, to change what is known of it.
    pub(super) fn disk(&mut self, id: &MachineId) -> &mut Disk {
        self.disks.entry(id.clone()).or_default()
    }

    /// All that was written to a machine's disk is on it, unless that has failed.
    pub(super) fn syncs(&mut self, id: &MachineId) {
        if !self.failed.contains(id) {
            self.disk(id).sync();
        }
    }

    /// A machine shuts down in order, and unmounts its disk.
    pub(super) fn shuts_down(&mut self, id: &MachineId) {
        let has_failed = self.failed.contains(id);
        let disk = self.disk(id);
        if has_failed {
            disk.power_cut()
        } else {
            disk.sync()
        }
        self.loses_memory(id);
    }

    /// What a reader of a file may find.
    #[must_use]
    pub fn may_hold(&self, id: &MachineId, file: u8) -> BTreeSet<Found> {
        let disk = self.disks.get(id).cloned().unwrap_or_default();
        if self.failed.contains(id) { disk.may_hold_failing(file) } else { disk.may_hold(file) }
    }

    /// A machine's memory is gone: its clock is set as it boots, and it goes on when it does.
    pub(super) fn loses_memory(&mut self, id: &MachineId) {
        self.paused.remove(id);
        self.ahead.remove(id);
        self.pace.remove(id);
        self.failed.remove(id);
        self.services.remove(id);
    }

    /// By how many seconds a machine's clock may seem ahead.
    #[must_use]
    pub fn may_be_ahead(&self, id: &MachineId) -> RangeInclusive<i64> {
        let set = self.ahead.get(id).copied().unwrap_or_default();
        self.pace.get(id).copied().unwrap_or_default().may_be_ahead(set)
    }

    /// What a machine's service does.
    #[must_use]
    pub fn service(&self, id: &MachineId) -> Service {
        self.services.get(id).copied().unwrap_or_default()
    }
}
