//! What a report needs to know of a failure, kept beside its replay file.

use std::path::PathBuf;

use model::Model;

use super::attempt;
use crate::record::{Record, beside};
use crate::runner::{Failure, Runner};
use crate::statistics::Statistics;
use crate::system::{System, SystemError};

impl<M: Model, S: System<M>> Runner<'_, M, S> {
    /// Keeps the record of a failure that has a replay file; what an earlier one of the same failure
    /// knows and this one does not stays. That it cannot be kept takes nothing from the failure.
    pub(crate) fn keep_record(&self, failure: &mut Failure<M>, statistics: Option<&Statistics>) {
        let Some(file) = failure.file.clone().filter(|_| failure.unkept.is_none()) else { return };
        let kept = attempt(|| {
            self.write_record(failure, file, statistics)
                .map_err(|why| SystemError::WrongUse(why.into()).into())
        });
        self.note(failure, "no report can be made of it", kept);
    }

    fn write_record(
        &self,
        failure: &Failure<M>,
        file: PathBuf,
        statistics: Option<&Statistics>,
    ) -> Result<(), crate::record::RecordError> {
        let path = beside(&file);
        let record = Record::of(self.executor.model, failure, statistics.cloned());
        let record = match Record::read(&path) {
            Ok(earlier) => record.after(earlier),
            Err(_) => record,
        };
        record.write(&path)
    }
}
