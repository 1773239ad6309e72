//! What a run shows on its way: bars on a terminal, lines elsewhere, and JSON for programs.

mod human;
mod shown;
#[cfg(test)]
mod tests;
mod words;

use std::io::Write as _;

use super::args::{MessageFormat, OutputOptions};
use super::screen::Screen;
use crate::observe::{Event, Observer};

use human::{Human, Texts};

/// The observer that these options ask for.
pub(crate) fn observer(options: &OutputOptions, screen: &Screen) -> Box<dyn Observer> {
    let human = |texts| Human::new(options.verbose, texts, screen.clone());
    match (options.message_format, options.is_quiet()) {
        (MessageFormat::Json, true) => Box::new(Json { screen: screen.clone(), human: None }),
        // As with cargo, people read the one stream and programs the other.
        (MessageFormat::Json, false) => {
            Box::new(Json { screen: screen.clone(), human: Some(human(Texts::StandardError)) })
        }
        (MessageFormat::Human, true) => Box::new(Quiet),
        (MessageFormat::Human, false) => Box::new(human(Texts::StandardOutput)),
    }
}

/// One JSON object a line on standard output.
struct Json {
    screen: Screen,
    /// What is said to people meanwhile.
    human: Option<Human>,
}

impl Observer for Json {
    fn event(&self, event: &Event<'_>) {
        if let Ok(line) = serde_json::to_string(event) {
            // A reader that went away ends nothing.
            self.screen.beside(|| writeln!(std::io::stdout(), "{line}").ok());
        }
        self.human.iter().for_each(|human| human.event(event));
    }

    fn text(&self, text: &str) {
        self.human.iter().for_each(|human| human.text(text));
    }
}

/// Nothing but texts that stand by themselves.
struct Quiet;

impl Observer for Quiet {
    fn event(&self, event: &Event<'_>) {
        if let Event::Warning { text } = event {
            anstream::eprintln!("warning: {text}");
        }
    }

    fn follows_cases(&self) -> bool {
        false
    }

    fn text(&self, text: &str) {
        // A reader that went away ends nothing.
        anstream::stdout().write_all(text.as_bytes()).ok();
    }
}
