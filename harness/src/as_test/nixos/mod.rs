//! A failing case as a test of NixOS: one Nix file that stands alone, with a node for each machine and a
//! script that gives each command and asserts what the model expects of it.
//!
//! What NixOS's driver has no counterpart of is a comment in the script, and counted. Nothing of a case is
//! trusted: each text is a literal, or a comment of one line.

use handlebars::Handlebars;
use model::{Case, Model};
use serde::Serialize;

use crate::execute::Evidence;
use crate::plain::in_one_line;

pub mod faults;
mod guests;
mod links;
mod literal;
pub mod machines;
mod nodes;
mod script;

pub use guests::{Guest, Guests};
pub use script::Step;

use nodes::Node;
use script::Script;

const TEMPLATE: &str = include_str!("test.nix.hbs");

/// What the commands of a model are in a script: asked for each command in the order in which they are
/// given, with the state that the model predicts before it.
pub type Steps<'a, M> = dyn FnMut(&<M as Model>::State, &<M as Model>::Command) -> Step + 'a;

/// What a test is called, and what it says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct About {
    /// The name of its derivation; what no store takes becomes a hyphen, and 50 letters are kept.
    pub name: String,
    /// Where it comes from, in lines for people.
    pub remarks: String,
}

/// A case as a test of NixOS.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NixosTest {
    /// The Nix file.
    pub text: String,
    /// How many commands are only comments in it, since the driver has no counterpart of them.
    pub left_out: usize,
    /// How many are only comments since they make no sense in the one order that the script has.
    pub senseless: usize,
}

/// Why a case is no test of NixOS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NixosTestError {
    /// Its model has no machines.
    #[error(
        "the case has no machines that a test of NixOS could boot: have the model show them by Model::scene, or print it with --as rust"
    )]
    NoMachines,
    /// The template does not do.
    #[error("no test of NixOS could be made ({0}): this is a defect of netprop")]
    Template(String),
}

/// The longest name of a test that releases before 21.05 take.
const MOST_OF_NAME: usize = 50;

/// What the template is given.
#[derive(Serialize)]
struct Data {
    remarks: Vec<String>,
    name: String,
    nodes: Vec<Node>,
    script: String,
}

/// What every test says at its beginning.
const REMARKS: &str =
    "It evaluates with nixpkgs from 20.03 on (18.03's driver knows no Python): nix-build FILE
Machines are NixOS's own in the place of the case's images. Commands come one after another; what the
driver has no counterpart of is a comment. A machine's root outlives a power cut, as /scratch does; in the
case it was in memory, and each boot began with it anew.";

/// A case as a test of NixOS.
///
/// Commands of lanes come one after another, in the order in which they were given when the case failed:
/// the driver has one shell for each machine, and a model says of lanes what all answers together may be,
/// and of none of them what it has to be.
///
/// # Errors
/// [`NixosTestError::NoMachines`] where there are no guests.
pub fn nixos_test<M: Model>(
    about: &About,
    model: &M,
    case: &Case<M>,
    evidence: Option<&Evidence>,
    guests: &Guests,
    steps: &mut Steps<'_, M>,
) -> Result<NixosTest, NixosTestError> {
    if guests.iter().next().is_none() {
        return Err(NixosTestError::NoMachines);
    }
    let script = script::of(model, case, evidence, guests, steps);
    let data = Data {
        remarks: about.remarks.lines().chain(REMARKS.lines()).map(in_one_line).collect(),
        name: storable(&about.name),
        nodes: guests.iter().map(|guest| Node::of(guest, guests)).collect(),
        script: indented(&literal::nix_lines(script.text.trim_end())),
    };
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(nixgen::nix_string);
    let text = registry
        .render_template(TEMPLATE, &data)
        .map_err(|error| NixosTestError::Template(error.to_string()))?;
    let Script { left_out, senseless, .. } = script;
    Ok(NixosTest { text: text.trim_end().to_owned() + "\n", left_out, senseless })
}

/// The steps of a specification of one's own: each command is a comment to be filled in.
pub fn to_be_filled_in<M: Model>(_: &M::State, _: &M::Command) -> Step {
    Step::left_out("fill in what it is on these machines")
}

/// A name that a store and sockets beside it have room for.
fn storable(name: &str) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    name.chars().take(MOST_OF_NAME).map(letter).collect()
}

/// As deep as a string of Nix in the file, which takes it off again.
fn indented(text: &str) -> String {
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") };
    text.lines().map(line).collect()
}
