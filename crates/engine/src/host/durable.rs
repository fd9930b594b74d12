// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / durable: what makes a host call durable. Live: do it and record it. Replay: read it back and compare.
//! In: a call with its input. Out: its answer. Never touches WASI. Read next: `calls.rs`, `../oplog/reader.rs`.
//! Why: architecture D7, D10.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use golem_model::limit::Limit;
use golem_model::oplog::{
    CallEnd, CallStart, Event, FailureKind, PromiseCreated, REQUEST_BYTES_MAX, Read,
};
use golem_model::{OplogIndex, Value};
use golem_storage::{Op, Seq, StoreError};
use sha2::{Digest, Sha256};

use super::calls::{Call, by_number};
use crate::activate::OnLive;
use crate::limits::{Allowance, Exceeded};
use crate::oplog::{Payloads, Reader, Seen, SharedWriter};
use crate::redact::Redactor;

/// Why the run of a guest ends here: carried through wasmtime as the cause of its error.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Halt {
    /// The guest did something else than the log says.
    #[error(transparent)]
    Divergence(Box<Divergence>),
    /// A call would wait for ever.
    #[error("deadlock: {}", .0.join(" → "))]
    Deadlock(Vec<String>),
    /// A call to another worker failed and the interface has no place for an error.
    #[error("{0}")]
    CalleeFailed(String),
    /// The guest passed something that cannot be right.
    #[error("{0}")]
    InvalidRequest(String),
    /// The guest has used more than it may.
    #[error(transparent)]
    Limit(Box<Exceeded>),
    /// The log cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The guest has set its oplog index: the worker starts again from there. Not a failure.
    #[error("the guest went back in its oplog")]
    Restart,
    /// A rehearsal has come to the end of what is recorded. Not a failure.
    #[error("the recorded history ends here")]
    End,
}

impl From<Exceeded> for Halt {
    fn from(exceeded: Exceeded) -> Self {
        Self::Limit(Box::new(exceeded))
    }
}

/// The first difference between what a guest did and what its log says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "replay diverged in {invocation}, at its host call {call}, oplog index {index}: the log has {expected}, the guest did {found}"
)]
pub(crate) struct Divergence {
    /// The invocation: its function and its key.
    pub(crate) invocation: String,
    /// Number of the recorded host call within the invocation, from 1.
    pub(crate) call: u64,
    /// Where in the log.
    pub(crate) index: OplogIndex,
    /// What the log has.
    pub(crate) expected: String,
    /// What the guest did.
    pub(crate) found: String,
}

