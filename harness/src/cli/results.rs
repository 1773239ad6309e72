//! The files that tell other programs what a run has come to.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;

use super::{Fatal, wrong};
use crate::exit::{self, Exit};
use crate::observe::{Event, Observer};
use crate::replay;
use crate::results::{Recorder, RunResult, RunVerdict, junit, markdown};
use crate::whole;

/// Which files are written of a run, whatever becomes of it.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Results")]
pub(crate) struct ResultOptions {
    /// Write the result of each case to this file as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write it as JSON, whose schema is docs/schema/result.json
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write a summary as Markdown, for a comment on a pull request
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
}

/// How a result is put into words.
type Form = fn(&RunResult) -> Result<String, String>;

impl ResultOptions {
    fn files(&self) -> impl Iterator<Item = (&Path, Form)> {
        let forms: [(_, Form); 3] = [
            (&self.junit, junit),
            (&self.json, |result| Ok(result.json())),
            (&self.markdown, |result| Ok(markdown(result))),
        ];
        forms.into_iter().filter_map(|(file, form)| Some((file.as_deref()?, form)))
    }
}

/// The files of one run, which are written once.
pub(crate) struct Results {
    options: ResultOptions,
    pub(crate) recorder: Arc<Recorder>,
    are_written: AtomicBool,
}

impl Results {
    /// Refuses files that could not be written, before anything runs. From then on they are written also
    /// where the process ends at once.
    pub(crate) fn begin(options: &ResultOptions) -> Result<Arc<Self>, Fatal> {
        for (file, _) in options.files() {
            check(file).map_err(|error| wrong(unwritten(file, &error)))?;
        }
        let results = Arc::new(Self {
            options: options.clone(),
            recorder: Arc::default(),
            are_written: AtomicBool::default(),
        });
        let at_end = Arc::clone(&results);
        exit::before_ending(move |exit| {
            at_end.write(verdict(exit), None).iter().for_each(|why| anstream::eprintln!("error: {why}"));
        });
        Ok(results)
    }

    /// Whether anything is to be written.
    pub(crate) fn are_asked_for(&self) -> bool {
        self.options.files().next().is_some()
    }

    /// Writes all files for how the run has ended, which then ends so, or as wrong use where it holds and
    /// a file could not be written.
    pub(crate) fn end(&self, ended: Result<Exit, Fatal>) -> Result<Exit, Fatal> {
        let unwritten = match &ended {
            Ok(exit) => self.write(verdict(*exit), None),
            Err(Fatal { exit: Exit::Stopped, .. }) => self.write(RunVerdict::Stopped, None),
            Err(Fatal { message, .. }) => self.write(RunVerdict::Error, Some(message.clone())),
        };
        if unwritten.is_empty() {
            return ended;
        }
        if matches!(ended, Ok(Exit::Holds)) {
            return Err(wrong(unwritten.join("; ")));
        }
        unwritten.iter().for_each(|why| anstream::eprintln!("error: {why}"));
        ended
    }

    /// Writes all files, unless they are written; says what could not be.
    fn write(&self, verdict: RunVerdict, error: Option<String>) -> Vec<String> {
        if self.are_written.swap(true, Ordering::SeqCst) {
            return Vec::new();
        }
        let result = self.recorder.result(verdict, error);
        let write = |(file, form): (&Path, Form)| {
            let text = form(&result)?;
            whole::write(file, text.as_bytes()).map_err(|error| unwritten(file, &error))
        };
        self.options.files().filter_map(|file| write(file).err()).collect()
    }
}

fn unwritten(file: &Path, error: &io::Error) -> String {
    format!("cannot write the result {}: {error}: choose another place", file.display())
}

/// Whether a file could be put there.
fn check(file: &Path) -> io::Result<()> {
    if file.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    replay::can_write_in(file.parent().unwrap_or(Path::new(".")))
}

fn verdict(exit: Exit) -> RunVerdict {
    match exit {
        Exit::Holds => RunVerdict::Holds,
        Exit::Falsified => RunVerdict::Falsified,
        Exit::Inconclusive => RunVerdict::Inconclusive,
        Exit::Stopped => RunVerdict::Stopped,
        Exit::Usage | Exit::MissingComponent => RunVerdict::Error,
    }
}

/// Tells a recorder everything as well.
pub(crate) struct Recording {
    pub(crate) inner: Box<dyn Observer>,
    pub(crate) recorder: Arc<Recorder>,
}

impl Observer for Recording {
    fn event(&self, event: &Event<'_>) {
        self.recorder.event(event);
        self.inner.event(event);
    }

    fn text(&self, text: &str) {
        self.inner.text(text);
    }
}
