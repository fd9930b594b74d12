// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / types: the parts of `wasi:http/types` that only hold something: responses in both directions, bodies to
//! read, trailers, options. Only what is still on its way is recorded. Read next: `outgoing.rs`, `arriving.rs`.

use std::sync::Arc;
use std::time::Duration;

use golem_model::Value;
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynInputStream, DynPollable, subscribe};

use super::super::bindings::http::types::{self, ErrorCode};
use super::super::body::{BodyReader, Ready};
use super::super::calls::HTTP_TRAILERS;
use super::super::durable::{Halt, input_hash};
use super::super::recorded::unreadable;
use super::super::state::{HostState, Linked};
use super::super::streams::Channel;
use super::arriving::{Arriving, ArrivingReader, End, Ending};
use super::client::{Timeouts, Trouble};
use super::fields::Fields;
use super::message::{
    BodySlot, Content, IncomingBody, IncomingResponse, OutgoingBody, OutgoingResponse,
    headers_from, headers_value,
};
use super::outgoing::error_code;

/// `wasi:http/types.request-options`
#[derive(Debug, Clone, Copy, Default)]
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it, which `pub(crate)` forbids"
)]
pub struct Options(pub(super) Timeouts);

impl types::HostIncomingResponse for Linked<'_> {
    async fn status(&mut self, response: Resource<IncomingResponse>) -> Result<u16> {
        Ok(self.0.table.get(&response)?.status)
    }

    async fn headers(&mut self, response: Resource<IncomingResponse>) -> Result<Resource<Fields>> {
        let fields = self.0.table.get(&response)?.fields.clone();
        Ok(self.0.table.push(fields)?)
    }

    async fn consume(
        &mut self,
        response: Resource<IncomingResponse>,
    ) -> Result<Result<Resource<IncomingBody>, ()>> {
        match self.0.table.get_mut(&response)?.body.take() {
            Some(body) => Ok(Ok(self.0.table.push(body)?)),
            None => Ok(Err(())),
        }
    }

    async fn drop(&mut self, response: Resource<IncomingResponse>) -> Result<()> {
        self.0.table.delete(response)?;
        Ok(())
    }
}

impl types::HostIncomingBody for Linked<'_> {
    async fn stream(
        &mut self,
        body: Resource<IncomingBody>,
    ) -> Result<Result<Resource<DynInputStream>, ()>> {
        let body = self.0.table.get_mut(&body)?;
        if std::mem::replace(&mut body.streamed, true) {
            return Ok(Err(()));
        }
        let content = body.content.clone();
        Ok(Ok(match content {
            Content::Whole { bytes, .. } => BodyReader::push(&mut self.0.table, bytes)?,
            Content::Arriving(body) => {
                let reader: DynInputStream = Box::new(ArrivingReader(Arc::clone(&body)));
                let stream = self.0.table.push(reader)?;
                self.0.channels.add(stream.rep(), Channel::Body(body));
                stream
            }
        }))
    }

    async fn finish(&mut self, body: Resource<IncomingBody>) -> Result<Resource<Trailers>> {
        let trailers = match self.0.table.delete(body)?.content {
            Content::Whole { trailers, .. } => Trailers::Here(trailers),
            Content::Arriving(body) => {
                body.discard();
                Trailers::Arriving(body)
            }
        };
        Ok(self.0.table.push(trailers)?)
    }

    async fn drop(&mut self, body: Resource<IncomingBody>) -> Result<()> {
        self.0.table.delete(body)?;
        Ok(())
    }
}

/// `wasi:http/types.future-trailers`
#[derive(Debug)]
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it, which `pub(crate)` forbids"
)]
pub enum Trailers {
    /// They, or that there are none.
    Here(Option<Fields>),
    /// Their body is on its way.
    Arriving(Arc<Arriving>),
    /// The guest has them.
    Taken,
}

impl HostState {
    /// The trailers of a body, or why it ends early: recorded, or as they came. `None`: not yet.
    fn trailers(&mut self, body: &Arc<Arriving>) -> Result<Option<End>, Halt> {
        let input = input_hash(&[&body.number().to_le_bytes()]);
        if let Some(answer) = self.replayed_answer(HTTP_TRAILERS, input)? {
            let end = match answer {
                Value::Option(None) => Some(None),
                Value::Option(Some(end)) => match *end {
                    Value::Result(Ok(None)) => Some(Some(Ok(None))),
                    Value::Result(Ok(Some(headers))) => {
                        headers_from(*headers).map(|headers| Some(Ok(Some(headers))))
                    }
                    Value::Result(Err(Some(number))) => match *number {
                        Value::U32(number) => {
                            Trouble::from_number(number).map(|trouble| Some(Err(trouble)))
                        }
                        _ => None,
                    },
                    _ => None,
                },
                _ => None,
            };
            return Ok(end.ok_or_else(|| unreadable(HTTP_TRAILERS))?);
        }
        self.go_live()?;
        body.go();
        let end = body.ended();
        let answer = end.as_ref().map(|end| {
            Box::new(Value::Result(match end {
                Ok(trailers) => Ok(trailers.as_ref().map(|all| Box::new(headers_value(all)))),
                Err(trouble) => Err(Some(Box::new(Value::U32(*trouble as u32)))),
            }))
        });
        self.record_answer(HTTP_TRAILERS, input, Value::Option(answer), Vec::new())?;
        Ok(end)
    }
}

