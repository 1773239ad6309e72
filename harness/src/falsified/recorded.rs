//! What a report needs to know of a failure, kept beside its replay file.

use std::path::Path;

use model::Model;

use super::attempt;
use crate::record::{self, Record, RecordError, beside};
use crate::runner::{Failure, Runner};
use crate::statistics::Statistics;
use crate::system::{System, SystemError};

impl<M: Model, S: System<M>> Runner<'_, M, S> {
    /// Keeps the record of a failure that has a replay file. That it cannot be kept takes nothing from
    /// the failure.
    pub(crate) fn keep_record(&self, failure: &mut Failure<M>, statistics: Option<&Statistics>) {
        if failure.file.is_none() {
            return;
        }
        let kept = attempt(|| {
            let record = Record::of(self.executor.model, failure, statistics.cloned());
            self.write_record(failure, record).map_err(|why| SystemError::WrongUse(why.into()).into())
        });
        self.note(failure, "no report can be made of it", kept);
    }

    /// Writes the record of a run to a file, whatever its verdict.
    pub(crate) fn write_record_to(
        &self,
        failure: &Failure<M>,
        verdict: record::Verdict,
        file: &Path,
    ) -> Result<(), String> {
        attempt(|| {
            let mut record = Record::of(self.executor.model, failure, None);
            record.verdict = verdict;
            record.write(file).map_err(|why| SystemError::WrongUse(why.into()).into())
        })
    }

    /// Writes a failure's record, if it has a replay file that it can lie beside. What an earlier one of
    /// the same failure knows and this one does not stays.
    fn write_record(&self, failure: &Failure<M>, record: Record) -> Result<(), RecordError> {
        let Some(file) = failure.file.as_deref().filter(|_| failure.unkept.is_none()) else { return Ok(()) };
        let path = beside(file);
        let record = match Record::read(&path) {
            Ok(earlier) => record.after(earlier),
            Err(_) => record,
        };
        record.write(&path)
    }
}
