//! What a NixOS is made of, from the command line or from the settings in a replay file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use model::MachineId;
use nixgen::{NixosOptions, NixosStore, NixpkgsSource, UserModule};

use super::args::{BaseKind, LabOptions};
use super::{Fatal, wrong};

/// What a NixOS is made of.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "NixOS")]
pub(crate) struct Options {
    /// Where nixpkgs is: a directory, or a flake's lock with an input (flake.lock#nixpkgs) [default: <nixpkgs>]
    #[arg(long, value_name = "DIR|LOCK")]
    nixpkgs: Option<String>,
    /// A NixOS module for all machines, or for the one that is named
    #[arg(long = "module", value_name = "[MACHINE=]FILE")]
    modules: Vec<String>,
    /// A file with an overlay of nixpkgs
    #[arg(long = "overlay", value_name = "FILE")]
    overlays: Vec<String>,
    /// How the store reaches guests: as a shared disk image, or by 9p
    #[arg(long)]
    nixos_store: Option<StoreKind>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum StoreKind {
    Image,
    #[value(name = "9p")]
    NineP,
}

/// How the names of pins begin, among all settings.
const PINS: [&str; 2] = ["nixpkgs", "debian-"];
/// Between the modules in a setting; no path that is told to Nix has it.
const SEPARATOR: char = '\n';

impl Options {
    /// The options of the library.
    pub(crate) fn read(&self) -> Result<NixosOptions, Fatal> {
        Ok(NixosOptions {
            nixpkgs: self.nixpkgs.as_deref().map(source).transpose()?.unwrap_or_default(),
            modules: self.modules.iter().map(|text| module(text)).collect::<Result<_, _>>()?,
            overlays: self.overlays.iter().map(|file| there("overlay", file)).collect::<Result<_, _>>()?,
            store: match self.nixos_store {
                None | Some(StoreKind::Image) => NixosStore::Image,
                Some(StoreKind::NineP) => NixosStore::NineP,
            },
        })
    }
}

/// What a replay file needs to know beside the machines, where paths are absolute.
pub(crate) fn settings(options: &LabOptions, pins: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut settings = pins.clone();
    let mut set = |name: &str, value: String| settings.insert(name.to_owned(), value);
    let base = if pins.contains_key("nixpkgs") { "nixos" } else { "debian" };
    set("base", base.to_owned());
    if let Some(nixpkgs) = &options.nixos.nixpkgs {
        set("nixos-from", absolute(nixpkgs).display().to_string());
    }
    if !options.nixos.modules.is_empty() {
        let modules = options.nixos.modules.iter().map(|text| match text.split_once('=') {
            Some((id, file)) => format!("{id}={}", absolute(file).display()),
            None => absolute(text).display().to_string(),
        });
        set("modules", modules.collect::<Vec<_>>().join(&SEPARATOR.to_string()));
    }
    if !options.nixos.overlays.is_empty() {
        let overlays = options.nixos.overlays.iter().map(|file| absolute(file).display().to_string());
        set("overlays", overlays.collect::<Vec<_>>().join(&SEPARATOR.to_string()));
    }
    if options.nixos.nixos_store == Some(StoreKind::NineP) {
        set("nixos-store", "9p".to_owned());
    }
    settings
}

/// Options that were not given are those of the file.
pub(crate) fn recall(options: &LabOptions, settings: &BTreeMap<String, String>) -> LabOptions {
    let mut options = options.clone();
    let base = settings.get("base").and_then(|text| BaseKind::from_str(text, false).ok());
    if let (BaseKind::Auto, Some(base)) = (options.base, base) {
        options.base = base;
    }
    let nixos = &mut options.nixos;
    nixos.nixpkgs = nixos.nixpkgs.take().or_else(|| settings.get("nixos-from").cloned());
    if let (true, Some(modules)) = (nixos.modules.is_empty(), settings.get("modules")) {
        nixos.modules = modules.split(SEPARATOR).map(str::to_owned).collect();
    }
    if let (true, Some(overlays)) = (nixos.overlays.is_empty(), settings.get("overlays")) {
        nixos.overlays = overlays.split(SEPARATOR).map(str::to_owned).collect();
    }
    if let (None, Some(store)) = (nixos.nixos_store, settings.get("nixos-store")) {
        nixos.nixos_store = StoreKind::from_str(store, false).ok();
    }
    options
}

/// What is another here than where the case was found, in words.
pub(crate) fn differences(then: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let differs = |(key, then): (&String, &String)| {
        let now = now.get(key).map_or("not there", String::as_str);
        let differs = now != then;
        differs.then(|| {
            format!("{key} was {then} where this case was found, and is {now} here: it may not fail alike")
        })
    };
    then.iter().filter(|(key, _)| PINS.iter().any(|pin| key.starts_with(pin))).filter_map(differs).collect()
}

fn source(text: &str) -> Result<NixpkgsSource, Fatal> {
    let (file, input) = text.split_once('#').unwrap_or((text, "nixpkgs"));
    let path = absolute(file);
    let is_lock = path.extension().is_some_and(|extension| extension == "lock");
    if !path.exists() {
        return Err(wrong(format!(
            "cannot find nixpkgs at {file}: name a directory that has it, or a flake's lock"
        )));
    }
    Ok(if is_lock {
        NixpkgsSource::FlakeLock { file: path, input: input.to_owned() }
    } else {
        NixpkgsSource::Path(path)
    })
}

fn module(text: &str) -> Result<UserModule, Fatal> {
    let (machine, file) = match text.split_once('=') {
        Some((id, file)) => {
            let id = id.parse::<MachineId>().map_err(|error| Fatal::usage(&error))?;
            (Some(id), file)
        }
        None => (None, text),
    };
    Ok(UserModule { machine, path: there("module", file)? })
}

/// A file that is there, by a path that means the same anywhere on this host.
fn there(what: &str, file: &str) -> Result<PathBuf, Fatal> {
    let path = absolute(file);
    if path.is_file() {
        return Ok(path);
    }
    Err(wrong(format!("cannot read the NixOS {what} {file}: name a file that is there")))
}

fn absolute(path: &str) -> PathBuf {
    std::path::absolute(Path::new(path)).unwrap_or_else(|_| path.into())
}
