//! Setting a machine's clock, and asking it for the time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::faults::{CLOCK_TOLERANCE, Drift, Response};
use model::{MachineId, Outcome};
use remote::{Command, Ending};

use super::disk::answer;
use super::lines;
use crate::machines::hold::Held;
use crate::machines::live::LiveNetwork;
use crate::system::SystemError;

/// A machine that takes longer to tell the time is asked again, so often.
const ASKED: usize = 5;
/// What takes so long that a jump of the monotonic clock would not show, in seconds.
const TOO_LONG: f64 = 25.0;

/// Sets a machine's clock, of which nobody else changes the power meanwhile, so many seconds ahead.
pub(super) fn set(live: &LiveNetwork<'_>, held: &Held<'_>, seconds: i64) -> Result<Response, SystemError> {
    watched(live, held.id, &lines::step(seconds))
}

/// Sets it back and forth, such that it is right again in the end.
pub(super) fn strobe(live: &LiveNetwork<'_>, held: &Held<'_>, seconds: i64) -> Result<Response, SystemError> {
    held.live.status.while_its_clock_jumps(|| watched(live, held.id, &lines::strobe(seconds)))
}

/// Has it run fast or slow.
pub(super) fn skew(live: &LiveNetwork<'_>, held: &Held<'_>, drift: Drift) -> Result<Response, SystemError> {
    watched(live, held.id, &lines::skew(drift))
}

/// Runs lines between two looks at the clock that counts since the machine began.
fn watched(live: &LiveNetwork<'_>, id: &MachineId, what: &str) -> Result<Response, SystemError> {
    let output = live.run(id, &Command::new(lines::watched(what)).limit(Duration::from_secs(30)))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let looks: Vec<f64> = text.lines().filter_map(|line| line.parse().ok()).collect();
    match (output.ending, &looks[..]) {
        (Ending::Exited(0), [before, after]) => {
            Ok(Response::ClockSet { monotonic: (0.0..TOO_LONG).contains(&(after - before)) })
        }
        (ending @ (Ending::TimedOut | Ending::ConnectionLost), _) => {
            Err(SystemError::infrastructure(format!("the clock of {id} could not be set: {ending}")))
        }
        (ending, _) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Ok(Response::Failed(format!("{ending}: {}", said.trim())))
        }
    }
}

/// Asks a machine for the time, until it tells it quickly enough to say by how much that is wrong. What it says
/// while another lane has its clock jump to and fro is none of the times that it is set to: it is asked again
/// after that.
pub(super) fn ask(live: &LiveNetwork<'_>, id: &MachineId) -> Result<Outcome<Response>, SystemError> {
    let status = &live.live(id)?.status;
    let mut asked = 0;
    while asked < ASKED {
        let (begun, before) = (status.now(), now());
        let output = match answer(live, id, "date +%s")? {
            Outcome::Answered(output) => output,
            Outcome::Refused(why) => return Ok(Outcome::Refused(why)),
            Outcome::Unknown(why) => return Ok(Outcome::Unknown(why)),
        };
        let after = now();
        if begun.sees_jumps_until(status.now()) {
            // Who has it jump holds it until that is done.
            drop(live.hold(id)?);
            continue;
        }
        asked += 1;
        let told: Option<i64> = String::from_utf8_lossy(&output.stdout).trim().parse().ok();
        let Some(told) = told else {
            let said = String::from_utf8_lossy(&output.stderr);
            return Ok(Outcome::Answered(Response::Failed(format!("{}: {}", output.ending, said.trim()))));
        };
        if after - before < CLOCK_TOLERANCE / 2 {
            return Ok(Outcome::Answered(Response::Time { ahead: told - (before + after) / 2 }));
        }
    }
    Ok(Outcome::Unknown(format!("{id} takes too long to tell the time")))
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
