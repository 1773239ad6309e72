//! The same cases on real machines with 1 to 8 jobs.

use harness::machines::{Lab, LabOptions};

use crate::jobs::{JOBS, cases_an_hour};
use crate::starts::Result;
use crate::table::{Series, Table};

/// As many as there are jobs at most.
const CASES: u32 = 8;

pub(crate) fn measure(rounds: usize) -> Result<Option<Table>> {
    let Some(lab) = Lab::for_test()? else { return Ok(None) };
    let overcommitted = LabOptions { overcommit: true, ..LabOptions::default() };
    let Some(overcommitted) = Lab::for_test_with(overcommitted)? else { return Ok(None) };
    let labs = [("within the host's room", &lab), ("overcommitted", &overcommitted)];
    // The first runs warm the host's caches.
    for (_, lab) in labs {
        cases_an_hour(lab, 1, 2)?;
    }
    let mut times = labs.map(|_| vec![Vec::new(); JOBS.len()]);
    for round in 0..rounds {
        for (place, jobs) in JOBS.into_iter().enumerate() {
            eprintln!("round {}: {jobs} jobs", round + 1);
            for (times, (_, lab)) in times.iter_mut().zip(labs) {
                times[place].push(f64::from(CASES) * 3600.0 / cases_an_hour(lab, jobs, CASES)?);
            }
        }
    }
    let (series, sizes) = (labs.into_iter().zip(times), JOBS.map(|jobs| jobs as usize));
    Ok(Some(Table {
        title: "Eight cases of one or two machines, by several jobs",
        size: "jobs",
        unit: "s",
        each: None,
        series: series.map(|((name, _), times)| Series::of_rounds(name, &sizes, times)).collect(),
    }))
}
