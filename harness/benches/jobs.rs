//! How many cases an hour real machines allow with 1 to 8 jobs.
//!
//! `cargo bench -p harness --bench jobs [-- CASES]` prints a table. Each row runs the same cases, of
//! networks of 1 or 2 machines with 96 MiB and 3 to 6 commands: once as far as the host has room for
//! them, and once overcommitted. Only cases that had a verdict count. The first runs warm the host's
//! caches, and are in no row.

use std::error::Error;
use std::fs;
use std::thread;

use harness::machines::{Lab, LabOptions};

#[path = "support/jobs.rs"]
mod jobs;

use jobs::{JOBS, cases_an_hour};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let cases = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(8);
    let Some(lab) = Lab::for_test()? else { return Ok(()) };
    let overcommitted = LabOptions { overcommit: true, ..LabOptions::default() };
    let Some(overcommitted) = Lab::for_test_with(overcommitted)? else { return Ok(()) };
    cases_an_hour(&lab, 1, 2)?;
    cases_an_hour(&overcommitted, 1, 2)?;
    println!("{}, {:?}, {cases} cases a row", host()?, lab.accelerator());
    println!("| jobs | cases an hour | of that with 1 job | overcommitted | of that with 1 job |");
    println!("| --- | --- | --- | --- | --- |");
    let mut one = None;
    for jobs in JOBS {
        let rates = [cases_an_hour(&lab, jobs, cases)?, cases_an_hour(&overcommitted, jobs, cases)?];
        let [[room, crowd], [room_one, crowd_one]] = [rates, *one.get_or_insert(rates)];
        println!("| {jobs} | {room:.0} | {:.2} | {crowd:.0} | {:.2} |", room / room_one, crowd / crowd_one);
    }
    Ok(())
}

/// What the host has.
fn host() -> Result<String> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let available = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).unwrap_or_default();
    Ok(format!("{} cores, {} of memory available", thread::available_parallelism()?, available.trim()))
}
