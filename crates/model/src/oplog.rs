// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / oplog: the entries of a worker's log, and their bytes. In: entries. Out: bytes and back.
//! Never touches IO. Bound: [`ENTRY_BYTES_MAX`] per entry. Read next: `golem-engine`'s `oplog/writer.rs`.
//! Format: docs/formats/oplog.md (protobuf wire format: every field has a number, unknown ones are skipped).

use prost::Message;

/// Largest encoded entry. Larger payloads are stored as blobs and named by the entry.
pub const ENTRY_BYTES_MAX: usize = 1 << 20;
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
        tags = "2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17"
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
    /// A pending invocation was cancelled before it started.
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
    /// The encoded result.
    #[prost(bytes = "vec", tag = "3")]
    pub output: Vec<u8>,
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
