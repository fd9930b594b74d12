// SPDX-License-Identifier: Apache-2.0
//! THE GYM / server: the real server as a child process that can be killed and started again on the same data.
//! In: a data directory. Out: its address. Bound: [`READY_TIMEOUT`]. Read next: `rest.rs`.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::{Preload, Rest, golem_cli};

/// How long a server may take to say that it is ready, and to end. Far above what it needs, because tests share two cores.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// How long compiled code of tests is kept.
const CODE_LASTS: Duration = Duration::from_secs(24 * 3600);

/// A running server. Killed when dropped.
pub struct Server {
    child: Child,
    url: String,
}

impl Server {
    /// Starts a server on `data_dir` and a free port, and waits until it takes requests.
    pub fn start(data_dir: &Path) -> Result<Self> {
        Self::start_with(data_dir, &[])
    }

    /// The same with more options of `server run`, such as a fault to inject.
    pub fn start_with(data_dir: &Path, options: &[&str]) -> Result<Self> {
        let server = Self::ready(command(data_dir, options)?)?
            .map_err(|ended| anyhow::anyhow!("the server ended at once: {ended}"))?;
        share_code(data_dir)?;
        Ok(server)
    }

    /// The same under faults of disk and clock; `record`: with the journal of what it does to its files. The inner error
    /// is how it ended when it ended before it was ready.
    pub fn start_under(
        preload: &Preload,
        record: bool,
        data_dir: &Path,
        options: &[&str],
    ) -> Result<Result<Self, ExitStatus>> {
        let mut command = command(data_dir, options)?;
        preload.apply(&mut command, record)?;
        Self::ready(command)
    }

    fn ready(mut command: Command) -> Result<Result<Self, ExitStatus>> {
        let mut child = command.spawn().context("cannot start the server")?;
        let stdout = child.stdout.take().context("the server has no output")?;
        match ready_line(stdout) {
            Ok(Some(url)) => Ok(Ok(Self { child, url })),
            Ok(None) => Ok(Err(child.wait()?)),
            Err(error) => {
                drop(child.kill());
                drop(child.wait());
                Err(error)
            }
        }
    }

    /// Its address, such as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A client of it.
    #[must_use]
    pub fn rest(&self) -> Rest {
        Rest::new(&self.url)
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits until it ends by itself, because a fault was injected.
    pub fn wait(mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }

    /// Asks it to stop with SIGTERM and waits until it has.
    pub fn stop(mut self) -> Result<ExitStatus> {
        let status = Command::new("kill")
            .arg("-TERM")
            .arg(self.child.id().to_string())
            .status()?;
        if !status.success() {
            bail!("cannot signal the server");
        }
        Ok(self.child.wait()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Lets a server on a new directory find the code that other tests have compiled, and keep its own where they find it: most of them
/// upload the same guests.
fn share_code(data_dir: &Path) -> Result<()> {
    let code = data_dir.join("code");
    // A directory with something in it stays, and so does a link.
    if fs::remove_dir(&code).is_ok() {
        let shared = shared_code().context("no directory for compiled code")?;
        std::os::unix::fs::symlink(shared, code)?;
    }
    Ok(())
}

/// Where tests keep compiled code, beside the program that they test. What is there for longer than [`CODE_LASTS`] is of guests that have
/// changed since.
fn shared_code() -> Result<PathBuf> {
    let program = golem_cli()?;
    let folder = program.parent().context("golem-cli is in no folder")?;
    let shared = folder.join("test-code");
    fs::create_dir_all(&shared)?;
    for file in fs::read_dir(&shared)? {
        let file = file?;
        let age = file.metadata().and_then(|found| found.modified());
        // Another test may have been faster.
        if age.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > CODE_LASTS)) {
            let _ = fs::remove_file(file.path());
        }
    }
    Ok(shared)
}

fn command(data_dir: &Path, options: &[&str]) -> Result<Command> {
    let mut command = Command::new(golem_cli()?);
    command
        .args(["server", "run", "--port", "0", "--data-dir"])
        .arg(data_dir);
    command.args(options);
    command.env(
        "RUST_LOG",
        std::env::var("GOLEM_TEST_LOG").unwrap_or_else(|_| "error".into()),
    );
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    Ok(command)
}

/// Reads the line with the address, then keeps the pipe open and empty so that the server never blocks on it. `None` when the
/// server ends without one.
fn ready_line(stdout: ChildStdout) -> Result<Option<String>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        let mut line = String::new();
        let read = reader.read_line(&mut line);
        drop(sender.send(read.map(|_| line)));
        let mut rest = [0; 4096];
        while reader.read(&mut rest).is_ok_and(|read| read > 0) {}
    });
    let line = receiver
        .recv_timeout(READY_TIMEOUT)
        .context("the server did not say that it is ready")??;
    if line.is_empty() {
        return Ok(None);
    }
    let at = line
        .find("http")
        .with_context(|| format!("the server said {line:?} instead of its address"))?;
    let url = line
        .get(at..)
        .unwrap_or_default()
        .split_whitespace()
        .next()
        .unwrap_or_default();
    Ok(Some(url.trim_end_matches('/').to_owned()))
}
