//! Runs one command on a machine and prints how it ended:
//!
//! ```text
//! run 127.0.0.1:2222 root test-keys/id_ed25519 "ssh-ed25519 AAAA…" 'uname -r; exit 3'
//! ```

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use remote::{Command, Session, Target};

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Vec<String>) -> Result<(), Box<dyn Error>> {
    let [address, user, private_key, host_key, line] = <[String; 5]>::try_from(arguments)
        .map_err(|_| "give five arguments: ADDRESS:PORT USER PRIVATE-KEY-FILE HOST-KEY-LINE COMMAND")?;
    let target = Target {
        address: address.parse()?,
        user,
        private_key: private_key.into(),
        host_key: host_key.parse()?,
    };
    let mut session = Session::connect(&target, Duration::from_secs(10))?;
    let output = session.run(&Command::new(line))?;
    std::io::stdout().write_all(&output.stdout)?;
    std::io::stderr().write_all(&output.stderr)?;
    eprintln!("{} after {:?}", output.ending, output.elapsed);
    Ok(())
}
