// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / output: stdout and stderr of a guest. In: bytes. Out: lines for the log, and the end of stderr for error
//! messages. Never blocks the guest. Bound: [`LINE_BYTES_MAX`], [`TAIL_BYTES_MAX`]. Read next: `cli.rs`.

use std::sync::Arc;

use bytes::Bytes;
use golem_model::oplog::LogLevel;
use parking_lot::Mutex;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Longest line that is kept in one piece; longer ones are split, so that a guest cannot grow the host.
const LINE_BYTES_MAX: usize = 16 << 10;
/// How much of the end of stderr is kept to find a panic's text. Source: Go guests §3.3.
const TAIL_BYTES_MAX: usize = 4 << 10;
/// Bytes that the guest may write at once. A constant, because the guest sees it.
const WRITE_BYTES: usize = 1 << 20;

/// A line that a guest has written.
pub(crate) struct Line {
    /// Stdout, stderr, or a level of `wasi:logging`.
    pub(crate) level: LogLevel,
    /// Context of a `wasi:logging` line.
    pub(crate) context: String,
    /// The text without its line end.
    pub(crate) text: String,
}

/// What a guest has written and nobody has taken yet.
#[derive(Default)]
pub(crate) struct Output {
    partial: [Vec<u8>; 2],
    lines: Vec<Line>,
    tail: Vec<u8>,
}

impl Output {
    fn write(&mut self, level: LogLevel, bytes: &[u8]) {
        let stderr = level == LogLevel::Stderr;
        if stderr {
            self.tail.extend_from_slice(bytes);
            let over = self.tail.len().saturating_sub(TAIL_BYTES_MAX);
            self.tail.drain(..over);
        }
        let [out, err] = &mut self.partial;
        let partial = if stderr { err } else { out };
        for byte in bytes {
            if *byte == b'\n' || partial.len() >= LINE_BYTES_MAX {
                self.lines.push(Line {
                    level,
                    context: String::new(),
                    text: String::from_utf8_lossy(partial).into_owned(),
                });
                partial.clear();
            }
            if *byte != b'\n' {
                partial.push(*byte);
            }
        }
    }

    /// Adds a line of `wasi:logging`, in pieces of at most [`LINE_BYTES_MAX`] bytes.
    pub(crate) fn log(&mut self, level: LogLevel, context: &str, message: &str) {
        let mut rest = message;
        loop {
            let (piece, more) = rest.split_at(rest.floor_char_boundary(LINE_BYTES_MAX));
            self.lines.push(Line {
                level,
                context: context.to_owned(),
                text: piece.to_owned(),
            });
            if more.is_empty() {
                return;
            }
            rest = more;
        }
    }

    /// Takes the complete lines; with `all`, also what has no line end yet.
    pub(crate) fn take(&mut self, all: bool) -> Vec<Line> {
        if all {
            for (partial, level) in self
                .partial
                .iter_mut()
                .zip([LogLevel::Stdout, LogLevel::Stderr])
            {
                if !partial.is_empty() {
                    self.lines.push(Line {
                        level,
                        context: String::new(),
                        text: String::from_utf8_lossy(partial).into_owned(),
                    });
                    partial.clear();
                }
            }
        }
        std::mem::take(&mut self.lines)
    }

    /// Forgets the end of stderr: an invocation begins.
    pub(crate) fn forget_tail(&mut self) {
        self.tail.clear();
    }

    /// The line that says why the guest ended, if it said so: Go writes `panic: …` or `fatal error: …`.
    pub(crate) fn last_words(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.tail);
        let line = text
            .lines()
            .find(|line| line.starts_with("panic: ") || line.starts_with("fatal error: "));
        line.map(|line| line.trim_end().to_owned())
    }
}

/// A stream of a guest that writes to an [`Output`].
#[derive(Clone)]
pub(crate) struct OutputPipe {
    /// Stdout or stderr.
    pub(crate) level: LogLevel,
    /// Where it goes.
    pub(crate) output: Arc<Mutex<Output>>,
}

impl IsTerminal for OutputPipe {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for OutputPipe {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for OutputPipe {
    async fn ready(&mut self) {}
}

impl OutputStream for OutputPipe {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.output.lock().write(self.level, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_logged_in_pieces() {
        let mut output = Output::default();
        output.log(LogLevel::Warn, "ctx", &"é".repeat(LINE_BYTES_MAX));
        let lines = output.take(false);
        assert_eq!(lines.len(), 2);
        assert!(
            lines
                .iter()
                .all(|line| line.context == "ctx" && line.text.len() == LINE_BYTES_MAX)
        );
        output.log(LogLevel::Info, "", "");
        assert_eq!(output.take(false).len(), 1);
    }

    #[test]
    fn lines_are_cut_and_the_panic_is_found() {
        let mut output = Output::default();
        output.write(LogLevel::Stdout, b"one\ntw");
        output.write(LogLevel::Stderr, b"panic: boom from Go\n\ngoroutine 1");
        let texts = |lines: Vec<Line>| lines.into_iter().map(|line| line.text).collect::<Vec<_>>();
        assert_eq!(
            texts(output.take(false)),
            ["one", "panic: boom from Go", ""]
        );
        assert_eq!(texts(output.take(true)), ["tw", "goroutine 1"]);
        assert_eq!(output.last_words().unwrap(), "panic: boom from Go");
    }
}
