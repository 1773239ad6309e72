//! What to run, what to feed it, and the bounds on it.

use std::time::Duration;

/// A command line for the machine's shell, with its input and bounds.
///
/// ```
/// use std::time::Duration;
/// let ping = remote::Command::new("fping -c1 172.16.2.3").limit(Duration::from_secs(5));
/// let write = remote::Command::from_words(["tee", "/tmp/it's here"]).stdin("value\n");
/// assert_eq!(write.line(), r#"tee "/tmp/it's here""#);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Command {
    line: String,
    stdin: Vec<u8>,
    limit: Duration,
    output_limit: usize,
}

impl Command {
    /// How long a command may take unless [`Command::limit`] says otherwise.
    pub const DEFAULT_LIMIT: Duration = Duration::from_secs(60);
    /// How many bytes of each output stream are kept unless [`Command::output_limit`] says otherwise.
    pub const DEFAULT_OUTPUT_LIMIT: usize = 16 << 20;

    /// A command line for the machine's `sh`, taken as it is; see [`quote`] for its arguments.
    #[must_use]
    pub fn new(line: impl Into<String>) -> Self {
        Self {
            line: line.into(),
            stdin: Vec::new(),
            limit: Self::DEFAULT_LIMIT,
            output_limit: Self::DEFAULT_OUTPUT_LIMIT,
        }
    }

    /// A program and its arguments, each of which arrives as it is, whatever characters it holds.
    #[must_use]
    pub fn from_words<W: AsRef<str>>(words: impl IntoIterator<Item = W>) -> Self {
        let words: Vec<_> = words.into_iter().map(|word| quote(word.as_ref())).collect();
        Self::new(words.join(" "))
    }

    /// What the command reads on its standard input, which then ends; nothing by default.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// How long the command may take in all, from the call to its answer.
    ///
    /// A limit of more than a year counts as endless on the machine's side.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// How many bytes of standard output, and how many of standard error, are kept.
    ///
    /// What goes beyond is read, counted and dropped, so the command runs on to its own end.
    #[must_use]
    pub fn output_limit(mut self, bytes: usize) -> Self {
        self.output_limit = bytes;
        self
    }

    /// The command line.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }

    pub(crate) fn input(&self) -> &[u8] {
        &self.stdin
    }

    pub(crate) fn time_limit(&self) -> Duration {
        self.limit
    }

    pub(crate) fn kept_bytes(&self) -> usize {
        self.output_limit
    }
}

/// Writes a text so that a POSIX shell takes it for one word with exactly these characters.
///
/// A NUL, which no argument of a program can hold, stays in, and [`Session::run`](crate::Session::run) refuses it.
#[must_use]
pub fn quote(word: &str) -> String {
    // `allow_nul` only says who reports the NUL: here it is `run`, which knows the whole line.
    shlex::Quoter::new()
        .allow_nul(true)
        .quote(word)
        .map_or_else(|_| word.to_owned(), |quoted| quoted.into_owned())
}
