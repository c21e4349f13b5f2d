//! What the binary refuses, with which exit code and which sentence; and that what it prints for programs is JSON.
#![cfg(feature = "demo")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use support::in_real_time;
use support::process::{Process, Said, flyball_says};
use support::site::{DEMO, Folder, demo_with, free_port};

/// `check`, `run` and `simulate` must say the same of a bad file.
fn all_say(path: &str, code: i32, parts: &[&str]) {
    for args in [&["check", path][..], &["run", path, "--for", "1s"], &["simulate", path, "--for", "1s"]] {
        refused(&flyball_says(args), code, parts);
    }
}

/// Nothing on stdout, and each part in what is said.
fn refused(said: &Said, code: i32, parts: &[&str]) {
    assert_eq!((said.code, said.out.as_str()), (Some(code), ""), "{said:?}");
    for part in parts {
        assert!(said.err.contains(part), "`{part}` is missing: {said:?}");
    }
    assert!(!said.err.contains("panicked"), "{said:?}");
}

fn json(said: &Said) -> Value {
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(said.out.lines().count(), 1, "one line: {said:?}");
    serde_json::from_str(&said.out).unwrap_or_else(|why| panic!("{why}: {said:?}"))
}

#[test]
fn a_file_that_cannot_be_read_is_code_3_with_its_name() {
    let folder = Folder::new();
    let missing = folder.path().join("nowhere.ron").display().to_string();
    all_say(&missing, 3, &[&missing, "No such file"]);
    let directory = folder.path().display().to_string();
    all_say(&directory, 3, &[&directory, "Is a directory"]);
}

#[test]
fn a_file_that_is_no_site_is_code_1_with_its_place() {
    let folder = Folder::new();
    let empty = folder.file("empty.ron", "");
    all_say(&empty, 1, &[&format!("{empty}:1:1"), "1 problem"]);
    let bytes = folder.file("bytes.ron", b"Site(\n  name: \"\xff\")");
    all_say(&bytes, 1, &[&format!("{bytes}:2:"), "not UTF-8"]);
    let cut = folder.file("cut.ron", &DEMO[..DEMO.len() / 2]);
    all_say(&cut, 1, &[&format!("{cut}:"), "1 problem"]);
}

#[test]
fn a_bad_site_is_code_1_with_every_problem_underlined_at_its_place() {
    let folder = Folder::new();
    let text = demo_with(&[("period_ms: 10,", "perod_ms: 10,"), ("soc_percent_min: 10,", "soc_percent_min: 99,")]);
    let line = |of: &str| text.lines().position(|l| l.contains(of)).unwrap() + 1;
    let path = folder.file("bad.ron", &text);
    let first = format!("{path}:{}:9", line("perod_ms"));
    all_say(&path, 1, &[&first, "unknown key `perod_ms`", "did you mean `period_ms`?", "^^^^^^^^"]);
    let said = flyball_says(["check", "--json", &path]);
    let found: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, &found["ok"]), (Some(1), &Value::Bool(false)), "{said:?}");
    let problem = &found["problems"][0];
    assert_eq!((problem["line"].as_u64(), problem["column"].as_u64()), (u64::try_from(line("perod_ms")).ok(), Some(9)));
}

#[test]
fn wrong_usage_is_code_2_and_names_what_is_wrong() {
    for (args, part) in [
        (&["nonsense"][..], "nonsense"),
        (&[], "Usage"),
        (&["run"], "<SITE>"),
        (&["check"], "<SITES>"),
        (&["demo", "--for", "nonsense"], "--for"),
        (&["simulate", "site.ron"], "--for"),
        (&["simulate", "site.ron", "--for", "1s", "--seed", "-1"], "-1"),
        (&["bench", "scan", "--scans", "1"], "100..=10000000"),
    ] {
        let said = flyball_says(args);
        refused(&said, 2, &[part]);
    }
    assert_eq!(flyball_says(["--help"]).code, Some(0));
    assert_eq!(flyball_says(["--version"]).code, Some(0));
}

#[test]
fn a_scada_port_in_use_is_code_3_with_one_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = Folder::new();
    let site = folder.file("site.ron", demo_with(&[("\"127.0.0.1:1502\"", &format!("\"{address}\""))]));
    let said = flyball_says(["run", &site, "--for", "1s"]);
    refused(&said, 3, &[&address, "the port is in use"]);
    assert_eq!(said.err.matches("the port is in use").count(), 1, "said once: {said:?}");
}

/// A site on a port of its own that demands what most machines do not have.
fn demanding(folder: &Folder) -> String {
    let listen = format!("\"127.0.0.1:{}\"", free_port());
    folder
        .file("site.ron", demo_with(&[("realtime: BestEffort", "realtime: Required"), ("\"127.0.0.1:1502\"", &listen)]))
}

#[test]
fn realtime_that_is_required_and_not_to_be_had_is_code_3_and_says_what_is_missing() {
    in_real_time("realtime_that_is_required_and_not_to_be_had_is_code_3_and_says_what_is_missing", || {
        let folder = Folder::new();
        let said = flyball_says(["run", &demanding(&folder), "--for", "1s"]);
        if said.code == Some(0) {
            // a machine that has it all, and proves it
            assert!(said.out.contains("ok      kernel_preempt_rt"), "{said:?}");
            return;
        }
        refused(&said, 3, &["flyball: realtime is Required, but", "is missing (wanted"]);
        if !fs::read_to_string("/sys/kernel/realtime").is_ok_and(|text| text.trim() == "1") {
            assert!(said.err.contains("a PREEMPT_RT kernel"), "{said:?}");
        }
    });
}

