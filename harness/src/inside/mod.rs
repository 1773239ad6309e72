//! Inside a case: a system that stands in the middle of it, for a person who looks at it, goes on with it
//! command by command, and does to its machines what the case does not.
//!
//! - [`Inside`] is what a person is inside of: a case ([`Stepping`]), or machines alone ([`Machines`]);
//! - `line` is what can be typed, and [`Console`] does what it says;
//! - `hands` is what is done to machines by hand, beside any model.

use std::fmt::Write as _;

use crate::machines::LiveNetwork;
use crate::system::SystemError;

mod hands;
mod line;
mod stepping;

use line::{Line, Typed};
pub use stepping::Stepping;

/// What a person is inside of.
pub trait Inside<'lab> {
    /// Its machines, where it has real ones.
    fn live(&self) -> Option<&LiveNetwork<'lab>>;

    /// What the model knows of it by now, a line for each state that it may be in; nothing without a model.
    fn known(&self) -> Vec<String>;

    /// The commands that come next in the case.
    fn coming(&self) -> Vec<String>;

    /// Gives it the next command of the case, and says what came; nothing where all were given.
    ///
    /// # Errors
    /// [`SystemError`] where what failed is not the system.
    fn next(&mut self) -> Result<Option<String>, SystemError>;

    /// Gives it any command of its specification, in JSON as replay files have it, and says what came.
    ///
    /// # Errors
    /// [`SystemError::WrongUse`] where the text is no command, or makes no sense by now.
    fn give(&mut self, json: &str) -> Result<String, SystemError>;
}

/// The machines of a system that has real ones.
pub type Live<'lab, Sut> = fn(&Sut) -> Option<&LiveNetwork<'lab>>;

/// Machines to play with, without a case and without a model.
pub struct Machines<'a, 'lab>(pub &'a LiveNetwork<'lab>);

impl<'lab> Inside<'lab> for Machines<'_, 'lab> {
    fn live(&self) -> Option<&LiveNetwork<'lab>> {
        Some(self.0)
    }

    fn known(&self) -> Vec<String> {
        Vec::new()
    }

    fn coming(&self) -> Vec<String> {
        Vec::new()
    }

    fn next(&mut self) -> Result<Option<String>, SystemError> {
        Ok(None)
    }

    fn give(&mut self, _json: &str) -> Result<String, SystemError> {
        Err(wrong("there is no specification here: give machines commands by hand (help)"))
    }
}

impl std::fmt::Debug for Machines<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Machines").field(&self.0.network()).finish()
    }
}

/// What becomes of a line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Said {
    /// This is to be shown, and the next line can come.
    Text(String),
    /// The person goes.
    Leave,
}

/// Does what lines say to what a person is inside of.
pub struct Console<'a, 'lab> {
    inside: &'a mut dyn Inside<'lab>,
    client: Option<remote::Client>,
}

impl<'a, 'lab> Console<'a, 'lab> {
    /// Inside of this.
    pub fn new(inside: &'a mut dyn Inside<'lab>) -> Self {
        Self { inside, client: None }
    }

    /// What is shown at first: what can be done here, and how everything is.
    #[must_use]
    pub fn greeting(&mut self) -> String {
        let what = if self.inside.coming().is_empty() {
            "help says what can be done; leave ends it"
        } else {
            "Enter gives the next command; help says what else can be done; leave ends it"
        };
        format!("{}{what}\n", self.state().unwrap_or_else(|error| format!("error: {error}\n")))
    }

    /// Does what a line says. A shell that it asks for has the terminal until it ends.
    ///
    /// # Errors
    /// [`SystemError::Stopped`] alone: whatever else goes wrong is said, and the next line can come.
    pub fn line(&mut self, line: &str) -> Result<Said, SystemError> {
        match Typed::parse(line) {
            Ok(Typed { line: Line::Leave }) => Ok(Said::Leave),
            Ok(Typed { line }) => match self.act(line) {
                Ok(text) => Ok(Said::Text(text)),
                Err(SystemError::Stopped) => Err(SystemError::Stopped),
                Err(error) => Ok(Said::Text(format!("error: {error}\n"))),
            },
            Err(text) => Ok(Said::Text(text)),
        }
    }

    fn act(&mut self, line: Line) -> Result<String, SystemError> {
        match line {
            Line::Next { count } => self.go_on(count),
            Line::Case => Ok(self.case()),
            Line::State => self.state(),
            Line::Give { command } => self.inside.give(&command.join(" ")),
            Line::Ssh { machine, command } => {
                let live = live(&*self.inside)?;
                hands::ssh(live, &mut self.client, &machine, &command)
            }
            Line::Hands(hands) => {
                let text = hands::act(live(&*self.inside)?, &hands)?;
                let is_beside = hands.changes() && !self.inside.known().is_empty();
                Ok(if is_beside { text + "the model does not know of this\n" } else { text })
            }
            Line::Leave => Ok(String::new()),
        }
    }

    fn go_on(&mut self, count: usize) -> Result<String, SystemError> {
        let mut text = String::new();
        for _ in 0..count {
            match self.inside.next()? {
                Some(came) => text.push_str(&came),
                None => {
                    text.push_str("there is nothing more to give\n");
                    break;
                }
            }
        }
        Ok(text)
    }

    fn case(&self) -> String {
        let coming = self.inside.coming();
        if coming.is_empty() { "nothing comes next\n".to_owned() } else { coming.join("\n") + "\n" }
    }

    /// What the model knows, beside what the machines are.
    fn state(&mut self) -> Result<String, SystemError> {
        let mut text = String::new();
        let known = self.inside.known();
        for (index, state) in known.iter().enumerate() {
            writeln!(text, "{}{state}", if index == 0 { "the model: " } else { "       or: " }).ok();
        }
        if let Some(live) = self.inside.live() {
            text.push_str(&hands::machines(live, &mut self.client)?);
        }
        if let Some(next) = self.inside.coming().first() {
            writeln!(text, "next: {next}").ok();
        }
        Ok(text)
    }
}

impl std::fmt::Debug for Console<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console").field("client", &self.client).finish_non_exhaustive()
    }
}

fn live<'i, 'lab>(inside: &'i dyn Inside<'lab>) -> Result<&'i LiveNetwork<'lab>, SystemError> {
    inside.live().ok_or_else(|| wrong("there are no machines here, since the system is simulated"))
}

fn wrong(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> SystemError {
    SystemError::WrongUse(why.into())
}
