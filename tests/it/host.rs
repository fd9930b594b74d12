// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / host: what the platform offers a guest beside calls between workers: logging, key-value buckets, blobs,
//! files, HTTP in both directions. Each is used live, dropped, repeated from the log, and killed. Source: runtime spec §2.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::Duration;

use anyhow::{Context as _, Result};
use golem_testkit::{Guest, Rest, Server};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{guests, needs_go};

/// A server on a fresh directory with the host probe uploaded.
struct HostProbe {
    data: TempDir,
    options: Vec<String>,
    server: Server,
    component: String,
}

impl HostProbe {
    fn start(options: &[&str]) -> Result<Self> {
        let wasm = Guest::build(&guests().join("host-probe"), "host_probe.wasm")?.wasm;
        let data = tempfile::tempdir()?;
        let server = Server::start_with(data.path(), options)?;
        let component = server.rest().create_component("host-probe", &wasm)?;
        Ok(Self {
            data,
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            server,
            component,
        })
    }

    /// Kills the server and starts it again on the same directory.
    fn restart(self) -> Result<Self> {
        self.server.kill()?;
        let options: Vec<&str> = self.options.iter().map(String::as_str).collect();
        let server = Server::start_with(self.data.path(), &options)?;
        Ok(Self { server, ..self })
    }

    fn rest(&self) -> Rest {
        self.server.rest()
    }

    fn call(&self, worker: &str, function: &str, params: &[Value]) -> Result<Value> {
        let name = format!("it:host-probe/host-api.{{{function}}}");
        self.rest().call(&self.component, worker, &name, params)
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

    /// The worker has not failed: its log was repeated without a difference.
    fn is_well(&self, worker: &str) -> Result<()> {
        let path = format!("/v1/components/{}/workers/{worker}", self.component);
        let (_, view) = self.rest().get(&path)?;
        anyhow::ensure!(view["status"] == "Idle", "{view}");
        Ok(())
    }
}

/// A server of HTTP that counts what it is asked and answers with the body that it got. By the path: `/hold` gives the first one
/// who asks no answer, `/halves` sends the second half of the body when somebody has posted the first half back, `/other-halves`
/// does so too, but answers with another first half to everyone but the first who asks, `/trailers` has trailers.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    asked: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
    /// Number of each request, as it comes.
    came: mpsc::Receiver<usize>,
}

impl Peer {
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let asked = Arc::new(AtomicUsize::new(0));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (count, seen) = (Arc::clone(&asked), Arc::clone(&requests));
        let (comes, came) = mpsc::channel();
        let posted = Arc::new((Mutex::new(0), Condvar::new()));
        // Ends with the process of the tests.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (count, seen) = (Arc::clone(&count), Arc::clone(&seen));
                let (comes, posted) = (comes.clone(), Arc::clone(&posted));
                std::thread::spawn(move || {
                    let mut text = Vec::new();
                    let mut chunk = [0; 4096];
                    while let Ok(read) = stream.read(&mut chunk) {
                        text.extend_from_slice(chunk.get(..read).unwrap_or_default());
                        if read == 0 || is_whole(&text) {
                            break;
                        }
                    }
                    let number = count.fetch_add(1, Ordering::SeqCst) + 1;
                    let text = String::from_utf8_lossy(&text).into_owned();
                    let body = text.split("\r\n\r\n").nth(1).unwrap_or_default();
                    let body = if text.contains(" /large ") {
                        "x".repeat(300_000)
                    } else {
                        format!("{number}:{body}")
                    };
                    let head = format!(
                        "HTTP/1.1 202 Accepted\r\ncontent-length: {}\r\n\r\n",
                        body.len()
                    );
                    let holds = text.contains(" /hold ") && number == 1
                        || text.contains(" /hold-second ") && number == 2;
                    let halves = text.contains("halves ");
                    let changes = text.contains(" /other-halves ") && number > 1;
                    let ends = text.contains(" /trailers ");
                    let posts = body.ends_with(HALF);
                    if let Ok(mut seen) = seen.lock() {
                        seen.push(text);
                    }
                    let _ = comes.send(number);
                    if holds {
                        // No answer: this ends when the one who asked is gone.
                        drop(stream.read(&mut chunk));
                        return;
                    }
                    if halves {
                        let half = if changes { "other " } else { HALF };
                        let head = "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n";
                        drop(stream.write_all((head.to_owned() + half).as_bytes()));
                        let (count, more) = &*posted;
                        let posted = count.lock();
                        drop(posted.map(|count| more.wait_while(count, |count| *count == 0)));
                        drop(stream.write_all(b"second"));
                        return;
                    }
                    if ends {
                        let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n";
                        drop(stream.write_all(answer.as_bytes()));
                        // More than is read ahead of the guest: the trailers come when nobody wants the body any more.
                        for _ in 0..100 {
                            drop(stream.write_all(format!("2000\r\n{:8192}\r\n", "").as_bytes()));
                        }
                        drop(stream.write_all(b"0\r\nx-sum: 7\r\n\r\n"));
                        return;
                    }
                    drop(stream.write_all((head + &body).as_bytes()));
                    if posts && let Ok(mut count) = posted.0.lock() {
                        *count += 1;
                        posted.1.notify_all();
                    }
                });
            }
        });
        Ok(Self {
            address,
            asked,
            requests,
            came,
        })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Whether a request has come to its end: the head, and as much body as it says.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    body.len() >= length
}

