//! What is wrong with a machine's XML, as far as it can be known before the machine starts.
//!
//! libvirt itself is asked to turn the XML into a command line, which checks it as a start does
//! and leaves nothing behind: a definition would.

use std::fs::File;
use std::path::{Path, PathBuf};

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

/// The namespace of what QEMU is told past libvirt.
const QEMU: &str = "http://libvirt.org/schemas/domain/qemu/1.0";

/// How many bytes of memory the machine has.
pub(super) fn memory(xml: &str) -> Result<u64, String> {
    let document = Document::parse(xml).map_err(|error| format!("it is not XML: {error}"))?;
    let memory = document.root_element().children().find(|child| child.has_tag_name("memory"));
    let memory = memory.ok_or("its definition has no <memory>")?;
    let shift = match memory.attribute("unit") {
        None | Some("KiB" | "k") => 10,
        Some("MiB" | "M") => 20,
        Some("GiB" | "G") => 30,
        Some(unit) => return Err(format!("its <memory> is in {unit}: give it in KiB, MiB or GiB")),
    };
    let size = memory.text().and_then(|text| text.trim().parse::<u64>().ok());
    size.and_then(|size| size.checked_mul(1 << shift)).ok_or_else(|| "its <memory> is no number".to_owned())
}

/// The files of the disks that the machine writes to, each of which can hold snapshots.
pub(super) fn written_disks(xml: &str) -> Result<Vec<PathBuf>, String> {
    let document = Document::parse(xml).map_err(|error| format!("it is not XML: {error}"))?;
    let child = |disk: Node<'_, '_>, name: &str, attribute: &str| {
        let child = disk.children().find(|child| child.has_tag_name(name));
        child.and_then(|child| child.attribute(attribute)).map(str::to_owned)
    };
    let disks = document.descendants().filter(|node| node.has_tag_name("disk"));
    let written = disks.filter(|disk| {
        matches!(disk.attribute("device"), None | Some("disk" | "lun"))
            && !disk.children().any(|child| child.has_tag_name("readonly") || child.has_tag_name("transient"))
    });
    let file = |disk| {
        let file = child(disk, "source", "file").ok_or("it writes to a disk that is no file")?;
        match child(disk, "driver", "type") {
            Some(format) if format == "qcow2" => Ok(PathBuf::from(file)),
            _ => Err(format!("its disk {file} is no qcow2, which alone can hold snapshots")),
        }
    };
    written.map(file).collect()
}

/// Refuses a disk with this file whose errors do not reach the guest: on `errors` of any kind, or on
/// those alone that say that there is no room, on which QEMU stops the machine unless it is told.
pub(super) fn check_errors_reach_guest(xml: &str, file: &Path, is_full: bool) -> Result<(), String> {
    let document = Document::parse(xml).map_err(|error| format!("it is not XML: {error}"))?;
    let has_file = |disk: &Node<'_, '_>| {
        let mut sources = disk.children().filter(|child| child.has_tag_name("source"));
        sources.any(|source| source.attribute("file").map(Path::new) == Some(file))
    };
    let disk = document.descendants().find(|node| node.has_tag_name("disk") && has_file(node));
    let driver = disk.and_then(|disk| disk.children().find(|child| child.has_tag_name("driver")));
    let policy = |name| driver.and_then(|driver| driver.attribute(name));
    let writes = policy("error_policy");
    let reads = policy("rerror_policy").or(writes);
    let hides = |policy| matches!(policy, Some("stop" | "ignore"));
    if hides(writes) || hides(reads) || is_full && writes != Some("report") {
        return Err(
            "its errors would not reach the guest: give its <driver> error_policy='report'".to_owned()
        );
    }
    Ok(())
}

/// The same definition with more arguments for QEMU, behind those that it has.
pub(super) fn with_arguments(xml: &str, arguments: &[String]) -> Result<String, String> {
    if arguments.is_empty() {
        return Ok(xml.to_owned());
    }
    let document = Document::parse(xml).map_err(|error| format!("it is not XML: {error}"))?;
    let domain = document.root_element();
    let arguments: String =
        arguments.iter().map(|text| format!("<arg xmlns='{QEMU}' value='{}'/>", escaped(text))).collect();
    let has = domain.children().find(|child| child.has_tag_name((QEMU, "commandline")));
    let (element, more) = match has {
        Some(has) => (has, arguments),
        None => (domain, format!("<commandline xmlns='{QEMU}'>{arguments}</commandline>")),
    };
    Ok(with_child(xml, element, &more))
}

