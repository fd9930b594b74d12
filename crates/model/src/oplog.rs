// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / oplog: the entries of a worker's log, and their bytes. In: entries. Out: bytes and back.
//! Never touches IO. Bound: [`ENTRY_BYTES_MAX`] per entry. Read next: `golem-engine`'s `oplog/writer.rs`.
//! Format: docs/formats/oplog.md (protobuf wire format: every field has a number, unknown ones are skipped).

use prost::Message;

use crate::trace::TraceContext;

/// Largest encoded entry. Larger payloads are stored as blobs and named by the entry.
pub const ENTRY_BYTES_MAX: usize = 1 << 20;
/// Largest input of a call that its start entry repeats for people to read.
pub const REQUEST_BYTES_MAX: usize = 16 << 10;
/// Payloads above this many bytes go to the blob store. Source: storage design §2.
pub const INLINE_BYTES_MAX: usize = 64 << 10;

/// One entry with the moment when it was written.
#[derive(Clone, PartialEq, Message)]
pub struct OplogEntry {
    /// Microseconds since 1970 (see [`crate::ids::Timestamp`]).
    #[prost(uint64, tag = "1")]
    pub at: u64,
    /// What happened.
    #[prost(
        oneof = "Event",
        tags = "2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27"
    )]
    pub event: Option<Event>,
}

/// What an entry says.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Event {
    /// The worker was created. Always the first entry.
    #[prost(message, tag = "2")]
    Create(Create),
    /// An invocation was accepted: it will run, once, in this order.
    #[prost(message, tag = "3")]
    Accepted(Accepted),
    /// An accepted invocation began to run.
    #[prost(message, tag = "4")]
    Started(Started),
    /// The result of a host call that only reads (time, random bytes, a poll).
    #[prost(message, tag = "5")]
    Read(Read),
    /// A host call with an effect outside the worker is about to happen.
    #[prost(message, tag = "6")]
    CallStart(CallStart),
    /// Its outcome.
    #[prost(message, tag = "7")]
    CallEnd(CallEnd),
    /// The running invocation finished with a result.
    #[prost(message, tag = "8")]
    Completed(Completed),
    /// The running invocation trapped.
    #[prost(message, tag = "9")]
    Failed(Failed),
    /// A user interrupted the worker.
    #[prost(message, tag = "10")]
    Interrupted(Interrupted),
    /// A user resumed the worker.
    #[prost(message, tag = "11")]
    Resumed(Resumed),
    /// The guest ended itself with `wasi:cli/exit`.
    #[prost(message, tag = "12")]
    Exited(Exited),
    /// The guest wrote to stdout, stderr or a log. A hint: replay skips it.
    #[prost(message, tag = "13")]
    Log(Log),
    /// A pending invocation was cancelled before it started. Nothing of it ever ran.
    #[prost(message, tag = "14")]
    Cancelled(Cancelled),
    /// A new version of the component runs from here on.
    #[prost(message, tag = "15")]
    Updated(Updated),
    /// Entries of a region no longer count (a revert, or a guest that set its oplog index).
    #[prost(message, tag = "16")]
    Jump(Jump),
    /// Calls that nobody waits for were accepted by their targets: they are not sent again. A hint.
    #[prost(message, tag = "17")]
    Sent(Sent),
    /// An atomic region begins: if it does not end, all of it is done again.
    #[prost(message, tag = "18")]
    BeginAtomic(BeginAtomic),
    /// An atomic region ends.
    #[prost(message, tag = "19")]
    EndAtomic(EndAtomic),
    /// The guest asked where it is in its log: the answer is the index of this entry.
    #[prost(message, tag = "20")]
    NoOp(NoOp),
    /// What the guest wants to have recorded from here on.
    #[prost(message, tag = "21")]
    ChangePersistence(ChangePersistence),
    /// How failures of this worker are retried from here on.
    #[prost(message, tag = "22")]
    ChangeRetryPolicy(ChangeRetryPolicy),
    /// The running invocation waits, and the worker may leave memory until then. A hint.
    #[prost(message, tag = "23")]
    Suspended(Suspended),
    /// A user simulated a crash. A hint.
    #[prost(message, tag = "24")]
    Restarted(Restarted),
    /// Somebody wants the worker to run another version. A hint.
    #[prost(message, tag = "25")]
    PendingUpdate(PendingUpdate),
    /// The worker could not be brought to another version and stays as it was. A hint.
    #[prost(message, tag = "26")]
    FailedUpdate(FailedUpdate),
    /// The guest created a promise: its number is the index of this entry.
    #[prost(message, tag = "27")]
    PromiseCreated(PromiseCreated),
}

