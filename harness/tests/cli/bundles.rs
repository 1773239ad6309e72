//! Bundles: made of a replay file, read where one is, refused where they are not whole; and what is asked
//! of networks that one can step into.

use std::fs;

use crate::{Place, case_of_faults, refused, text};

/// A replay file with a record beside it, in a bundle.
fn bundled(place: &Place) -> (String, String) {
    let file = place.file("case.json", &case_of_faults(r#"[{"boot":"a"}]"#));
    place.file("case.record.json", include_str!("../pages/version-1.record.json"));
    let file = file.to_str().unwrap().to_owned();
    let output = place.run(&["bundle", "--system", "simulated", &file]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    (file, text(&output.stdout).trim().to_owned())
}

#[test]
fn a_bundle_stands_for_its_case_and_its_record() {
    let place = Place::new();
    let (file, bundle) = bundled(&place);
    assert!(bundle.ends_with("/case.bundle.json"));
    let (case, record) = (fs::read(&file).unwrap(), fs::read(place.path().join("case.record.json")).unwrap());
    fs::remove_file(&file).unwrap();
    fs::remove_file(place.path().join("case.record.json")).unwrap();

    let replayed = place.run(&["replay", "--system", "simulated", &bundle]);
    assert_eq!(replayed.status.code(), Some(0), "{}", text(&replayed.stderr));
    assert!(text(&replayed.stdout).starts_with("holds: "));
    let page = place.run(&["report", &bundle]);
    assert_eq!(text(&page.stdout).trim(), place.path().join("case.html").to_str().unwrap());

    for changing in [&["shrink", &bundle][..], &["replay", "--probe", &bundle]] {
        let arguments = [changing, &["--system", "simulated"]].concat();
        refused(&place, &arguments, 2, "is a bundle, which stays as it is");
    }
    refused(&place, &["bundle", "--system", "simulated", &bundle], 2, "is a bundle, which stays as it is");

    let unpacked = place.run(&["bundle", "--unpack", &bundle, "--output", &file]);
    assert_eq!(unpacked.status.code(), Some(0), "{}", text(&unpacked.stderr));
    let trimmed = |bytes: &[u8]| text(bytes).trim().to_owned();
    assert_eq!(trimmed(&fs::read(&file).unwrap()), trimmed(&case));
    assert_eq!(trimmed(&fs::read(place.path().join("case.record.json")).unwrap()), trimmed(&record));
    refused(&place, &["bundle", "--unpack", &bundle, "--output", &file], 2, "is there already");
}

#[test]
fn a_bundle_that_is_not_whole_is_refused() {
    let place = Place::new();
    let (_, bundle) = bundled(&place);
    let whole = fs::read_to_string(&bundle).unwrap();
    for (content, said) in [
        (whole[..whole.len() / 2].to_owned(), "cannot be understood"),
        (whole.replacen("{\"boot\":\"a\"}", "{\"boot\":\"b\"}", 1), "is not as it was made, by its checksum"),
        (whole.replacen("\"version\": 1", "\"version\": 99", 1), "has version 99"),
    ] {
        let file = place.file("other.bundle.json", &content);
        let file = file.to_str().unwrap();
        for command in [&["replay", "--system", "simulated"][..], &["bundle", "--unpack"], &["report"]] {
            refused(&place, &[command, &[file]].concat(), 2, said);
        }
    }
    refused(&place, &["bundle", "--unpack", "nowhere"], 2, "cannot read bundle nowhere");
    // What its schema does not know runs nothing.
    let unknown = place.file("unknown.json", &case_of_faults(r#"[{"explode":"a"}]"#));
    let arguments = ["bundle", "--system", "simulated", unknown.to_str().unwrap()];
    refused(&place, &arguments, 2, "unknown variant `explode`");
}

#[test]
fn one_steps_into_machines_alone() {
    let place = Place::new();
    let file = place.file("case.json", &case_of_faults(r#"[{"boot":"a"}]"#));
    let file = file.to_str().unwrap();
    refused(&place, &["resume", "--at", "2", file], 2, "the case has commands 1 to 1, and none 2");
    refused(&place, &["resume", "nowhere.json"], 2, "cannot read replay file nowhere.json");
    refused(&place, &["shell", "nowhere.json"], 2, "could not read the network nowhere.json");
    refused(&place, &["shell", file], 2, "is no network");
    let simulated = ["shell", "--system", "simulated"];
    refused(&place, &simulated, 2, "nothing to see inside a simulated network");
}