#[test]
fn buckets_are_shared_by_the_workers_of_a_component_and_changed_exactly_once() -> Result<()> {
    if needs_go("buckets_are_shared_by_the_workers_of_a_component_and_changed_exactly_once") {
        return Ok(());
    }
    let probe = HostProbe::start(&[])?;
    let large: Vec<u32> = (0..100_000).map(|n| n % 251).collect();
    let kv = |probe: &HostProbe, worker: &str, function: &str, params: Value| {
        let params = params.as_array().cloned().unwrap_or_default();
        probe.call(worker, &format!("kv-{function}"), &params)
    };
    assert_eq!(kv(&probe, "a", "get", json!(["b", "k"]))?, Value::Null);
    kv(&probe, "a", "set", json!(["b", "k", [1, 2]]))?;
    kv(&probe, "a", "set", json!(["b", "large", large]))?;
    assert_eq!(kv(&probe, "b", "get", json!(["b", "k"]))?, json!([1, 2]));
    assert_eq!(kv(&probe, "b", "get", json!(["b", "large"]))?, json!(large));
    assert_eq!(
        kv(&probe, "b", "exists", json!(["other", "k"]))?,
        json!(false)
    );
    kv(
        &probe,
        "b",
        "set-many",
        json!(["b", [["x", [1]], ["y", [2]]]]),
    )?;
    assert_eq!(
        kv(&probe, "a", "get-many", json!(["b", ["x", "no", "y"]]))?,
        json!([[1], null, [2]])
    );
    kv(&probe, "a", "delete", json!(["b", "x"]))?;
    assert_eq!(
        kv(&probe, "b", "keys", json!(["b"]))?,
        json!(["k", "large", "y"])
    );

    for round in 1..=5_u64 {
        for worker in ["a", "b"] {
            kv(&probe, worker, "increment", json!(["b", "n", round]))?;
            probe.replay(worker)?;
        }
    }
    assert_eq!(
        kv(&probe, "a", "increment", json!(["b", "n", 0]))?,
        json!({"ok": 30})
    );
    assert_eq!(
        kv(&probe, "a", "swap", json!(["b", "n", 30, 7]))?,
        json!(true)
    );
    assert_eq!(
        kv(&probe, "b", "swap", json!(["b", "n", 30, 8]))?,
        json!(false)
    );
    let probe = probe.restart()?;
    assert_eq!(
        kv(&probe, "b", "increment", json!(["b", "n", 1]))?,
        json!({"ok": 8})
    );
    let wrong = kv(&probe, "b", "increment", json!(["b", "k", 1]))?;
    assert!(wrong.get("err").is_some(), "{wrong}");
    // A reading that is repeated gives what it gave then, not what is there now.
    kv(&probe, "c", "get", json!(["b", "k"]))?;
    kv(&probe, "a", "set", json!(["b", "k", [9]]))?;
    probe.replay("c")?;
    assert_eq!(kv(&probe, "c", "get", json!(["b", "k"]))?, json!([9]));
    for worker in ["a", "b", "c"] {
        probe.is_well(worker)?;
    }
    Ok(())
}