impl Event {
    /// Bytes of the blob that the entry names; 0 when it holds all that it says.
    #[must_use]
    pub fn blob_bytes(&self) -> u64 {
        match self {
            Self::Accepted(accepted) => accepted.blob_bytes,
            Self::Read(read) => read.blob_bytes,
            Self::CallEnd(end) => end.blob_bytes,
            Self::Completed(completed) => completed.blob_bytes,
            Self::Updated(updated) => updated.snapshot.as_ref().map_or(0, |s| s.blob_bytes),
            _ => 0,
        }
    }
}

/// See [`Event::Create`].
#[derive(Clone, PartialEq, Message)]
pub struct Create {
    /// 16 bytes of the component's UUID.
    #[prost(bytes = "vec", tag = "1")]
    pub component: Vec<u8>,
    /// Name of the worker.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Version that the worker starts with.
    #[prost(uint64, tag = "3")]
    pub version: u64,
    /// Command line arguments.
    #[prost(string, repeated, tag = "4")]
    pub args: Vec<String>,
    /// Environment, as given (the `GOLEM_…` variables are added when the guest asks).
    #[prost(message, repeated, tag = "5")]
    pub env: Vec<EnvVar>,
    /// The worker whose call created this one.
    #[prost(string, optional, tag = "6")]
    pub parent: Option<String>,
    /// Name of the worker that this one was forked from: what the repeated part of its history saw as its own name.
    #[prost(string, optional, tag = "7")]
    pub forked_from: Option<String>,
    /// Index of the last entry that was copied from that worker; the same entries follow here under the same indexes.
    #[prost(uint64, tag = "8")]
    pub forked_at: u64,
    /// Versions of the secrets that its environment refers to. Never their values.
    #[prost(message, repeated, tag = "9")]
    pub secrets: Vec<SecretPin>,
    /// Where the worker begins; absent when it ran the start-up code of its component itself.
    #[prost(message, optional, tag = "10")]
    pub start: Option<SharedStart>,
}

/// What the start-up code of a component got from the platform when it ran for all workers, so that it does the same again.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct SharedStart {
    /// What its random bytes are derived from: [`Self::SEED_BYTES`].
    #[prost(bytes = "vec", tag = "1")]
    pub seed: Vec<u8>,
    /// The wall clock, in microseconds since 1970.
    #[prost(uint64, tag = "2")]
    pub at: u64,
}

impl SharedStart {
    /// Bytes of a seed: nobody guesses so many, and each worker of the component has them in its row and in its log.
    pub const SEED_BYTES: usize = 16;
}

/// A secret that a worker's environment refers to, in the version that the worker keeps.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct SecretPin {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The version.
    #[prost(uint64, tag = "2")]
    pub version: u64,
}

/// One environment variable.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct EnvVar {
    /// Name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// See [`Event::Accepted`].
#[derive(Clone, PartialEq, Message)]
pub struct Accepted {
    /// Idempotency key.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Full name of the function: `ns:pkg/iface.{fn}`, or a bare name.
    #[prost(string, tag = "2")]
    pub function: String,
    /// Arguments: one `Value::Tuple`, encoded; empty when they are in `input_blob`.
    #[prost(bytes = "vec", tag = "3")]
    pub input: Vec<u8>,
    /// SHA-256 of the arguments when they are stored as a blob.
    #[prost(bytes = "vec", optional, tag = "4")]
    pub input_blob: Option<Vec<u8>>,
    /// URN of the calling worker, when a worker calls.
    #[prost(string, optional, tag = "5")]
    pub caller: Option<String>,
    /// Until when it has to be finished, microseconds since 1970; its calls inherit it.
    #[prost(uint64, optional, tag = "6")]
    pub deadline: Option<u64>,
    /// The trace that it belongs to, and the span of its caller.
    #[prost(message, optional, tag = "7")]
    pub trace: Option<TraceContext>,
    /// Bytes of that blob.
    #[prost(uint64, tag = "8")]
    pub blob_bytes: u64,
}

/// See [`Event::Started`].
#[derive(Clone, PartialEq, Message)]
pub struct Started {
    /// Index of its [`Accepted`] entry.
    #[prost(uint64, tag = "1")]
    pub accepted: u64,
    /// The clock at this moment, nanoseconds since 1970: the virtual monotonic clock continues from here.
    #[prost(uint64, tag = "2")]
    pub now: u64,
}

