//! Pages in a browser: they open at once, show what they should, and run nothing but their own script.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{PoisonError, RwLock};

use harness::record::Record;
use harness::report::page;

use crate::driven::Driven;
use crate::{escaped, failing, large};

/// A page of ten thousand operations has to be there by then, in milliseconds since it was asked for.
const LIMIT: f64 = 2000.0;

/// Held by who measures how fast a browser is: no other one runs beside it.
static ALONE: RwLock<()> = RwLock::new(());

/// Opens a page and gives what became of its document; none where there is no browser, which is told.
fn opened(record: &Record) -> Option<String> {
    let _beside_others = ALONE.read().unwrap_or_else(PoisonError::into_inner);
    opened_anyway(record)
}

fn opened_anyway(record: &Record) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("page.html");
    std::fs::write(&path, page::html(record).unwrap()).unwrap();
    dump(&path, directory.path())
}

/// The browser, where there is one; that there is none is told.
fn browser() -> Option<PathBuf> {
    let browser = which::which("chromium").ok();
    if browser.is_none() {
        let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(!is_ci, "chromium is not there: scripts/setup installs it");
        println!("SKIPPED: pages were opened in no browser, since chromium is not there");
    }
    browser
}

fn dump(page: &Path, profile: &Path) -> Option<String> {
    let mut command = Command::new(browser()?);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom"]);
    command.arg(format!("--user-data-dir={}", profile.join("profile").display()));
    // It leaves files of its own in there.
    command.env("TMPDIR", profile);
    let output = command.arg(format!("file://{}", page.display())).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// What the page's element has in an attribute.
fn attribute<'a>(dom: &'a str, name: &str) -> Option<&'a str> {
    dom.split_once(&format!("{name}=\""))?.1.split_once('"').map(|(value, _)| value)
}

/// After how many milliseconds the page's script had ended.
fn ready(dom: &str) -> f64 {
    attribute(dom, "data-ready")
        .unwrap_or_else(|| panic!("the script did not come to its end: {dom:.3000}"))
        .parse()
        .unwrap()
}

#[test]
fn a_page_shows_the_wrong_answer_chosen() {
    for record in [failing::deaf(), failing::forgotten_cut(), failing::lost_update()] {
        let Some(dom) = opened(&record) else { return };
        ready(&dom);
        assert_eq!(dom.matches("role=\"option\"").count(), record.operations.len());
        assert_eq!(dom.matches("aria-selected=\"true\"").count(), 1);
        assert!(dom.contains("✗ wrong answer"));
        assert_eq!(
            dom.contains("<svg"),
            !record.machines.is_empty(),
            "there is a map where there are machines"
        );
        assert!(dom.contains("tried from here and dropped") || record.shrinking.candidates.is_empty());
    }
}

#[test]
fn consoles_and_packets_stand_between_the_commands_of_their_moment() {
    let record = failing::with_sources();
    let Some(dom) = opened(&record) else { return };
    ready(&dom);
    let entries: Vec<_> = dom.split("class=\"entry ").skip(1).collect();
    let kind = |entry: &&str| entry.split(['"', ' ']).next().unwrap_or_default().to_owned();
    let at = entries.iter().position(|entry| kind(entry) == "command" && entry.contains("chosen")).unwrap();
    for source in ["console", "journal"] {
        assert!(entries[..at].iter().any(|entry| kind(entry) == source), "{source}");
    }
    assert!(entries[at..].iter().any(|entry| kind(entry) == "packet"));
    assert!(entries.len() < 200, "{} are in the document", entries.len());
}

#[test]
fn nothing_that_a_guest_says_is_run() {
    let hostile =
        "</script><script>document.title='run'</script><img src=x onerror=\"document.title='run'\">";
    for record in [failing::forgotten_cut(), failing::lost_update()] {
        let Some(dom) = opened(&escaped::saying(&record, hostile)) else { return };
        ready(&dom);
        assert!(!dom.contains("<img") && !dom.contains("<title>run"));
        assert_eq!(dom.matches("<script").count(), 2, "there is the data and the page's own script");
        // Shown it is, as text.
        assert!(dom.contains("&lt;img src=x onerror="));
    }
}

#[test]
fn a_page_of_ten_thousand_operations_opens_at_once() {
    let _alone = ALONE.write().unwrap_or_else(PoisonError::into_inner);
    for record in [large::in_sequence(), large::in_lanes()] {
        let mut least = f64::INFINITY;
        // Others use this host too.
        for _ in 0..3 {
            let Some(dom) = opened_anyway(&record) else { return };
            least = least.min(ready(&dom));
            let shown = dom.matches("role=\"option\"").count();
            assert!(
                (5..200).contains(&shown),
                "{shown} of {} operations are in the document",
                large::OPERATIONS
            );
            if least < LIMIT {
                break;
            }
        }
        println!("a page of {} operations is there after {least:.0} ms", large::OPERATIONS);
        assert!(least < LIMIT, "{least} ms");
    }
}

/// The keys that are pressed, with the numbers that browsers know them by.
const KEYS: [(&str, u32); 4] = [("ArrowUp", 38), ("ArrowDown", 40), ("Home", 36), ("End", 35)];

#[test]
fn keys_go_from_one_operation_to_the_next() {
    let Some(program) = browser() else { return };
    let _beside_others = ALONE.read().unwrap_or_else(PoisonError::into_inner);
    let mut page = Driven::open(&program, &large::in_sequence());
    let chosen = "document.querySelector('[aria-selected=true] .number').textContent";
    let heading = "document.querySelector('#moment h3 span').textContent.split(',')[0]";
    page.focus("[role=listbox]");
    let [up, down, home, end] = KEYS;
    for (key, number) in [(up, 9999), (down, 10000), (down, 10000), (home, 1), (down, 2), (end, 10000)] {
        page.press(key.0, key.1);
        page.becomes(chosen, &number.to_string());
        page.becomes(heading, &format!("Operation {number}"));
    }
    let active = "document.querySelector('[role=listbox]').getAttribute('aria-activedescendant')";
    page.becomes(active, "operation-10000");
}

#[test]
fn a_text_that_is_typed_leaves_the_operations_that_have_it() {
    let Some(program) = browser() else { return };
    let record = large::in_sequence();
    let _beside_others = ALONE.read().unwrap_or_else(PoisonError::into_inner);
    let gets = record.operations.iter().filter(|operation| operation.command == "Get").count();
    let mut page = Driven::open(&program, &record);
    page.focus("input[type=search]");
    page.types("get");
    let shown = format!("{gets} of {} shown", record.operations.len());
    page.becomes("document.querySelector('.tools output').value", &shown);
    let all =
        "[...document.querySelectorAll('[role=option] code')].every((code) => code.textContent === 'Get')";
    assert_eq!(page.evaluate(all), true);
}