#[test]
fn a_cache_keeps_the_first_value_until_it_runs_out() -> Result<()> {
    if needs_go("a_cache_keeps_the_first_value_until_it_runs_out") {
        return Ok(());
    }
    let probe = HostProbe::start(&[])?;
    let fill = |worker: &str, value: &str, ttl: Value| {
        probe.call(worker, "cache-get-or-set", &[json!("k"), json!(value), ttl])
    };
    assert_eq!(fill("a", "one", Value::Null)?, "one");
    assert_eq!(fill("b", "two", Value::Null)?, "one");
    probe.replay("a")?;
    assert_eq!(probe.call("a", "cache-get", &[json!("k")])?, "one");
    assert_eq!(probe.call("a", "cache-get", &[json!("no")])?, Value::Null);
    // With no time to live it is gone at once.
    let gone = [json!("brief"), json!("x"), json!(0)];
    assert_eq!(probe.call("a", "cache-get-or-set", &gone)?, "x");
    assert_eq!(
        probe.call("a", "cache-get", &[json!("brief")])?,
        Value::Null
    );
    probe.is_well("a")
}

#[test]
fn blobs_live_in_containers_and_survive() -> Result<()> {
    if needs_go("blobs_live_in_containers_and_survive") {
        return Ok(());
    }
    let probe = HostProbe::start(&[])?;
    let large: Vec<u32> = (0..200_000).map(|n| n % 241).collect();
    let blob = |probe: &HostProbe, worker: &str, function: &str, params: Value| {
        let params = params.as_array().cloned().unwrap_or_default();
        probe.call(worker, &format!("blob-{function}"), &params)
    };
    assert_eq!(blob(&probe, "a", "create", json!(["c"]))?, Value::Null);
    assert!(blob(&probe, "b", "create", json!(["c"]))?.is_string());
    assert_eq!(
        blob(&probe, "a", "write", json!(["c", "o", [1, 2, 3, 4]]))?,
        Value::Null
    );
    assert_eq!(
        blob(&probe, "a", "write", json!(["c", "large", large]))?,
        Value::Null
    );
    assert_eq!(
        blob(&probe, "b", "read", json!(["c", "o", 1, 2]))?,
        json!({"ok": [2, 3]})
    );
    probe.replay("a")?;
    assert_eq!(
        blob(&probe, "a", "list", json!(["c"]))?,
        json!(["large", "o"])
    );
    assert_eq!(
        blob(&probe, "a", "move", json!(["c", "o", "p"]))?,
        Value::Null
    );
    let probe = probe.restart()?;
    assert_eq!(
        blob(&probe, "b", "read", json!(["c", "large", 0, u64::MAX]))?,
        json!({"ok": large})
    );
    assert!(
        blob(&probe, "b", "read", json!(["c", "o", 0, 9]))?
            .get("err")
            .is_some()
    );
    assert_eq!(
        blob(&probe, "b", "list", json!(["c"]))?,
        json!(["large", "p"])
    );
    assert_eq!(
        blob(&probe, "a", "delete-container", json!(["c"]))?,
        Value::Null
    );
    assert!(blob(&probe, "b", "delete-container", json!(["c"]))?.is_null());
    probe.is_well("a")?;
    probe.is_well("b")
}

