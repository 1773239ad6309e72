//! Who has which port of a fabric.

use std::fmt::Write as _;

use super::PORTS;
use crate::Error;

/// A port by its place in tables, one less than its number.
pub(super) type Place = usize;

/// The names of a fabric's ports: those that its owner gave, and `port-N` for the others.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Names {
    names: Vec<String>,
    given: usize,
}

impl Names {
    /// The first ports have these names.
    pub(super) fn new(fabric: &str, given: &[String]) -> Result<Self, Error> {
        let refuse = |name: &str, why: String| {
            Err(Error::PortName { fabric: fabric.to_owned(), name: name.to_owned(), why })
        };
        if let Some(name) = given.get(PORTS) {
            return refuse(name, format!("a fabric has {PORTS} ports"));
        }
        let mut names = given.to_vec();
        names.extend((given.len()..PORTS).map(|place| format!("port-{}", place + 1)));
        for (place, name) in given.iter().enumerate() {
            if name.is_empty() {
                return refuse(name, "it is empty".to_owned());
            }
            let mut others = names.iter().enumerate().filter(|&(other, _)| other != place);
            if let Some((other, _)) = others.find(|&(_, other)| other == name) {
                return refuse(name, format!("port {} has that name", other + 1));
            }
        }
        Ok(Self { names, given: given.len() })
    }

    pub(super) fn name(&self, place: Place) -> &str {
        &self.names[place]
    }

    /// Whether the owner gave it its name, so that nobody gets it who does not ask for it.
    pub(super) fn is_given(&self, place: Place) -> bool {
        place < self.given
    }

    /// The port with this name.
    pub(super) fn place(&self, fabric: &str, name: &str) -> Result<Place, Error> {
        self.names.iter().position(|known| known == name).ok_or_else(|| {
            let mut known = self.names[..self.given].join(", ");
            let separator = if known.is_empty() { "" } else { ", " };
            let _ = write!(known, "{separator}port-{} to port-{PORTS}", self.given + 1);
            Error::NoSuchPort { fabric: fabric.to_owned(), name: name.to_owned(), known }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(given: &[&str]) -> Result<Names, Error> {
        Names::new("f", &given.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn ports_without_a_name_have_that_of_their_number() {
        let names = names(&["a", "b"]).unwrap();
        assert_eq!(names.place("f", "b").unwrap(), 1);
        assert_eq!(names.place("f", "port-3").unwrap(), 2);
        assert!(names.is_given(1) && !names.is_given(2));
        let error = names.place("f", "port-2").unwrap_err().to_string();
        assert!(error.contains("a, b, port-3 to port-127"), "{error}");
    }

    #[test]
    fn names_that_would_be_mistaken_are_refused() {
        for (given, why) in [
            (&["a", "a"][..], "port 2 has that name"),
            (&["port-9"][..], "port 9 has that name"),
            (&[""][..], "it is empty"),
            (&["x"; PORTS + 1][..], "a fabric has 127 ports"),
        ] {
            let error = names(given).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(names(&["port-1"]).is_ok(), "it is what it would be called anyway");
    }
}
