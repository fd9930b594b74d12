// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / dev: `golem-cli dev` from an edit to the answer of a running worker: with its own server, through broken code, with a
//! history that does not fit, to Ctrl-C. In: the template `minimal`. Read next: crates/cli/src/cmd/dev.rs.

use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use golem_testkit::{golem_cli, run, run_failing};
use tempfile::TempDir;

use crate::support::needs_go;

/// Longest wait for a line; far above what anything takes, because tests share two cores.
const LINE_TIMEOUT: Duration = Duration::from_secs(120);

/// A project with `dev` running in it.
struct Dev {
    child: Child,
    lines: Receiver<String>,
    project: PathBuf,
    url: String,
    _home: TempDir,
}

impl Dev {
    /// Makes a project and starts `dev` where no server is.
    fn start() -> Result<Self> {
        let home = tempfile::tempdir()?;
        run(home.path(), &["new", "hello", "--lang", "go"])?;
        let project = home.path().join("hello");
        // A port that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0")?
            .local_addr()?
            .port();
        let url = format!("http://127.0.0.1:{port}");
        let (child, lines) = spawn(&project, &url, &["dev", "--offline"])?;
        let dev = Self {
            child,
            lines,
            project,
            url,
            _home: home,
        };
        dev.until("dev: running a server at")?;
        dev.until("ready")?;
        Ok(dev)
    }

    /// Waits for a line with `text` on either stream and returns it.
    fn until(&self, text: &str) -> Result<String> {
        let deadline = Instant::now() + LINE_TIMEOUT;
        let mut seen = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(text) => return Ok(line),
                Ok(line) => seen.push(line),
                Err(_) => bail!("dev did not say `{text}` but:\n{}", seen.join("\n")),
            }
        }
    }

    fn edit(&self, file: &str, from: &str, to: &str) -> Result<()> {
        let path = self.project.join(file);
        let text = std::fs::read_to_string(&path)?;
        assert!(text.contains(from), "`{from}` is not in {file}: {text}");
        std::fs::write(path, text.replace(from, to))?;
        Ok(())
    }

    fn invoke(&self, words: &[&str]) -> Result<String> {
        let all = [&["--url", &self.url, "--format", "json", "invoke"], words].concat();
        let answer: serde_json::Value = serde_json::from_str(&run(&self.project, &all)?)?;
        Ok(answer["value"][0].to_string())
    }

    fn cli(&self, words: &[&str]) -> Result<String> {
        run(
            &self.project,
            &[&["--url", self.url.as_str()], words].concat(),
        )
    }

    fn spawn(&self, words: &[&str]) -> Result<(Child, Receiver<String>)> {
        spawn(&self.project, &self.url, words)
    }

    /// Presses Ctrl-C and waits for the end.
    fn end(mut self) -> Result<()> {
        let interrupted = Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status()?;
        assert!(interrupted.success());
        self.until("dev: ended")?;
        let status = self.child.wait()?;
        assert!(status.success(), "{status}");
        Ok(())
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(project: &Path, url: &str, words: &[&str]) -> Result<(Child, Receiver<String>)> {
    let mut child = Command::new(golem_cli()?)
        .args(["--url", url])
        .args(words)
        .current_dir(project)
        .env("NO_COLOR", "1")
        .env("GOLEM_CONFIG_DIR", project.join(".config"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (send, lines) = channel();
    let out = child.stdout.take().context("no standard output")?;
    let err = child.stderr.take().context("no standard error")?;
    for stream in [
        Box::new(out) as Box<dyn Read + Send>,
        Box::new(err) as Box<dyn Read + Send>,
    ] {
        let send = send.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                eprintln!("{line}");
                if send.send(line).is_err() {
                    break;
                }
            }
        });
    }
    Ok((child, lines))
}