#[test]
fn files_of_a_worker_are_its_own_and_come_back() -> Result<()> {
    if needs_go("files_of_a_worker_are_its_own_and_come_back") {
        return Ok(());
    }
    let probe = HostProbe::start(&[])?;
    let file = |probe: &HostProbe, worker: &str, function: &str, params: Value| {
        let params = params.as_array().cloned().unwrap_or_default();
        probe.call(worker, &format!("file-{function}"), &params)
    };
    for (function, params) in [
        ("write", json!(["a.txt", "hello", false])),
        ("write", json!(["/a.txt", " you", true])),
        ("mkdir", json!(["d/e"])),
        ("write", json!(["d/x", "1", false])),
        ("write", json!(["large", "y".repeat(100_000), false])),
        ("link", json!(["a.txt", "link"])),
    ] {
        assert_eq!(file(&probe, "w", function, params.clone())?, "", "{params}");
    }
    assert_eq!(file(&probe, "w", "read", json!(["link"]))?, "hello you");
    assert_eq!(
        file(&probe, "w", "list", json!(["."]))?,
        json!(["a.txt false", "d true", "large false", "link false"])
    );
    assert_eq!(file(&probe, "other", "list", json!(["/"]))?, json!([]));
    let written = file(&probe, "w", "time", json!(["a.txt"]))?;

    probe.replay("w")?;
    assert_eq!(file(&probe, "w", "read", json!(["a.txt"]))?, "hello you");
    let probe = probe.restart()?;
    assert_eq!(file(&probe, "w", "read", json!(["/d/x"]))?, "1");
    assert_eq!(
        file(&probe, "w", "read", json!(["large"]))?,
        "y".repeat(100_000)
    );
    assert_eq!(file(&probe, "w", "time", json!(["a.txt"]))?, written);

    // Out of its own tree leads no path and no link.
    for path in ["../../../etc/passwd", "/../etc/passwd", "d/../../x"] {
        let text = file(&probe, "w", "read", json!([path]))?;
        assert!(
            text.as_str().is_some_and(|text| text.starts_with("open ")),
            "{text}"
        );
    }
    assert_eq!(
        file(&probe, "w", "link", json!(["../../../../etc", "d/up"]))?,
        ""
    );
    let text = file(&probe, "w", "read", json!(["d/up/passwd"]))?;
    assert!(
        text.as_str()
            .is_some_and(|text| text.contains("not permitted")),
        "{text}"
    );
    // The quota is told as an error, and again when the log is repeated.
    let text = file(&probe, "w", "grow", json!(["a.txt", (1_u64 << 30) + 1]))?;
    assert!(
        text.as_str().is_some_and(|text| text.contains("uota")),
        "{text}"
    );
    assert_eq!(file(&probe, "w", "remove", json!(["d"]))?, "");
    probe.replay("w")?;
    assert_eq!(
        file(&probe, "w", "list", json!(["."]))?,
        json!(["a.txt false", "large false", "link false"])
    );
    probe.is_well("w")
}

