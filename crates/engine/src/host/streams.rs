// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / streams: `wasi:io/streams` and `error`. Those of sockets and of bodies that are on their way are recorded: what
//! was read, what was taken to be sent, and every error. All others follow from what the guest does, and stay as wasmtime has
//! them. Bound: [`READ_BYTES_MAX`] per reading. Read next: `sockets/tcp.rs`, `http/arriving.rs`, `held.rs`.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::Arc;

use bytes::Bytes;
use golem_model::Value;
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, DynPollable, InputStream, OutputStream, Pollable, StreamError,
    StreamResult,
};
use wasmtime_wasi_io::bindings::wasi::io::error;
use wasmtime_wasi_io::bindings::wasi::io::streams::{
    self, Error, HostInputStream, HostOutputStream, StreamError as GivenError,
};

use super::calls::{
    Call, STREAM_BLOCKING_FLUSH, STREAM_BLOCKING_READ, STREAM_BLOCKING_WRITE, STREAM_CHECK_WRITE,
    STREAM_FLUSH, STREAM_READ, STREAM_WRITE,
};
use super::durable::{Halt, input_hash};
use super::http::{Arriving, Broken, Trouble};
use super::recorded::unreadable;
use super::sockets::{code_of, number_of};
use super::state::{HostState, Linked};
use super::wait::wait_outside;
use crate::checkpoint::Held;

/// Most bytes of one reading: they are recorded in one entry.
const READ_BYTES_MAX: u64 = 64 << 10;

/// Most zeroes that are sent at once: no stream takes more.
const ZEROES_MAX: u64 = 1 << 20;

/// Most bytes of a write that waits. Source: WASI 0.2.
const BLOCKING_WRITE_MAX: u64 = 4_096;

/// Where a recorded stream leads.
#[derive(Debug)]
pub(super) enum Channel {
    /// One direction of a TCP connection.
    Socket,
    /// The body of a response.
    Body(Arc<Arriving>),
}

/// The streams that are recorded, by their numbers in the resource table.
#[derive(Debug, Default)]
pub(super) struct Channels(HashMap<u32, Channel>);

impl Channels {
    /// A stream that is recorded from here on.
    pub(super) fn add(&mut self, stream: u32, channel: Channel) {
        self.0.insert(stream, channel);
    }
}

/// Both streams of a connection that is lost.
pub(super) struct Reset;

fn reset() -> StreamError {
    failed(ErrorCode::ConnectionReset)
}

/// The error of a stream, from what the log keeps of it: the same text and the same code whenever it is made.
fn failed(code: ErrorCode) -> StreamError {
    let kind = match code {
        ErrorCode::ConnectionReset => ErrorKind::ConnectionReset,
        ErrorCode::ConnectionAborted => ErrorKind::ConnectionAborted,
        ErrorCode::Timeout => ErrorKind::TimedOut,
        ErrorCode::InvalidState => ErrorKind::NotConnected,
        _ => ErrorKind::Other,
    };
    StreamError::LastOperationFailed(std::io::Error::from(kind).into())
}

#[async_trait::async_trait]
impl Pollable for Reset {
    async fn ready(&mut self) {}
}

#[async_trait::async_trait]
impl InputStream for Reset {
    fn read(&mut self, _size: usize) -> StreamResult<Bytes> {
        Err(reset())
    }
}

#[async_trait::async_trait]
impl OutputStream for Reset {
    fn write(&mut self, _bytes: Bytes) -> StreamResult<()> {
        Err(reset())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Err(reset())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Err(reset())
    }
}

fn trap(halt: Halt) -> StreamError {
    StreamError::Trap(halt.into())
}

fn wrong(call: Call) -> StreamError {
    trap(unreadable(call).into())
}

impl HostState {
    fn is_recorded(&self, stream: u32) -> bool {
        self.channels.0.contains_key(&stream)
    }

    /// What a reading is compared by: how much is wanted, and of which response.
    fn reading(&self, stream: u32, len: u64) -> u64 {
        let len = len.to_le_bytes();
        match self.channels.0.get(&stream) {
            Some(Channel::Body(body)) => input_hash(&[&len, &body.number().to_le_bytes()]),
            _ => input_hash(&[&len]),
        }
    }

