//! The commands of [`FaultSpec`] on real machines.

use hypervisor::DiskFault;
use hypervisor::fabric::{Effect, Pairs, Probability, Rule};
use model::faults::{Command, Quality, Response, Way, World};
use model::{FaultSpec, MachineId, Network, Outcome, machines};

use super::{clock, disk, lines, service};
use crate::machines::hold::Held;
use crate::machines::live::{Boot, LiveNetwork};
use crate::machines::ping;
use crate::machines::status::Power;
use crate::machines::system::OnMachines;
use crate::system::SystemError;

impl OnMachines for FaultSpec {
    fn network(world: &World) -> &Network {
        &world.network
    }

    fn begin(live: &LiveNetwork<'_>, world: &World) -> Result<(), SystemError> {
        live.fabric()?.reset_to(world.seed);
        Ok(())
    }

    fn give(live: &LiveNetwork<'_>, command: &Command) -> Result<Outcome<Response>, SystemError> {
        give(live, command)
    }

    fn runs_on(command: &Command) -> Option<&MachineId> {
        command.runs_on()
    }
}

/// Gives a network of real machines one command of [`FaultSpec`]; several lanes can do so at once.
///
/// What makes no sense by the time it gets there is refused. An outcome is unknown where another
/// command cut off or restarted the machine that this one was given to, or had it stand still for too long, and
/// of what takes several steps where nothing was heard of the end of other such steps on that machine.
///
/// # Errors
/// [`SystemError`] where what failed is not the network.
pub fn give(live: &LiveNetwork<'_>, command: &Command) -> Result<Outcome<Response>, SystemError> {
    live.annotate(command);
    match command {
        Command::Boot(id) => with(live, id, command, |held| held.boot().map(booted)),
        Command::PowerCut(id) => with(live, id, command, |held| held.power_cut().map(|()| Response::Done)),
        Command::ShutDown(id) => with(live, id, command, |held| held.shut_down().map(|()| Response::Done)),
        Command::Reboot(id) => with(live, id, command, |held| held.reboot().map(booted)),
        Command::Pause(id) => with(live, id, command, |held| held.pause().map(|()| Response::Done)),
        Command::Resume(id) => with(live, id, command, |held| held.resume().map(|()| Response::Done)),
        Command::SetClock { machine, seconds } => {
            with(live, machine, command, |held| clock::set(live, held, i64::from(*seconds)))
        }
        Command::Strobe { machine, seconds } => {
            with(live, machine, command, |held| clock::strobe(live, held, i64::from(*seconds)))
        }
        Command::Skew { machine, drift } => {
            with(live, machine, command, |held| clock::skew(live, held, *drift))
        }
        Command::AskClock(id) => clock::ask(live, id),
        Command::Ping { from, to } => Ok(match ping::ping(live, from, to)? {
            Outcome::Answered(machines::Response::Pinged { answered }) => {
                Outcome::Answered(Response::Pinged { answered })
            }
            Outcome::Answered(other) => Outcome::Answered(Response::Failed(other.to_string())),
            Outcome::Refused(why) => Outcome::Refused(why),
            Outcome::Unknown(why) => Outcome::Unknown(why),
        }),
        Command::Cut(links) => {
            live.cut(pairs(links.ways(&live.network().ids())))?;
            Ok(Outcome::Answered(Response::Done))
        }
        Command::Worsen { links, quality } => worsen(live, links.ways(&live.network().ids()), *quality),
        Command::Heal => {
            live.heal()?;
            Ok(Outcome::Answered(Response::Done))
        }
        Command::Write { machine, file, value } => disk::write(live, machine, *file, *value),
        Command::Sync(id) => disk::run(live, id, lines::SYNC),
        Command::Read { machine, file } => disk::read(live, machine, *file),
        Command::Volatile { machine, seed } => {
            with(live, machine, command, |held| held.set_volatile(u64::from(*seed)).map(|()| Response::Done))
        }
        Command::Ail { machine, ailment } => {
            let fault = disk::fault(*ailment)?;
            with(live, machine, command, |held| held.set_disk_fault(fault).map(|()| Response::Done))
        }
        Command::Mend(id) => {
            with(live, id, command, |held| held.set_disk_fault(DiskFault::Healthy).map(|()| Response::Done))
        }
        Command::Fill(id) => live.alone(id, || disk::run(live, id, lines::FILL)),
        Command::Free(id) => live.alone(id, || disk::run(live, id, lines::FREE)),
        Command::Service { machine, act } => service::act(live, machine, *act),
        Command::AskService(id) => service::ask(live, id),
        Command::Strain { machine, strain } => service::strain(live, machine, *strain),
        Command::Relax(id) => service::relax(live, id),
    }
}

