// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / load: closed-loop load. In: a server, connections, how to make a request of a key. Out: a [`Sample`].
//! One outstanding request a connection; a reply that is not 2xx is an error and no sample. Read next: `rows.rs`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::http::Connection;

/// Significant digits of a latency: an error of at most 0.1 %.
const DIGITS: u8 = 3;
/// Errors of one connection after which it stops: a server that refuses everything is not worth a whole round.
const ERRORS_MAX: u64 = 20;

/// Times a round is run when nothing is answered in it.
const TRIES: u32 = 3;

/// Makes the path of a request out of a key.
pub(crate) type PathOf = Arc<dyn Fn(u64) -> String + Send + Sync>;

/// What is asked, how, for how long.
#[derive(Clone)]
pub(crate) struct Load {
    /// Where the server listens.
    pub(crate) address: SocketAddr,
    /// Number of connections.
    pub(crate) connections: u64,
    /// Keys are drawn uniformly from `0..keys`.
    pub(crate) keys: u64,
    /// Path of the request for a key.
    pub(crate) path: PathOf,
    /// Body of each request, JSON.
    pub(crate) body: String,
    /// Time before counting starts.
    pub(crate) warmup: Duration,
    /// Time of counting.
    pub(crate) length: Duration,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Sample {
    /// Latencies of the counted replies in nanoseconds.
    pub(crate) latency_ns: Histogram<u64>,
    /// Requests that failed or were not answered with 2xx.
    pub(crate) errors: u64,
    /// The first error, for the reader.
    pub(crate) first_error: Option<String>,
    /// Time of counting, in seconds.
    pub(crate) seconds: f64,
    /// CPU time that the server used while counting, in microseconds; 0 where the system does not tell.
    pub(crate) cpu_us: f64,
}

impl Sample {
    /// Counted replies.
    pub(crate) fn replies(&self) -> u64 {
        self.latency_ns.len()
    }

    /// Latency at quantile `q` (0..=1), in microseconds.
    pub(crate) fn quantile_us(&self, q: f64) -> f64 {
        self.latency_ns.value_at_quantile(q) as f64 / 1000.0
    }

