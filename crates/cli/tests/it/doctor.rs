// SPDX-License-Identifier: Apache-2.0
//! THE DESK / tests, doctor: what it says when nothing is there. With a server: tests/it of the workspace. Read next: `client.rs`.

use crate::support::{Desk, false_go};

#[test]
fn the_step_that_fails_is_named_and_the_ones_behind_it_are_skipped() {
    let desk = Desk::new();
    let go = false_go(&desk, "go1.20.1");
    let go = go.to_string_lossy();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{nobody}");
    let ran = desk.run_in(
        "",
        &["--format", "json", "--url", &url, "doctor"],
        &[("GOLEM_GO", &go)],
    );
    assert_eq!(ran.code, 5, "{ran:?}");
    let checks: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let state = |name: &str| {
        let all = checks.as_array().unwrap();
        let found = all.iter().find(|check| check["name"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {checks}"))["state"].clone()
    };
    assert_eq!(state("server name"), "ok");
    assert_eq!(state("server port"), "failed");
    assert_eq!(state("server http"), "skipped");
    assert_eq!(state("clock"), "skipped");
    assert_eq!(state("go"), "failed");
    assert_eq!(state("project"), "skipped");
    assert_ne!(state("disk sync"), "failed");
    assert!(ran.stderr.contains("CLI-003"), "{ran:?}");

    let text = desk.run_in("", &["--url", &url, "doctor"], &[("GOLEM_GO", &go)]);
    assert!(
        text.stdout.contains("FAIL  server port") && text.stdout.contains("golem-cli server run"),
        "{text:?}"
    );
    desk.write("golem.yaml", "components:\n  a: { sourceWit: wit }\n");
    let text = desk.run_in("", &["--url", &url, "doctor"], &[("GOLEM_GO", &go)]);
    assert!(text.stdout.contains("no WIT directory for a"), "{text:?}");
    // Nothing stays behind.
    let left: Vec<String> = desk.files("").into_keys().collect();
    assert_eq!(left, ["false-go", "golem.yaml"]);
}
