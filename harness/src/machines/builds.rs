//! Images: built as networks need them, and those of cases to come on a thread beside the cases.

use std::mem;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use hypervisor::RunDirectory;
use model::Network;
use nixgen::{BuildOptions, Builder, Built, Cancel, Error, Progress};

use crate::machines::lab::LabOptions;
use crate::observe::{Event, Observer};
use crate::stop::Stop;
use crate::system::SystemError;

/// What builds the images of a run. Dropping it ends what it builds.
pub(super) struct Builds {
    builder: Arc<Builder>,
    cancel: Cancel,
    ahead: Mutex<Ahead>,
}

/// What is built for cases to come.
#[derive(Default)]
struct Ahead {
    /// Their networks.
    planned: Vec<Network>,
    thread: Option<JoinHandle<()>>,
}

impl Builds {
    /// What builds a run's images, told to whoever watches and ended where the run is to stop.
    pub(super) fn new(
        options: &LabOptions,
        authorized_key: PathBuf,
        run: &RunDirectory,
        observer: &Arc<dyn Observer>,
        stop: &Stop,
    ) -> Result<Self, SystemError> {
        let mut build = BuildOptions::new(run.path())?;
        build.base = options.base;
        build.nixos = options.nixos.clone();
        build.authorized_key = Some(authorized_key);
        let observer = Arc::clone(observer);
        build.observer = Arc::new(move |progress| tell(observer.as_ref(), &progress));
        let cancel = build.cancel.clone();
        stop.on_request({
            let cancel = cancel.clone();
            move || cancel.cancel()
        });
        Ok(Self { builder: Arc::new(Builder::new(build)?), cancel, ahead: Mutex::default() })
    }

    pub(super) fn builder(&self) -> &Builder {
        &self.builder
    }

    /// The images of a network's machines, built if they are not there yet.
    pub(super) fn build(&self, network: &Network) -> Result<Built, Error> {
        let built = self.builder.build(network);
        // Not before: somebody waits for this one, and is told how far it is.
        self.go_ahead();
        built
    }

    /// Has what these networks need built in one go once the next one is, beside whatever is done
    /// then. What cannot be built is told to whoever needs it.
    pub(super) fn plan(&self, networks: Vec<Network>) {
        self.ahead().planned = networks;
    }

    fn go_ahead(&self) {
        let mut ahead = self.ahead();
        let planned = mem::take(&mut ahead.planned);
        let is_busy = ahead.thread.as_ref().is_some_and(|thread| !thread.is_finished());
        if is_busy || planned.iter().all(|network| self.builder.missing(network) == 0) {
            return;
        }
        let builder = Arc::clone(&self.builder);
        let build = move || {
            if let Err(error) = builder.prepare(&planned) {
                tracing::debug!(%error, "not all images were built ahead");
            }
        };
        // Without a thread each is built once it is needed.
        ahead.thread = thread::Builder::new().name("builds".to_owned()).spawn(build).ok();
    }

    fn ahead(&self) -> MutexGuard<'_, Ahead> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Builds {
    fn drop(&mut self) {
        self.cancel.cancel();
        let thread = self.ahead().thread.take();
        thread.map(JoinHandle::join);
    }
}

fn tell(observer: &dyn Observer, progress: &Progress) {
    let event = |what, done, total| observer.event(&Event::Preparing { what, done, total });
    match progress {
        Progress::Resolving { part } => event(&format!("resolving {part}"), None, None),
        Progress::Downloading { done, total } => event("downloading packages", Some(*done), Some(*total)),
        Progress::Waiting => event("waiting for images that are being built", None, None),
        Progress::Building { name } => event(&format!("building {name}"), None, None),
        _ => {}
    }
}
