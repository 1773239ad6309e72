//! How the cost of a case grows: with its machines, with its commands, and with jobs.
//!
//! `cargo bench -p harness --bench growth [-- ROUNDS] [TABLE…] [FILE.svg]` prints tables (`machines`,
//! `commands`, `in-memory`, `shrinking`, `jobs`, or all) of medians, and plots them into the file, by
//! default `growth.svg` below the target directory. Below each column is its exponent: the slope of the
//! logarithm of the cost over that of the size, by least squares, and then between the last two sizes alone,
//! where a cost that every case has once weighs least. 1 is linear, and more is worse.
//!
//! All ways of doing the same are measured in turn, so that what else the host does meets them alike.

use std::path::PathBuf;

#[path = "growth/commands.rs"]
mod commands;
#[path = "growth/in_memory.rs"]
mod in_memory;
#[path = "support/jobs.rs"]
mod jobs;
#[path = "growth/machines.rs"]
mod machines;
#[path = "support/median.rs"]
mod median;
#[path = "growth/more_jobs.rs"]
mod more_jobs;
#[path = "growth/plot.rs"]
mod plot;
#[path = "growth/processor.rs"]
mod processor;
#[path = "growth/shrinking.rs"]
mod shrinking;
#[path = "support/starts.rs"]
mod starts;
#[path = "growth/table.rs"]
mod table;

use starts::Result;
use table::Table;

/// Measures so many rounds; none where something is missing, which is told then.
type Measure = fn(usize) -> Result<Option<Table>>;

const TABLES: [(&str, Measure); 5] = [
    ("machines", machines::measure),
    ("commands", commands::measure),
    ("in-memory", in_memory::measure),
    ("shrinking", shrinking::measure),
    ("jobs", more_jobs::measure),
];

fn main() -> Result<()> {
    // Cargo gives an option of its own.
    let words: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let rounds = words.iter().find_map(|word| word.parse().ok()).unwrap_or(3);
    let file = words.iter().find(|word| word.ends_with(".svg")).map(PathBuf::from);
    let file = file.unwrap_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("growth.svg"));
    let is_table = |word: &String| TABLES.iter().any(|(name, _)| name == word);
    let all = !words.iter().any(is_table);
    if let Some(word) =
        words.iter().find(|word| !is_table(word) && word.parse::<usize>().is_err() && !word.ends_with(".svg"))
    {
        return Err(format!("{word:?} is no table, number of rounds or file of a plot").into());
    }
    let mut tables = Vec::new();
    for (name, measure) in TABLES {
        if !all && words.iter().all(|word| word != name) {
            continue;
        }
        let Some(table) = measure(rounds)? else { return Ok(()) };
        println!("{table}");
        tables.push(table);
    }
    plot::draw(&tables, &file)?;
    println!("plotted into {}", file.display());
    Ok(())
}