/// See [`Event::Read`].
#[derive(Clone, PartialEq, Message)]
pub struct Read {
    /// Number of the host function in the engine's table of calls.
    #[prost(uint32, tag = "1")]
    pub call: u32,
    /// First 8 bytes of the SHA-256 of the call's input; 0 when the call has none.
    #[prost(fixed64, tag = "2")]
    pub input: u64,
    /// The encoded result; empty when it is in `output_blob`.
    #[prost(bytes = "vec", tag = "3")]
    pub output: Vec<u8>,
    /// SHA-256 of the result when it is stored as a blob.
    #[prost(bytes = "vec", optional, tag = "4")]
    pub output_blob: Option<Vec<u8>>,
    /// Bytes of that blob.
    #[prost(uint64, tag = "5")]
    pub blob_bytes: u64,
}

/// See [`Event::CallStart`].
#[derive(Clone, PartialEq, Message)]
pub struct CallStart {
    /// Number of the host function in the engine's table of calls.
    #[prost(uint32, tag = "1")]
    pub call: u32,
    /// First 8 bytes of the SHA-256 of the call's input.
    #[prost(fixed64, tag = "2")]
    pub input: u64,
    /// What a person wants to see: target and function of a call to a worker, method and URL of a request.
    #[prost(string, tag = "3")]
    pub subject: String,
    /// Number of the call within its invocation, from 1: what its idempotency key is derived from.
    #[prost(uint64, tag = "4")]
    pub number: u64,
    /// The encoded input, for people and for reports of divergence; empty when it is over [`REQUEST_BYTES_MAX`].
    #[prost(bytes = "vec", tag = "5")]
    pub request: Vec<u8>,
}

/// See [`Event::CallEnd`].
#[derive(Clone, PartialEq, Message)]
pub struct CallEnd {
    /// Index of the [`CallStart`] entry.
    #[prost(uint64, tag = "1")]
    pub start: u64,
    /// The encoded result; empty when it is in `output_blob`.
    #[prost(bytes = "vec", tag = "2")]
    pub output: Vec<u8>,
    /// SHA-256 of the result when it is stored as a blob.
    #[prost(bytes = "vec", optional, tag = "3")]
    pub output_blob: Option<Vec<u8>>,
    /// Bytes of that blob.
    #[prost(uint64, tag = "4")]
    pub blob_bytes: u64,
}

/// See [`Event::Completed`].
#[derive(Clone, PartialEq, Message)]
pub struct Completed {
    /// Index of the [`Accepted`] entry.
    #[prost(uint64, tag = "1")]
    pub accepted: u64,
    /// The result: one `Value::Tuple` of no or one element, encoded; empty when it is in `output_blob`.
    #[prost(bytes = "vec", tag = "2")]
    pub output: Vec<u8>,
    /// SHA-256 of the result when it is stored as a blob.
    #[prost(bytes = "vec", optional, tag = "3")]
    pub output_blob: Option<Vec<u8>>,
    /// Bytes of that blob.
    #[prost(uint64, tag = "4")]
    pub blob_bytes: u64,
}

/// See [`Event::Failed`].
#[derive(Clone, PartialEq, Message)]
pub struct Failed {
    /// Index of the [`Accepted`] entry.
    #[prost(uint64, tag = "1")]
    pub accepted: u64,
    /// The kind of failure.
    #[prost(enumeration = "FailureKind", tag = "2")]
    pub kind: i32,
    /// What the guest or the engine said.
    #[prost(string, tag = "3")]
    pub message: String,
    /// How often the invocation has failed so far, from 1.
    #[prost(uint32, tag = "4")]
    pub attempt: u32,
    /// When it is tried again, microseconds since 1970; absent when it is not.
    #[prost(uint64, optional, tag = "5")]
    pub retry_at: Option<u64>,
    /// Functions of the guest that were active, innermost first, one per line.
    #[prost(string, tag = "6")]
    pub trace: String,
    /// URNs of the workers along a deadlock.
    #[prost(string, repeated, tag = "7")]
    pub path: Vec<String>,
}

