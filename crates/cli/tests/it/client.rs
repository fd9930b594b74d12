// SPDX-License-Identifier: Apache-2.0
//! THE DESK / tests: what the verbs that talk to a server say when there is none, and what profiles keep.
//! The verbs against a real server are in tests/it of the workspace.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

/// Runs `golem-cli` with a home of its own; returns exit code, standard output and standard error.
fn run(home: &Path, words: &[&str]) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_golem-cli"))
        .args(words)
        .current_dir(home)
        .env_clear()
        .env("GOLEM_CONFIG_DIR", home.join("config"))
        .output()
        .unwrap();
    (
        status.code().unwrap(),
        String::from_utf8(stdout).unwrap(),
        String::from_utf8(stderr).unwrap(),
    )
}

/// The command line must end with `code`, print `stdout` and nothing on standard error.
#[track_caller]
fn says(home: &Path, line: &str, code: i32, stdout: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!(
        run(home, &words),
        (code, stdout.to_owned(), String::new()),
        "{line}"
    );
}

/// The command line must fail with `code`, print nothing on standard output, and each of `parts` on standard error.
#[track_caller]
fn fails(home: &Path, line: &str, code: i32, parts: &[&str]) {
    let words: Vec<&str> = line.split(' ').collect();
    let (got, stdout, stderr) = run(home, &words);
    assert_eq!((got, stdout.as_str()), (code, ""), "{line}: {stderr}");
    for part in parts {
        assert!(stderr.contains(part), "{line}: no `{part}` in: {stderr}");
    }
}

/// An address where nobody listens: the port was free a moment ago.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn slips_are_told_before_a_server_is_asked() {
    let home = tempfile::tempdir().unwrap();
    let urn = "-W urn:worker:0d8e3a5c-1b2f-4c3d-8e9f-a0b1c2d3e4f5/w";
    for (verb, part) in [
        ("worker oplog --query (a", "error[VAL-052]"),
        ("worker oplog --query /(/", "error[VAL-053]"),
        ("worker oplog --query a --from 1", "cannot be used with"),
        ("worker invoke -f add --timeout soon", "error[VAL-050]"),
        ("worker schedule -f add --in soon", "error[VAL-050]"),
        ("worker schedule -f add", "--at"),
        (
            "worker schedule -f add --in 1h --at 2030-01-01T00:00:00Z",
            "cannot be used with",
        ),
        ("worker revert", "--last-oplog-index"),
        (
            "worker unschedule --schedule-id soon",
            "does not name a scheduled invocation",
        ),
        ("worker update --mode odd", "invalid value 'odd'"),
    ] {
        fails(home.path(), &format!("{verb} {urn}"), 2, &[part]);
    }
    fails(
        home.path(),
        "server run --memory-max plenty",
        2,
        &["error[VAL-056]", "hint: write for instance 512MiB"],
    );
    let missing = format!("promise complete {urn} --oplog-idx 3 --file absent");
    fails(
        home.path(),
        &missing,
        1,
        &["error[CLI-026]", "hint: pass the value itself"],
    );
}

#[test]
fn a_server_that_is_down_is_named_with_the_way_to_start_one() {
    let home = tempfile::tempdir().unwrap();
    let url = nobody();
    std::fs::write(home.path().join("x.wasm"), b"x").unwrap();
    for verb in [
        "component list",
        "component get -c counter",
        "component add -c counter x.wasm",
        "worker list -c counter",
        "worker add -c counter -w w",
        "worker invoke-and-await -c counter -w w -f add -a 3",
        "worker invoke -W worker:///counter/w -f add -j [3]",
        "worker delete -c counter -w w",
        "worker oplog -c counter -w w --query error",
        "worker update -c counter -w w --dry-run",
        "worker update-many -c counter -t 1",
        "worker cancel -c counter -w w -k key",
        "worker revert -c counter -w w --number-of-invocations 1",
        "worker fork -c counter -w w --oplog-index 1 --name v",
        "worker schedule -c counter -w w -f add -a 3 --in 1h",
        "worker replay -c counter -w w --at 3",
        "worker verify -c counter -w w",
        "worker checkpoints -c counter -w w",
        "worker checkpoints -c counter -w w --drop",
        "promise complete -c counter -w w --oplog-idx 3 --data x",
        "component try-update-workers -c counter",
        "get component:///counter",
    ] {
        let reason =
            format!("error[NET-001]: cannot reach the server at {url} (from --url or GOLEM_URL)");
        fails(
            home.path(),
            &format!("--url {url} {verb}"),
            1,
            &[&reason, "hint: start a server: golem-cli server run"],
        );
    }
}

