//! Run directories come, go, and are cleaned up by the next start.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hypervisor::{Access, Error, RunDirectory, clean};
use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};
use tempfile::TempDir;

use crate::support::{lives, within};

const LIMIT: Duration = Duration::from_secs(10);

/// A process that stops itself, without a terminal and without what we have in our environment.
fn sleeper(prepare: impl FnOnce(&mut Command) -> &mut Command) -> Child {
    let mut command = Command::new("setsid");
    command.args(["sh", "-c", "kill -STOP $$", "sleeper"]).env_clear().env("PATH", "/usr/bin:/bin");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    prepare(&mut command).spawn().unwrap()
}

/// The processes that belong to a run, each known in another way.
fn ours(run: &Path) -> Vec<Child> {
    fs::create_dir_all(run.join("build")).unwrap();
    vec![
        sleeper(|command| command.env("NETPROP_RUN", run)),
        sleeper(|command| command.env("NIX_BUILD_TOP", run.join("build"))),
        sleeper(|command| command.arg(format!("path={}/x.con,server=off", run.display()))),
        sleeper(|command| command.arg(run)),
        sleeper(|command| command.current_dir(run)),
        sleeper(|command| command.current_dir(run.join("build"))),
    ]
}

/// Processes that only seem to belong to it.
fn innocents(run: &Path) -> Vec<Child> {
    let longer = format!("{}x", run.display());
    let parent = run.parent().unwrap();
    vec![
        sleeper(|command| command.env("NETPROP_RUN", &longer)),
        sleeper(|command| command.arg(&longer)),
        sleeper(|command| command.arg(format!("/mnt{}/x", run.display()))),
        sleeper(|command| command.current_dir(parent).env("NETPROP_RUNTIME_DIR", parent)),
    ]
}

/// Somebody at a terminal who looks at the run, and the terminal.
fn onlooker(run: &Path) -> (Child, OwnedFd) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let other_end = fs::OpenOptions::new().read(true).write(true).open(name).unwrap();
    let child = Command::new("setsid")
        .args(["--ctty", "sh", "-c", "kill -STOP $$", "onlooker"])
        .arg(run.join("m.log"))
        .current_dir(run)
        .stdin(other_end)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    within(LIMIT, "the onlooker", || {
        fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap().contains("(sh) T")
    });
    (child, terminal)
}

