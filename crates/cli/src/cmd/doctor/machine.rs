// SPDX-License-Identifier: Apache-2.0
//! THE DESK / doctor machine: what the system gives to a server: room, a disk that keeps its word in time, open files. In a
//! directory, out checks. Writes one small file and takes it away. Read next: `../doctor.rs`.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{Check, State};

/// Room below which a server soon stops: it writes logs, images and compiled code.
const ROOM_BYTES_MIN: u64 = 1 << 30;
/// A commit waits for one sync, so this is about what each answer takes at least.
const SYNC_MAX: Duration = Duration::from_millis(50);
/// Syncs that are measured; the middle one counts.
const SYNCS: usize = 9;
/// Bytes of each: a few entries of a log.
const SYNC_BYTES: usize = 4096;
/// Open files below which a server has no room for connections beside its store.
const OPEN_FILES_MIN: u64 = 1024;

pub(super) fn checks(dir: &Path) -> Vec<Check> {
    vec![room(dir), sync(dir), open_files()]
}

fn room(dir: &Path) -> Check {
    // The portable form: one line, in blocks of 1 KiB; the fourth word is what is free.
    let free = output(Command::new("df").arg("-Pk").arg(dir)).and_then(|text| {
        let line = text.lines().nth(1)?;
        line.split_whitespace().nth(3)?.parse::<u64>().ok()
    });
    let Some(free) = free.map(|kib| kib.saturating_mul(1024)) else {
        return Check::new("disk room", State::Skipped, "`df` does not say");
    };
    let found = format!("{:.1} GB free here", free as f64 / 1e9);
    if free >= ROOM_BYTES_MIN {
        Check::ok("disk room", found)
    } else {
        Check::new("disk room", State::Warning, found).hint(
            "make room, or give the server another directory: golem-cli server run --data-dir DIR",
        )
    }
}

fn sync(dir: &Path) -> Check {
    let path = dir.join(format!(".golem-doctor-{}", std::process::id()));
    let measured = measure(&path);
    // It is gone already when it could not be made.
    let _ = fs::remove_file(&path);
    match measured {
        Err(error) => Check::new(
            "disk sync",
            State::Skipped,
            format!("cannot write here: {error}"),
        ),
        Ok(middle) => {
            let found = format!(
                "{:.2} ms for a write that lasts",
                middle.as_secs_f64() * 1e3
            );
            if middle <= SYNC_MAX {
                Check::ok("disk sync", found)
            } else {
                Check::new("disk sync", State::Warning, found)
                    .hint("every answer waits for one: put --data-dir on a local SSD")
            }
        }
    }
}

fn measure(path: &Path) -> std::io::Result<Duration> {
    let mut file = File::create_new(path)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let start = Instant::now();
        file.write_all(&[0; SYNC_BYTES])?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    times.sort();
    Ok(times.get(SYNCS / 2).copied().unwrap_or_default())
}

fn open_files() -> Check {
    let text = output(Command::new("sh").args(["-c", "ulimit -n"]));
    let Some(text) = text else {
        return Check::new("open files", State::Skipped, "the shell does not say");
    };
    let text = text.trim();
    match text.parse::<u64>() {
        Ok(limit) if limit < OPEN_FILES_MIN => {
            Check::new("open files", State::Warning, format!("at most {limit}"))
                .hint("raise the limit in the shell that starts the server: ulimit -n 65536")
        }
        _ => Check::ok("open files", format!("at most {text}")),
    }
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
