// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / sockets: connections of guests: only where the allow-list points, exact when they are repeated, and reset when
//! the instance that had them is gone. Source: issue "durable execution in full", item 1.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;

use anyhow::{Context as _, Result};
use golem_testkit::{Rest, Server};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::guests;

/// What a stream says of a connection that is gone.
const RESET: &str = "connection reset";

/// A server that sends back each byte but 0, and reports every byte.
fn echo() -> Result<(u16, mpsc::Receiver<u8>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let (sender, bytes) = mpsc::channel();
    // Ends with the process of the tests.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let mut byte = [0];
                while matches!(stream.read(&mut byte), Ok(1)) {
                    let _ = sender.send(byte[0]);
                    if byte[0] != 0 && stream.write_all(&byte).is_err() {
                        break;
                    }
                }
            });
        }
    });
    Ok((port, bytes))
}

struct Dialer {
    data: TempDir,
    rules: Vec<String>,
    server: Server,
    component: String,
}

fn serve(data: &TempDir, rules: &[String]) -> Result<Server> {
    let options: Vec<&str> = rules
        .iter()
        .flat_map(|rule| ["--allow-network", rule.as_str()])
        .collect();
    Server::start_with(data.path(), &options)
}

impl Dialer {
    fn start(rules: &[String]) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let server = serve(&data, rules)?;
        let wasm = wat::parse_file(guests().join("dialer/dialer.wat"))?;
        let component = server.rest().create_component("dialer", &wasm)?;
        let rules = rules.to_vec();
        Ok(Self {
            data,
            rules,
            server,
            component,
        })
    }

    /// Kills the server and starts it again on the same directory, perhaps with other rules.
    fn restart(self, rules: Option<&[String]>) -> Result<Self> {
        self.server.kill()?;
        let rules = rules.map_or(self.rules.clone(), <[String]>::to_vec);
        let server = serve(&self.data, &rules)?;
        Ok(Self {
            server,
            rules,
            ..self
        })
    }

    fn rest(&self) -> Rest {
        self.server.rest()
    }

    fn call(&self, worker: &str, function: &str, params: &[Value]) -> Result<Value> {
        self.rest().call(&self.component, worker, function, params)
    }

    /// Drops the instance; the next call repeats the log first.
    fn replay(&self, worker: &str) -> Result<()> {
        let path = format!(
            "/v1/components/{}/workers/{worker}/interrupt?recovery-immediately=true",
            self.component
        );
        let (status, body) = self.rest().post(&path, &json!({}), None)?;
        anyhow::ensure!(status == 200, "{body}");
        Ok(())
    }
}

#[test]
fn a_connection_is_repeated_from_the_log_and_reset_where_the_log_ends() -> Result<()> {
    let (port, bytes) = echo()?;
    let dialer = Dialer::start(&[format!("127.0.0.1:{port}")])?;
    assert_eq!(dialer.call("w", "connect", &[json!(port)])?, json!(0));
    for byte in [7, 8] {
        assert_eq!(dialer.call("w", "echo", &[json!(byte)])?, json!(byte));
        assert_eq!(bytes.recv()?, byte);
    }
    dialer.replay("w")?;
    assert_eq!(dialer.call("w", "echo", &[json!(9)])?, json!(400));
    assert_eq!(dialer.call("w", "reason", &[])?, RESET);
    assert!(bytes.try_recv().is_err(), "a repeated byte was sent again");
    // The reset is history now, and the guest opens another connection.
    let dialer = dialer.restart(None)?;
    assert_eq!(dialer.call("w", "reason", &[])?, RESET);
    dialer.call("w", "close", &[])?;
    assert_eq!(dialer.call("w", "connect", &[json!(port)])?, json!(0));
    assert_eq!(dialer.call("w", "echo", &[json!(5)])?, json!(5));
    assert_eq!(bytes.recv()?, 5);
    assert!(bytes.try_recv().is_err());
    Ok(())
}

#[test]
fn a_reading_that_a_crash_interrupts_ends_with_a_reset() -> Result<()> {
    let (port, bytes) = echo()?;
    let dialer = Dialer::start(&[format!("127.0.0.1:{port}")])?;
    assert_eq!(dialer.call("w", "connect", &[json!(port)])?, json!(0));
    let (rest, component) = (dialer.rest(), dialer.component.clone());
    let waiting = std::thread::spawn(move || {
        rest.try_call(&component, "w", "echo", &[json!(0)], Some("once"))
            .is_err()
    });
    assert_eq!(bytes.recv()?, 0);
    let dialer = dialer.restart(None)?;
    assert!(waiting.join().ok().context("the caller panicked")?);
    let (status, body) =
        dialer
            .rest()
            .try_call(&dialer.component, "w", "echo", &[json!(0)], Some("once"))?;
    assert_eq!(status, 200, "{body}");
    // Whether the write was recorded before the kill is the only thing that may differ.
    let answer = &body["result"]["value"][0];
    assert!(*answer == json!(400) || *answer == json!(500), "{body}");
    assert_eq!(dialer.call("w", "reason", &[])?, RESET);
    assert!(bytes.try_recv().is_err(), "a byte was sent again");
    Ok(())
}

#[test]
fn only_what_a_rule_names_is_reached_and_refusals_are_history() -> Result<()> {
    let (port, _bytes) = echo()?;
    let nothing = Dialer::start(&[])?;
    assert_eq!(nothing.call("w", "connect", &[json!(port)])?, json!(101));
    assert_eq!(nothing.call("w", "lookup", &[])?, json!(601));
    // The refusals stay as they were when the rules change.
    let some = nothing.restart(Some(&[format!("localhost:{port}")]))?;
    assert_eq!(some.call("w", "connect", &[json!(port)])?, json!(201));
    assert_eq!(some.call("w", "lookup", &[])?, json!(127));
    // The name of the rule was looked up, so its address may be connected to.
    assert_eq!(some.call("w", "connect", &[json!(port)])?, json!(0));
    assert_eq!(some.call("w", "echo", &[json!(3)])?, json!(3));
    // Another port is none of the rule's.
    let other = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    assert_eq!(some.call("v", "lookup", &[])?, json!(127));
    assert_eq!(some.call("v", "connect", &[json!(other)])?, json!(201));
    // What was allowed is repeated although nothing is any more.
    let nothing = some.restart(Some(&[]))?;
    assert_eq!(nothing.call("w", "echo", &[json!(4)])?, json!(400));
    assert_eq!(nothing.call("w", "reason", &[])?, RESET);
    assert_eq!(nothing.call("v", "lookup", &[])?, json!(601));
    Ok(())
}
