//! Which ways of a network something is done to, and what.

use std::collections::BTreeSet;
use std::fmt;
use std::slice;

use serde::{Deserialize, Serialize};

use crate::machine::MachineId;

/// A way from one machine to another; the way back is another.
pub type Way = (MachineId, MachineId);

/// The shape in which ways of a network are meant.
///
/// Shapes that speak of all machines take them in the network's order, so that a smaller network keeps
/// the shape.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Links {
    /// From one machine to another, and not back.
    OneWay {
        /// From whom.
        from: MachineId,
        /// To whom.
        to: MachineId,
    },
    /// Between two machines, both ways.
    Between(MachineId, MachineId),
    /// Between one machine and all others, both ways.
    Alone(MachineId),
    /// Between the first half of the machines and the second, which has one more of an odd number.
    Halves,
    /// Between two halves of the other machines, both of which this one goes on to reach.
    Bridge(MachineId),
    /// Between machines that are no neighbours in a ring of all of them, as far as each goes on to
    /// reach a majority, itself included, and no two the same one. Of three or fewer there are none.
    Ring,
    /// All of them.
    All,
}

impl Links {
    /// The machines that it names.
    #[must_use]
    pub fn machines(&self) -> Vec<&MachineId> {
        match self {
            Self::OneWay { from: one, to: other } | Self::Between(one, other) => vec![one, other],
            Self::Alone(id) | Self::Bridge(id) => vec![id],
            Self::Halves | Self::Ring | Self::All => Vec::new(),
        }
    }

    /// The ways that are meant in a network of these machines.
    #[must_use]
    pub fn ways(&self, all: &[MachineId]) -> BTreeSet<Way> {
        let between = |these: &[MachineId], those: &[MachineId]| -> BTreeSet<Way> {
            let pairs = these.iter().flat_map(|one| those.iter().map(move |other| (one, other)));
            let pairs = pairs.filter(|(one, other)| one != other);
            pairs
                .flat_map(|(one, other)| [(one.clone(), other.clone()), (other.clone(), one.clone())])
                .collect()
        };
        let halves = |all: &[MachineId]| {
            let (first, second) = all.split_at(all.len() / 2);
            between(first, second)
        };
        match self {
            Self::OneWay { from, to } if from == to => BTreeSet::new(),
            Self::OneWay { from, to } => BTreeSet::from([(from.clone(), to.clone())]),
            Self::Between(one, other) => between(slice::from_ref(one), slice::from_ref(other)),
            Self::Alone(id) => between(slice::from_ref(id), all),
            Self::Halves => halves(all),
            Self::Bridge(id) => halves(&all.iter().filter(|other| *other != id).cloned().collect::<Vec<_>>()),
            Self::Ring => {
                let (count, reach) = (all.len(), (all.len() / 2).div_ceil(2));
                let is_far = |one: usize, other: usize| {
                    let distance = one.abs_diff(other);
                    distance.min(count - distance) > reach
                };
                let pairs = (0..count).flat_map(|one| (0..count).map(move |other| (one, other)));
                let far = pairs.filter(|&(one, other)| is_far(one, other));
                far.map(|(one, other)| (all[one].clone(), all[other].clone())).collect()
            }
            Self::All => between(all, all),
        }
    }
}

impl fmt::Display for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneWay { from, to } => write!(f, "{from} -> {to}"),
            Self::Between(one, other) => write!(f, "{one} <-> {other}"),
            Self::Alone(id) => write!(f, "{id} <-> all others"),
            Self::Halves => f.write_str("one half <-> the other"),
            Self::Bridge(id) => write!(f, "one half <-> the other, but for {id}"),
            Self::Ring => f.write_str("all <-> all, but for neighbours in a ring"),
            Self::All => f.write_str("all <-> all"),
        }
    }
}

/// A share of frames, in percent.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Percent(u8);

impl Percent {
    /// So many of a hundred.
    ///
    /// # Errors
    /// [`PercentError`] for more than all.
    pub fn new(percent: u8) -> Result<Self, PercentError> {
        if percent <= 100 { Ok(Self(percent)) } else { Err(PercentError(percent)) }
    }

    /// The share as a number from 0 to 100.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

/// More than all.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0} percent are more than all: give 0 to 100")]
pub struct PercentError(u8);

impl TryFrom<u8> for Percent {
    type Error = PercentError;

