// SPDX-License-Identifier: Apache-2.0
//! THE DESK / tests, snapshots: what a person sees, word by word: exit code, standard output and standard error of the commands in
//! `tests/cases/`. After a change on purpose `TRYCMD=overwrite` writes them anew; the difference is read before it is committed.
//! Every help text is in docs/cli-reference.md.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

/// Runs the commands of one file, in order, with profiles of their own.
fn see(file: &str) {
    see_at(None, file);
}

/// The same with a server at `url`.
fn see_at(url: Option<&str>, file: &str) {
    let home = tempfile::tempdir().unwrap();
    let cases = trycmd::TestCases::new();
    cases
        .register_bin("golem-cli", trycmd::cargo::cargo_bin!("golem-cli"))
        .env("GOLEM_CONFIG_DIR", home.path().to_string_lossy())
        .env("NO_COLOR", "1")
        .env("CI", "")
        .case(format!("tests/cases/{file}.md"));
    if let Some(url) = url {
        cases.env("GOLEM_URL", url);
    }
    cases.run();
}

#[test]
fn wrong_command_lines_say_what_to_write() {
    see("usage");
}

#[test]
fn errors_have_a_code_and_a_hint() {
    see("errors");
}

#[test]
fn listings_are_the_same_in_every_format() {
    see("listings");
}

#[test]
fn profiles_are_those_of_golem_1() {
    see("profiles");
}

#[test]
fn topics_are_texts() {
    see("topics");
}

/// A server that knows one worker: what it answers is always the same, so that it can be seen word by word. Ends with the process of
/// the tests.
fn canned() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // Who goes away in the middle asks for nothing.
            drop(answer(&mut stream));
        }
    });
    url
}

fn answer(stream: &mut TcpStream) -> std::io::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? > 0 {
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let (status, body) = match head.split(' ').nth(1).unwrap_or_default() {
        path if path.ends_with("/calls") => ("200 OK", include_str!("../cases/calls.json")),
        path if path.ends_with("/checkpoints") => {
            ("200 OK", include_str!("../cases/checkpoints.json"))
        }
        _ => ("404 Not Found", "{}"),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn call_trees_and_checkpoints_are_drawn() {
    see_at(Some(&canned()), "trace");
}
