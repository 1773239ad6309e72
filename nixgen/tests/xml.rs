//! The XML of a machine: complete by default, true to every wiring, and taken by libvirt itself.

#![expect(clippy::unwrap_used, reason = "these are helpers of tests")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use model::machine::Processors;
use model::{Machine, Network};
use nixgen::{Accelerator, Console, Control, Data, DiskIo, Image, Management, Wiring, domain_xml};
use proptest::prelude::*;
use roxmltree::{Document, Node};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

fn network() -> Network {
    serde_json::from_str(include_str!("../examples/network.json")).unwrap()
}

fn image(kernel: &str) -> Image {
    Image::of_files(kernel, "/store/initrd", "/store/root", BTreeMap::new())
}

fn xml(wiring: &Wiring) -> std::result::Result<String, nixgen::Error> {
    let network = network();
    let machine: &Machine = &network.machines()[0];
    domain_xml(machine, &network, &image("/store/kernel"), wiring)
}

fn full(directory: &Path) -> Wiring {
    Wiring {
        console: Console::Socket(directory.join("console")),
        control: Control::Socket(directory.join("control")),
        scratch: Some(directory.join("scratch.qcow2")),
        scratch_io: DiskIo::IoUring,
        management: Management::Forwarded { port: 2222 },
        data: Data::Switch { directory: directory.join("switch"), port: Some(7) },
        accelerator: Accelerator::Kvm,
        emulator: Some(PathBuf::from("/usr/bin/qemu-system-x86_64")),
        network: Some("r-abcdefgh-n1".to_owned()),
    }
}

fn nodes<'a>(document: &'a Document<'_>, name: &str) -> Vec<Node<'a, 'a>> {
    document.descendants().filter(|node| node.has_tag_name(name)).collect()
}

fn text<'a>(document: &'a Document<'_>, name: &str) -> Option<&'a str> {
    nodes(document, name).first()?.text()
}

/// QEMU's own arguments, which carry the NICs.
fn arguments(document: &Document<'_>) -> Vec<String> {
    let values = document.descendants().filter(|node| node.tag_name().name() == "arg");
    values.filter_map(|node| node.attribute("value")).map(str::to_owned).collect()
}

#[test]
fn the_default_is_complete_by_itself() -> Result {
    let xml = xml(&Wiring::default())?;
    let document = Document::parse(&xml)?;
    assert_eq!(document.root_element().attribute("type"), Some("qemu"));
    assert_eq!(text(&document, "name"), Some("alphaaaa"));
    assert_eq!(text(&document, "uuid"), Some("5f1c6f0e-6d0c-4f53-9d6e-0d6f7e1f2a01"));
    assert_eq!(text(&document, "memory"), Some("128"));
    assert_eq!(text(&document, "kernel"), Some("/store/kernel"));
    assert_eq!(nodes(&document, "disk").len(), 1, "no scratch disk");
    assert_eq!(nodes(&document, "serial")[0].attribute("type"), None, "the disk's serial comes first");
    assert!(xml.contains("org.netprop.control") && xml.contains("<serial type='pty'>"));
    assert!(!xml.contains("qemu:commandline>"), "no NICs");
    Ok(())
}

#[test]
fn processors_parameters_and_clocks_are_the_machines_own() -> Result {
    let network = network();
    let mut machine = network.machines()[0].clone();
    let plain = domain_xml(&machine, &network, &image("/store/kernel"), &Wiring::default())?;
    assert!(plain.contains("<vcpu>1</vcpu>") && !plain.contains("<timer"), "{plain}");
    machine.processors = Processors::new(3)?;
    machine.kernel_parameters.insert("mitigations".parse()?, "auto,nosmt".parse()?);
    machine.kernel_parameters.insert("nokaslr".parse()?, "".parse()?);
    machine.clock_source = Some("hpet".parse()?);
    let xml = domain_xml(&machine, &network, &image("/store/kernel"), &Wiring::default())?;
    let document = Document::parse(&xml)?;
    assert_eq!(text(&document, "vcpu"), Some("3"));
    let base = Document::parse(&plain)?;
    let expected =
        format!("{} mitigations=auto,nosmt nokaslr clocksource=hpet", text(&base, "cmdline").unwrap());
    assert_eq!(text(&document, "cmdline"), Some(expected.as_str()));
    assert_eq!(nodes(&document, "timer")[0].attribute("name"), Some("hpet"));
    for index in 0..9 {
        machine.kernel_parameters.insert(format!("p{index}").parse()?, "x".repeat(250).parse()?);
    }
    let error = domain_xml(&machine, &network, &image("/store/kernel"), &Wiring::default()).unwrap_err();
    assert!(error.to_string().contains("longer than the 2047 signs"), "{error}");
    Ok(())
}

