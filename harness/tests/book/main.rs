//! Every command and block of code in the README and in the book is run, compiled or read, and shows what
//! comes of it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../built/mod.rs"]
mod built;
mod data;
mod links;
mod not_run;
mod page;
mod rust;
mod session;
mod shown;
mod words;

use std::thread;

use harness::machines::Lab;

use not_run::{CANNOT, TEXTS, is_run, look_at, needs_machines};
use page::{Page, pages};
use session::{Session, steps};

/// What blocks are in, each of which a test looks at.
const LANGUAGES: [&str; 7] = ["console", "json", "rust", "sh", "text", "toml", "yaml"];

#[test]
fn every_block_is_of_a_kind_that_is_tested() {
    for block in pages().iter().flat_map(|page| &page.blocks) {
        let language = block.language.as_str();
        assert!(LANGUAGES.contains(&language), "{}: no test looks at {language:?}", block.place);
    }
}

#[test]
fn commands_do_what_is_shown() {
    let pages = pages();
    thread::scope(|scope| {
        for page in pages.iter().filter(|page| !page_needs_machines(page)) {
            scope.spawn(|| run(page));
        }
    });
}

#[test]
fn commands_do_what_is_shown_on_machines() {
    let pages = pages();
    let pages: Vec<_> = pages.iter().filter(|page| page_needs_machines(page)).collect();
    if pages.is_empty() || Lab::for_test().unwrap().is_none() {
        return;
    }
    // A machine takes one processor.
    thread::scope(|scope| {
        for page in pages {
            scope.spawn(|| run(page));
        }
    });
}

fn page_needs_machines(page: &Page) -> bool {
    page.of("console").flat_map(steps).any(|step| needs_machines(&step.command))
}

/// Runs the commands of a page in their order and its scripts, and looks for its texts in what came.
fn run(page: &Page) {
    let session = Session::new();
    let outputs: Vec<String> = page.of("console").flat_map(|block| session.run(block)).collect();
    page.of("sh").for_each(|block| session.script(block));
    for text in page.of("text") {
        let is_printed = outputs.iter().any(|output| shown::is_in(&text.text, output));
        let is_named = TEXTS.iter().any(|(first, _)| text.text.lines().next() == Some(first));
        assert!(is_printed || is_named, "{}: no command of its page prints\n{}", text.place, text.text);
    }
}

#[test]
fn what_is_not_run_is_looked_at() {
    let pages = pages();
    let commands: Vec<_> = pages.iter().flat_map(|page| page.of("console")).flat_map(steps).collect();
    commands.iter().filter(|step| !is_run(&step.command)).for_each(|step| look_at(&step.command));
    for (begin, why) in CANNOT {
        let is_shown = commands.iter().any(|step| step.command.starts_with(begin));
        assert!(is_shown, "{begin} is shown nowhere: it need not be named ({why})");
    }
    let texts: Vec<_> = pages.iter().flat_map(|page| page.of("text")).collect();
    for (first, why) in TEXTS {
        let is_shown = texts.iter().any(|text| text.text.lines().next() == Some(first));
        assert!(is_shown, "{first:?} is shown nowhere: it need not be named ({why})");
    }
}