    fn try_from(percent: u8) -> Result<Self, PercentError> {
        Self::new(percent)
    }
}

impl From<Percent> for u8 {
    fn from(percent: Percent) -> Self {
        percent.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

/// A time by which frames are late, in milliseconds: a second at most, so that whoever waits longer
/// than that knows what to expect.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Lateness(u16);

impl Lateness {
    /// The longest, in milliseconds.
    pub const MOST: u16 = 1000;

    /// So many milliseconds.
    ///
    /// # Errors
    /// [`LatenessError`] for more than a second.
    pub fn new(milliseconds: u16) -> Result<Self, LatenessError> {
        if milliseconds <= Self::MOST { Ok(Self(milliseconds)) } else { Err(LatenessError(milliseconds)) }
    }

    /// In milliseconds.
    #[must_use]
    pub fn milliseconds(self) -> u16 {
        self.0
    }
}

/// Later than can be told from never.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a delay of {0} ms is too long: give 0 to {most}", most = Lateness::MOST)]
pub struct LatenessError(u16);

impl TryFrom<u16> for Lateness {
    type Error = LatenessError;

    fn try_from(milliseconds: u16) -> Result<Self, LatenessError> {
        Self::new(milliseconds)
    }
}

impl From<Lateness> for u16 {
    fn from(lateness: Lateness) -> Self {
        lateness.0
    }
}

/// What becomes of frames on a way that is not cut.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Quality {
    /// Each is late by `delay`, and by up to `jitter` more.
    Slow {
        /// What all are late by.
        delay: Lateness,
        /// What each is late by at most besides.
        jitter: Lateness,
    },
    /// So many are lost.
    Lossy(Percent),
    /// So many come twice.
    Duplicating(Percent),
    /// So many are overtaken by those after them.
    Reordering(Percent),
    /// So many have a bit turned over, which whoever gets them finds out: as good as lost.
    Corrupting(Percent),
    /// So many kilobits pass in a second; the rest waits, or is lost where too much does.
    Narrow {
        /// Thousands of bits a second, at least 64.
        kilobits: u32,
    },
}

impl Quality {
    /// Whether frames may be lost.
    #[must_use]
    pub fn may_lose(self) -> bool {
        match self {
            Self::Slow { .. } | Self::Duplicating(_) | Self::Reordering(_) => false,
            Self::Lossy(percent) | Self::Corrupting(percent) => percent.get() > 0,
            Self::Narrow { .. } => true,
        }
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slow { delay, jitter } => {
                write!(f, "{} to {} ms late", delay.0, u32::from(delay.0) + u32::from(jitter.0))
            }
            Self::Lossy(percent) => write!(f, "{percent} lost"),
            Self::Duplicating(percent) => write!(f, "{percent} twice"),
            Self::Reordering(percent) => write!(f, "{percent} overtaken"),
            Self::Corrupting(percent) => write!(f, "{percent} corrupted"),
            Self::Narrow { kilobits } => write!(f, "{kilobits} kbit/s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machines(names: &str) -> Vec<MachineId> {
        names.split(' ').map(|name| name.parse().unwrap()).collect()
    }

    /// Whom each still hears, as `a:bc` for each.
    fn heard(links: &Links, all: &[MachineId]) -> String {
        let cut = links.ways(all);
        let of = |to: &MachineId| {
            let from = all.iter().filter(|from| *from != to && !cut.contains(&((*from).clone(), to.clone())));
            format!("{to}:{}", from.map(MachineId::as_str).collect::<String>())
        };
        all.iter().map(of).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn shapes_mean_what_they_are_called() {
        let (a, b) = ("a".parse::<MachineId>().unwrap(), "b".parse::<MachineId>().unwrap());
        let three = machines("a b c");
        assert_eq!(heard(&Links::OneWay { from: a.clone(), to: b.clone() }, &three), "a:bc b:c c:ab");
        assert_eq!(heard(&Links::Between(a.clone(), b.clone()), &three), "a:c b:c c:ab");
        assert_eq!(heard(&Links::Alone(a.clone()), &three), "a: b:c c:b");
        assert_eq!(heard(&Links::All, &three), "a: b: c:");
        assert_eq!(heard(&Links::Ring, &three), "a:bc b:ac c:ab");
        let five = machines("a b c d e");
        assert_eq!(heard(&Links::Halves, &five), "a:b b:a c:de d:ce e:cd");
        assert_eq!(heard(&Links::Bridge(a.clone()), &five), "a:bcde b:ac c:ab d:ae e:ad");
        assert_eq!(heard(&Links::Ring, &five), "a:be b:ac c:bd d:ce e:ad");
        assert_eq!(heard(&Links::Between(a.clone(), a), &three), "a:bc b:ac c:ab");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_as_it_is_read() {
        let read = |text: &str| serde_json::from_str::<Quality>(text).map_err(|error| error.to_string());
        assert!(read(r#"{"lossy": 100}"#).is_ok());
        let lossy = read(r#"{"lossy": 101}"#).unwrap_err();
        assert!(lossy.starts_with("101 percent are more than all: give 0 to 100"), "{lossy}");
        assert!(read(r#"{"lossy": -1}"#).unwrap_err().contains("invalid value: integer `-1`"));
        assert!(read(r#"{"slow": {"delay": -5, "jitter": 0}}"#).unwrap_err().contains("`-5`"));
        let late = read(r#"{"slow": {"delay": 5000, "jitter": 0}}"#).unwrap_err();
        assert!(late.starts_with("a delay of 5000 ms is too long: give 0 to 1000"), "{late}");
    }
}
