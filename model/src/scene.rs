//! What a specification shows of itself on a map of its network: for reports, and for nothing else.

use serde::{Deserialize, Serialize};

/// What a command does to a network, as far as reports tell commands apart.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Nothing that is told apart.
    #[default]
    Command,
    /// It asks, and changes nothing.
    Ask,
    /// It switches a machine on, or off and on again.
    Boot,
    /// It switches a machine off.
    Off,
    /// It has a machine stand still.
    Pause,
    /// It lets a machine go on.
    Resume,
    /// It has something be wrong: with a link, a disk, a clock, a service.
    Fault,
    /// It mends what was wrong.
    Heal,
}

/// A state as a map shows it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Scene {
    /// The machines, in an order that stays the same.
    pub machines: Vec<Seat>,
    /// The ways between them that are not as they should be.
    pub links: Vec<Link>,
}

/// A machine on a map.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seat {
    /// Its name, as commands show it.
    pub name: String,
    /// What it was given, such as `kernel 6.1`, a short phrase each.
    pub details: Vec<String>,
    /// Whether it runs.
    pub power: Power,
    /// What else is so with it now, such as `disk full`, a short phrase each.
    pub notes: Vec<String>,
}

/// Whether a machine runs.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// It does.
    On,
    /// It is switched off.
    Off,
    /// It is on and stands still.
    Paused,
}

/// A way from one machine to another that is not as it should be.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// From whom.
    pub from: String,
    /// To whom.
    pub to: String,
    /// Whether nothing passes.
    pub cut: bool,
    /// What is so with it, such as `30 % lost`.
    pub what: String,
}
