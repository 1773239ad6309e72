//! What values look like to a person, in a bounded length, whatever their size.

use std::borrow::Cow;
use std::fmt::{self, Debug, Write};

use serde::Serialize;

/// More characters of one value than this are not shown in an error.
const MOST_SHOWN: usize = 400;

/// Takes in text until it has enough, and then says so to who writes it.
struct Bounded {
    text: String,
    left: usize,
}

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(character);
        }
        Ok(())
    }
}

/// A value as `Debug` prints it, cut where it is long; the rest is never made.
pub(crate) fn cut(value: &impl Debug) -> String {
    let mut bounded = Bounded { text: String::new(), left: MOST_SHOWN };
    let whole = write!(bounded, "{value:?}").is_ok();
    if !whole {
        bounded.text.push('…');
    }
    bounded.text
}

/// Counts characters until there are too many.
struct Count {
    bytes: usize,
    most: usize,
}

impl Write for Count {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes += text.len();
        if self.bytes > self.most { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Whether `Debug` prints a value in more bytes than so many; of these no more are made.
pub(crate) fn is_longer_than(value: &impl Debug, most: usize) -> bool {
    write!(Count { bytes: 0, most }, "{value:?}").is_err()
}

/// Takes in the first word and no more.
struct FirstWord(String);

impl Write for FirstWord {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let word = |letter: char| letter.is_alphanumeric() || letter == '_';
        match text.find(|letter| !word(letter)) {
            Some(end) => {
                self.0.push_str(&text[..end]);
                Err(fmt::Error)
            }
            None => {
                self.0.push_str(text);
                Ok(())
            }
        }
    }
}

/// The name of an enumeration's variant as serde writes it, which takes no text to be made; of
/// anything else the first word of its `Debug` text, if that is a name and no value, or the name
/// of its type.
pub(crate) fn variant<T: Debug + Serialize>(value: &T) -> Cow<'static, str> {
    if let Ok(name) = serde_variant::to_variant_name(value) {
        return name.into();
    }
    let word = first_word(value);
    let is_value = ["true", "false", "NaN", "inf"].contains(&word.as_str());
    if word.starts_with(|first: char| first.is_alphabetic()) && !is_value {
        return word.into();
    }
    let path = std::any::type_name::<T>();
    path.rfind("::").map_or(path, |end| &path[end + 2..]).into()
}

/// The letters, digits and underscores that the `Debug` text of a value begins with.
fn first_word(value: &impl Debug) -> String {
    let mut word = FirstWord(String::new());
    // The error only says that the word has ended.
    let _ = write!(word, "{value:?}");
    word.0
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::{cut, is_longer_than, variant};

    #[derive(Debug, Serialize)]
    enum Command {
        Boot,
        Send { to: u32 },
        Put2(Vec<u8>),
        Move(u8, u8),
    }

    /// What serde writes as a map with the name in it.
    #[derive(Debug, Serialize)]
    #[serde(tag = "what")]
    enum Tagged {
        Stop { at: u32 },
    }

    #[test]
    fn kinds_are_the_names_of_variants() {
        assert_eq!(variant(&Command::Boot), "Boot");
        assert_eq!(variant(&Command::Send { to: 3 }), "Send");
        assert_eq!(variant(&Command::Put2(vec![1])), "Put2");
        assert_eq!(variant(&Command::Move(1, 2)), "Move");
        assert_eq!(variant(&Tagged::Stop { at: 3 }), "Stop");
        assert_eq!((variant(&Some(Command::Boot)), variant(&Some(7))), ("Boot".into(), "Some".into()));
    }

    #[test]
    fn values_are_no_kinds() {
        assert_eq!(
            (variant(&7u8), variant(&-7i64), variant(&true)),
            ("u8".into(), "i64".into(), "bool".into())
        );
        assert_eq!((variant(&f64::NAN), variant(&f64::INFINITY)), ("f64".into(), "f64".into()));
        assert_eq!((variant(&"Go on".to_owned()), variant(&'a')), ("String".into(), "char".into()));
        assert_eq!((variant(&(1u8, 2u8)), variant(&())), ("(u8, u8)".into(), "()".into()));
    }

    #[test]
    fn long_values_are_cut() {
        let long = vec![1u8; 100_000_000];
        let text = cut(&long);
        assert_eq!(text.chars().count(), super::MOST_SHOWN + 1);
        assert!(text.starts_with("[1, 1, ") && text.ends_with('…'), "{text}");
        assert_eq!(cut(&[1, 2]), "[1, 2]");
        assert!(is_longer_than(&long, 1000) && !is_longer_than(&[1, 2], 6) && is_longer_than(&[1, 2], 5));
    }
}
