//! The search for what matters in a failing case: each choice of its initial state is given other
//! values, the rest being as it is.
//!
//! Of a factor without an order every value is tried. Of an ordered one, both ends are, and then
//! the middle between neighbours that behave differently. What costs least comes first, then what
//! is least known. At last all choices that seem not to matter are changed at once: if the case
//! then holds, some of them matter together, and the set is narrowed down.

use std::time::Instant;

use model::{Case, Choice, Model};

use crate::causes::{Causes, Finding, Joint, Place};
use crate::memory::Memory;
use crate::shrink::{Budget, End, Judge};
use crate::system::{Cost, SystemError};

mod subject;

use subject::{Subject, place};

/// Is told of each case that was run: how many so far, what was changed in it, what came of it,
/// and what is known now.
pub(crate) type Told<'a> = dyn FnMut(u32, &str, &Finding, &Causes) + 'a;

/// What a search does its work with.
pub(crate) struct Tools<'a, M: Model> {
    pub(crate) judge: &'a mut Judge<'a, M>,
    pub(crate) cost: &'a dyn Fn(&M::State) -> Cost,
    pub(crate) told: &'a mut Told<'a>,
}

/// A search for what matters in one case.
pub(crate) struct Prober<'a, M: Model> {
    model: &'a M,
    case: &'a Case<M>,
    memory: &'a mut Memory,
    budget: Budget,
    tools: Tools<'a, M>,
    subjects: Vec<Subject>,
    joint: Vec<Joint>,
    together: Vec<Vec<Choice>>,
    start: Instant,
    /// How many cases were run now, and in earlier searches.
    runs: u32,
    earlier_runs: u32,
}

impl<'a, M: Model> Prober<'a, M> {
    /// Prepares a search that goes on from what is known already.
    pub(crate) fn new(
        model: &'a M,
        case: &'a Case<M>,
        memory: &'a mut Memory,
        earlier: Option<Causes>,
        budget: Budget,
        tools: Tools<'a, M>,
    ) -> Self {
        let earlier = earlier.unwrap_or_default();
        let varied = model.choices(&case.initial).into_iter().filter(|choice| choice.factor.values.len() > 1);
        let subjects = varied.map(|choice| Subject::new(choice, &earlier)).collect();
        let joint = earlier.joint.into_iter().filter(|joint| joint.finding.is_certain()).collect();
        Self {
            model,
            case,
            memory,
            budget,
            tools,
            subjects,
            joint,
            together: Vec::new(),
            start: Instant::now(),
            runs: 0,
            earlier_runs: earlier.runs,
        }
    }

    /// Searches until everything is known or the budget is spent. An error ends it too; what was
    /// found before stands.
    pub(crate) fn search(mut self) -> (Causes, Option<SystemError>) {
        self.recall();
        let result = self.one_by_one().and_then(|()| self.jointly());
        let causes = self.causes(result.is_ok());
        match result {
            Ok(()) | Err(End::Budget) => (causes, None),
            Err(End::System(error)) => (causes, Some(error)),
        }
    }

    fn causes(&self, complete: bool) -> Causes {
        Causes {
            choices: self.subjects.iter().map(Subject::probed).collect(),
            together: self.together.iter().map(|set| set.iter().map(place).collect()).collect(),
            joint: self.joint.clone(),
            runs: self.earlier_runs + self.runs,
            complete,
        }
    }

    /// Takes over what shrinking has run: of a scale, that may be any value.
    fn recall(&mut self) {
        for index in 0..self.subjects.len() {
            for value in self.subjects[index].unknown() {
                let choice = Choice { value, ..self.subjects[index].choice.clone() };
                let Some(initial) = self.model.with_choice(&self.case.initial, &choice) else { continue };
                let case: Case<M> = Case { initial, ..self.case.clone() };
                if let Some(finding) = self.memory.of(&case) {
                    self.subjects[index].know(value, finding.clone());
                }
            }
        }
    }