#[test]
fn texts_that_lead_elsewhere_are_refused_as_the_file_is_read() {
    let machine = |field: &str, value: &str| {
        format!(
            r#"{{ "machines": [ {{ "id": "a", "uuid": "5f1c6f0e-6d0c-4f53-9d6e-0d6f7e1f2a01",
                 "address": "172.16.2.2", "kernel": "6.1", "memory": 96, "file_system": "ext4", "{field}": {value} }} ] }}"#
        )
    };
    serde_json::from_str::<Network>(&machine("packages", r#"{ "x": "newest" }"#)).unwrap();
    for (field, value) in [
        ("packages", r#"{ "../x": "newest" }"#),
        ("packages", r#"{ "x": "../x.deb" }"#),
        ("files", r#"{ "/etc/../x": "" }"#),
        ("services", r#"{ "../x": { "command": "true" } }"#),
        ("parameters", r#"{ "../x": "" }"#),
        ("kernel_parameters", r#"{ "../x": "" }"#),
        ("mkfs_options", r#"["../x"]"#),
        ("mount_options", r#"["../x"]"#),
        ("clock_source", r#""../x""#),
    ] {
        let error = serde_json::from_str::<Network>(&machine(field, value)).unwrap_err().to_string();
        assert!(error.contains("is not one: use"), "{field} {value}: {error}");
    }
}

#[test]
fn a_full_wiring_is_all_there() -> Result {
    let xml = xml(&full(Path::new("/run/a,b")))?;
    assert!(xml.contains("discard='unmap' io='io_uring'/>"), "{xml}");
    let document = Document::parse(&xml)?;
    assert_eq!(document.root_element().attribute("type"), Some("kvm"));
    let sources: Vec<_> =
        nodes(&document, "source").iter().filter_map(|node| node.attribute("path")).collect();
    assert_eq!(sources, ["/run/a,b/console", "/run/a,b/control"]);
    assert_eq!(nodes(&document, "disk").len(), 2);
    let arguments = arguments(&document);
    assert!(arguments[1].contains("hostfwd=tcp:127.0.0.1:2222-169.254.77.15:22"), "{arguments:?}");
    assert!(arguments[1].contains("restrict=on"), "{arguments:?}");
    assert_eq!(arguments[5], "vde,id=data,sock=/run/a,,b/switch,port=7");
    assert!(arguments[7].contains("mac=52:54:00:10:02:02"), "{arguments:?}");
    Ok(())
}

#[test]
fn devices_share_no_slot_and_management_comes_first() -> Result {
    let xml = xml(&full(Path::new("/run")))?;
    let document = Document::parse(&xml)?;
    let hexadecimal = |text: &str| u32::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let mut slots: Vec<_> = nodes(&document, "address")
        .iter()
        .filter_map(|node| node.attribute("slot"))
        .map(hexadecimal)
        .collect();
    let nics: Vec<_> = arguments(&document)
        .iter()
        .filter_map(|argument| Some(hexadecimal(argument.split_once(",addr=")?.1.split(',').next()?)))
        .collect();
    assert!(nics.is_sorted() && nics.len() == 2, "eth0 is the first by slot");
    slots.extend(nics);
    let count = slots.len();
    slots.sort_unstable();
    slots.dedup();
    assert_eq!(slots.len(), count);
    Ok(())
}

#[test]
fn paths_that_cannot_be_told_are_refused() {
    use std::os::unix::ffi::OsStrExt;
    let scratch = |path: PathBuf| Wiring { scratch: Some(path), ..Wiring::default() };
    let long = PathBuf::from(format!("/{}", "x".repeat(107)));
    let not_text = PathBuf::from(std::ffi::OsStr::from_bytes(b"/\xff"));
    for (wiring, why) in [
        (scratch("relative".into()), "not absolute"),
        (scratch("/a\u{1}".into()), "control character"),
        (scratch(not_text), "UTF-8"),
        (Wiring { console: Console::Socket(long.clone()), ..Wiring::default() }, "too long"),
        (Wiring { data: Data::Switch { directory: long, port: None }, ..Wiring::default() }, "too long"),
    ] {
        let error = xml(&wiring).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("alphaaaa"), "{error}");
    }
}

proptest! {
    #[test]
    fn no_path_changes_the_shape_of_the_xml(tail in "[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\u{fffe}\u{ffff}]{0,40}") {
        let path = format!("/{tail}");
        let wiring = Wiring { scratch: Some(path.clone().into()), ..Wiring::default() };
        let network = network();
        let xml = domain_xml(&network.machines()[0], &network, &image(&path), &wiring).unwrap();
        let document = Document::parse(&xml).unwrap();
        prop_assert_eq!(text(&document, "kernel"), Some(path.as_str()));
        prop_assert_eq!(nodes(&document, "source")[1].attribute("file"), Some(path.as_str()));
        let plain = xml_shape(&wiring_shape());
        prop_assert_eq!(shape(&document), plain);
    }
}

fn wiring_shape() -> String {
    xml(&Wiring { scratch: Some("/plain".into()), ..Wiring::default() }).unwrap()
}

fn xml_shape(xml: &str) -> Vec<String> {
    shape(&Document::parse(xml).unwrap())
}

fn shape(document: &Document<'_>) -> Vec<String> {
    document.descendants().filter(Node::is_element).map(|node| node.tag_name().name().to_owned()).collect()
}

#[test]
fn libvirt_takes_it() -> Result {
    if which::which("virsh").is_err() {
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true"),
            "virsh is missing: install libvirt-clients"
        );
        eprintln!("SKIPPED: virsh is missing: install Debian's package libvirt-clients");
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let etc = directory.path().join("root/etc");
    std::fs::create_dir_all(&etc)?;
    // As root, libvirt would have QEMU run as another user, whom this directory keeps out.
    let user = if rustix::process::geteuid().is_root() { "user = \"root\"\ngroup = \"root\"\n" } else { "" };
    std::fs::write(
        etc.join("qemu.conf"),
        format!("security_driver = \"none\"\nstdio_handler = \"file\"\n{user}"),
    )?;
    let root = directory.path().join("root");
    let stores = [None, Some(PathBuf::from("/nix/store"))];
    for (accelerator, store) in [Accelerator::Tcg, Accelerator::Kvm].into_iter().zip(stores) {
        let wiring = Wiring { accelerator, ..full(directory.path()) };
        let file = directory.path().join("domain.xml");
        let network = network();
        let mut image = image("/store/kernel");
        image.store = store;
        std::fs::write(&file, domain_xml(&network.machines()[0], &network, &image, &wiring)?)?;
        let output = Command::new("virsh")
            .args(["-q", "-c", &format!("qemu:///embed?root={}", root.display())])
            .args(["define", "--validate"])
            .arg(&file)
            .output()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

#[test]
fn in_a_named_network_only_libvirt_knows_a_machine_by_another_name() -> Result {
    let named = |network: &str| xml(&Wiring { network: Some(network.to_owned()), ..Wiring::default() });
    let (one, other) = (named("r-n1")?, named("r-n2")?);
    assert_eq!(one, named("r-n1")?);
    let (one, other) = (Document::parse(&one)?, Document::parse(&other)?);
    assert_eq!((text(&one, "name"), text(&other, "name")), (Some("r-n1-alphaaaa"), Some("r-n2-alphaaaa")));
    let own = "5f1c6f0e-6d0c-4f53-9d6e-0d6f7e1f2a01";
    let uuids = [text(&one, "uuid"), text(&other, "uuid"), Some(own)];
    assert!(uuids[0] != uuids[1] && uuids[0] != uuids[2] && uuids[1] != uuids[2], "{uuids:?}");
    for document in [&one, &other] {
        assert_eq!(arguments(document), ["-smbios", &format!("type=1,uuid={own}")]);
    }
    Ok(())
}
