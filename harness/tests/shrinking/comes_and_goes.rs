//! Failures that do not come each time are measured, and shrink all the same.

use harness::{Config, Failure, Rate, Runner, Silent, Stop, report};

use super::switchboard::{Answers, Command, Switchboard, config, is};

/// Two buttons pressed, and a look that is wrong in so many of a hundred systems.
fn in_half(pressed: &[u8], command: &Command, chance: u64) -> bool {
    !(*command == Command::Look && pressed.contains(&3) && pressed.contains(&7)) || chance >= 50
}

fn always(pressed: &[u8], command: &Command, _: u64) -> bool {
    in_half(pressed, command, 0)
}

fn run(system: &Answers, config: &Config) -> Failure<Switchboard> {
    Runner::new(&Switchboard, system, config, &Silent, &Stop::default()).run().unwrap().failure.unwrap()
}

fn is_smallest(failure: &Failure<Switchboard>) -> bool {
    use Command::{Look, Press};
    is(&failure.case, &[Press(3), Press(7), Look]) || is(&failure.case, &[Press(7), Press(3), Look])
}

#[test]
fn one_that_comes_in_half_of_its_runs_shrinks_to_the_smallest_case() {
    let (mut smallest, mut measured) = (0, 0);
    for seed in 0..100 {
        let system = Answers::new(in_half);
        let failure = run(&system, &Config { steady_after: 4, ..config(seed, None) });
        smallest += u32::from(is_smallest(&failure));
        let rate = failure.first_rate.unwrap();
        assert!(rate.runs <= 10, "{rate}");
        let Some(last) = failure.rate.filter(|last| !last.is_always() && last.failed > 0) else { continue };
        measured += 1;
        let text = report::failure(&Switchboard, &failure);
        assert!(text.contains(&format!("fails in {last}; the first case failed again in {rate}")), "{text}");
    }
    assert!(smallest >= 90, "{smallest} of 100 shrank to the smallest case");
    assert!(measured >= 90, "{measured} of 100 were told to come and go");
}

#[test]
fn one_that_comes_each_time_costs_one_run_more() {
    for seed in 0..20 {
        let (measuring, trusting) = (Answers::new(always), Answers::new(always));
        let with = run(&measuring, &config(seed, None));
        let without = run(&trusting, &Config { reruns: 0, ..config(seed, None) });
        assert_eq!(with.case, without.case);
        assert_eq!(measuring.made(), trusting.made() + 1);
        assert_eq!(
            (with.first_rate, with.rate),
            (Some(Rate { failed: 1, runs: 1 }), Some(Rate { failed: 1, runs: 1 }))
        );
        assert_eq!((without.first_rate, without.rate), (None, None));
        assert!(!report::failure(&Switchboard, &with).contains("fails in"));
    }
}
