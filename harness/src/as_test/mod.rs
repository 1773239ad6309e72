//! A failing case as a `#[test]` that stands alone, to be kept where the other tests are: it has
//! the state to begin in, the commands and the lanes in it, and needs no file, no seed and no
//! strategy.

use std::fmt::{Debug, Write as _};

use model::{Case, Model};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{regressions, replay};

pub mod nixos;
mod rust;

/// How a printed test makes the model and the system, where their types do not say it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Expressions {
    /// Statements before the case, each a line; where one has a `?`, the test gives a `Result`.
    pub before: Vec<String>,
    /// An expression for a reference to the model, such as `&Ring`; of a [`Reference`] one for
    /// itself, such as `queue()`.
    ///
    /// [`Reference`]: crate::Reference
    pub model: String,
    /// An expression for a reference to the system; of a [`Reference`] its two functions, such as
    /// `mpsc::channel, give`.
    ///
    /// [`Reference`]: crate::Reference
    pub system: String,
}

/// How a printed test runs its case.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Call {
    /// By [`check_case`](crate::check::check_case()).
    #[default]
    Function,
    /// By [`Reference::check_case`](crate::Reference::check_case).
    Reference,
    /// By [`Reference::check_case_shared`](crate::Reference::check_case_shared).
    SharedReference,
}

/// What the text of a test has beside the case.
#[derive(Clone, Debug, Default)]
pub struct TestText {
    /// The name of the function; [`TestText::name_of`] makes one.
    pub name: String,
    /// What its documentation says, such as what was expected and what came; may have lines.
    pub about: String,
    /// How it makes the model and the system.
    pub expressions: Expressions,
    /// What it calls with them.
    pub call: Call,
}

/// What is to be done where nothing says how something is made.
const FILL_IN: &str = "// as in the test that failed, or say in Config::expressions how it is done.";

impl TestText {
    /// A name for the test of a specification's case that came from a seed.
    #[must_use]
    pub fn name_of(specification: &str, seed: &str) -> String {
        format!("{}_{}", specification.replace('-', "_"), regressions::short(seed))
    }

    /// A test that names the model and the system by their types, as far as these say enough: types
    /// without fields do. For any other there is a comment in the place of an expression, which
    /// does not compile before somebody fills it in.
    #[must_use]
    pub fn by_types<M: Model, S>(specification: &str, seed: &str, about: String) -> Self {
        let mut before = Vec::new();
        let mut made = |variable: &str, nameable: bool, path: &str| {
            let path = path.split('<').next().unwrap_or(path).trim_start_matches('&');
            let name = path.rsplit("::").next().unwrap_or(path);
            if nameable {
                return format!("&{name}");
            }
            before.push(format!("// {name} has more to it than a name. Make one here,"));
            before.push(FILL_IN.to_owned());
            before.push(format!("let {variable} = /* {name} */;"));
            format!("&{variable}")
        };
        let model = made("model", is_nameable::<M>(), std::any::type_name::<M>());
        let system = made("system", is_nameable::<S>(), std::any::type_name::<S>());
        let name = Self::name_of(specification, seed);
        Self { name, about, expressions: Expressions { before, model, system }, call: Call::Function }
    }

    /// A test of a [`Reference`](crate::Reference), which is made of what has no name.
    #[must_use]
    pub fn by_reference(specification: &str, seed: &str, about: String, call: Call) -> Self {
        let expressions = Expressions {
            before: vec![
                "// A reference and its system are made of functions. Write them here,".to_owned(),
                FILL_IN.to_owned(),
            ],
            model: "/* reference(…) */".to_owned(),
            system: "/* new */, /* run */".to_owned(),
        };
        Self { name: Self::name_of(specification, seed), about, expressions, call }
    }

