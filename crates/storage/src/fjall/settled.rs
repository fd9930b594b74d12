// SPDX-License-Identifier: Apache-2.0
//! THE SHELVES / settled: how much of the journals the tables have, so that an open does not read that again. In: the database's
//! directory. Out: a note while it runs; shorter journals at the next open. Never loses what is not in a table. Bound: a note
//! after each [`SETTLE_BYTES`] of journal. Read next: `journal.rs`. Why: docs/adr/0009-journals-are-cut-at-open.md.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fjall::{AbstractTree, Keyspace};
use parking_lot::{Condvar, Mutex};
use xxhash_rust::xxh3::xxh3_64;

use crate::files::{TEMPORARY, sync_dir, write_durably};
use crate::fjall::journal::{self, Journal};

/// Bytes of journal after which everything in memory is written to tables: what an open reads back at most, beside what came
/// while the tables were written. About what the log's own keyspace collects until it writes a table anyway.
const SETTLE_BYTES: u64 = if cfg!(test) { 256 << 10 } else { 8 << 20 };
/// A store that was left alone for this long writes what it has in memory, so that an idle server opens at once.
const QUIET: Duration = Duration::from_secs(2);
/// Less than this is read back faster than it is written.
const QUIET_BYTES: u64 = 64 << 10;
/// Fewer bytes at the beginning of a journal are not worth writing the rest of it anew.
const CUT_BYTES: u64 = if cfg!(test) { 1 } else { 1 << 20 };
/// Pause between two looks at tables that are being written.
const LOOK: Duration = Duration::from_millis(2);
/// Read at once from a journal.
const CHUNK: usize = 1 << 20;
/// The file of the note, beside the journals: whoever removes them removes it.
const NOTE_FILE: &str = "settled";

/// A place in the journals: tables have everything before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Place {
    /// The journal's number.
    journal: u64,
    /// Number of its first batch, which tells it from one that has taken its name.
    first: u64,
    /// Bytes of it.
    bytes: u64,
}

impl Place {
    fn to_text(self) -> String {
        let Self {
            journal,
            first,
            bytes,
        } = self;
        let line = format!("{journal} {first} {bytes}");
        format!("{line} {:016x}\n", xxh3_64(line.as_bytes()))
    }

    fn parse(text: &str) -> Option<Self> {
        let (line, sum) = text.strip_suffix('\n')?.rsplit_once(' ')?;
        if sum != format!("{:016x}", xxh3_64(line.as_bytes())) {
            return None;
        }
        let mut numbers = line.split(' ').map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Self {
            journal: next()?,
            first: next()?,
            bytes: next()?,
        })
    }
}

/// Removes from the journals of a database that is not open what its tables have. A note that does not fit is forgotten, and
/// then all of the journals is read. Errors: those of the files.
pub(crate) fn cut(database: &Path) -> io::Result<()> {
    remove_unfinished(database)?;
    let note = database.join(NOTE_FILE);
    let text = match fs::read_to_string(&note) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => String::new(),
        Err(error) => return Err(error),
    };
    // Before anything else changes: a note must never meet a journal that was cut by it.
    fs::remove_file(&note)?;
    sync_dir(database)?;
    let Some(place) = Place::parse(&text) else {
        return Ok(());
    };
    let journals = journal::list(database)?;
    let Some(Journal { path, .. }) = journals.iter().find(|j| j.number == place.journal) else {
        return Ok(());
    };
    let mut file = File::open(path)?;
    if place.bytes < CUT_BYTES
        || first_batch(&mut file)? != Some(place.first)
        || !ends_batch(&mut file, place.bytes)?
    {
        return Ok(());
    }
    let rest = journal::read_written(file)?;
    // Whether it is whole is looked at later; here only that it begins where a batch may begin.
    if !rest.is_empty() && !journal::may_begin_batch(&rest) {
        return Ok(());
    }
    write_durably(path, &rest)?;
    for older in journals.iter().filter(|j| j.number < place.journal) {
        fs::remove_file(&older.path)?;
    }
    sync_dir(database)
}

