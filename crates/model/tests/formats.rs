// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / formats: bytes that an earlier version wrote are read as what they meant, and written the same. In: the files
//! of `golden/v1/`, one `name hex` per line. Out: failed assertions. Never changes a line that is there: a changed line is
//! a data directory that nobody can read. `BLESS=1` adds lines for new names. Formats: docs/formats/oplog.md, value.md, recording.md.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use golem_model::Value;
use golem_model::oplog::{
    Accepted, BeginAtomic, CallEnd, CallStart, Cancelled, ChangePersistence, ChangeRetryPolicy,
    Completed, Create, EndAtomic, EnvVar, Event, Exited, Failed, FailedUpdate, FailureKind,
    Interrupted, Jump, JumpReason, Log, LogLevel, NoOp, OplogEntry, PendingUpdate,
    PersistenceLevel, PromiseCreated, Read, Restarted, Resumed, RetryPolicy, SecretPin, Sent,
    SharedStart, Snapshot, Started, Suspended, UpdateMode, Updated,
};
use golem_model::recording::Recording;

/// One entry of each kind, with every field set, and some with none. A new kind comes at the end.
fn pin(version: u64) -> SecretPin {
    SecretPin {
        name: "api-key".into(),
        version,
    }
}

fn entries() -> Vec<(&'static str, OplogEntry)> {
    let at = 1_733_745_600_123_456;
    let entry = |event| OplogEntry::new(at, event);
    let env = vec![
        EnvVar {
            name: "A".into(),
            value: "1".into(),
        },
        EnvVar {
            name: "B".into(),
            value: String::new(),
        },
    ];
    vec![
        (
            "create",
            entry(Event::Create(Create {
                component: (0..16).collect(),
                name: "shop-1".into(),
                version: 3,
                args: vec!["x".into(), String::new()],
                env,
                parent: Some("urn:worker:c/p".into()),
                ..Create::default()
            })),
        ),
        (
            "create-least",
            entry(Event::Create(Create {
                component: vec![255; 16],
                ..Create::default()
            })),
        ),
        (
            "accepted",
            entry(Event::Accepted(Accepted {
                key: "k-1".into(),
                function: "shop:api/cart.{add}".into(),
                input: Value::Tuple(vec![Value::U32(7), Value::String("tea".into())]).to_bytes(),
                input_blob: None,
                blob_bytes: 0,
                caller: Some("urn:worker:c/w".into()),
                ..Accepted::default()
            })),
        ),
        (
            "accepted-blob",
            entry(Event::Accepted(Accepted {
                key: "k-2".into(),
                function: "run".into(),
                input_blob: Some(vec![0xab; 32]),
                ..Accepted::default()
            })),
        ),
        (
            "started",
            entry(Event::Started(Started {
                accepted: 2,
                now: 1_733_745_600_123_456_789,
            })),
        ),
        (
            "read",
            entry(Event::Read(Read {
                call: 12,
                input: 0x0102_0304_0506_0708,
                output: vec![7, 1],
                ..Read::default()
            })),
        ),
        (
            "call-start",
            entry(Event::CallStart(CallStart {
                call: 300,
                input: u64::MAX,
                subject: "GET /".into(),
                number: 1,
                ..CallStart::default()
            })),
        ),
        (
            "call-end",
            entry(Event::CallEnd(CallEnd {
                start: 5,
                output: vec![1, 2, 3],
                output_blob: None,
                blob_bytes: 0,
            })),
        ),
        (
            "call-end-blob",
            entry(Event::CallEnd(CallEnd {
                start: 5,
                output: vec![],
                output_blob: Some(vec![9; 32]),
                blob_bytes: 0,
            })),
        ),
        (
            "completed-blob-bytes",
            entry(Event::Completed(Completed {
                accepted: 2,
                output: vec![],
                output_blob: Some(vec![9; 32]),
                blob_bytes: 70_000,
            })),
        ),
        (
            "completed",
            entry(Event::Completed(Completed {
                accepted: 2,
                output: Value::Tuple(vec![]).to_bytes(),
                output_blob: None,
                blob_bytes: 0,
            })),
        ),
        (
            "failed",
            entry(Event::Failed(Failed {
                accepted: 2,
                kind: FailureKind::Trap.into(),
                message: "panic: no".into(),
                attempt: 3,
                retry_at: Some(at + 1),
                ..Failed::default()
            })),
        ),
        ("interrupted", entry(Event::Interrupted(Interrupted {}))),
        ("resumed", entry(Event::Resumed(Resumed {}))),
        ("exited", entry(Event::Exited(Exited { status: 1 }))),
        (
            "log",
            entry(Event::Log(Log {
                level: LogLevel::Warn.into(),
                context: "cart".into(),
                message: "grüße".into(),
            })),
        ),
        (
            "cancelled",
            entry(Event::Cancelled(Cancelled { accepted: 2 })),
        ),
        (
            "updated",
            entry(Event::Updated(Updated {
                version: 4,
                ..Updated::default()
            })),
        ),
        (
            "jump",
            entry(Event::Jump(Jump {
                first: 3,
                last: 9,
                ..Jump::default()
            })),
        ),
        (
            "sent",
            entry(Event::Sent(Sent {
                starts: vec![3, 300],
            })),
        ),
        (
            "create-forked",
            entry(Event::Create(Create {
                component: vec![1; 16],
                name: "copy".into(),
                forked_from: Some("shop-1".into()),
                forked_at: 12,
                ..Create::default()
            })),
        ),
        (
            "accepted-deadline",
            entry(Event::Accepted(Accepted {
                key: "k-3".into(),
                function: "run".into(),
                deadline: Some(at + 5),
                ..Accepted::default()
            })),
        ),
        (
            "call-start-request",
            entry(Event::CallStart(CallStart {
                call: 12,
                number: 2,
                request: Value::Tuple(vec![Value::U64(3)]).to_bytes(),
                ..CallStart::default()
            })),
        ),
        (
            "failed-trace",
            entry(Event::Failed(Failed {
                accepted: 2,
                kind: FailureKind::Deadlock as i32,
                message: "deadlock".into(),
                attempt: 1,
                trace: "main.run".into(),
                path: vec!["urn:worker:c/a".into(), "urn:worker:c/b".into()],
                ..Failed::default()
            })),
        ),
        (
            "updated-snapshot",
            entry(Event::Updated(Updated {
                version: 4,
                from: 3,
                snapshot: Some(Snapshot {
                    bytes: vec![1, 2],
                    blob: None,
                    blob_bytes: 0,
                }),
                ..Updated::default()
            })),
        ),
        (
            "updated-snapshot-blob",
            entry(Event::Updated(Updated {
                version: 4,
                from: 3,
                snapshot: Some(Snapshot {
                    bytes: vec![],
                    blob: Some(vec![7; 32]),
                    blob_bytes: 0,
                }),
                ..Updated::default()
            })),
        ),
        (
            "create-secrets",
            entry(Event::Create(Create {
                component: vec![1; 16],
                name: "w".into(),
                secrets: vec![pin(1)],
                ..Create::default()
            })),
        ),
        (
            "create-shared-start",
            entry(Event::Create(Create {
                component: vec![1; 16],
                name: "w".into(),
                start: Some(SharedStart {
                    seed: (0..16).collect(),
                    at,
                }),
                ..Create::default()
            })),
        ),
        (
            "updated-secrets",
            entry(Event::Updated(Updated {
                version: 4,
                from: 3,
                secrets: vec![pin(2)],
                secrets_before: vec![pin(1)],
                ..Updated::default()
            })),
        ),
        (
            "failed-limit",
            entry(Event::Failed(Failed {
                accepted: 2,
                kind: FailureKind::LimitExceeded as i32,
                message: "the limit".into(),
                attempt: 1,
                ..Failed::default()
            })),
        ),
        (
            "jump-revert",
            entry(Event::Jump(Jump {
                first: 3,
                last: 9,
                reason: JumpReason::Revert as i32,
            })),
        ),
        ("begin-atomic", entry(Event::BeginAtomic(BeginAtomic {}))),
        (
            "end-atomic",
            entry(Event::EndAtomic(EndAtomic { begin: 18 })),
        ),
        ("no-op", entry(Event::NoOp(NoOp {}))),
        (
            "change-persistence",
            entry(Event::ChangePersistence(ChangePersistence {
                level: PersistenceLevel::Nothing as i32,
            })),
        ),
        (
            "change-retry-policy",
            entry(Event::ChangeRetryPolicy(ChangeRetryPolicy {
                policy: Some(RetryPolicy {
                    max_attempts: 5,
                    min_delay: 1_000_000,
                    max_delay: 2_000_000_000,
                    multiplier: 2.5,
                    max_jitter_factor: Some(0.25),
                }),
            })),
        ),
        (
            "suspended",
            entry(Event::Suspended(Suspended { until: Some(at) })),
        ),
        ("restarted", entry(Event::Restarted(Restarted {}))),
        (
            "pending-update",
            entry(Event::PendingUpdate(PendingUpdate {
                version: 4,
                mode: UpdateMode::SnapshotBased as i32,
            })),
        ),
        (
            "failed-update",
            entry(Event::FailedUpdate(FailedUpdate {
                version: 4,
                details: "diverged".into(),
            })),
        ),
        (
            "promise-created",
            entry(Event::PromiseCreated(PromiseCreated::default())),
        ),
        (
            "promise-created-worker",
            entry(Event::PromiseCreated(PromiseCreated {
                worker: "shop-1".into(),
            })),
        ),
    ]
}

