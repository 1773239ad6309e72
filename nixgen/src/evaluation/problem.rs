//! The messages of Nix and of nixpkgs's module system, and what to do about each.

use std::path::PathBuf;

use model::MachineId;

use super::imports::Files;
use super::trace::Report;

/// What is wrong with an evaluation.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A module sets an option that nixpkgs does not have.
    #[error("the option {option} does not exist; {}", hint(.meant, "correct its name, or take a release of nixpkgs that has it"))]
    NoSuchOption {
        /// The option.
        option: String,
        /// What Nix thinks was meant.
        meant: Option<String>,
    },
    /// A module gives an option a value of another type than it has.
    #[error("the option {option} is no {expected}; give it a value of that type")]
    WrongType {
        /// The option.
        option: String,
        /// The type that it has, in nixpkgs's words.
        expected: String,
    },
    /// Two modules give an option different values.
    #[error(
        "the option {option} is given different values by modules; leave it out of one, or use lib.mkForce"
    )]
    Conflict {
        /// The option.
        option: String,
    },
    /// A name that nothing defines.
    #[error("the variable {name} is not defined; {}", hint(.meant, "correct its name, or add it to the arguments of the module"))]
    UndefinedVariable {
        /// The name.
        name: String,
        /// What Nix thinks was meant.
        meant: Option<String>,
    },
    /// An attribute that its set does not have, such as an unknown package.
    #[error("the attribute {name} does not exist; {}", hint(.meant, "correct its name, or take a release of nixpkgs that has it"))]
    NoSuchAttribute {
        /// The attribute.
        name: String,
        /// What Nix thinks was meant.
        meant: Option<String>,
    },
    /// A file is not written in Nix's language.
    #[error("{0}; correct the file")]
    Syntax(String),
    /// A file that is imported is not there.
    #[error("the file {} cannot be read; correct the path that is imported, or make the file", .0.display())]
    MissingFile(PathBuf),
    /// Files import one another in a circle.
    #[error("{}; leave out one of these imports", cycle(.0))]
    CyclicImport(Vec<PathBuf>),
    /// A value is defined by itself.
    #[error(
        "infinite recursion: a value is defined by itself; break the circle (imports cannot depend on config)"
    )]
    InfiniteRecursion,
    /// The evaluation went deeper than the stack.
    #[error("the evaluation does not come to an end; look for a function or file that leads back to itself")]
    TooDeep,
    /// An assertion of NixOS, or of a module, does not hold.
    #[error("an assertion failed: {0}; change the options that it names")]
    Assertion(String),
    /// The base has no such kernel, package or version; the text says what there is.
    #[error("{0}")]
    Refused(String),
    /// Anything else, in Nix's words.
    #[error("{0}; correct what Nix names")]
    Other(String),
}

impl Problem {
    /// Recognizes the problem of a report, and its machines where Nix tells them in another way
    /// than `machines`, those of the trace.
    pub(super) fn of(
        report: &Report,
        files: &Files,
        machines: Vec<MachineId>,
    ) -> Option<(Self, Vec<MachineId>)> {
        let message = report.message.as_str();
        if message.is_empty() {
            return None;
        }
        if let Some(rest) = message.strip_prefix("netprop: ") {
            let told = rest.strip_prefix("machine(s) ").and_then(|rest| rest.split_once(": "));
            return Some(match told {
                Some((names, text)) => (Self::Refused(text.to_owned()), super::machines(names)),
                None => (Self::Refused(rest.to_owned()), machines),
            });
        }
        if message.starts_with("stack overflow") || message.starts_with("maximum call depth exceeded") {
            return Some((files.cycle().map_or(Self::TooDeep, Self::CyclicImport), machines));
        }
        let problem = of_modules(message).or_else(|| of_nix(message));
        // A build that fails, or a daemon that is not there, leaves no trace of an evaluation.
        let evaluates = report.position.is_some() || !report.frames.is_empty();
        let other = || evaluates.then(|| Self::Other(one_line(message)));
        Some((problem.or_else(other)?, machines))
    }

