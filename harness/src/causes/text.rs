//! What matters, for a person to read.

use std::fmt;

use super::{Causes, Finding, Place, Probed, Role, Trial};

impl fmt::Display for Causes {
    /// Several lines, each with its end; nothing where nothing is varied.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return Ok(());
        }
        let list = |f: &mut fmt::Formatter<'_>, title: &str, probed: Vec<&Probed>| {
            if probed.is_empty() {
                return Ok(());
            }
            writeln!(f, "{title}")?;
            let names: Vec<_> = probed.iter().map(|probed| named(&probed.place)).collect();
            let width = names.iter().map(String::len).max().unwrap_or_default();
            names
                .iter()
                .zip(probed)
                .try_for_each(|(name, probed)| writeln!(f, "  {name:width$}  {}", findings(probed)))
        };
        list(f, "what matters", self.of_role(Role::Matters).collect())?;
        if !self.together.is_empty() {
            writeln!(f, "what matters only together")?;
        }
        for set in &self.together {
            let values: Vec<_> =
                set.iter().map(|place| format!("{} {}", named(place), place.value)).collect();
            writeln!(f, "  holds with {} at once", values.join(" and "))?;
        }
        list(f, "not decided", self.of_role(Role::Undecided).collect())?;
        let irrelevant: Vec<_> = self.of_role(Role::Irrelevant).map(|probed| &probed.place).collect();
        if !irrelevant.is_empty() {
            writeln!(f, "does not matter: {}", grouped(&irrelevant))?;
        }
        Ok(())
    }
}

fn named(place: &Place) -> String {
    format!("{}: {}", place.site, place.factor)
}

/// Places by their factor, in the order of first mention: `memory of a and b, kernel of b`.
fn grouped(places: &[&Place]) -> String {
    let mut factors: Vec<(&str, Vec<&str>)> = Vec::new();
    for Place { site, factor, .. } in places {
        let site = match site.as_str() {
            "network" => "the network",
            site => site.strip_prefix("machine ").unwrap_or(site),
        };
        match factors.iter_mut().find(|(name, _)| name == factor) {
            Some((_, sites)) => sites.push(site),
            None => factors.push((factor, vec![site])),
        }
    }
    let shown = factors.iter().map(|(factor, sites)| format!("{factor} of {}", and(sites)));
    shown.collect::<Vec<_>>().join(", ")
}

fn and(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// With which values it fails and holds, and what came of the others.
fn findings(probed: &Probed) -> String {
    let mut parts = scale(probed).unwrap_or_else(|| {
        [("fails with", Finding::Fails), ("holds with", Finding::Holds)]
            .into_iter()
            .filter_map(|(what, finding)| {
                let values = values(probed, &finding);
                (!values.is_empty()).then(|| format!("{what} {}", values.join(", ")))
            })
            .collect()
    });
    for Trial { value, finding } in &probed.tried {
        match finding {
            Finding::Fails | Finding::Holds => {}
            Finding::Inconclusive(why) => parts.push(format!("inconclusive with {value} ({why})")),
            Finding::Excluded(why) => parts.push(format!("excluded: {value} ({why})")),
            Finding::Impossible(_) => parts.push(format!("the commands make no sense with {value}")),
        }
    }
    match probed.open {
        0 => {}
        1 => parts.push("not all tried: 1 value is left".to_owned()),
        open => parts.push(format!("not all tried: {open} values are left")),
    }
    parts.join("; ")
}

/// The values with a finding; on a scale, as stretches of those that were tried.
fn values(probed: &Probed, finding: &Finding) -> Vec<String> {
    if !probed.ordered {
        let with = probed.tried.iter().filter(|trial| trial.finding == *finding);
        return with.map(|trial| trial.value.clone()).collect();
    }
    let stretches = stretches(probed).into_iter().filter(|(of, ..)| *of == finding);
    stretches
        .map(|(_, first, last)| if first == last { first.to_owned() } else { format!("{first} to {last}") })
        .collect()
}

/// Neighbours on a scale that came to the same: the first and the last of each stretch.
fn stretches(probed: &Probed) -> Vec<(&Finding, &str, &str)> {
    let decided = probed.tried.iter();
    let decided: Vec<_> =
        decided.filter(|trial| matches!(trial.finding, Finding::Fails | Finding::Holds)).collect();
    let stretches = decided.chunk_by(|one, other| one.finding == other.finding);
    let ends = stretches.filter_map(|stretch| Some((*stretch.first()?, *stretch.last()?)));
    ends.map(|(first, last)| (&first.finding, first.value.as_str(), last.value.as_str())).collect()
}

/// `fails from 160 MiB`, `holds up to 128 MiB`: where a scale has one end that fails and one that
/// holds.
fn scale(probed: &Probed) -> Option<Vec<String>> {
    let stretches = if probed.ordered { stretches(probed) } else { return None };
    match stretches[..] {
        [(Finding::Holds, _, last), (_, first, _)] => {
            Some(vec![format!("fails from {first}"), format!("holds up to {last}")])
        }
        [(Finding::Fails, _, last), (_, first, _)] => {
            Some(vec![format!("fails up to {last}"), format!("holds from {first}")])
        }
        _ => None,
    }
}
