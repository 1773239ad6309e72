//! Texts as Nix and Python have them, whatever is in them.

use std::fmt::Write as _;

use crate::plain::is_plain;

/// A text as a string literal of Python, in one line of letters that show themselves.
pub(super) fn python(text: &str) -> String {
    let mut literal = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => literal.extend(['\\', letter]),
            '\n' => literal.push_str("\\n"),
            '\t' => literal.push_str("\\t"),
            letter if is_plain(letter) => literal.push(letter),
            letter => {
                write!(literal, "\\U{:08x}", u32::from(letter)).ok();
            }
        }
    }
    literal.push('"');
    literal
}

/// Lines as they stand between the two single quotes of a string of Nix that has lines. Nothing in them is
/// taken for its end, for an escape or for an expression, whatever stands beside it.
pub(super) fn nix_lines(text: &str) -> String {
    let mut lines = String::new();
    let mut before = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied();
        let is_beside_quotes = before == Some('\'') || matches!(next, Some('\'' | '$') | None);
        match letter {
            '\'' if is_beside_quotes => lines.push_str("''\\'"),
            '$' if next == Some('{') => lines.push_str("''$"),
            letter => lines.push(letter),
        }
        before = Some(letter);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_python_are_lines_of_plain_letters() {
        assert_eq!(python("a\"b\\c\n'\u{1b}ä\u{202e}"), r#""a\"b\\c\n'\U0000001bä\U0000202e""#);
    }

    #[test]
    fn lines_of_nix_leave_nothing_to_interpolate() {
        assert_eq!(nix_lines("'a' ${b} $${c} $d"), "'a' ''${b} $''${c} $d");
        assert_eq!(nix_lines("a'' '${b}"), r"a''\'''\' ''\'''${b}");
        assert_eq!(nix_lines("it's '"), r"it's ''\'");
    }
}