    /// The option that it names.
    pub(super) fn option(&self) -> Option<String> {
        match self {
            Self::NoSuchOption { option, .. }
            | Self::WrongType { option, .. }
            | Self::Conflict { option } => Some(option.clone()),
            _ => None,
        }
    }

    /// Whether it is one of the whole system rather than of the option that was being evaluated.
    pub(super) fn is_general(&self) -> bool {
        matches!(self, Self::Assertion(_) | Self::Refused(_) | Self::TooDeep | Self::CyclicImport(_))
    }

    /// A text that stands in the user's file where the problem is.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::MissingFile(path) => path.file_name()?.to_str(),
            Self::Assertion(text) => Some(text),
            Self::CyclicImport(files) => files.get(1)?.file_name()?.to_str(),
            _ => None,
        }
    }
}

/// The messages of nixpkgs's module system, over the releases.
fn of_modules(message: &str) -> Option<Problem> {
    let meant = || between(message, "Did you mean `", "'").map(str::to_owned);
    if let Some(rest) = message.strip_prefix("The option value `") {
        // 18.03 to 20.09.
        let (option, rest) = rest.split_once('\'')?;
        let expected = between(rest, "is not of type `", "'").or_else(|| between(rest, "is not a ", "."))?;
        return Some(Problem::WrongType { option: option.to_owned(), expected: expected.to_owned() });
    }
    if let Some(rest) = message.strip_prefix("A definition for option `") {
        let (option, rest) = rest.split_once('\'')?;
        // A type may have quotation marks of its own.
        let expected = rest.split_once("is not of type `")?.1;
        let expected = expected.split_once("'.").map_or(expected, |(expected, _)| expected);
        return Some(Problem::WrongType { option: option.to_owned(), expected: expected.to_owned() });
    }
    if let Some(rest) = message.strip_prefix("The option `") {
        let (option, rest) = rest.split_once('\'')?;
        let option = option.to_owned();
        return if rest.contains("does not exist") {
            Some(Problem::NoSuchOption { option, meant: meant() })
        } else if rest.contains("conflicting definition") {
            Some(Problem::Conflict { option })
        } else {
            None
        };
    }
    let failed = message.strip_prefix("Failed assertions:")?;
    Some(Problem::Assertion(one_line(failed.trim().trim_start_matches("- "))))
}

/// The messages of Nix itself.
fn of_nix(message: &str) -> Option<Problem> {
    let meant = || {
        let (_, meant) = message.split_once("Did you mean ")?;
        Some(one_line(meant.trim_end_matches('?')).replace('\'', ""))
    };
    let quoted = || message.split('\'').nth(1).map(str::to_owned);
    if message.starts_with("syntax error") {
        return Some(Problem::Syntax(one_line(message)));
    }
    if message.starts_with("undefined variable") {
        return Some(Problem::UndefinedVariable { name: quoted()?, meant: meant() });
    }
    if message.starts_with("attribute '") && message.contains("' missing") {
        return Some(Problem::NoSuchAttribute { name: quoted()?, meant: meant() });
    }
    if message.starts_with("infinite recursion") {
        return Some(Problem::InfiniteRecursion);
    }
    // Nix 2.8, then younger ones.
    let missing = ["getting status of '", "opening file '", "path '"];
    if missing.iter().any(|start| message.starts_with(start))
        && (message.contains("No such file") || message.contains("does not exist"))
    {
        return Some(Problem::MissingFile(PathBuf::from(quoted()?)));
    }
    None
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(inside, _)| inside)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn hint(meant: &Option<String>, otherwise: &str) -> String {
    meant.as_ref().map_or_else(|| otherwise.to_owned(), |meant| format!("did you mean {meant}?"))
}

fn cycle(files: &[PathBuf]) -> String {
    let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    format!("files import one another in a circle: {}", names.join(", which imports "))
}
