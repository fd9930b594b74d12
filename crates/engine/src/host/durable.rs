// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / durable: what makes a host call durable. Live: do it and record it. Replay: read it back and compare.
//! In: a call with its input. Out: its answer. Never touches WASI. Read next: `calls.rs`, `../oplog/reader.rs`.
//! Why: architecture D7, D10.

use golem_model::oplog::{CallEnd, CallStart, Event, FailureKind, Read};
use golem_model::{OplogIndex, Value};
use golem_storage::StoreError;
use sha2::{Digest, Sha256};

use super::calls::{Call, by_number};
use crate::oplog::{Payloads, Reader, Seen, SharedWriter};

/// Why the run of a guest ends here: carried through wasmtime as the cause of its error.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Halt {
    /// The guest did something else than the log says.
    #[error(
        "replay diverged at oplog index {index}: the log has {expected}, the guest did {found}"
    )]
    Divergence {
        /// Where in the log.
        index: OplogIndex,
        /// What the log has.
        expected: String,
        /// What the guest did.
        found: String,
    },
    /// A call would wait for ever.
    #[error("deadlock: {}", .0.join(" → "))]
    Deadlock(Vec<String>),
    /// A call to another worker failed and the interface has no place for an error.
    #[error("{0}")]
    CalleeFailed(String),
    /// The guest passed something that cannot be right.
    #[error("{0}")]
    InvalidRequest(String),
    /// The log cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Halt {
    /// The kind of failure that is recorded.
    pub(crate) fn kind(&self) -> FailureKind {
        match self {
            Self::Divergence { .. } => FailureKind::Divergence,
            Self::Deadlock(_) => FailureKind::Deadlock,
            Self::CalleeFailed(_) => FailureKind::CalleeFailed,
            Self::InvalidRequest(_) => FailureKind::InvalidRequest,
            Self::Store(_) => FailureKind::Unknown,
        }
    }
}

/// The start of a remote write.
pub(crate) enum Start {
    /// The effect has to happen.
    Perform {
        /// Index of the start entry.
        start: OplogIndex,
        /// The log ended between start and end: it may have happened before.
        again: bool,
    },
    /// It happened, and this was its outcome.
    Done(Value),
}

/// The log as the guest's run meets it.
pub(crate) struct Journal {
    replay: Option<Reader>,
    writer: Option<SharedWriter>,
    payloads: Payloads,
    /// What the reader had seen when the log ended.
    seen: Seen,
    /// Lines that the guest has logged in this instance.
    lines: u64,
    /// Entries that were read or written by this instance.
    steps: u64,
    /// Entries that this instance has written.
    recorded: u64,
}

impl Journal {
    /// A journal that first repeats what `reader` has, then records with `writer`.
    pub(crate) fn replaying(reader: Reader, writer: SharedWriter, payloads: Payloads) -> Self {
        Self {
            replay: Some(reader),
            writer: Some(writer),
            payloads,
            seen: Seen::default(),
            lines: 0,
            steps: 0,
            recorded: 0,
        }
    }

    /// A journal that records with `writer` from the first step on: the worker has just been created.
    pub(crate) fn live(writer: SharedWriter, payloads: Payloads) -> Self {
        Self {
            writer: Some(writer),
            ..Self::off(payloads)
        }
    }

    /// A journal that keeps nothing: for ephemeral workers.
    pub(crate) fn off(payloads: Payloads) -> Self {
        Self {
            replay: None,
            writer: None,
            payloads,
            seen: Seen::default(),
            lines: 0,
            steps: 0,
            recorded: 0,
        }
    }

    /// The next entry that the run must meet; `None` when it is live.
    pub(crate) fn peek(&mut self) -> Result<Option<&(OplogIndex, Event)>, StoreError> {
        // Asked twice because a borrow that is returned cannot be ended early on the other branch.
        if let Some(reader) = &mut self.replay
            && reader.peek()?.is_none()
            && let Some(reader) = self.replay.take()
        {
            self.seen = reader.seen;
        }
        match &mut self.replay {
            Some(reader) => reader.peek(),
            None => Ok(None),
        }
    }

    /// Takes the next entry that the run must meet.
    pub(crate) fn next(&mut self) -> Result<Option<(OplogIndex, Event)>, StoreError> {
        if self.peek()?.is_none() {
            return Ok(None);
        }
        self.steps += 1;
        match &mut self.replay {
            Some(reader) => reader.next(),
            None => Ok(None),
        }
    }

    /// What the log said beside the steps; complete once [`Journal::peek`] is `None`.
    pub(crate) fn seen(&mut self) -> &mut Seen {
        match &mut self.replay {
            Some(reader) => &mut reader.seen,
            None => &mut self.seen,
        }
    }

    /// Entries that this instance has written: equal before and after a retry that met nothing new.
    pub(crate) fn recorded(&self) -> u64 {
        self.recorded
    }

    /// Whether a line that the guest logs now is new. Replay repeats lines; those that the log has stay silent.
    pub(crate) fn line_is_new(&mut self) -> Result<bool, StoreError> {
        self.lines += 1;
        Ok(self.peek()?.is_none() && self.lines > self.seen.lines)
    }

    /// Appends an entry that is not an answer to the guest. Nothing happens for an ephemeral worker.
    pub(crate) fn append(&mut self, event: Event) -> OplogIndex {
        match &self.writer {
            Some(writer) => {
                self.recorded += 1;
                self.steps += 1;
                writer.lock().append(event)
            }
            None => OplogIndex(0),
        }
    }

