//! What is to happen to which pairs of ports, and for how long.

use std::collections::BTreeMap;
use std::sync::Weak;

use super::effect::Effect;
use super::handle::Shared;
use super::names::{Names, Place};
use super::pairs::Pairs;
use crate::Error;

/// That something happens to the frames of some pairs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rule {
    /// Which pairs.
    pub pairs: Pairs,
    /// What.
    pub effect: Effect,
}

impl Rule {
    /// This effect on these pairs.
    #[must_use]
    pub fn new(pairs: Pairs, effect: Effect) -> Self {
        Self { pairs, effect }
    }

    /// These pairs are cut.
    #[must_use]
    pub fn cut(pairs: Pairs) -> Self {
        Self::new(pairs, Effect::cut())
    }
}

/// Which of a fabric's sets of rules one is. None is used twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RuleId(u64);

/// Rules in effect. Dropping it takes them back, at one moment for all pairs.
///
/// Where the fabric was [reset](super::Fabric::reset), healed, or put back to a state without them,
/// they are gone already, and dropping it does nothing.
#[derive(Debug)]
#[must_use = "dropping it takes the rules back at once"]
pub struct RuleGuard {
    pub(super) id: RuleId,
    pub(super) fabric: Weak<Shared>,
}

impl RuleGuard {
    /// Which rules these are, for [`Fabric::guard`](super::Fabric::guard).
    #[must_use]
    pub fn id(&self) -> RuleId {
        self.id
    }

    /// Puts these rules in the place of those that the guard held until now, at one moment, or in
    /// effect again where they are gone already.
    ///
    /// # Errors
    /// [`Error::NoSuchPort`], after which nothing has changed.
    pub fn replace(&self, rules: &[Rule]) -> Result<(), Error> {
        let Some(fabric) = self.fabric.upgrade() else { return Ok(()) };
        fabric.change(|world| world.rules.put(self.id, rules, &world.names, &world.name))
    }

    /// Takes the rules back; says more than dropping it.
    pub fn remove(self) {
        drop(self);
    }

    /// Leaves the rules in effect without a guard: until the fabric is healed or reset, or somebody
    /// asks for another guard by [`RuleGuard::id`].
    pub fn keep(mut self) -> RuleId {
        self.fabric = Weak::new();
        self.id
    }
}

impl Drop for RuleGuard {
    fn drop(&mut self) {
        if let Some(fabric) = self.fabric.upgrade() {
            let removed = fabric.change(|world| {
                world.rules.all.remove(&self.id);
                Ok(())
            });
            debug_assert!(removed.is_ok());
        }
    }
}

/// All rules that are in effect.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) all: BTreeMap<RuleId, Vec<Rule>>,
    next: u64,
}

impl Rules {
    /// An id for rules that are to come.
    pub(super) fn next_id(&mut self) -> RuleId {
        self.next += 1;
        RuleId(self.next)
    }

    /// Has those be in effect that were at another time, and no others.
    pub(super) fn restore(&mut self, rules: &[(RuleId, Vec<Rule>)]) {
        self.all = rules.iter().cloned().collect();
        // They may be another fabric's of the same ports.
        let last = rules.iter().map(|(id, _)| id.0).max().unwrap_or_default();
        self.next = self.next.max(last);
    }

    /// Has these rules be in effect; none of them where one names what is no port.
    pub(super) fn put(
        &mut self,
        id: RuleId,
        rules: &[Rule],
        names: &Names,
        fabric: &str,
    ) -> Result<(), Error> {
        for (from, to) in rules.iter().flat_map(|rule| rule.pairs.iter()) {
            names.place(fabric, from)?;
            names.place(fabric, to)?;
        }
        self.all.insert(id, rules.to_vec());
        Ok(())
    }

    /// What all of them together do to each pair that they are for.
    pub(super) fn effects(&self, names: &Names) -> BTreeMap<(Place, Place), Effect> {
        let places: BTreeMap<&str, Place> =
            (0..super::PORTS).map(|place| (names.name(place), place)).collect();
        let mut effects: BTreeMap<(Place, Place), Effect> = BTreeMap::new();
        for rule in self.all.values().flatten() {
            for (from, to) in rule.pairs.iter() {
                if let (Some(&from), Some(&to)) = (places.get(from), places.get(to)) {
                    let effect = effects.entry((from, to)).or_default();
                    *effect = effect.and(rule.effect);
                }
            }
        }
        effects
    }
}
