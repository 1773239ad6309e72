//! The commands of [`MachineSpec`] on real machines.
//!
//! [`MachineSpec`]: model::MachineSpec

use model::Outcome;
use model::machines::{Command, Response};

use crate::machines::live::{Boot, LiveNetwork};
use crate::machines::{change, inspect, ping};
use crate::system::SystemError;

/// Gives a network of real machines one command of [`MachineSpec`](model::MachineSpec); several lanes can do so at
/// once.
///
/// What makes no sense by the time it gets there is refused. An outcome is unknown where another
/// command cut off the machine that this one was given to, or changed what is in its way.
///
/// # Errors
/// [`SystemError`] where what failed is not the network.
pub fn give(live: &LiveNetwork<'_>, command: &Command) -> Result<Outcome<Response>, SystemError> {
    live.annotate(command);
    match command {
        Command::Boot(id) => {
            let mut held = live.hold(id)?;
            if let Some(why) = held.refusal(command) {
                return Ok(Outcome::Refused(why));
            }
            Ok(Outcome::Answered(match held.boot()? {
                Boot::Ready(_) => Response::Booted,
                Boot::Failed(why) => Response::Failed(why),
            }))
        }
        Command::Shutdown(id) => {
            let mut held = live.hold(id)?;
            if let Some(why) = held.refusal(command) {
                return Ok(Outcome::Refused(why));
            }
            held.power_cut()?;
            Ok(Outcome::Answered(Response::ShutDown))
        }
        Command::Ping { from, to } => ping::ping(live, from, to),
        Command::Inspect(id) => inspect::inspect(live, id),
        Command::Upgrade { machine, to } | Command::Downgrade { machine, to } => {
            change::change(live, machine, command, to)
        }
    }
}
