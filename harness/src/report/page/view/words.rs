//! Sentences about a failing case, for somebody who has not seen the code.

use serde::Serialize;

use crate::record::{Contradiction, Operation, Packets, Part, Record, Said};
use crate::system::Voice;

/// A time on the clock of the case.
pub(super) fn time(seconds: f64) -> String {
    match seconds {
        0.0 => "0 s".to_owned(),
        _ if seconds < 1e-3 => format!("{:.0} µs", seconds * 1e6),
        _ if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
        _ => format!("{seconds:.2} s"),
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// How large the case is, and how it was found.
pub(super) fn lede(record: &Record) -> String {
    let size = if record.smallest { "The smallest failing case" } else { "The smallest case so far" };
    let mut text = format!("{size} has {}", count(record.commands, "command"));
    if record.lanes > 0 {
        text.push_str(&format!(", with {} side by side", count(record.lanes, "lane")));
    }
    if !record.machines.is_empty() {
        text.push_str(&format!(", on {}", count(record.machines.len(), "machine")));
    }
    if record.shrink_runs > 0 {
        let runs = count(record.shrink_runs as usize, "run");
        text.push_str(&format!("; {runs} led to it from one of {} commands", record.commands_at_first));
    }
    text.push('.');
    if let Some(rate) = record.rate.filter(|rate| !rate.is_always()) {
        text.push_str(&format!(" It fails in {rate}."));
    }
    text
}

/// Which operation it is, and when it was.
pub(super) fn place(record: &Record, wrong: Option<&Operation>) -> String {
    let Some(wrong) = wrong else {
        return "No command is to blame: the system was not made or taken down as it should be.".to_owned();
    };
    let mut text = format!("Operation {} of {}", wrong.number, record.commands);
    match (wrong.part, wrong.lane) {
        (Part::Lane, Some(lane)) => text.push_str(&format!(", in lane {lane}")),
        (Part::Finally, _) => text.push_str(", at the end, once all else was done"),
        _ => {}
    }
    if let (Some(started), Some(seconds)) = (wrong.started, wrong.seconds) {
        let (from, took) = (time(started), time(seconds));
        text.push_str(&format!(", {from} after the case began; it took {took}"));
    }
    text.push('.');
    text
}

/// Why what came is impossible.
pub(super) fn why(record: &Record, wrong: Option<&Operation>, is_ordered: bool) -> String {
    if record.evidence.is_panic {
        return "The system panicked, which no command may make it do. What it said is what came.".to_owned();
    }
    if is_ordered {
        return "Commands of different lanes ran at the same time, so they may have taken effect in any order in \
                which none comes before one that had ended when it was given. All such orders were tried, and \
                none explains every answer."
            .to_owned();
    }
    match wrong {
        Some(wrong) if wrong.number > 1 => format!(
            "The commands before it, and what came of them, leave the model one view of the system. In it, {} is \
             answered as expected and in no other way.",
            wrong.command
        ),
        Some(wrong) => {
            format!(
                "Already as the case begins, {} is answered as expected and in no other way.",
                wrong.command
            )
        }
        None => "The system was to be there within its limit, or to be gone.".to_owned(),
    }
}

/// What holds for the answers that contradict one another, and for what else was given.
pub(super) fn contradiction(record: &Record) -> Option<String> {
    let Contradiction { last, bystanders, is_minimal, .. } = record.evidence.contradiction.as_ref()?;
    let mut text = String::new();
    if let (Some(last), true) = (last, is_minimal) {
        text.push_str(&format!(
            "All that was answered before {last} has an order; with the answer of {last} there is none. "
        ));
    }
    let numbers: Vec<_> = bystanders.iter().take(MOST_BYSTANDERS).map(ToString::to_string).collect();
    let more = bystanders.len().saturating_sub(MOST_BYSTANDERS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    match bystanders.len() {
        0 => text.push_str("Whatever else was given changes nothing about that."),
        1 => text.push_str(&format!(
            "It stays so at whatever moment after its call {} takes effect, or if it never does.",
            numbers.join(", ")
        )),
        _ => text.push_str(&format!(
            "It stays so at whatever moments after their calls {}{more} take effect, or if they never do.",
            numbers.join(", ")
        )),
    }
    Some(text)
}

/// So many operations that do not help are named at most.
const MOST_BYSTANDERS: usize = 12;

/// Where somebody who looks for the cause begins: a text, and maybe something to type, or a file.
#[derive(Serialize)]
pub(super) struct Hint {
    text: String,
    code: Option<String>,
}

impl Hint {
    fn new(text: impl Into<String>, code: Option<String>) -> Self {
        Self { text: text.into(), code }
    }
}

/// Where somebody who looks for the cause begins.
pub(super) fn look(record: &Record, wrong: Option<&Operation>) -> Vec<Hint> {
    let mut hints = Vec::new();
    if let Some(wrong) = wrong.filter(|wrong| !wrong.machines.is_empty()) {
        let machines = wrong.machines.join(" and ");
        let text = format!("The command concerns {machines}: the map shows the network at that moment.");
        hints.push(Hint::new(text, None));
        let said = record.consoles.iter().map(|said| &said.machine);
        let mut said: Vec<_> =
            said.filter(|name| wrong.machines.contains(name)).map(String::as_str).collect();
        said.dedup();
        if !said.is_empty() {
            let text =
                format!("What {} said then is under Consoles, services and packets.", said.join(" and "));
            hints.push(Hint::new(text, None));
        }
    }
    if record.commands > 1 && record.smallest {
        let text = "Every command of this case is needed: with any of them left out, it did not fail so.";
        hints.push(Hint::new(text, None));
    }
    if record.causes.is_some() {
        hints.push(Hint::new("What of the beginning matters, and what does not, is under Beginning.", None));
    }
    let packets = "All packets of a run of the case, for Wireshark:";
    hints.extend(record.capture.iter().map(|capture| Hint::new(packets, Some(capture.file.clone()))));
    if let Some(file) = &record.replay {
        hints.push(Hint::new("The case runs again:", Some(format!("netprop replay {file}"))));
        hints.push(Hint::new("It becomes a Rust test:", Some(format!("netprop replay --as-test {file}"))));
    }
    hints
}

/// What the history shows.
pub(super) fn history(record: &Record) -> String {
    let given = count(record.operations.len(), "command");
    let clock = match record.operations.iter().any(|operation| operation.started.is_some()) {
        true => "times count from the beginning of the case",
        false => "times were not measured, so only the order is shown",
    };
    let rest = record.commands.saturating_sub(record.operations.len());
    let rest = match rest {
        0 => String::new(),
        rest => format!(" {} came after the wrong answer and was not given.", count(rest, "more command")),
    };
    format!("{given}, time going down; {clock}.{rest}")
}

/// What there is beside the commands; none where there is nothing.
pub(super) fn beside(record: &Record) -> Option<String> {
    let mut parts = Vec::new();
    for (voice, who, how) in
        [(Voice::Console, "", " on the console"), (Voice::Journal, "the services of ", "")]
    {
        let said: Vec<&Said> = record.consoles.iter().filter(|said| said.voice == voice).collect();
        if !said.is_empty() {
            let end = if said.iter().any(|said| said.is_cut) { "the end of what" } else { "what" };
            parts.push(format!("{end} {who}{} said{how}", count(said.len(), "machine")));
        }
    }
    if let Some(Packets { file, packets, left_out }) = &record.capture {
        let more = if *left_out > 0 { format!(" ({left_out} more are in {file})") } else { String::new() };
        parts.push(format!("{} at the machines{more}", count(packets.len(), "packet")));
    }
    let clock = "on the clock of the commands, which stand between them; machine and time are chosen above.";
    let last = parts.pop()?;
    let all = if parts.is_empty() { last } else { format!("{} and {last}", parts.join(", ")) };
    Some(format!("Shown are {all}, {clock}"))
}

/// How the case was made smaller; none where nothing was tried.
pub(super) fn shrinking(record: &Record) -> Option<String> {
    let trail = &record.shrinking;
    let tried = trail.candidates.len() + trail.left_out as usize;
    let kept =
        trail.candidates.iter().filter(|candidate| candidate.fate == crate::shrink::Fate::Kept).count();
    let seconds: f64 = trail.candidates.iter().map(|candidate| candidate.seconds).sum();
    (tried > 0).then(|| {
        format!(
            "From {} to {}: {} tried in {}, of which {kept} failed in the same way and were kept.",
            count(record.commands_at_first, "command"),
            record.commands,
            count(tried, "smaller case"),
            time(seconds)
        )
    })
}
