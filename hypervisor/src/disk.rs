//! Scratch disks: each machine writes to a disk of its own that lies over a common image.

use std::path::Path;
use std::process::Command;

use crate::{Error, program};

/// Makes a qcow2 image at `destination` that holds what is written to it and reads as the raw
/// image `template` elsewhere. It takes some hundred kilobytes at first. The template must stay
/// as it is for as long as the overlay is used.
///
/// # Errors
/// [`Error::MissingProgram`] without `qemu-img`, [`Error::File`] where the template cannot be
/// read, [`Error::DiskFull`], or [`Error::Disk`] with what `qemu-img` said.
pub fn create_overlay(template: &Path, destination: &Path) -> Result<(), Error> {
    let program = program::find("qemu-img", "qemu-utils")?;
    // An overlay names its template for good, so the name must not depend on where we are.
    let template = template.canonicalize().map_err(Error::file("read the disk template", template))?;
    std::fs::File::open(&template).map_err(Error::file("read the disk template", &template))?;
    let output = Command::new(&program)
        .args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"])
        .arg(&template)
        .arg(destination)
        .output()
        .map_err(|source| Error::Spawn { program: program.display().to_string(), source })?;
    if output.status.success() {
        return Ok(());
    }
    // What it left behind is no disk.
    let _ = std::fs::remove_file(destination);
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if message.contains("No space left on device") || message.contains("Disk quota exceeded") {
        return Err(Error::DiskFull { path: destination.to_owned() });
    }
    Err(Error::Disk { path: destination.to_owned(), template, message })
}

/// Makes another overlay at `destination`, like one that nothing was written to since
/// [`create_overlay`] made it, and on the same template: without a process, in no time. What is there
/// already is overwritten.
///
/// # Errors
/// [`Error::DiskFull`], or [`Error::File`] where it cannot be read or written.
pub fn copy_overlay(blank: &Path, destination: &Path) -> Result<(), Error> {
    std::fs::copy(blank, destination).map_err(|error| {
        // What was written so far is no disk.
        let _ = std::fs::remove_file(destination);
        Error::file("make the disk", destination)(error)
    })?;
    Ok(())
}

/// Whether QEMU can read and write by `io_uring` here: its build has it, and the kernel lets it. It is
/// tried out on `file`, which is not changed.
#[must_use]
pub fn has_io_uring(file: &Path) -> bool {
    let Ok(program) = program::find("qemu-img", "qemu-utils") else { return false };
    // A comma ends an option of QEMU's, two stand for one.
    let name = file.display().to_string().replace(',', ",,");
    let output = Command::new(program)
        .args(["info", "--image-opts"])
        .arg(format!("driver=file,aio=io_uring,filename={name}"))
        .output();
    output.is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn an_overlay_is_small_and_as_large_as_its_template() {
        let directory = tempfile::tempdir().unwrap();
        let template = directory.path().join("template");
        File::create(&template).unwrap().set_len(512 << 20).unwrap();
        let disk = directory.path().join("disk");
        create_overlay(&template, &disk).unwrap();
        assert!(disk.metadata().unwrap().len() < 1 << 20);
        let output = Command::new("qemu-img").arg("info").arg(&disk).output().unwrap();
        let info = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(info.contains("512 MiB") && info.contains("backing file format: raw"), "{info}");
    }

    #[test]
    fn a_copy_of_a_blank_overlay_is_another() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        File::create(file("template")).unwrap().set_len(64 << 20).unwrap();
        create_overlay(&file("template"), &file("blank")).unwrap();
        std::fs::write(file("disk"), [1; 1 << 20]).unwrap();
        copy_overlay(&file("blank"), &file("disk")).unwrap();
        let compared =
            Command::new("qemu-img").arg("compare").args([file("template"), file("disk")]).output();
        assert!(compared.unwrap().status.success());
        assert_eq!(std::fs::read(file("disk")).unwrap(), std::fs::read(file("blank")).unwrap());
        let error = copy_overlay(&file("none"), &file("disk")).unwrap_err().to_string();
        assert!(error.starts_with("could not make the disk "), "{error}");
        assert!(!file("disk").exists(), "half a disk is none");
    }

    #[test]
    fn io_uring_is_tried_out() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("with,comma");
        assert!(!has_io_uring(&file), "there is nothing to try it out on");
        File::create(&file).unwrap().set_len(1 << 20).unwrap();
        eprintln!("io_uring: {}", has_io_uring(&file));
    }

    #[test]
    fn a_missing_template_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let error = create_overlay(Path::new("/nonexistent"), &directory.path().join("disk")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "could not read the disk template /nonexistent: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn a_missing_directory_is_told() {
        let template = tempfile::NamedTempFile::new().unwrap();
        let error = create_overlay(template.path(), Path::new("/nonexistent/disk")).unwrap_err();
        assert!(matches!(error, Error::Disk { .. }), "{error}");
        assert!(error.to_string().contains("No such file or directory"), "{error}");
    }
}
