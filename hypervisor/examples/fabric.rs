//! The fabric without machines: clients of this process send frames, and rules decide what arrives.
//!
//! `cargo run -p hypervisor --example fabric [-- SEED [CAPTURE.pcapng]]` prints what became of them.
//! The same seed loses the same frames.

use std::path::Path;
use std::time::Duration;

use hypervisor::fabric::{Effect, Fabric, FabricConfig, Pairs, Plug, Probability, Rule};
use hypervisor::{Access, RunDirectory};

/// How many frames each client sends to all others.
const FRAMES: u8 = 100;

/// A frame of one client to all others.
fn frame(client: u8, number: u8) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    // Its sender, and a type that is free for experiments (IEEE 802).
    frame.extend([2, 0, 0, 0, 0, client, 0x88, 0xb5, number]);
    frame.resize(60, 0);
    frame
}

/// Reads all that comes before nothing does.
fn received(plug: &Plug) -> Result<usize, std::io::Error> {
    let (mut buffer, mut count) = ([0; 2048], 0);
    while plug.receive(&mut buffer, Duration::from_millis(200))?.is_some() {
        count += 1;
    }
    Ok(count)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let seed = arguments.next().map_or(Ok(7), |seed| seed.parse())?;
    let run = RunDirectory::create(None, Access::Owner)?;
    let config = FabricConfig::new(seed, ["a", "b", "c"]);
    let fabric = Fabric::start(&run, "fabric", Access::Owner, &config)?;
    let capture = arguments.next().map(|path| fabric.capture(Path::new(&path))).transpose()?;
    let plugs = [1, 2, 3].map(|number| Plug::new(fabric.path(), Some(number)));
    let [a, b, c] = plugs;
    let (a, b, c) = (a?, b?, c?);

    fabric.annotate("a no longer reaches c, and b hears a badly");
    let faults = fabric.apply(&[
        Rule::cut(Pairs::one_way(&["a"], &["c"])),
        Rule::new(
            Pairs::one_way(&["a"], &["b"]),
            Effect::loss(Probability::new(0.2)?).and(Effect::duplication(Probability::new(0.1)?)),
        ),
    ])?;
    for number in 0..FRAMES {
        a.send(&frame(1, number))?;
        c.send(&frame(3, number))?;
    }
    println!("received by a: {}, b: {}, c: {}", received(&a)?, received(&b)?, received(&c)?);
    drop(faults);
    fabric.annotate("healed");
    a.send(&frame(1, 0))?;
    println!("once healed, received by b: {}, c: {}", received(&b)?, received(&c)?);
    for (from, to, counts) in fabric.all_counts() {
        println!("{from} to {to}: {counts}");
    }
    if let Some(capture) = capture {
        capture.finish()?;
    }
    Ok(())
}
