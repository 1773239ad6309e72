//! The record of what was written to a disk, in the format of the kernel's dm-log-writes
//! (`Documentation/admin-guide/device-mapper/log-writes.rst`), which QEMU's `blklogwrites` writes.
//!
//! A superblock is followed by entries, each in a sector of its own with its data behind it. All
//! numbers are little-endian, and of 64 bits but for the superblock's size of a sector.

use std::io::{self, Read, Seek, SeekFrom};

/// The size of a sector, which QEMU is told to use.
pub(super) const SECTOR: u64 = 512;
/// What the superblock begins with, "jsfwhsr" from its end.
const MAGIC: u64 = 0x006a_7366_7773_6872;
const VERSION: u64 = 1;
/// What flags an entry may have; of the format's others nothing here knows how they are laid out.
const FLUSH: u64 = 1;
const FUA: u64 = 2;
const DISCARD: u64 = 4;
const METADATA: u64 = 16;

/// One thing that was done to the disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Entry {
    /// Whether all that was written before is kept.
    pub(super) is_flush: bool,
    /// Whether it is kept itself when it ends.
    pub(super) is_durable: bool,
    /// What was written, if anything was.
    pub(super) written: Option<Extent>,
}

/// Sectors of the disk, and where in the record their content begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Extent {
    pub(super) sector: u64,
    pub(super) sectors: u64,
    /// In bytes.
    pub(super) data: u64,
}

/// Why a record could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum LogError {
    #[error("its record of writes cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("its record of writes is none of a version that is known")]
    Foreign,
    #[error("its record of writes has sectors of {0} bytes, and {SECTOR} were asked for")]
    SectorSize(u32),
    #[error("its record of writes is damaged at byte {at}: {what}")]
    Damaged { at: u64, what: &'static str },
    #[error("its record of writes ends after {found} entries of {announced}")]
    Truncated { found: u64, announced: u64 },
}

/// Reads what was done to a disk of so many sectors from the first `length` bytes of its record.
/// Nothing at all was done where it is empty.
pub(super) fn read(log: &mut (impl Read + Seek), length: u64, capacity: u64) -> Result<Vec<Entry>, LogError> {
    if length == 0 {
        return Ok(Vec::new());
    }
    let damaged = |at, what| LogError::Damaged { at, what };
    if length < SECTOR {
        return Err(damaged(0, "not even its superblock is there"));
    }
    let announced = superblock(log)?;
    let mut entries = Vec::new();
    let mut at = SECTOR;
    while at < length {
        let data = at + SECTOR;
        if data > length {
            return Err(damaged(at, "an entry ends in the middle"));
        }
        log.seek(SeekFrom::Start(at))?;
        let [sector, sectors, flags, more] = numbers(log)?;
        if flags & !(FLUSH | FUA | DISCARD | METADATA) != 0 || more != 0 {
            return Err(damaged(at, "an entry has flags that are not known"));
        }
        if flags & (FLUSH | DISCARD) == 0 && sectors == 0 {
            return Err(damaged(at, "an entry is empty"));
        }
        if sector.checked_add(sectors).is_none_or(|end| end > capacity) {
            return Err(damaged(at, "an entry lies behind the disk's end"));
        }
        let is_discard = flags & DISCARD != 0;
        // It is no more than the disk has, so it cannot overflow.
        let size = if is_discard { 0 } else { sectors * SECTOR };
        if size > length - data {
            return Err(damaged(at, "an entry's data end in the middle"));
        }
        // What was discarded may stay as it is.
        let written = (sectors > 0 && !is_discard).then_some(Extent { sector, sectors, data });
        entries.push(Entry { is_flush: flags & FLUSH != 0, is_durable: flags & FUA != 0, written });
        at = data + size;
    }
    let found = entries.len() as u64;
    // A number that is too low is of a superblock that was overtaken by one before it.
    if found < announced {
        return Err(LogError::Truncated { found, announced });
    }
    Ok(entries)
}

/// How many entries there are at least.
fn superblock(log: &mut (impl Read + Seek)) -> Result<u64, LogError> {
    log.seek(SeekFrom::Start(0))?;
    let [magic, version, entries] = numbers(log)?;
    if magic != MAGIC || version != VERSION {
        return Err(LogError::Foreign);
    }
    let mut size = [0; 4];
    log.read_exact(&mut size)?;
    match u32::from_le_bytes(size) {
        size if u64::from(size) == SECTOR => Ok(entries),
        size => Err(LogError::SectorSize(size)),
    }
}