impl Halt {
    /// The kind of failure that is recorded.
    pub(crate) fn kind(&self) -> FailureKind {
        match self {
            Self::Divergence(_) => FailureKind::Divergence,
            Self::Deadlock(_) => FailureKind::Deadlock,
            Self::CalleeFailed(_) => FailureKind::CalleeFailed,
            Self::InvalidRequest(_) => FailureKind::InvalidRequest,
            Self::Limit(_) => FailureKind::LimitExceeded,
            Self::Store(_) | Self::Restart | Self::End => FailureKind::Unknown,
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

/// What the journal does where the log ends.
enum AtEnd {
    /// It goes on recording.
    Record(SharedWriter),
    /// It goes on without recording: an ephemeral worker.
    Run,
    /// It stops: a rehearsal.
    Stop,
    /// It refuses: a start-up for all workers, of which none has a log.
    Refuse,
}

/// The log as the guest's run meets it.
pub(crate) struct Journal {
    replay: Option<Reader>,
    at_end: AtEnd,
    payloads: Payloads,
    /// What the reader had seen when the log ended.
    seen: Seen,
    /// Written where the log ends, before anything else is: an update that has succeeded by then.
    on_live: Option<OnLive>,
    /// Lines that the guest has logged in this instance, those before a checkpoint included.
    lines: u64,
    /// Entries that this instance has written.
    recorded: u64,
    /// The invocation that runs, for reports.
    invocation: String,
    /// Recorded host calls of the invocation that runs.
    calls: u64,
    /// How much the worker may use; nothing is bounded before it is bound.
    allowance: Option<Allowance>,
    /// Takes values of secrets out of what is recorded.
    redactor: Arc<Redactor>,
}

impl Journal {
    fn new(replay: Option<Reader>, at_end: AtEnd, payloads: Payloads) -> Self {
        let lines = replay.as_ref().map_or(0, |reader| reader.seen.lines);
        Self {
            replay,
            at_end,
            payloads,
            seen: Seen::default(),
            on_live: None,
            lines,
            recorded: 0,
            invocation: "the start of the component".into(),
            calls: 0,
            allowance: None,
            redactor: Arc::default(),
        }
    }

    /// Binds the journal to what the worker may use, and to its secrets.
    pub(crate) fn bind(&mut self, allowance: Allowance, redactor: Arc<Redactor>) {
        self.allowance = Some(allowance);
        self.redactor = redactor;
    }

    /// Refuses to go on when the log is too large. Errors: `Limit`.
    pub(crate) fn check_size(&self) -> Result<(), Exceeded> {
        match (&self.allowance, self.writer()) {
            (Some(allowance), Some(writer)) => allowance.check(Limit::Oplog, writer.lock().bytes()),
            _ => Ok(()),
        }
    }

    /// A journal that first repeats what `reader` has, then records with `writer`. `on_live` is written between the two.
    pub(crate) fn replaying(
        reader: Reader,
        writer: SharedWriter,
        payloads: Payloads,
        on_live: Option<OnLive>,
    ) -> Self {
        Self {
            on_live,
            ..Self::new(Some(reader), AtEnd::Record(writer), payloads)
        }
    }

    /// A journal that records with `writer` from the first step on: the worker has just been created.
    pub(crate) fn live(writer: SharedWriter, payloads: Payloads) -> Self {
        Self::new(None, AtEnd::Record(writer), payloads)
    }

    /// A journal that keeps nothing: for ephemeral workers.
    pub(crate) fn off(payloads: Payloads) -> Self {
        Self::new(None, AtEnd::Run, payloads)
    }

    /// A journal that repeats what `reader` has and stops there with [`Halt::End`]: nothing is done and nothing recorded.
    pub(crate) fn rehearsing(reader: Reader, payloads: Payloads) -> Self {
        Self::new(Some(reader), AtEnd::Stop, payloads)
    }

    /// A journal that keeps nothing and has no answer: for the start-up of all workers. Whatever would be recorded ends it with
    /// [`Halt::InvalidRequest`].
    pub(crate) fn starting(payloads: Payloads) -> Self {
        Self::new(None, AtEnd::Refuse, payloads)
    }

    /// An invocation begins.
    pub(crate) fn begin(&mut self, function: &str, key: &str) {
        self.invocation = format!("`{function}` with the key `{key}`");
        self.calls = 0;
    }

    /// Continues the log, if there is one.
    pub(crate) fn writer(&self) -> Option<&SharedWriter> {
        match &self.at_end {
            AtEnd::Record(writer) => Some(writer),
            AtEnd::Run | AtEnd::Stop | AtEnd::Refuse => None,
        }
    }

    /// Large values.
    pub(crate) fn payloads(&self) -> &Payloads {
        &self.payloads
    }

    /// The next entry that the run must meet; `None` when the log has ended.
    pub(crate) fn peek(&mut self) -> Result<Option<&(OplogIndex, Event)>, StoreError> {
        // Asked twice because a borrow that is returned cannot be ended early on the other branch.
        if let Some(reader) = &mut self.replay
            && reader.peek()?.is_none()
            && let Some(reader) = self.replay.take()
        {
            self.seen = reader.seen;
            if let (AtEnd::Record(writer), Some(live)) = (&self.at_end, self.on_live.take()) {
                writer.lock().append_with(live.event, live.also);
                live.done.store(true, Ordering::Relaxed);
            }
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
        self.calls += 1;
        match &mut self.replay {
            Some(reader) => reader.next(),
            None => Ok(None),
        }
    }

    /// Takes the next entry, as the guest's next step, which is `what`. `None`: the step is new. Stops a rehearsal with [`Halt::End`].
    fn step(&mut self, what: &str) -> Result<Option<(OplogIndex, Event)>, Halt> {
        let next = self.next()?;
        if next.is_none() {
            self.calls += 1;
            if let AtEnd::Stop = self.at_end {
                return Err(Halt::End);
            }
            self.refuses(what)?;
            if let Some(allowance) = &self.allowance {
                allowance.check(Limit::HostCalls, self.calls)?;
            }
            self.check_size()?;
        }
        Ok(next)
    }

    /// What the log said beside the steps; complete once [`Journal::peek`] is `None`.
    pub(crate) fn seen(&mut self) -> &mut Seen {
        match &mut self.replay {
            Some(reader) => &mut reader.seen,
            None => &mut self.seen,
        }
    }

    /// The jump that made the last region that the run has passed, 0 when there is none.
    pub(crate) fn salt(&mut self) -> Result<u64, StoreError> {
        self.peek()?;
        Ok(self.seen().salt)
    }

    /// Entries that this instance has written: equal before and after a retry that met nothing new.
    pub(crate) fn recorded(&self) -> u64 {
        self.recorded
    }

    /// Lines that the guest has logged.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// Whether a line that the guest logs now is new. Replay repeats lines; those that the log has stay silent.
    pub(crate) fn line_is_new(&mut self) -> Result<bool, StoreError> {
        self.lines += 1;
        Ok(self.peek()?.is_none() && self.lines > self.seen.lines)
    }

    /// Appends an entry that is not an answer to the guest. Nothing happens for an ephemeral worker.
    pub(crate) fn append(&mut self, event: Event) -> OplogIndex {
        self.append_with(event, Vec::new())
    }

    /// Appends an entry together with other operations, all of them or none; index 0 for an ephemeral worker, whose
    /// operations cannot be written together with an entry.
    pub(crate) fn append_with(&mut self, event: Event, also: Vec<Op>) -> OplogIndex {
        match &self.at_end {
            AtEnd::Record(writer) => {
                self.recorded += 1;
                writer.lock().append_with(event, also)
            }
            AtEnd::Run | AtEnd::Stop | AtEnd::Refuse => OplogIndex(0),
        }
    }

    /// A step of the guest whose entry says all there is: repeated if the log has it, else `event` is appended with `also`.
    /// Returns its index and whether it is new. `what` is for reports.
    pub(crate) fn mark(
        &mut self,
        what: &str,
        event: Event,
        also: impl FnOnce(OplogIndex) -> Vec<Op>,
    ) -> Result<(OplogIndex, bool), Halt> {
        match self.step(what)? {
            None => {
                let next = match self.writer() {
                    Some(writer) => writer.lock().tail().next(),
                    None => OplogIndex(0),
                };
                Ok((self.append_with(event, also(next)), true))
            }
            Some((index, found)) if found == event => Ok((index, false)),
            Some((index, found)) => Err(self.diverged(index, describe(&found), what.to_owned())),
        }
    }

    /// A new promise: repeated if the log has one, else `created` is appended with `also`. Returns its index and who created it.
    pub(crate) fn promise(
        &mut self,
        created: PromiseCreated,
        also: impl FnOnce(OplogIndex) -> Vec<Op>,
    ) -> Result<(OplogIndex, PromiseCreated), Halt> {
        match self.step("a new promise")? {
            None => {
                let Some(writer) = self.writer() else {
                    return Err(Halt::InvalidRequest(
                        "an ephemeral worker has no promises".into(),
                    ));
                };
                let next = writer.lock().tail().next();
                let event = Event::PromiseCreated(created.clone());
                Ok((self.append_with(event, also(next)), created))
            }
            Some((index, Event::PromiseCreated(found))) => Ok((index, found)),
            Some((index, found)) => {
                Err(self.diverged(index, describe(&found), "a new promise".into()))
            }
        }
    }

    /// The recorded answer of a call that reads, or `None`: do it now and [`Journal::record`] it.
    pub(crate) fn replayed(&mut self, call: Call, input: u64) -> Result<Option<Value>, Halt> {
        match self.step(call.name)? {
            None => Ok(None),
            Some((_, Event::Read(read))) if read.call == call.number && read.input == input => {
                let output = self.payloads.load(read.output, read.output_blob)?;
                Ok(Some(decode(&output)?))
            }
            Some((index, event)) => Err(self.other_call(index, &event, call, input)),
        }
    }

    /// Records the answer of a call that reads. It is not waited for: it rides along with what comes next.
    pub(crate) fn record(&mut self, call: Call, input: u64, output: &Value) -> Result<(), Halt> {
        self.record_with(call, input, output, Vec::new())
    }

    /// Records the answer of a call together with what it changed: all of it or none. A large answer goes to a blob first.
    pub(crate) fn record_with(
        &mut self,
        call: Call,
        input: u64,
        output: &Value,
        also: Vec<Op>,
    ) -> Result<(), Halt> {
        if self.records() {
            let stored = self.payloads.store(output.to_bytes())?;
            let read = Read {
                call: call.number,
                input,
                output: stored.inline,
                output_blob: stored.blob,
                blob_bytes: stored.blob_bytes,
            };
            self.append_with(Event::Read(read), also);
        }
        Ok(())
    }

    /// Stops a rehearsal whose guest wants to do something new, and the start-up of all workers.
    pub(crate) fn stops(&self) -> Result<(), Halt> {
        match self.at_end {
            AtEnd::Stop => Err(Halt::End),
            AtEnd::Refuse => self.refuses("something outside of the worker"),
            AtEnd::Record(_) | AtEnd::Run => Ok(()),
        }
    }

    /// Stops the start-up of all workers at something that is not the same for each of them.
    pub(crate) fn refuses(&self, what: &str) -> Result<(), Halt> {
        match self.at_end {
            AtEnd::Refuse => Err(Halt::InvalidRequest(format!("it asks for {what}"))),
            AtEnd::Record(_) | AtEnd::Run | AtEnd::Stop => Ok(()),
        }
    }

    /// Whether anything is kept: not for ephemeral workers.
    pub(crate) fn records(&self) -> bool {
        self.writer().is_some()
    }

    /// Place in the commit stream of the last thing written: what has to be durable before an effect leaves the node.
    pub(crate) fn last(&self) -> Option<Seq> {
        self.writer().map(|writer| writer.lock().last())
    }

    /// Begins a remote write that the guest waits for: its start entry is written, or found with its outcome.
    pub(crate) fn start(&mut self, call: Call, about: &Subject<'_>) -> Result<Start, Halt> {
        let clean = self.clean(about);
        let about = &clean.subject();
        let Some(index) = self.started(call, about)? else {
            let start = self.append(about.event(call));
            return Ok(Start::Perform {
                start,
                again: false,
            });
        };
        match self.peek()? {
            Some((_, Event::CallEnd(end))) if end.start == index.0 => {}
            None => {
                if let AtEnd::Stop = self.at_end {
                    return Err(Halt::End);
                }
                return Ok(Start::Perform {
                    start: index,
                    again: true,
                });
            }
            Some((at, event)) => {
                let (at, found) = (*at, describe(event));
                return Err(self.diverged(at, found, format!("the end of `{}`", call.name)));
            }
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

    /// Ends a remote write that was [`Start::Perform`]ed, together with what else changes then: all of it or none.
    pub(crate) fn end(
        &mut self,
        start: OplogIndex,
        output: &Value,
        also: Vec<Op>,
    ) -> Result<(), Halt> {
        if self.writer().is_some() {
            let stored = self.payloads.store(output.to_bytes())?;
            let end = CallEnd {
                start: start.0,
                output: stored.inline,
                output_blob: stored.blob,
                blob_bytes: stored.blob_bytes,
            };
            self.append_with(Event::CallEnd(end), also);
        }
        Ok(())
    }

    /// Begins a remote write that nobody waits for. Returns the index of its start entry, and whether it was replayed.
    pub(crate) fn send(
        &mut self,
        call: Call,
        about: &Subject<'_>,
    ) -> Result<(OplogIndex, bool), Halt> {
        let clean = self.clean(about);
        let about = &clean.subject();
        Ok(match self.started(call, about)? {
            Some(index) => (index, true),
            None => (self.append(about.event(call)), false),
        })
    }

    /// What a remote write is about, without values of secrets: neither they nor a hash of them get into the log, so that a
    /// history with another version of a secret is the same history.
    fn clean<'a>(&self, about: &Subject<'a>) -> Clean<'a> {
        let subject = self.redactor.text(about.subject);
        let request = if self.redactor.finds(about.request) {
            Cow::Owned(self.redactor.encoded(about.request))
        } else {
            Cow::Borrowed(about.request)
        };
        let changed = matches!(subject, Cow::Owned(_)) || matches!(request, Cow::Owned(_));
        Clean {
            hash: if changed {
                input_hash(&[subject.as_bytes(), &request])
            } else {
                about.hash
            },
            subject,
            number: about.number,
            request,
        }
    }

    /// The start entry in the log, or `None` when the run is live.
    fn started(&mut self, call: Call, about: &Subject<'_>) -> Result<Option<OplogIndex>, Halt> {
        match self.step(call.name)? {
            None => Ok(None),
            Some((index, Event::CallStart(start)))
                if start.call == call.number
                    && start.input == about.hash
                    && start.number == about.number =>
            {
                Ok(Some(index))
            }
            Some((index, Event::CallStart(start))) if start.call == call.number => {
                let expected = spoken(call, start.number, &start.subject, &start.request);
                let found = spoken(call, about.number, about.subject, about.request);
                Err(self.diverged(index, expected, found))
            }
            Some((index, event)) => Err(self.other_call(index, &event, call, about.hash)),
        }
    }

    fn other_call(&self, index: OplogIndex, event: &Event, call: Call, input: u64) -> Halt {
        let expected = describe(event);
        let found = if expected == format!("`{}`", call.name) {
            format!("`{}` with other arguments (hash {input:016x})", call.name)
        } else {
            format!("`{}`", call.name)
        };
        self.diverged(index, expected, found)
    }

    /// The report of a difference at `index`.
    pub(crate) fn diverged(&self, index: OplogIndex, expected: String, found: String) -> Halt {
        Halt::Divergence(Box::new(Divergence {
            invocation: self.invocation.clone(),
            call: self.calls,
            index,
            expected,
            found,
        }))
    }
}

/// What a remote write is about.
pub(crate) struct Subject<'a> {
    /// Hash of its input.
    pub(crate) hash: u64,
    /// What a person wants to see: target and function, method and URL.
    pub(crate) subject: &'a str,
    /// Number of the call within its invocation, from 1.
    pub(crate) number: u64,
    /// Its encoded input.
    pub(crate) request: &'a [u8],
}

/// A [`Subject`] without values of secrets.
struct Clean<'a> {
    hash: u64,
    subject: Cow<'a, str>,
    number: u64,
    request: Cow<'a, [u8]>,
}

impl Clean<'_> {
    fn subject(&self) -> Subject<'_> {
        Subject {
            hash: self.hash,
            subject: &self.subject,
            number: self.number,
            request: &self.request,
        }
    }
}

