//! The templates and the escaping that belongs to each.
//!
//! A template's plain `{{value}}` is escaped by the registry that it lives in, so that no place in
//! it can forget to: in the expression it becomes a whole string literal of Nix, in the XML it
//! becomes text. All registries are strict: a name without a value is an error.

use handlebars::Handlebars;
use serde::Serialize;

use crate::error::Error;

/// Renders the expression for a network's images.
pub(crate) fn expression(data: &impl Serialize) -> Result<String, Error> {
    render("network.nix", include_str!("../templates/network.nix.hbs"), nix_string, data)
}

/// Renders the expression for images of NixOS, or for what it offers.
pub(crate) fn nixos(data: &impl Serialize) -> Result<String, Error> {
    render("nixos.nix", include_str!("../templates/nixos.nix.hbs"), nix_string, data)
}

/// Renders the XML of a machine.
pub(crate) fn domain(data: &impl Serialize) -> Result<String, Error> {
    render("domain.xml", include_str!("../templates/domain.xml.hbs"), xml_text, data)
}

fn render(
    name: &'static str,
    template: &str,
    escape: fn(&str) -> String,
    data: &impl Serialize,
) -> Result<String, Error> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(escape);
    let rendered = registry.render_template(template, data);
    rendered.map_err(|error| Error::Template { name, reason: error.to_string() })
}

/// A text as a string literal of Nix, whatever it holds but NUL, which Nix strings cannot.
///
/// Every dollar sign is escaped, not only those before a brace: then no neighbour matters. A
/// carriage return has to be, since Nix reads a bare one as a line feed.
#[must_use]
pub fn nix_string(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' | '$' => literal.extend(['\\', letter]),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            other => literal.push(other),
        }
    }
    literal.push('"');
    literal
}

/// A text as character data or attribute value of XML, between single or double quotes.
///
/// White space other than the blank is written by number, as attributes would lose it.
pub(crate) fn xml_text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\n' | '\r' | '\t' => escaped.push_str(&format!("&#{};", u32::from(letter))),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Whether XML 1.0 has a way to write the text at all.
pub(crate) fn is_xml_text(text: &str) -> bool {
    text.chars().all(|letter| match letter {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        other => other >= ' ',
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_nix_leave_nothing_to_interpolate() {
        assert_eq!(nix_string("a\"b\\c${d}\n''"), r#""a\"b\\c\${d}\n''""#);
        assert_eq!(nix_string("$${x}"), r#""\$\${x}""#);
    }

    #[test]
    fn xml_loses_nothing() {
        assert_eq!(xml_text("<a b='\"&\n'>"), "&lt;a b=&apos;&quot;&amp;&#10;&apos;&gt;");
        assert!(is_xml_text("ä\t") && !is_xml_text("\u{1}") && !is_xml_text("\0"));
    }

    #[test]
    fn a_name_without_a_value_is_an_error() {
        let error = expression(&serde_json::json!({"source": "x"})).unwrap_err();
        assert!(error.to_string().contains("network.nix"), "{error}");
    }
}