/// Removes files that a crash left unfinished here.
fn remove_unfinished(database: &Path) -> io::Result<()> {
    for entry in fs::read_dir(database)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(TEMPORARY) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Number of the first batch of a journal; `None` when there is none.
fn first_batch(file: &mut File) -> io::Result<Option<u64>> {
    let mut head = [0; journal::BATCH_HEAD];
    file.seek(SeekFrom::Start(0))?;
    match file.read_exact(&mut head) {
        Ok(()) => Ok(journal::batch_number(&head)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a batch of a journal ends at byte `at`. Leaves the file there.
fn ends_batch(file: &mut File, at: u64) -> io::Result<bool> {
    let mut end = [0; journal::TRAILER.len()];
    file.seek(SeekFrom::Start(at.saturating_sub(end.len() as u64)))?;
    match file.read_exact(&mut end) {
        Ok(()) => Ok(end == *journal::TRAILER),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes what is in memory to tables now and then, and notes how far the journals are of no more use. Dropped before the
/// database is.
pub(crate) struct Settler {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Bytes committed since the last note.
    written: u64,
    /// Somebody waits for a note.
    asked: bool,
    ended: bool,
}

impl Settler {
    /// Watches over `spaces` of the database in `database`. Errors: there is no thread to be had.
    pub(crate) fn start(database: PathBuf, spaces: Vec<Keyspace>) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let watched = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("golem-settler".into())
            .spawn(move || {
                let mut place = Place::default();
                while let Some(written) = watched.next() {
                    match settle(&watched, &database, &spaces, &mut place) {
                        Ok(()) => watched.done(written),
                        Err(error) => {
                            // Nothing is lost: the journals stay as they are. A store that cannot write says so itself.
                            tracing::warn!(%error, "the next start will read all of the journals");
                            watched.end();
                        }
                    }
                }
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// So many bytes were committed.
    pub(crate) fn wrote(&self, bytes: u64) {
        let mut state = self.shared.state.lock();
        let before = state.written;
        state.written += bytes;
        // It sleeps for ever below the first of these, and for a while below the second.
        if [QUIET_BYTES, SETTLE_BYTES]
            .iter()
            .any(|bound| before < *bound && state.written >= *bound)
        {
            self.shared.changed.notify_all();
        }
    }

    /// Returns when everything committed so far is in tables, or cannot be brought there.
    pub(crate) fn settle_now(&self) {
        let mut state = self.shared.state.lock();
        // Twice: the note that is being made may have begun before the last commit.
        for _ in 0..2 {
            state.asked = state.written > 0;
            self.shared.changed.notify_all();
            while state.asked && !state.ended {
                self.shared.changed.wait(&mut state);
            }
        }
    }
}

impl Drop for Settler {
    fn drop(&mut self) {
        self.shared.end();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that settles journals panicked");
        }
    }
}

impl Shared {
    /// Waits until there is something to do; returns the bytes written so far. `None`: no more.
    fn next(&self) -> Option<u64> {
        let mut state = self.state.lock();
        loop {
            if state.ended {
                return None;
            }
            if state.asked || state.written >= SETTLE_BYTES {
                return Some(state.written);
            }
            if state.written < QUIET_BYTES {
                self.changed.wait(&mut state);
                continue;
            }
            let before = state.written;
            let quiet = self.changed.wait_for(&mut state, QUIET).timed_out();
            if quiet && state.written == before && !state.ended {
                return Some(before);
            }
        }
    }

    /// What was written before a look is in tables.
    fn done(&self, written: u64) {
        let mut state = self.state.lock();
        state.written = state.written.saturating_sub(written);
        state.asked = false;
        self.changed.notify_all();
    }

    fn end(&self) {
        self.state.lock().ended = true;
        self.changed.notify_all();
    }

    fn has_ended(&self) -> bool {
        self.state.lock().ended
    }
}

/// One note.
fn settle(
    shared: &Shared,
    database: &Path,
    spaces: &[Keyspace],
    place: &mut Place,
) -> io::Result<()> {
    advance(database, place)?;
    let mut wanted = Vec::new();
    for space in spaces {
        let active = space.tree.active_memtable();
        let waiting = space.tree.get_highest_memtable_seqno();
        // Takes the journal's lock: what the journal had above is in this table of memory or in an older one by then.
        space
            .rotate_memtable()
            .map_err(|error| io::Error::other(format!("{error:?}")))?;
        wanted.push(waiting.max(active.get_highest_seqno()));
    }
    for (space, wanted) in spaces.iter().zip(wanted) {
        // The library's own condition for the removal of a journal. The newest number in tables can also fall, when a merge
        // drops what was removed: then there is nothing left in memory.
        while wanted > space.tree.get_highest_persisted_seqno()
            && space.tree.sealed_memtable_count() > 0
        {
            if shared.has_ended() {
                return Ok(());
            }
            std::thread::sleep(LOOK);
        }
    }
    write_durably(&database.join(NOTE_FILE), place.to_text().as_bytes())
}

/// Moves `place` to the end of the newest journal's whole batches.
fn advance(database: &Path, place: &mut Place) -> io::Result<()> {
    let Some(newest) = journal::list(database)?.pop() else {
        return Err(io::Error::other("the journal is missing"));
    };
    let mut file = File::open(&newest.path)?;
    let Some(first) = first_batch(&mut file)? else {
        *place = Place {
            journal: newest.number,
            ..Place::default()
        };
        return Ok(());
    };
    if (place.journal, place.first) != (newest.number, first) {
        *place = Place {
            journal: newest.number,
            first,
            bytes: 0,
        };
    }
    file.seek(SeekFrom::Start(place.bytes))?;
    let (mut bytes, mut at, mut chunk) = (Vec::new(), 0, vec![0; CHUNK]);
    loop {
        let n = file.read(&mut chunk)?;
        bytes.extend_from_slice(chunk.get(..n).unwrap_or_default());
        let (whole, goes_on) = journal::whole_batches(bytes.get(at..).unwrap_or_default());
        at += whole;
        // What does not end is longer than what was read so far, or is being written right now.
        if n == 0 || !goes_on {
            place.bytes += at as u64;
            return Ok(());
        }
        bytes.drain(..at);
        place.bytes += at as u64;
        at = 0;
    }
}
