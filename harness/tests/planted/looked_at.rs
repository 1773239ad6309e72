//! Pages of planted failures, for whoever wants to see them: `NETPROP_TEST_PAGES` names a directory.

use std::fs;
use std::path::PathBuf;

use harness::record::Record;
use harness::report::page;

/// The page of a failure, written into that directory as well, with its record.
pub(crate) fn page(name: &str, record: &Record) -> String {
    let html = page::html(record).unwrap();
    if let Some(directory) = std::env::var_os("NETPROP_TEST_PAGES").map(PathBuf::from) {
        fs::create_dir_all(&directory).unwrap();
        record.write(&directory.join(format!("{name}.record.json"))).unwrap();
        fs::write(directory.join(format!("{name}.html")), &html).unwrap();
    }
    html
}