#[test]
fn a_user_without_the_right_to_real_time_is_told_which_right_is_missing() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        support::loudly(
            "SKIPPED a_user_without_the_right_to_real_time_is_told_which_right_is_missing: needs root to run as nobody",
        );
        return;
    }
    in_real_time("a_user_without_the_right_to_real_time_is_told_which_right_is_missing", || {
        let folder = Folder::new();
        let site = demanding(&folder);
        // where this user may read it
        let binary = folder.path().join("flyball");
        fs::copy(env!("CARGO_BIN_EXE_flyball"), &binary).unwrap();
        let mut command = Command::new(&binary);
        command.args(["run", &site, "--for", "1s"]).uid(65_534).gid(65_534);
        let said = Process::start(&mut command).ends_within_ms(30_000);
        refused(&said, 3, &["flyball: realtime is Required, but", "scheduling_fifo is missing", "LimitRTPRIO=40"]);
    });
}

#[test]
fn a_device_without_a_simulator_cannot_be_simulated_and_is_named() {
    let folder = Folder::new();
    let profile = concat!(env!("CARGO_MANIFEST_DIR"), "/../io-map/profiles/flyball/panel.ron");
    let profile = fs::read_to_string(profile).unwrap();
    folder.file("panel.ron", profile.replace("vendor: \"Flyball\"", "vendor: \"Acme\""));
    let site = folder.file("site.ron", demo_with(&[("\"flyball/panel\"", "\"./panel.ron\"")]));
    assert_eq!(flyball_says(["check", &site]).code, Some(0));
    let said = flyball_says(["simulate", &site, "--for", "1s"]);
    refused(&said, 3, &["there is no simulator for device `panel` (Acme panel simulator)"]);
}

#[test]
fn every_shipped_site_is_fine() {
    let sites = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/sites");
    let mut checked = 0;
    for entry in fs::read_dir(sites).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "ron") {
            let said = flyball_says(["check".as_ref(), path.as_os_str()]);
            assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}: {said:?}", path.display());
            assert!(said.out.contains(": fine."), "{said:?}");
            checked += 1;
        }
    }
    assert!(checked > 0, "no site in {sites}");
}

#[test]
fn check_speaks_json_a_line_each_and_the_worst_answer_is_the_exit_code() {
    let folder = Folder::new();
    let (good, bad) = (folder.file("good.ron", DEMO), folder.file("bad.ron", "Site()"));
    let found = json(&flyball_says(["check", "--json", &good]));
    assert_eq!((&found["ok"], &found["site"]), (&Value::Bool(true), &Value::from("demo")));
    assert!(found["timing"]["reactions"].as_array().is_some_and(|r| !r.is_empty()), "{found}");
    let missing = folder.path().join("nowhere.ron").display().to_string();
    for (paths, code) in [(vec![&good, &bad], 1), (vec![&bad, &missing, &good], 3), (vec![&missing, &bad], 3)] {
        let args = ["check", "--json"].into_iter().chain(paths.iter().map(|p| p.as_str()));
        let said = flyball_says(args);
        assert_eq!((said.code, said.out.lines().count()), (Some(code), paths.len()), "{said:?}");
        assert!(said.out.lines().all(|line| serde_json::from_str::<Value>(line).unwrap()["ok"].is_boolean()));
    }
}

#[test]
fn the_same_seed_simulates_the_same_bits_and_another_seed_others() {
    let folder = Folder::new();
    let site = folder.file("site.ron", DEMO);
    let simulated = |seed: &str| json(&flyball_says(["simulate", &site, "--for", "60s", "--seed", seed, "--json"]));
    let (first, again, other) = (simulated("7"), simulated("7"), simulated("8"));
    for key in ["simulated_s", "wall_s", "speed", "scans", "hash", "violations"] {
        assert!(first.get(key).is_some_and(|v| !v.is_null()), "no `{key}`: {first}");
    }
    assert_eq!(first["hash"], again["hash"]);
    assert_ne!(first["hash"], other["hash"]);
    assert_eq!((first["simulated_s"].as_f64(), first["scans"].as_u64()), (Some(60.0), Some(6_000)));
    assert_eq!((&first["violations"], &other["violations"]), (&Value::from(0), &Value::from(0)));
}

#[test]
fn bench_prints_figures_beside_their_targets() {
    let found = json(&flyball_says(["bench", "scan", "--scans", "200", "--json"]));
    let figures = found["figures"].as_array().unwrap();
    for figure in figures {
        let keys: Vec<&str> = figure.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["name", "ok", "target", "value"], "{figure}");
        assert!(figure["value"].as_f64().is_some_and(|v| v > 0.0) && figure["ok"].is_boolean(), "{figure}");
    }
    assert!(figures.iter().any(|f| f["name"] == "scan.median_us" && f["target"] == 10.0), "{found}");
}
