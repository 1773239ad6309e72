//! The guest's script takes what [`identity::lines`] tells it. The shells are those of the bases'
//! kinds; what needs a machine is in `parameters.rs`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use harness::machines::identity::{self, NetworkKey};
use model::machine::Service;
use model::{Machine, Network, Subnet};
use uuid::Uuid;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../nix/guest/identity");

/// Takes as many identities as there are, and says what comes of each.
const DRIVER: &str = r#"
. "$1"
NETPROP_RUN_DIR=$2/run SERVICES=$2/run/services SERVICE_LIMIT=1
mkdir -p "$NETPROP_RUN_DIR"
base_start_service() {
	echo "started $1 in $3"
	if sh "$2" >"$SERVICES/$1.log" 2>&1; then :; else echo $? >"$SERVICES/$1.ended"; fi
}
applied_file_system=$3 started='' broken=''
exec 3<&0
while read -r line <&3; do
	[ "$line" = 'netprop-identity 1' ] || { echo "not an identity: $line"; exit; }
	if netprop_read_identity && [ -z "$reason" ] && netprop_apply_parameters && netprop_apply_files &&
		netprop_apply_services; then
		echo "ready $id_name $id_mtu $id_mount_options"
	else
		echo "failed $reason"
	fi
done
"#;

fn machine() -> Machine {
    let address = Subnet::default().address(0).unwrap();
    Machine::new("a".parse().unwrap(), Uuid::new_v4(), address, "6.1".parse().unwrap())
}

fn service(command: &str, ready: &str) -> Service {
    Service { command: command.to_owned(), ready: Some(ready.to_owned()) }
}