#[test]
fn a_request_is_sent_once_and_its_response_is_repeated() -> Result<()> {
    if needs_go("a_request_is_sent_once_and_its_response_is_repeated") {
        return Ok(());
    }
    let peer = Peer::start()?;
    let probe = HostProbe::start(&["--allow-network", &peer.address.to_string()])?;
    let http = |probe: &HostProbe, method: &str, path: &str, body: &str| {
        let params = [json!(method), json!(peer.url(path)), json!(body)];
        probe.call("w", "http", &params)
    };
    assert_eq!(http(&probe, "GET", "/a?b=c", "")?, "202 1:");
    assert_eq!(http(&probe, "POST", "/", "hello")?, "202 2:hello");
    let large = http(&probe, "GET", "/large", "")?;
    assert_eq!(large.as_str().map(str::len), Some("202 ".len() + 300_000));
    let both = probe.call(
        "w",
        "http-both",
        &[json!(peer.url("/x")), json!(peer.url("/y"))],
    )?;
    let both = both.as_array().context("two answers")?;
    assert!(
        both.iter()
            .all(|text| text.as_str().is_some_and(|text| text.starts_with("202 ")))
    );
    assert_eq!(peer.asked(), 5);
    {
        let requests = peer
            .requests
            .lock()
            .map_err(|_| anyhow::anyhow!("a peer failed"))?;
        let first = requests.first().context("a request")?;
        assert!(first.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{first}");
        assert!(first.contains("x-test: yes\r\n"), "{first}");
    }
    for _ in 0..2 {
        probe.replay("w")?;
        // Count does no request, so the peer hears nothing of the repeated ones.
        assert_eq!(probe.call("w", "count", &[])?, json!(5));
    }
    let probe = probe.restart()?;
    assert_eq!(probe.call("w", "count", &[])?, json!(5));
    assert_eq!(peer.asked(), 5);
    assert_eq!(http(&probe, "GET", "/", "")?, "202 6:");
    // One that is forgotten ends with its invocation, and is not sent when the log is repeated.
    probe.call("w", "http-forget", &[json!(peer.url("/f"))])?;
    let before = peer.asked();
    probe.replay("w")?;
    assert_eq!(probe.call("w", "count", &[])?, json!(7));
    assert!(peer.asked() <= before.max(7), "{}", peer.asked());
    probe.is_well("w")
}

/// Starts `function` with the key `key`, kills the server when the peer has request number `when`, and starts it again.
fn crash_in_flight(
    probe: HostProbe,
    peer: &Peer,
    function: &str,
    params: &[Value],
    when: usize,
) -> Result<HostProbe> {
    let name = format!("it:host-probe/host-api.{{{function}}}");
    let path = format!(
        "/v1/components/{}/workers/w/invoke?function={}",
        probe.component,
        name.replace('{', "%7B").replace('}', "%7D")
    );
    let values: Vec<Value> = params
        .iter()
        .map(|value| json!({ "value": value }))
        .collect();
    let body = json!({ "params": values });
    let (status, answer) = probe.rest().post(&path, &body, Some("key"))?;
    anyhow::ensure!(status == 200, "{answer}");
    while peer.came.recv_timeout(PATIENCE)? < when {}
    probe.restart()
}

/// The first half of a body that comes in two.
const HALF: &str = "first ";

#[test]
fn a_guest_reads_a_response_while_it_comes() -> Result<()> {
    if needs_go("a_guest_reads_a_response_while_it_comes") {
        return Ok(());
    }
    let peer = Peer::start()?;
    let probe = HostProbe::start(&["--allow-network", &peer.address.to_string()])?;
    // The second half is sent when the guest has told the peer what it has read of the first.
    let urls = [json!(peer.url("/halves")), json!(peer.url("/ack"))];
    assert_eq!(probe.call("w", "http-relay", &urls)?, json!("first second"));
    let trailers = probe.call("w", "http-trailers", &[json!(peer.url("/trailers"))])?;
    assert_eq!(trailers, json!("x-sum=7;"));
    for _ in 0..2 {
        probe.replay("w")?;
        assert_eq!(probe.call("w", "count", &[])?, json!(3));
    }
    assert_eq!(peer.asked(), 3);
    probe.is_well("w")
}

/// Starts `function` with a response that comes from `path` in two halves, and kills the server when the guest has posted the first.
/// Returns how the invocation ends.
fn crash_between_halves(function: &str, path: &str) -> Result<(HostProbe, Peer, Value)> {
    let peer = Peer::start()?;
    let probe = HostProbe::start(&["--allow-network", &peer.address.to_string()])?;
    let params = [json!(peer.url(path)), json!(peer.url("/hold-second"))];
    let probe = crash_in_flight(probe, &peer, function, &params, 2)?;
    let name = format!("it:host-probe/host-api.{{{function}}}");
    let (status, answer) =
        probe
            .rest()
            .try_call(&probe.component, "w", &name, &params, Some("key"))?;
    assert_eq!(status, 200, "{answer}");
    let text = answer.pointer("/result/value/0").cloned();
    let result = (probe, peer, text.unwrap_or_default());
    result.0.replay("w")?;
    result.0.call("w", "count", &[])?;
    result.0.is_well("w")?;
    Ok(result)
}

#[test]
fn a_response_goes_on_where_it_was_when_the_server_is_killed() -> Result<()> {
    if needs_go("a_response_goes_on_where_it_was_when_the_server_is_killed") {
        return Ok(());
    }
    let (_, peer, text) = crash_between_halves("http-relay", "/halves")?;
    assert_eq!(text, "first second");
    // Once more for the post that had no answer, and once more for the rest.
    assert_eq!(peer.asked(), 4);
    Ok(())
}

#[test]
fn a_response_that_is_another_one_after_the_kill_is_not_glued_to_the_first() -> Result<()> {
    if needs_go("a_response_that_is_another_one_after_the_kill_is_not_glued_to_the_first") {
        return Ok(());
    }
    let (_, peer, text) = crash_between_halves("http-relay", "/other-halves")?;
    // Number 25 in the WIT: HTTP-response-incomplete.
    assert_eq!(text, "first , then error: 25");
    assert_eq!(peer.asked(), 4);
    Ok(())
}

#[test]
fn with_idempotence_mode_off_half_a_response_is_all_there_is_after_a_kill() -> Result<()> {
    if needs_go("with_idempotence_mode_off_half_a_response_is_all_there_is_after_a_kill") {
        return Ok(());
    }
    let (_, peer, text) = crash_between_halves("http-relay-once", "/halves")?;
    // Number 7 in the WIT: connection-terminated.
    assert_eq!(text, "first , then error: 7");
    assert_eq!(peer.asked(), 3);
    Ok(())
}

/// How long something may take that comes at once: tests share two cores.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_request_without_an_answer_is_sent_again_after_a_crash() -> Result<()> {
    if needs_go("a_request_without_an_answer_is_sent_again_after_a_crash") {
        return Ok(());
    }
    let peer = Peer::start()?;
    let probe = HostProbe::start(&["--allow-network", &peer.address.to_string()])?;
    let params = [json!("POST"), json!(peer.url("/hold")), json!("x")];
    let probe = crash_in_flight(probe, &peer, "http", &params, 1)?;
    assert_eq!(peer.came.recv_timeout(PATIENCE)?, 2);
    let name = "it:host-probe/host-api.{http}";
    let (status, answer) =
        probe
            .rest()
            .try_call(&probe.component, "w", name, &params, Some("key"))?;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer.pointer("/result/value/0"), Some(&json!("202 2:x")));
    probe.replay("w")?;
    assert_eq!(probe.call("w", "count", &[])?, json!(1));
    assert_eq!(peer.asked(), 2);
    probe.is_well("w")
}

