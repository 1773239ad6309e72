//! What Nix is given: the arguments of `nix/nixos`, and on which values of a machine they depend.

use std::collections::BTreeMap;
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use model::{Format, Machine, MachineId, PackageName, PackageVersion};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::NixosStore;
use super::pin::Nixpkgs;
use crate::base::{ImageRequest, Part, Wanted};
use crate::error::Error;
use crate::evaluation::Files;
use crate::host;

/// What `templates/nixos.nix.hbs` is rendered with.
#[derive(Debug, Serialize)]
pub(super) struct Expression<'a> {
    pub(super) source: String,
    pub(super) nixpkgs: &'a Nixpkgs,
    pub(super) system: &'static str,
    pub(super) overlays: &'a [String],
    pub(super) images: Option<Images>,
}

/// The images that are to be built, and the disks.
#[derive(Debug, Serialize)]
pub(super) struct Images {
    authorized_key: String,
    store: &'static str,
    configurations: Vec<Configuration>,
    disks: Vec<Disk>,
}

#[derive(Debug, Serialize)]
struct Configuration {
    kernel: String,
    packages: Vec<Package>,
    modules: Vec<String>,
    /// In JSON.
    machine: String,
    names: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Package {
    name: String,
    version: Option<String>,
}

#[derive(Debug, Serialize)]
struct Disk {
    /// What it is called in the store.
    name: String,
    file_system: &'static str,
    mkfs_options: Vec<String>,
}

/// The keys of what images of NixOS depend on beside kernel and packages: lists and sets in JSON.
const MODULES: &str = "modules";
const MACHINE: &str = "machine";
/// What of a machine is in no image, whatever a module says.
const IDENTITY: [&str; 4] = ["id", "uuid", "address", "running"];

/// What a machine's image depends on beside kernel and packages: its modules, and those of its values
/// that they mention. So machines that differ in others still share an image, and its evaluation.
pub(super) fn details(machine: &Machine, modules: &[PathBuf]) -> BTreeMap<String, String> {
    if modules.is_empty() {
        return BTreeMap::new();
    }
    let files = Files::of(modules);
    let is_read = |(name, _): &(String, Value)| !IDENTITY.contains(&name.as_str()) && files.mention(name);
    let values: Map<_, _> = values(machine).into_iter().filter(is_read).collect();
    let modules: Vec<_> = modules.iter().map(|module| module.to_string_lossy()).collect();
    BTreeMap::from([
        (MODULES.to_owned(), Value::from(modules).to_string()),
        (MACHINE.to_owned(), Value::from(values).to_string()),
    ])
}

/// All values of a machine, also those that a file leaves out where they are as for most machines.
fn values(machine: &Machine) -> Map<String, Value> {
    // Without "..": whoever adds a value has to tell here whether files leave it out.
    let Machine {
        id: _,
        uuid: _,
        address: _,
        kernel: _,
        memory: _,
        file_system: _,
        running: _,
        mkfs_options,
        mount_options,
        packages,
        files,
        services,
        kernel_parameters,
        processors,
        clock_source,
        mtu,
        parameters,
    } = machine;
    let mut values = Map::new();
    if let Value::Object(left_out) = serde_json::json!({
        "mkfs_options": mkfs_options, "mount_options": mount_options, "packages": packages, "files": files,
        "services": services, "kernel_parameters": kernel_parameters, "processors": processors,
        "clock_source": clock_source, "mtu": mtu, "parameters": parameters,
    }) {
        values.extend(left_out);
    }
    // Machines are objects with names for keys.
    if let Ok(Value::Object(written)) = serde_json::to_value(machine) {
        values.extend(written);
    }
    // A service without a check of its own says so too.
    let services = values.get_mut("services").and_then(Value::as_object_mut);
    for service in services.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut) {
        service.entry("ready").or_insert(Value::Null);
    }
    values
}

