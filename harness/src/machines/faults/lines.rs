//! What faults and questions are on a guest: lines of shell, which any POSIX shell takes.

use model::faults::{Act, Drift, Strain};

/// How often a clock is set back and forth.
const STROBES: u32 = 10;
/// Where the service has its process id, and what it counts.
const PLACE: &str = "/run/netprop-counter";

/// Has all that was written be on the disk.
pub(crate) const SYNC: &str = "sync";

/// Takes up all room, in pieces of which each is half as large once there is no room for one more. It is
/// the same after a power cut.
pub(crate) const FILL: &str = "size=268435456 number=0
while [ $size -ge 4096 ]; do
    if fallocate -l $size /scratch/.netprop-fill.$size.$number 2>/dev/null; then
        number=$((number + 1))
    else
        rm -f /scratch/.netprop-fill.$size.$number
        size=$((size / 2))
    fi
done
sync";

/// Gives all of that back.
pub(crate) const FREE: &str = "rm -f /scratch/.netprop-fill.* && sync";

/// Writes a value to a file, such that a reader finds it or what was there before.
pub(crate) fn write(file: u8, value: u16) -> String {
    // Several lanes may write the same file at once.
    let (new, place) = (format!("/scratch/.netprop-{file}.$$"), path(file));
    // A shell that writes by itself does not say why it could not.
    let put = format!("printf %s {value} | dd of={new} bs=512");
    format!("{put} && mv -f {new} {place} || {{ rm -f {new}; exit 1; }}")
}

/// Reads a file.
pub(crate) fn read(file: u8) -> String {
    format!("cat {}", path(file))
}

/// Where a file lies.
pub(crate) fn path(file: u8) -> String {
    format!("/scratch/netprop-{file}")
}