/// The same definition, of which libvirt asks less as it starts: it would ask QEMU for each of some four
/// hundred properties of the processor by itself, which takes longer than all the rest of a start, and
/// has a shorter way for a QEMU that lacks this capability. What it finds out tells whether the machine
/// has the features that its definition wants, and a machine that begins from what another was has
/// that one's.
pub(super) fn with_short_start(xml: &str) -> Result<String, String> {
    let document = Document::parse(xml).map_err(|error| format!("it is not XML: {error}"))?;
    let domain = document.root_element();
    if domain.children().any(|child| child.has_tag_name((QEMU, "capabilities"))) {
        return Ok(xml.to_owned());
    }
    let less =
        format!("<capabilities xmlns='{QEMU}'><del capability='cpu-unavailable-features'/></capabilities>");
    Ok(with_child(xml, domain, &less))
}

/// The text with one more element at the end of this one, which has others.
fn with_child(xml: &str, element: Node<'_, '_>, child: &str) -> String {
    let range = element.range();
    let end = xml[range.clone()].rfind("</").map_or(range.end, |end| range.start + end);
    format!("{}{child}{}", &xml[..end], &xml[end..])
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('\'', "&apos;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_in_bytes() {
        let of = |element: &str| memory(&format!("<domain>{element}</domain>"));
        assert_eq!(of("<memory unit='MiB'>96</memory>"), Ok(96 << 20));
        assert_eq!(of("<memory> 98304 </memory>"), Ok(96 << 20));
        assert_eq!(of("<memory unit='GiB'>2</memory>"), Ok(2 << 30));
        assert_eq!(
            of("<memory unit='TB'>1</memory>"),
            Err("its <memory> is in TB: give it in KiB, MiB or GiB".to_owned())
        );
        assert!(of("<memory>much</memory>").is_err() && of("").is_err());
    }

    #[test]
    fn disks_that_are_written_to_have_to_be_qcow2() {
        let disk = |format: &str, file: &str, more: &str| {
            format!(
                "<disk type='file' device='disk'><driver name='qemu' type='{format}'/><source file='{file}'/>{more}</disk>"
            )
        };
        let of = |disks: &[String]| {
            written_disks(&format!("<domain><devices>{}</devices></domain>", disks.concat()))
        };
        let root = disk("raw", "/root", "<readonly/>");
        assert_eq!(of(&[]), Ok(Vec::new()));
        assert_eq!(of(&[root.clone(), disk("qcow2", "/a", "")]), Ok(vec![PathBuf::from("/a")]));
        let error = of(&[root, disk("qcow2", "/a", ""), disk("raw", "/b", "")]).unwrap_err();
        assert_eq!(error, "its disk /b is no qcow2, which alone can hold snapshots");
    }

    #[test]
    fn errors_reach_a_guest_whose_disk_reports_them() {
        let check = |policy: &str, is_full| {
            let disk = format!("<disk><driver {policy}/><source file='/a'/></disk>");
            let xml = format!("<domain><disk><driver/><source file='/b'/></disk>{disk}</domain>");
            check_errors_reach_guest(&xml, Path::new("/a"), is_full)
        };
        for (policy, errors, full) in [
            ("", true, false),
            ("error_policy='report'", true, true),
            ("error_policy='enospace'", true, false),
            ("error_policy='stop'", false, false),
            ("error_policy='stop' rerror_policy='report'", false, false),
            ("error_policy='report' rerror_policy='ignore'", false, false),
        ] {
            assert_eq!(
                (check(policy, false).is_ok(), check(policy, true).is_ok()),
                (errors, full),
                "{policy}"
            );
        }
    }

    #[test]
    fn arguments_come_behind_those_that_are_there() {
        let more = ["-object".to_owned(), "a'b&c".to_owned()];
        for xml in [
            "<domain><name>m</name></domain>".to_owned(),
            format!(
                "<domain xmlns:q='{QEMU}'><q:commandline><q:arg value='-S'/></q:commandline><name/></domain>"
            ),
        ] {
            assert_eq!(with_arguments(&xml, &[]).unwrap(), xml);
            let text = with_arguments(&xml, &more).unwrap();
            let document = Document::parse(&text).unwrap();
            let arguments = document.descendants().filter(|node| node.has_tag_name((QEMU, "arg")));
            let values: Vec<_> = arguments.filter_map(|node| node.attribute("value")).collect();
            assert!(values.ends_with(&["-object", "a'b&c"]), "{values:?}");
            assert_eq!(values.len(), 2 + xml.matches("-S").count(), "{text}");
            let lines = document.descendants().filter(|node| node.has_tag_name((QEMU, "commandline")));
            assert_eq!(lines.count(), 1, "libvirt reads one: {text}");
        }
    }

    #[test]
    fn a_short_start_is_asked_for_once_and_not_of_whoever_knows_better() {
        let text = with_short_start("<domain><name>m</name></domain>").unwrap();
        let document = Document::parse(&text).unwrap();
        let mut less = document.descendants().filter(|node| node.has_tag_name((QEMU, "del")));
        assert_eq!(less.next().unwrap().attribute("capability"), Some("cpu-unavailable-features"));
        assert_eq!(with_short_start(&text).unwrap(), text);
    }
}