    /// What a repeated reading gave.
    fn was_read(&self, stream: u32, call: Call, value: Value) -> StreamResult<Vec<u8>> {
        let Value::Bytes(bytes) = value else {
            return Err(wrong(call));
        };
        if let Some(Channel::Body(body)) = self.channels.0.get(&stream) {
            body.was_read(&bytes);
        }
        Ok(bytes)
    }

    /// What the log has of a call, or `None`: it is live, and no rehearsal.
    fn stream_replayed(
        &mut self,
        call: Call,
        input: u64,
    ) -> StreamResult<Option<StreamResult<Value>>> {
        let Some(value) = self.answer_before_network(call, input).map_err(trap)? else {
            return Ok(None);
        };
        Ok(Some(match value {
            Value::Result(Ok(Some(value))) => Ok(*value),
            Value::Result(Err(None)) => Err(StreamError::Closed),
            Value::Result(Err(Some(code))) => match *code {
                Value::Enum(number) => Err(failed(code_of(number))),
                Value::U32(number) => match Trouble::from_number(number) {
                    Some(trouble) => Err(Broken(trouble).into()),
                    None => return Err(wrong(call)),
                },
                _ => return Err(wrong(call)),
            },
            _ => return Err(wrong(call)),
        }))
    }

    /// Records what a live call gave, and gives it in the form that the log has.
    fn stream_record(
        &mut self,
        call: Call,
        input: u64,
        given: StreamResult<Value>,
    ) -> StreamResult<Value> {
        let (answer, given) = match given {
            Ok(value) => (Ok(Some(Box::new(value.clone()))), Ok(value)),
            Err(StreamError::Closed) => (Err(None), Err(StreamError::Closed)),
            Err(StreamError::LastOperationFailed(error)) if error.is::<Broken>() => {
                let number = error.downcast_ref().map(|Broken(trouble)| *trouble as u32);
                let number = number.map(|number| Box::new(Value::U32(number)));
                (Err(number), Err(StreamError::LastOperationFailed(error)))
            }
            Err(StreamError::LastOperationFailed(error)) => {
                let code = error
                    .downcast_ref::<std::io::Error>()
                    .map_or(ErrorCode::Unknown, ErrorCode::from);
                let number = Value::Enum(number_of(code));
                (Err(Some(Box::new(number))), Err(failed(code)))
            }
            Err(StreamError::Trap(error)) => return Err(StreamError::Trap(error)),
        };
        self.record_answer(call, input, Value::Result(answer), Vec::new())
            .map_err(trap)?;
        given
    }

    /// A call of a socket's stream for writing that does not wait.
    fn stream_call(
        &mut self,
        call: Call,
        input: &[u8],
        live: impl FnOnce(&mut Self) -> StreamResult<Value>,
    ) -> StreamResult<Value> {
        let input = input_hash(&[input]);
        if let Some(answer) = self.stream_replayed(call, input)? {
            return answer;
        }
        let given = live(self);
        self.stream_record(call, input, given)
    }

    /// Records what a live reading gave.
    fn read_record(
        &mut self,
        call: Call,
        input: u64,
        given: StreamResult<Vec<u8>>,
    ) -> StreamResult<Vec<u8>> {
        match self.stream_record(call, input, given.map(Value::Bytes))? {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(wrong(call)),
        }
    }

    fn follow_pollable(&mut self, stream: u32, pollable: &Resource<DynPollable>) {
        if matches!(self.channels.0.get(&stream), Some(Channel::Socket)) {
            self.mirror
                .insert(Held::Passing("pollable"), pollable.rep());
        }
    }
}

impl error::Host for Linked<'_> {}

impl error::HostError for Linked<'_> {
    fn to_debug_string(&mut self, error: Resource<Error>) -> Result<String> {
        // Not its form for debugging, which has the stack of the host in it: a guest would see another one in a replay.
        Ok(format!("{:#}", self.0.table.get(&error)?))
    }

    fn drop(&mut self, error: Resource<Error>) -> Result<()> {
        error::HostError::drop(&mut self.0.table, error)
    }
}

