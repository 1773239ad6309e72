//! Whoever is killed while it makes, uses or removes templates leaves a cache that the next one can use.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use hypervisor::{Error, Template, TemplateCache};

use crate::support::{Again, is_child};

/// How often a process is killed; `NETPROP_TEST_KILLS` sets another number.
const KILLS: u32 = 40;
/// How late at most, by when it has made and removed several.
const LATEST: Duration = Duration::from_millis(120);
/// How large a template is.
const SIZE: u64 = 1 << 20;
/// Two templates have room, and there are three kinds: each that is made has another removed.
const BOUND: u64 = 5 << 19;
const KINDS: [&str; 3] = ["one", "two", "three"];

/// The template of a kind, whose content shows whose it is; what is found is held to that.
fn get(directory: &Path, kind: &str) -> Template {
    let cache = TemplateCache::new(directory, BOUND);
    let template = cache.get(kind, SIZE, &|text| panic!("nothing is damaged: {text}"), |place| {
        for block in 0..16 {
            let content: Vec<u8> = content(kind).take((block + 1) << 16).collect();
            fs::write(place.join("memory"), content).unwrap();
        }
        fs::write(place.join("devices"), kind).unwrap();
        Ok::<_, Error>(())
    });
    let template = template.unwrap();
    let memory = fs::read(template.directory().join("memory")).unwrap();
    assert!(memory.len() as u64 == SIZE && memory.into_iter().eq(content(kind).take(1 << 20)), "it is whole");
    assert_eq!(fs::read_to_string(template.directory().join("devices")).unwrap(), kind, "and of its kind");
    template
}

fn content(kind: &str) -> impl Iterator<Item = u8> {
    kind.bytes().cycle()
}

/// What is killed.
fn user() {
    loop {
        KINDS.iter().for_each(|kind| drop(get(Path::new("templates"), kind)));
    }
}

fn start(again: &mut Again) -> Child {
    again.command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap()
}

#[test]
fn a_killed_user_leaves_a_cache_that_works() {
    const NAME: &str = "template_cache::a_killed_user_leaves_a_cache_that_works";
    if is_child(NAME) {
        return user();
    }
    let kills = std::env::var("NETPROP_TEST_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let mut again = Again::same_user(NAME);
    let directory = again.directory.path().join("templates");
    let mut half_done = 0;
    for kill in 0..kills {
        // Two at once, one of which goes on while the other is killed.
        let mut users = [start(&mut again), start(&mut again)];
        std::thread::sleep(LATEST * kill / kills);
        for user in &mut users {
            assert!(user.try_wait().unwrap().is_none(), "it ends only when it is killed");
            user.kill().unwrap();
            user.wait().unwrap();
        }
        half_done += u32::from(is_half_done(&directory));
        KINDS.iter().for_each(|kind| drop(get(&directory, kind)));
        assert!(!is_half_done(&directory), "what was left half-done is gone");
        assert!(size(&directory) <= BOUND, "and the bound is kept");
    }
    assert!(kills < KILLS || half_done > 0, "some were killed in the middle of it");
    eprintln!("{half_done} of {kills} were killed while they made or removed a template");
}

/// Whether something is there that is neither a template nor a lock.
fn is_half_done(directory: &Path) -> bool {
    let Ok(files) = fs::read_dir(directory) else { return false };
    files.map(|file| file.unwrap().path()).any(|path| path.is_dir() && !path.join("manifest.json").exists())
}

fn size(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.filter_map(|entry| fs::metadata(entry.join("memory")).ok()).map(|memory| memory.len()).sum()
}
