// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / sockets: connections and datagrams of guests: only where rules point, exact when they are repeated, and reset
//! when the instance that had them is gone. Source: issue "durable execution in full", item 1.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc;
use std::time::Duration;

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

/// A guest of one component, and its server.
struct Guest {
    data: TempDir,
    options: Vec<String>,
    server: Server,
    component: String,
}

/// Lets guests connect to each of `rules`.
fn reaching(rules: &[String]) -> Vec<String> {
    let flags = rules.iter().map(|rule| format!("--allow-network={rule}"));
    flags.collect()
}

fn serve(data: &TempDir, options: &[String]) -> Result<Server> {
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    Server::start_with(data.path(), &options)
}

impl Guest {
    fn dialer(rules: &[String]) -> Result<Self> {
        Self::start("dialer", &reaching(rules))
    }

    fn start(wat: &str, options: &[String]) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let server = serve(&data, options)?;
        let wasm = wat::parse_file(guests().join(format!("dialer/{wat}.wat")))?;
        let component = server.rest().create_component(wat, &wasm)?;
        let options = options.to_vec();
        Ok(Self {
            data,
            options,
            server,
            component,
        })
    }

    /// Kills the server and starts it again on the same directory, perhaps with other options.
    fn restart(self, options: Option<&[String]>) -> Result<Self> {
        self.server.kill()?;
        let options = options.map_or(self.options.clone(), <[String]>::to_vec);
        let server = serve(&self.data, &options)?;
        Ok(Self {
            server,
            options,
            ..self
        })
    }

    /// Calls in the background what a crash will interrupt. `true` if it did.
    fn interrupted(
        &self,
        function: &'static str,
        params: &[Value],
    ) -> std::thread::JoinHandle<bool> {
        let (rest, component) = (self.rest(), self.component.clone());
        let params = params.to_vec();
        std::thread::spawn(move || {
            rest.try_call(&component, "w", function, &params, Some("once"))
                .is_err()
        })
    }

    /// What an interrupted call gave in the end.
    fn outcome(&self, function: &str, params: &[Value]) -> Result<Value> {
        let (status, body) =
            self.rest()
                .try_call(&self.component, "w", function, params, Some("once"))?;
        anyhow::ensure!(status == 200, "{body}");
        Ok(body["result"]["value"][0].clone())
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
    let dialer = Guest::dialer(&[format!("127.0.0.1:{port}")])?;
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
    let dialer = Guest::dialer(&[format!("127.0.0.1:{port}")])?;
    assert_eq!(dialer.call("w", "connect", &[json!(port)])?, json!(0));
    let waiting = dialer.interrupted("echo", &[json!(0)]);
    assert_eq!(bytes.recv()?, 0);
    let dialer = dialer.restart(None)?;
    assert!(waiting.join().ok().context("the caller panicked")?);
    let answer = dialer.outcome("echo", &[json!(0)])?;
    // Whether the write was recorded before the kill is the only thing that may differ.
    assert!(answer == json!(400) || answer == json!(500), "{answer}");
    assert_eq!(dialer.call("w", "reason", &[])?, RESET);
    assert!(bytes.try_recv().is_err(), "a byte was sent again");
    Ok(())
}

#[test]
fn only_what_a_rule_names_is_reached_and_refusals_are_history() -> Result<()> {
    let (port, _bytes) = echo()?;
    let nothing = Guest::dialer(&[])?;
    assert_eq!(nothing.call("w", "connect", &[json!(port)])?, json!(101));
    assert_eq!(nothing.call("w", "lookup", &[])?, json!(601));
    // The refusals stay as they were when the rules change.
    let some = nothing.restart(Some(&reaching(&[format!("localhost:{port}")])))?;
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

/// A connection to a guest's port, with a deadline for every reading.
fn dial(port: &Value) -> Result<TcpStream> {
    let port = u16::try_from(port.as_u64().context("no port")?)?;
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    Ok(stream)
}

/// A socket of the test, with a deadline for every reading.
fn peer() -> Result<(UdpSocket, u16)> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(60)))?;
    let port = socket.local_addr()?.port();
    Ok((socket, port))
}

fn byte(socket: &UdpSocket) -> Result<u8> {
    let mut byte = [0];
    socket.recv_from(&mut byte)?;
    Ok(byte[0])
}

