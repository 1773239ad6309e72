//! The command line: what can be asked, and what the defaults are.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use clap::builder::Styles;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use model::Subnet;

use super::offered::SpecificationKind;
use super::parameters::ParameterOptions;
use super::results::ResultOptions;
use crate::config::{Config, range, some};
use crate::exit;
use crate::regressions::Seed;

/// How many cases are run to find out what matters, unless something else is asked for.
const PROBES: u32 = 100;

/// How often a failure is run again at most, unless something else is asked for.
const RERUNS: u32 = 10;

/// What the help of the whole command ends with.
const AFTER_HELP: &str = concat!(
    "Options can be kept in netprop.toml, in the current directory or one that it lies in, under their \
names (jobs = 2), for one command in a table named after it ([run]). Options win over the environment, \
the environment over the file, the file over defaults; netprop config says what holds.\n\n",
    "Exit status: 0 the property holds, 1 it is falsified, 2 wrong use, \
3 inconclusive (the infrastructure failed), 4 a component is missing, 130 stopped."
);

/// How `error:` looks.
pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
/// How `warning:` looks.
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Tests whole networks of machines by property.
#[derive(Debug, Parser)]
#[command(name = "netprop", version, after_help = AFTER_HELP, styles = Styles::styled())]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Generate networks of machines and test them
    Run(Box<RunOptions>),
    /// Run a failing case again from its replay file
    Replay(ReplayOptions),
    /// Make a failing case smaller, from where a run has ended
    Shrink(ShrinkOptions),
    /// Bring a network to just before what failed in a case, and look at it from inside
    Resume(ResumeOptions),
    /// Boot a network to play with, without a specification
    Shell(ShellOptions),
    /// Make a page that shows a failing case: one HTML file that needs nothing else
    Report(ReportOptions),
    /// Put a failing case into one file with all that it was found with, for somebody else
    Bundle(BundleOptions),
    /// Print a failing case as a test that stands alone, in Rust or for NixOS
    Export(super::export::ExportOptions),
    /// Show two runs of a case side by side, and where they differ first
    Diff(super::diff::DiffOptions),
    /// Say whether a recorded history is linearizable
    Check(CheckOptions),
    /// Say whether everything that a run needs is here
    Doctor(DoctorOptions),
    /// End and remove what killed runs have left
    Clean(CleanOptions),
    /// Say what each option of a command is, and where that comes from
    Config(ConfigOptions),
    /// Print the XML that libvirt would be given for the machines of a network, and build their images
    Xml(Box<XmlOptions>),
    /// Print what makes a shell complete the commands and options
    Completions(CompletionsOptions),
    /// Write a page for man of each command
    Man(ManOptions),
}