/// Values of every tag, numbers at their ends.
fn values() -> Vec<(&'static str, Value)> {
    let some = |value| Some(Box::new(value));
    vec![
        ("bool", Value::Bool(true)),
        ("u8", Value::U8(255)),
        ("s8", Value::S8(-128)),
        ("u16", Value::U16(u16::MAX)),
        ("s16", Value::S16(i16::MIN)),
        ("u32", Value::U32(u32::MAX)),
        ("s32", Value::S32(i32::MIN)),
        ("u64", Value::U64(u64::MAX)),
        ("s64", Value::S64(i64::MIN)),
        ("f32", Value::F32(-1.5)),
        ("f64", Value::F64(0.1)),
        ("char", Value::Char('🦀')),
        ("string", Value::String("grüße".into())),
        ("bytes", Value::Bytes(vec![0, 255])),
        ("list", Value::List(vec![Value::S32(-1), Value::S32(64)])),
        ("option-none", Value::Option(None)),
        ("option-some", Value::Option(some(Value::Bool(false)))),
        (
            "tuple",
            Value::Tuple(vec![Value::U8(1), Value::Tuple(vec![])]),
        ),
        (
            "record",
            Value::Record(vec![Value::String(String::new()), Value::U64(300)]),
        ),
        ("variant", Value::Variant(200, None)),
        ("variant-payload", Value::Variant(1, some(Value::U8(2)))),
        ("enum", Value::Enum(3)),
        (
            "flags",
            Value::Flags(vec![
                true, false, false, false, false, false, false, false, true,
            ]),
        ),
        ("ok", Value::Result(Ok(None))),
        ("ok-payload", Value::Result(Ok(some(Value::U8(1))))),
        ("err", Value::Result(Err(None))),
        (
            "err-payload",
            Value::Result(Err(some(Value::String("e".into())))),
        ),
        (
            "handle",
            Value::Handle {
                uri: "urn:worker:c/w".into(),
                id: 130,
            },
        ),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "odd number of digits: {text}");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2).unwrap(), 16).unwrap())
        .collect()
}