    /// The recorded answer of a call that reads, or `None`: do it now and [`Journal::record`] it.
    pub(crate) fn replayed(&mut self, call: Call, input: u64) -> Result<Option<Value>, Halt> {
        match self.next()? {
            None => Ok(None),
            Some((_, Event::Read(read))) if read.call == call.number && read.input == input => {
                Ok(Some(decode(&read.output)?))
            }
            Some((index, event)) => Err(divergence(index, &event, call, input)),
        }
    }

    /// Records the answer of a call that reads. It is not waited for: it rides along with what comes next.
    pub(crate) fn record(&mut self, call: Call, input: u64, output: &Value) {
        if self.writer.is_some() {
            self.append(Event::Read(Read {
                call: call.number,
                input,
                output: output.to_bytes(),
            }));
        }
    }

    /// Begins a remote write that the guest waits for: its start entry is written, or found with its outcome.
    pub(crate) fn start(
        &mut self,
        call: Call,
        input: u64,
        subject: &str,
        number: u64,
    ) -> Result<Start, Halt> {
        let Some(index) = self.started(call, input, subject, number)? else {
            let start = self.append(start_event(call, input, subject, number));
            return Ok(Start::Perform {
                start,
                again: false,
            });
        };
        match self.peek()? {
            Some((_, Event::CallEnd(end))) if end.start == index.0 => {}
            None => {
                return Ok(Start::Perform {
                    start: index,
                    again: true,
                });
            }
            Some((at, event)) => return Err(divergence(*at, event, call, input)),
        }
        match self.next()? {
            Some((_, Event::CallEnd(end))) => Ok(Start::Done(decode(
                &self.payloads.load(end.output, end.output_blob)?,
            )?)),
            _ => Ok(Start::Perform {
                start: index,
                again: true,
            }),
        }
    }

    /// Ends a remote write that was [`Start::Perform`]ed.
    pub(crate) fn end(&mut self, start: OplogIndex, output: &Value) -> Result<(), Halt> {
        if self.writer.is_some() {
            let (output, output_blob) = self.payloads.store(output.to_bytes())?;
            self.append(Event::CallEnd(CallEnd {
                start: start.0,
                output,
                output_blob,
            }));
        }
        Ok(())
    }

    /// Begins a remote write that nobody waits for. Returns the index of its start entry, and whether it was replayed.
    pub(crate) fn send(
        &mut self,
        call: Call,
        input: u64,
        subject: &str,
        number: u64,
    ) -> Result<(OplogIndex, bool), Halt> {
        Ok(match self.started(call, input, subject, number)? {
            Some(index) => (index, true),
            None => (
                self.append(start_event(call, input, subject, number)),
                false,
            ),
        })
    }

    /// The start entry in the log, or `None` when the run is live.
    fn started(
        &mut self,
        call: Call,
        input: u64,
        subject: &str,
        number: u64,
    ) -> Result<Option<OplogIndex>, Halt> {
        match self.next()? {
            None => Ok(None),
            Some((index, Event::CallStart(start)))
                if start.call == call.number && start.input == input && start.number == number =>
            {
                Ok(Some(index))
            }
            Some((index, Event::CallStart(start))) if start.call == call.number => {
                Err(Halt::Divergence {
                    index,
                    expected: format!("call {} `{}` to {}", start.number, call.name, start.subject),
                    found: format!(
                        "call {number} `{}` to {subject} with other arguments",
                        call.name
                    ),
                })
            }
            Some((index, event)) => Err(divergence(index, &event, call, input)),
        }
    }
}

fn start_event(call: Call, input: u64, subject: &str, number: u64) -> Event {
    Event::CallStart(CallStart {
        call: call.number,
        input,
        subject: subject.to_owned(),
        number,
    })
}

fn decode(bytes: &[u8]) -> Result<Value, Halt> {
    Value::from_bytes(bytes).map_err(|error| {
        StoreError::Corrupt {
            what: "a recorded answer".into(),
            detail: error.to_string(),
        }
        .into()
    })
}

/// First 8 bytes of the SHA-256 of a call's input: enough to find a divergence, small enough for every entry.
pub(crate) fn input_hash(parts: &[&[u8]]) -> u64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize()
        .first_chunk::<8>()
        .map_or(0, |first| u64::from_le_bytes(*first))
}

fn divergence(index: OplogIndex, event: &Event, call: Call, input: u64) -> Halt {
    let expected = describe(event);
    let found = if expected == format!("`{}`", call.name) {
        format!("`{}` with other arguments (hash {input:016x})", call.name)
    } else {
        format!("`{}`", call.name)
    };
    Halt::Divergence {
        index,
        expected,
        found,
    }
}

/// What an entry is, for a report of divergence.
pub(crate) fn describe(event: &Event) -> String {
    let name = |number| by_number(number).map_or("an unknown call", |call| call.name);
    match event {
        Event::Read(read) => format!("`{}`", name(read.call)),
        Event::CallStart(start) => format!("`{}` to {}", name(start.call), start.subject),
        Event::CallEnd(_) => "the end of a call".into(),
        Event::Completed(_) => "the end of the invocation".into(),
        Event::Started(_) => "the start of an invocation".into(),
        other => format!("{other:?}")
            .chars()
            .take_while(|c| *c != '(')
            .collect(),
    }
}
