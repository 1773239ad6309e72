//! A real SSH server for a test: its own keys, its own port, gone when the test is.

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use remote::{Command, Ending, HostKey, Output, Session, Target};
use rustix::process::{Pid, Signal, kill_process_group};

/// More than anything here takes, on the slowest of machines.
pub(crate) const AMPLE: Duration = Duration::from_secs(60);

/// A server that runs one `sshd -i` for each connection, in a process group that tests may stop
/// or kill. The listening socket is the test's own, so no port can be lost to anybody.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) host_key: HostKey,
    directory: tempfile::TempDir,
    connections: Arc<Mutex<Vec<Child>>>,
    ending: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

/// Where a program is, on the path or where servers are kept.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(usual).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Whether the programs are there; says loudly which one is not, and is fatal in CI.
pub(crate) fn present(programs: &[(&str, &str)]) -> bool {
    let missing = programs.iter().find(|(program, _)| find(program).is_none());
    if let Some((program, package)) = missing {
        let text = format!(
            "SKIPPED, nothing was tested: {program} is missing; get it with apt-get install {package}"
        );
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{text}");
        eprintln!("{text}");
    }
    missing.is_none()
}

/// Generates an unlocked key pair and returns the private half's path.
pub(crate) fn generate_key(directory: &Path, name: &str) -> PathBuf {
    let path = directory.join(name);
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "a test's", "-f"])
        .arg(&path)
        .status();
    assert!(made.unwrap().success());
    path
}

impl Server {
    /// A server with the usual configuration; none where a program is missing.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with("")
    }

    /// A server with further lines of configuration.
    pub(crate) fn start_with(configuration: &str) -> Option<Self> {
        if !present(&[("sshd", "openssh-server"), ("ssh-keygen", "openssh-client")]) {
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path();
        generate_key(folder, "host");
        generate_key(folder, "user");
        fs::copy(folder.join("user.pub"), folder.join("authorized_keys")).unwrap();
        fs::write(folder.join("sshd_config"), configure(folder, configuration)).unwrap();
        make_privilege_separation_directory();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let host_key = fs::read_to_string(folder.join("host.pub")).unwrap().parse().unwrap();
        let connections = Arc::default();
        let ending = Arc::default();
        let acceptor = accept(listener, folder.to_owned(), Arc::clone(&connections), Arc::clone(&ending));
        Some(Self { address, host_key, directory, connections, ending, acceptor: Some(acceptor) })
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn target(&self) -> Target {
        Target {
            address: self.address,
            user: current_user(),
            private_key: self.directory().join("user"),
            host_key: self.host_key.clone(),
        }
    }

    pub(crate) fn connect(&self) -> Session {
        Session::connect(&self.target(), AMPLE).unwrap_or_else(|error| panic!("{error}\n{}", self.log()))
    }

    /// What the servers logged, for a failing test to show.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory().join("log")).unwrap_or_default()
    }

    /// Sends a signal to the servers of all connections, but not to the commands that they run.
    pub(crate) fn signal_connections(&self, signal: Signal) {
        for connection in self.connections.lock().unwrap().iter() {
            let group = Pid::from_child(connection);
            // A connection that is over has no processes left.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        self.signal_connections(Signal::KILL);
        for mut connection in self.connections.lock().unwrap().drain(..) {
            let _ = connection.wait();
        }
    }
}

fn configure(folder: &Path, more: &str) -> String {
    let folder = folder.display();
    // The first value of a keyword counts, so further lines go first.
    format!(
        "{more}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized_keys\nUsePAM no\nStrictModes no\n\
         PermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\n\
         PrintMotd no\nLogLevel VERBOSE\nSetEnv HOME={folder}\n"
    )
}

/// What the service does before it starts a server as root; as another user none is needed.
fn make_privilege_separation_directory() {
    if rustix::process::geteuid().is_root() {
        let _ = fs::DirBuilder::new().recursive(true).mode(0o755).create("/run/sshd");
    }
}

fn current_user() -> String {
    let output = std::process::Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn accept(
    listener: TcpListener,
    folder: PathBuf,
    connections: Arc<Mutex<Vec<Child>>>,
    ending: Arc<AtomicBool>,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            if ending.load(Ordering::SeqCst) {
                return;
            }
            let connection = connection.unwrap();
            // Who is served is never missing from the list.
            let mut connections = connections.lock().unwrap();
            connections.push(serve(connection, &folder));
        }
    })
}

fn serve(connection: TcpStream, folder: &Path) -> Child {
    let input = OwnedFd::from(connection);
    let output = input.try_clone().unwrap();
    std::process::Command::new(find("sshd").unwrap())
        .args(["-i", "-f"])
        .arg(folder.join("sshd_config"))
        .arg("-E")
        .arg(folder.join("log"))
        .stdin(Stdio::from(input))
        .stdout(Stdio::from(output))
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap()
}

/// A folder of links that serves as the machine's whole path.
pub(crate) fn link_programs(folder: &Path, links: &[(&str, &str)]) -> PathBuf {
    let programs = folder.join("programs");
    fs::create_dir(&programs).unwrap();
    for (name, program) in links {
        symlink(find(program).unwrap(), programs.join(name)).unwrap();
    }
    programs
}

/// Runs a line that is meant to be over long before its limit.
pub(crate) fn run(session: &mut Session, line: &str) -> Output {
    session.run(&Command::new(line).limit(AMPLE)).unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Asserts that a line exits as it should, and prints what it should.
pub(crate) fn assert_prints(session: &mut Session, line: &str, stdout: &str) {
    let output = run(session, line);
    let seen = (output.ending, text(&output.stdout));
    assert_eq!(seen, (Ending::Exited(0), stdout.to_owned()), "{line}: {}", text(&output.stderr));
}

/// Waits for something that another process does; panics if it never does it.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < AMPLE, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process is there, and no zombie that waits to be reaped.
pub(crate) fn is_alive(process: &str) -> bool {
    let mut stat = String::new();
    let read =
        fs::File::open(format!("/proc/{process}/stat")).and_then(|mut file| file.read_to_string(&mut stat));
    read.is_ok() && !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z')
}