/// Why an invocation failed. Numbers are on disk: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum FailureKind {
    /// A kind that this version does not know.
    Unknown = 0,
    /// The guest trapped, or panicked.
    Trap = 1,
    /// The guest wanted more memory than its limit.
    OutOfMemory = 2,
    /// The guest recursed too deep.
    StackOverflow = 3,
    /// Replay met a host call that is not the one in the log.
    Divergence = 4,
    /// A call to another worker would wait for ever.
    Deadlock = 5,
    /// A call to another worker failed, in an interface that has no place for an error.
    CalleeFailed = 6,
    /// The guest passed something that cannot be right: a bad worker URN, a future that was taken.
    InvalidRequest = 7,
    /// The deadline of the invocation passed.
    Timeout = 8,
    /// Somebody cancelled the invocation.
    Cancelled = 9,
    /// The guest wanted something that it may not have.
    Denied = 10,
    /// The guest used more of something than it may.
    LimitExceeded = 11,
}

/// See [`Event::Interrupted`].
#[derive(Clone, PartialEq, Message)]
pub struct Interrupted {}

/// See [`Event::Resumed`].
#[derive(Clone, PartialEq, Message)]
pub struct Resumed {}

/// See [`Event::Exited`].
#[derive(Clone, PartialEq, Message)]
pub struct Exited {
    /// Exit status: 0 is success.
    #[prost(uint32, tag = "1")]
    pub status: u32,
}

/// See [`Event::Log`].
#[derive(Clone, PartialEq, Message)]
pub struct Log {
    /// Where it was written, and how serious it is.
    #[prost(enumeration = "LogLevel", tag = "1")]
    pub level: i32,
    /// Context of a `wasi:logging` line.
    #[prost(string, tag = "2")]
    pub context: String,
    /// The text; bytes that are not UTF-8 are replaced.
    #[prost(string, tag = "3")]
    pub message: String,
}

/// Level of a [`Log`] entry. Numbers are on disk: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum LogLevel {
    /// Written to stdout.
    Stdout = 0,
    /// Written to stderr.
    Stderr = 1,
    /// `trace`
    Trace = 2,
    /// `debug`
    Debug = 3,
    /// `info`
    Info = 4,
    /// `warn`
    Warn = 5,
    /// `error`
    Error = 6,
    /// `critical`
    Critical = 7,
}

/// See [`Event::Cancelled`].
#[derive(Clone, PartialEq, Message)]
pub struct Cancelled {
    /// Index of the [`Accepted`] entry.
    #[prost(uint64, tag = "1")]
    pub accepted: u64,
}

/// See [`Event::Updated`].
#[derive(Clone, PartialEq, Message)]
pub struct Updated {
    /// The version from here on.
    #[prost(uint64, tag = "1")]
    pub version: u64,
    /// The version until here.
    #[prost(uint64, tag = "2")]
    pub from: u64,
    /// What the guest's own `save` returned: the worker starts anew from it, and nothing before this entry is repeated.
    /// Absent after an automatic update, whose whole history is repeated on the new version.
    #[prost(message, optional, tag = "3")]
    pub snapshot: Option<Snapshot>,
    /// Versions of the secrets from here on.
    #[prost(message, repeated, tag = "4")]
    pub secrets: Vec<SecretPin>,
    /// Those until here.
    #[prost(message, repeated, tag = "5")]
    pub secrets_before: Vec<SecretPin>,
}

/// Bytes that a guest saved of itself.
#[derive(Clone, PartialEq, Message)]
pub struct Snapshot {
    /// The bytes; empty when they are in `blob`.
    #[prost(bytes = "vec", tag = "1")]
    pub bytes: Vec<u8>,
    /// Name of the blob that holds them.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub blob: Option<Vec<u8>>,
    /// Bytes of that blob.
    #[prost(uint64, tag = "3")]
    pub blob_bytes: u64,
}

/// See [`Event::Jump`].
#[derive(Clone, PartialEq, Message)]
pub struct Jump {
    /// First index of the region.
    #[prost(uint64, tag = "1")]
    pub first: u64,
    /// Last index of the region, before this entry.
    #[prost(uint64, tag = "2")]
    pub last: u64,
    /// Why.
    #[prost(enumeration = "JumpReason", tag = "3")]
    pub reason: i32,
}

/// Why entries no longer count. Numbers are on disk: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum JumpReason {
    /// An atomic region did not come to its end.
    AtomicRegion = 0,
    /// The guest set its oplog index.
    SetIndex = 1,
    /// A user reverted the worker.
    Revert = 2,
    /// The invocation was cancelled, or its deadline passed.
    Cancelled = 3,
    /// An update failed after the new version had begun to write.
    FailedUpdate = 4,
}