impl types::HostFutureTrailers for Linked<'_> {
    async fn subscribe(&mut self, trailers: Resource<Trailers>) -> Result<Resource<DynPollable>> {
        let table = &mut self.0.table;
        match table.get(&trailers)? {
            Trailers::Here(_) | Trailers::Taken => {
                let ready = table.push(Ready)?;
                subscribe(table, ready)
            }
            Trailers::Arriving(body) => {
                let ending = Ending(Arc::clone(body));
                let ending = table.push(ending)?;
                subscribe(table, ending)
            }
        }
    }

    async fn get(
        &mut self,
        trailers: Resource<Trailers>,
    ) -> Result<Option<Result<Result<Option<Resource<Fields>>, ErrorCode>, ()>>> {
        let fields = match self.0.table.get_mut(&trailers)? {
            Trailers::Taken => return Ok(Some(Err(()))),
            Trailers::Here(fields) => fields.take(),
            Trailers::Arriving(body) => {
                let body = Arc::clone(body);
                match self.0.trailers(&body)? {
                    None => return Ok(None),
                    Some(Ok(headers)) => headers.map(Fields::fixed),
                    Some(Err(trouble)) => {
                        *self.0.table.get_mut(&trailers)? = Trailers::Taken;
                        return Ok(Some(Ok(Err(error_code(trouble)))));
                    }
                }
            }
        };
        *self.0.table.get_mut(&trailers)? = Trailers::Taken;
        let fields = match fields {
            Some(fields) => Some(self.0.table.push(fields)?),
            None => None,
        };
        Ok(Some(Ok(Ok(fields))))
    }

    async fn drop(&mut self, trailers: Resource<Trailers>) -> Result<()> {
        self.0.table.delete(trailers)?;
        Ok(())
    }
}

impl types::HostOutgoingResponse for Linked<'_> {
    async fn new(&mut self, fields: Resource<Fields>) -> Result<Resource<OutgoingResponse>> {
        let fields = self.0.table.delete(fields)?;
        Ok(self.0.table.push(OutgoingResponse {
            status: 200,
            fields: Fields::fixed(fields.entries),
            body: None,
        })?)
    }

    async fn status_code(&mut self, response: Resource<OutgoingResponse>) -> Result<u16> {
        Ok(self.0.table.get(&response)?.status)
    }

    async fn set_status_code(
        &mut self,
        response: Resource<OutgoingResponse>,
        status: u16,
    ) -> Result<Result<(), ()>> {
        // Responses that are only announcements cannot be the answer.
        if !(200..1000).contains(&status) {
            return Ok(Err(()));
        }
        self.0.table.get_mut(&response)?.status = status;
        Ok(Ok(()))
    }

    async fn headers(&mut self, response: Resource<OutgoingResponse>) -> Result<Resource<Fields>> {
        let fields = self.0.table.get(&response)?.fields.clone();
        Ok(self.0.table.push(fields)?)
    }

    async fn body(
        &mut self,
        response: Resource<OutgoingResponse>,
    ) -> Result<Result<Resource<OutgoingBody>, ()>> {
        let response = self.0.table.get_mut(&response)?;
        if response.body.is_some() {
            return Ok(Err(()));
        }
        let slot = BodySlot::new();
        response.body = Some(slot.clone());
        Ok(Ok(self.0.table.push(OutgoingBody { slot })?))
    }

    async fn drop(&mut self, response: Resource<OutgoingResponse>) -> Result<()> {
        self.0.table.delete(response)?;
        Ok(())
    }
}

fn nanos(duration: Option<Duration>) -> Option<u64> {
    duration.map(|duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

impl types::HostRequestOptions for Linked<'_> {
    async fn new(&mut self) -> Result<Resource<Options>> {
        Ok(self.0.table.push(Options::default())?)
    }

    async fn connect_timeout(&mut self, options: Resource<Options>) -> Result<Option<u64>> {
        Ok(nanos(self.0.table.get(&options)?.0.connect))
    }

    async fn set_connect_timeout(
        &mut self,
        options: Resource<Options>,
        duration: Option<u64>,
    ) -> Result<Result<(), ()>> {
        self.0.table.get_mut(&options)?.0.connect = duration.map(Duration::from_nanos);
        Ok(Ok(()))
    }

    async fn first_byte_timeout(&mut self, options: Resource<Options>) -> Result<Option<u64>> {
        Ok(nanos(self.0.table.get(&options)?.0.first_byte))
    }

    async fn set_first_byte_timeout(
        &mut self,
        options: Resource<Options>,
        duration: Option<u64>,
    ) -> Result<Result<(), ()>> {
        self.0.table.get_mut(&options)?.0.first_byte = duration.map(Duration::from_nanos);
        Ok(Ok(()))
    }

    async fn between_bytes_timeout(&mut self, options: Resource<Options>) -> Result<Option<u64>> {
        Ok(nanos(self.0.table.get(&options)?.0.between_bytes))
    }

    async fn set_between_bytes_timeout(
        &mut self,
        options: Resource<Options>,
        duration: Option<u64>,
    ) -> Result<Result<(), ()>> {
        self.0.table.get_mut(&options)?.0.between_bytes = duration.map(Duration::from_nanos);
        Ok(Ok(()))
    }

    async fn drop(&mut self, options: Resource<Options>) -> Result<()> {
        self.0.table.delete(options)?;
        Ok(())
    }
}