impl streams::Host for Linked<'_> {
    fn convert_stream_error(&mut self, error: StreamError) -> Result<GivenError> {
        streams::Host::convert_stream_error(&mut self.0.table, error)
    }
}

impl HostInputStream for Linked<'_> {
    async fn drop(&mut self, stream: Resource<DynInputStream>) -> Result<()> {
        self.0.mirror.remove(stream.rep());
        self.0.channels.0.remove(&stream.rep());
        HostInputStream::drop(&mut self.0.table, stream).await
    }

    fn read(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<Vec<u8>> {
        let rep = stream.rep();
        if !self.0.is_recorded(rep) {
            return self.0.table.read(stream, len);
        }
        let len = len.min(READ_BYTES_MAX);
        let input = self.0.reading(rep, len);
        if let Some(answer) = self.0.stream_replayed(STREAM_READ, input)? {
            return self.0.was_read(rep, STREAM_READ, answer?);
        }
        self.0.go_live().map_err(trap)?;
        let given = self.0.table.read(stream, len);
        self.0.read_record(STREAM_READ, input, given)
    }

    async fn blocking_read(
        &mut self,
        stream: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<Vec<u8>> {
        let rep = stream.rep();
        if !self.0.is_recorded(rep) {
            return self.0.table.blocking_read(stream, len).await;
        }
        let call = STREAM_BLOCKING_READ;
        let len = len.min(READ_BYTES_MAX);
        let input = self.0.reading(rep, len);
        if let Some(answer) = self.0.stream_replayed(call, input)? {
            return self.0.was_read(rep, call, answer?);
        }
        self.0.go_live().map_err(trap)?;
        let link = self.0.link.clone();
        let wait = self.0.table.blocking_read(stream, len);
        let (given, _) = wait_outside(link.as_ref(), None, wait).await;
        self.0.read_record(call, input, given)
    }

    fn skip(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<u64> {
        if !self.0.is_recorded(stream.rep()) {
            return self.0.table.skip(stream, len);
        }
        Ok(self.read(stream, len)?.len() as u64)
    }

    async fn blocking_skip(
        &mut self,
        stream: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        if !self.0.is_recorded(stream.rep()) {
            return self.0.table.blocking_skip(stream, len).await;
        }
        Ok(self.blocking_read(stream, len).await?.len() as u64)
    }

    fn subscribe(&mut self, stream: Resource<DynInputStream>) -> Result<Resource<DynPollable>> {
        let rep = stream.rep();
        let pollable = HostInputStream::subscribe(&mut self.0.table, stream)?;
        self.0.follow_pollable(rep, &pollable);
        Ok(pollable)
    }
}

impl HostOutputStream for Linked<'_> {
    async fn drop(&mut self, stream: Resource<DynOutputStream>) -> Result<()> {
        self.0.mirror.remove(stream.rep());
        self.0.channels.0.remove(&stream.rep());
        HostOutputStream::drop(&mut self.0.table, stream).await
    }

    fn check_write(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<u64> {
        if !self.0.is_recorded(stream.rep()) {
            return self.0.table.check_write(stream);
        }
        let value = self.0.stream_call(STREAM_CHECK_WRITE, &[], |state| {
            Ok(Value::U64(state.table.check_write(stream)?))
        })?;
        match value {
            Value::U64(permit) => Ok(permit),
            _ => Err(wrong(STREAM_CHECK_WRITE)),
        }
    }

    fn write(&mut self, stream: Resource<DynOutputStream>, bytes: Vec<u8>) -> StreamResult<()> {
        if !self.0.is_recorded(stream.rep()) {
            return self.0.table.write(stream, bytes);
        }
        let input = bytes.clone();
        self.0.stream_call(STREAM_WRITE, &input, |state| {
            state.table.write(stream, bytes)?;
            Ok(Value::Bool(true))
        })?;
        Ok(())
    }

    fn subscribe(&mut self, stream: Resource<DynOutputStream>) -> Result<Resource<DynPollable>> {
        let rep = stream.rep();
        let pollable = HostOutputStream::subscribe(&mut self.0.table, stream)?;
        self.0.follow_pollable(rep, &pollable);
        Ok(pollable)
    }

    async fn blocking_write_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        bytes: Vec<u8>,
    ) -> StreamResult<()> {
        if !self.0.is_recorded(stream.rep()) {
            return self.0.table.blocking_write_and_flush(stream, bytes).await;
        }
        let call = STREAM_BLOCKING_WRITE;
        let input = input_hash(&[&bytes]);
        if let Some(answer) = self.0.stream_replayed(call, input)? {
            return answer.map(drop);
        }
        self.0.go_live().map_err(trap)?;
        let link = self.0.link.clone();
        let wait = self.0.table.blocking_write_and_flush(stream, bytes);
        let (given, _) = wait_outside(link.as_ref(), None, wait).await;
        let given = given.map(|()| Value::Bool(true));
        self.0.stream_record(call, input, given).map(drop)
    }

    async fn blocking_write_zeroes_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        len: u64,
    ) -> StreamResult<()> {
        if !self.0.is_recorded(stream.rep()) {
            let table = &mut self.0.table;
            return table.blocking_write_zeroes_and_flush(stream, len).await;
        }
        self.blocking_write_and_flush(stream, zeroes(len, BLOCKING_WRITE_MAX)?)
            .await
    }

    fn write_zeroes(&mut self, stream: Resource<DynOutputStream>, len: u64) -> StreamResult<()> {
        if !self.0.is_recorded(stream.rep()) {
            return self.0.table.write_zeroes(stream, len);
        }
        self.write(stream, zeroes(len, ZEROES_MAX)?)
    }

    fn flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        if !self.0.is_recorded(stream.rep()) {
            return self.0.table.flush(stream);
        }
        self.0.stream_call(STREAM_FLUSH, &[], |state| {
            state.table.flush(stream)?;
            Ok(Value::Bool(true))
        })?;
        Ok(())
    }

    async fn blocking_flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        if !self.0.is_recorded(stream.rep()) {
            return self.0.table.blocking_flush(stream).await;
        }
        let call = STREAM_BLOCKING_FLUSH;
        let input = input_hash(&[]);
        if let Some(answer) = self.0.stream_replayed(call, input)? {
            return answer.map(drop);
        }
        self.0.go_live().map_err(trap)?;
        let link = self.0.link.clone();
        let wait = self.0.table.blocking_flush(stream);
        let (given, _) = wait_outside(link.as_ref(), None, wait).await;
        let given = given.map(|()| Value::Bool(true));
        self.0.stream_record(call, input, given).map(drop)
    }

    fn splice(
        &mut self,
        to: Resource<DynOutputStream>,
        from: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        if !self.0.is_recorded(to.rep()) && !self.0.is_recorded(from.rep()) {
            return self.0.table.splice(to, from, len);
        }
        // In steps, because only one of the two may be recorded: the other has to move in a replay as well.
        let permit = self.check_write(Resource::new_borrow(to.rep()))?;
        let bytes = match len.min(permit) {
            0 => return Ok(0),
            len => self.read(from, len)?,
        };
        let moved = bytes.len() as u64;
        if moved > 0 {
            self.write(to, bytes)?;
        }
        Ok(moved)
    }

    async fn blocking_splice(
        &mut self,
        to: Resource<DynOutputStream>,
        from: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        if !self.0.is_recorded(to.rep()) && !self.0.is_recorded(from.rep()) {
            return self.0.table.blocking_splice(to, from, len).await;
        }
        let len = len.min(BLOCKING_WRITE_MAX);
        let bytes = self.blocking_read(from, len).await?;
        let moved = bytes.len() as u64;
        self.blocking_write_and_flush(to, bytes).await?;
        Ok(moved)
    }
}

fn zeroes(len: u64, most: u64) -> StreamResult<Vec<u8>> {
    match usize::try_from(len) {
        Ok(count) if len <= most => Ok(vec![0; count]),
        _ => Err(StreamError::trap("more zeroes than a stream takes")),
    }
}
