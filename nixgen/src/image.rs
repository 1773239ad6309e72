//! A built image, and what its files have to look like.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use model::{FileSystem, Format};

/// What boots a machine: shared, read-only, and the same for all machines of equal software.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Image {
    /// The kernel, for direct boot.
    pub kernel: PathBuf,
    /// The initial memory disk.
    pub initrd: PathBuf,
    /// What machines boot in the place of these two, to the same end.
    pub loader: Option<Loader>,
    /// The read-only file system that becomes the guest's root, for the first disk.
    pub root: PathBuf,
    /// The directory of the host that the guest mounts over 9p, by the tag `store`; none where all
    /// that it needs is in its root.
    pub store: Option<PathBuf>,
    /// The kernel's command line.
    pub command_line: String,
    /// A formatted disk (sparse, raw) for each format that was asked for. A machine gets an overlay on one, such
    /// as `qemu-img create -f qcow2 -F raw -b TEMPLATE FILE` makes.
    pub scratch: BTreeMap<Format, PathBuf>,
}

/// A kernel and its initial memory disk in a form that QEMU puts back to a snapshot sooner: it writes the
/// kernel that it boots anew each time that a machine is reset. So it boots a program of a
/// kilobyte, which takes the kernel out of what it finds in the place of the initial memory disk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Loader {
    /// The program, for direct boot.
    pub program: PathBuf,
    /// The kernel as it lies in memory, followed by the initial memory disk.
    pub payload: PathBuf,
}

/// What every guest's kernel is told: where to write, to reboot after a panic (whose text is out
/// by then), and to number its NICs in the order of their slots.
pub(crate) const COMMAND_LINE: &str = "console=ttyS0 quiet panic=-1 net.ifnames=0";

impl Image {
    /// An image of files that were built in another way, with the usual command line.
    #[must_use]
    pub fn of_files(
        kernel: impl Into<PathBuf>,
        initrd: impl Into<PathBuf>,
        root: impl Into<PathBuf>,
        scratch: BTreeMap<Format, PathBuf>,
    ) -> Self {
        let (kernel, initrd, root) = (kernel.into(), initrd.into(), root.into());
        let command_line = COMMAND_LINE.to_owned();
        Self { kernel, initrd, loader: None, root, store: None, command_line, scratch }
    }

    /// Puts an image together from the store.
    pub(crate) fn new(image: &Path, scratch: &BTreeMap<Format, PathBuf>) -> Self {
        let [kernel, initrd, root, program, payload] =
            ["kernel", "initrd", "root", "loader", "payload"].map(|name| image.join(name));
        let usual = Self::of_files(kernel, initrd, root, scratch.clone());
        // A base that needs more than the usual says so in files of these names.
        let text = |name: &str| Some(fs::read_to_string(image.join(name)).ok()?.trim().to_owned());
        let command_line = text("command-line").unwrap_or_else(|| usual.command_line.clone());
        let loader = program.exists().then_some(Loader { program, payload });
        Self { command_line, store: text("store").map(PathBuf::from), loader, ..usual }
    }

    /// What QEMU is given as the kernel and as the initial memory disk.
    #[must_use]
    pub fn booted(&self) -> (&Path, &Path) {
        match &self.loader {
            Some(Loader { program, payload }) => (program, payload),
            None => (&self.kernel, &self.initrd),
        }
    }

    /// The first file that is not what it should be, and why.
    pub(crate) fn flaw(&self) -> Option<(PathBuf, String)> {
        let flaw = |path: &PathBuf, check: Check| check(path).err().map(|why| (path.clone(), why));
        let scratch = |(format, path): (&Format, &PathBuf)| flaw(path, scratch_check(format.file_system));
        flaw(&self.kernel, check_kernel)
            .or_else(|| flaw(&self.initrd, check_initrd))
            .or_else(|| self.loader.as_ref().and_then(|loader| flaw(&loader.program, check_kernel)))
            .or_else(|| self.loader.as_ref().and_then(|loader| flaw(&loader.payload, check_payload)))
            .or_else(|| flaw(&self.root, check_root).filter(|_| self.store.is_none()))
            .or_else(|| self.scratch.iter().find_map(scratch))
    }
}

type Check = fn(&Path) -> Result<(), String>;

/// Opens a file that holds something, and tells its size.
fn open(path: &Path) -> Result<(File, u64), String> {
    let file = File::open(path).map_err(|error| format!("it cannot be read ({error})"))?;
    match file.metadata() {
        Ok(metadata) if metadata.len() == 0 => Err("it is empty".to_owned()),
        Ok(metadata) => Ok((file, metadata.len())),
        Err(error) => Err(format!("it cannot be read ({error})")),
    }
}

/// Whether the file has these bytes at that place.
fn has(file: &File, offset: u64, magic: &[u8]) -> bool {
    let mut bytes = vec![0; magic.len()];
    file.read_exact_at(&mut bytes, offset).is_ok() && bytes == magic
}

/// An unpacked kernel (ELF) or one that unpacks itself (bzImage).
fn check_kernel(path: &Path) -> Result<(), String> {
    let (file, _) = open(path)?;
    let known = has(&file, 0, b"\x7fELF") || has(&file, 0x202, b"HdrS");
    if known { Ok(()) } else { Err("it does not begin as a kernel does".to_owned()) }
}

