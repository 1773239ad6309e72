//! A person at a terminal, or lines from a file, inside a case.

use std::io::{self, BufRead as _, IsTerminal as _};

use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use super::run::Session;
use super::{Fatal, wrong};
use crate::exit::Exit;
use crate::inside::{Console, Inside, Said};

/// Takes lines until the person leaves, there are no more, or the run is to stop.
pub(crate) fn converse<'lab>(inside: &mut dyn Inside<'lab>, session: &Session) -> Result<Exit, Fatal> {
    session.screen.finish();
    let stop = &session.stop;
    let mut console = Console::new(inside);
    super::print(&console.greeting());
    let mut lines = Lines::open()?;
    while let Some(line) = lines.next()? {
        if stop.requested() {
            return Ok(Exit::Stopped);
        }
        match console.line(&line)? {
            Said::Text(text) => super::print(&text),
            Said::Leave => break,
        }
    }
    Ok(if stop.requested() { Exit::Stopped } else { Exit::Holds })
}

/// Where lines come from.
enum Lines {
    /// A terminal, with a history and what else one edits lines with.
    Terminal(Box<DefaultEditor>),
    /// Anything else.
    Stream,
}

impl Lines {
    fn open() -> Result<Self, Fatal> {
        if !io::stdin().is_terminal() {
            return Ok(Self::Stream);
        }
        let editor = DefaultEditor::new().map_err(|error| {
            wrong(format!("could not read from the terminal: {error}: give lines by a pipe"))
        })?;
        Ok(Self::Terminal(Box::new(editor)))
    }

    /// The next line; none at the end, or where the person is done with it.
    fn next(&mut self) -> Result<Option<String>, Fatal> {
        let read = match self {
            Self::Terminal(editor) => match editor.readline("netprop> ") {
                Ok(line) => {
                    // What cannot be remembered was typed all the same.
                    editor.add_history_entry(&line).ok();
                    Ok(Some(line))
                }
                Err(ReadlineError::Eof | ReadlineError::Interrupted) => Ok(None),
                Err(error) => Err(error.to_string()),
            },
            Self::Stream => {
                let mut line = String::new();
                match io::stdin().lock().read_line(&mut line) {
                    Ok(0) => Ok(None),
                    Ok(_) => Ok(Some(line)),
                    Err(error) => Err(error.to_string()),
                }
            }
        };
        read.map_err(|error| wrong(format!("could not read a line from standard input: {error}")))
    }
}
