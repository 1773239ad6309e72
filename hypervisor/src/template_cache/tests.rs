use super::*;
use std::cell::{Cell, RefCell};
use tempfile::TempDir;

const BOUND: u64 = 1 << 30;

struct Place {
    directory: TempDir,
    made: Cell<u32>,
    warnings: RefCell<Vec<String>>,
}

impl Place {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        Self { directory, made: Cell::new(0), warnings: RefCell::default() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("cache")
    }

    fn get_within(&self, kind: &str, bound: u64) -> Result<Template, Error> {
        let warn = |text: &str| self.warnings.borrow_mut().push(text.to_owned());
        TemplateCache::new(self.path(), bound).get(kind, 1 << 20, &warn, |directory| {
            self.made.set(self.made.get() + 1);
            assert_eq!(fs::read_dir(directory).unwrap().count(), 0, "the directory is empty");
            fs::write(directory.join("memory"), vec![7; 1 << 20]).unwrap();
            fs::write(directory.join("devices"), kind).unwrap();
            Ok(())
        })
    }

    fn get(&self, kind: &str) -> Template {
        let template = self.get_within(kind, BOUND).unwrap();
        assert_eq!(fs::read_to_string(template.directory().join("devices")).unwrap(), kind);
        template
    }

    /// The directory of this kind's entry, which nobody holds.
    fn entry(&self, kind: &str) -> PathBuf {
        self.get(kind).directory().to_owned()
    }

    /// What of the cache is no lock.
    fn left(&self) -> usize {
        let files = fs::read_dir(self.path()).unwrap().flatten();
        files.filter(|file| file.path().extension().is_none_or(|end| end != LOCK)).count()
    }
}

#[test]
fn a_template_is_made_once() {
    let place = Place::new();
    let first = place.get("a");
    assert_eq!(place.get("a").directory(), first.directory());
    assert_ne!(place.get("b").directory(), first.directory());
    assert_eq!(place.made.get(), 2);
    assert_eq!(place.warnings.borrow().len(), 0);
}

#[test]
fn what_cannot_be_trusted_is_dropped_and_made_anew() {
    let place = Place::new();
    let flip = |path: PathBuf| {
        let mut bytes = fs::read(&path).unwrap();
        bytes[3] ^= 1;
        fs::write(&path, bytes).unwrap();
    };
    type Damage<'a> = (&'a str, &'a dyn Fn(&Path));
    let damages: [Damage<'_>; 7] = [
        ("its file memory is damaged", &|entry| flip(entry.join("memory"))),
        ("its file memory is damaged", &|entry| {
            File::options().write(true).open(entry.join("memory")).unwrap().set_len(4096).unwrap();
        }),
        ("its file devices is damaged", &|entry| fs::write(entry.join("devices"), "b").unwrap()),
        ("its file memory cannot be read", &|entry| fs::remove_file(entry.join("memory")).unwrap()),
        ("its manifest is damaged", &|entry| fs::write(entry.join(MANIFEST), "{").unwrap()),
        ("its manifest is damaged", &|entry| fs::write(entry.join(MANIFEST), "").unwrap()),
        ("it was made for something else", &|entry| {
            let text = fs::read_to_string(entry.join(MANIFEST)).unwrap();
            fs::write(entry.join(MANIFEST), text.replace("\"kind\": \"a\"", "\"kind\": \"b\"")).unwrap();
        }),
    ];
    for (round, (why, damage)) in (1..).zip(damages) {
        damage(&place.entry("a"));
        place.entry("a");
        assert_eq!(place.made.get(), 1 + round, "{why}");
        let warning = place.warnings.borrow_mut().pop().unwrap();
        assert!(warning.contains("is dropped and made anew") && warning.contains(why), "{warning}");
        assert!(place.warnings.borrow().is_empty());
    }
    assert_eq!(place.left(), 1);
}

