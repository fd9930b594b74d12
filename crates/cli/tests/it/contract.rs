// SPDX-License-Identifier: Apache-2.0
//! THE DESK / tests, contract: what scripts rely on: colours, quiet, questions that nobody can answer, repl from a pipe, and random
//! values of options against nobody. Read next: docs/cli.md, "What scripts can rely on".

use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use crate::support::Desk;

/// Random lines that are run: each is a process.
const RUNS: u32 = 200;

#[test]
fn colours_come_only_when_they_are_wanted() {
    let desk = Desk::new();
    let line = ["explain", "XYZ-999"];
    let painted = |words: &[&str], env: &[(&str, &str)]| {
        desk.run_in("", words, env).stderr.contains("\u{1b}[")
    };
    assert!(!painted(&line, &[]), "a pipe takes no colours");
    assert!(painted(&line, &[("CLICOLOR_FORCE", "1")]));
    assert!(!painted(&line, &[("CLICOLOR_FORCE", "0")]));
    assert!(!painted(
        &line,
        &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]
    ));
    let mut without = line.to_vec();
    without.push("--no-color");
    assert!(!painted(&without, &[("CLICOLOR_FORCE", "1")]));
}

#[test]
fn quiet_leaves_errors_and_data() {
    let desk = Desk::new();
    desk.write("golem.yaml", "components:\n  a: { sourceWit: wit }\n");
    let loud = desk.run("app clean --offline --quiet");
    assert_eq!((loud.code, loud.stderr.as_str()), (0, ""), "{loud:?}");
    let failed = desk.run("explain XYZ-999 --quiet");
    assert!(failed.stderr.contains("error[CLI-068]"), "{failed:?}");
}

#[test]
fn the_format_of_the_profile_counts_without_another_one() {
    let desk = Desk::new();
    desk.ok("profile add --set-active p -c http://localhost:1 -f json");
    let by_profile = desk.ok("help topics").stdout;
    assert!(by_profile.starts_with('['), "{by_profile}");
    assert!(
        desk.ok("--format text help topics")
            .stdout
            .starts_with("Topic")
    );
}

#[test]
fn app_clean_takes_away_what_builds_make_and_nothing_else() {
    let desk = Desk::new();
    desk.write("golem.yaml", "components:\n  a: { sourceWit: wit }\n");
    desk.write("wit/a.wit", "package a:b; world w {}");
    desk.write("target/build/x", "");
    assert!(desk.ok("app clean").stdout.starts_with("Removed"));
    assert!(!desk.path("target").exists() && desk.path("wit/a.wit").exists());
    assert_eq!(desk.ok("app clean").stdout, "Nothing to remove\n");
    desk.write(
        "golem.yaml",
        "tempDir: wit\ncomponents:\n  a: { sourceWit: wit }\n",
    );
    let refused = desk.run("app clean");
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("error[CLI-061]"), "{refused:?}");
    assert!(desk.path("wit/a.wit").exists());
}

#[test]
fn doctor_mends_what_is_safe_and_says_so_before() {
    let desk = Desk::new();
    desk.write(".golem/config.json", "{ broken");
    desk.write("token", "abc\n");
    desk.write(".golem-doctor-1", "");
    let args = [
        "--url",
        "http://127.0.0.1:1",
        "--token-file",
        "token",
        "doctor",
    ];
    let run = |more: &[&str]| desk.run_in("", &[&args, more].concat(), &[]);
    let looked = run(&["--json"]);
    let checks: serde_json::Value = serde_json::from_str(&looked.stdout).unwrap();
    let fixes = |checks: &serde_json::Value| {
        let all = checks.as_array().unwrap().iter();
        all.filter(|check| check.get("fix").is_some()).count()
    };
    assert_eq!(fixes(&checks), 3, "{checks}");
    let dry = run(&["--fix", "--dry-run"]);
    assert!(dry.stderr.contains("would move"), "{dry:?}");
    assert_eq!(desk.read(".golem/config.json"), "{ broken");
    let mended = run(&["--fix"]);
    assert!(mended.stdout.contains("FIX   profiles"), "{mended:?}");
    assert_eq!(desk.read(".golem/config.json.broken"), "{ broken");
    assert!(!desk.path(".golem-doctor-1").exists());
    let after: serde_json::Value = serde_json::from_str(&run(&["--json"]).stdout).unwrap();
    assert_eq!(fixes(&after), 0, "{after}");
}

#[test]
fn manual_pages_and_completions_are_written() {
    let desk = Desk::new();
    desk.ok("man --output man1");
    let page = desk.read("man1/golem-cli-worker-oplog.1");
    assert!(page.contains(".TH") && page.contains("follow"), "{page}");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = desk.ok(&format!("completion --generate {shell}")).stdout;
        assert!(script.contains("simulated-crash"), "{shell}");
        let home = desk.path("home").display().to_string();
        let ran = desk.run_in("", &["completion", "--install", shell], &[("HOME", &home)]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let place = ran.stdout.lines().next().unwrap().replace("Installed ", "");
        assert_eq!(
            std::fs::read_to_string(place).unwrap().trim_end(),
            script.trim_end()
        );
    }
}

#[test]
fn repl_reads_a_pipe_and_stops_at_the_first_failure() {
    let desk = Desk::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_golem-cli"))
        .args(["repl", "-c", "counter", "--url", "http://127.0.0.1:1"])
        .env("GOLEM_CONFIG_DIR", desk.path(".golem"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The server is asked before the first line is read, so that the pipe may be closed already.
    let _ = child.stdin.take().unwrap().write_all(b"add(3)\n");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert!(output.stdout.is_empty());
}

#[test]
fn random_values_end_with_a_documented_number_and_never_with_a_panic() {
    let desk = Desk::new();
    let verbs = [
        "component get -C",
        "component diff -c",
        "component list -c",
        "component try-update-workers -C",
        "component get-installations -C",
        "worker get -W",
        "worker list -C",
        "worker list -c a -f",
        "worker delete -W",
        "worker oplog -W",
        "worker oplog -c a -w b --query",
        "worker invoke-and-await -c a -w b -f",
        "worker cancel -W worker:///a/b -k",
        "worker invoke -c a -w b -f add -a",
        "worker invoke -c a -w b -f add -j",
        "worker schedule -c a -w b -f f --in",
        "worker add -c a -w",
        "worker add -c a -w b -e",
        "promise complete -c a -w b --oplog-idx 1 --data",
        "get",
        "explain",
        "help",
        "token add --role owner --name",
        "token revoke",
        "plugin get --plugin-name a --version",
        "api-definition get -i a -V",
        "logs -c",
        "oplog -c a --query",
        "invoke -c a",
        "profile get",
        "profile switch",
    ];
    let value = prop_oneof![
        ".{0,20}",
        "(urn:(component|worker):|component:///|worker:///)[a-z0-9%/:?=-]{0,20}",
        "[\\[\\]{}(),:\"'0-9a-z ]{0,20}",
    ];
    let config = ProptestConfig {
        cases: RUNS,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(at in 0..verbs.len(), value in value)| {
        // What the system itself does not hand to a program.
        prop_assume!(!value.contains('\0'));
        let mut words: Vec<&str> = verbs[at].split(' ').collect();
        words.extend([value.as_str(), "--url", "http://127.0.0.1:1"]);
        let ran = desk.run_in("", &words, &[]);
        prop_assert!((0..=9).contains(&ran.code), "{words:?}: {ran:?}");
        prop_assert!(!ran.stderr.contains("panicked"), "{words:?}: {ran:?}");
    });
}
