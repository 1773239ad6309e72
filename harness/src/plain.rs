//! Texts of others, made safe to be looked at: what guests say may hold anything.

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
}
