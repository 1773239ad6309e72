//! Scratch disks: each machine has one, which is blank at first and goes with it.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use hypervisor::disk::{copy_overlay, create_overlay, has_io_uring};
use model::Machine;
use nixgen::{DiskIo, Image};

use crate::machines::lab::{Boots, Lab};
use crate::system::SystemError;

/// A machine's scratch disk. Its file goes with the last one who knows it.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// What a run has found out about scratch disks.
#[derive(Debug, Default)]
pub(super) struct Scratches {
    /// A blank disk for each template. A copy of it takes no time, where making one takes a process.
    blanks: Mutex<HashMap<PathBuf, PathBuf>>,
    io: OnceLock<DiskIo>,
}

impl Lab {
    /// Makes a scratch disk for a machine, freshly formatted, in the file at `path`.
    pub(super) fn scratch(
        &self,
        image: &Image,
        machine: &Machine,
        path: PathBuf,
    ) -> Result<Arc<Scratch>, SystemError> {
        let scratch = Scratch(path);
        self.blank(image, machine, &scratch)?;
        Ok(Arc::new(scratch))
    }

    /// Has the scratch disk of a machine that is off be freshly formatted.
    pub(super) fn blank(
        &self,
        image: &Image,
        machine: &Machine,
        scratch: &Scratch,
    ) -> Result<(), SystemError> {
        let template = image.scratch.get(&machine.format()).ok_or_else(|| {
            let file_system = machine.file_system;
            SystemError::WrongUse(
                format!(
                    "the base has no {file_system} for machine {}: choose another file system",
                    machine.id
                )
                .into(),
            )
        })?;
        let mut blanks = self.scratches.blanks.lock().unwrap_or_else(PoisonError::into_inner);
        let blank = match blanks.get(template) {
            Some(blank) => blank.clone(),
            None => {
                let blank = self.run.path().join(format!("blank{}.qcow2", blanks.len()));
                create_overlay(template, &blank)?;
                blanks.insert(template.clone(), blank.clone());
                blank
            }
        };
        drop(blanks);
        Ok(copy_overlay(&blank, scratch.path())?)
    }

    /// How a scratch disk is best read and written, of which this is the first: machines that are put
    /// back read much from it.
    pub(super) fn scratch_io(&self, scratch: &Scratch) -> DiskIo {
        match self.options.boots {
            Boots::Cold => DiskIo::Threads,
            Boots::Auto | Boots::Warm => *self
                .scratches
                .io
                .get_or_init(|| if has_io_uring(scratch.path()) { DiskIo::IoUring } else { DiskIo::Threads }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_goes_with_the_last_one_who_knows_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("disk");
        fs::write(&file, "blank").unwrap();
        let scratch = Arc::new(Scratch(file.clone()));
        let other = Arc::clone(&scratch);
        drop(scratch);
        assert!(file.exists(), "another definition of the machine has it");
        drop(other);
        assert!(!file.exists());
    }
}