    /// Replies a second.
    pub(crate) fn rate(&self) -> f64 {
        self.replies() as f64 / self.seconds
    }
}

/// Runs `load`; `cpu_us` tells the CPU time of the server so far. A round in which nothing was answered because the machine
/// was busy elsewhere is run again, [`TRIES`] times in all. Fails if then nothing was answered, or at once if all that was
/// answered were errors.
pub(crate) async fn run(load: &Load, cpu_us: impl Fn() -> f64) -> anyhow::Result<Sample> {
    let mut sample = round(load, &cpu_us).await?;
    for _ in 1..TRIES {
        if sample.replies() > 0 || sample.errors > 0 {
            break;
        }
        sample = round(load, &cpu_us).await?;
    }
    anyhow::ensure!(
        sample.replies() > 0,
        "no request to `{}` was answered with 2xx: {}",
        (load.path)(0),
        sample
            .first_error
            .as_deref()
            .unwrap_or("no reply within the round")
    );
    Ok(sample)
}

async fn round(load: &Load, cpu_us: impl Fn() -> f64) -> anyhow::Result<Sample> {
    let from = Instant::now() + load.warmup;
    let until = from + load.length;
    let mut tasks = JoinSet::new();
    for number in 0..load.connections {
        tasks.spawn(connection(load.clone(), number, from, until));
    }
    tokio::time::sleep_until(from.into()).await;
    let cpu_before = cpu_us();
    tokio::time::sleep_until(until.into()).await;
    let cpu_us = cpu_us() - cpu_before;
    let mut sample = Sample {
        latency_ns: Histogram::new(DIGITS)?,
        errors: 0,
        first_error: None,
        seconds: load.length.as_secs_f64(),
        cpu_us,
    };
    while let Some(part) = tasks.join_next().await {
        let part = part??;
        sample.latency_ns.add(&part.latency_ns)?;
        sample.errors += part.errors;
        sample.first_error = sample.first_error.or(part.first_error);
    }
    Ok(sample)
}

async fn connection(
    load: Load,
    number: u64,
    from: Instant,
    until: Instant,
) -> anyhow::Result<Sample> {
    let mut sample = Sample {
        latency_ns: Histogram::new(DIGITS)?,
        errors: 0,
        first_error: None,
        seconds: 0.0,
        cpu_us: 0.0,
    };
    let mut random = Random::new(number);
    let mut open: Option<Connection> = None;
    while sample.errors < ERRORS_MAX {
        let path = (load.path)(random.below(load.keys));
        let start = Instant::now();
        if start >= until {
            break;
        }
        let answer = async {
            let mut connection = match open.take() {
                Some(connection) => connection,
                None => Connection::open(load.address)
                    .await
                    .context("failed to connect")?,
            };
            let message = connection
                .request("POST", &path, "application/json", load.body.as_bytes())
                .await?;
            open = Some(connection);
            let status = message.status();
            let text = String::from_utf8_lossy(&message.body);
            anyhow::ensure!((200..300).contains(&status), "status {status}: {text}");
            Ok(())
        }
        .await;
        match answer {
            Err(error) => {
                sample.errors += 1;
                sample
                    .first_error
                    .get_or_insert_with(|| format!("{error:#}"));
            }
            Ok(()) => {
                let end = Instant::now();
                if start >= from && end <= until {
                    sample
                        .latency_ns
                        .record(u64::try_from((end - start).as_nanos())?)?;
                }
            }
        }
    }
    Ok(sample)
}

/// Sends one request for each key of `0..count`, in order, over `connections` opened before. Returns all latencies; the first
/// request that fails ends the run with its error.
pub(crate) async fn each_once(
    address: SocketAddr,
    connections: u64,
    count: u64,
    path: PathOf,
    body: &str,
) -> anyhow::Result<Sample> {
    let mut opened = Vec::new();
    for _ in 0..connections.min(count) {
        opened.push(Connection::open(address).await?);
    }
    let next = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for mut connection in opened {
        let (next, path, body) = (Arc::clone(&next), Arc::clone(&path), body.to_owned());
        tasks.spawn(async move {
            let mut latency_ns = Histogram::<u64>::new(DIGITS)?;
            loop {
                let key = next.fetch_add(1, Ordering::Relaxed);
                if key >= count {
                    return anyhow::Ok(latency_ns);
                }
                let (path, start) = (path(key), Instant::now());
                let message = connection
                    .request("POST", &path, "application/json", body.as_bytes())
                    .await?;
                latency_ns.record(u64::try_from(start.elapsed().as_nanos())?)?;
                let status = message.status();
                let text = String::from_utf8_lossy(&message.body);
                anyhow::ensure!(
                    (200..300).contains(&status),
                    "`{path}` was answered with {status}: {text}"
                );
            }
        });
    }
    let mut latency_ns = Histogram::new(DIGITS)?;
    while let Some(part) = tasks.join_next().await {
        latency_ns.add(part??)?;
    }
    Ok(Sample {
        latency_ns,
        errors: 0,
        first_error: None,
        seconds: start.elapsed().as_secs_f64(),
        cpu_us: 0.0,
    })
}

/// Xorshift: fast, and the same keys in each run.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The sequence number `number`.
    pub(crate) fn new(number: u64) -> Self {
        // An odd multiplier spreads small numbers over all bits; xorshift must not start at 0.
        Self((number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number in `0..bound`; 0 if `bound` is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.checked_rem(bound).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_below_the_bound_and_reach_all_of_it() {
        let mut random = Random::new(0);
        let mut seen = [false; 10];
        for _ in 0..1000 {
            seen[usize::try_from(random.below(10)).unwrap()] = true;
        }
        assert_eq!(seen, [true; 10]);
        assert_eq!(random.below(0), 0);
    }
}
