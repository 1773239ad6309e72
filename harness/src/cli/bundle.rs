//! `netprop bundle`: a failing case in one file, and out of it again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use model::Model;

use super::args::BundleOptions;
use super::kept::{AboutKept, Kept};
use super::offered::Specified;
use super::run::Session;
use super::{Fatal, doctor, wrong};
use crate::bundle::Bundle;
use crate::exit::Exit;
use crate::machines::{Lab, OnMachines as _};
use crate::record;
use crate::replay::Replay;
use crate::whole;

impl AboutKept for BundleOptions {
    fn file(&self) -> &Path {
        &self.file
    }

    fn of_machines<T: Specified>(&self, specified: &T) -> Result<Exit, Fatal> {
        check_unchanged(&self.file)?;
        let kept = Kept::read(specified, &self.file)?;
        let session = Session::start(&self.output)?;
        let (mut environment_here, mut expressions) = (BTreeMap::new(), BTreeMap::new());
        if let Some(lab) = kept.lab(&self.lab, &session)? {
            let network = T::Model::network(&kept.replay.case.initial);
            environment_here = environment(&lab, network)?;
            expressions.insert("images".to_owned(), lab.expression(network)?);
        }
        // What was done for it is done.
        session.observer.text("");
        pack(self, environment_here, expressions)
    }
}

/// Makes a bundle of a case of a system in memory.
pub(crate) fn in_memory<M: Model>(model: &M, options: &BundleOptions) -> Result<Exit, Fatal> {
    check_unchanged(&options.file)?;
    // A file that cannot be replayed is not passed on.
    Replay::read(model, &options.file).map_err(|error| Fatal::usage(&error))?;
    let netprop = ("netprop".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    pack(options, [netprop].into(), BTreeMap::new())
}

fn pack(
    options: &BundleOptions,
    environment: BTreeMap<String, String>,
    expressions: BTreeMap<String, String>,
) -> Result<Exit, Fatal> {
    let record = record::beside(&options.file);
    let record = if record.exists() { Some(text(&record)?) } else { None };
    let bundle = Bundle::new(text(&options.file)?, record, environment, expressions);
    let bundle = bundle.map_err(|error| Fatal::usage(&error))?;
    let output = options.to.clone().unwrap_or_else(|| options.file.with_extension("bundle.json"));
    bundle.write(&output).map_err(|error| Fatal::usage(&error))?;
    super::print(&format!("{}\n", output.display()));
    Ok(Exit::Holds)
}

/// What the machines of a network are run by and made of here: the names of images in the store say what is
/// in them.
pub(crate) fn environment(lab: &Lab, network: &model::Network) -> Result<BTreeMap<String, String>, Fatal> {
    let mut environment = doctor::versions();
    environment.insert("netprop".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    if let Ok(release) = std::fs::read_to_string("/proc/sys/kernel/osrelease") {
        environment.insert("kernel of the host".to_owned(), release.trim().to_owned());
    }
    for (machine, image) in network.machines().iter().zip(lab.images(network)?) {
        for (what, path) in [("kernel", &image.kernel), ("root", &image.root)] {
            environment.insert(format!("{what} of {}", machine.id), stored(path));
        }
    }
    Ok(environment)
}

/// The name of what a file belongs to in a store, with its hash.
fn stored(path: &Path) -> String {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut parts = real.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
    let in_store = parts.by_ref().any(|part| part == "store").then(|| parts.next()).flatten();
    in_store.unwrap_or_else(|| real.display().to_string())
}

/// Writes the files that a bundle was made of.
pub(crate) fn unpack(options: &BundleOptions) -> Result<Exit, Fatal> {
    let bundle = Bundle::read(&options.file).map_err(|error| Fatal::usage(&error))?;
    let output = options.to.clone().unwrap_or_else(|| unpacked(&options.file));
    let record = bundle.record().map(|record| (record::beside(&output), record));
    for (path, text) in std::iter::once((output, bundle.replay())).chain(record) {
        if path.exists() {
            return Err(wrong(format!(
                "{} is there already: choose another place with --output",
                path.display()
            )));
        }
        whole::write(&path, format!("{text}\n").as_bytes()).map_err(|error| {
            let path = path.display();
            wrong(format!("cannot write {path}: {error}: choose another place with --output"))
        })?;
        super::print(&format!("{}\n", path.display()));
    }
    Ok(Exit::Holds)
}

/// The replay file of a bundle.
fn unpacked(bundle: &Path) -> PathBuf {
    let name = bundle.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(".bundle.json").or_else(|| name.strip_suffix(".json")).unwrap_or(&name);
    bundle.with_file_name(format!("{stem}.replay.json"))
}

fn text(path: &Path) -> Result<String, Fatal> {
    std::fs::read_to_string(path).map_err(|error| {
        wrong(format!("cannot read {}: {error}: check that you may read it", path.display()))
    })
}

/// Refuses to change a bundle, which others have as it is.
pub(crate) fn check_unchanged(path: &Path) -> Result<(), Fatal> {
    if Bundle::is_one(path) {
        let path = path.display();
        return Err(wrong(format!(
            "{path} is a bundle, which stays as it is: take its files out by `netprop bundle --unpack {path}`"
        )));
    }
    Ok(())
}
