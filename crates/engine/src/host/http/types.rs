// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / types: the parts of `wasi:http/types` that only hold something: responses in both directions, bodies to
//! read, trailers, options. Everything is there when the guest asks, so nothing is recorded. Read next: `outgoing.rs`.

use std::time::Duration;

use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynInputStream, DynPollable, subscribe};

use super::super::bindings::http::types::{self, ErrorCode};
use super::super::body::{BodyReader, Ready};
use super::super::state::Linked;
use super::client::Timeouts;
use super::fields::Fields;
use super::message::{BodySlot, IncomingBody, IncomingResponse, OutgoingBody, OutgoingResponse};

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
        match self.0.table.get_mut(&body)?.bytes.take() {
            Some(bytes) => Ok(Ok(BodyReader::push(&mut self.0.table, bytes)?)),
            None => Ok(Err(())),
        }
    }

    async fn finish(&mut self, body: Resource<IncomingBody>) -> Result<Resource<Trailers>> {
        let body = self.0.table.delete(body)?;
        Ok(self.0.table.push(Trailers(Some(body.trailers)))?)
    }

    async fn drop(&mut self, body: Resource<IncomingBody>) -> Result<()> {
        self.0.table.delete(body)?;
        Ok(())
    }
}

/// `wasi:http/types.future-trailers`. `None` once they were taken.
#[derive(Debug)]
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it, which `pub(crate)` forbids"
)]
pub struct Trailers(Option<Option<Fields>>);

impl types::HostFutureTrailers for Linked<'_> {
    async fn subscribe(&mut self, _trailers: Resource<Trailers>) -> Result<Resource<DynPollable>> {
        let ready = self.0.table.push(Ready)?;
        subscribe(&mut self.0.table, ready)
    }

    async fn get(
        &mut self,
        trailers: Resource<Trailers>,
    ) -> Result<Option<Result<Result<Option<Resource<Fields>>, ErrorCode>, ()>>> {
        let Some(trailers) = self.0.table.get_mut(&trailers)?.0.take() else {
            return Ok(Some(Err(())));
        };
        let fields = match trailers {
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
