//! What is found on the host: programs, and the texts that paths have to be.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Where programs are looked for: in these directories, or in those of `PATH` where there are none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Programs(pub(crate) Option<OsString>);

impl Programs {
    /// Finds a program that is in the package.
    pub(crate) fn find(&self, tool: &'static str, package: &'static str) -> Result<PathBuf, Error> {
        let found = match &self.0 {
            None => which::which(tool),
            Some(path) => which::which_in(tool, Some(path), "/"),
        };
        found.map_err(|_| Error::ToolMissing { tool, package })
    }
}

/// The shell, and the directories of all the programs as a search path. The first program named
/// is the shell. Only directories get into derivations, so the user's own search path does not.
pub(crate) fn tools(
    programs: &Programs,
    wanted: &[(&'static str, &'static str)],
) -> Result<(String, String), Error> {
    let mut directories: Vec<String> = Vec::new();
    let mut shell = String::new();
    for &(tool, package) in wanted {
        let found = programs.find(tool, package)?;
        // One directory may have two names, such as /bin and /usr/bin: one of them is enough, so
        // that the same host gives the same derivations.
        let directory = found.parent().unwrap_or(Path::new("/"));
        let directory = directory.canonicalize().map_err(Error::file("read", directory))?;
        if shell.is_empty() {
            shell = text("the path of the shell", &directory.join(tool))?;
        }
        let directory = text("the path of a program", &directory)?;
        if !directories.contains(&directory) {
            directories.push(directory);
        }
    }
    Ok((shell, directories.join(":")))
}

/// A path as text that can go into an expression.
pub(crate) fn text(what: &'static str, path: &Path) -> Result<String, Error> {
    let Some(text) = path.to_str() else {
        let text = path.display().to_string();
        return Err(Error::Unspeakable { what, text, why: "is not UTF-8" });
    };
    speakable(what, text).map(str::to_owned)
}

/// Holds a text to what a string of Nix can be.
pub(crate) fn speakable<'a>(what: &'static str, text: &'a str) -> Result<&'a str, Error> {
    if text.contains('\0') {
        return Err(Error::Unspeakable { what, text: text.to_owned(), why: "holds a NUL" });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_names_its_package() {
        let error =
            tools(&Programs::default(), &[("sh", "dash"), ("no-such-program", "its-package")]).unwrap_err();
        assert!(error.to_string().contains("apt-get install its-package"), "{error}");
    }

    #[test]
    fn what_nix_cannot_say_is_refused() {
        use std::os::unix::ffi::OsStrExt;
        assert!(speakable("a text", "a\0b").is_err());
        let path = Path::new(std::ffi::OsStr::from_bytes(b"/\xff"));
        assert!(text("a path", path).unwrap_err().to_string().contains("UTF-8"));
    }
}