#[test]
fn in_json_mode_a_failure_is_an_object() {
    let home = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = run(
        home.path(),
        &["--url", &nobody(), "--format", "json", "component", "list"],
    );
    let error: Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert_eq!(error["error"]["code"], json!("NET-001"));
    assert!(error["error"]["hint"].is_string());
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let home = tempfile::tempdir().unwrap();
    for (line, part) in [
        ("worker get", "--worker <URI>"),
        ("worker get -c counter", "--worker-name <NAME>"),
        (
            "worker get -W urn:worker:counter/w",
            "error[URN-003]: `counter` in `urn:worker:counter/w` is not a UUID",
        ),
        ("worker get -W nonsense", "error[URN-001]"),
        ("get urn:plugin:x/1", "error[URN-002]"),
        ("component get", "--component <URI>"),
        (
            "component get -c a -C component:///a",
            "cannot be used with",
        ),
        ("component add x.wasm", "--component-name <NAME>"),
        (
            "component add -c a --ephemeral --durable x.wasm",
            "cannot be used with",
        ),
        ("worker add -c a -w w --env NOVALUE", "expected NAME=VALUE"),
        ("worker invoke -c a -w w -f f -j [1", "error[CLI-025]"),
        (
            "worker invoke -c a -w w -f f -j [1] -a 1",
            "cannot be used with",
        ),
        ("worker lst -c a", "list"),
        ("worker list -c a --filter name=x", "error[VAL-040]"),
        ("--url ftp://x component list", "error[NET-002]"),
        (
            "--url https://x --ca-file gone.pem component list",
            "error[NET-008]",
        ),
        (
            "profile add x -c localhost",
            "error[NET-002]: `localhost` (from --component-url)",
        ),
    ] {
        fails(home.path(), line, 2, &[part]);
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let home = tempfile::tempdir().unwrap();
    fails(
        home.path(),
        "component add -c a gone.wasm",
        1,
        &[
            "error[CLI-021]: cannot read the component `gone.wasm`",
            "hint:",
        ],
    );
    fails(
        home.path(),
        "component add -c a",
        1,
        &["golem.yaml", "hint:"],
    );
}

#[test]
fn an_idempotency_key_is_a_fresh_uuid() {
    let home = tempfile::tempdir().unwrap();
    let key = || {
        let (code, stdout, _) = run(home.path(), &["-F", "json", "worker", "idempotency-key"]);
        assert_eq!(code, 0);
        serde_json::from_str::<String>(&stdout).unwrap()
    };
    let first = key();
    assert_eq!(first.len(), 36);
    assert_ne!(first, key());
}

#[test]
fn profiles_are_kept() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    says(home, "profile list", 0, "No profiles.\n");
    says(home, "init", 0, "Profile created\n");
    says(home, "init", 0, "Profile default is in use already\n");
    says(
        home,
        "profile add staging --component-url http://127.0.0.1:9",
        0,
        "Profile created\n",
    );
    says(home, "profile list", 0, " * default\n   staging\n");
    fails(
        home,
        "profile delete default",
        1,
        &[
            "error[PRF-005]: Can't remove active profile default",
            "hint:",
        ],
    );
    says(
        home,
        "profile switch staging",
        0,
        "Switched to profile staging\n",
    );
    fails(
        home,
        "component list",
        1,
        &["http://127.0.0.1:9 (from profile staging)"],
    );
    says(home, "profile delete default", 0, "Profile removed\n");
    fails(
        home,
        "profile switch stagin",
        1,
        &[
            "error[PRF-004]: Profile stagin not found",
            "did you mean `staging`?",
        ],
    );
    says(
        home,
        "profile config format json",
        0,
        "Default format updated\n",
    );
    let show = "-F text profile config show";
    says(home, show, 0, "Default format: json\n");
    let (_, list, _) = run(home, &["-F", "json", "profile", "list"]);
    let config = json!({"default_format": "Json"});
    let expect = json!([{"is_active": true, "name": "staging", "typ": "Golem", "url": "http://127.0.0.1:9", "config": config}]);
    assert_eq!(serde_json::from_str::<Value>(&list).unwrap(), expect);
    let file = std::fs::read_to_string(home.join("config/config.json")).unwrap();
    let expect = json!({
        "profiles": {"staging": {"Golem": {"url": "http://127.0.0.1:9", "config": config}}},
        "active_profile": "staging",
    });
    assert_eq!(serde_json::from_str::<Value>(&file).unwrap(), expect);
}

#[test]
fn a_broken_configuration_is_named_and_left_alone() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("config")).unwrap();
    let file = home.path().join("config/config.json");
    std::fs::write(&file, "{ broken").unwrap();
    for line in [
        "profile list",
        "component list",
        "init",
        "profile add x -c http://localhost:9881",
    ] {
        fails(
            home.path(),
            line,
            1,
            &["error[PRF-003]", "config.json", "hint: mend it"],
        );
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "{ broken");
}
