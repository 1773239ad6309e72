//! Cases side by side in memory: what a run comes to depends on its seed, and not on which case ends
//! first.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod planted;

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use harness::machines::simulated::SimulatedSystem;
use harness::replay::Replay;
use harness::shrink::Budget;
use harness::{
    Config, Event, Observer, RunError, Runner, Shape, Silent, Stop, Summary, System, SystemError,
    check_side_by_side,
};
use model::machines::{Command, Response};
use model::{MachineSpec, Model, Network, NetworkParameters, Outcome};
use planted::{DeafAfterSecondBoot, EverybodyAnswers, Judged, shape};
use proptest::strategy::{BoxedStrategy, Just, Strategy as _};

fn specification() -> MachineSpec {
    let kernels = ["6.1", "6.12"].map(|kernel| kernel.parse().unwrap());
    MachineSpec::new(NetworkParameters::new(kernels.to_vec()).unwrap()).unwrap()
}

fn config(directory: &Path, seed: u64, jobs: u32) -> Config {
    Config {
        cases: 200,
        jobs,
        shape: Shape::sequential(5..=30),
        seed: Some(seed.into()),
        failures: Some(directory.join("failures")),
        regressions: Some(directory.join("regressions")),
        ..Config::default()
    }
}

fn run<M, S>(model: &M, system: &S, config: &Config) -> Result<Summary<M>, RunError>
where
    M: Model + Sync,
    M::State: Send,
    M::Command: Send,
    M::Response: Send,
    S: System<M> + Sync,
{
    Runner::new(model, system, config, &Silent, &Stop::default()).run_side_by_side()
}

/// Ends each case after a time of its own, so that cases do not end in order.
struct Uneven<S>(S);

impl<M: Model, S: System<M>> System<M> for Uneven<S> {
    type Sut = S::Sut;

    fn new_sut(&self, state: &M::State) -> Result<S::Sut, SystemError> {
        self.0.new_sut(state)
    }

    fn run(&self, sut: &mut S::Sut, command: &M::Command) -> Result<Outcome<M::Response>, SystemError> {
        self.0.run(sut, command)
    }

    fn destroy_sut(&self, sut: S::Sut) -> Result<(), SystemError> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        thread::sleep(Duration::from_micros(u64::from(
            NUMBER.fetch_add(1, Ordering::Relaxed).wrapping_mul(2_654_435_769) >> 24,
        )));
        self.0.destroy_sut(sut)
    }
}

/// What a run has shown, but for what took how long.
fn shown(summary: &Summary<impl Model>) -> String {
    let Summary { held, inconclusive, excluded, coverage, statistics, failure, .. } = summary;
    let failure = failure.as_ref().map(|failure| {
        let (seed, case, evidence) = (failure.seed, &failure.case, &failure.evidence);
        format!("{seed} {case:?} {evidence:?} {:?}", failure.others)
    });
    format!("{held} {inconclusive} {excluded}\n{coverage:?}\n{statistics}\n{statistics:?}\n{failure:?}")
}

#[test]
fn several_jobs_show_what_one_shows() {
    for seed in 0..4 {
        let [one, four] = [1, 4].map(|jobs| {
            let directory = tempfile::tempdir().unwrap();
            let config = config(directory.path(), seed, jobs);
            let summary = run(&specification(), &Uneven(SimulatedSystem), &config).unwrap();
            assert_eq!((summary.held, summary.verdict()), (200, "holds"));
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
            shown(&summary)
        });
        assert_eq!(four, one, "seed {seed}");
    }
}

/// What runs with several jobs have found, and the failures that these have made smaller.
fn found<M, S>(model: &M, system: &S, seed: u64) -> Vec<(String, String)>
where
    M: Model<State = Network, Command = Command> + Sync,
    M::Response: Send,
    S: System<M> + Sync,
{
    let found = [1, 4, 8].map(|jobs| {
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path(), seed, jobs);
        // In what order smaller cases are tried depends on what they take, so that even with one
        // job a busy host may have another of the smallest.
        let unshrunk = Config { shrink: Budget { runs: 0, time: None }, regressions: None, ..config.clone() };
        let first = run(model, system, &unshrunk).unwrap();
        assert_eq!(
            replays(&directory.path().join("failures")),
            1,
            "what failed later in the same way is not kept"
        );
        std::fs::remove_dir_all(directory.path().join("failures")).unwrap();
        let failure = run(model, system, &config).unwrap().failure.unwrap();
        assert_eq!(failure.seed, first.failure.as_ref().unwrap().seed);
        assert!(failure.smallest);
        (shown(&first), shape(&failure.case))
    });
    found.to_vec()
}

