//! Seeds of failing cases in `proptest-regressions/`, in proptest's own format.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use proptest::prelude::Rng as _;
use proptest::test_runner::{
    FailurePersistence as _, FileFailurePersistence, PersistedSeed, RngAlgorithm, TestRng,
};

/// What a case is generated from: 32 bytes, written as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Seed([u8; 32]);

/// The text is no seed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is not a seed: give a number below 2^64, or 64 hexadecimal digits as a report shows them")]
pub struct SeedError(String);

impl Seed {
    /// A seed that nobody can know beforehand.
    #[must_use]
    pub fn random() -> Self {
        Self::draw(&mut TestRng::from_seed(RngAlgorithm::ChaCha, &fresh()))
    }

    /// What stands for the seed of a case that was not generated but has a name.
    pub(crate) fn named(name: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&hasher.finish().to_be_bytes());
        Self(bytes)
    }

    /// Whether it stands for a name, so that nothing can be generated from it.
    pub(crate) fn is_named(self) -> bool {
        self.0[..8] != [0; 8] && self.0[8..] == [0; 24]
    }

    /// The next seed that a generator makes.
    pub(crate) fn draw(rng: &mut TestRng) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The generator that this seed starts, for further seeds.
    pub(crate) fn seeds_rng(self) -> TestRng {
        self.generator(SEEDS)
    }

    /// The generator that the case of this seed is made by.
    pub(crate) fn case_rng(self) -> TestRng {
        self.generator(CASE)
    }

    /// proptest starts a generator for each choice among strategies, so it has to start fast. It
    /// begins badly where its own seed is mostly zeros, as that of a number is, so all bits are
    /// mixed first.
    fn generator(self, purpose: u64) -> TestRng {
        let words =
            self.0.chunks_exact(8).map(|word| word.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)));
        let (low, high) =
            words.fold((purpose, purpose + 1), |(low, high), word| (mixed(low ^ word), mixed(high ^ word)));
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&low.to_be_bytes());
        bytes[8..].copy_from_slice(&high.to_be_bytes());
        TestRng::from_seed(RngAlgorithm::XorShift, &bytes)
    }
}

/// The digits of a seed that names of files and tests have. Those of a number begin with zeros, and
/// have their last ones.
pub(crate) fn short(seed: &str) -> &str {
    let first = seed.get(..SHORT).unwrap_or(seed);
    let last = seed.len().checked_sub(SHORT).and_then(|start| seed.get(start..));
    if first.bytes().all(|digit| digit == b'0') { last.unwrap_or(first) } else { first }
}

/// How many digits [`short`] gives.
pub(crate) const SHORT: usize = 12;

/// What sets the generators of one seed apart.
const CASE: u64 = 0;
const SEEDS: u64 = 2;

/// One step of SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators",
/// 2014): each bit of the result depends on each bit of the number.
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

fn fresh() -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    bytes[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    bytes
}

impl From<u64> for Seed {
    fn from(number: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[24..].copy_from_slice(&number.to_be_bytes());
        Self(bytes)
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Each case of a run is named by its seed, so it is put together at once.
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl FromStr for Seed {
    type Err = SeedError;

    fn from_str(text: &str) -> Result<Self, SeedError> {
        let error = || SeedError(text.to_owned());
        if text.len() != 64 {
            return text.parse().map(u64::into).map_err(|_| error());
        }
        let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
        let digits = digits.ok_or_else(error)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            *byte = u8::try_from(pair[0] * 16 + pair[1]).map_err(|_| error())?;
        }
        Ok(Self(bytes))
    }
}

/// The seeds that are kept in a file; those of other algorithms than ours are passed over.
#[must_use]
pub fn load(file: &Path) -> Vec<Seed> {
    let seeds = persistence(file).load_persisted_failures2(None);
    seeds.iter().filter_map(|seed| seed.to_string().strip_prefix("cc ")?.parse().ok()).collect()
}

/// Adds the seed of a failing case, with its smallest form as a comment, unless it is there. A
/// case that was not generated has none to be kept.
pub fn save(file: &Path, seed: Seed, smallest: &dyn fmt::Debug) {
    if seed.is_named() {
        return;
    }
    if let Ok(seed) = PersistedSeed::from_str(&format!("cc {seed}")) {
        persistence(file).save_persisted_failure2(None, seed, smallest);
    }
}

/// proptest wants a path that lives as long as the program; a run has one such file.
fn persistence(file: &Path) -> FileFailurePersistence {
    FileFailurePersistence::Direct(Box::leak(file.to_string_lossy().into_owned().into_boxed_str()))
}
