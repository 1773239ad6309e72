//! The report of a failing case as one HTML file that needs nothing else.

use data_encoding::BASE64;
use handlebars::Handlebars;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::record::Record;

mod view;

use view::View;

const PAGE: &str = include_str!("page/page.hbs");
const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = concat!(
    include_str!("page/script/text.js"),
    include_str!("page/script/map.js"),
    include_str!("page/script/history.js"),
    include_str!("page/script/overview.js"),
    include_str!("page/script/stream.js"),
    include_str!("page/script/shrinking.js"),
    include_str!("page/script/main.js"),
);

/// Why no page was made of a record.
#[derive(Debug, thiserror::Error)]
#[error("no page could be made of the record: {0}: this is a defect of netprop")]
pub struct PageError(String);

/// What the template is given.
#[derive(Serialize)]
struct Page<'a> {
    view: View<'a>,
    style: &'a str,
    script: &'a str,
    /// What the browser may use: this style and this script, and nothing from anywhere.
    policy: String,
    /// The record as JSON that may stand in HTML.
    data: String,
}

/// The page of a record. All that a record says is shown as text, whatever it is; the page runs no
/// script but its own, and loads nothing.
///
/// # Errors
/// [`PageError`] for a defect of netprop.
pub fn html(record: &Record) -> Result<String, PageError> {
    let failed = |error: &dyn std::error::Error| PageError(error.to_string());
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    let data = serde_json::to_string(record).map_err(|error| failed(&error))?;
    let page = Page {
        view: View::of(record),
        style: STYLE,
        script: SCRIPT,
        policy,
        // No text can end the element that it stands in, nor begin a comment.
        data: data.replace('<', "\\u003c"),
    };
    Handlebars::new().render_template(PAGE, &page).map_err(|error| failed(&error))
}

/// A text as a policy names it.
fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64.encode(&Sha256::digest(text)))
}
