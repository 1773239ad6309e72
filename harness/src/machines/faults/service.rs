//! A program on a machine that counts, and what keeps a machine busy.

use model::faults::{Act, Response, Service, Strain};
use model::{MachineId, Outcome};
use remote::Ending;

use super::disk::{answer, run};
use crate::machines::live::LiveNetwork;
use crate::system::SystemError;

/// Where the service has its process id, and what it counts.
const PLACE: &str = "/run/netprop-counter";

/// Lines of shell that start a script which leads a session of its own and holds on to nothing of who
/// started it; `$0` in it and in the name is the argument.
fn start(name: &str, script: &str, argument: &str) -> String {
    format!("setsid sh -c 'echo $$ >{name}.pid; {script}' {argument} >/dev/null 2>&1 </dev/null &")
}

/// The service counts five times a second, and starts no program for that.
fn start_service() -> String {
    let counts = format!(
        "exec 9<>{PLACE}.fifo; n=0; while :; do n=$((n + 1)); echo $n >{PLACE}; read -t 0.2 _ <&9; done"
    );
    format!(
        "rm -f {PLACE} {PLACE}.pid; [ -e {PLACE}.fifo ] || mkfifo {PLACE}.fifo; {} \
         until [ -s {PLACE} ]; do sleep 0.05; done",
        start(PLACE, &counts, "counter")
    )
}

/// Does something to a machine's service.
pub(super) fn act(
    live: &LiveNetwork<'_>,
    id: &MachineId,
    act: Act,
) -> Result<Outcome<Response>, SystemError> {
    let find = format!(
        "pid=; [ -e {PLACE}.pid ] && read -r pid <{PLACE}.pid && kill -0 \"$pid\" 2>/dev/null || pid="
    );
    let signal = |signal: &str| format!("[ -z \"$pid\" ] || kill -{signal} \"$pid\"");
    // Killed is what is gone, and not what was told to go.
    let kill = format!(
        "{}; while [ -n \"$pid\" ] && kill -0 \"$pid\" 2>/dev/null; do sleep 0.02; done",
        signal("KILL")
    );
    let start = start_service();
    let line = match act {
        Act::Start => format!("{find}; [ -n \"$pid\" ] || {{ {start}; }}"),
        Act::Kill => format!("{find}; {kill}"),
        Act::Stop => format!("{find}; {}", signal("STOP")),
        Act::Continue => format!("{find}; {}", signal("CONT")),
        Act::Restart => format!("{find}; {kill}; {start}"),
    };
    run(live, id, &line)
}

/// Asks what a machine's service does: one that is there and is not stopped has to count.
pub(super) fn ask(live: &LiveNetwork<'_>, id: &MachineId) -> Result<Outcome<Response>, SystemError> {
    let line = format!(
        "read -r pid <{PLACE}.pid 2>/dev/null && [ -e /proc/$pid/stat ] || {{ echo down; exit; }}
read -r _ _ state _ </proc/$pid/stat || {{ echo down; exit; }}
[ \"$state\" != T ] || {{ echo stopped; exit; }}
read -r first <{PLACE}
for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    sleep 0.3
    read -r now <{PLACE}
    [ \"$now\" = \"$first\" ] || {{ echo going; exit; }}
done
echo silent"
    );
    Ok(match answer(live, id, &line)? {
        Outcome::Answered(output) => {
            let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            Outcome::Answered(match (&output.ending, said.as_str()) {
                (Ending::Exited(0), "down") => Response::Service(Service::Down),
                (Ending::Exited(0), "stopped") => Response::Service(Service::Stopped),
                (Ending::Exited(0), "going") => Response::Service(Service::Going),
                (ending, said) => Response::Failed(format!("{ending}: {said}")),
            })
        }
        Outcome::Refused(why) => Outcome::Refused(why),
        Outcome::Unknown(why) => Outcome::Unknown(why),
    })
}

/// Keeps a machine busy.
pub(super) fn strain(
    live: &LiveNetwork<'_>,
    id: &MachineId,
    strain: Strain,
) -> Result<Outcome<Response>, SystemError> {
    let line = match strain {
        Strain::Processors => {
            let busy = start("/run/netprop-busy.$0", "while :; do :; done", "$number");
            format!(
                "number=0; while [ $number -lt $((2 * $(nproc))) ]; do number=$((number + 1)); {busy} done"
            )
        }
        // A session and what it runs need some, and so does who reads what is in files.
        Strain::Memory => "while read -r name size _; do
    [ $name != MemAvailable: ] || left=$size
done </proc/meminfo
count=$((left / 1024 - 28))
[ $count -le 0 ] || {
    mkdir -p /run/netprop-squeeze && mount -t tmpfs -o size=100% netprop /run/netprop-squeeze &&
        dd if=/dev/zero of=/run/netprop-squeeze/filled bs=1048576 count=$count 2>/dev/null
}"
        .to_owned(),
    };
    run(live, id, &line)
}

/// Takes from a machine what keeps it busy.
pub(super) const RELAX: &str = "for file in /run/netprop-busy.*.pid; do
    [ -e \"$file\" ] && read -r pid <\"$file\" && kill -KILL \"$pid\" 2>/dev/null
    rm -f \"$file\"
done
while grep -q ' /run/netprop-squeeze ' /proc/mounts; do umount /run/netprop-squeeze || exit 1; done
:";