/// What the script says to identities of these machines, one after the other.
fn said(shell: &[&str], directory: &Path, machines: &[Machine], file_system: &str) -> String {
    let key = NetworkKey::generate().unwrap();
    let text = machines.iter().map(|machine| {
        let network = Network::new(Subnet::default(), vec![machine.clone()]).unwrap();
        identity::lines(&network, machine, &key)
    });
    let text: String = text.collect();
    let mut child = Command::new(shell[0])
        .args(&shell[1..])
        .args(["-c", DRIVER, "driver", SCRIPT])
        .arg(directory)
        .arg(file_system)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

const SHELLS: [&[&str]; 3] = [&["dash"], &["busybox", "sh"], &["bash", "--posix"]];

#[test]
fn all_of_an_identity_arrives_and_nothing_of_it_twice() {
    for shell in SHELLS {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        // What follows a file is read only if not a byte of it went to the file.
        let content = format!("name=other\nend\n{}", "0123456789 ä\\ $x `y`\n".repeat(5000));
        let mut first = machine();
        first.mtu = model::machine::Mtu::new(1400).unwrap();
        first.mount_options = vec!["noatime".parse().unwrap(), "data=journal".parse().unwrap()];
        first.parameters.insert("p".parse().unwrap(), "1 2=3 \\n".to_owned());
        for name in ["deep/er/one", "two"] {
            first.files.insert(path(name).to_str().unwrap().parse().unwrap(), content.clone());
        }
        first.files.insert(path("empty").to_str().unwrap().parse().unwrap(), String::new());
        let ready = format!("[ \"$(cat {})\" = \"it's $((1 + 1))\" ]", path("made").display());
        let command = format!("printf \"it's %s\" 2 >{}", path("made").display());
        first.services.insert("web".parse().unwrap(), service(&command, &ready));

        let mut second = first.clone();
        second.files.insert(path("two").to_str().unwrap().parse().unwrap(), "changed".to_owned());
        let heard = said(shell, directory.path(), &[first, second], "ext4");
        let ready = "ready a 1400 noatime,data=journal\n";
        assert_eq!(heard, format!("started web in /scratch\n{ready}{ready}"), "{shell:?}");
        for name in ["deep/er/one", "two"] {
            assert_eq!(fs::read_to_string(path(name)).unwrap(), content, "{shell:?}: {name}");
        }
        assert_eq!(fs::read_to_string(path("empty")).unwrap(), "", "{shell:?}");
        assert_eq!(fs::read_to_string(path("run/parameters")).unwrap(), "p=1 2=3 \\n\n", "{shell:?}");
    }
}

#[test]
fn services_that_do_not_become_ready_stay_told() {
    for shell in SHELLS {
        let directory = tempfile::tempdir().unwrap();
        let mut ended = machine();
        ended.services.insert("web".parse().unwrap(), service("echo one; echo two >&2; exit 7", "false"));
        let heard = said(shell, directory.path(), &[ended.clone(), ended], "");
        let failed = "failed service web: it ended with status 7 before it was ready; two\n";
        assert_eq!(heard, format!("started web in /\n{failed}{failed}"), "{shell:?}");

        let directory = tempfile::tempdir().unwrap();
        let mut slow = machine();
        slow.services.insert("web".parse().unwrap(), service(":", "sleep 600"));
        let heard = said(shell, directory.path(), &[slow], "");
        let failed = "failed late: service web: it was not ready after 1 s; it said nothing\n";
        assert_eq!(heard, format!("started web in /\n{failed}"), "{shell:?}");
    }
}

/// What the host is told where services log in this directory.
fn told(shell: &[&str], services: &str, directory: &Path) -> String {
    let mut shell_of_services = Command::new(shell[0]);
    shell_of_services.args(&shell[1..]).args(["-c", services, "services", SCRIPT]).arg(directory);
    String::from_utf8(shell_of_services.output().unwrap().stdout).unwrap()
}

/// What a service has said, and how it ended, is logged.
const TAKEN: &str = r#"
. "$1"
SERVICES=$2
exec 3>&1
printf 'one\n  two \\ %%s\nno end\001netprop-ended 7\nof a child\n' | netprop_log_service web
cat "$2/web.log" "$2/web.ended"
"#;

#[test]
fn what_a_service_says_is_told_and_kept() {
    for shell in SHELLS {
        let directory = tempfile::tempdir().unwrap();
        let told = told(shell, TAKEN, directory.path());
        let lines = ["one", "  two \\ %s", "no end", "of a child"];
        let expected = lines.map(|line| format!("log web {line}\n")).concat() + &lines.join("\n") + "\n7\n";
        assert_eq!(told, expected, "{shell:?}");
    }
}

/// Two services that say long lines at once.
const LONG: &str = r#"
. "$1"
SERVICES=$2
exec 3>&1
line=$(printf '%6000s' x)
for name in one two; do
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo "$line"; done | netprop_log_service $name &
done
wait
"#;

#[test]
fn lines_of_services_stay_whole_beside_one_another() {
    for shell in SHELLS {
        let directory = tempfile::tempdir().unwrap();
        let told = told(shell, LONG, directory.path());
        let begins =
            |name: &str| told.lines().filter(|line| line.starts_with(&format!("log {name}  "))).count();
        assert_eq!((begins("one"), begins("two"), told.lines().count()), (20, 20, 40), "{shell:?}");
        let kept = fs::read_to_string(directory.path().join("one.log")).unwrap();
        assert!(kept.lines().all(|line| line.len() == 6000), "{shell:?}");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    for shell in SHELLS {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("place");
        fs::write(&place, "a file, not a directory").unwrap();
        let mut refused = machine();
        let path = place.join("x");
        refused.files.insert(path.to_str().unwrap().parse().unwrap(), "content".to_owned());
        let heard = said(shell, directory.path(), &[refused], "");
        assert_eq!(heard, format!("failed the file {} cannot be written\n", path.display()), "{shell:?}");
    }
}

/// A clock that was told the time, then set back by a minute, and then resumed by a machine of which
/// the clock has stood still for some time; and one that was not set back.
const SET_BACK: &str = r#"
. "$1"
NETPROP_RUN_DIR=$2 RESEEDER=$2/reseeder
trap 'kill $reseeder' EXIT
date() { echo "$*" >&2; }
exec 3>&1
[ -n "$EPOCHSECONDS" ] || exit 0
for back in 60 1; do
	id_clock=$EPOCHSECONDS
	netprop_set_clock
	told_clock=$((told_clock + back))
	netprop_resume $((id_clock + 1000)) 00ff
	echo "$((told_clock + uptime - id_clock))"
done
"#;

#[test]
fn a_clock_that_was_set_stays_as_far_off_when_a_guest_goes_on() {
    let mut told = 0;
    for shell in SHELLS {
        let directory = tempfile::tempdir().unwrap();
        let output = Command::new(shell[0])
            .args(&shell[1..])
            .args(["-c", SET_BACK, "driver", SCRIPT])
            .arg(directory.path())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        let set = text.lines().filter_map(|line| line.strip_prefix("-s @"));
        let set: Vec<i64> = set.map(|time| time.parse().unwrap()).collect();
        if set.is_empty() {
            continue;
        }
        assert_eq!(set.len(), 4, "{shell:?}: {text}");
        // The clock itself stays what it is here, whatever it is set to.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();
        let ahead: Vec<_> = set.iter().map(|time| time - now).collect();
        assert!((935..=940).contains(&ahead[1]) && (995..=1000).contains(&ahead[3]), "{shell:?}: {text}");
        assert_eq!(output.stdout, b"1000\n1000\n", "{shell:?}");
        told += 1;
    }
    assert!(told > 0, "some shell knows the time");
}

/// What comes of the line that a guest gets which was put back to what it was.
const RESUME: &str = r#"
. "$1"
NETPROP_RUN_DIR=$2 RESEEDER=$2/reseeder
trap 'kill $reseeder' EXIT
date() { echo "date $*" >&2; [ "$2" != @1000 ]; }
exec 3>&1
netprop_resume 1700000000 00ff && echo ready
first=$reseeder
netprop_resume ${EPOCHSECONDS:-1700000001} 00ff && [ "$reseeder" = "$first" ] && echo ready
kill -9 $reseeder && wait $reseeder
told_clock=
netprop_resume 1700000000 00ff && [ "$reseeder" != "$first" ] && echo ready
told_clock=
netprop_resume 1000 00ff || echo "failed $reason"
"#;

#[test]
fn a_guest_that_was_put_back_sets_its_clock() {
    for shell in SHELLS {
        let directory = tempfile::tempdir().unwrap();
        let output = Command::new(shell[0])
            .args(&shell[1..])
            .args(["-c", RESUME, "driver", SCRIPT])
            .arg(directory.path())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said, "ready\nready\nready\nfailed the clock cannot be set to 1000\n", "{shell:?}");
        let asked = String::from_utf8(output.stderr).unwrap();
        let set = asked.lines().filter(|line| line.starts_with("date")).collect::<Vec<_>>();
        // A shell that does not know the time sets it.
        assert_eq!(set.first(), Some(&"date -s @1700000000"), "{shell:?}");
        assert_eq!(set.last(), Some(&"date -s @1000"), "{shell:?}");
        // Its 170 bytes are the header's own account of them: p_filesz, at 96.
        let program = fs::read(directory.path().join("reseeder")).unwrap();
        assert_eq!((&program[..4], program.len()), (&b"\x7fELF"[..], usize::from(program[96])), "{shell:?}");
    }
}
