//! Texts of others, made safe to be looked at: what guests say may hold anything.

use std::fmt::Write as _;

use anstream::adapter::strip_str;

/// A text without what moves a cursor, colours, reorders or hides letters: sequences for terminals go, and
/// of the rest each letter that is none becomes a blank. Line feeds stay.
pub(crate) fn plain(text: &str) -> String {
    let letter = |letter: char| if letter == '\n' || is_plain(letter) { letter } else { ' ' };
    strip_str(text).to_string().chars().map(letter).collect()
}

/// The same in one line.
pub(crate) fn in_one_line(text: &str) -> String {
    plain(text).replace('\n', " ")
}

/// JSON in which letters that do more than show themselves are escapes; a reader gets what it got before.
/// Outside of strings, and as line feeds, JSON has none of them.
pub(crate) fn plain_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter == '\n' || is_plain(letter) {
            text.push(letter);
        } else {
            letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                write!(text, "\\u{unit:04x}").ok();
            });
        }
    }
    text
}

/// Whether a letter only shows itself.
pub(crate) fn is_plain(letter: char) -> bool {
    let is_hidden = matches!(
        letter,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    );
    !letter.is_control() && !is_hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_that_a_terminal_would_obey() {
        assert_eq!(plain("a\u{1b}[31mred\u{1b}[0m\tb\u{7}\nc"), "ared b\nc");
        assert_eq!(in_one_line("right\u{202e}tfel\r\nb\u{9b}2J"), "right tfel  b 2J");
    }

    #[test]
    fn plain_json_says_the_same() {
        let said = vec!["a\u{9b}31m\u{202e}\u{7f}\u{1b}[2J\nä界😀\\\"".to_owned()];
        let json = plain_json(&serde_json::to_string_pretty(&said).unwrap());
        assert!(json.chars().all(|letter| letter == '\n' || is_plain(letter)), "{json:?}");
        assert!(json.contains("a\\u009b31m\\u202e\\u007f\\u001b[2J"), "{json}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), said);
    }
}
