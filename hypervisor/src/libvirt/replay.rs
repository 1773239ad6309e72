//! What a power cut leaves on a disk with a volatile cache: all that was written up to the last
//! flush, and what [`Survival`] says of the rest.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use super::nbd::Client;
use super::write_log::{Entry, Extent, SECTOR};
use crate::{Lost, Survival, Survives};

/// The most that is written at once, in bytes.
const PIECE: usize = 1 << 20;

/// What has to be written to the disk as it was when the record began, in this order.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Replay {
    pub(super) writes: Vec<Extent>,
    pub(super) lost: Lost,
}

impl Replay {
    /// What is left of these after a power cut.
    ///
    /// A write stands before a flush where it had ended before the flush did. So it may have been under
    /// way when the flush was asked for, which then need not have kept it, and a disk that does has
    /// done more than it must.
    pub(super) fn after(entries: &[Entry], survival: Survival) -> Self {
        let flushed = entries.iter().rposition(|entry| entry.is_flush).map_or(0, |last| last + 1);
        let mut replay = Self::default();
        replay.writes.extend(entries[..flushed].iter().filter_map(|entry| entry.written));
        let mut number = 0;
        for entry in &entries[flushed..] {
            let Some(written) = entry.written else { continue };
            if entry.is_durable {
                replay.writes.push(written);
                continue;
            }
            replay.add(written, survival.of(number, written.sectors));
            number += 1;
        }
        replay
    }

    fn add(&mut self, written: Extent, survives: Survives) {
        match survives {
            Survives::Kept => {
                self.lost.kept += 1;
                self.writes.push(written);
            }
            Survives::Dropped => self.lost.dropped += 1,
            Survives::Torn(survive) => {
                self.lost.torn += 1;
                let sector = |(place, _)| Extent {
                    sector: written.sector + place,
                    sectors: 1,
                    data: written.data + place * SECTOR,
                };
                self.writes.extend((0..).zip(survive).filter(|(_, survives)| *survives).map(sector));
            }
        }
    }

    /// Writes it from the record to a disk.
    pub(super) fn apply(&self, log: &File, disk: &mut Client) -> io::Result<()> {
        let mut buffer = vec![0; PIECE];
        for write in &self.writes {
            let size = write.sectors * SECTOR;
            let mut done = 0;
            while done < size {
                let piece = usize::try_from(size - done).unwrap_or(PIECE).min(PIECE);
                log.read_exact_at(&mut buffer[..piece], write.data + done)?;
                disk.write(write.sector * SECTOR + done, &buffer[..piece])?;
                done += piece as u64;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::super::write_log::tests::{CAPACITY, Deed, deeds, record};
    use super::super::write_log::{SECTOR, read};
    use super::*;

    /// A disk after a power cut with this seed, a byte for each sector, and what was lost.
    fn cut(deeds: &[Deed], seed: u64) -> (Vec<u8>, Lost) {
        let log = record(deeds);
        let entries = read(&mut Cursor::new(&log), log.len() as u64, CAPACITY).unwrap();
        let replay = Replay::after(&entries, Survival::new(seed));
        let mut disk = vec![0; CAPACITY as usize];
        for write in &replay.writes {
            for place in 0..write.sectors {
                disk[(write.sector + place) as usize] = log[(write.data + place * SECTOR) as usize];
            }
        }
        (disk, replay.lost)
    }

    /// The writes among these as (sector, content, whether durable).
    fn writes(deeds: &[Deed]) -> impl Iterator<Item = (usize, &[u8], bool)> {
        deeds.iter().filter_map(|deed| match deed {
            Deed::Write { sector, content, is_durable } => Some((*sector as usize, &**content, *is_durable)),
            Deed::Flush | Deed::Discard { .. } => None,
        })
    }

    /// What each sector may hold: what it held at the last flush or what was written since, but nothing
    /// from before a write that was durable by itself. This knows nothing of how fates are drawn.
    fn allowed(deeds: &[Deed]) -> Vec<Vec<u8>> {
        let flushed = deeds.iter().rposition(|deed| matches!(deed, Deed::Flush)).map_or(0, |last| last + 1);
        let mut allowed = vec![vec![0]; CAPACITY as usize];
        let mut take = |deeds: &[Deed], all_durable: bool| {
            for (sector, content, is_durable) in writes(deeds) {
                for (place, &byte) in content.iter().enumerate() {
                    if is_durable || all_durable {
                        allowed[sector + place].clear();
                    }
                    allowed[sector + place].push(byte);
                }
            }
        };
        take(&deeds[..flushed], true);
        take(&deeds[flushed..], false);
        allowed
    }

    #[test]
    fn each_fate_is_met() {
        let write = |sector, byte| Deed::Write { sector, content: vec![byte; 4], is_durable: false };
        let deeds = [write(0, 1), write(4, 2), Deed::Flush, write(0, 3), write(4, 4), write(8, 5)];
        let disks: Vec<(Vec<u8>, Lost)> = (0..200).map(|seed| cut(&deeds, seed)).collect();
        let some = |what: &str, is: &dyn Fn(&[u8], Lost) -> bool| {
            assert!(disks.iter().any(|(disk, lost)| is(disk, *lost)), "{what}");
        };
        some("all is lost", &|disk, lost| {
            lost.dropped == 3 && disk[..12] == [1, 1, 1, 1, 2, 2, 2, 2, 0, 0, 0, 0]
        });
        some("all is kept", &|disk, lost| {
            lost.kept == 3 && disk[..12] == [3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5]
        });
        some("a later one is kept, an earlier one is not", &|disk, _| {
            disk[..4] == [1; 4] && disk[8..12] == [5; 4]
        });
        some("one is torn", &|disk, lost| lost.torn > 0 && disk[..4].contains(&1) && disk[..4].contains(&3));
    }

    proptest! {
        #[test]
        fn what_was_flushed_is_there_and_nothing_is_made_up(deeds in deeds(), seed: u64) {
            let (disk, lost) = cut(&deeds, seed);
            for (sector, (byte, allowed)) in disk.iter().zip(allowed(&deeds)).enumerate() {
                prop_assert!(allowed.contains(byte), "sector {} has {} and may have {:?}", sector, byte, allowed);
            }
            let flushed = deeds.iter().rposition(|deed| matches!(deed, Deed::Flush)).map_or(0, |last| last + 1);
            let unflushed = writes(&deeds[flushed..]).filter(|(_, _, is_durable)| !is_durable).count();
            prop_assert_eq!(lost.kept + lost.dropped + lost.torn, unflushed as u64);
            prop_assert_eq!(cut(&deeds, seed), (disk, lost), "the same seed loses the same");
        }

        #[test]
        fn a_flush_at_the_end_keeps_everything(mut deeds in deeds(), seed: u64, other: u64) {
            deeds.push(Deed::Flush);
            prop_assert_eq!(cut(&deeds, seed), cut(&deeds, other));
            prop_assert_eq!(cut(&deeds, seed).1, Lost::default());
        }

        #[test]
        fn what_comes_later_changes_no_fate(deeds in deeds(), seed: u64, byte in 1..=255_u8) {
            let lost = cut(&deeds, seed).1;
            let mut longer = deeds.clone();
            longer.push(Deed::Write { sector: 0, content: vec![byte], is_durable: false });
            let more = cut(&longer, seed).1;
            prop_assert_eq!(more.torn, lost.torn, "a single sector is never torn");
            prop_assert!(more.kept >= lost.kept && more.dropped >= lost.dropped);
            prop_assert_eq!(more.kept + more.dropped, lost.kept + lost.dropped + 1);
        }
    }
}
