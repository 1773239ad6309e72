//! A reader for EDN, as far as recorded histories use it.
//!
//! It reads one value at a time and knows the line it is at, so that a long history is never a
//! tree as a whole and an error has its place. Tags are passed over: what is tagged stands for
//! itself. The format: <https://github.com/edn-format/edn>.

use super::datum::Datum;
use super::read::ReadError;

/// Values may be nested so deep, and no deeper, so that a hostile file cannot exhaust the stack.
const DEEPEST: usize = 64;

/// Reads values from a text, one after the other.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// The line of what is read next.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// Goes into a vector or a list, if one is next.
    pub(super) fn enter(&mut self) -> Result<Option<char>, ReadError> {
        self.skip(0)?;
        Ok(match self.peek() {
            Some('[') => self.next().map(|_| ']'),
            Some('(') => self.next().map(|_| ')'),
            _ => None,
        })
    }

    /// Whether what is next is this bracket, or the end of the text; it is then behind.
    pub(super) fn leave(&mut self, bracket: Option<char>) -> Result<bool, ReadError> {
        self.skip(0)?;
        match (self.peek(), bracket) {
            (None, None) => Ok(true),
            (None, Some(bracket)) => {
                Err(self.error(format!("the text ends before its {bracket:?}; is it whole?")))
            }
            (Some(next), Some(bracket)) if next == bracket => Ok(self.next().is_some()),
            _ => Ok(false),
        }
    }

    /// Reads the next value.
    pub(super) fn value(&mut self) -> Result<Datum, ReadError> {
        self.value_at(0)
    }

    fn value_at(&mut self, depth: usize) -> Result<Datum, ReadError> {
        if depth > DEEPEST {
            return Err(
                self.error(format!("values are nested deeper than {DEEPEST} levels, as in no history"))
            );
        }
        self.skip(depth)?;
        match self.peek() {
            None => Err(self.error("the text ends where a value should be; is it whole?")),
            Some('[') => self.entries(']', depth).map(Datum::List),
            Some('(') => self.entries(')', depth).map(Datum::List),
            Some('{') => self.map(depth),
            Some('"') => self.string(),
            Some('#') => self.dispatch(depth),
            Some('\\') => self.character(),
            Some(bracket @ (']' | ')' | '}')) => {
                Err(self.error(format!("{bracket:?} closes nothing that is open; balance the brackets")))
            }
            Some(_) => self.word(),
        }
    }

    /// Passes over blanks, comments, and values that `#_` discards.
    fn skip(&mut self, depth: usize) -> Result<(), ReadError> {
        loop {
            match self.peek() {
                Some(letter) if letter.is_whitespace() || letter == ',' => drop(self.next()),
                Some(';') => while self.next().is_some_and(|letter| letter != '\n') {},
                Some('#') if self.text[self.at..].starts_with("#_") => {
                    self.at += 2;
                    self.value_at(depth + 1)?;
                }
                _ => return Ok(()),
            }
        }
    }

    fn entries(&mut self, close: char, depth: usize) -> Result<Vec<Datum>, ReadError> {
        let opened = self.line;
        self.next();
        let mut entries = Vec::new();
        loop {
            self.skip(depth)?;
            match self.peek() {
                Some(letter) if letter == close => {
                    self.next();
                    return Ok(entries);
                }
                None => {
                    let what =
                        format!("what was opened in line {opened} lacks its {close:?}; is the text whole?");
                    return Err(self.error(what));
                }
                Some(_) => entries.push(self.value_at(depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Datum, ReadError> {
        let line = self.line;
        let entries = self.entries('}', depth)?;
        if entries.len() % 2 == 1 {
            return Err(ReadError::new(line, "a map has a key without a value; give it one"));
        }
        let (mut pairs, mut entries) = (Vec::with_capacity(entries.len() / 2), entries.into_iter());
        while let (Some(key), Some(value)) = (entries.next(), entries.next()) {
            pairs.push((key, value));
        }
        Ok(Datum::Map(pairs))
    }

    fn string(&mut self) -> Result<Datum, ReadError> {
        let opened = self.line;
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                Some('"') => return Ok(Datum::Text(text.into())),
                Some('\\') => text.push(self.escaped()?),
                Some(letter) => text.push(letter),
                None => {
                    return Err(ReadError::new(opened, "a string lacks its closing quotation mark; add it"));
                }
            }
        }
    }

    fn escaped(&mut self) -> Result<char, ReadError> {
        Ok(match self.next() {
            Some('t') => '\t',
            Some('r') => '\r',
            Some('n') => '\n',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some(letter @ ('\\' | '"')) => letter,
            Some('u') => {
                let digits = self.text.get(self.at..self.at + 4);
                let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
                let Some(letter) = code.and_then(char::from_u32) else {
                    return Err(
                        self.error("\\u is not followed by the four digits of a letter; write the letter")
                    );
                };
                self.at += 4;
                letter
            }
            _ => return Err(self.error("a string has an unknown escape; write \\\\ for a backslash")),
        })
    }

    /// What begins with `#`: a set, or a tag before a value.
    fn dispatch(&mut self, depth: usize) -> Result<Datum, ReadError> {
        let rest = &self.text[self.at + 1..];
        match rest.chars().next() {
            Some('{') => {
                self.next();
                self.entries('}', depth).map(Datum::List)
            }
            // ##NaN and ##Inf.
            Some('#') => self.word(),
            Some(letter) if letter.is_alphabetic() || letter == ':' => {
                self.word()?;
                self.value_at(depth + 1)
            }
            _ => Err(self.error("# is not followed by a tag, a set or _; remove it")),
        }
    }

    fn character(&mut self) -> Result<Datum, ReadError> {
        let start = self.at;
        self.next();
        if self.next().is_none() {
            return Err(self.error("the text ends where a letter should be; is it whole?"));
        }
        self.until_delimiter();
        Ok(Datum::Word(self.text[start..self.at].into()))
    }

    /// A number, a keyword or a symbol.
    fn word(&mut self) -> Result<Datum, ReadError> {
        let start = self.at;
        self.until_delimiter();
        let word = &self.text[start..self.at];
        if word.is_empty() {
            let letter = self.peek().unwrap_or_default();
            return Err(self.error(format!("{letter:?} begins no value; remove it")));
        }
        let number = word.strip_suffix('N').unwrap_or(word).parse();
        Ok(match (word, number) {
            ("nil", _) => Datum::Nil,
            (_, Ok(number)) => Datum::Number(number),
            _ => Datum::Word(word.into()),
        })
    }

    fn until_delimiter(&mut self) {
        let rest = &self.text[self.at..];
        let end = rest.find(|letter: char| letter.is_whitespace() || ",;\"()[]{}\\^`~@".contains(letter));
        self.at += end.unwrap_or(rest.len());
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += letter.len_utf8();
        self.line += usize::from(letter == '\n');
        Some(letter)
    }

    fn error(&self, what: impl Into<String>) -> ReadError {
        ReadError::new(self.line, what)
    }
}

#[cfg(test)]
mod tests {
    use super::Reader;

    fn shown(text: &str) -> String {
        match Reader::new(text).value() {
            Ok(datum) => datum.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn values_are_read_as_they_are_written() {
        for text in
            ["nil", "-3", ":a/b", "true", "0.5", "[1 [] {:a 2, :b nil}]", r#""a \"b\" \\""#, r"\a", "##NaN"]
        {
            assert_eq!(shown(text), text);
        }
        assert_eq!(shown("; a comment\n #_ [1 #_2] , (1,2 #{3}) rest"), "[1 2 [3]]");
        assert_eq!(
            shown(r##"#jepsen.history.Op{:index 0N, :at #inst "2026"}"##),
            r#"{:index 0, :at "2026"}"#
        );
        assert_eq!(shown(r#""\u00e9\n\t""#), r#""é\n\t""#);
        assert_eq!(shown("99999999999999999999"), "99999999999999999999");
    }

    #[test]
    fn errors_name_the_line() {
        let nested = "[".repeat(100_000);
        let cases = [
            ("", "line 1: the text ends where a value should be"),
            ("[1\n{:a\n", "line 3: what was opened in line 2 lacks its '}'"),
            ("\n]", "line 2: ']' closes nothing"),
            ("[1 }", "line 1: '}' closes nothing"),
            ("{:a}", "line 1: a map has a key without a value"),
            ("\"abc\n", "line 1: a string lacks its closing"),
            (r#""\q""#, "line 1: a string has an unknown escape"),
            (r#""\ud800""#, "line 1: \\u is not followed"),
            ("#", "line 1: # is not followed"),
            ("\\", "line 1: the text ends where a letter"),
            ("^{:a 1} []", "line 1: '^' begins no value"),
            (&nested, "line 1: values are nested deeper than 64 levels"),
        ];
        for (text, said) in cases {
            assert!(shown(text).starts_with(said), "{}", shown(text));
        }
        assert!(shown(&"#_".repeat(100_000)).starts_with("line 1: values are nested deeper"));
        assert!(shown(&"#a ".repeat(100_000)).starts_with("line 1: values are nested deeper"));
    }
}
