// SPDX-License-Identifier: Apache-2.0
//! THE DESK / output progress: one line that moves while something takes its time. In a text, out that line on standard error, at a
//! terminal only. Never stays: other output takes its place. Read next: `../output.rs`.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long something takes before it is worth a line.
const AFTER: Duration = Duration::from_millis(300);
/// How often the line moves.
const STEP: Duration = Duration::from_millis(120);
/// What moves.
const FRAMES: &[&str] = &["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// Whether the line is on the terminal. Written only while standard error is locked.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// Takes the line away, if it is there.
pub(super) fn clear(err: &mut impl Write) {
    if SHOWN.swap(false, Ordering::Relaxed) {
        let _ = err.write_all(b"\r\x1b[K");
    }
}

/// A line of progress, until it is dropped.
pub(crate) struct Progress {
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    pub(super) fn start(wanted: bool, text: &str) -> Self {
        if !wanted {
            return Self { running: None };
        }
        let (stop, stopped) = channel();
        let text = text.to_owned();
        let thread = std::thread::Builder::new()
            .name("golem-progress".to_owned())
            .spawn(move || {
                let start = Instant::now();
                let mut wait = AFTER;
                for frame in FRAMES.iter().cycle() {
                    if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                        break;
                    }
                    wait = STEP;
                    let mut err = std::io::stderr().lock();
                    let _ = write!(
                        err,
                        "\r{frame} {text} ({} s)\x1b[K",
                        start.elapsed().as_secs()
                    );
                    let _ = err.flush();
                    SHOWN.store(true, Ordering::Relaxed);
                }
            });
        Self {
            // Without a thread there is no line, and nothing else is missing.
            running: thread.ok().map(|thread| (stop, thread)),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            let _ = thread.join();
            clear(&mut std::io::stderr().lock());
        }
    }
}
