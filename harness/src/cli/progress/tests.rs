use indicatif::InMemoryTerm;

use super::human::{Human, Texts};
use crate::cli::screen::tests::in_memory;
use crate::observe::{Event, Observer as _};

fn human(columns: u16) -> (Human, InMemoryTerm) {
    let (screen, terminal) = in_memory(columns);
    (Human::new(0, Texts::StandardOutput, screen), terminal)
}

fn starts(number: u32) -> Event<'static> {
    let initial = "subnet 172.16.2.0/24\nmachine a  172.16.2.9\nmachine b  172.16.2.10";
    Event::CaseStarted { number, cases: 20, origin: "seed 1", initial, commands: 9 }
}

fn gives(case: Option<u32>, command: &str) -> Event<'_> {
    Event::CommandStarted { case, number: 2, lane: None, command }
}

/// What is seen once the bars have been drawn.
fn seen(terminal: &InMemoryTerm) -> String {
    std::thread::sleep(std::time::Duration::from_millis(300));
    terminal.contents()
}

#[test]
fn a_case_has_the_one_line_and_several_have_a_row_each() {
    let (human, terminal) = human(80);
    human.event(&starts(1));
    human.event(&gives(Some(1), "Boot a"));
    let one = seen(&terminal);
    assert!(one.contains("0/20  case 1  2/9  Boot a") && one.lines().count() == 1, "{one}");
    human.event(&starts(2));
    human.event(&gives(Some(1), "Boot a"));
    human.event(&gives(Some(2), "Boot b"));
    let both = seen(&terminal);
    let rows: Vec<&str> = both.lines().map(str::trim).skip(1).collect();
    assert_eq!(rows, ["case 1  2/9  Boot a", "case 2  2/9  Boot b"], "{both}");
    human.event(&Event::CaseFinished { number: 1, verdict: "holds", seconds: 61.0 });
    let after = seen(&terminal);
    assert!(after.contains("1/20  ") && after.contains("case 2  2/9  Boot b"), "{after}");
}

#[test]
fn shrinking_shows_the_best_so_far_and_what_it_costs() {
    for columns in [80, 40] {
        let (human, terminal) = human(columns);
        human.event(&starts(1));
        human.event(&Event::CaseFinished { number: 1, verdict: "falsified", seconds: 1.0 });
        human.event(&Event::Falsified { number: 2, expected: "pong", came: "nothing" });
        human.event(&Event::ShrinkStep { runs: 3, smaller: true, commands: 4 });
        human.event(&gives(None, "Ping a -> b, which is a command with a long name"));
        let said = seen(&terminal);
        let last = said.lines().last().unwrap_or_default();
        assert!(last.contains("best 4 of 9"), "{said}");
        assert!(columns < 80 || last.contains("4 of 9 commands, 3 runs, "), "{said}");
        human.text("");
        assert!(!terminal.contents().contains("best"), "the bar stays");
    }
}
