//! Networks of 1 to 16 machines, in each of the ways in which they come to the start of a case.

use std::sync::Arc;
use std::time::Duration;

use harness::Stop;
use harness::machines::{Boots, Lab, LabOptions};

use crate::starts::{LEAST, Result, Warnings, begin, boot, network, put_back};
use crate::table::{Series, Table};

const SIZES: [usize; 5] = [1, 2, 4, 8, 16];

pub(crate) fn measure(rounds: usize) -> Result<Option<Table>> {
    // Where something is missing, this says so.
    if Lab::for_test()?.is_none() {
        return Ok(None);
    }
    // Many machines share few cores.
    let boot_limit = Duration::from_secs(900);
    let options = LabOptions { boots: Boots::Warm, boot_limit, ..LabOptions::default() };
    let lab = Lab::open(options, Arc::new(Warnings), Stop::default())?;
    // The first time warms the host's caches, and makes the snapshot.
    let first = network(&lab, 1, LEAST)?;
    boot(&lab, &first)?;
    begin(&lab, &first)?;
    let mut times = [(); 3].map(|()| vec![Vec::new(); SIZES.len()]);
    for round in 0..rounds {
        for (place, size) in SIZES.into_iter().enumerate() {
            eprintln!("round {}: {size} machines", round + 1);
            // Machines have other identities each time.
            let taken = [
                boot(&lab, &network(&lab, size, LEAST)?)?,
                begin(&lab, &network(&lab, size, LEAST)?)?,
                put_back(&lab, &network(&lab, size, LEAST)?)?,
            ];
            times.iter_mut().zip(taken).for_each(|(times, [ready, _])| times[place].push(ready));
        }
    }
    let names = ["booted cold", "new from snapshots", "put back"];
    let series = names.into_iter().zip(times);
    Ok(Some(Table {
        title: "Networks of machines with 96 MiB, until the last is ready",
        size: "machines",
        unit: "s",
        each: Some(("s", 1.0)),
        series: series.map(|(name, times)| Series::of_rounds(name, &SIZES, times)).collect(),
    }))
}
