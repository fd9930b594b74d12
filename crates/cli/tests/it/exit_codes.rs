// SPDX-License-Identifier: Apache-2.0
//! THE DESK / tests, exit codes: each of the documented numbers, from the real binary. A double stands for a server that refuses.
//! 70 needs a bug: `main.rs` has its test. Read next: crates/cli/README.md, "Exit codes".

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::support::Desk;

/// A server that gives every request the same answer, until the test is over. Returns its address.
fn says(status: u16, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            // The head of a request without a body fits into one read, and nobody looks at it.
            let _ = stream.read(&mut [0; 4096]);
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all((head + body).as_bytes());
        }
    });
    url
}

#[test]
fn every_documented_number_is_reached() {
    let desk = Desk::new();
    desk.write("wit/x.wit", "package a:b; world w { export f: func(); }");
    desk.write("go.mod", "module x\n\ngo 1.24\n");
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let nobody = format!("http://{nobody}");
    let trap =
        r#"{"golemError":{"type":"RuntimeError","details":"boom"},"code":"WRK-006","hint":"h"}"#;
    let plain = r#"{"error":"no","code":"API-001","hint":"h"}"#;
    for (line, url, code) in [
        ("--version", None, 0),
        ("token list", Some(says(500, plain)), 1),
        ("token lits", None, 2),
        ("token list", Some(says(404, plain)), 3),
        ("help nothing-of-the-kind", None, 3),
        ("token list", Some(says(500, trap)), 4),
        ("token list", Some(nobody), 5),
        ("token list", Some(says(401, plain)), 6),
        ("token list", Some(says(403, plain)), 6),
        ("token list", Some(says(409, plain)), 7),
        ("token list", Some(says(412, plain)), 7),
        ("token list", Some(says(504, plain)), 8),
        ("build", None, 9),
    ] {
        let mut words: Vec<&str> = line.split(' ').collect();
        if let Some(url) = &url {
            words.extend(["--url", url]);
        }
        let ran = desk.run_in("", &words, &[("GOLEM_GO", "there-is-no-such-go")]);
        assert_eq!(ran.code, code, "{line} {url:?}: {ran:?}");
        if code != 0 && code != 2 {
            assert!(
                ran.stderr.contains("error[") && ran.stderr.contains("hint:"),
                "{ran:?}"
            );
        }
    }
}

#[test]
fn commands_of_golem_1_end_with_0_1_or_2() {
    let desk = Desk::new();
    let plain = r#"{"error":"no","code":"API-001"}"#;
    for (status, code) in [(404, 1), (401, 1), (409, 1), (504, 1)] {
        let url = says(status, plain);
        for line in [
            "component list",
            "worker list -C component:///c",
            "plugin list",
            "api-definition list",
            "api-deployment list -i x",
            "api-security-scheme get x",
            "get component:///c",
        ] {
            let mut words: Vec<&str> = line.split(' ').collect();
            words.extend(["--url", &url]);
            let ran = desk.run_in("", &words, &[]);
            assert_eq!(ran.code, code, "{line}: {ran:?}");
        }
    }
}

#[test]
fn what_a_server_does_not_build_is_told_with_code_and_hint() {
    let desk = Desk::new();
    let body = r#"{"error":"API definitions are not built","code":"API-020","hint":"export wasi:http/incoming-handler"}"#;
    let url = says(501, body);
    for line in [
        "api-definition list",
        "api-deployment get localhost:9006",
        "api-security-scheme get login",
        "plugin list",
    ] {
        let mut words: Vec<&str> = line.split(' ').collect();
        words.extend(["--url", &url]);
        let ran = desk.run_in("", &words, &[]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert_eq!(
            ran.stderr,
            "error[API-020]: API definitions are not built\n  hint: export wasi:http/incoming-handler\n"
        );
    }
}
