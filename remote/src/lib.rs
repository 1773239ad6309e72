//! Runs commands over SSH and says exactly how each one ended.
//!
//! Exit status, signal, timeout, lost connection and refused login are five different results.
//! The one rule behind them: an `Err` means that the command certainly was not run, and an
//! [`Output`] that it was sent, with an [`Ending`] that says what is known of its effect.
//!
//! ```no_run
//! use std::time::Duration;
//! use remote::{Command, Ending, Session, Target};
//!
//! let target = Target {
//!     address: "127.0.0.1:2222".parse()?,
//!     user: "root".to_owned(),
//!     private_key: "test-keys/id_ed25519".into(),
//!     host_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti".parse()?,
//! };
//! let mut session = Session::connect(&target, Duration::from_secs(10))?;
//! let ping = Command::from_words(["fping", "-c1", "172.16.2.3"]).limit(Duration::from_secs(5));
//! match session.run(&ping)?.ending {
//!     Ending::Exited(0) => println!("reached"),
//!     Ending::Exited(status) => println!("not reached: {status}"),
//!     unknown => println!("nobody knows: {unknown}"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The crate knows nothing of machines beyond an address, a key and a host key. The map, from
//! what a user sees to what touches the socket:
//!
//! - `target`, `host_key`: where to log in, as whom, and how the machine proves itself;
//! - `command`, `output`: what to run, and what came of it;
//! - `session`: [`Session`], which joins all of the rest; start reading there;
//! - `client`: [`Client`], the `ssh` program for a person, with the same keys;
//! - `connect`: TCP, greeting, key exchange, host key and login by one deadline;
//! - `running`: the loop over both outputs and the input of one command;
//! - `wrapper`: the shell lines around a command, in the machine, and why they are as they are;
//! - `collector`: one output stream, and the marks that the wrapper left in it;
//! - `transport`, `deadline`: libssh2 without blocking, and one moment for all to be over by.
//!
//! # What a machine needs
//! A POSIX login shell, `sh`, and an SSH server that speaks SSH 2 at once. With `timeout` of GNU
//! coreutils, or of busybox from 1.34 on, a command that is cut off from its caller ends within two
//! seconds of its limit (busybox ends only the shell of the line, not what it was waiting for).
//! Descriptors 7 and 8 of a command belong to this crate.
mod client;
mod collector;
mod command;
mod connect;
mod deadline;
mod host_key;
mod output;
mod running;
mod session;
mod target;
mod transport;
mod wrapper;

pub use client::{Client, ClientError};
pub use command::{Command, quote};
pub use connect::{ConnectError, Stage};
pub use host_key::{HostKey, HostKeyError};
pub use output::{Ending, Output};
pub use session::{RunError, Session};
pub use target::Target;