#[test]
fn what_was_left_half_made_or_half_removed_is_none() {
    let place = Place::new();
    let entry = place.entry("a");
    // One that was being removed, and one that was being made, when its process was killed.
    fs::remove_file(entry.join(MANIFEST)).unwrap();
    let half = entry.with_extension(NEW);
    fs::create_dir(&half).unwrap();
    fs::write(half.join("memory"), "half").unwrap();
    place.entry("a");
    assert_eq!((place.made.get(), place.left(), place.warnings.borrow().len()), (2, 1, 0));
    // The same of a kind that nobody asks for any more.
    fs::remove_file(entry.join(MANIFEST)).unwrap();
    fs::create_dir(&half).unwrap();
    place.entry("b");
    assert_eq!(place.left(), 1);
}

#[test]
fn what_was_used_least_recently_goes_first_and_what_is_in_use_stays() {
    let place = Place::new();
    let entries = ["a", "b", "c"].map(|kind| place.entry(kind));
    for (entry, age) in entries.iter().zip([20, 30, 10]) {
        let used = SystemTime::now() - Duration::from_secs(age);
        File::options().write(true).open(entry.join(MANIFEST)).unwrap().set_modified(used).unwrap();
    }
    let there = || entries.each_ref().map(|entry| entry.exists());
    let _held = place.get("a");
    drop(place.get_within("d", 4 << 20).unwrap());
    assert_eq!(there(), [true, false, true], "b was used before c, and a just now");
    drop(place.get_within("e", 2 << 20).unwrap());
    assert_eq!(there(), [true, false, false], "a is in use");
    assert_eq!(place.left(), 2, "e was just made");
}

#[test]
fn one_that_is_damaged_while_others_use_it_stays_theirs() {
    let place = Place::new();
    let held = place.get("a");
    fs::write(held.directory().join("devices"), "b").unwrap();
    let error = place.get_within("a", BOUND).unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error}");
    assert!(held.directory().join("memory").exists());
}

#[test]
fn one_that_was_discarded_is_made_anew() {
    let place = Place::new();
    let template = place.get("a");
    template.discard();
    assert!(template.directory().join("memory").exists());
    drop(template);
    place.entry("a");
    assert_eq!((place.made.get(), place.left(), place.warnings.borrow().len()), (2, 1, 0));
}

#[test]
fn what_cannot_be_made_leaves_nothing() {
    let place = Place::new();
    let cache = TemplateCache::new(place.path(), BOUND);
    let failed = cache.get("a", 0, &|_| (), |directory| {
        fs::write(directory.join("memory"), "half").unwrap();
        Err(Error::NoSnapshots { machine: "m".to_owned() })
    });
    assert!(matches!(failed, Err(Error::NoSnapshots { .. })));
    assert_eq!(place.left(), 0);
    let full = cache.get("a", 1 << 60, &|_| (), |_| Ok::<_, Error>(()));
    let error = full.unwrap_err().to_string();
    assert!(error.contains("has no room for a snapshot of 1099511627776 MiB"), "{error}");
    place.entry("a");
}

#[test]
fn what_is_not_in_use_can_be_removed() {
    let place = Place::new();
    let (held, free) = (place.get("a"), place.entry("b"));
    let (removed, bytes) = TemplateCache::new(place.path(), BOUND).clear();
    assert!(removed == 1 && bytes > 1 << 20, "{removed} of {bytes} bytes");
    assert!(held.directory().exists() && !free.exists());
    drop(held);
    assert_eq!(TemplateCache::new(place.path(), BOUND).clear().0, 1);
    assert_eq!(TemplateCache::new(place.path(), BOUND).clear(), (0, 0));
}

#[test]
fn a_place_that_cannot_be_written_is_told() {
    let place = Place::new();
    fs::write(place.path(), "a file").unwrap();
    let error = place.get_within("a", BOUND).unwrap_err().to_string();
    assert!(error.starts_with("could not make the directory "), "{error}");
    assert_eq!(place.made.get(), 0);
}

#[test]
fn who_asks_at_the_same_time_waits_for_it() {
    let directory = TempDir::new().unwrap();
    let made = std::sync::atomic::AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let cache = TemplateCache::new(directory.path(), BOUND);
                let template = cache.get("a", 0, &|text| panic!("{text}"), |directory| {
                    made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(50));
                    fs::write(directory.join("memory"), "a").map_err(Error::file("write", directory))
                });
                assert!(template.unwrap().directory().join("memory").exists());
            });
        }
    });
    assert_eq!(made.into_inner(), 1);
}