/// A cpio archive, as it is or compressed by gzip, zstd or xz.
fn check_initrd(path: &Path) -> Result<(), String> {
    let (file, _) = open(path)?;
    let begins: [&[u8]; 4] = [b"070701", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ"];
    let known = begins.iter().any(|magic| has(&file, 0, magic));
    if known { Ok(()) } else { Err("it does not begin as a cpio archive does".to_owned()) }
}

/// A kernel before a cpio archive, of which only the archive's end is known: a name, in its last two blocks.
fn check_payload(path: &Path) -> Result<(), String> {
    let (file, size) = open(path)?;
    let length = size.min(1024);
    let mut end = vec![0; length as usize];
    let read = file.read_exact_at(&mut end, size - length);
    read.map_err(|error| format!("it cannot be read ({error})"))?;
    let is_whole = end.windows(10).any(|name| name == b"TRAILER!!!");
    if is_whole { Ok(()) } else { Err("it does not end as a cpio archive does".to_owned()) }
}

/// A squashfs or an erofs whose superblock counts no more bytes than the file has.
fn check_root(path: &Path) -> Result<(), String> {
    let (file, size) = open(path)?;
    if !has(&file, 0, b"hsqs") {
        return check_erofs(&file, size);
    }
    let mut used = [0; 8];
    let expected = file.read_exact_at(&mut used, 40).map(|()| u64::from_le_bytes(used));
    match expected {
        Ok(expected) if expected <= size => Ok(()),
        Ok(expected) => Err(format!("it is cut short: {size} bytes of {expected}")),
        Err(_) => Err(format!("it is cut short: {size} bytes")),
    }
}

/// An erofs whose superblock counts no more blocks than the file has.
fn check_erofs(file: &File, size: u64) -> Result<(), String> {
    if !has(file, 1024, &0xe0f5_e1e2_u32.to_le_bytes()) {
        return Err("it has no superblock of erofs".to_owned());
    }
    let (mut bits, mut blocks) = ([0], [0; 4]);
    let read =
        file.read_exact_at(&mut bits, 1024 + 12).and_then(|()| file.read_exact_at(&mut blocks, 1024 + 36));
    let expected = u64::from(u32::from_le_bytes(blocks)) << (bits[0] & 31);
    if read.is_ok() && expected <= size {
        Ok(())
    } else {
        Err(format!("it is cut short: {size} bytes of {expected}"))
    }
}

fn scratch_check(file_system: FileSystem) -> Check {
    match file_system {
        FileSystem::Ext4 => |path| check_scratch(path, 0x438, b"\x53\xef"),
        FileSystem::Xfs => |path| check_scratch(path, 0, b"XFSB"),
        FileSystem::Btrfs => |path| check_scratch(path, 0x1_0040, b"_BHRfS_M"),
        _ => |path| open(path).map(drop),
    }
}

fn check_scratch(path: &Path, offset: u64, magic: &[u8]) -> Result<(), String> {
    let (file, _) = open(path)?;
    if has(&file, offset, magic) { Ok(()) } else { Err("it is not formatted".to_owned()) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// An erofs superblock that counts two blocks of 4096 bytes.
    fn root(size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        bytes[1024..1028].copy_from_slice(&0xe0f5_e1e2_u32.to_le_bytes());
        bytes[1036] = 12;
        bytes[1060] = 2;
        bytes
    }

    #[test]
    fn what_a_base_adds_is_read() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("command-line"), "quiet init=/x/init\n").unwrap();
        fs::write(directory.path().join("store"), "/nix/store\n").unwrap();
        let image = Image::new(directory.path(), &BTreeMap::new());
        assert_eq!(image.command_line, "quiet init=/x/init");
        assert_eq!(image.store.as_deref(), Some(Path::new("/nix/store")));
    }

    #[test]
    fn a_squashfs_is_a_root_as_well() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("root");
        let mut bytes = vec![0; 4096];
        bytes[..4].copy_from_slice(b"hsqs");
        bytes[40..48].copy_from_slice(&4000u64.to_le_bytes());
        fs::write(&path, &bytes).unwrap();
        assert_eq!(check_root(&path), Ok(()));
        fs::write(&path, &bytes[..3999]).unwrap();
        assert!(check_root(&path).unwrap_err().contains("3999 bytes of 4000"));
        fs::write(&path, &bytes[..20]).unwrap();
        assert!(check_root(&path).unwrap_err().contains("cut short"));
    }

    #[test]
    fn each_broken_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let scratch = BTreeMap::from([(FileSystem::Xfs.into(), path("xfs"))]);
        let good: [(&str, &[u8]); 6] = [
            ("kernel", b"\x7fELF"),
            ("initrd", b"070701"),
            ("root", &root(8192)),
            ("xfs", b"XFSB"),
            ("loader", b"\x7fELF"),
            ("payload", b"TRAILER!!!\0"),
        ];
        for (name, content) in good {
            fs::write(path(name), content).unwrap();
        }
        let image = Image::new(directory.path(), &scratch);
        assert_eq!(image.booted(), (path("loader").as_path(), path("payload").as_path()));
        assert_eq!(image.flaw(), None);
        for (name, content) in good {
            for (bad, why) in [(&b""[..], "empty"), (b"garbage", "")] {
                fs::write(path(name), bad).unwrap();
                let (found, reason) = image.flaw().unwrap();
                assert!(found == path(name) && reason.contains(why), "{found:?}: {reason}");
            }
            fs::remove_file(path(name)).unwrap();
            assert!(image.flaw().unwrap().1.contains("cannot be read"));
            fs::write(path(name), content).unwrap();
        }
        fs::write(path("root"), root(8191)).unwrap();
        assert!(image.flaw().unwrap().1.contains("cut short"));
    }
}