/// Checks that the run's processes have ended and the others live, and ends these.
fn check(run: &Path, ours: Vec<Child>, innocents: Vec<Child>) {
    within(LIMIT, "the end of the run's directory", || !run.exists());
    for mut child in ours {
        assert!(!lives(child.id()), "the run's processes have ended");
        child.wait().unwrap();
    }
    for mut child in innocents {
        assert!(lives(child.id()), "processes of others live");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn dropping_ends_all_of_a_run_and_nothing_else() {
    let parent = TempDir::new().unwrap();
    let run = RunDirectory::create(Some(parent.path()), Access::Owner).unwrap();
    let path = run.path().to_owned();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let guardian = run.guardian().unwrap();
    assert!(lives(guardian));
    let (ours, mut innocents) = (ours(&path), innocents(&path));
    let (onlooker, _terminal) = onlooker(&path);
    innocents.push(onlooker);
    // What a build leaves behind may forbid its owner to remove it.
    fs::write(path.join("build/file"), "").unwrap();
    fs::set_permissions(path.join("build"), PermissionsExt::from_mode(0o500)).unwrap();
    drop(run);
    assert!(!path.exists());
    assert!(!lives(guardian));
    check(&path, ours, innocents);
}

#[test]
fn the_last_clone_keeps_a_run() {
    let parent = TempDir::new().unwrap();
    let run = RunDirectory::create(Some(parent.path()), Access::Owner).unwrap();
    let other = run.clone();
    drop(run);
    assert!(other.path().exists());
    other.end_processes().unwrap();
    assert!(other.path().exists());
    let path = other.path().to_owned();
    drop(other);
    assert!(!path.exists());
}

#[test]
fn the_guardian_ends_all_of_a_run_and_nothing_else() {
    const NAME: &str = "run_directory::the_guardian_ends_all_of_a_run_and_nothing_else";
    if crate::support::is_child(NAME) {
        let run = RunDirectory::create(None, Access::Owner).unwrap();
        fs::write("path", run.path().to_str().unwrap()).unwrap();
        std::io::stdin().read_line(&mut String::new()).unwrap();
        std::process::abort();
    }
    let mut again = crate::support::Again::same_user(NAME);
    let mut child = again.command.stdin(Stdio::piped()).spawn().unwrap();
    let file = again.directory.path().join("path");
    within(LIMIT, "a run", || fs::read_to_string(&file).is_ok_and(|path| !path.is_empty()));
    let path = std::path::PathBuf::from(fs::read_to_string(&file).unwrap());
    let (ours, mut innocents) = (ours(&path), innocents(&path));
    let (onlooker, _terminal) = onlooker(&path);
    innocents.push(onlooker);
    drop(child.stdin.take());
    child.wait().unwrap();
    check(&path, ours, innocents);
}

#[test]
fn cleaning_spares_live_runs_and_what_is_no_run() {
    let parent = TempDir::new().unwrap();
    let live = RunDirectory::create(Some(parent.path()), Access::Owner).unwrap();
    let marked = sleeper(|command| command.env("NETPROP_RUN", live.path()));
    for other in ["r-abcdefgh", "r-abc", "notes", "r-ABCDEFGH"] {
        fs::create_dir(parent.path().join(other)).unwrap();
        fs::write(parent.path().join(other).join("file"), "").unwrap();
    }
    let empty = parent.path().join("r-aaaaaaaa");
    fs::create_dir(&empty).unwrap();
    let dead = parent.path().join("r-deaddead");
    fs::create_dir(&dead).unwrap();
    fs::write(dead.join("lock"), "").unwrap();
    let mut left = sleeper(|command| command.env("NETPROP_RUN", &dead));

    let mut report = clean(Some(parent.path())).unwrap();
    report.removed.sort();
    assert_eq!(report.removed, [empty, dead]);
    assert_eq!(report.live, [live.path()]);
    assert_eq!(report.ended, 1);
    assert!(report.failed.is_empty());
    left.wait().unwrap();
    assert!(lives(marked.id()));
    for other in ["r-abcdefgh", "r-abc", "notes", "r-ABCDEFGH"] {
        assert!(parent.path().join(other).join("file").exists(), "{other}");
    }
    let path = live.path().to_owned();
    drop(live);
    check(&path, vec![marked], Vec::new());
    assert!(clean(Some(&parent.path().join("absent"))).unwrap().removed.is_empty());
}

#[test]
fn a_run_that_cannot_be_made_is_told() {
    let parent = TempDir::new().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    let error = RunDirectory::create(Some(&file), Access::Owner).unwrap_err().to_string();
    assert!(error.starts_with(&format!("could not make the directory {}: ", file.display())), "{error}");

    let error = RunDirectory::create(Some(Path::new("/proc")), Access::Owner).unwrap_err().to_string();
    assert!(error.starts_with("could not make the run directory /proc/r-"), "{error}");

    let deep = parent.path().join("a".repeat(50));
    let error = RunDirectory::create(Some(&deep), Access::Owner).unwrap_err();
    assert!(matches!(error, Error::PathTooLong { .. }), "{error}");
    assert!(error.to_string().contains("set NETPROP_RUNTIME_DIR to a shorter directory"), "{error}");
    assert_eq!(fs::read_dir(&deep).unwrap().count(), 0, "nothing is left of the attempt");

    let run = RunDirectory::create(Some(parent.path()), Access::Owner).unwrap();
    let error = run.endpoints(&"m".repeat(90)).unwrap_err();
    assert!(matches!(error, Error::PathTooLong { .. }), "{error}");
}