impl Subject<'_> {
    fn event(&self, call: Call) -> Event {
        let short = self.request.len() <= REQUEST_BYTES_MAX;
        Event::CallStart(CallStart {
            call: call.number,
            input: self.hash,
            subject: self.subject.to_owned(),
            number: self.number,
            request: if short {
                self.request.to_vec()
            } else {
                Vec::new()
            },
        })
    }
}

/// Longest arguments in a report of divergence, in characters.
const SPOKEN_CHARS_MAX: usize = 400;

/// A call with its arguments, for a report of divergence.
fn spoken(call: Call, number: u64, subject: &str, request: &[u8]) -> String {
    let arguments = match Value::from_bytes(request) {
        Ok(value) => format!("{value:?}")
            .chars()
            .take(SPOKEN_CHARS_MAX)
            .collect(),
        Err(_) => String::from("arguments that are too large to show"),
    };
    format!(
        "call {number} `{}` to {subject} with {arguments}",
        call.name
    )
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

/// What an entry is, for a report of divergence.
pub(crate) fn describe(event: &Event) -> String {
    let name = |number| by_number(number).map_or("an unknown call", |call| call.name);
    match event {
        Event::Read(read) => format!("`{}`", name(read.call)),
        Event::CallStart(start) => format!("`{}` to {}", name(start.call), start.subject),
        Event::CallEnd(_) => "the end of a call".into(),
        Event::Completed(_) => "the end of the invocation".into(),
        Event::Started(_) => "the start of an invocation".into(),
        Event::BeginAtomic(_) => "the begin of an atomic region".into(),
        Event::EndAtomic(end) => {
            format!("the end of the atomic region that began at {}", end.begin)
        }
        Event::NoOp(_) => "a question for the oplog index".into(),
        Event::ChangePersistence(_) => "a change of the persistence level".into(),
        Event::ChangeRetryPolicy(_) => "a change of the retry policy".into(),
        Event::PromiseCreated(_) => "a new promise".into(),
        other => format!("{other:?}")
            .chars()
            .take_while(|c| *c != '(')
            .collect(),
    }
}
