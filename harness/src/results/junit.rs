//! A result as JUnit XML, as CI systems read it.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::{CaseResult, CaseVerdict, FailureResult, RunResult};

/// A result as JUnit XML: a suite named after the specification, with a test case for each case. What is
/// inconclusive is an error in it, what is excluded or was stopped is skipped, and an error of the run is
/// one of a test case named `run`.
///
/// # Errors
/// What cannot be written as XML, in a sentence.
pub fn junit(result: &RunResult) -> Result<String, String> {
    let mut report = Report::new("netprop");
    let seconds = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let mut suite = TestSuite::new(result.specification.as_str());
    suite.set_time(seconds(result.seconds));
    suite.add_property(Property::new("seed", result.seed.as_str()));
    for case in &result.cases {
        let mut test = TestCase::new(format!("case {}", case.number), status(case, &result.failures));
        test.set_classname(result.specification.as_str()).set_time(seconds(case.seconds));
        let texts = [("seed", &case.seed), ("origin", &case.origin), ("file", &case.file)];
        for (name, text) in texts.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?))) {
            test.add_property(Property::new(name, text.as_str()));
        }
        suite.add_test_case(test);
    }
    if let Some(error) = &result.error {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(error.as_str());
        suite.add_test_case(TestCase::new("run", status));
    }
    report.set_time(seconds(result.seconds)).add_test_suite(suite);
    report.to_string().map_err(|error| format!("the result has no form as JUnit XML: {error}"))
}

fn status(case: &CaseResult, failures: &[FailureResult]) -> TestCaseStatus {
    let mut status = match case.verdict {
        CaseVerdict::Holds => return TestCaseStatus::success(),
        CaseVerdict::Falsified => TestCaseStatus::non_success(NonSuccessKind::Failure),
        CaseVerdict::Inconclusive => TestCaseStatus::non_success(NonSuccessKind::Error),
        CaseVerdict::Excluded | CaseVerdict::Stopped => TestCaseStatus::skipped(),
    };
    status.set_message(case.reason.as_deref().unwrap_or(case.verdict.as_str()));
    if case.verdict == CaseVerdict::Falsified {
        let of_case = |failure: &&FailureResult| {
            case.seed.as_ref() == Some(&failure.seed) || (case.file.is_some() && case.file == failure.file)
        };
        status.set_type("falsified");
        if let Some(failure) = failures.iter().find(of_case) {
            status.set_description(failure.report.as_str());
        }
    }
    status
}