/// Does what nobody else may do to the machine meanwhile, unless it makes no sense by now.
fn with(
    live: &LiveNetwork<'_>,
    id: &MachineId,
    command: &Command,
    act: impl FnOnce(&mut Held<'_>) -> Result<Response, SystemError>,
) -> Result<Outcome<Response>, SystemError> {
    let mut held = live.hold(id)?;
    match held.is_against(command) {
        Some(why) => Ok(Outcome::Refused(why)),
        None => act(&mut held).map(Outcome::Answered),
    }
}

impl Held<'_> {
    /// Why the command makes no sense by now, if it does not.
    fn is_against(&self, command: &Command) -> Option<String> {
        let power = self.live.status.now().power;
        let is_on = matches!(power, Power::On | Power::Paused);
        let mut world = World::from(self.shared.network().as_ref().clone().with_running(self.id, is_on));
        if power == Power::Paused {
            world.paused.insert(self.id.clone());
        }
        command.check(&world).err()
    }
}

fn booted(boot: Boot) -> Response {
    match boot {
        Boot::Ready(_) => Response::Done,
        Boot::Failed(why) => Response::Failed(why),
    }
}

fn pairs(ways: impl IntoIterator<Item = Way>) -> Pairs {
    ways.into_iter().map(|(from, to)| (from.to_string(), to.to_string())).collect()
}

/// Has frames fare worse on ways that are not worse already.
fn worsen(
    live: &LiveNetwork<'_>,
    ways: std::collections::BTreeSet<Way>,
    quality: Quality,
) -> Result<Outcome<Response>, SystemError> {
    let fabric = live.fabric()?;
    let wrong = |error| SystemError::WrongUse(Box::new(error));
    // Of two lanes that do so at once, one comes second.
    let _one = live.worsening();
    for (from, to) in &ways {
        let effect = fabric.effect(from.as_str(), to.as_str()).map_err(wrong)?;
        if !effect.without_cut().is_none() {
            return Ok(Outcome::Refused(format!("{from} -> {to} is worse already")));
        }
    }
    live.disturb(&[Rule::new(pairs(ways), effect(quality).map_err(wrong)?)])?;
    Ok(Outcome::Answered(Response::Done))
}

fn effect(quality: Quality) -> Result<Effect, hypervisor::Error> {
    use std::time::Duration;
    let milliseconds = |late: model::faults::Lateness| Duration::from_millis(late.milliseconds().into());
    let share = |percent: model::faults::Percent| Probability::new(f64::from(percent.get()) / 100.0);
    Ok(match quality {
        Quality::Slow { delay, jitter } => {
            Effect::delay_with_jitter(milliseconds(delay), milliseconds(jitter))?
        }
        Quality::Lossy(percent) => Effect::loss(share(percent)?),
        Quality::Duplicating(percent) => Effect::duplication(share(percent)?),
        Quality::Reordering(percent) => Effect::reordering(share(percent)?),
        Quality::Corrupting(percent) => Effect::corruption(share(percent)?),
        Quality::Narrow { kilobits } => Effect::rate(u64::from(kilobits) * 1000)?,
    })
}
