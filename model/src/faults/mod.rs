//! Machines under faults: an extended specification, whose commands are faults of the network, of
//! machines, their disks and their clocks, and what shows what they did.
//!
//! What each fault leaves open, and why:
//! - A ping over a way that loses frames may be answered or not. One over a way that is slow, or that
//!   duplicates or reorders frames, is answered: it is waited for longer than all delays.
//! - A file that was written and not synced is found after a power cut as it was, as it was before, or
//!   empty: file systems promise no order between a name and its content. Once it was read it stays so.
//! - What is written to a disk that has failed, or was synced to it since, may be kept or not, and a reader
//!   may be told of an error: file systems give up until they are mounted anew. What was synced before is kept.
//! - A write to a full disk may find room all the same: file systems keep some back.
//! - A clock may be read a moment before or after the host's: [`CLOCK_TOLERANCE`] seconds are allowed.
//! - A command is a moment for all others: of a clock that jumps to and fro, or a service that is started again,
//!   other lanes are told how it was before or after, so a system has whoever asks wait until that is done.
//! - A clock that has run fast may be ahead by any more, and one that has run slow behind: a model has no time.

use std::borrow::Cow;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::SBoxedStrategy;

use crate::factor::Choice;
use crate::generate::{BoundsError, NetworkParameters};
use crate::machine::{Machine, MachineId};
use crate::machines::show_network;
use crate::network::Network;
use crate::scene::{Role, Scene};
use crate::specification::{Model, plainer_states};
use crate::weighted::weighted;

mod clock;
mod command;
mod disk;
mod links;
mod scene;
mod service;
mod world;

pub use clock::{Drift, DriftError, Pace};
pub use command::{Command, Response};
pub use disk::{Ailment, Disk, Found, Kibibytes, KibibytesError};
pub use links::{Lateness, LatenessError, Links, Percent, PercentError, Quality, Way};
pub use service::{Act, Service, Strain};
pub use world::{Reach, Why, World};

/// By how many seconds a clock may seem off: a machine that is asked has to be reached, and a guest tells
/// the time in whole seconds where it is set.
pub const CLOCK_TOLERANCE: i64 = 5;

/// The files that are written to.
const FILES: std::ops::Range<u8> = 0..3;

/// The specification of [`Command`].
#[derive(Clone, Debug)]
pub struct FaultSpec {
    bounds: NetworkParameters,
    networks: SBoxedStrategy<Network>,
}

impl FaultSpec {
    /// Tests networks within these bounds.
    ///
    /// # Errors
    /// What [`NetworkParameters::check`] says.
    pub fn new(bounds: NetworkParameters) -> Result<Self, BoundsError> {
        Ok(Self { networks: bounds.strategy()?, bounds })
    }
}

fn links(all: Vec<MachineId>) -> impl Strategy<Value = Links> {
    let pair =
        (select(all.clone()), select(all.clone())).prop_filter("two machines", |(one, other)| one != other);
    let one = select(all);
    prop_oneof![
        3 => pair.clone().prop_map(|(from, to)| Links::OneWay { from, to }),
        2 => pair.prop_map(|(one, other)| Links::Between(one, other)),
        2 => one.clone().prop_map(Links::Alone),
        1 => Just(Links::Halves),
        1 => one.prop_map(Links::Bridge),
        1 => Just(Links::Ring),
        1 => Just(Links::All),
    ]
}

fn quality() -> impl Strategy<Value = Quality> {
    let percent = |most: u8| (1..=most).prop_filter_map("a share", |percent| Percent::new(percent).ok());
    let late = |most: u16| (0..=most).prop_filter_map("a delay", |late| Lateness::new(late).ok());
    prop_oneof![
        (late(400), late(200)).prop_map(|(delay, jitter)| Quality::Slow { delay, jitter }),
        percent(60).prop_map(Quality::Lossy),
        percent(100).prop_map(Quality::Duplicating),
        percent(60).prop_map(Quality::Reordering),
        percent(60).prop_map(Quality::Corrupting),
        (64..1000_u32).prop_map(|kilobits| Quality::Narrow { kilobits }),
    ]
}

fn ailment() -> impl Strategy<Value = Ailment> {
    let slow = (Kibibytes::LEAST..4096).prop_filter_map("a rate", |rate| Kibibytes::new(rate).ok());
    let failing = vec![Ailment::Reads, Ailment::Writes, Ailment::Flushes, Ailment::All];
    prop_oneof![slow.prop_map(Ailment::Slow), select(failing)]
}

