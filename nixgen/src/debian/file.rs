//! Packages that a user gives as files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use model::MachineId;
use model::machine::PackageName;

use super::Debian;
use crate::apt::Package;
use crate::base::Context;
use crate::error::Error;
use crate::lock::hash_of;
use crate::process::Job;

impl Debian {
    /// Looks into a file, which has to be the package of that name, whole, and for guests.
    pub(super) fn read_file(
        &self,
        name: &PackageName,
        path: &Path,
        machines: &[MachineId],
        context: &Context<'_>,
    ) -> Result<Package, Error> {
        let refuse = |reason: String| Error::PackageFile {
            package: name.clone(),
            path: path.to_owned(),
            machines: machines.to_vec(),
            reason,
        };
        let metadata = fs::metadata(path).map_err(|error| refuse(format!("it cannot be read ({error})")))?;
        if !metadata.is_file() {
            return Err(refuse("it is no file: name a file that ends in .deb".to_owned()));
        }
        let fields = self
            .fields(path, context)?
            .map_err(|said| refuse(format!("it is no package, or a damaged one ({said}): get it again")))?;
        let [found, version, architecture] = fields;
        if found != name.as_str() {
            return Err(refuse(format!("it is the package {found}: name that one, or another file")));
        }
        if architecture != "all" && architecture != "amd64" {
            return Err(refuse(format!("it is for {architecture}: guests are amd64")));
        }
        // As apt itself names it, whatever the user has called it.
        let file = format!("{found}_{}_{architecture}.deb", version.replace(':', "%3a"));
        let sha256 = hash_of(path)?;
        Ok(Package { name: found, version, file, size: metadata.len(), sha256 })
    }

    /// The name, version and architecture of a package's file, or what dpkg-deb says against it.
    fn fields(&self, path: &Path, context: &Context<'_>) -> Result<Result<[String; 3], String>, Error> {
        let dpkg = self.programs.find("dpkg-deb", "dpkg")?;
        let mut fields = Command::new(&dpkg);
        fields.args(["--show", "--showformat=${Package}\\n${Version}\\n${Architecture}\\n"]).arg(path);
        // Only reading all of it shows that nothing is missing at its end.
        let mut contents = Command::new(&dpkg);
        contents.arg("--contents").arg(path);
        let mut output = Vec::new();
        for mut command in [contents, fields] {
            command.env("LC_ALL", "C");
            let log = self.apt_directory.join("dpkg-deb.log");
            fs::create_dir_all(&self.apt_directory).map_err(Error::file("make", &self.apt_directory))?;
            let job = Job { what: "read a package", command, log, on_line: &mut |_| {} };
            let finished = job.run(context.limits)?;
            if !finished.status.success() {
                let said = finished.end.lines().next().unwrap_or("dpkg-deb did not say why").trim();
                return Ok(Err(said.trim_start_matches("dpkg-deb: error: ").to_owned()));
            }
            output = finished.output;
        }
        Ok(output.try_into().map_err(|_| "it has no name, version or architecture".to_owned()))
    }
}

/// What tells whether a file that was given is another by now, without reading it.
pub(super) fn stamp(path: &str) -> String {
    let stamp = |path: PathBuf| {
        let metadata = fs::metadata(path)?;
        let changed = metadata.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok::<_, std::io::Error>(format!("{} bytes of {}", metadata.len(), changed.as_nanos()))
    };
    stamp(PathBuf::from(path)).unwrap_or_else(|error| error.to_string())
}