#[test]
fn of_several_failures_the_first_is_found_and_shrunk() {
    for seed in 0..8 {
        let deaf = found(&specification(), &Uneven(DeafAfterSecondBoot), seed);
        assert!(deaf.iter().all(|one| *one == deaf[0]), "seed {seed}: {deaf:#?}");
        assert_eq!(deaf[0].1, "Boot a, Shutdown a, Boot a, Ping a a");
        let wrong = found(&EverybodyAnswers(specification()), &Uneven(Judged(SimulatedSystem)), seed);
        assert!(wrong.iter().all(|one| *one == wrong[0]), "seed {seed}: {wrong:#?}");
        assert_eq!(wrong[0].1, "Boot a, Ping a b");
    }
}

#[test]
fn candidates_are_tried_beside_each_other() {
    /// Counts the systems that are there at once while a failure is made smaller.
    struct Counted<'a> {
        shrinking: &'a AtomicBool,
        now: AtomicU32,
        most: AtomicU32,
    }

    impl System<MachineSpec> for Counted<'_> {
        type Sut = <DeafAfterSecondBoot as System<MachineSpec>>::Sut;

        fn new_sut(&self, network: &Network) -> Result<Self::Sut, SystemError> {
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            if self.shrinking.load(Ordering::SeqCst) {
                self.most.fetch_max(now, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(2));
            }
            DeafAfterSecondBoot.new_sut(network)
        }

        fn run(&self, sut: &mut Self::Sut, command: &Command) -> Result<Outcome<Response>, SystemError> {
            DeafAfterSecondBoot.run(sut, command)
        }

        fn destroy_sut(&self, sut: Self::Sut) -> Result<(), SystemError> {
            self.now.fetch_sub(1, Ordering::SeqCst);
            DeafAfterSecondBoot.destroy_sut(sut)
        }
    }

    /// Notices when making smaller begins.
    struct Begins<'a>(&'a AtomicBool);

    impl Observer for Begins<'_> {
        fn event(&self, event: &Event<'_>) {
            if matches!(event, Event::Measured { .. }) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
    }

    for jobs in [1, 3] {
        let (directory, shrinking) = (tempfile::tempdir().unwrap(), AtomicBool::new(false));
        let system = Counted { shrinking: &shrinking, now: AtomicU32::new(0), most: AtomicU32::new(0) };
        let none = Budget { runs: 0, time: None };
        let config = Config { probes: none, ..config(directory.path(), 3, jobs) };
        let (model, observer, stop) = (specification(), Begins(&shrinking), Stop::default());
        let summary = Runner::new(&model, &system, &config, &observer, &stop).run_side_by_side().unwrap();
        assert_eq!(shape(&summary.failure.unwrap().case), "Boot a, Shutdown a, Boot a, Ping a a");
        assert_eq!(system.most.into_inner(), jobs);
        assert_eq!(system.now.into_inner(), 0, "each system was taken down");
    }
}

/// A model of numbers, any of which may be given; the answer has to be none of them.
#[derive(Debug)]
struct Numbers;

impl Model for Numbers {
    type State = ();
    type Command = u32;
    type Response = String;

    fn name(&self) -> String {
        "numbers".to_owned()
    }

    fn gen_initial_state(&self) -> BoxedStrategy<()> {
        Just(()).boxed()
    }

    fn gen_command(&self, (): &()) -> BoxedStrategy<u32> {
        (0..1_000_000_u32).boxed()
    }

    fn next_state(&self, (): &(), _: &u32) {}

    fn post_condition(&self, (): &(), _: &u32, response: &String) -> bool {
        response.is_empty()
    }

    fn kind(&self, command: &u32) -> std::borrow::Cow<'static, str> {
        format!("{}", command % 2).into()
    }
}

/// What a system does with the command of each case, which is its only one.
struct By<F>(F);

impl<F: Fn(u32) -> Result<String, SystemError>> System<Numbers> for By<F> {
    type Sut = ();

    fn new_sut(&self, (): &()) -> Result<(), SystemError> {
        Ok(())
    }

