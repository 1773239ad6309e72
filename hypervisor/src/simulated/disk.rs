//! The disk of a simulated machine: texts in sectors, and what is wrong with it.

use std::collections::BTreeMap;

use crate::{DiskFault, Failing, Lost, Survival, Survives};

/// What a disk holds, by the number of the sector.
type Sectors = BTreeMap<u64, String>;

#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    /// What the guest reads.
    sectors: Sectors,
    fault: DiskFault,
    /// What it has of a cache, if that is volatile.
    cache: Option<Cache>,
}

#[derive(Clone, Debug)]
struct Cache {
    /// What was kept for good.
    kept: Sectors,
    /// What was written since: the first sector, how many, and the text of each.
    unflushed: Vec<(u64, u64, String)>,
}

impl Disk {
    pub(super) fn set(&mut self, fault: DiskFault) {
        self.fault = fault;
        self.write_back();
    }

    pub(super) fn make_volatile(&mut self) {
        self.cache = Some(Cache { kept: self.sectors.clone(), unflushed: Vec::new() });
    }

    /// Nothing is wrong with it any more, and what it holds is kept.
    pub(super) fn heal(&mut self) {
        (self.fault, self.cache) = (DiskFault::Healthy, None);
    }

    /// Does what the guest is told by a line of the contract, and says what it answers.
    pub(super) fn obey(&mut self, word: &str, rest: &str) -> String {
        let mut words = rest.splitn(3, ' ');
        let mut number = || words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        let done = match word {
            "get" => return self.get(number()).unwrap_or_else(|| "get failed".to_owned()),
            "put" => {
                let (sector, count) = (number(), number());
                self.put(sector, count, words.next().unwrap_or_default())
            }
            _ => self.flush(),
        };
        format!("{word} {}", if done { "done" } else { "failed" })
    }

    pub(super) fn put(&mut self, sector: u64, count: u64, text: &str) -> bool {
        if matches!(self.fault, DiskFault::Full | DiskFault::Errors(Failing::Writes | Failing::All)) {
            return false;
        }
        self.sectors.extend((sector..sector + count).map(|sector| (sector, text.to_owned())));
        if let Some(cache) = &mut self.cache {
            cache.unflushed.push((sector, count, text.to_owned()));
        }
        true
    }

    pub(super) fn get(&self, sector: u64) -> Option<String> {
        if matches!(self.fault, DiskFault::Errors(Failing::Reads | Failing::All)) {
            return None;
        }
        Some(self.sectors.get(&sector).cloned().unwrap_or_default())
    }

    pub(super) fn flush(&mut self) -> bool {
        if matches!(self.fault, DiskFault::Errors(Failing::Flushes | Failing::All)) {
            return false;
        }
        self.write_back();
        true
    }

    /// Keeps for good what was written, whether the guest asks for it or not.
    pub(super) fn write_back(&mut self) {
        if self.cache.is_some() {
            self.make_volatile();
        }
    }

    /// Loses what a power cut with this seed may lose; none where it is not volatile.
    pub(super) fn lose(&mut self, seed: u64) -> Option<Lost> {
        let Cache { kept, unflushed } = self.cache.take()?;
        let survival = Survival::new(seed);
        let mut lost = Lost::default();
        self.sectors = kept;
        for (number, (sector, count, text)) in (0..).zip(unflushed) {
            let survive = match survival.of(number, count) {
                Survives::Kept => {
                    lost.kept += 1;
                    vec![true; usize::try_from(count).unwrap_or_default()]
                }
                Survives::Dropped => {
                    lost.dropped += 1;
                    Vec::new()
                }
                Survives::Torn(survive) => {
                    lost.torn += 1;
                    survive
                }
            };
            let survive = (sector..).zip(survive).filter(|(_, survives)| *survives);
            self.sectors.extend(survive.map(|(sector, _)| (sector, text.clone())));
        }
        Some(lost)
    }
}