#[test]
fn an_edit_reaches_a_running_worker_and_what_it_writes_is_seen() -> Result<()> {
    if needs_go("an_edit_reaches_a_running_worker_and_what_it_writes_is_seen") {
        return Ok(());
    }
    let dev = Dev::start()?;
    assert_eq!(dev.invoke(&["add", "3"])?, "3");
    dev.until("main | added 3")?;
    assert!(dev.cli(&["logs"])?.ends_with("] added 3\n"));
    let (mut listener, heard) = dev.spawn(&["worker", "connect", "-c", "hello", "-w", "main"])?;
    let line = heard.recv_timeout(LINE_TIMEOUT)?;
    assert!(
        line.starts_with('[') && line.ends_with("] added 3"),
        "{line}"
    );
    listener.kill()?;
    listener.wait()?;
    assert!(dev.cli(&["doctor"])?.contains("ok    server version"));
    let words = [
        "--url", &dev.url, "worker", "get", "-c", "hello", "-w", "mian",
    ];
    let (code, told) = run_failing(&dev.project, &words)?;
    assert!(code == 1 && told.contains("did you mean `main`?"), "{told}");

    // New code that repeats the history: the worker keeps its state.
    dev.edit(
        "main.go",
        "return c.total, nil\n}\n\nfunc init",
        "return c.total * 100, nil\n}\n\nfunc init",
    )?;
    let ready = dev.until("after the save")?;
    assert!(ready.contains("hello updated, version 1"), "{ready}");
    assert_eq!(dev.invoke(&["get"])?, "300");

    // Broken code is told in Go's words, and the old code goes on.
    dev.edit("main.go", "c.total * 100", "c.totl * 100")?;
    dev.until("c.totl undefined")?;
    dev.until("waiting for the next change")?;
    assert_eq!(dev.invoke(&["get"])?, "300");
    dev.edit("main.go", "c.totl * 100", "c.total * 100 + 7")?;
    dev.until("hello updated, version 2")?;
    // `get` is part of the history now, and it answers otherwise: this worker stays, a new one has the new code.
    assert_eq!(dev.invoke(&["get"])?, "300");
    assert_eq!(dev.invoke(&["--worker-name", "other", "get"])?, "7");

    // A change of the interface goes through the bindings.
    dev.edit(
        "wit/hello.wit",
        "get: func",
        "twice: func() -> u64;\n  get: func",
    )?;
    dev.until("does not implement")?;
    dev.edit("main.go", "func init", "func (c *counter) Twice(_ context.Context) (uint64, error) {\n\treturn 2 * c.total, nil\n}\n\nfunc init")?;
    dev.until("hello updated, version 3")?;
    assert_eq!(dev.invoke(&["--worker-name", "third", "twice"])?, "0");
    dev.end()
}

#[test]
fn a_worker_that_cannot_follow_is_told_and_begins_anew_when_that_is_wanted() -> Result<()> {
    if needs_go("a_worker_that_cannot_follow_is_told_and_begins_anew_when_that_is_wanted") {
        return Ok(());
    }
    let mut dev = Dev::start()?;
    assert_eq!(dev.invoke(&["add", "3"])?, "3");
    dev.edit("main.go", "c.total += value", "c.total += 2 * value")?;
    let told = dev.until("stays on version 0")?;
    assert!(told.contains("worker `main`"), "{told}");
    dev.until("golem-cli dev --reset")?;
    dev.until("ready")?;
    assert_eq!(dev.invoke(&["add", "1"])?, "4");
    assert_eq!(dev.invoke(&["--worker-name", "new", "add", "1"])?, "2");

    let (mut listener, heard) = dev.spawn(&["worker", "connect", "-c", "hello", "-w", "new"])?;
    let line = heard.recv_timeout(LINE_TIMEOUT)?;
    assert!(line.ends_with("] added 1"), "{line}");

    // The data of the project lasts from one dev to the next, so the worker is there and still cannot follow.
    let status = Command::new("kill")
        .args(["-TERM", &dev.child.id().to_string()])
        .status()?;
    assert!(status.success());
    dev.until("dev: ended")?;
    dev.child.wait()?;
    (dev.child, dev.lines) = dev.spawn(&["dev", "--offline", "--reset"])?;
    dev.until("worker `main` of hello begins anew with version 1")?;
    let ready = dev.until("ready")?;
    assert!(ready.contains("hello unchanged, version 1"), "{ready}");
    assert_eq!(dev.invoke(&["add", "1"])?, "2");
    dev.until("main | added 1")?;
    assert_eq!(dev.invoke(&["--worker-name", "new", "add", "5"])?, "12");
    // A listener survives that its server was away, and hears nothing twice.
    let line = heard.recv_timeout(LINE_TIMEOUT)?;
    assert!(line.ends_with("] added 5"), "{line}");
    listener.kill()?;
    listener.wait()?;
    dev.end()
}