fn numbers<const COUNT: usize>(log: &mut impl Read) -> io::Result<[u64; COUNT]> {
    let mut numbers = [0; COUNT];
    for number in &mut numbers {
        let mut bytes = [0; 8];
        log.read_exact(&mut bytes)?;
        *number = u64::from_le_bytes(bytes);
    }
    Ok(numbers)
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    /// What a guest does to a disk of [`CAPACITY`] sectors.
    #[derive(Clone, Debug)]
    pub(in super::super) enum Deed {
        Write { sector: u64, content: Vec<u8>, is_durable: bool },
        Flush,
        Discard { sector: u64, sectors: u64 },
    }

    /// The size of the disks that records are made up for.
    pub(in super::super) const CAPACITY: u64 = 16;

    pub(in super::super) fn deeds() -> impl Strategy<Value = Vec<Deed>> {
        // A byte stands for the content of each sector.
        let write = (0..CAPACITY, proptest::collection::vec(1..=255_u8, 1..5), proptest::bool::weighted(0.1));
        let write = write.prop_map(|(sector, mut content, is_durable)| {
            content.truncate((CAPACITY - sector) as usize);
            Deed::Write { sector, content, is_durable }
        });
        let discard = (0..CAPACITY).prop_map(|sector| Deed::Discard { sector, sectors: CAPACITY - sector });
        proptest::collection::vec(prop_oneof![8 => write, 2 => Just(Deed::Flush), 1 => discard], 0..24)
    }

    /// The record that QEMU would make of this.
    pub(in super::super) fn record(deeds: &[Deed]) -> Vec<u8> {
        let mut log = vec![0; SECTOR as usize];
        for (place, number) in [MAGIC, VERSION, deeds.len() as u64, SECTOR].into_iter().enumerate() {
            log[place * 8..][..8].copy_from_slice(&number.to_le_bytes());
        }
        for deed in deeds {
            let (sector, sectors, flags, content) = match deed {
                Deed::Write { sector, content, is_durable } => {
                    (*sector, content.len() as u64, if *is_durable { FUA } else { 0 }, content.clone())
                }
                Deed::Flush => (0, 0, FLUSH, Vec::new()),
                Deed::Discard { sector, sectors } => (*sector, *sectors, DISCARD, Vec::new()),
            };
            let begin = log.len();
            for number in [sector, sectors, flags, 0] {
                log.extend(number.to_le_bytes());
            }
            log.resize(begin + SECTOR as usize, 0);
            log.extend(content.iter().flat_map(|&byte| [byte; SECTOR as usize]));
        }
        log
    }

    fn parse(log: &[u8]) -> Result<Vec<Entry>, LogError> {
        read(&mut Cursor::new(log), log.len() as u64, CAPACITY)
    }

    /// A record with one write of one sector, of which the number at this byte is another.
    fn altered(at: usize, number: u64) -> String {
        let mut log = record(&[Deed::Write { sector: 3, content: vec![1], is_durable: false }]);
        log[at..][..8].copy_from_slice(&number.to_le_bytes());
        parse(&log).map_or_else(|error| error.to_string(), |entries| format!("{entries:?}"))
    }

    #[test]
    fn what_is_wrong_is_told() {
        let damaged = |what: &str| format!("its record of writes is damaged at byte 512: {what}");
        assert_eq!(altered(0, 7), "its record of writes is none of a version that is known");
        assert_eq!(altered(8, 2), "its record of writes is none of a version that is known");
        assert_eq!(altered(16, 5), "its record of writes ends after 1 entries of 5");
        assert_eq!(
            altered(24, 4096),
            "its record of writes has sectors of 4096 bytes, and 512 were asked for"
        );
        assert_eq!(altered(512, u64::MAX), damaged("an entry lies behind the disk's end"));
        assert_eq!(altered(520, 0), damaged("an entry is empty"));
        assert_eq!(altered(520, 2), damaged("an entry's data end in the middle"));
        assert_eq!(altered(528, 8), damaged("an entry has flags that are not known"));
        assert_eq!(
            parse(b"log").unwrap_err().to_string(),
            "its record of writes is damaged at byte 0: not even its superblock is there"
        );
        assert_eq!(parse(b"").unwrap(), []);
        let short = read(&mut Cursor::new([0_u8; 9]), 512, CAPACITY).unwrap_err().to_string();
        assert_eq!(short, "its record of writes cannot be read: failed to fill whole buffer");
    }

    #[test]
    fn a_superblock_that_was_overtaken_hides_nothing() {
        assert!(altered(16, 0).starts_with("[Entry"));
    }

    proptest! {
        #[test]
        fn what_was_recorded_is_read(deeds in deeds()) {
            let log = record(&deeds);
            let entries = parse(&log).unwrap();
            prop_assert_eq!(entries.len(), deeds.len());
            for (entry, deed) in entries.iter().zip(&deeds) {
                match (deed, entry.written) {
                    (Deed::Write { sector, content, is_durable }, Some(written)) => {
                        prop_assert_eq!(written.sector, *sector);
                        prop_assert_eq!(entry.is_durable, *is_durable);
                        let data = content.iter().flat_map(|&byte| [byte; SECTOR as usize]);
                        prop_assert!(data.eq(log[written.data as usize..].iter().copied().take(content.len() * SECTOR as usize)));
                    }
                    (Deed::Flush, None) => prop_assert!(entry.is_flush),
                    (Deed::Discard { .. }, None) => prop_assert!(!entry.is_flush),
                    other => prop_assert!(false, "{:?}", other),
                }
            }
        }

        #[test]
        fn what_is_cut_short_is_refused(deeds in deeds(), share in 0.0..1.0) {
            let log = record(&deeds);
            let length = ((log.len() - 1) as f64 * share) as usize + 1;
            if length < log.len() {
                prop_assert!(parse(&log[..length]).is_err(), "{} of {}", length, log.len());
            }
        }

        #[test]
        fn what_is_damaged_is_read_or_refused(deeds in deeds(), at: prop::sample::Index, byte: u8) {
            let mut log = record(&deeds);
            let at = at.index(log.len());
            log[at] = byte;
            for entry in parse(&log).unwrap_or_default() {
                if let Some(written) = entry.written {
                    prop_assert!(written.sector + written.sectors <= CAPACITY);
                    prop_assert!(written.data + written.sectors * SECTOR <= log.len() as u64);
                }
            }
        }

        #[test]
        fn anything_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
            let _ = parse(&bytes);
        }
    }
}