#[test]
fn with_idempotence_mode_off_a_request_is_never_sent_twice() -> Result<()> {
    if needs_go("with_idempotence_mode_off_a_request_is_never_sent_twice") {
        return Ok(());
    }
    let peer = Peer::start()?;
    let probe = HostProbe::start(&["--allow-network", &peer.address.to_string()])?;
    let params = [json!(peer.url("/hold"))];
    let probe = crash_in_flight(probe, &peer, "http-once", &params, 1)?;
    let name = "it:host-probe/host-api.{http-once}";
    let (status, answer) =
        probe
            .rest()
            .try_call(&probe.component, "w", name, &params, Some("key"))?;
    assert_eq!(status, 500, "{answer}");
    assert!(answer.to_string().contains("not sent again"), "{answer}");
    assert_eq!(peer.asked(), 1);
    Ok(())
}

#[test]
fn guests_reach_only_what_the_server_allows() -> Result<()> {
    if needs_go("guests_reach_only_what_the_server_allows") {
        return Ok(());
    }
    let peer = Peer::start()?;
    let url = peer.url("/");
    let get = |probe: &HostProbe, url: &str| {
        probe.call("w", "http", &[json!("GET"), json!(url), json!("")])
    };
    let closed = HostProbe::start(&[])?;
    let denied = get(&closed, &url)?;
    assert!(
        denied
            .as_str()
            .is_some_and(|text| text.starts_with("error: ")),
        "{denied}"
    );
    // The refusal is part of the log: it stays when the log is repeated.
    closed.replay("w")?;
    assert_eq!(closed.call("w", "count", &[])?, json!(1));
    closed.is_well("w")?;
    let open = HostProbe::start(&["--allow-network", "*"])?;
    let prohibited = get(&open, &url)?;
    assert!(
        prohibited
            .as_str()
            .is_some_and(|text| text.starts_with("error: ")),
        "{prohibited}"
    );
    assert_ne!(prohibited, denied);
    let by_name = url.replace("127.0.0.1", "localhost");
    assert_eq!(get(&open, &by_name)?, prohibited);
    assert_eq!(peer.asked(), 0);
    Ok(())
}

