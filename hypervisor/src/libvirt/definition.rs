//! What is wrong with a machine's XML, as far as it can be known before the machine starts.
//!
//! libvirt itself is asked to turn the XML into a command line, which checks it as a start does
//! and leaves nothing behind: a definition would.

use std::fs::File;
use std::path::Path;

use roxmltree::{Document, Node};
use virt::connect::Connect;
use virt::error::ErrorNumber;

use super::message;
use crate::Error;
use crate::machine::Definition;

/// Refuses a definition that could not start, with the first reason why, and returns the name that
/// libvirt will know the machine by.
pub(super) fn check(connection: &Connect, definition: &Definition) -> Result<String, Error> {
    let refused = |message: String| Error::Definition { machine: definition.name.clone(), message };
    let document =
        Document::parse(&definition.xml).map_err(|error| refused(format!("it is not XML: {error}")))?;
    let domain = document.root_element();
    if domain.tag_name().name() != "domain" {
        return Err(refused(format!(
            "its root element is <{}>, and libvirt wants <domain>",
            domain.tag_name().name()
        )));
    }
    let name = domain.children().find(|child| child.has_tag_name("name")).and_then(|name| name.text());
    let name = name.map(str::trim).ok_or_else(|| refused("it has no <name>".to_owned()))?;
    check_port(domain, "serial", &definition.endpoints.console).map_err(refused)?;
    check_port(domain, "channel", &definition.endpoints.control).map_err(refused)?;
    let uri = connection.uri().unwrap_or_default();
    if uri.starts_with("qemu:///") {
        check_files(domain).map_err(refused)?;
    }
    match connection.domain_xml_to_native("qemu-argv", &definition.xml, 0) {
        Ok(_) => Ok(name.to_owned()),
        // A driver that cannot tell says so at the start.
        Err(error) if error.code().known() == Some(ErrorNumber::NoSupport) => Ok(name.to_owned()),
        Err(error) => Err(refused(message(&error))),
    }
}

/// Checks that a device of this kind connects to the unix socket `path`.
fn check_port(domain: Node<'_, '_>, kind: &str, path: &Path) -> Result<(), String> {
    let connects = |device: Node<'_, '_>| {
        device.attribute("type") == Some("unix")
            && device.children().any(|source| {
                source.has_tag_name("source")
                    && source.attribute("mode") == Some("connect")
                    && source.attribute("path").map(Path::new) == Some(path)
            })
    };
    let found = domain
        .children()
        .filter(|child| child.has_tag_name("devices"))
        .flat_map(|devices| devices.children())
        .any(|device| device.has_tag_name(kind) && connects(device));
    if found {
        Ok(())
    } else {
        Err(format!("it needs <{kind} type='unix'> with <source mode='connect' path='{}'/>", path.display()))
    }
}

/// Checks that the files that the machine is made of can be read.
fn check_files(domain: Node<'_, '_>) -> Result<(), String> {
    for node in domain.descendants() {
        let file = match node.tag_name().name() {
            "kernel" | "initrd" | "emulator" => node.text().map(str::trim),
            "source" if node.parent().is_some_and(|parent| parent.has_tag_name("disk")) => {
                node.attribute("file")
            }
            _ => None,
        };
        if let Some(file) = file {
            let what = match node.tag_name().name() {
                "source" => "disk",
                name => name,
            };
            File::open(file).map_err(|error| format!("its {what} {file} cannot be read: {error}"))?;
        }
    }
    Ok(())
}
