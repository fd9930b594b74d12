// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / process: the programs that are measured, as processes. In: what to start. Out: [`Program`], which can be
//! killed, started again and asked for its CPU time. Ends its process when dropped. Read next: `rows.rs`.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::http::Connection;

/// Longest wait for a program to answer. Recovery of many workers counts into it.
pub(crate) const READY_MAX: Duration = Duration::from_secs(60);
/// Pause between two questions whether it answers: below what a start is measured in.
pub(crate) const READY_PAUSE: Duration = Duration::from_millis(1);
/// Length of a tick of `/proc/PID/stat` in microseconds. Linux fixes it at 1/100 s for user space.
const TICK_US: f64 = 10_000.0;

/// A program to measure.
#[derive(Debug)]
pub(crate) struct Program {
    name: &'static str,
    binary: PathBuf,
    words: Vec<String>,
    env: Vec<(String, String)>,
    log: PathBuf,
    child: Option<Child>,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Program {
    /// The server of `golem_cli` with its data in `dir`, not started.
    pub(crate) fn server(golem_cli: &Path, dir: &Path) -> anyhow::Result<Self> {
        let port = free_port()?;
        let data = dir.join("data").to_string_lossy().into_owned();
        let words = [
            "server",
            "run",
            "--data-dir",
            &data,
            "--port",
            &port.to_string(),
        ]
        .map(str::to_owned)
        .to_vec();
        Ok(Self::new(
            "golem-cli server",
            golem_cli,
            words,
            dir.join("server.log"),
            port,
        ))
    }

    /// The floor program, which is this program, with its file in `dir`, not started.
    pub(crate) fn floor(dir: &Path) -> anyhow::Result<Self> {
        let port = free_port()?;
        let file = dir.join("floor.log").to_string_lossy().into_owned();
        let words = ["floor", "--port", &port.to_string(), "--file", &file]
            .map(str::to_owned)
            .to_vec();
        Ok(Self::new(
            "floor",
            &std::env::current_exe()?,
            words,
            dir.join("floor.out"),
            port,
        ))
    }

    /// Lets the next start have more options.
    pub(crate) fn with(mut self, options: &[&str]) -> Self {
        self.words
            .extend(options.iter().map(|option| (*option).to_owned()));
        self
    }

    /// Any program that will listen on `port` of 127.0.0.1, not started. What it says goes to the file `log`.
    pub(crate) fn new(
        name: &'static str,
        binary: &Path,
        words: Vec<String>,
        log: PathBuf,
        port: u16,
    ) -> Self {
        Self {
            name,
            binary: binary.to_path_buf(),
            words,
            env: Vec::new(),
            log,
            child: None,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        }
    }

    /// Lets the next start find more in its environment.
    pub(crate) fn with_env(mut self, env: &[(&str, &str)]) -> Self {
        self.env
            .extend(env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        self
    }

    /// Lets the next start run under another program: `valgrind` and its options before the program and its own.
    pub(crate) fn under(mut self, outer: &Path, options: Vec<String>) -> Self {
        let inner = std::mem::replace(&mut self.binary, outer.to_path_buf());
        let words = std::mem::take(&mut self.words);
        self.words = options;
        self.words.push(inner.to_string_lossy().into_owned());
        self.words.extend(words);
        self
    }

    /// Number of the process while it runs.
    pub(crate) fn pid(&self) -> anyhow::Result<u32> {
        Ok(self.child.as_ref().context("it does not run")?.id())
    }

    /// Starts the process and returns the moment before. Does not wait for it to answer.
    pub(crate) fn spawn(&mut self) -> anyhow::Result<Instant> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let start = Instant::now();
        let child = Command::new(&self.binary)
            .args(&self.words)
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("failed to start `{}`", self.binary.display()))?;
        self.child = Some(child);
        Ok(start)
    }

    /// Starts the process and waits until it answers HTTP at all.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        let start = self.spawn()?;
        self.connect(start)
            .await?
            .request("GET", "/healthcheck", "application/json", b"")
            .await?;
        Ok(())
    }

    /// The first connection that is accepted, within [`READY_MAX`] after `start`.
    pub(crate) async fn connect(&mut self, start: Instant) -> anyhow::Result<Connection> {
        loop {
            if let Ok(connection) = Connection::open(self.address).await {
                return Ok(connection);
            }
            if let Some(status) = self
                .child
                .as_mut()
                .and_then(|child| child.try_wait().ok().flatten())
            {
                anyhow::bail!(
                    "{} ended at its start with {status}; see `{}`",
                    self.name,
                    self.log.display()
                );
            }
            anyhow::ensure!(
                start.elapsed() < READY_MAX,
                "{} does not answer; see `{}`",
                self.name,
                self.log.display()
            );
            tokio::time::sleep(READY_PAUSE).await;
        }
    }

    /// Ends the process with SIGKILL and waits for its end.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// CPU time of the process so far, in microseconds; 0 where `/proc` does not tell.
    pub(crate) fn cpu_us(&self) -> f64 {
        let Some(child) = &self.child else { return 0.0 };
        std::fs::read_to_string(format!("/proc/{}/stat", child.id()))
            .ok()
            .and_then(|stat| ticks(&stat))
            .unwrap_or(0.0)
            * TICK_US
    }

    /// CPU time of the threads that run now, in microseconds, to the nanosecond: for times that a tick is too long for.
    pub(crate) fn fine_cpu_us(&self) -> anyhow::Result<f64> {
        let mut nanoseconds = 0.0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.pid()?))? {
            // A thread may end in between.
            let text = std::fs::read_to_string(thread?.path().join("schedstat"));
            let on_cpu = text.ok().and_then(|text| {
                let first = text.split_ascii_whitespace().next()?;
                first.parse::<f64>().ok()
            });
            nanoseconds += on_cpu.unwrap_or(0.0);
        }
        Ok(nanoseconds / 1000.0)
    }

    /// Memory of the process that no file stands behind, in bytes: what it would not get back by itself.
    pub(crate) fn private_bytes(&self) -> anyhow::Result<f64> {
        self.proc_bytes("RssAnon:")
    }

    /// All memory that the process has, in bytes.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<f64> {
        self.proc_bytes("VmRSS:")
    }

    fn proc_bytes(&self, field: &str) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()?))?;
        let line = status.lines().find(|line| line.starts_with(field));
        let kib = line.and_then(|line| line.split_ascii_whitespace().nth(1));
        Ok(kib.context("the system does not tell")?.parse::<f64>()? * 1024.0)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Nothing to do about a process that does not end.
        let _ = self.kill();
    }
}

/// `utime + stime` of a line of `/proc/PID/stat`. The name of the program stands in brackets and may hold spaces.
fn ticks(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    Some(fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?)
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_behind_the_name() {
        assert_eq!(
            ticks("77 (a ) b) S 1 77 77 0 -1 4194304 1 2 3 4 50 25 0 0 20 0 1 0"),
            Some(75.0)
        );
        assert_eq!(ticks("nonsense"), None);
    }
}
