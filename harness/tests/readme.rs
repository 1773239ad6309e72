//! What the README shows is what the repository has.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

const README: &str = include_str!("../../README.md");
const IN_MEMORY: &str = include_str!("in_memory.rs");
const SPECIFICATION: &str = include_str!("own_specification.rs");

/// The README's block of Rust with this in it.
fn shown(part: &str) -> &'static str {
    let mut blocks = README.split("```rust\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    blocks.find(|block| block.contains(part)).unwrap()
}

fn lines(text: &str) -> usize {
    text.lines().filter(|line| !line.trim().is_empty()).count()
}

#[test]
fn the_specifications_are_those_that_are_tested() {
    for (part, file) in [("a_channel_is_a_queue", IN_MEMORY), ("machines_know_their_names", SPECIFICATION)] {
        let (_, tested) = file.split_once("\n\n").unwrap();
        assert_eq!(shown(part), tested);
    }
}

#[test]
fn the_specifications_are_short() {
    assert!(lines(shown("a_channel_is_a_queue")) <= 15);
    assert!(lines(shown("machines_know_their_names")) <= 40);
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
