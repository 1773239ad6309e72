//! Disks of machines under libvirt that fail, as guest and host see them. What every backend has to do
//! is in the contract; this is what only a real machine can show.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use hypervisor::{
    Access, ConnectOptions, Definition, DiskFault, Error, Event, Failing, Hypervisor, Libvirt, Lost, Machine,
    RunDirectory, Slowness, Snapshot, State, Survival, Survives, boot, resume,
};

use crate::guest::Guest;
use crate::support::{in_own_process, mentioning};

const LIMIT: Duration = Duration::from_secs(60);

/// A machine that has booted, and the file of its disk.
struct Booted {
    machine: Box<dyn Machine>,
    disk: PathBuf,
    run: RunDirectory,
}

impl Booted {
    fn new(definition: impl FnOnce(&Guest, &Path) -> Definition) -> Self {
        let guest = Guest::find().unwrap();
        let run = RunDirectory::create(None, Access::Owner).unwrap();
        let libvirt = Libvirt::connect(&run, &ConnectOptions::default()).unwrap();
        let mut machine = libvirt.define(&definition(&guest, run.path())).unwrap();
        boot(&mut *machine, "end\n", LIMIT).unwrap();
        Self { machine, disk: run.path().join("m.qcow2"), run }
    }

    fn savable() -> Self {
        Self::new(|guest, run| guest.savable(run, "m"))
    }

    fn ask(&mut self, line: &str, answer: &str) {
        self.machine.send(line).unwrap();
        let event = self.machine.next_event(Instant::now() + LIMIT);
        assert_eq!(event, Event::Control(answer.to_owned()), "{line}: {}", self.machine.console());
    }

    fn set(&mut self, fault: DiskFault) {
        self.machine.set_disk_fault(&self.disk, fault).unwrap();
    }

    fn go_back(&mut self, snapshot: &Snapshot) {
        self.machine.revert(snapshot).unwrap();
        resume(&mut *self.machine, "0 00", LIMIT).unwrap();
    }

    fn record(&self) -> PathBuf {
        self.run.path().join("m.qcow2.writes")
    }

    /// What is in each sector of a block of the disk, which no process has in use.
    fn words(&self, number: usize) -> Vec<String> {
        let raw = self.run.path().join("m.raw");
        let program =
            Command::new("qemu-img").args(["convert", "-O", "raw"]).args([&self.disk, &raw]).output();
        assert!(program.as_ref().unwrap().status.success(), "{program:?}");
        let content = fs::read(raw).unwrap();
        let sectors = content[number * 4096..][..4096].chunks(512);
        sectors.map(|sector| String::from_utf8_lossy(sector).trim_matches(['\0', ' ']).to_owned()).collect()
    }

    /// The first letter of each.
    fn block(&self, number: usize) -> String {
        self.words(number).iter().map(|word| word.chars().next().unwrap_or('-')).collect()
    }

    /// How long it takes to keep sixteen blocks.
    fn writes(&mut self) -> Duration {
        let begin = Instant::now();
        for block in 16..32 {
            self.ask(&format!("keep {block} slowly"), "kept");
        }
        begin.elapsed()
    }
}

/// What `qemu-img` says of a disk that nobody uses, when it has nothing to complain of.
fn qemu_img(arguments: &[&str], disk: &Path) -> String {
    let output = Command::new("qemu-img").args(arguments).arg(disk).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_slow_disk_is_slow_until_it_is_not() {
    in_own_process("disk_faults::a_slow_disk_is_slow_until_it_is_not", || {
        let mut booted = Booted::savable();
        let healthy = booted.writes();
        for slowness in [Slowness::bytes(8 << 10).unwrap(), Slowness::operations(2).unwrap()] {
            booted.set(DiskFault::Slow(slowness));
            let slow = booted.writes();
            // Eight seconds' worth, of which a tenth of a second's may come at once: far more than a busy
            // host takes without.
            assert!(slow > Duration::from_secs(7), "{slowness:?}: {slow:?}");
            booted.set(DiskFault::Healthy);
            let again = booted.writes();
            assert!(again < slow / 2, "{again:?} after {slow:?}, and {healthy:?} before");
        }
        // What waits for its turn ends where the disk is fast again.
        booted.set(DiskFault::Slow(Slowness::bytes(1).unwrap()));
        booted.machine.send("keep 16 one").unwrap();
        booted.machine.send("keep 17 two").unwrap();
        // What may come at once may be enough for the first.
        let first = booted.machine.next_event(Instant::now() + Duration::from_secs(1));
        booted.set(DiskFault::Healthy);
        // By the limit they would take minutes.
        for _ in usize::from(first != Event::Timeout {})..2 {
            assert_eq!(booted.machine.next_event(Instant::now() + LIMIT), Event::Control("kept".to_owned()));
        }
        booted.ask("get 17", "two two two two two two two two");
    });
}

#[test]
fn what_a_disk_cannot_do_is_told() {
    in_own_process("disk_faults::what_a_disk_cannot_do_is_told", || {
        let mut booted = Booted::new(|guest, run| {
            let mut definition = guest.definition(run, "m", "");
            definition.xml = definition.xml.replace(" error_policy='report'", "");
            definition
        });
        let disk = booted.run.path().join("m.disk");
        let path = disk.display();
        let error = booted.machine.set_disk_fault(Path::new("/none"), DiskFault::Healthy).unwrap_err();
        assert_eq!(error.to_string(), format!("machine m writes to no disk /none: its disks are {path}"));
        let error = booted.machine.set_disk_fault(&disk, DiskFault::Full).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "could not set a fault of disk {path} of machine m: its errors would not reach the guest: give its <driver> error_policy='report'"
            )
        );
        let error = booted.machine.set_volatile(&disk).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "could not make volatile disk {path} of machine m: it is raw, and what is lost can be taken back of qcow2 alone"
            )
        );
        assert_eq!(booted.machine.state(), State::Running);
        booted.machine.set_disk_fault(&disk, DiskFault::Errors(Failing::Writes)).unwrap();
        booted.ask("keep 8 never", "not kept");
        booted.machine.set_disk_fault(&disk, DiskFault::Healthy).unwrap();
        booted.ask("keep 8 x", "kept");
    });
}

