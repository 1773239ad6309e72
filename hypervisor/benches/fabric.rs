//! The fabric beside `vde_switch`: frames a second, processor time of the switch for each frame, and
//! the time that a frame takes, with clients outside of QEMU.
//!
//! `cargo bench -p hypervisor --bench fabric [-- ROUNDS]` prints medians and their ratios. All
//! switches are measured in turn, in the same minutes. One thread plays all clients, so that it and
//! the switch have a processor each where there are two. Half of the clients send to the other half,
//! each to one of its own, never so much that anything would have to be dropped.

use std::error::Error;
use std::fs;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hypervisor::fabric::{Effect, FabricConfig, Pairs, Plug, Probability, Rule, RuleGuard};
use hypervisor::{Access, RunDirectory, Switch};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How long frames are sent in one measurement.
const LASTS: Duration = Duration::from_millis(250);
/// How many round trips a measurement of latency has.
const TRIPS: usize = 3_000;
/// How many frames of each pair may be under way: less than either switch lets wait.
const WINDOW: usize = 32;
/// Sizes of frames without their check sum: the smallest and the largest of plain Ethernet.
const SIZES: [usize; 2] = [60, 1514];
const PORTS: [u16; 3] = [2, 8, 32];

fn main() -> Result<()> {
    let rounds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(7);
    println!(
        "| ports | bytes | switch | frames/s | ratio | switch's µs a frame | ratio | one way, µs | ratio |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    );
    for ports in PORTS {
        for size in SIZES {
            compare(ports, size, rounds)?;
        }
    }
    Ok(())
}

/// Measures all switches in turn and prints a line for each.
fn compare(ports: u16, size: usize, rounds: usize) -> Result<()> {
    let run = RunDirectory::create(None, Access::Owner)?;
    let config = FabricConfig::new(1, (1..=ports).map(|port| format!("m{port}")));
    let fabric = |name| Switch::fabric(&run, name, Access::Owner, &config);
    let rare = Probability::new(1e-12)?;
    let chance = Effect::loss(rare).and(Effect::duplication(rare)).and(Effect::corruption(rare));
    let mut subjects = Vec::new();
    if which::which("vde_switch").is_ok() {
        subjects.push(Subject::new("vde_switch", Switch::vde(&run, "vde", Access::Owner)?, ports, None)?);
    } else {
        eprintln!("SKIPPED, since this is missing: vde_switch; to get it: apt-get install vde2");
    }
    subjects.push(Subject::new("fabric", fabric("plain")?, ports, None)?);
    subjects.push(Subject::new(
        "with rules of chance",
        fabric("chance")?,
        ports,
        Some((chance, &config.names)),
    )?);
    let delay = Effect::delay(Duration::from_micros(100))?;
    subjects.push(Subject::new(
        "with a delay of 100 µs",
        fabric("delay")?,
        ports,
        Some((delay, &config.names)),
    )?);
    // The first round warms up.
    for round in 0..=rounds {
        for subject in &mut subjects {
            let failed = |error| format!("{}, {ports} ports, {size} bytes: {error}", subject.name);
            let measured =
                (subject.throughput(size).map_err(failed)?, subject.latency(size).map_err(failed)?);
            if round > 0 {
                let ((rate, processor), latency) = measured;
                subject
                    .measured
                    .iter_mut()
                    .zip([rate, processor, latency])
                    .for_each(|(all, one)| all.push(one));
            }
        }
    }
    let mut first = None;
    for subject in subjects {
        let [rate, processor, latency] = subject.measured.map(median);
        let base = *first.get_or_insert([rate, processor, latency]);
        println!(
            "| {ports} | {size} | {} | {rate:.0} | {:.2} | {processor:.2} | {:.2} | {latency:.1} | {:.2} |",
            subject.name,
            rate / base[0],
            processor / base[1],
            latency / base[2]
        );
    }
    Ok(())
}

/// A switch with its clients.
struct Subject {
    name: &'static str,
    /// In the order of their numbers; the first half sends to the second.
    plugs: Vec<Plug>,
    /// Where the kernel tells the switch's processor time.
    times: PathBuf,
    measured: [Vec<f64>; 3],
    _rules: Option<RuleGuard>,
    _switch: Switch,
}

impl Subject {
    fn new(
        name: &'static str,
        switch: Switch,
        ports: u16,
        rules: Option<(Effect, &[String])>,
    ) -> Result<Self> {
        let plugs = (1..=ports).map(|port| Plug::new(switch.path(), Some(port)));
        let plugs = plugs.collect::<std::io::Result<Vec<Plug>>>()?;
        let times = match switch.pid() {
            Some(pid) => PathBuf::from(format!("/proc/{pid}/task/{pid}/schedstat")),
            None => newest_fabric()?,
        };
        // The switch learns who is where.
        for (number, plug) in plugs.iter().enumerate() {
            plug.send(&frame(None, number, 60))?;
            for (other, plug) in plugs.iter().enumerate() {
                if other != number && plug.receive(&mut [0; 64], Duration::from_secs(10))?.is_none() {
                    return Err("a frame to all did not come".into());
                }
            }
        }
        let rules = rules.map(|(effect, names)| {
            let fabric = switch.as_fabric().ok_or("only a fabric has rules")?;
            Ok::<_, Box<dyn Error>>(fabric.apply(&[Rule::new(Pairs::among(names), effect)])?)
        });
        Ok(Self {
            name,
            plugs,
            times,
            measured: Default::default(),
            _rules: rules.transpose()?,
            _switch: switch,
        })
    }

    /// Frames a second, and the switch's processor time for each in microseconds.
    fn throughput(&self, size: usize) -> Result<(f64, f64)> {
        let (senders, receivers) = self.plugs.split_at(self.plugs.len() / 2);
        let frames: Vec<_> =
            (0..senders.len()).map(|from| frame(Some(senders.len() + from), from, size)).collect();
        let mut under_way = vec![0; senders.len()];
        let mut buffer = vec![0; 2048];
        let (mut count, mut sending) = (0_u64, true);
        let before = processor_time(&self.times)?;
        let begin = Instant::now();
        while sending || under_way.iter().any(|&count| count > 0) {
            sending = sending && begin.elapsed() < LASTS;
            let mut progress = false;
            for (pair, sender) in senders.iter().enumerate() {
                while sending && under_way[pair] < WINDOW {
                    match send(sender.as_fd(), &frames[pair], SendFlags::DONTWAIT) {
                        Ok(_) => under_way[pair] += 1,
                        Err(Errno::AGAIN) => break,
                        Err(error) => return Err(error.into()),
                    }
                }
                loop {
                    match recv(receivers[pair].as_fd(), &mut buffer[..], RecvFlags::DONTWAIT) {
                        Ok((_, length)) if length == size => {
                            under_way[pair] -= 1;
                            count += 1;
                            progress = true;
                        }
                        Ok((_, length)) => return Err(format!("a frame of {length} bytes").into()),
                        Err(Errno::AGAIN) => break,
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            if !progress && under_way.iter().any(|&count| count > 0) {
                wait(receivers)?;
            }
        }
        let elapsed = begin.elapsed().as_secs_f64();
        let processor = processor_time(&self.times)? - before;
        Ok((count as f64 / elapsed, processor * 1e6 / count as f64))
    }

    /// Microseconds that a frame takes from one client to another.
    fn latency(&self, size: usize) -> Result<f64> {
        let last = self.plugs.len() - 1;
        let (one, other) = (&self.plugs[0], &self.plugs[last]);
        let (there, back) = (frame(Some(last), 0, size), frame(Some(0), last, size));
        let mut buffer = vec![0; 2048];
        let mut times = Vec::with_capacity(TRIPS);
        for _ in 0..TRIPS {
            let begin = Instant::now();
            one.send(&there)?;
            recv(other.as_fd(), &mut buffer[..], RecvFlags::empty())?;
            other.send(&back)?;
            recv(one.as_fd(), &mut buffer[..], RecvFlags::empty())?;
            times.push(begin.elapsed().as_secs_f64() * 1e6 / 2.0);
        }
        Ok(median(times))
    }
}

/// Waits until something can be read.
fn wait(plugs: &[Plug]) -> Result<()> {
    let mut polled: Vec<_> = plugs.iter().map(|plug| PollFd::new(plug, PollFlags::IN)).collect();
    let limit = rustix::event::Timespec { tv_sec: 10, tv_nsec: 0 };
    if poll(&mut polled, Some(&limit))? == 0 { Err("frames were dropped".into()) } else { Ok(()) }
}

/// A frame of one client to another, or to all.
fn frame(to: Option<usize>, from: usize, size: usize) -> Vec<u8> {
    let address = |client: usize| [2, 0, 0, 0, 0, client as u8];
    let mut frame = [to.map_or([0xff; 6], address), address(from)].concat();
    // UDP over IPv4, as far as a switch looks.
    frame.extend([8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17]);
    frame.resize(size, 0);
    frame
}

/// Where the kernel tells the processor time of the fabric that was started last.
fn newest_fabric() -> Result<PathBuf> {
    let mut tasks: Vec<u32> = Vec::new();
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?;
        if fs::read_to_string(task.path().join("comm"))?.trim() == "fabric" {
            tasks.push(task.file_name().to_string_lossy().parse()?);
        }
    }
    let newest = tasks.into_iter().max().ok_or("there is no thread of a fabric")?;
    Ok(PathBuf::from(format!("/proc/self/task/{newest}/schedstat")))
}

/// Seconds on a processor, from the scheduler's own account in nanoseconds.
fn processor_time(schedstat: &PathBuf) -> Result<f64> {
    let text = fs::read_to_string(schedstat)?;
    let first = text.split_whitespace().next().ok_or("no time on the processor is told")?;
    Ok(first.parse::<f64>()? / 1e9)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