/// Seconds by which a clock is set: few enough to look right, or many.
fn seconds() -> impl Strategy<Value = i32> {
    prop_oneof![30..600, -600..-29, 86_400..1_000_000, -1_000_000..-86_399]
}

/// A clock that runs fast or slow, or is put right.
fn drift() -> impl Strategy<Value = Drift> {
    (-Drift::MOST..=Drift::MOST).prop_filter_map("a pace", |percent| Drift::new(percent).ok())
}

impl Model for FaultSpec {
    type State = World;
    type Command = Command;
    type Response = Response;

    fn name(&self) -> String {
        "faults".to_owned()
    }

    fn gen_initial_state(&self) -> BoxedStrategy<World> {
        let worlds = (self.networks.clone(), any::<u64>().no_shrink());
        worlds.prop_map(|(network, seed)| World { seed, ..network.into() }).boxed()
    }

    /// Faults come with commands.
    fn initial_pre_condition(&self, world: &World) -> bool {
        world.is_pristine()
    }

    fn gen_command(&self, world: &World) -> BoxedStrategy<Command> {
        let machines = world.network.machines();
        let of = |is_so: &dyn Fn(&Machine) -> bool| -> Vec<MachineId> {
            machines.iter().filter(|machine| is_so(machine)).map(|machine| machine.id.clone()).collect()
        };
        let (all, usable) = (of(&|_| true), of(&|machine| world.is_usable(&machine.id)));
        let (off, on) = (of(&|machine| !machine.running), of(&|machine| machine.running));
        let paused: Vec<_> = world.paused.iter().cloned().collect();
        let full: Vec<_> = usable.iter().filter(|id| world.full.contains(id)).cloned().collect();
        let roomy: Vec<_> = usable.iter().filter(|id| !world.full.contains(id)).cloned().collect();
        let if_any = |ids: &[MachineId], weight: u32| if ids.is_empty() { 0 } else { weight };
        let if_two = |weight: u32| if all.len() > 1 { weight } else { 0 };
        let which = |ids: &[MachineId]| select(ids.to_vec());
        let free_ways = move |links: &Links, world: &World| {
            let ways = links.ways(&world.network.ids());
            !ways.is_empty() && !world.worse.iter().any(|(way, _)| ways.contains(way))
        };
        let ways = {
            let (all, world) = (all.clone(), world.clone());
            move || {
                links(all).prop_filter("ways that are as they were", move |links| free_ways(links, &world))
            }
        };
        let has_free = if_two(1) > 0 && world.worse.is_empty();
        weighted()
            .or(if_any(&off, 6), || which(&off).prop_map(Command::Boot))
            .or(if_any(&on, 2), || which(&on).prop_map(Command::PowerCut))
            .or(if_any(&usable, 1), || which(&usable).prop_map(Command::ShutDown))
            .or(if_any(&usable, 1), || which(&usable).prop_map(Command::Reboot))
            .or(if_any(&usable, 2), || which(&usable).prop_map(Command::Pause))
            .or(if_any(&paused, 6), || which(&paused).prop_map(Command::Resume))
            .or(if_any(&usable, 10), || {
                (which(&usable), which(&all)).prop_map(|(from, to)| Command::Ping { from, to })
            })
            .or(if_two(4), || links(all.clone()).prop_map(Command::Cut))
            .or(u32::from(has_free) * 3, || {
                (ways(), quality()).prop_map(|(links, quality)| Command::Worsen { links, quality })
            })
            .or(u32::from(world.is_disturbed()) * 3, || Just(Command::Heal))
            .or(if_any(&usable, 6), || {
                (which(&usable), FILES, any::<u16>()).prop_map(|(machine, file, value)| Command::Write {
                    machine,
                    file,
                    value,
                })
            })
            .or(if_any(&usable, 3), || which(&usable).prop_map(Command::Sync))
            .or(if_any(&usable, 6), || {
                (which(&usable), FILES).prop_map(|(machine, file)| Command::Read { machine, file })
            })
            .or(if_any(&usable, 2), || {
                (which(&usable), any::<u32>()).prop_map(|(machine, seed)| Command::Volatile { machine, seed })
            })
            .or(if_any(&usable, 2), || {
                (which(&usable), ailment()).prop_map(|(machine, ailment)| Command::Ail { machine, ailment })
            })
            .or(if_any(&usable, 1), || which(&usable).prop_map(Command::Mend))
            .or(if_any(&roomy, 1), || which(&roomy).prop_map(Command::Fill))
            .or(if_any(&full, 3), || which(&full).prop_map(Command::Free))
            .or(if_any(&usable, 2), || {
                (which(&usable), seconds())
                    .prop_map(|(machine, seconds)| Command::SetClock { machine, seconds })
            })
            .or(if_any(&usable, 1), || {
                (which(&usable), seconds())
                    .prop_map(|(machine, seconds)| Command::Strobe { machine, seconds })
            })
            .or(if_any(&usable, 1), || {
                (which(&usable), drift()).prop_map(|(machine, drift)| Command::Skew { machine, drift })
            })
            .or(if_any(&usable, 3), || which(&usable).prop_map(Command::AskClock))
            .or(if_any(&usable, 3), || {
                let act = select(vec![Act::Start, Act::Kill, Act::Stop, Act::Continue, Act::Restart]);
                (which(&usable), act).prop_map(|(machine, act)| Command::Service { machine, act })
            })
            .or(if_any(&usable, 2), || which(&usable).prop_map(Command::AskService))
            .or(if_any(&usable, 1), || {
                let strain = select(vec![Strain::Processors, Strain::Memory]);
                (which(&usable), strain).prop_map(|(machine, strain)| Command::Strain { machine, strain })
            })
            .or(if_any(&usable, 1), || which(&usable).prop_map(Command::Relax))
            .boxed()
    }

