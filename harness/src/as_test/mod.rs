//! A failing case as a `#[test]` that stands alone, to be kept where the other tests are: it has
//! the state to begin in, the commands and the lanes in it, and needs no file, no seed and no
//! strategy.

use std::fmt::{Debug, Write as _};

use model::{Case, Model};
use serde::Serialize;
use serde::de::DeserializeOwned;

mod rust;

/// What the text of a test has beside the case.
#[derive(Clone, Debug, Default)]
pub struct TestText {
    /// The name of the function; [`TestText::name_of`] makes one.
    pub name: String,
    /// What its documentation says, such as what was expected and what came; may have lines.
    pub about: String,
    /// Statements before the case, each a line; with any of them the test gives a `Result`.
    pub before: Vec<String>,
    /// An expression for a reference to the model, such as `&Ring`.
    pub model: String,
    /// An expression for a reference to the system.
    pub system: String,
}

impl TestText {
    /// A name for the test of a specification's case that came from a seed.
    #[must_use]
    pub fn name_of(specification: &str, seed: &str) -> String {
        format!("{}_{}", specification.replace('-', "_"), seed.get(..12).unwrap_or(seed))
    }

    /// A test that names the model and the system by their types, as far as these say enough:
    /// types without fields do.
    #[must_use]
    pub fn by_types<M: Model, S>(specification: &str, seed: &str, about: String) -> Self {
        let short = |path: &str| {
            let path = path.split('<').next().unwrap_or(path);
            format!("&{}", path.rsplit("::").next().unwrap_or(path))
        };
        Self {
            name: Self::name_of(specification, seed),
            about,
            before: Vec::new(),
            model: short(std::any::type_name::<M>()),
            system: short(std::any::type_name::<S>()),
        }
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
        let fallible = !self.before.is_empty();
        let result = if fallible { " -> Result<(), Box<dyn std::error::Error>>" } else { "" };
        writeln!(text, "#[test]\nfn {}(){result} {{", self.name).ok();
        self.before.iter().for_each(|line| {
            writeln!(text, "    {line}").ok();
        });
        writeln!(text, "    harness::check_case(\n        {},\n        {},", self.model, self.system).ok();
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
        writeln!(text, "            finally: {},\n        }},\n    );", list(model, &case.finally, 12)).ok();
        writeln!(text, "{}}}", if fallible { "    Ok(())\n" } else { "" }).ok();
        text
    }
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
/// comment that shows it.
fn value<T: Serialize + Debug>(
    field: &str,
    value: &T,
    shown: impl FnOnce() -> String,
    indent: usize,
) -> String {
    rust::expression(value).map(|value| format!("{field}{value}")).unwrap_or_else(|| {
        let json = serde_json::to_string(value).unwrap_or_default();
        let mut hashes = "#".to_owned();
        while json.contains(&format!("\"{hashes}")) {
            hashes.push('#');
        }
        let indent = " ".repeat(indent);
        let shown: String = shown().lines().map(|line| format!("// {line}\n{indent}")).collect();
        format!("{shown}{field}harness::from_json(r{hashes}\"{json}\"{hashes})")
    })
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
