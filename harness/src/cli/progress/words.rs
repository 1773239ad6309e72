//! How long things took and how fast they go, in few letters.

use anstyle::{AnsiColor, Style};

/// So many a second, or where that is less than one, how long each takes.
pub(super) fn rate(done: u64, seconds: f64, what: &str) -> String {
    if done == 0 || seconds <= 0.0 {
        return String::new();
    }
    let each = seconds / done as f64;
    match 1.0 / each {
        many if many >= 100.0 => format!("{many:.0} {what}s/s"),
        some if some >= 1.0 => format!("{some:.1} {what}s/s"),
        _ => format!("{}/{what}", duration(each)),
    }
}

/// A duration as a person would say it.
pub(super) fn duration(seconds: f64) -> String {
    if seconds < 99.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours} h {minutes:02} min") } else { format!("{minutes} min {seconds:02} s") }
}

/// So many of something.
pub(super) fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// How a verdict looks.
pub(super) fn style(verdict: &str) -> Style {
    match verdict {
        "holds" => AnsiColor::Green.on_default(),
        "falsified" => AnsiColor::Red.on_default().bold(),
        _ => AnsiColor::Yellow.on_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_said_so_that_the_number_is_more_than_one() {
        let said = [(0, 1.0), (20, 4.0), (5, 20.0), (3000, 2.0), (1, 200.0)];
        let said = said.map(|(done, seconds)| rate(done, seconds, "case"));
        assert_eq!(said, ["", "5.0 cases/s", "4.0 s/case", "1500 cases/s", "3 min 20 s/case"]);
    }

    #[test]
    fn durations_are_said_in_two_units_at_most() {
        let said = [0.04, 99.9, 99.99, 3599.0, 7300.0].map(duration);
        assert_eq!(said, ["0.0 s", "99.9 s", "1 min 40 s", "59 min 59 s", "2 h 01 min"]);
    }
}