    fn run(&self, (): &mut (), command: &u32) -> Result<Outcome<String>, SystemError> {
        (self.0)(*command).map(Outcome::Answered)
    }
}

fn numbers(directory: &Path, jobs: u32) -> Config {
    seeded(directory, 1, jobs)
}

fn seeded(directory: &Path, seed: u64, jobs: u32) -> Config {
    Config { shape: Shape::sequential(1..=1), cases: 16, ..config(directory, seed, jobs) }
}

/// The numbers that the cases of a run have, in order.
fn drawn(config: &Config) -> Vec<u32> {
    let drawn = Mutex::new(Vec::new());
    let system = By(|number| {
        drawn.lock().unwrap().push(number);
        Ok(String::new())
    });
    run(&Numbers, &system, &Config { jobs: 1, ..config.clone() }).unwrap();
    let drawn = drawn.into_inner().unwrap();
    assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), drawn.len(), "this seed draws no number twice");
    drawn
}

/// Lets nobody go on before so many have come.
#[derive(Default)]
struct Meeting(Mutex<HashSet<ThreadId>>, Condvar);

impl Meeting {
    /// Whether so many came within a time that is more than enough.
    fn of(&self, count: usize) -> bool {
        let mut here = self.0.lock().unwrap();
        here.insert(thread::current().id());
        self.1.notify_all();
        let waited = self.1.wait_timeout_while(here, Duration::from_secs(30), |here| here.len() < count);
        !waited.unwrap().1.timed_out()
    }
}

#[test]
fn so_many_cases_run_at_once_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let (meeting, now, most) = (Meeting::default(), AtomicU32::new(0), AtomicU32::new(0));
    let system = By(|_| {
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        assert!(meeting.of(4), "four cases are there at once");
        thread::sleep(Duration::from_millis(1));
        now.fetch_sub(1, Ordering::SeqCst);
        Ok(String::new())
    });
    check_side_by_side(&numbers(directory.path(), 4), &Numbers, &system);
    assert_eq!(most.into_inner(), 4);
}

/// How many replay files a directory has; records lie beside them.
fn replays(directory: &Path) -> usize {
    let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| !name.to_str().unwrap().ends_with(".record.json")).count()
}

/// Whether a directory has a file soon.
fn has_a_file(directory: &Path) -> bool {
    let until = Instant::now() + Duration::from_secs(30);
    while Instant::now() < until {
        if std::fs::read_dir(directory).is_ok_and(|files| files.count() > 0) {
            return true;
        }
        thread::sleep(Duration::from_millis(1));
    }
    false
}

#[test]
fn a_failure_waits_for_cases_before_it_and_is_kept_meanwhile() {
    let mut others = BTreeSet::new();
    for seed in 0..8 {
        let directory = tempfile::tempdir().unwrap();
        let config = seeded(directory.path(), seed, 2);
        let (drawn, failures) = (drawn(&config), directory.path().join("failures"));
        let runs_of_first = AtomicU32::new(0);
        let system = By(|number| {
            if number == drawn[0] && runs_of_first.fetch_add(1, Ordering::SeqCst) == 0 {
                assert!(has_a_file(&failures), "the second case failed, and is kept before its turn");
            }
            Ok(if drawn[..2].contains(&number) { "wrong".to_owned() } else { String::new() })
        });
        let summary = run(&Numbers, &system, &config).unwrap();
        let failure = summary.failure.unwrap();
        assert_eq!((summary.held, failure.case.commands), (0, vec![drawn[0]]));
        assert_eq!(failure.evidence.came, "\"wrong\"");
        // Two wrong answers are of one failure where they are to commands of one kind.
        let other = usize::from(drawn[0] % 2 != drawn[1] % 2);
        assert_eq!(failure.others.len(), other);
        assert_eq!(replays(&failures), 1 + other);
        others.insert(other);
    }
    assert_eq!(others.len(), 2, "both are seen");
}

#[test]
fn a_failure_that_came_once_ends_no_run() {
    let directory = tempfile::tempdir().unwrap();
    let drawn = drawn(&numbers(directory.path(), 1));
    let given = Mutex::new(BTreeSet::new());
    let system = By(|number| {
        let again = !given.lock().unwrap().insert(number);
        Ok(if number == drawn[3] && !again || number == drawn[9] {
            "wrong".to_owned()
        } else {
            String::new()
        })
    });
    let summary = run(&Numbers, &system, &numbers(directory.path(), 4)).unwrap();
    assert_eq!(summary.failure.unwrap().case.commands, [drawn[9]]);
    let once: Vec<_> = summary.once.iter().map(|failure| failure.case.commands.clone()).collect();
    assert_eq!((once, summary.held), (vec![vec![drawn[3]]], 8));
}

