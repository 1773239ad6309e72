//! Files that are no records of this netprop are refused with what is wrong with them.

use std::fs;
use std::path::PathBuf;

use harness::record::{Record, RecordError};

use crate::failing;

/// A record as JSON, changed, in a file.
fn changed(change: impl FnOnce(&mut serde_json::Value)) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("case.record.json");
    let mut value = serde_json::to_value(failing::lost_update()).unwrap();
    change(&mut value);
    fs::write(&path, value.to_string()).unwrap();
    (directory, path)
}

fn refusal(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let (_directory, path) = changed(change);
    let error: RecordError = Record::open(&path).unwrap_err();
    let said = error.to_string();
    assert!(said.contains(&path.display().to_string()), "{said}");
    said
}

#[test]
fn what_is_foreign_damaged_or_of_the_future_is_refused() {
    assert!(
        refusal(|value| value["version"] = 99.into())
            .contains("has version 99, and this netprop reads up to 2")
    );
    assert!(
        refusal(|value| value["format"] = "other".into()).contains("is neither a record nor a replay file")
    );
    assert!(refusal(|value| value["surprise"] = true.into()).contains("unknown field `surprise`"));
    assert!(
        refusal(|value| value["operations"][0]["surprise"] = 1.into()).contains("unknown field `surprise`")
    );
    assert!(
        refusal(|value| drop(value.as_object_mut().unwrap().remove("evidence")))
            .contains("missing field `evidence`")
    );
    assert!(
        refusal(|value| value["operations"][0]["before"] = 77.into()).contains("names a lane or a state")
    );
    assert!(refusal(|value| value["operations"][0]["lane"] = 77.into()).contains("names a lane or a state"));
    assert!(refusal(|value| value["lanes"] = u64::MAX.into()).contains("lanes for "));
    assert!(
        refusal(|value| value["states"][0]["power"] = serde_json::json!(["on"]))
            .contains("does not have all machines")
    );
}

#[test]
fn a_record_that_is_cut_off_anywhere_is_refused() {
    let (_directory, path) = changed(|_| {});
    let text = fs::read(&path).unwrap();
    for length in (0..text.len()).step_by(text.len() / 40) {
        fs::write(&path, &text[..length]).unwrap();
        let said = Record::open(&path).unwrap_err().to_string();
        assert!(said.contains("cannot be understood"), "{said}");
    }
}

#[test]
fn a_replay_file_stands_for_the_record_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("case.json");
    fs::write(&path, r#"{"format":"netprop-replay","version":1}"#).unwrap();
    let said = Record::open(&path).unwrap_err().to_string();
    assert!(said.contains("has no record beside it") && said.contains("netprop replay"), "{said}");
    let record = failing::lost_update();
    record.write(&directory.path().join("case.record.json")).unwrap();
    assert_eq!(Record::open(&path).unwrap().0, record);
    let said = Record::open(&directory.path().join("nowhere.json")).unwrap_err().to_string();
    assert!(said.contains("cannot read record"), "{said}");
}