/// Has `ahead` set the clock so many seconds ahead of what it would be by then without that. To a clock that
/// is set to whole seconds what passes until it is set would be lost each time, which is much on a busy
/// machine: so what it would be is reckoned by the one that counts since the machine began, to the nearest
/// second. Shells know the time without a program, mostly; both are in hundredths.
const AHEAD: &str = "count() { read -r up _ </proc/uptime; up=${up%.*}${up#*.}; }
count
now=${EPOCHREALTIME:-$(date +%s.%N)} part=${now#*.}
offset=$((${now%.*}${part%\"${part#??}\"} - up))
ahead() { count; date -s @$(((offset + up + 100 * $1 + 50) / 100)) >/dev/null || exit 1; }";

/// Sets the clock so many seconds ahead.
pub(crate) fn step(seconds: i64) -> String {
    format!("{AHEAD}\nahead {seconds}")
}

/// Sets it back and forth, such that it is right again in the end.
pub(crate) fn strobe(seconds: i64) -> String {
    format!(
        "{AHEAD}
number=0
while [ $number -lt {STROBES} ]; do
    ahead {seconds}
    ahead 0
    number=$((number + 1))
done"
    )
}

/// Has it run fast or slow, by the length of a tick, of which there are a hundred a second.
pub(crate) fn skew(drift: Drift) -> String {
    let microseconds = 10_000 + 100 * i32::from(drift.percent());
    format!("adjtimex -t {microseconds} >/dev/null || exit 1")
}

/// Does something between two looks at the clock that counts since the machine began, each a line.
pub(crate) fn watched(lines: &str) -> String {
    let look = "read -r up _ </proc/uptime; echo $up";
    format!("{look}; {lines}; {look}")
}

/// Lines of shell that start a script which leads a session of its own and holds on to nothing of who
/// started it. Its process id is in a file afterwards: `setsid` makes no other process where it leads no
/// group, and what a shell without job control starts leads none.
fn start(name: &str, script: &str) -> String {
    format!("setsid sh -c '{script}' >/dev/null 2>&1 </dev/null & echo $! >{name}.pid;")
}

/// The service counts five times a second, and starts no program for that.
fn start_service() -> String {
    let counts = format!(
        "exec 9<>{PLACE}.fifo; n=0; while :; do n=$((n + 1)); echo $n >{PLACE}; read -t 0.2 _ <&9; done"
    );
    format!(
        "rm -f {PLACE} {PLACE}.pid; [ -e {PLACE}.fifo ] || mkfifo {PLACE}.fifo; {} \
         until [ -s {PLACE} ]; do sleep 0.05; done",
        start(PLACE, &counts)
    )
}

/// Does something to the service.
pub(crate) fn service(act: Act) -> String {
    let find = format!(
        "pid=; [ -e {PLACE}.pid ] && read -r pid <{PLACE}.pid && kill -0 \"$pid\" 2>/dev/null || pid="
    );
    let signal = |signal: &str| format!("[ -z \"$pid\" ] || kill -{signal} \"$pid\"");
    // Killed is what is gone, and not what was told to go.
    let kill = format!(
        "{}; while [ -n \"$pid\" ] && kill -0 \"$pid\" 2>/dev/null; do sleep 0.02; done",
        signal("KILL")
    );
    // Nor is stopped what was only told to stop.
    let stop = format!(
        "{}; while [ -n \"$pid\" ] && read -r _ _ state _ </proc/$pid/stat && [ \"$state\" != T ]; do sleep 0.02; done",
        signal("STOP")
    );
    let start = start_service();
    match act {
        Act::Start => format!("{find}; [ -n \"$pid\" ] || {{ {start}; }}"),
        Act::Kill => format!("{find}; {kill}"),
        Act::Stop => format!("{find}; {stop}"),
        Act::Continue => format!("{find}; {}", signal("CONT")),
        Act::Restart => format!("{find}; {kill}; {start}"),
    }
}

/// Says what the service does: `down`, `stopped`, or `going`, for which it has to count; else `silent`.
pub(crate) fn ask_service() -> String {
    format!(
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
    )
}

/// Keeps a machine busy; of its memory so many mebibytes are spared.
pub(crate) fn strain(strain: Strain, spared: u32) -> String {
    match strain {
        Strain::Processors => {
            // Another one's are not to be forgotten for these.
            let busy = start("/run/netprop-busy.$$.$number", "while :; do :; done");
            format!(
                "number=0
while [ $number -lt $((2 * $(nproc))) ]; do
    number=$((number + 1))
    {busy}
done"
            )
        }
        Strain::Memory => format!(
            "while read -r name size _; do
    [ $name != MemAvailable: ] || left=$size
done </proc/meminfo
count=$((left / 1024 - {spared}))
[ $count -le 0 ] || {{
    mkdir -p /run/netprop-squeeze && mount -t tmpfs -o size=100% netprop /run/netprop-squeeze &&
        dd if=/dev/zero of=/run/netprop-squeeze/filled bs=1048576 count=$count 2>/dev/null
}}"
        ),
    }
}

/// Takes from a machine what keeps it busy.
pub(crate) const RELAX: &str = "for file in /run/netprop-busy.*.pid; do
    [ -e \"$file\" ] && read -r pid <\"$file\" && kill -KILL \"$pid\" 2>/dev/null
    rm -f \"$file\"
done
while grep -q ' /run/netprop-squeeze ' /proc/mounts; do umount /run/netprop-squeeze || exit 1; done
:";

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{step, strobe};

    /// A clock that says to what it is set, and what it is at that moment.
    const CLOCK: &str = "date() {
    case $1 in
        -s) echo \"${2#@} $(command date +%s)\" >&2 ;;
        *) command date \"$@\" ;;
    esac
}";

    /// By how much the clock is set ahead each time.
    fn set(shell: &[&str], lines: &str) -> Vec<i64> {
        let output = Command::new(shell[0])
            .args(&shell[1..])
            .args(["-c", &format!("{CLOCK}\n{lines}")])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{shell:?}: {said}");
        let ahead = |line: &str| {
            let (set, is) = line.split_once(' ').unwrap();
            set.parse::<i64>().unwrap() - is.parse::<i64>().unwrap()
        };
        said.lines().map(ahead).collect()
    }

    #[test]
    fn a_clock_is_set_to_the_nearest_second_however_often() {
        for shell in [&["dash"][..], &["busybox", "sh"], &["bash", "--posix"]] {
            for seconds in [-300, 7] {
                let is_near = |ahead: i64, expected: i64| (ahead - expected).abs() <= 1;
                let once = set(shell, &step(seconds));
                assert!(once.len() == 1 && is_near(once[0], seconds), "{shell:?}: {once:?}");
                let to_and_fro = set(shell, &strobe(seconds));
                assert_eq!(to_and_fro.len(), 20);
                for pair in to_and_fro.chunks(2) {
                    assert!(is_near(pair[0], seconds) && is_near(pair[1], 0), "{shell:?}: {to_and_fro:?}");
                }
            }
        }
    }
}
