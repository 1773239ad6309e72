//! Pinging from a guest, while other lanes may change the power of both ends.

use std::time::Duration;

use model::machines::Response;
use model::{MachineId, Outcome};
use remote::{Command, Ending};

use crate::machines::echoes::Witness;
use crate::machines::live::{LiveNetwork, unknown};
use crate::machines::status::Power;
use crate::system::SystemError;

/// How long one run of `fping` waits for an echo reply: its first timeout in milliseconds, and its
/// retries, of which each waits half as long again as the one before.
#[derive(Clone, Copy)]
struct Patience {
    timeout: u32,
    retries: u32,
}

/// A machine that is off or stands still cannot be slow, nor is one that frames are cut off from.
/// Whoever answers for it does so at once.
const FOR_OFF: Patience = once(250);
/// A machine that is on, or becomes so, may be starved by a busy host: 12 s in all, of which an
/// answer ends the rest. It is asked anew between them whether it is off by now, or certain to get
/// the echo requests, two of them in a row, and to answer none. What makes that certain are the
/// requests and no time, so the first come soon after each other.
const FOR_ON: [Patience; 7] = [
    once(300),
    Patience { timeout: 150, retries: 1 },
    once(900),
    once(1350),
    once(2025),
    once(3040),
    once(4560),
];

const fn once(timeout: u32) -> Patience {
    Patience { timeout, retries: 0 }
}

/// Pings one machine from another.
///
/// That an echo reply came is true of a moment at which the target was on. That none came is said
/// once the target was off or stood still, or was cut off, before the last echo request was sent, once its kernel has counted echo
/// requests and no reply, or after the whole wait for a machine that is on. All these moments lie
/// between the call and the answer.
pub(super) fn ping(
    live: &LiveNetwork<'_>,
    from: &MachineId,
    to: &MachineId,
) -> Result<Outcome<Response>, SystemError> {
    let target = &live.live(to)?.status;
    let address = live.network().machine(to).ok_or_else(|| unknown(to))?.address.to_string();
    let (begun, changes) = (target.now(), live.changes());
    let (mut was_sent, mut witness) = (false, Witness::new(live, to));
    for patience in FOR_ON {
        let is_silent = matches!(target.now().power, Power::Off | Power::Paused)
            || live.is_cut(from, to)
            || live.is_cut(to, from);
        let echo = fping(&address, if is_silent { FOR_OFF } else { patience });
        let life = live.live(from)?.status.now().epoch;
        let output = match live.attempt(from, &echo)? {
            Outcome::Answered(output) => output,
            Outcome::Refused(why) if !was_sent => return Ok(Outcome::Refused(why)),
            Outcome::Refused(why) | Outcome::Unknown(why) => return Ok(Outcome::Unknown(why)),
        };
        was_sent = true;
        match output.ending {
            // A request may have come through before one change, and its answer after another.
            Ending::Exited(0) if live.changes() > changes + 1 => {
                let why = "the network was changed more than once under a ping that was answered";
                return Ok(Outcome::Unknown(why.to_owned()));
            }
            Ending::Exited(0) => return Ok(Outcome::Answered(Response::Pinged { answered: true })),
            Ending::Exited(1) if is_silent || witness.saw_silence() => break,
            Ending::Exited(1) => {}
            Ending::TimedOut => return Ok(Outcome::Unknown(format!("fping on {from}: {}", output.ending))),
            // A machine that shuts down ends its programs first.
            ending if live.live(from)?.status.now().epoch != life => {
                return Ok(Outcome::Unknown(format!("{from} was shut down under fping: {ending}")));
            }
            ending => {
                let said = String::from_utf8_lossy(&output.stderr);
                return Err(SystemError::infrastructure(format!(
                    "fping on {from} {ending}: {}",
                    said.trim()
                )));
            }
        }
    }
    // For the model a machine stays on while it is restarted, for the network it does not.
    if begun.sees_restart_until(target.now()) {
        return Ok(Outcome::Unknown(format!("{to} was restarted under the ping")));
    }
    Ok(Outcome::Answered(Response::Pinged { answered: false }))
}

fn fping(address: &str, Patience { timeout, retries }: Patience) -> Command {
    let (timeout, retries) = (timeout.to_string(), retries.to_string());
    let words = ["fping", "-q", "-B", "1.5", "-t", &timeout, "-r", &retries, address];
    Command::from_words(words).limit(Duration::from_secs(30))
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use model::Network;
    use proptest::strategy::{Strategy as _, ValueTree as _};
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::machines::Lab;
    use crate::machines::echoes::Echoes;

    fn two_machines(lab: &Lab) -> Network {
        let bounds = lab.bounds().unwrap().with_machines(2..=2);
        bounds.strategy().unwrap().new_tree(&mut TestRunner::default()).unwrap().current().all_running()
    }

    fn said(live: &LiveNetwork<'_>, id: &MachineId, line: &str) -> String {
        let output = live.run(id, &Command::new(line)).unwrap();
        assert!(output.ending.is_success(), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn a_starved_guest_is_waited_for_and_a_deaf_one_is_not() {
        let Some(lab) = Lab::for_test().unwrap() else { return };
        let network = two_machines(&lab);
        let live = LiveNetwork::create(&lab, &network).unwrap();
        let [from, to] = [0, 1].map(|index| &network.machines()[index].id);
        let pinged = |answered| Outcome::Answered(Response::Pinged { answered });

        // A guest whose processor stands still gets no echo requests, so nothing is certain of it.
        live.hold(to).unwrap().hardware.machine.suspend().unwrap();
        thread::scope(|scope| {
            let ping = scope.spawn(|| ping(&live, from, to).unwrap());
            thread::sleep(Duration::from_secs(4));
            live.hold(to).unwrap().hardware.machine.resume().unwrap();
            assert_eq!(ping.join().unwrap(), pinged(true));
        });

        said(&live, to, "echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all");
        let requests = || Echoes::parse(&said(&live, to, "cat /proc/net/snmp")).unwrap().requests;
        let before = requests();
        assert_eq!(ping(&live, from, to).unwrap(), pinged(false));
        let after = requests();
        // One request, then two between two counts. A host that is busy may lose the second count.
        assert!((3..=4).contains(&(after - before)), "{} echo requests", after - before);

        said(&live, to, "echo 0 > /proc/sys/net/ipv4/icmp_echo_ignore_all");
        assert_eq!(ping(&live, from, to).unwrap(), pinged(true));
    }
}
