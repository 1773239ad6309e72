//! Completions, pages for man, and the XML of a network.

use std::fs;

use crate::{Place, refused, text};

#[test]
fn pages_are_written_where_they_are_to_be() {
    let place = Place::new();
    assert_eq!(place.run(&["man", "pages/man1"]).status.code(), Some(0));
    let page = fs::read_to_string(place.path().join("pages/man1/netprop-run.1")).unwrap();
    assert!(page.contains(".TH netprop-run 1"), "{page}");
    place.file("taken", "");
    refused(&place, &["man", "taken"], 2, "cannot write the page taken/");
    let script = place.run(&["completions", "bash"]);
    assert!(text(&script.stdout).contains("complete -F _netprop"), "{script:?}");
    refused(&place, &["completions", "command.com"], 2, "invalid value 'command.com'");
}

#[test]
fn a_network_that_is_none_has_no_xml() {
    let place = Place::new();
    refused(&place, &["xml", "nowhere.json"], 2, "cannot read the network file nowhere.json");
    let file = place.file("network.json", r#"{"subnet": "172.16.2.0/24", "machines": [{"id": "a"}]}"#);
    refused(&place, &["xml", file.to_str().unwrap()], 2, "does not describe a network");
}

#[test]
fn snapshots_are_removed_only_where_it_is_asked_for() {
    let place = Place::new();
    let clean = |arguments: &[&str]| {
        let mut command = place.command(&[&["clean"], arguments].concat());
        text(&command.env("XDG_CACHE_HOME", place.path()).output().unwrap().stdout)
    };
    assert!(!clean(&[]).contains("snapshots"));
    assert!(clean(&["--snapshots"]).contains("removed 0 snapshots of 0 MiB"));
}