/// Bytes by name of a golden file, which has all the names of `written`.
fn golden(file: &str, written: &[(&str, Vec<u8>)]) -> BTreeMap<String, Vec<u8>> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/golden/v1", file]
        .iter()
        .collect();
    let mut text = std::fs::read_to_string(&path).unwrap_or_default();
    let parse = |text: &str| -> BTreeMap<String, Vec<u8>> {
        let lines = text
            .lines()
            .map(|line| line.split_once(' ').unwrap_or((line, "")));
        lines
            .map(|(name, bytes)| (name.to_owned(), unhex(bytes)))
            .collect()
    };
    let before = parse(&text);
    for (name, bytes) in written
        .iter()
        .filter(|(name, _)| !before.contains_key(*name))
    {
        assert!(
            std::env::var_os("BLESS").is_some(),
            "{file} has no `{name}`: BLESS=1 adds it"
        );
        writeln!(text, "{name} {}", hex(bytes)).unwrap();
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    parse(&text)
}

#[test]
fn oplog_entries_of_version_1_are_read_and_written_the_same() {
    let entries = entries();
    let written: Vec<_> = entries
        .iter()
        .map(|(name, entry)| (*name, entry.to_bytes()))
        .collect();
    let golden = golden("oplog.txt", &written);
    assert_eq!(
        golden.len(),
        entries.len(),
        "a name is in the file and not in the test, or twice"
    );
    for (name, entry) in entries {
        let bytes = golden.get(name).unwrap();
        assert_eq!(
            OplogEntry::from_bytes(bytes).unwrap(),
            entry,
            "{name} is read as something else"
        );
        assert_eq!(
            hex(&entry.to_bytes()),
            hex(bytes),
            "{name} is written as something else"
        );
    }
}