#[test]
fn a_guest_listens_where_a_rule_says_and_its_connections_end_with_its_instance() -> Result<()> {
    let guest = Guest::start("listener", &["--allow-listen=127.0.0.1:0".to_owned()])?;
    let port = guest.call("w", "listen", &[json!(0)])?;
    assert_eq!(
        guest.call("w", "listen", std::slice::from_ref(&port))?,
        json!(201)
    );
    let port = guest.call("w", "listen", &[json!(0)])?;
    let mut client = dial(&port)?;
    client.write_all(&[7])?;
    assert_eq!(guest.call("w", "serve", &[])?, json!(7));
    let mut said = Vec::new();
    client.read_to_end(&mut said)?;
    assert_eq!(said, [200]);
    // Repeated: the same answers, nothing is said to anybody, and the listener is gone.
    guest.replay("w")?;
    assert_eq!(guest.call("w", "serve", &[])?, json!(415));
    assert!(dial(&port).is_err(), "a repeated listener listens");
    let port = guest.call("w", "listen", &[json!(0)])?;
    // The guest waits for the byte of a connection that it has taken.
    let mut client = dial(&port)?;
    let waiting = guest.interrupted("serve", &[]);
    let mut said = [0];
    client.read_exact(&mut said)?;
    assert_eq!(said, [200]);
    let guest = guest.restart(None)?;
    assert!(waiting.join().ok().context("the caller panicked")?);
    // How much was recorded before the kill is the only thing that may differ: accepted, greeted.
    let outcome = guest.outcome("serve", &[])?;
    assert!(
        [415, 500, 600].iter().any(|code| outcome == json!(code)),
        "{outcome}"
    );
    assert!(matches!(client.read(&mut said), Ok(0) | Err(_)), "{said:?}");
    // That is history now, and repeated when nothing is allowed any more.
    let guest = guest.restart(Some(&[]))?;
    assert_eq!(guest.call("w", "serve", &[])?, json!(415));
    assert_eq!(guest.call("w", "listen", &[json!(0)])?, json!(101));
    assert_eq!(guest.outcome("serve", &[])?, outcome);
    Ok(())
}

#[test]
fn a_guest_without_an_address_of_its_own_hears_only_whom_it_may_write_to() -> Result<()> {
    let (friend, friends) = peer()?;
    let (stranger, strangers) = peer()?;
    let rule = format!("--allow-network=127.0.0.1:{friends}");
    let guest = Guest::start("listener", &[rule])?;
    // No address but the wildcard, and nobody listens.
    assert_eq!(guest.call("w", "listen", &[json!(0)])?, json!(201));
    assert_eq!(
        guest.call("w", "open", &[json!(127), json!(0)])?,
        json!(201)
    );
    let port = guest.call("w", "open", &[json!(0), json!(0)])?;
    let port = u16::try_from(port.as_u64().context("no port")?)?;
    let send = |to: u16, byte: u8| guest.call("w", "send", &[json!(to), json!(byte)]);
    assert_eq!(send(strangers, 1)?, json!(401));
    stranger.send_to(&[99], ("127.0.0.1", port))?;
    assert_eq!(send(friends, 2)?, json!(1));
    assert_eq!(byte(&friend)?, 2);
    friend.send_to(&[3], ("127.0.0.1", port))?;
    // What the stranger sent is taken and given to nobody.
    assert_eq!(guest.call("w", "receive", &[])?, json!(999));
    assert_eq!(guest.call("w", "receive", &[])?, json!(3));
    // Streams for one address only, on the same socket.
    assert_eq!(guest.call("w", "connect", &[json!(friends)])?, json!(port));
    assert_eq!(send(0, 4)?, json!(1));
    assert_eq!(byte(&friend)?, 4);
    // Repeated without the network, then reset.
    guest.replay("w")?;
    assert_eq!(send(0, 5)?, json!(415));
    assert_eq!(guest.call("w", "receive", &[])?, json!(515));
    guest.call("w", "close", &[])?;
    guest.call("w", "open", &[json!(0), json!(0)])?;
    assert_eq!(
        guest.call("w", "send", &[json!(friends), json!(6)])?,
        json!(1)
    );
    assert_eq!(byte(&friend)?, 6, "a repeated datagram was sent again");
    Ok(())
}

#[test]
fn a_guest_with_an_address_answers_strangers_and_a_crash_resets_it() -> Result<()> {
    let (stranger, strangers) = peer()?;
    let (_other, others) = peer()?;
    let guest = Guest::start("listener", &["--allow-listen=127.0.0.1:*".to_owned()])?;
    let port = guest.call("w", "open", &[json!(127), json!(0)])?;
    let port = u16::try_from(port.as_u64().context("no port")?)?;
    let send = |to: u16, byte: u8| guest.call("w", "send", &[json!(to), json!(byte)]);
    assert_eq!(send(strangers, 1)?, json!(401));
    stranger.send_to(&[2], ("127.0.0.1", port))?;
    assert_eq!(guest.call("w", "receive", &[])?, json!(2));
    assert_eq!(guest.call("w", "sender", &[])?, json!(strangers));
    assert_eq!(send(strangers, 3)?, json!(1));
    assert_eq!(byte(&stranger)?, 3);
    assert_eq!(send(others, 4)?, json!(401));
    // A crash while it waits for an answer.
    let question = [json!(strangers), json!(5)];
    let waiting = guest.interrupted("ask", &question);
    assert_eq!(byte(&stranger)?, 5);
    let guest = guest.restart(None)?;
    assert!(waiting.join().ok().context("the caller panicked")?);
    // Whether the sending was recorded before the kill is the only thing that may differ.
    let outcome = guest.outcome("ask", &question)?;
    assert!(outcome == json!(415) || outcome == json!(515), "{outcome}");
    assert_eq!(guest.call("w", "sender", &[])?, json!(strangers));
    guest.call("w", "close", &[])?;
    assert_eq!(
        guest.call("w", "open", &[json!(127), json!(port)])?,
        json!(port)
    );
    stranger.set_nonblocking(true)?;
    assert!(
        byte(&stranger).is_err(),
        "a repeated datagram was sent again"
    );
    Ok(())
}