    fn one_by_one(&mut self) -> Result<(), End> {
        while let Some((index, value, case)) = self.cheapest() {
            let finding = self.run(&case)?;
            let subject = &mut self.subjects[index];
            let changed = subject.shown(value);
            subject.know(value, finding.clone());
            self.tell(&changed, &finding);
        }
        Ok(())
    }

    /// The next case to run; what can be told without running it is settled on the way.
    fn cheapest(&mut self) -> Option<(usize, usize, Case<M>)> {
        loop {
            let mut settled = false;
            let mut least: Option<(Cost, usize)> = None;
            let mut best = None;
            for index in 0..self.subjects.len() {
                for value in self.subjects[index].wanted() {
                    let subject = &self.subjects[index];
                    let choice = Choice { value, ..subject.choice.clone() };
                    match self.candidate(&[choice]) {
                        Err(finding) => {
                            self.subjects[index].know(value, finding);
                            settled = true;
                        }
                        Ok(case) => {
                            let rank = ((self.tools.cost)(&case.initial), subject.known());
                            if least.is_none_or(|least| rank < least) {
                                (least, best) = (Some(rank), Some((index, value, case)));
                            }
                        }
                    }
                }
            }
            if !settled {
                return best;
            }
        }
    }

    /// The failing case with these changes, or what is known of it without running it.
    fn candidate(&self, changes: &[Choice]) -> Result<Case<M>, Finding> {
        let changed = changes
            .iter()
            .try_fold(self.case.initial.clone(), |state, choice| self.model.with_choice(&state, choice));
        let initial = changed.ok_or_else(|| Finding::Impossible("the model has no such state".to_owned()))?;
        let case = Case { initial, ..self.case.clone() };
        case.validate(self.model).map_err(|error| Finding::Impossible(error.to_string()))?;
        match self.memory.of(&case) {
            Some(finding) => Err(finding.clone()),
            None => Ok(case),
        }
    }

    /// Changes at once what seems not to matter, and finds the sets that do matter together.
    fn jointly(&mut self) -> Result<(), End> {
        let mut rest: Vec<Choice> = self.subjects.iter().filter_map(Subject::most_suspect).collect();
        while rest.len() > 1 && self.all_at_once(&rest)? == Finding::Holds {
            let mut set = rest.clone();
            let narrowed = self.narrow(&mut set);
            rest.retain(|choice| !set.contains(choice));
            self.together.push(set);
            narrowed?;
        }
        Ok(())
    }

    /// Takes back one change after another as long as the case goes on holding.
    fn narrow(&mut self, set: &mut Vec<Choice>) -> Result<(), End> {
        let mut index = 0;
        // A change by itself is known to let the case fail.
        while index < set.len() && set.len() > 2 {
            let mut fewer = set.clone();
            fewer.remove(index);
            if self.all_at_once(&fewer)? == Finding::Holds {
                *set = fewer;
            } else {
                index += 1;
            }
        }
        Ok(())
    }

    fn all_at_once(&mut self, changes: &[Choice]) -> Result<Finding, End> {
        let changed: Vec<Place> = changes.iter().map(place).collect();
        if let Some(known) = self.joint.iter().find(|joint| joint.changed == changed) {
            return Ok(known.finding.clone());
        }
        let case = match self.candidate(changes) {
            Ok(case) => case,
            Err(finding) => return Ok(finding),
        };
        let finding = self.run(&case)?;
        self.joint.push(Joint { changed, finding: finding.clone() });
        self.tell(&format!("{} choices at once", changes.len()), &finding);
        Ok(finding)
    }

    /// Runs a case of which nothing is known.
    fn run(&mut self, case: &Case<M>) -> Result<Finding, End> {
        if self.budget.is_spent(self.runs, self.start) {
            return Err(End::Budget);
        }
        let verdict = (self.tools.judge)(case).map_err(End::System)?;
        self.runs += 1;
        self.memory.keep(case, &verdict);
        Ok((&verdict).into())
    }

    fn tell(&mut self, changed: &str, finding: &Finding) {
        let causes = self.causes(false);
        (self.tools.told)(self.runs, changed, finding, &causes);
    }
}