    fn kind(&self, command: &Command) -> Cow<'static, str> {
        command.verb().into()
    }

    fn pre_condition(&self, world: &World, command: &Command) -> bool {
        command.check(world).is_ok()
    }

    /// Each of them: a machine that another lane has changed meanwhile is left as it is.
    fn can_be_refused(&self, _command: &Command) -> bool {
        true
    }

    fn next_state(&self, world: &World, command: &Command) -> World {
        let mut world = world.clone();
        match command {
            Command::Boot(id) => world.network = world.network.with_running(id, true),
            Command::PowerCut(id) => {
                world.disk(id).power_cut();
                world.loses_memory(id);
                world.network = world.network.with_running(id, false);
            }
            Command::ShutDown(id) => {
                world.shuts_down(id);
                world.network = world.network.with_running(id, false);
            }
            Command::Reboot(id) => world.shuts_down(id),
            Command::Pause(id) => drop(world.paused.insert(id.clone())),
            Command::Resume(id) => drop(world.paused.remove(id)),
            Command::Cut(links) => world.cut.extend(links.ways(&world.network.ids())),
            Command::Worsen { links, quality } => {
                let ways = links.ways(&world.network.ids());
                world.worse.extend(ways.into_iter().map(|way| (way, *quality)));
            }
            Command::Heal => {
                world.cut.clear();
                world.worse.clear();
            }
            Command::Write { machine, file, value } => world.disk(machine).write(*file, *value),
            Command::Sync(id) => world.syncs(id),
            Command::Volatile { .. } | Command::Mend(_) => {}
            Command::Ail { machine, ailment } if ailment.breaks() => {
                world.failed.insert(machine.clone());
            }
            Command::Ail { .. } => {}
            Command::Fill(id) => drop(world.full.insert(id.clone())),
            Command::Free(id) => {
                // Of a disk that has failed it may come back.
                if !world.failed.contains(id) {
                    world.full.remove(id);
                }
            }
            Command::SetClock { machine, seconds } => {
                *world.ahead.entry(machine.clone()).or_default() += i64::from(*seconds);
            }
            Command::Skew { machine, drift } => {
                let pace = world.pace.entry(machine.clone()).or_default();
                *pace = pace.with(*drift);
            }
            Command::Service { machine, act } => match world.service(machine).after(*act) {
                Service::Down => drop(world.services.remove(machine)),
                service => drop(world.services.insert(machine.clone(), service)),
            },
            // A machine that is busy takes longer, and does what it did.
            Command::Strain { .. } | Command::Relax(_) => {}
            Command::Ping { .. }
            | Command::Read { .. }
            | Command::Strobe { .. }
            | Command::AskClock(_)
            | Command::AskService(_) => {}
        }
        world
    }

    /// A reader finds out what a power cut has left, and a writer whether there was room.
    fn next_state_after(&self, world: &World, command: &Command, response: &Response) -> World {
        match (command, response) {
            (Command::Read { machine, file }, Response::Found(found)) => {
                let mut world = world.clone();
                // Of a disk that fails, another reader may find something else.
                if !world.failed.contains(machine) {
                    world.disk(machine).was_read(*file, found);
                }
                world
            }
            (Command::Write { .. }, Response::NoRoom | Response::Failed(_)) => world.clone(),
            // They sync at their end, which may be long after the first writer was told that there is no room:
            // who has heard of no end has been promised nothing.
            (Command::Fill(id) | Command::Free(id), Response::Done) => {
                let mut world = self.next_state(world, command);
                world.syncs(id);
                world
            }
            _ => self.next_state(world, command),
        }
    }

    fn post_condition(&self, world: &World, command: &Command, response: &Response) -> bool {
        if command.is_of_disk()
            && let (Some(id), Response::Failed(_) | Response::NoRoom) = (command.runs_on(), response)
            && world.failed.contains(id)
        {
            return true;
        }
        match command {
            Command::Ping { from, to } => match (world.reach(from, to), response) {
                (Reach::Answered, Response::Pinged { answered }) => *answered,
                (Reach::Silent(_), Response::Pinged { answered }) => !*answered,
                (Reach::Either, Response::Pinged { .. }) => true,
                _ => false,
            },
            Command::Write { machine, .. } => {
                *response == Response::Done || *response == Response::NoRoom && world.full.contains(machine)
            }
            Command::Read { machine, file } => match response {
                Response::Found(found) => world.may_hold(machine, *file).contains(found),
                _ => false,
            },
            Command::SetClock { .. } | Command::Strobe { .. } | Command::Skew { .. } => {
                *response == Response::ClockSet { monotonic: true }
            }
            Command::AskClock(id) => match response {
                Response::Time { ahead } => world.may_be_ahead(id).contains(ahead),
                _ => false,
            },
            Command::AskService(id) => *response == Response::Service(world.service(id)),
            _ => *response == Response::Done,
        }
    }

    fn expectation(&self, world: &World, command: &Command) -> String {
        match command {
            Command::Ping { from, to } => match world.reach(from, to) {
                Reach::Answered => format!("answered, since {to} is on and nothing is cut"),
                Reach::Either => "answered or not, since frames are lost".to_owned(),
                Reach::Silent(why) => {
                    let why = match why {
                        Why::Off => format!("{to} is off"),
                        Why::Paused => format!("{to} is paused"),
                        Why::CutThere => format!("{from} -> {to} is cut"),
                        Why::CutBack => format!("{to} -> {from} is cut"),
                    };
                    format!("not answered, since {why}")
                }
            },
            Command::Write { machine, .. } if world.full.contains(machine) => {
                "done, or no room on the disk".to_owned()
            }
            Command::Read { machine, file } => {
                let may = world.may_hold(machine, *file);
                let mut may: Vec<_> = may.iter().map(Found::to_string).collect();
                may.extend(world.failed.contains(machine).then(|| "an error".to_owned()));
                may.join(", or ")
            }
            Command::SetClock { .. } | Command::Strobe { .. } | Command::Skew { .. } => {
                Response::ClockSet { monotonic: true }.to_string()
            }
            Command::AskClock(id) => {
                let ahead = world.ahead.get(id).copied().unwrap_or_default();
                let pace = world.pace.get(id).copied().unwrap_or_default();
                let more = match (pace.was_slow, pace.was_fast) {
                    (false, false) => "",
                    (false, true) => ", or more",
                    (true, false) => ", or less",
                    (true, true) => ", or more, or less",
                };
                format!("{ahead} s ahead, give or take {CLOCK_TOLERANCE}{more}")
            }
            Command::AskService(id) => Response::Service(world.service(id)).to_string(),
            _ => Response::Done.to_string(),
        }
    }

    fn show_command(&self, command: &Command) -> String {
        command.to_string()
    }

    fn show_response(&self, response: &Response) -> String {
        response.to_string()
    }

    fn show_state(&self, world: &World) -> String {
        show_network(&world.network)
    }

    fn show_progress(&self, world: &World) -> String {
        let power = |machine: &Machine| {
            let id = &machine.id;
            let state = match machine.running {
                true if world.paused.contains(id) => "paused",
                true => "on",
                false => "off",
            };
            format!("{id} {state}")
        };
        let mut parts: Vec<_> = world.network.machines().iter().map(power).collect();
        parts.extend(world.cut.iter().map(|(from, to)| format!("{from} -> {to} cut")));
        parts.extend(world.worse.iter().map(|((from, to), worse)| format!("{from} -> {to} {worse}")));
        for (id, disk) in &world.disks {
            for file in disk.files() {
                let may: Vec<_> = disk.may_hold(file).iter().map(Found::to_string).collect();
                parts.push(format!("file {file} of {id}: {}", may.join(" or ")));
            }
        }
        parts.extend(world.failed.iter().map(|id| format!("disk of {id} failed")));
        parts.extend(world.full.iter().map(|id| format!("disk of {id} full")));
        parts.extend(world.services.iter().map(|(id, service)| format!("service of {id} {service}")));
        parts.extend(world.ahead.iter().map(|(id, ahead)| format!("clock of {id} {ahead} s ahead")));
        parts.extend(world.pace.iter().map(|(id, pace)| format!("clock of {id} {}", pace.drift)));
        parts.join(", ")
    }

    fn scene(&self, world: &World) -> Option<Scene> {
        Some(scene::of(world))
    }

    fn role(&self, command: &Command) -> Role {
        scene::role(command)
    }

    fn concerns(&self, command: &Command) -> Vec<String> {
        command.machines().into_iter().map(MachineId::to_string).collect()
    }

    /// Everything is healed, and has to answer: each machine to its neighbour's ping, each file to a
    /// reader, each clock that was set.
    fn final_commands(&self, world: &World) -> Vec<Command> {
        let ids = world.network.ids();
        let mut commands = Vec::new();
        if world.is_disturbed() {
            commands.push(Command::Heal);
        }
        commands.extend(world.paused.iter().cloned().map(Command::Resume));
        let off = ids.iter().filter(|id| !world.network.is_running(id));
        commands.extend(off.cloned().map(Command::Boot));
        commands.extend(world.failed.iter().cloned().map(Command::Reboot));
        // A machine that was booted has a clock that is right.
        let is_wrong = |id: &&MachineId| {
            let drifts = world.pace.get(*id).is_some_and(|pace| pace.drift != Drift::default());
            drifts && world.network.is_running(id) && !world.failed.contains(*id)
        };
        commands.extend(
            ids.iter()
                .filter(is_wrong)
                .map(|id| Command::Skew { machine: id.clone(), drift: Drift::default() }),
        );
        let neighbours = ids.iter().zip(ids.iter().cycle().skip(1));
        commands.extend(neighbours.map(|(from, to)| Command::Ping { from: from.clone(), to: to.clone() }));
        for (machine, disk) in &world.disks {
            commands.extend(disk.files().map(|file| Command::Read { machine: machine.clone(), file }));
        }
        let clocks = ids.iter().filter(|id| world.ahead.contains_key(*id) || world.pace.contains_key(*id));
        commands.extend(clocks.cloned().map(Command::AskClock));
        commands
    }

    fn choices(&self, world: &World) -> Vec<Choice> {
        self.bounds.choices(&world.network)
    }

    fn with_choice(&self, world: &World, choice: &Choice) -> Option<World> {
        Some(World { network: self.bounds.with_choice(&world.network, choice)?, ..world.clone() })
    }

    /// Networks with one machine less, then those with plainer values.
    fn simpler_states(&self, world: &World) -> Vec<World> {
        let with = |network| World { network, ..world.clone() };
        let ids = world.network.ids();
        let mut simpler: Vec<_> = ids.iter().filter_map(|id| world.network.without(id)).map(with).collect();
        simpler.extend(plainer_states(self, world));
        simpler
    }

    /// A ping of oneself; a cut of less.
    fn simpler_commands(&self, command: &Command) -> Vec<Command> {
        match command {
            Command::Ping { from, to } if from != to => {
                [to, from].map(|id| Command::Ping { from: id.clone(), to: id.clone() }).to_vec()
            }
            Command::Cut(Links::Between(one, other)) => {
                let way = |from: &MachineId, to: &MachineId| {
                    Command::Cut(Links::OneWay { from: from.clone(), to: to.clone() })
                };
                vec![way(one, other), way(other, one)]
            }
            Command::Reboot(id) => vec![Command::ShutDown(id.clone())],
            _ => Vec::new(),
        }
    }
}
