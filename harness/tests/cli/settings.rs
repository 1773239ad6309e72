//! `netprop.toml`, and what wins over it.

use std::fs;

use crate::{Place, check_refusal, text};

#[test]
fn options_win_over_the_environment_and_that_over_the_file() {
    let place = Place::new();
    place.file("netprop.toml", "system = \"simulated\"\ncases = 2\n[run]\nprobes = 7\n");
    let cases = |arguments: &[&str], variable: Option<&str>| {
        let mut command = place.command(&[&["run"], arguments].concat());
        let output = command.envs(variable.map(|cases| ("PROPTEST_CASES", cases))).output().unwrap();
        text(&output.stdout).lines().last().unwrap_or_default().to_owned()
    };
    assert_eq!(cases(&[], None), "holds: 2 cases held");
    assert_eq!(cases(&[], Some("3")), "holds: 3 cases held");
    assert_eq!(cases(&["--cases", "4"], Some("3")), "holds: 4 cases held");
}

#[test]
fn a_file_is_looked_for_upwards_and_where_each_value_is_from_can_be_asked() {
    let place = Place::new();
    let file = place
        .file("netprop.toml", "cases = 2\n\n[run]\nfailures = \"kept\"\nkernels = [\"6.1\", \"6.12\"]\n");
    let below = place.path().join("a/b");
    fs::create_dir_all(&below).unwrap();
    let ask = |path: Option<&str>| {
        let mut command = place.command(&["config"]);
        command.current_dir(&below).env("NETPROP_JOBS", "3");
        command.envs(path.map(|path| ("NETPROP_CONFIG", path)));
        text(&command.output().unwrap().stdout)
    };
    let (said, file) = (ask(None), file.display());
    let kept = place.path().join("kept");
    for line in [
        format!("cases = 2  ({file}, line 1)"),
        format!("failures = {}  ({file}, line 4)", kept.display()),
        format!("kernels = 6.1,6.12  ({file}, line 5)"),
        "jobs = 3  (the variable NETPROP_JOBS)".to_owned(),
        "lanes = 2  (default)".to_owned(),
    ] {
        assert!(said.lines().any(|said| said == line), "{line:?} is not in {said}");
    }
    assert!(ask(Some("")).contains("cases = 10  (default)"));
}

#[test]
fn a_file_that_cannot_be_meant_so_is_refused_but_help_is_given() {
    let place = Place::new();
    let file = place.file("netprop.toml", "jobs = 2\ncase = 3\n");
    let said = format!("{}, line 2: unknown key \"case\": did you mean \"cases\"?", file.display());
    check_refusal(&place, &mut place.command(&["run", "--system", "simulated"]), 2, &said);
    let help = place.run(&["run", "--help"]);
    assert_eq!(help.status.code(), Some(0), "{}", text(&help.stderr));
    check_refusal(
        &place,
        place.command(&["run"]).env("NETPROP_CONFIG", "nowhere.toml"),
        2,
        "cannot read the configuration nowhere.toml",
    );
}