#[test]
fn a_worker_answers_requests_of_http() -> Result<()> {
    if needs_go("a_worker_answers_requests_of_http") {
        return Ok(());
    }
    let probe = HostProbe::start(&[])?;
    let path = format!("/v1/components/{}/workers/w/http", probe.component);
    let (status, body) = probe.rest().get(&format!("{path}/a/b?c=d"))?;
    assert_eq!((status, body), (201, json!("/a/b?c=d  ")));
    let (status, body) = probe
        .rest()
        .post(&format!("{path}/p"), &json!({"x": 1}), Some("key"))?;
    assert_eq!((status, body), (201, json!("/p  {\"x\":1}")));
    // The same key gets the same answer, and nothing runs.
    let (status, body) = probe
        .rest()
        .post(&format!("{path}/p"), &json!({"x": 1}), Some("key"))?;
    assert_eq!((status, body), (201, json!("/p  {\"x\":1}")));
    assert_eq!(probe.call("w", "count", &[])?, json!(2));
    let (status, body) = probe
        .rest()
        .post(&format!("{path}/q"), &json!({}), Some("key"))?;
    assert_eq!(status, 409, "{body}");
    probe.replay("w")?;
    assert_eq!(probe.call("w", "count", &[])?, json!(2));
    let probe = probe.restart()?;
    let (status, body) = probe
        .rest()
        .post(&format!("{path}/p"), &json!({"x": 1}), Some("key"))?;
    assert_eq!((status, body), (201, json!("/p  {\"x\":1}")));
    assert_eq!(probe.call("w", "count", &[])?, json!(2));
    probe.is_well("w")?;
    let (status, body) = probe.rest().get(&format!("{path}/panic"))?;
    assert!(status >= 400, "{body}");
    assert!(body.to_string().contains("asked to"), "{body}");
    Ok(())
}

#[test]
fn lines_of_logging_do_not_disturb_a_replay() -> Result<()> {
    if needs_go("lines_of_logging_do_not_disturb_a_replay") {
        return Ok(());
    }
    let probe = HostProbe::start(&[])?;
    for round in 0..3 {
        probe.call(
            "w",
            "log",
            &[json!("context"), json!(format!("line {round}"))],
        )?;
        probe.replay("w")?;
    }
    assert_eq!(probe.call("w", "count", &[])?, json!(3));
    probe.is_well("w")
}