#[test]
fn errors_and_panics_end_the_run_as_with_one_job() {
    let directory = tempfile::tempdir().unwrap();
    let drawn = drawn(&numbers(directory.path(), 1));
    for jobs in [1, 4] {
        let config = numbers(directory.path(), jobs);
        let hopeless = By(|number| match number {
            number if number == drawn[5] => Err(SystemError::Hopeless("no disk".into())),
            _ => Ok(String::new()),
        });
        let error = run(&Numbers, &hopeless, &config).unwrap_err();
        assert!(error.to_string().contains("no disk"), "{jobs} jobs: {error}");
        // A case before it that fails comes first.
        let both = By(|number| match number {
            number if number == drawn[4] => Ok("wrong".to_owned()),
            number if number == drawn[5] => Err(SystemError::Hopeless("no disk".into())),
            _ => Ok(String::new()),
        });
        let summary = run(&Numbers, &both, &config).unwrap();
        assert_eq!(summary.failure.unwrap().case.commands, [drawn[4]], "{jobs} jobs");
        std::fs::remove_dir_all(directory.path().join("failures")).unwrap();
        std::fs::remove_dir_all(directory.path().join("regressions")).unwrap();
        let panics = By(|number| if number == drawn[2] { panic!("ouch") } else { Ok(String::new()) });
        let failure = run(&Numbers, &panics, &config).unwrap().failure.unwrap();
        assert!(failure.evidence.came.contains("ouch"), "{jobs} jobs: {}", failure.evidence);
        assert_eq!(failure.case.commands, [drawn[2]], "{jobs} jobs");
        std::fs::remove_dir_all(directory.path().join("failures")).unwrap();
        std::fs::remove_dir_all(directory.path().join("regressions")).unwrap();
        let shaky = By(|_| Err(SystemError::infrastructure("the switch died")));
        let summary = run(&Numbers, &shaky, &config).unwrap();
        assert_eq!((summary.held, summary.inconclusive, summary.verdict()), (0, 3, "inconclusive"));
    }
}

#[test]
fn what_cannot_be_built_is_told_once_and_others_take_its_place() {
    /// Counts what it is told of, and the numbers of cases that have ended.
    #[derive(Default)]
    struct Told(Mutex<(u32, Vec<u32>)>);

    impl Observer for Told {
        fn event(&self, event: &Event<'_>) {
            let mut told = self.0.lock().unwrap();
            match event {
                Event::Excluded { .. } => told.0 += 1,
                Event::CaseFinished { number, .. } => told.1.push(*number),
                Event::CommandStarted { case, .. } => assert!(case.is_some()),
                _ => {}
            }
        }
    }

    let directory = tempfile::tempdir().unwrap();
    let drawn = drawn(&numbers(directory.path(), 1));
    let odd = By(|number| match number {
        number if drawn[1..4].contains(&number) => Err(SystemError::unfit("some", "it is not to be had")),
        _ => Ok(String::new()),
    });
    let (told, stop, config) = (Told::default(), Stop::default(), numbers(directory.path(), 4));
    let summary = Runner::new(&Numbers, &odd, &config, &told, &stop).run_side_by_side().unwrap();
    assert_eq!((summary.held, summary.excluded, summary.exclusions.len()), (16, 3, 1));
    let (excluded, mut numbers) = told.0.into_inner().unwrap();
    assert_eq!((excluded, numbers.len()), (1, 19));
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers, (1..=16).collect::<Vec<_>>());
    let none = By(|_| Err(SystemError::unfit("all", "nothing is to be had")));
    let error = run(&Numbers, &none, &Config { most_excluded: 5, ..config }).unwrap_err();
    assert!(matches!(error, RunError::AllExcluded { cases: 5, .. }), "{error}");
}