    /// The test for a case.
    ///
    /// A value whose type is plain in serde's and in `Debug`'s eyes is a Rust expression; its
    /// types have to be in scope. Any other is JSON, which the test reads by [`from_json`], with
    /// what [`Model`] shows of it as a comment.
    #[must_use]
    pub fn of<M: Model>(&self, model: &M, case: &Case<M>) -> String {
        let mut text = String::new();
        for line in self.about.lines() {
            writeln!(text, "/// {line}").ok();
        }
        let Expressions { before, model: model_text, system } = &self.expressions;
        let fallible = before.iter().any(|line| !line.starts_with("//") && line.contains('?'));
        let result = if fallible { " -> Result<(), Box<dyn std::error::Error>>" } else { "" };
        writeln!(text, "#[test]\nfn {}(){result} {{", self.name).ok();
        before.iter().for_each(|line| {
            writeln!(text, "    {line}").ok();
        });
        // A reference takes the case first, since a closure after it is easier to read.
        let (begin, end) = match self.call {
            Call::Function => {
                (format!("harness::check_case(\n        {model_text},\n        {system},"), String::new())
            }
            Call::Reference => (format!("{model_text}.check_case("), format!("        {system},\n")),
            Call::SharedReference => {
                (format!("{model_text}.check_case_shared("), format!("        {system},\n"))
            }
        };
        writeln!(text, "    {begin}").ok();
        writeln!(text, "        &harness::Case {{").ok();
        let initial = value("initial: ", &case.initial, || model.show_state(&case.initial), 12);
        writeln!(text, "            {initial},").ok();
        writeln!(text, "            commands: {},", list(model, &case.commands, 12)).ok();
        if case.lanes.is_empty() {
            writeln!(text, "            lanes: vec![],").ok();
        } else {
            writeln!(text, "            lanes: vec![").ok();
            for lane in &case.lanes {
                writeln!(text, "                {},", list(model, lane, 16)).ok();
            }
            writeln!(text, "            ],").ok();
        }
        let finally = list(model, &case.finally, 12);
        writeln!(text, "            finally: {finally},\n        }},\n{end}    );").ok();
        writeln!(text, "{}}}", if fallible { "    Ok(())\n" } else { "" }).ok();
        text
    }
}

/// Whether the name of a type is an expression for its one value, as far as that can be seen.
fn is_nameable<T>() -> bool {
    let name = std::any::type_name::<T>();
    let plain = |letter: char| letter.is_alphanumeric() || "_:".contains(letter);
    size_of::<T>() == 0 && name.chars().all(plain)
}

fn list<M: Model>(model: &M, commands: &[M::Command], indent: usize) -> String {
    if commands.is_empty() {
        return "vec![]".to_owned();
    }
    let (inner, outer) = (" ".repeat(indent + 4), " ".repeat(indent));
    let mut text = "vec![\n".to_owned();
    for command in commands {
        let value = value("", command, || model.show_command(command), indent + 4);
        writeln!(text, "{inner}{value},").ok();
    }
    text.push_str(&outer);
    text.push(']');
    text
}

/// An expression for a value, after the field that it belongs to; where it is JSON, all after a
/// comment that shows it; where JSON does not give it back, a comment to be filled in.
fn value<T>(field: &str, value: &T, shown: impl FnOnce() -> String, indent: usize) -> String
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    if let Some(value) = rust::expression(value) {
        return format!("{field}{value}");
    }
    let indent = " ".repeat(indent);
    let comment = |text: String| text.lines().map(|line| format!("// {line}\n{indent}")).collect::<String>();
    let Some(json) = replay::json(value) else {
        let why = "Nothing that is written down gives this back. Make it here.";
        return format!("{}// {why}\n{indent}{field}/* {value:?} */", comment(shown()));
    };
    let mut hashes = "#".to_owned();
    while json.contains(&format!("\"{hashes}")) {
        hashes.push('#');
    }
    format!("{}{field}harness::from_json(r{hashes}\"{json}\"{hashes})", comment(shown()))
}

/// A value that a generated test has as JSON.
///
/// # Panics
/// Where the text is none of this type: the type has changed since the test was written.
#[must_use]
pub fn from_json<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text)
        .unwrap_or_else(|why| panic!("{text} is no longer a value of this type ({why}): write it anew"))
}
