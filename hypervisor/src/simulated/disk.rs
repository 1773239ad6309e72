//! The disk of a simulated machine: texts in sectors, and what is wrong with it.

use std::collections::BTreeMap;

use crate::{DiskFault, Failing, Lost, Survival, Survives};

/// What a disk holds, by the number of the sector.
type Sectors = BTreeMap<u64, String>;

/// How many sectors a block of the contract has.
const BLOCK: u64 = 8;

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
        let (number, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let first = number.parse().map_or(0, |number: u64| number * BLOCK);
        match word {
            "remember" => {
                self.write(0, 1, rest);
                self.flush();
                "remembered".to_owned()
            }
            "recall" => self.read(0, 1).unwrap_or_default(),
            "put" => {
                // Whether that fails the guest would learn from a flush alone.
                self.write(first, BLOCK, text);
                "put".to_owned()
            }
            "keep" if self.write(first, BLOCK, text) && self.flush() => "kept".to_owned(),
            "keep" => "not kept".to_owned(),
            _ => self.read(first, BLOCK).unwrap_or_else(|| "not got".to_owned()),
        }
    }

    fn write(&mut self, first: u64, count: u64, text: &str) -> bool {
        if matches!(self.fault, DiskFault::Full | DiskFault::Errors(Failing::Writes | Failing::All)) {
            return false;
        }
        self.sectors.extend((first..first + count).map(|sector| (sector, text.to_owned())));
        if let Some(cache) = &mut self.cache {
            cache.unflushed.push((first, count, text.to_owned()));
        }
        true
    }

    fn read(&self, first: u64, count: u64) -> Option<String> {
        if matches!(self.fault, DiskFault::Errors(Failing::Reads | Failing::All)) {
            return None;
        }
        let texts: Vec<&str> = self.sectors.range(first..first + count).map(|(_, text)| &**text).collect();
        Some(texts.join(" "))
    }

    fn flush(&mut self) -> bool {
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
