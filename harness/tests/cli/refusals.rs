//! What cannot be meant so is refused, and what is missing is named.

use std::fs;

use crate::{Place, case_of_faults, check_refusal, refused, text};

#[test]
fn impossible_arguments_are_wrong_use() {
    let place = Place::new();
    let cases: &[(&[&str], &str)] = &[
        (&["--machines", "4..1"], "4 is more than 1"),
        (&["--machines", "0..2"], "give a range from at least 1"),
        (&["--machines", "many"], "\"many\" is not a number"),
        (&["--machines", "1..300"], "300 machines do not fit into subnet 172.16.2.0/24"),
        (&["--machines", "1..6", "--subnet", "10.0.0.0/29"], "6 machines do not fit into subnet 10.0.0.0/29"),
        (&["--commands", "5..2"], "5 is more than 2"),
        (&["--lanes", "1"], "give at least 2 lanes"),
        (&["--lanes", "2", "--lane-commands", "4..1"], "4 is more than 1"),
        (&["--lane-share", "101"], "101 is not in 0..=100"),
        (&["--cases", "0"], "0 is not in 1.."),
        (&["--cases", "-1"], "unexpected argument"),
        (&["--seed", "tomorrow"], "\"tomorrow\" is not a seed"),
        (&["--subnet", "172.16.2.1/24"], "write 172.16.2.0/24"),
        (&["--subnet", "127.0.0.0/24"], "overlaps loopback"),
        (&["--subnet", "172.16.2.0/31"], "impossible prefix"),
        (&["--memory", "1..2"], "memory of 1 MiB is out of bounds"),
        (&["--kernels", "../6"], "kernel version \"../6\" is not one"),
        (&["--package", "redis"], "--package \"redis\" has no values"),
        (&["--package", "redis="], "--package \"redis=\" has no values"),
        (&["--package", "../redis=1"], "package name \"../redis\" is not one"),
        (&["--package", "redis=1..2"], "package version \"1..2\" is not one"),
        (&["--package", "redis=1,1"], "has the value \"1\" twice"),
        (&["--package", "redis=1", "--package", "redis=2"], "--package redis is given twice"),
        (&["--processors", "0"], "0 processors are out of bounds"),
        (&["--processors", "two"], "\"two\" is not a number"),
        (&["--mtu", "9000"], "an MTU of 9000 bytes is out of bounds"),
        (&["--clock-sources", "TSC"], "clock source \"TSC\" is not one"),
        (&["--kernel-parameter", "nosmt"], "has no values"),
        (&["--kernel-parameter", "a=$x"], "value of a kernel parameter \"$x\" is not one"),
        (&["--file-systems", "ext4;ntfs"], "file system \"ntfs\" is unknown"),
        (&["--file-systems", "ext4 noatime"], "scratch disk \"ext4 noatime\" is not understood"),
        (&["--coverage", "all"], "invalid value 'all'"),
        (&["--probes", "-1"], "unexpected argument"),
        (&["--base", "beos"], "invalid value 'beos'"),
        (&["--accel", "warp"], "invalid value 'warp'"),
        (&["--boot-limit", "0"], "whole number of seconds"),
        (&["--message-format", "xml"], "invalid value 'xml'"),
        (&["-q", "-v"], "cannot be used with"),
        (&["--surprise"], "unexpected argument"),
    ];
    for (arguments, said) in cases {
        let arguments = [&["run", "--system", "simulated"], *arguments].concat();
        refused(&place, &arguments, 2, said);
    }
    let blocked = place.file("file", "");
    let failures = blocked.join("failures");
    refused(
        &place,
        &["run", "--system", "simulated", "--failures", failures.to_str().unwrap()],
        2,
        "cannot write",
    );
}

