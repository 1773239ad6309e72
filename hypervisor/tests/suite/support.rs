//! What the tests share: loud skips, and running a test again as somebody else.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::geteuid;
use tempfile::TempDir;

use crate::guest::Guest;

/// Set where a test runs again in a process of its own.
const CHILD: &str = "NETPROP_TEST_CHILD";
/// Debian's user for what should have no rights.
const NOBODY: u32 = 65534;

/// Says loudly that a test cannot run; in CI that is a failure.
pub(crate) fn missing(component: &str, remedy: &str) {
    let said = format!("SKIPPED, since this is missing: {component}; to get it: {remedy}");
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{said}");
    eprintln!("{said}");
}

/// The QEMU that machines run under.
pub(crate) fn qemu() -> PathBuf {
    which::which("qemu-system-x86_64").unwrap_or_else(|_| PathBuf::from("/usr/bin/qemu-system-x86_64"))
}

/// Whether this process is one that [`Again`] has started for the test `name`.
pub(crate) fn is_child(name: &str) -> bool {
    std::env::var(CHILD).is_ok_and(|child| child == name)
}

/// Runs the body of the test `name` in a process of its own: libvirt's embedded driver is one for
/// each process, and so are its machines' names.
pub(crate) fn in_own_process(name: &str, body: impl FnOnce()) {
    if is_child(name) {
        return body();
    }
    if Guest::find().is_some() {
        Again::same_user(name).passes();
    }
}

/// A test of this program that runs again in a process of its own, with files of its own.
pub(crate) struct Again {
    pub(crate) directory: TempDir,
    pub(crate) command: Command,
}

impl Again {
    /// The test `name` (with its module) again, as the same user.
    pub(crate) fn same_user(name: &str) -> Self {
        Self::new(name, None)
    }

    /// The test `name` again as an ordinary user: nobody, where we are root.
    pub(crate) fn ordinary_user(name: &str) -> Option<Self> {
        if !geteuid().is_root() {
            return Some(Self::new(name, None));
        }
        if which::which("setpriv").is_err() {
            missing("setpriv, to become an ordinary user", "apt-get install util-linux");
            return None;
        }
        Some(Self::new(name, Some(NOBODY)))
    }

    fn new(name: &str, user: Option<u32>) -> Self {
        let directory = TempDir::new().unwrap();
        // The program and the guest may lie where only we can read them.
        let program = directory.path().join("program");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        for place in ["cache", "guest", "home", "run", "tmp"] {
            fs::create_dir(directory.path().join(place)).unwrap();
        }
        let mut command = match user {
            Some(user) => {
                let user = user.to_string();
                let mut command = Command::new("setpriv");
                command.args(["--reuid", &user, "--regid", &user, "--clear-groups"]).arg(&program);
                command
            }
            None => Command::new(&program),
        };
        let place = |name: &str| directory.path().join(name);
        command
            .args(["--exact", name, "--nocapture"])
            .current_dir(directory.path())
            .env_clear()
            .envs(
                std::env::vars_os()
                    .filter(|(key, _)| ["PATH", "CI", "RUST_BACKTRACE"].iter().any(|kept| key == kept)),
            )
            .env(CHILD, name)
            .env("HOME", place("home"))
            .env("TMPDIR", place("tmp"))
            .env("XDG_CACHE_HOME", place("cache"))
            .env("XDG_RUNTIME_DIR", place("run"));
        if let Some(guest) = Guest::find() {
            fs::copy(&guest.kernel, place("guest/kernel")).unwrap();
            fs::copy(&guest.initrd, place("guest/initrd")).unwrap();
            command.env("NETPROP_TEST_GUEST", place("guest"));
        }
        copy_capabilities(&place("cache/netprop/libvirt-capabilities"));
        own(directory.path(), user);
        Self { directory, command }
    }

    /// Gives the process mounts of its own, over which it is root; false after a loud word where
    /// that is not allowed.
    pub(crate) fn with_own_mounts(&mut self) -> bool {
        const OPTIONS: [&str; 3] = ["--mount", "--user", "--map-root-user"];
        let options = if geteuid().is_root() { &OPTIONS[..1] } else { &OPTIONS[..] };
        if !Command::new("unshare").args(options).arg("true").status().is_ok_and(|status| status.success()) {
            missing("mounts of its own for a test", "run it as root, or allow user namespaces");
            return false;
        }
        let mut command = Command::new("unshare");
        command.args(options).arg(self.command.get_program()).args(self.command.get_args()).env_clear();
        command.envs(self.command.get_envs().filter_map(|(key, value)| Some((key, value?))));
        command.current_dir(self.directory.path());
        self.command = command;
        true
    }

    /// Runs the test and expects it to pass.
    pub(crate) fn passes(&mut self) {
        let output = self.command.output().unwrap();
        let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
        assert!(output.status.success(), "{}", said.concat());
        eprint!("{}", said[1]);
    }
}

/// Gives a process what libvirt knows of QEMU here, which takes seconds to find out.
fn copy_capabilities(to: &Path) {
    let Some(cache) = hypervisor::cache_directory() else { return };
    for file in fs::read_dir(cache.join("libvirt-capabilities")).into_iter().flatten().flatten() {
        // Others are on their way to their name, which another process may give them just now.
        if file.path().extension().is_none_or(|end| end != "xml") {
            continue;
        }
        fs::create_dir_all(to).unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// Makes everything below `path` the user's own, and closed to others as such places are.
fn own(path: &Path, user: Option<u32>) {
    if user.is_some() {
        chown(path, user, user).unwrap();
    }
    if path.is_dir() {
        fs::set_permissions(path, PermissionsExt::from_mode(0o700)).unwrap();
        fs::read_dir(path).unwrap().for_each(|entry| own(&entry.unwrap().path(), user));
    }
}

/// Waits until it is so, and says what was waited for where it takes longer than `limit`.
pub(crate) fn within(limit: Duration, what: &str, mut so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !so() {
        assert!(begin.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether the process is there and is no zombie.
pub(crate) fn lives(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| !rest.starts_with('Z')))
}

/// The processes that have `path` in their command line, environment or working directory, with
/// their names; without this one and the threads and children that test it.
pub(crate) fn mentioning(path: &Path) -> Vec<String> {
    let path = path.to_str().unwrap();
    let ours = std::process::id();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != ours)
        .filter(|pid| {
            let read = |file: &str| {
                let text = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
                String::from_utf8_lossy(&text).into_owned()
            };
            let cwd = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
            read("cmdline").contains(path)
                || read("environ").contains(path)
                || cwd.to_string_lossy().contains(path)
        })
        .map(|pid| format!("{pid} {}", fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default()))
        .collect()
}