#[test]
fn values_of_version_1_are_read_and_written_the_same() {
    let values = values();
    let written: Vec<_> = values
        .iter()
        .map(|(name, value)| (*name, value.to_bytes()))
        .collect();
    let golden = golden("value.txt", &written);
    assert_eq!(
        golden.len(),
        values.len(),
        "a name is in the file and not in the test, or twice"
    );
    for (name, value) in values {
        let bytes = golden.get(name).unwrap();
        assert_eq!(
            Value::from_bytes(bytes).unwrap(),
            value,
            "{name} is read as something else"
        );
        assert_eq!(
            hex(&value.to_bytes()),
            hex(bytes),
            "{name} is written as something else"
        );
    }
}

#[test]
fn recordings_of_version_1_are_read_and_written_the_same() {
    let recording = Recording {
        component: (0..16).collect(),
        component_name: "shop".into(),
        worker_name: "shop-1".into(),
        version: 3,
        row: vec![8, 1],
        entries: vec![vec![1, 2], Vec::new()],
        blobs: vec![b"large".to_vec()],
        at: 1_733_745_600_123_456,
        files: Vec::new(),
    };
    let golden = golden("recording.txt", &[("recording", recording.to_file())]);
    let file = golden.get("recording").unwrap();
    assert_eq!(hex(&recording.to_file()), hex(file));
    assert_eq!(Recording::from_file(file).unwrap(), recording);
}

#[test]
fn an_entry_of_a_later_version_is_recognised_and_not_mistaken() {
    // Field 99, a message, beside the time: a kind that this version does not have.
    let unknown = unhex("08019a0602080f");
    let entry = OplogEntry::from_bytes(&unknown).unwrap();
    assert_eq!((entry.at, entry.event), (1, None));
    // An unknown field inside a known kind is skipped.
    let cancelled = unhex("080172050802b80607");
    match OplogEntry::from_bytes(&cancelled).unwrap().event {
        Some(Event::Cancelled(cancelled)) => assert_eq!(cancelled.accepted, 2),
        other => panic!("read as {other:?}"),
    }
}
