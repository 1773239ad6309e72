//! Specifications that the README and the book show are whole, and short.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cloakroom;
mod numbers;

/// The pages that show specifications.
const PAGES: [&str; 2] =
    [include_str!("../../../README.md"), include_str!("../../../docs/src/how-to/write-a-specification.md")];
const EXIT_STATUSES: &str = include_str!("../../../docs/src/reference/exit-statuses.md");
/// A part of each specification that is shown, its file, and how many lines it may have.
const SPECIFICATIONS: [(&str, &str, usize); 5] = [
    ("a_channel_is_a_queue", include_str!("../in_memory.rs"), 15),
    ("no_number_is_given_out_twice", include_str!("numbers.rs"), 15),
    ("no_coat_is_lost", include_str!("cloakroom.rs"), 90),
    ("machines_know_their_names", include_str!("../own_specification.rs"), 40),
    ("a_directory_is_made_once", include_str!("directories.rs"), 40),
];

/// The block of Rust with this in it.
fn shown(part: &str) -> &'static str {
    let blocks = |page: &'static str| page.split("```rust\n").skip(1);
    let mut blocks = PAGES.into_iter().flat_map(blocks).map(|rest| rest.split_once("```").unwrap().0);
    blocks.find(|block| block.contains(part)).unwrap()
}

fn lines(text: &str) -> usize {
    text.lines().filter(|line| !line.trim().is_empty()).count()
}

#[test]
fn the_specifications_are_those_that_are_tested() {
    for (part, file, _) in SPECIFICATIONS {
        let (_, tested) = file.split_once("\n\n").unwrap();
        assert_eq!(shown(part), tested);
    }
}

#[test]
fn the_specifications_are_short() {
    for (part, _, most) in SPECIFICATIONS {
        assert!(lines(shown(part)) <= most, "{part}: {} lines", lines(shown(part)));
    }
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
        assert!(EXIT_STATUSES.contains(&row), "the page has no row for {exit:?}");
    }
}
