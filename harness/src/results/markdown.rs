//! A result as Markdown, for a comment on a pull request.

use std::fmt::Write as _;

use super::{CaseVerdict, FailureResult, RunResult};

/// So many cases that do not hold have a row.
const MOST_ROWS: usize = 20;
/// So many failures are told.
const MOST_FAILURES: usize = 3;
/// So many characters of a report are shown: a comment on GitHub has 65,536.
const MOST_OF_REPORT: usize = 12_000;

/// A result as Markdown: the verdict, a table, and the report of each failure folded. Whatever a guest may
/// have said is escaped, so that it is shown as it is and makes no link, picture or mention.
#[must_use]
pub fn markdown(result: &RunResult) -> String {
    let held = result.count(CaseVerdict::Holds);
    let (verdict, name) = (result.verdict.as_str(), code(&result.specification));
    let mut text = format!("### netprop: {verdict}\n\n");
    match &result.error {
        Some(error) => writeln!(text, "{}\n", code(error)),
        None => writeln!(
            text,
            "{held} of {} cases of {name} held in {:.1} s.\n",
            result.cases.len(),
            result.seconds
        ),
    }
    .ok();
    table(&mut text, result);
    result.failures.iter().take(MOST_FAILURES).for_each(|failure| folded(&mut text, failure));
    if result.failures.len() > MOST_FAILURES {
        writeln!(text, "\n{} more failures are not shown.", result.failures.len() - MOST_FAILURES).ok();
    }
    for warning in result.warnings.iter().take(MOST_ROWS) {
        writeln!(text, "\nwarning: {}", code(warning)).ok();
    }
    if !result.seed.is_empty() {
        writeln!(text, "\nseed `{}`", result.seed).ok();
    }
    text
}

/// How many cases came to what, then each that does not hold.
fn table(text: &mut String, result: &RunResult) {
    let all = [
        CaseVerdict::Holds,
        CaseVerdict::Falsified,
        CaseVerdict::Inconclusive,
        CaseVerdict::Excluded,
        CaseVerdict::Stopped,
    ];
    let cells = |cell: &dyn Fn(CaseVerdict) -> String| all.map(cell).join(" | ");
    writeln!(text, "| {} |", cells(&|verdict| verdict.as_str().to_owned())).ok();
    writeln!(text, "| {} |", cells(&|_| "---:".to_owned())).ok();
    writeln!(text, "| {} |", cells(&|verdict| result.count(verdict).to_string())).ok();
    let others: Vec<_> = result.cases.iter().filter(|case| case.verdict != CaseVerdict::Holds).collect();
    if others.is_empty() {
        return;
    }
    text.push_str("\n| case | verdict | commands | seconds | why |\n| ---: | --- | ---: | ---: | --- |\n");
    for case in others.iter().take(MOST_ROWS) {
        let why = case.reason.as_deref().map(code).unwrap_or_default();
        let (verdict, commands, seconds) = (case.verdict.as_str(), case.commands, case.seconds);
        writeln!(text, "| {} | {verdict} | {commands} | {seconds:.1} | {why} |", case.number).ok();
    }
    if others.len() > MOST_ROWS {
        writeln!(text, "\n{} more are not shown.", others.len() - MOST_ROWS).ok();
    }
}

fn folded(text: &mut String, failure: &FailureResult) {
    let size = if failure.smallest { "smallest case" } else { "smallest case so far" };
    let (expected, came) = (code(&failure.expected), code(&failure.came));
    let commands = failure.commands;
    write!(
        text,
        "\n<details><summary>{size}: {commands} of {} commands; expected {expected}, came {came}</summary>\n\n",
        failure.commands_at_first
    )
    .ok();
    writeln!(text, "<pre><code>{}</code></pre>\n\n</details>", block(&failure.report)).ok();
    if let Some(file) = &failure.file {
        writeln!(text, "\nrun it again: {}", code(&format!("netprop replay {file}"))).ok();
    }
}

/// A text within a line, as code: each sign that could mean something is written as its number.
fn code(text: &str) -> String {
    let mut escaped = String::from("<code>");
    for letter in text.chars() {
        match letter {
            _ if letter.is_control() => escaped.push(' '),
            _ if letter.is_ascii_punctuation() => {
                write!(escaped, "&#{};", u32::from(letter)).ok();
            }
            _ => escaped.push(letter),
        }
    }
    escaped + "</code>"
}

/// Lines within `<pre>`, which are no Markdown; cut where they are very many.
fn block(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.trim_end().chars().take(MOST_OF_REPORT) {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\n' | '\t' => escaped.push(letter),
            _ if letter.is_control() => {}
            _ => escaped.push(letter),
        }
    }
    if text.trim_end().chars().nth(MOST_OF_REPORT).is_some() {
        escaped.push_str("\n… (the rest is in the report of the run)");
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_guest_says_makes_nothing_but_text() {
        let said = "</code>|`@all` ![x](http://e) <img src=x>\n# *no*";
        let shown = code(said);
        let inner = shown.strip_prefix("<code>").and_then(|rest| rest.strip_suffix("</code>"));
        let inner = inner.unwrap_or_default();
        assert!(!inner.contains(['<', '|', '`', '@', '[', '*', '\n']), "{inner}");
        assert!(!block("</pre><script>\u{1b}[31m").contains(['<', '\u{1b}']));
    }

    proptest! {
        #[test]
        fn a_block_ends_where_it_is_to_end(said in any::<String>()) {
            prop_assert!(!block(&said).contains(['<', '>']));
            prop_assert!(code(&said).matches('<').count() == 2);
        }
    }
}