/// Steps of a workload that changes everything a guest can change, each once per run.
fn script(case: &str, peer: &Peer) -> Vec<(&'static str, Vec<Value>, Value)> {
    vec![
        (
            "kv-increment",
            vec![json!(case), json!("n"), json!(1)],
            json!({"ok": 1}),
        ),
        (
            "file-write",
            vec![json!("f"), json!("x"), json!(true)],
            json!(""),
        ),
        ("blob-create", vec![json!(case)], Value::Null),
        (
            "blob-write",
            vec![json!(case), json!("o"), json!([1, 2])],
            Value::Null,
        ),
        ("log", vec![json!("c"), json!("line")], Value::Null),
        (
            "kv-increment",
            vec![json!(case), json!("n"), json!(1)],
            json!({"ok": 2}),
        ),
        (
            "http",
            vec![json!("POST"), json!(peer.url("/")), json!("b")],
            Value::Null,
        ),
        (
            "http-relay",
            vec![json!(peer.url("/halves")), json!(peer.url("/"))],
            json!("first second"),
        ),
        (
            "file-write",
            vec![json!("f"), json!("y"), json!(true)],
            json!(""),
        ),
    ]
}

#[test]
fn a_crash_at_any_commit_loses_and_repeats_nothing() -> Result<()> {
    if needs_go("a_crash_at_any_commit_loses_and_repeats_nothing") {
        return Ok(());
    }
    let peer = Peer::start()?;
    let allowed = peer.address.to_string();
    let mut probe = HostProbe::start(&["--allow-network", &allowed])?;
    let run = |probe: &HostProbe, case: &str| -> Result<Vec<Value>> {
        let steps = script(case, &peer);
        let call = |(at, (function, params, _)): (usize, &(&str, Vec<Value>, Value))| {
            let name = format!("it:host-probe/host-api.{{{function}}}");
            let key = format!("step-{at}");
            let rest = probe.rest();
            let (status, body) =
                rest.try_call(&probe.component, case, &name, params, Some(&key))?;
            anyhow::ensure!(
                status == 200,
                "step {at} of {case} answered {status}: {body}"
            );
            let result = body.pointer("/result/value/0").cloned();
            Ok(result.unwrap_or(Value::Null))
        };
        steps.iter().enumerate().map(call).collect()
    };
    let mut commit = 1;
    loop {
        let mut died = false;
        for when in ["before", "after"] {
            let case = format!("{when}-{commit}");
            let point = format!("{when}:{commit}");
            probe.options.extend(["--crash-at".into(), point]);
            probe = probe.restart()?;
            died |= run(&probe, &case).is_err();
            probe.options.truncate(2);
            probe = probe.restart()?;
            let asked = peer.asked();
            let results = run(&probe, &case)?;
            for ((function, _, expected), result) in script(&case, &peer).iter().zip(&results) {
                if *function == "http" {
                    let text = result.as_str().unwrap_or_default();
                    assert!(
                        text.starts_with("202 "),
                        "--crash-at {when}:{commit}: {text}"
                    );
                } else {
                    assert_eq!(result, expected, "--crash-at {when}:{commit}: {function}");
                }
            }
            // One for `http`, two for `http-relay`, and one more for the rest of a body that was read in part.
            let sent = peer.asked();
            assert!(sent <= asked + 4, "--crash-at {when}:{commit}");
            // Answers of finished calls come from the record: asking again sends nothing.
            let again = run(&probe, &case)?;
            assert_eq!(again, results, "--crash-at {when}:{commit}");
            assert_eq!(peer.asked(), sent, "--crash-at {when}:{commit}");
            probe.replay(&case)?;
            // `http-relay` does two requests, which the guest counts.
            let steps = json!(script(&case, &peer).len() + 1);
            assert_eq!(probe.call(&case, "count", &[])?, steps, "{case}");
            assert_eq!(
                probe.call(&case, "file-read", &[json!("f")])?,
                "xy",
                "{case}"
            );
            let objects = probe.call(&case, "blob-list", &[json!(case)])?;
            assert_eq!(objects, json!(["o"]), "{case}");
            probe.is_well(&case)?;
        }
        if !died {
            break;
        }
        commit += 1;
    }
    assert!(commit > 8, "only {commit} commits: the workload has more");
    Ok(())
}