/// See [`Event::BeginAtomic`].
#[derive(Clone, PartialEq, Message)]
pub struct BeginAtomic {}

/// See [`Event::EndAtomic`].
#[derive(Clone, PartialEq, Message)]
pub struct EndAtomic {
    /// Index of the [`BeginAtomic`] entry.
    #[prost(uint64, tag = "1")]
    pub begin: u64,
}

/// See [`Event::NoOp`].
#[derive(Clone, PartialEq, Message)]
pub struct NoOp {}

/// See [`Event::ChangePersistence`].
#[derive(Clone, PartialEq, Message)]
pub struct ChangePersistence {
    /// The level.
    #[prost(enumeration = "PersistenceLevel", tag = "1")]
    pub level: i32,
}

/// What of a guest's host calls is recorded. Numbers are on disk: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum PersistenceLevel {
    /// What is needed for an exact replay.
    Smart = 0,
    /// The same here as [`PersistenceLevel::Smart`]: reads that a guest can see are always recorded.
    RemoteSideEffects = 1,
    /// Nothing: host calls run again on replay.
    Nothing = 2,
}

/// See [`Event::ChangeRetryPolicy`].
#[derive(Clone, PartialEq, Message)]
pub struct ChangeRetryPolicy {
    /// The policy; absent: the default one again.
    #[prost(message, optional, tag = "1")]
    pub policy: Option<RetryPolicy>,
}

/// How often and when a failed invocation runs again.
#[derive(Clone, PartialEq, Message)]
pub struct RetryPolicy {
    /// Attempts in all, the first one included.
    #[prost(uint32, tag = "1")]
    pub max_attempts: u32,
    /// Pause before the second attempt, nanoseconds.
    #[prost(uint64, tag = "2")]
    pub min_delay: u64,
    /// Longest pause, nanoseconds.
    #[prost(uint64, tag = "3")]
    pub max_delay: u64,
    /// How much longer each pause is than the one before.
    #[prost(double, tag = "4")]
    pub multiplier: f64,
    /// Up to which part of itself a pause is lengthened at random.
    #[prost(double, optional, tag = "5")]
    pub max_jitter_factor: Option<f64>,
}

/// See [`Event::Suspended`].
#[derive(Clone, PartialEq, Message)]
pub struct Suspended {
    /// When the first timer is due that it waits for, microseconds since 1970; absent when it waits for promises only.
    #[prost(uint64, optional, tag = "1")]
    pub until: Option<u64>,
}

/// See [`Event::Restarted`].
#[derive(Clone, PartialEq, Message)]
pub struct Restarted {}

/// See [`Event::PendingUpdate`].
#[derive(Clone, PartialEq, Message)]
pub struct PendingUpdate {
    /// The version that is wanted.
    #[prost(uint64, tag = "1")]
    pub version: u64,
    /// How.
    #[prost(enumeration = "UpdateMode", tag = "2")]
    pub mode: i32,
}

/// How a worker is brought to another version. Numbers are on disk: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum UpdateMode {
    /// The new version repeats the history.
    Automatic = 0,
    /// The old version saves, the new one loads.
    SnapshotBased = 1,
}

/// See [`Event::FailedUpdate`].
#[derive(Clone, PartialEq, Message)]
pub struct FailedUpdate {
    /// The version that was wanted.
    #[prost(uint64, tag = "1")]
    pub version: u64,
    /// Why not.
    #[prost(string, tag = "2")]
    pub details: String,
}

/// See [`Event::PromiseCreated`].
#[derive(Clone, PartialEq, Message)]
pub struct PromiseCreated {
    /// Name of the worker that created it: a fork repeats the promises of its origin.
    #[prost(string, tag = "1")]
    pub worker: String,
}

/// See [`Event::Sent`].
#[derive(Clone, PartialEq, Message)]
pub struct Sent {
    /// Indexes of the [`CallStart`] entries.
    #[prost(uint64, repeated, tag = "1")]
    pub starts: Vec<u64>,
}

impl OplogEntry {
    /// An entry for `event` at `at` microseconds since 1970.
    #[must_use]
    pub fn new(at: u64, event: Event) -> Self {
        Self {
            at,
            event: Some(event),
        }
    }

    /// Reads one entry. Fails on bytes that are no protobuf message; an entry of a kind that this version does not
    /// know comes back with `event: None`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, prost::DecodeError> {
        Self::decode(bytes)
    }

    /// The bytes of the entry.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }
}
