//! Rust in pages is a part of a file that is compiled and tested.

use std::fs;
use std::path::Path;

use crate::page::{pages, root};

/// Where such files are: tests, examples, and what is documented and tested as it stands.
const TESTED: [&str; 5] =
    ["harness/tests", "harness/examples", "hypervisor/tests", "hypervisor/examples", "nixgen/examples"];

/// Paths and texts of all such files.
fn tested() -> Vec<(String, String)> {
    let mut files = Vec::new();
    TESTED.iter().for_each(|directory| collect(&root().join(directory), &mut files));
    files
}

fn collect(directory: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            files.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn rust_is_of_files_that_are_tested_and_named() {
    let files = tested();
    for page in pages() {
        for block in page.of("rust") {
            let code = format!("\n{}\n", block.text.trim_end());
            let has = |text: &str| format!("\n{text}").contains(&code);
            let of: Vec<_> = files.iter().filter(|(_, text)| has(text)).collect();
            assert!(!of.is_empty(), "{} is a part of no tested file:\n{}", block.place, block.text);
            let is_named = of.iter().any(|(path, _)| page.text.contains(path.rsplit('/').next().unwrap()));
            assert!(is_named, "{}: its page names none of {:?}", block.place, of[0].0);
        }
    }
}

/// A file that a page shows in parts is shown whole: nobody can follow half a program.
#[test]
fn the_tutorial_shows_its_whole_program() {
    let page = pages().into_iter().find(|page| page.path == Path::new("docs/src/tutorial.md")).unwrap();
    let file = fs::read_to_string(root().join("harness/examples/first_bug.rs")).unwrap();
    let (_, program) = file.split_once("\n\n").unwrap();
    let code =
        |text: &str| text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let shown: Vec<_> = page.of("rust").flat_map(|block| code(&block.text)).collect();
    assert_eq!(shown, code(program));
    assert!(file.lines().count() <= 120, "{} lines", file.lines().count());
}