/// What a disk of [`one_cut`] is afterwards.
type Blocks = Vec<String>;

/// One life that ends in a power cut with this seed, with writes that are always the same.
fn one_cut(booted: &mut Booted, snapshot: &Snapshot, seed: u64) -> (Lost, Blocks) {
    booted.go_back(snapshot);
    booted.ask("put 10 before", "put");
    booted.machine.set_volatile(&booted.disk).unwrap();
    for block in 11..14 {
        booted.ask(&format!("put {block} flushed"), "put");
    }
    booted.ask("keep 14 kept", "kept");
    for (block, word) in [(12, "a"), (13, "b"), (15, "c"), (12, "d")] {
        booted.ask(&format!("put {block} {word}"), "put");
    }
    let lost = booted.machine.power_cut_losing(seed).unwrap();
    assert_eq!(booted.machine.state(), State::Off);
    (lost, (10..16).map(|block| booted.block(block)).collect())
}

/// What it has to be, as the fates say.
fn expected(seed: u64) -> Blocks {
    let word = |letter: &str| letter.repeat(8);
    let mut blocks: Blocks = ["b", "f", "f", "f", "k", "-"].map(word).into();
    for (number, (block, letter)) in (0..).zip([(2, 'a'), (3, 'b'), (5, 'c'), (2, 'd')]) {
        let survive = match Survival::new(seed).of(number, 8) {
            Survives::Kept => vec![true; 8],
            Survives::Dropped => vec![false; 8],
            Survives::Torn(survive) => survive,
        };
        let old = blocks[block].chars().zip(survive);
        blocks[block] = old.map(|(old, survives)| if survives { letter } else { old }).collect();
    }
    blocks
}

#[test]
fn a_power_cut_loses_what_was_not_flushed_and_nothing_else() {
    in_own_process("disk_faults::a_power_cut_loses_what_was_not_flushed_and_nothing_else", || {
        let mut booted = Booted::savable();
        let snapshot = booted.machine.save().unwrap();
        let (mut all, mut total) = (HashSet::new(), Lost::default());
        for seed in 0..24 {
            let (lost, blocks) = one_cut(&mut booted, &snapshot, seed);
            assert_eq!(blocks, expected(seed), "seed {seed}: {lost}");
            assert_eq!(lost.kept + lost.dropped + lost.torn, 4);
            total += lost;
            all.insert(blocks);
        }
        assert!(total.kept > 0 && total.dropped > 0 && total.torn > 0, "{total}");
        assert!(all.len() > 8, "seeds differ: {all:?}");
        assert_eq!(one_cut(&mut booted, &snapshot, 3), one_cut(&mut booted, &snapshot, 3));

        assert!(!booted.record().exists(), "no record is left");
        assert_eq!(mentioning(booted.run.path()), [""; 0], "and no process");
        assert_eq!(qemu_img(&["snapshot", "-l"], &booted.disk).matches("netprop-").count(), 1);
        qemu_img(&["check", "-q"], &booted.disk);
        // The guest reads what the host does.
        boot(&mut *booted.machine, "end\n", LIMIT).unwrap();
        let letters = |word: &str| word.chars().map(|letter| letter.to_string()).collect::<Vec<_>>();
        let words: Vec<String> = letters(&expected(3)[2])
            .iter()
            .map(|letter| if letter == "f" { "flushed".to_owned() } else { letter.clone() })
            .collect();
        booted.ask("get 12", &words.join(" "));
    });
}