#[test]
fn broken_replay_files_are_wrong_use() {
    let place = Place::new();
    let cases = [
        ("", "cannot be understood"),
        ("{", "cannot be understood"),
        ("{}", "is not a replay file"),
        (r#"{"format":"netprop-replay","version":99}"#, "has version 99"),
        (
            r#"{"format":"netprop-replay","version":1,"specification":"other"}"#,
            "is of specification \"other\"",
        ),
        (r#"{"format":"netprop-replay","version":1,"specification":"machines"}"#, "missing field"),
    ];
    for (content, said) in cases {
        let file = place.file("case.json", content);
        refused(&place, &["replay", "--system", "simulated", file.to_str().unwrap()], 2, said);
    }
    refused(&place, &["replay", "nowhere.json"], 2, "cannot read replay file nowhere.json");
}

#[test]
fn a_recorded_case_of_faults_is_replayed_and_an_impossible_one_refused() {
    let place = Place::new();
    let commands = r#"[{"boot":"a"},{"write":{"machine":"a","file":0,"value":8}},{"power_cut":"a"},{"boot":"a"},{"read":{"machine":"a","file":0}}]"#;
    let file = place.file("case.json", &case_of_faults(commands));
    let replay = ["replay", "--system", "simulated", file.to_str().unwrap()];
    let output = place.run(&replay);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let capture = [&replay[..], &["--capture", "packets.pcapng"]].concat();
    refused(&place, &capture, 2, "nothing goes through the fabric that could be captured");
    for (commands, said) in [
        (r#"[{"power_cut":"a"}]"#, "holds an impossible case: command 1"),
        (r#"[{"cut":{"alone":"nobody"}}]"#, "holds an impossible case: command 1"),
        (r#"[{"worsen":{"links":"all","quality":{"lossy":101}}}]"#, "101 percent are more than all"),
        (r#"[{"worsen":{"links":"all","quality":{"slow":{"delay":-1,"jitter":0}}}}]"#, "`-1`"),
        (r#"[{"explode":"a"}]"#, "unknown variant `explode`"),
    ] {
        let file = place.file("impossible.json", &case_of_faults(commands));
        refused(&place, &["replay", "--system", "simulated", file.to_str().unwrap()], 2, said);
    }
}

#[test]
fn impossible_labs_are_refused_and_leave_nothing() {
    let place = Place::new();
    let long = place.path().join("x".repeat(120));
    let (file, directory) = (place.file("key", "no key"), place.path().to_str().unwrap().to_owned());
    let cases: &[(&[&str], i32, &str)] = &[
        (&["--switch", "/nonexistent/switch"], 2, "/nonexistent/switch"),
        (&["--key", "/nonexistent/key"], 2, "cannot read key /nonexistent/key"),
        (&["--key", file.to_str().unwrap()], 2, "key.pub"),
        (&["--key", &directory], 2, "cannot read key"),
        (&["--run-directory", "/proc/nonexistent"], 3, "/proc/nonexistent"),
        (&["--run-directory", long.to_str().unwrap()], 2, "NETPROP_RUNTIME_DIR"),
        (&["--connect", "qemu:///nonsense"], 3, "qemu:///nonsense"),
        (&["--kernels", "2.4"], 2, "2.4"),
    ];
    for (arguments, status, said) in cases {
        refused(&place, &[&["run", "--cases", "1", "--machines", "1"], *arguments].concat(), *status, said);
    }
    let mut nixos = place.command(&["run", "--cases", "1", "--machines", "1", "--base", "nixos"]);
    check_refusal(&place, nixos.env("NIX_PATH", ""), 4, "cannot find nixpkgs for the NixOS base");
    let empty = format!("nixpkgs={}", place.path().display());
    check_refusal(&place, nixos.env("NIX_PATH", empty), 2, "has no .version");
}

#[test]
fn missing_programs_are_named_with_their_package() {
    let place = Place::new();
    let bin = place.path().join("bin");
    let programs =
        [("qemu-system-x86_64", "qemu-system-x86"), ("qemu-img", "qemu-utils"), ("nix-build", "nix-bin")];
    for (missing, package) in programs {
        fs::create_dir_all(&bin).unwrap();
        for directory in ["/usr/sbin", "/usr/bin", "/sbin", "/bin"] {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap();
                if name != missing {
                    std::os::unix::fs::symlink(&path, bin.join(name)).ok();
                }
            }
        }
        for arguments in [&["run", "--cases", "1"][..], &["doctor"]] {
            let mut command = place.command(arguments);
            let output = command.env("PATH", &bin).output().unwrap();
            let said = text(&output.stdout) + &text(&output.stderr);
            assert_eq!(output.status.code(), Some(4), "{missing}: {said}");
            assert!(said.contains(missing) && said.contains(package), "{missing}: {said}");
            assert_eq!(place.left_behind(), Vec::<String>::new());
        }
        fs::remove_dir_all(&bin).unwrap();
    }
}
#[test]
fn a_failing_case_becomes_a_page_and_says_how() {
    let place = Place::new();
    let file = place.file("case.json", &case_of_faults(r#"[{"boot":"a"}]"#));
    refused(&place, &["report", file.to_str().unwrap()], 2, "has no record beside it");
    refused(&place, &["report", "nowhere.json"], 2, "cannot read record nowhere.json");
    let foreign = place.file("foreign.json", "{}");
    refused(&place, &["report", foreign.to_str().unwrap()], 2, "is neither a record nor a replay file");
    let record = place.file("case.record.json", include_str!("../pages/version-1.record.json"));
    for given in [&file, &record] {
        let output = place.run(&["report", given.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let page = place.path().join("case.html");
        assert_eq!(text(&output.stdout), format!("{}\n", page.display()));
        assert!(fs::read_to_string(&page).unwrap().starts_with("<!doctype html>"));
        fs::remove_file(page).unwrap();
    }
    let elsewhere = place.path().join("of/its/own.html");
    let output = place.run(&["report", file.to_str().unwrap(), "--output", elsewhere.to_str().unwrap()]);
    assert_eq!((output.status.code(), elsewhere.exists()), (Some(0), true));
    let blocked = place.file("blocked", "").join("page.html");
    let arguments = ["report", file.to_str().unwrap(), "--output", blocked.to_str().unwrap()];
    refused(&place, &arguments, 2, "cannot write report");
}
