// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / memory: a server keeps to the memory it is given and answers right all the same; a worker that is only known costs
//! next to nothing. Judged by ratios of what the kernel counts, never by absolute figures. Source: runtime spec §2.6.

use std::ops::Range;

use anyhow::{Context, Result, ensure};
use golem_testkit::{Rest, Server};
use serde_json::{Value, json};

use crate::support::{name, needs_go, probe};

/// Workers with an instance each: several times what fits.
const WORKERS: u64 = 160;
/// Bytes of memory for them, beside what the server has without any: room for some forty Go guests.
const ROOM: u64 = 48 << 20;
/// What the server may have above its bound, as a part of the room: instances that come between two measurements.
const OVER: u64 = 2;
/// Workers that a server knows at first, and later.
const FEW: u64 = 2_000;
const MANY: u64 = 12_000;
/// What one more known worker may cost. Source: reliability spec F19.
const KNOWN_BYTES: u64 = 1 << 10;
/// Clients at once, so that they share commits.
const CLIENTS: usize = 16;
/// Memories of a component, and workers of it that would have more maps than Linux gives a process, if all stayed: two for each
/// memory at least.
const MEMORIES: usize = 20;
const WIDE: u64 = 2_000;
/// A component that has nothing: its workers can be made, and do nothing.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

/// A number in kB of `/proc/PID/status`, in bytes.
fn proc_bytes(server: &Server, field: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()))?;
    let line = status.lines().find(|line| line.starts_with(field));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(number.context("no such field")?.parse::<u64>()? << 10)
}

/// Workers of a component that have an instance in memory.
fn in_memory(rest: &Rest, component: &str) -> Result<u64> {
    let mut count = 0;
    for at in 0..WORKERS {
        let (_, view) = rest.get(&format!("/v1/components/{component}/workers/w{at}"))?;
        let bytes = view["totalLinearMemorySize"].as_u64();
        count += u64::from(bytes.context("no size in the view")? > 0);
    }
    Ok(count)
}

#[test]
fn a_server_keeps_to_its_memory_and_every_worker_answers() -> Result<()> {
    if needs_go("a_server_keeps_to_its_memory_and_every_worker_answers") {
        return Ok(());
    }
    let data = tempfile::tempdir()?;
    let server = Server::start(data.path())?;
    let component = server.rest().create_component("probe", &probe()?.wasm)?;
    // What compiling needed does not count: the next one finds the code.
    server.stop()?;
    let add = |rest: &Rest, worker: u64, n: u64| {
        rest.call(&component, &format!("w{worker}"), &name("add"), &[json!(n)])
    };
    let server = Server::start(data.path())?;
    add(&server.rest(), 0, 0)?;
    let base = proc_bytes(&server, "RssAnon:")?;
    server.stop()?;
    let limit = base + ROOM;
    let server = Server::start_with(data.path(), &["--memory-max", &limit.to_string()])?;
    let rest = server.rest();
    let mut most = 0;
    for round in 1..=2 {
        for worker in 0..WORKERS {
            assert_eq!(add(&rest, worker, worker)?, json!(worker * round));
            most = most.max(proc_bytes(&server, "RssAnon:")?);
        }
    }
    let resident = in_memory(&rest, &component)?;
    println!(
        "{WORKERS} workers in {} MiB over {} MiB: {} MiB at most, {resident} instances at the end",
        ROOM >> 20,
        base >> 20,
        most >> 20
    );
    ensure!(most <= limit + ROOM / OVER, "{most} bytes of {limit}");
    ensure!(resident > 0, "none stays");
    ensure!(resident < WORKERS, "none had to go");
    Ok(())
}

/// Asks for each of `numbers`, by many clients at once.
fn each(
    server: &Server,
    numbers: Range<u64>,
    ask: impl Fn(&Rest, u64) -> Result<()> + Sync,
) -> Result<()> {
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (rest, ask, numbers) = (server.rest(), &ask, numbers.clone());
                scope.spawn(move || {
                    let mut own = numbers.skip(client).step_by(CLIENTS);
                    own.try_for_each(|at| ask(&rest, at))
                })
            })
            .collect();
        for client in clients {
            client.join().ok().context("a client ended")??;
        }
        Ok(())
    })
}

/// Creates workers `numbers`.
fn create(server: &Server, component: &str, numbers: Range<u64>) -> Result<()> {
    each(server, numbers, |rest, at| {
        let body = json!({ "name": format!("known-{at}"), "args": [], "env": {} });
        let path = format!("/v1/components/{component}/workers");
        let (status, body) = rest.post(&path, &body, None)?;
        ensure!(status == 200, "{status}: {body}");
        Ok(())
    })
}

#[test]
fn workers_with_many_memories_stay_below_the_maps_that_the_kernel_gives() -> Result<()> {
    let memories = "(memory 1)".repeat(MEMORIES);
    let wasm = format!(
        r#"(component
            (core module $m {memories} (func (export "run") (result i32) i32.const 7))
            (core instance $i (instantiate $m))
            (func (export "run") (result u32) (canon lift (core func $i "run"))))"#
    );
    let data = tempfile::tempdir()?;
    let server = Server::start(data.path())?;
    let component = server
        .rest()
        .create_component("wide", &wat::parse_str(wasm)?)?;
    each(&server, 0..WIDE, |rest, at| {
        let answer = rest.call(&component, &format!("w{at}"), "run", &[])?;
        ensure!(answer == json!(7), "w{at}: {answer}");
        Ok(())
    })?;
    let taken = std::fs::read_to_string(format!("/proc/{}/maps", server.pid()))?;
    let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count")?;
    let (taken, limit) = (taken.lines().count(), limit.trim().parse::<usize>()?);
    println!("{WIDE} workers of {MEMORIES} memories: {taken} maps of {limit}");
    ensure!(taken < limit, "{taken} maps of {limit}");
    Ok(())
}

#[test]
fn a_worker_that_is_only_known_costs_next_to_nothing() -> Result<()> {
    let data = tempfile::tempdir()?;
    let server = Server::start(data.path())?;
    let component = server.rest().create_component("empty", EMPTY)?;
    create(&server, &component, 0..FEW)?;
    let few = proc_bytes(&server, "RssAnon:")?;
    create(&server, &component, FEW..MANY)?;
    let many = proc_bytes(&server, "RssAnon:")?;
    let each = many.saturating_sub(few) / (MANY - FEW);
    println!(
        "{each} bytes for each known worker, {} MiB in all",
        many >> 20
    );
    ensure!(each <= KNOWN_BYTES, "{each} bytes for each known worker");
    let restarted = {
        server.kill()?;
        Server::start(data.path())?
    };
    let again = proc_bytes(&restarted, "RssAnon:")?;
    println!("{} MiB after a start", again >> 20);
    ensure!(again <= many, "{again} bytes after a start, {many} before");
    let (status, view) = restarted.rest().get(&format!(
        "/v1/components/{component}/workers/known-{}",
        MANY - 1
    ))?;
    assert_eq!((status, &view["status"]), (200, &Value::from("Idle")));
    Ok(())
}