#[test]
fn whatever_the_guest_was_told_of_is_there() {
    in_own_process("disk_faults::whatever_the_guest_was_told_of_is_there", || {
        let mut booted = Booted::savable();
        let snapshot = booted.machine.save().unwrap();
        for seed in 0..20 {
            booted.go_back(&snapshot);
            booted.ask("keep 8 0", "kept");
            booted.machine.set_volatile(&booted.disk).unwrap();
            booted.machine.send("count 8").unwrap();
            // The power is cut at some moment of what it does next.
            for _ in 0..=seed % 5 {
                booted.machine.next_event(Instant::now() + LIMIT);
            }
            std::thread::sleep(Duration::from_millis(seed * 7 % 50));
            let lost = booted.machine.power_cut_losing(seed).unwrap();
            let mut told = seed % 5 + 1;
            while let Event::Control(line) = booted.machine.next_event(Instant::now()) {
                told = line.parse().unwrap();
            }
            let numbers = |block| booted.words(block).into_iter().map(|word| word.parse().unwrap_or(0));
            for number in numbers(8) {
                // The next may be on its way.
                assert!(
                    (told..=told + 1).contains(&number),
                    "seed {seed}: {told} was kept: {number}; {lost}"
                );
            }
            for number in numbers(9) {
                assert!(
                    (told - 1..=told + 1).contains(&number),
                    "seed {seed}: {told} was kept: {number}; {lost}"
                );
            }
        }
    });
}

#[test]
fn a_plain_power_cut_keeps_what_was_flushed() {
    in_own_process("disk_faults::a_plain_power_cut_keeps_what_was_flushed", || {
        let mut booted = Booted::savable();
        let snapshot = booted.machine.save().unwrap();
        for round in 0..12 {
            booted.go_back(&snapshot);
            if round % 2 == 1 {
                booted.machine.set_volatile(&booted.disk).unwrap();
            }
            for block in 8..24 {
                booted.ask(&format!("put {block} flushed"), "put");
            }
            booted.ask("keep 24 kept", "kept");
            booted.machine.send("put 25 under way").unwrap();
            booted.machine.power_cut().unwrap();
            for block in [8, 16, 23] {
                assert_eq!(booted.block(block), "ffffffff", "round {round}, block {block}");
            }
            assert_eq!(booted.block(24), "kkkkkkkk", "round {round}");
            assert!(!booted.record().exists());
        }
    });
}

#[test]
fn a_record_goes_with_what_it_is_of() {
    in_own_process("disk_faults::a_record_goes_with_what_it_is_of", || {
        let mut booted = Booted::savable();
        let size = |booted: &Booted| fs::metadata(booted.record()).unwrap().len();
        booted.machine.set_volatile(&booted.disk).unwrap();
        assert_eq!(size(&booted), 0);
        booted.ask("keep 8 kept", "kept");
        assert!(size(&booted) > 4096);
        // A second call keeps what was written, flushed or not, and gives back the room.
        booted.ask("put 9 put", "put");
        booted.machine.set_volatile(&booted.disk).unwrap();
        assert_eq!(size(&booted), 0);
        assert_eq!(booted.machine.power_cut_losing(1).unwrap(), Lost::default());
        assert_eq!((booted.block(8), booted.block(9)), ("kkkkkkkk".to_owned(), "pppppppp".to_owned()));

        boot(&mut *booted.machine, "end\n", LIMIT).unwrap();
        booted.machine.set_volatile(&booted.disk).unwrap();
        booted.machine.send("poweroff").unwrap();
        assert_eq!(booted.machine.next_event(Instant::now() + LIMIT), Event::Ended);
        let refused = booted.machine.power_cut_losing(1);
        assert!(matches!(refused, Err(Error::WrongState { .. })), "{refused:?}");
        boot(&mut *booted.machine, "end\n", LIMIT).unwrap();
        assert!(!booted.record().exists(), "it goes with its life");
        assert_eq!(qemu_img(&["snapshot", "-U", "-l"], &booted.disk), "");

        booted.machine.set_volatile(&booted.disk).unwrap();
        let record = booted.record();
        booted.machine.undefine().unwrap();
        assert!(!record.exists(), "it goes with its machine");
        assert_eq!(qemu_img(&["snapshot", "-l"], &booted.disk), "");
    });
}

#[test]
fn a_damaged_record_is_told() {
    in_own_process("disk_faults::a_damaged_record_is_told", || {
        let mut booted = Booted::savable();
        booted.machine.set_volatile(&booted.disk).unwrap();
        booted.ask("keep 8 kept", "kept");
        let at = fs::metadata(booted.record()).unwrap().len();
        OpenOptions::new().append(true).open(booted.record()).unwrap().write_all(b"damage").unwrap();
        let error = booted.machine.power_cut_losing(1).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "could not lose writes of disk {} of machine m: its record of writes is damaged at byte {at}: an entry ends in the middle",
                booted.disk.display()
            )
        );
        assert_eq!(booted.machine.state(), State::Off);
    });
}