#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct RunOptions {
    /// What is tested: machines that boot, power off, ping each other and change their software
    /// (machines), or that and what they do under partitions, pauses, power cuts, full disks and wrong
    /// clocks (faults)
    #[arg(long, default_value = "machines")]
    pub(crate) specification: SpecificationKind,
    /// How many cases to generate
    #[arg(long, value_name = "N", env = "PROPTEST_CASES", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) cases: u32,
    /// How many cases run side by side, as far as this host has room for their networks
    #[arg(long, value_name = "N", env = "NETPROP_JOBS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) jobs: u32,
    /// How many machines a network has
    #[arg(long, value_name = "MIN..MAX", default_value = "1..4", value_parser = range)]
    pub(crate) machines: RangeInclusive<usize>,
    /// How many commands a case has
    #[arg(long, value_name = "MIN..MAX", env = "NETPROP_COMMANDS", default_value = "5..10", value_parser = some)]
    pub(crate) commands: RangeInclusive<usize>,
    /// Of how many cases in a hundred lanes run side by side after the first commands; 0 for none
    #[arg(long, value_name = "PERCENT", default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub(crate) lane_share: u32,
    /// How many lanes such a case has
    #[arg(long, value_name = "MIN..MAX", default_value = "2", value_parser = range)]
    pub(crate) lanes: RangeInclusive<usize>,
    /// How many commands a lane has
    #[arg(long, value_name = "MIN..MAX", default_value = "1..4", value_parser = some)]
    pub(crate) lane_commands: RangeInclusive<usize>,
    /// The seed of the first case: a number, or 64 hexadecimal digits
    #[arg(long, env = "PROPTEST_RNG_SEED")]
    pub(crate) seed: Option<Seed>,
    /// The subnet of the data network
    #[arg(long, default_value_t)]
    pub(crate) subnet: Subnet,
    /// Leave the network of a case that fails standing, and look at it from inside, before anything is made
    /// smaller
    #[arg(long)]
    pub(crate) keep_on_failure: bool,
    /// What the generated cases are to meet: values, pairs of values, or whatever comes
    #[arg(long, default_value = "pairs")]
    pub(crate) coverage: CoverageKind,
    /// How many cases may be run to find out what matters in the smallest one; 0 for none
    #[arg(long, value_name = "N", default_value_t = PROBES)]
    pub(crate) probes: u32,
    /// Where failing cases are kept, and run from first
    #[arg(long, value_name = "DIR", env = "NETPROP_FAILURES", default_value = "netprop-failures")]
    pub(crate) failures: PathBuf,
    #[command(flatten)]
    pub(crate) parameters: ParameterOptions,
    #[command(flatten)]
    pub(crate) limits: ShrinkLimits,
    #[command(flatten)]
    pub(crate) lab: LabOptions,
    #[command(flatten)]
    pub(crate) results: ResultOptions,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct ReplayOptions {
    /// The replay file that a failing run has written
    pub(crate) file: PathBuf,
    /// Print the case as a Rust #[test] that stands alone, and run nothing
    #[arg(long, conflicts_with = "probe")]
    pub(crate) as_test: bool,
    /// Write all that goes through its network to this file, which Wireshark reads
    #[arg(long, value_name = "FILE")]
    pub(crate) capture: Option<PathBuf>,
    /// Write what came in this run to this file, whatever the verdict, for `diff`
    #[arg(long, value_name = "FILE", conflicts_with = "as_test")]
    pub(crate) record: Option<PathBuf>,
    /// Find out what matters in the case, going on where it ended before; the file keeps it
    #[arg(long)]
    pub(crate) probe: bool,
    /// How many cases may be run for that
    #[arg(long, value_name = "N", default_value_t = PROBES, requires = "probe", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) probes: u32,
    #[command(flatten)]
    pub(crate) lab: LabOptions,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct ResumeOptions {
    /// The replay file that a failing run has written
    pub(crate) file: PathBuf,
    /// The number of the command that is to come next [default: that of the one that failed]
    #[arg(long, value_name = "N")]
    pub(crate) at: Option<usize>,
    #[command(flatten)]
    pub(crate) lab: LabOptions,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct ShellOptions {
    /// The network in JSON, as `network` prints it in such a shell [default: one that is generated]
    pub(crate) network: Option<PathBuf>,
    /// How many machines one has that is generated
    #[arg(long, value_name = "N", default_value_t = 2, conflicts_with = "network")]
    pub(crate) machines: usize,
    #[command(flatten)]
    pub(crate) lab: LabOptions,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct ReportOptions {
    /// The replay file that a failing run has written, or the record beside it (.record.json)
    pub(crate) file: PathBuf,
    /// Where to write the page [default: beside the record, as .html]
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct BundleOptions {
    /// The replay file that a failing run has written; with --unpack a bundle
    pub(crate) file: PathBuf,
    /// Where to write the bundle [default: beside the file, as .bundle.json], or the replay file
    #[arg(long = "output", value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// Take the replay file out of a bundle, and the record beside it
    #[arg(long)]
    pub(crate) unpack: bool,
    #[command(flatten)]
    pub(crate) lab: LabOptions,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

#[derive(Debug, Args)]
#[command(after_help = exit::CHECK_HELP)]
pub(crate) struct CheckOptions {
    /// What was used side by side: a register, or a map of strings
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: ObjectKind,
    /// Check all keys of a map together; the verdict is the same, the search is harder
    #[arg(long)]
    pub(crate) whole: bool,
    /// How long reading, searching and making evidence may take together, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// How much memory the history, the search and the evidence may take together, in MiB, about
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) memory: u32,
    /// Print the verdict and the evidence as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// The history, one operation a line as JSON, or Jepsen's EDN; - reads standard input
    pub(crate) history: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct ShrinkOptions {
    /// The replay file that a failing run has written; it keeps each smaller case that is found
    pub(crate) file: PathBuf,
    /// How many smaller cases run side by side, as far as this host has room for their networks
    #[arg(long, value_name = "N", env = "NETPROP_JOBS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) jobs: u32,
    /// How many cases may be run to find out what matters in the smallest one; 0 for none
    #[arg(long, value_name = "N", default_value_t = PROBES)]
    pub(crate) probes: u32,
    #[command(flatten)]
    pub(crate) limits: ShrinkLimits,
    #[command(flatten)]
    pub(crate) lab: LabOptions,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

/// What making a failing case smaller may cost.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Shrinking")]
pub(crate) struct ShrinkLimits {
    /// How many smaller cases may be run [default: 1000]
    #[arg(long, value_name = "N", env = "PROPTEST_MAX_SHRINK_ITERS")]
    pub(crate) shrink_runs: Option<u32>,
    /// How long that may take, in seconds [default: PROPTEST_MAX_SHRINK_TIME, or no limit]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) shrink_time: Option<Duration>,
    /// How often at most a failure is run again to see how often it comes; 0 takes it to come always
    #[arg(long, value_name = "N", default_value_t = RERUNS)]
    pub(crate) reruns: u32,
}

#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct DoctorOptions {
    #[command(flatten)]
    pub(crate) lab: LabOptions,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct CleanOptions {
    /// Where the directories of runs lie [default: a directory of the user's among temporary files]
    #[arg(long, value_name = "DIR", env = "NETPROP_RUNTIME_DIR")]
    pub(crate) run_directory: Option<PathBuf>,
    /// Remove all snapshots too that are kept between runs and not in use; machines boot until they are
    /// made anew
    #[arg(long)]
    pub(crate) snapshots: bool,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct XmlOptions {
    /// The network as JSON, such as nixgen/examples/network.json; - reads standard input
    pub(crate) network: PathBuf,
    #[command(flatten)]
    pub(crate) lab: LabOptions,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsOptions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManOptions {
    /// Where the pages go; it is made where it is not there
    pub(crate) directory: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigOptions {
    /// The command
    #[arg(default_value = "run", value_parser = ["run", "replay", "shrink", "doctor", "clean", "xml"])]
    pub(crate) command: String,
}

/// What machines are made of and run by.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Machines")]
pub(crate) struct LabOptions {
    /// What runs the commands: machines, or a simulation that tests only the runner
    #[arg(long, default_value = "libvirt")]
    pub(crate) system: SystemKind,
    /// What guests are made of
    #[arg(long, default_value = "auto")]
    pub(crate) base: BaseKind,
    /// The libvirt to use [default: one inside this process]
    #[arg(long, value_name = "URI")]
    pub(crate) connect: Option<String>,
    /// How processors are run; auto finds out by a canary boot
    #[arg(long, default_value = "auto")]
    pub(crate) accel: AccelKind,
    /// What machines are plugged into: a switch inside this process for each network (fabric), a
    /// vde_switch for each (vde), or an existing VDE switch, by the path of its control directory
    #[arg(long, value_name = "fabric|vde|PATH", default_value = "fabric", value_hint = ValueHint::Other)]
    pub(crate) switch: PathBuf,
    /// How SSH reaches machines: forwarded from loopback, or at their address over the switch
    #[arg(long, default_value = "forwarded")]
    pub(crate) reach: ReachKind,
    /// The private key that guests let in as root [default: netprop's test key]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// How machines come to the start of a case: made anew and booted (cold); begun from a snapshot
    /// of their kind, or put back to what they were where an earlier case had the same ones (warm);
    /// or warm once their kind was booted in this run, and where a failing case is run again and made
    /// smaller (auto)
    #[arg(long, default_value = "auto")]
    pub(crate) boot: BootKind,
    /// How much room the snapshots may take up that are kept between runs, in MiB; what was
    /// used least recently goes first
    #[arg(long, value_name = "MIB", default_value_t = 4096)]
    pub(crate) snapshots_bound: u64,
    /// Make networks whatever memory and cores this host has, and do not wait for room
    #[arg(long)]
    pub(crate) overcommit: bool,
    /// How long a machine may take to boot, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds)]
    pub(crate) boot_limit: Duration,
    /// How long a command may take before the run ends since it never returns, in seconds, with
    /// the build of an upgrade; 0 for as long as it does
    #[arg(long, value_name = "SECONDS", default_value_t = 3 * 3600)]
    pub(crate) command_limit: u64,
    /// How long making a network or taking it down may take before the run ends since it never
    /// does, in seconds, with the build of its images; 0 for as long as it does
    #[arg(long, value_name = "SECONDS", default_value_t = 6 * 3600)]
    pub(crate) system_limit: u64,
    /// Where the directories of runs lie [default: a directory of the user's among temporary files]
    #[arg(long, value_name = "DIR", env = "NETPROP_RUNTIME_DIR")]
    pub(crate) run_directory: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) nixos: super::nixos::Options,
}

impl LabOptions {
    /// A configuration with how long commands and systems may take.
    pub(crate) fn limited(&self, config: Config) -> Config {
        let command_limit = Some(Duration::from_secs(self.command_limit));
        let system_limit = Some(Duration::from_secs(self.system_limit));
        Config { command_limit, system_limit, ..config }
    }
}

/// How much is said, and in what form.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputOptions {
    /// Say more: each command and what is covered; -vv also what netprop does itself; -vvv everything
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say only what failed
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// human, or json: each event as a JSON object in a line on standard output, with what is for people
    /// on standard error
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(crate) message_format: MessageFormat,
}

impl OutputOptions {
    /// Whether only failures are told: a file may ask for it, and an option for more.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet && self.verbose == 0
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum SystemKind {
    Libvirt,
    Simulated,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum CoverageKind {
    None,
    Values,
    Pairs,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum BaseKind {
    Auto,
    Nixos,
    Debian,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum AccelKind {
    Auto,
    Kvm,
    Tcg,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum BootKind {
    Auto,
    Cold,
    Warm,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ReachKind {
    Forwarded,
    Direct,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ObjectKind {
    Register,
    Map,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum MessageFormat {
    Human,
    Json,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("give a whole number of seconds, 1 or more".to_owned()),
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn ranges_include_both_ends() {
        assert_eq!(range("1..4"), Ok(1..=4));
        assert_eq!(range("1..=4"), Ok(1..=4));
        assert_eq!(range("3"), Ok(3..=3));
        for text in ["", "4..1", "a", "1..", "..2", "-1..2", "1..2..3"] {
            assert!(range(text).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn a_run_has_something_to_run() {
        for option in ["--commands", "--lane-commands"] {
            let said = Cli::try_parse_from(["netprop", "run", option, "0..0"]).unwrap_err().to_string();
            assert!(said.contains(option) && said.contains("nothing to run"), "{said}");
            assert!(Cli::try_parse_from(["netprop", "run", option, "0..1"]).is_ok());
        }
    }
}