impl Images {
    pub(super) fn new(wanted: &Wanted, authorized_key: &str, store: NixosStore) -> Result<Self, Error> {
        let configurations = wanted.images.iter().map(|(request, ids)| Configuration::new(request, ids));
        Ok(Self {
            authorized_key: authorized_key.to_owned(),
            store: match store {
                NixosStore::Image => "image",
                NixosStore::NineP => "9p",
            },
            configurations: configurations.collect::<Result<_, _>>()?,
            disks: wanted.formats.iter().map(Disk::new).collect(),
        })
    }
}

impl Images {
    /// What each disk is called, and what it is for. What images are called, only Nix knows.
    pub(super) fn disks(&self, wanted: &Wanted) -> Vec<(String, Part)> {
        let formats = self.disks.iter().zip(&wanted.formats);
        formats.map(|(disk, format)| (disk.name.clone(), Part::Disk(format.clone()))).collect()
    }
}

impl Configuration {
    fn new(request: &ImageRequest, ids: &[MachineId]) -> Result<Self, Error> {
        let detail = |key: &str| request.details.get(key).map(String::as_str);
        let modules: Vec<String> =
            detail(MODULES).and_then(|modules| serde_json::from_str(modules).ok()).unwrap_or_default();
        for module in &modules {
            host::speakable("the path of a module", module)?;
        }
        let package = |(name, version): (&PackageName, &PackageVersion)| {
            let version = match version {
                PackageVersion::Newest => None,
                PackageVersion::Exact(version) => Some(version.clone()),
                PackageVersion::File(file) => {
                    let reason = "NixOS installs no files of packages: name a version that nixpkgs has, or write a module";
                    return Err(Error::PackageFile {
                        package: name.clone(),
                        path: file.into(),
                        machines: ids.to_vec(),
                        reason: reason.to_owned(),
                    });
                }
            };
            Ok(Package { name: format!("{name}"), version })
        };
        Ok(Self {
            kernel: request.software.kernel.to_string(),
            packages: request.software.packages.iter().map(package).collect::<Result<_, _>>()?,
            modules,
            machine: detail(MACHINE).unwrap_or("{}").to_owned(),
            names: ids.iter().map(ToString::to_string).collect(),
        })
    }
}

impl Disk {
    fn new(format: &Format) -> Self {
        let file_system = format.file_system.as_str();
        let mkfs_options: Vec<_> = format.mkfs_options.iter().map(ToString::to_string).collect();
        let name = match mkfs_options.as_slice() {
            [] => format!("scratch-{file_system}"),
            // Options have signs that names in the store cannot have.
            words => {
                let key = HEXLOWER.encode(&Sha256::digest(words.join(" "))[..4]);
                format!("scratch-{file_system}-{key}")
            }
        };
        Self { name, file_system, mkfs_options }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_machine_has_all_values() {
        let full = serde_json::json!({
            "id": "a", "uuid": "00000000-0000-4000-8000-000000000001", "address": "172.16.2.1", "kernel": "6.12",
            "memory": 256, "file_system": "xfs", "running": true, "mkfs_options": ["-f"], "mount_options": ["noatime"],
            "packages": { "redis": "newest" }, "files": { "/etc/x": "y" },
            "services": { "redis": { "command": "redis-server", "ready": "true" } },
            "kernel_parameters": { "mitigations": "off" }, "processors": 2, "clock_source": "tsc", "mtu": 1400,
            "parameters": { "note": "x" },
        });
        let machine: Machine = serde_json::from_value(full.clone()).unwrap();
        let written = serde_json::to_value(&machine).unwrap();
        assert_eq!(written, full, "every value is in it");
        assert_eq!(Value::from(values(&machine)), full);

        let plain = Machine::new(machine.id, machine.uuid, machine.address, machine.kernel);
        let values = values(&plain);
        assert!(values.keys().eq(full.as_object().unwrap().keys()), "{values:?}");
        assert_eq!(
            (&values["processors"], &values["packages"], &values["clock_source"]),
            (&serde_json::json!(plain.processors), &serde_json::json!({}), &Value::Null)
        );
    }
}