#[test]
fn a_stop_ends_all_jobs() {
    let directory = tempfile::tempdir().unwrap();
    let (stop, meeting, after) = (Stop::default(), Meeting::default(), AtomicU32::new(0));
    let system = By(|_| {
        if stop.requested() {
            after.fetch_add(1, Ordering::SeqCst);
        }
        assert!(meeting.of(4));
        stop.request();
        Ok(String::new())
    });
    let config = Config { cases: 1_000_000, ..numbers(directory.path(), 4) };
    let runner = Runner::new(&Numbers, &system, &config, &Silent, &stop);
    let summary = runner.run_side_by_side().unwrap();
    assert!(summary.stopped && summary.verdict() == "stopped");
    assert!(summary.held <= 4, "{}", summary.held);
    assert_eq!(after.into_inner(), 0, "no command is given after it");
}

#[test]
fn a_failure_that_a_stop_meets_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let drawn = drawn(&numbers(directory.path(), 1));
    let (stop, meeting) = (Stop::default(), Meeting::default());
    let system = By(|number| {
        assert!(meeting.of(2));
        let is_second = number == drawn[1];
        if is_second {
            stop.request();
        } else {
            // The first has nothing to say before the second has.
            while !stop.requested() {
                thread::yield_now();
            }
            return Err(SystemError::Stopped);
        }
        Ok("wrong".to_owned())
    });
    let config = numbers(directory.path(), 2);
    let summary = Runner::new(&Numbers, &system, &config, &Silent, &stop).run_side_by_side().unwrap();
    assert_eq!((summary.verdict(), summary.stopped), ("falsified", true));
    assert_eq!(summary.failure.unwrap().case.commands, [drawn[1]]);
}

#[test]
fn a_broken_model_ends_the_run_and_is_named() {
    /// It cannot be asked what comes after a command.
    #[derive(Debug)]
    struct Broken;

    impl Model for Broken {
        type State = ();
        type Command = u32;
        type Response = String;

        fn gen_initial_state(&self) -> BoxedStrategy<()> {
            Just(()).boxed()
        }

        fn gen_command(&self, (): &()) -> BoxedStrategy<u32> {
            (0..1_000_000_u32).boxed()
        }

        fn next_state(&self, (): &(), _: &u32) {}

        fn advance(&self, (): &mut (), _: &u32, response: Option<&String>) {
            assert!(response.is_none(), "no entry found");
        }

        fn post_condition(&self, (): &(), _: &u32, _: &String) -> bool {
            true
        }
    }

    impl System<Broken> for By<()> {
        type Sut = ();

        fn new_sut(&self, (): &()) -> Result<(), SystemError> {
            Ok(())
        }

        fn run(&self, (): &mut (), _: &u32) -> Result<Outcome<String>, SystemError> {
            Ok(Outcome::Answered(String::new()))
        }
    }

    let directory = tempfile::tempdir().unwrap();
    let config = numbers(directory.path(), 4);
    let errors = [1, 4].map(|jobs| run(&Broken, &By(()), &Config { jobs, ..config.clone() }).unwrap_err());
    let texts = errors.map(|error| error.to_string());
    assert!(
        texts.iter().all(|text| text.contains("no entry found") && text.contains("mend it")),
        "{texts:?}"
    );
}

/// Set in the process that is to end by itself, to the directory where it keeps its cases.
const KEEP: &str = "NETPROP_TEST_KEEP";

#[test]
fn a_job_that_hangs_ends_the_process_and_what_another_found_is_told() {
    let name = "a_job_that_hangs_ends_the_process_and_what_another_found_is_told";
    if let Some(directory) = std::env::var_os(KEEP) {
        let limit = Some(Duration::from_secs(5));
        let config = Config { command_limit: limit, ..numbers(Path::new(&directory), 2) };
        let drawn = drawn(&config);
        let system = By(|number| {
            if number == drawn[0] {
                let (never, nobody) = (Condvar::new(), Mutex::new(()));
                drop(never.wait_while(nobody.lock().unwrap(), |()| true).unwrap());
            }
            Ok(if number == drawn[1] { "wrong".to_owned() } else { String::new() })
        });
        let ended = run(&Numbers, &system, &config).is_ok();
        unreachable!("it hangs, but the run ended: {ended}");
    }
    let directory = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(KEEP, directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for text in ["falsified by command 1: ", "came \"wrong\"", "the run ended early: command 1", "saved as "]
    {
        assert!(said.contains(text), "{text} is not in {said}");
    }
    let files = Replay::list(&Numbers, &directory.path().join("failures")).unwrap();
    assert_eq!(files.len(), 2, "what failed and what hangs: {files:?}");
}
