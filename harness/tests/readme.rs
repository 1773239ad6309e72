//! What the README shows is what the repository has.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

const README: &str = include_str!("../../README.md");
const SPECIFICATION: &str = include_str!("own_specification.rs");

/// The README's only block of Rust.
fn shown() -> &'static str {
    let (_, rest) = README.split_once("```rust\n").unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn the_specification_is_the_one_that_is_tested() {
    let (_, tested) = SPECIFICATION.split_once("\n\n").unwrap();
    assert_eq!(shown(), tested);
}

#[test]
fn the_specification_has_less_than_forty_lines() {
    assert!(shown().lines().filter(|line| !line.trim().is_empty()).count() < 40);
}

#[test]
fn exit_statuses_are_those_of_the_program() {
    use harness::exit::Exit;
    let all = [
        Exit::Holds,
        Exit::Falsified,
        Exit::Usage,
        Exit::Inconclusive,
        Exit::MissingComponent,
        Exit::Stopped,
    ];
    for exit in all {
        let row = format!("| {} | ", exit as u8);
        assert!(README.contains(&row), "the README has no row for {exit:?}");
    }
}
