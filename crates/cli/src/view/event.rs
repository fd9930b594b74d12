// SPDX-License-Identifier: Apache-2.0
//! THE DESK / view/event: what a worker says, as lines. In an event, out a text or one JSON object. Source: client spec §6.8.

use golem_model::Timestamp;
use golem_model::api::WorkerEvent;
use serde::Serialize;

/// A line that a worker wrote or logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct EventLine {
    /// Where the guest says that it comes from; empty for its standard streams.
    pub(crate) context: String,
    /// `STDOUT`, `STDERR`, or a level in capitals.
    pub(crate) level: String,
    /// The text.
    pub(crate) message: String,
    /// When.
    pub(crate) timestamp: Timestamp,
}

/// Which parts of a line are shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    /// The time.
    pub(crate) timestamp: bool,
    /// The level.
    pub(crate) level: bool,
}

impl EventLine {
    /// The line of an event; none for events that are no lines.
    pub(crate) fn of(event: WorkerEvent) -> Option<Self> {
        let output = |level: &str, timestamp, bytes: &[u8]| Self {
            context: String::new(),
            level: level.to_owned(),
            message: String::from_utf8_lossy(bytes)
                .trim_end_matches('\n')
                .to_owned(),
            timestamp,
        };
        match event {
            WorkerEvent::StdOut(event) => Some(output("STDOUT", event.timestamp, &event.bytes)),
            WorkerEvent::StdErr(event) => Some(output("STDERR", event.timestamp, &event.bytes)),
            WorkerEvent::Log(event) => Some(Self {
                context: event.context,
                level: event.level.to_uppercase(),
                message: event.message,
                timestamp: event.timestamp,
            }),
            WorkerEvent::InvocationStart(_)
            | WorkerEvent::InvocationFinished(_)
            | WorkerEvent::Close => None,
        }
    }

    /// The line for people.
    pub(crate) fn text(&self, parts: Parts) -> String {
        let mut text = String::new();
        if parts.timestamp {
            text.push_str(&format!("[{}] ", self.timestamp));
        }
        if parts.level {
            text.push_str(&format!("[{:8}] ", self.level));
        }
        if !self.context.is_empty() {
            text.push_str(&format!("[{}] ", self.context));
        }
        text.push_str(&self.message);
        text
    }
}

#[cfg(test)]
mod tests {
    use golem_model::api::{LogEvent, OutputEvent};

    use super::*;

    #[test]
    fn lines_look_like_those_of_the_original() {
        let timestamp = Timestamp(0);
        let log = EventLine::of(WorkerEvent::Log(LogEvent {
            timestamp,
            level: "Warn".to_owned(),
            context: "shop".to_owned(),
            message: "empty".to_owned(),
            oplog_index: None,
        }));
        let text = |line: &Option<EventLine>, timestamp, level| {
            line.as_ref().unwrap().text(Parts { timestamp, level })
        };
        assert_eq!(text(&log, false, true), "[WARN    ] [shop] empty");
        let out = EventLine::of(WorkerEvent::StdOut(OutputEvent {
            timestamp,
            bytes: b"hi\n".to_vec(),
            oplog_index: None,
        }));
        assert_eq!(text(&out, true, false), "[1970-01-01T00:00:00Z] hi");
        assert_eq!(
            serde_json::to_string(&out).unwrap(),
            r#"{"context":"","level":"STDOUT","message":"hi","timestamp":"1970-01-01T00:00:00Z"}"#
        );
    }
}
