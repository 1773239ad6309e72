//! `netprop report`: the page that shows a failing case.

use super::args::ReportOptions;
use super::{Fatal, wrong};
use crate::exit::Exit;
use crate::record::{Record, page_of};
use crate::report::page;
use crate::whole;

pub(crate) fn report(options: &ReportOptions) -> Result<Exit, Fatal> {
    let (record, path) = Record::open(&options.file).map_err(|error| Fatal::usage(&error))?;
    if !record.verdict.is_falsified() {
        let path = path.display();
        return Err(wrong(format!(
            "record {path} is of a run that did not fail, and a report shows a failure: compare it by `netprop diff`"
        )));
    }
    let output = options.output.clone().unwrap_or_else(|| page_of(&path));
    let text = page::html(&record).map_err(|error| Fatal::usage(&error))?;
    whole::write(&output, text.as_bytes()).map_err(|error| {
        let output = output.display();
        wrong(format!("cannot write report {output}: {error}: choose another place with --output"))
    })?;
    anstream::println!("{}", output.display());
    Ok(Exit::Holds)
}
