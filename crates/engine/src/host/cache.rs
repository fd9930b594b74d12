// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / cache: `wasi:keyvalue/cache`. The futures of the interface are ready at once: an operation is done, and
//! recorded, when it is asked for. A value is gone after its time to live. Bound: `keyed.rs`. Read next: `keyvalue.rs`.

use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynPollable, subscribe};

use super::bindings::keyvalue::cache::{self, GetOrSetEntry};
use super::bindings::{
    CacheDone, CacheEntry, CacheExists, CacheFuture, ErrorHandle, IncomingValue, OutgoingValue,
    Vacancy,
};
use super::body::{Ready, Written};
use super::calls::{
    CACHE_DELETE, CACHE_EXISTS, CACHE_FILL, CACHE_GET, CACHE_GET_OR_SET, CACHE_SET, Call,
};
use super::durable::{Halt, input_hash};
use super::keyed::{Kind, NAME_BYTES_MAX, VALUE_BYTES_MAX, key};
use super::keyvalue::{Cached, Target, row_from, row_value};
use super::recorded::settled;
use super::state::Linked;

/// A value without a time to live is kept until this moment.
const FOR_EVER: u64 = u64::MAX;
/// Nanoseconds of a millisecond.
const MILLI: u64 = 1_000_000;

impl Linked<'_> {
    /// The key of a cached value. A name that is too long is the guest's mistake, and this interface has no place for an
    /// error before the future: it traps.
    fn cache_key(&self, name: &str) -> Result<Vec<u8>, Halt> {
        if name.len() > NAME_BYTES_MAX {
            return Err(Halt::InvalidRequest(format!(
                "a cache key of {} bytes is over the limit of {NAME_BYTES_MAX}",
                name.len()
            )));
        }
        Ok(key(
            Kind::Cached,
            self.0.guest.worker.component_id,
            "",
            name,
        ))
    }

    /// A recorded reading of a value that has not run out.
    async fn cached(&mut self, call: Call, name: &str) -> Result<Option<bytes::Bytes>, Halt> {
        let key = self.cache_key(name)?;
        let input = input_hash(&[&key]);
        let row = match self.0.replayed_answer(call, input)? {
            Some(answer) => row_from(call, &answer)?,
            None => {
                settled(&self.0.rpc.node()).await;
                let now = self.0.real_now();
                let row = self.0.row(&key)?.filter(|row| row.moment > now);
                self.0
                    .record_answer(call, input, row_value(row.as_ref()), Vec::new())?;
                row
            }
        };
        Ok(match row {
            Some(row) => Some(self.0.content(row)?.into()),
            None => None,
        })
    }

    async fn put_cached(
        &mut self,
        call: Call,
        name: &str,
        bytes: Vec<u8>,
        ttl: Option<u32>,
    ) -> Result<(), Halt> {
        let key = self.cache_key(name)?;
        let ttl_bytes = ttl.map_or([0xff; 8], |ttl| u64::from(ttl).to_le_bytes());
        let input = input_hash(&[&key, &bytes, &ttl_bytes]);
        let until = ttl.map_or(FOR_EVER, |ttl| {
            self.0.real_now().saturating_add(u64::from(ttl) * MILLI)
        });
        self.0
            .change_rows(call, input, vec![(key, Some((until, bytes)))])
            .await
    }

    /// Fills the slot that a vacancy stood for.
    pub(super) async fn fill(&mut self, target: Target, bytes: Vec<u8>) -> Result<(), Halt> {
        self.put_cached(CACHE_FILL, &target.key, bytes, target.ttl)
            .await
    }

    fn ready(&mut self) -> Result<Resource<DynPollable>> {
        let ready = self.0.table.push(Ready)?;
        subscribe(&mut self.0.table, ready)
    }
}

fn taken() -> Halt {
    Halt::InvalidRequest("the result of this cache operation was already taken".into())
}

impl cache::Host for Linked<'_> {
    async fn get(&mut self, name: String) -> Result<Resource<CacheFuture>> {
        let value = self.cached(CACHE_GET, &name).await?;
        Ok(self.0.table.push(CacheFuture(Some(Cached::Value(value))))?)
    }

    async fn exists(&mut self, name: String) -> Result<Resource<CacheExists>> {
        let exists = self.cached(CACHE_EXISTS, &name).await?.is_some();
        Ok(self
            .0
            .table
            .push(CacheExists(Some(Cached::Exists(exists))))?)
    }

    async fn set(
        &mut self,
        name: String,
        value: Resource<OutgoingValue>,
        ttl: Option<u32>,
    ) -> Result<Resource<CacheDone>> {
        let bytes = self.0.table.get(&value)?.body.bytes();
        self.put_cached(CACHE_SET, &name, bytes, ttl).await?;
        Ok(self.0.table.push(CacheDone(Some(Cached::Done)))?)
    }

    async fn get_or_set(&mut self, name: String) -> Result<Resource<CacheEntry>> {
        let value = self.cached(CACHE_GET_OR_SET, &name).await?;
        Ok(self
            .0
            .table
            .push(CacheEntry(Some(Cached::Value(value)), name))?)
    }

    async fn delete(&mut self, name: String) -> Result<Resource<CacheDone>> {
        let key = self.cache_key(&name)?;
        let input = input_hash(&[&key]);
        self.0
            .change_rows(CACHE_DELETE, input, vec![(key, None)])
            .await?;
        Ok(self.0.table.push(CacheDone(Some(Cached::Done)))?)
    }
}

impl cache::HostFutureGetResult for Linked<'_> {
    async fn future_get_result_get(
        &mut self,
        future: Resource<CacheFuture>,
    ) -> Result<Option<Result<Option<Resource<IncomingValue>>, Resource<ErrorHandle>>>> {
        match self.0.table.get_mut(&future)?.0.take() {
            Some(Cached::Value(Some(bytes))) => Ok(Some(Ok(Some(self.incoming(bytes)?)))),
            Some(_) => Ok(Some(Ok(None))),
            None => Err(taken().into()),
        }
    }

    async fn listen_to_future_get_result(
        &mut self,
        _future: Resource<CacheFuture>,
    ) -> Result<Resource<DynPollable>> {
        self.ready()
    }

    async fn drop(&mut self, future: Resource<CacheFuture>) -> Result<()> {
        self.0.table.delete(future)?;
        Ok(())
    }
}

impl cache::HostFutureExistsResult for Linked<'_> {
    async fn future_exists_result_get(
        &mut self,
        future: Resource<CacheExists>,
    ) -> Result<Option<Result<bool, Resource<ErrorHandle>>>> {
        match self.0.table.get_mut(&future)?.0.take() {
            Some(found) => Ok(Some(Ok(matches!(found, Cached::Exists(true))))),
            None => Err(taken().into()),
        }
    }

    async fn listen_to_future_exists_result(
        &mut self,
        _future: Resource<CacheExists>,
    ) -> Result<Resource<DynPollable>> {
        self.ready()
    }

    async fn drop(&mut self, future: Resource<CacheExists>) -> Result<()> {
        self.0.table.delete(future)?;
        Ok(())
    }
}

impl cache::HostFutureResult for Linked<'_> {
    async fn future_result_get(
        &mut self,
        future: Resource<CacheDone>,
    ) -> Result<Option<Result<(), Resource<ErrorHandle>>>> {
        match self.0.table.get_mut(&future)?.0.take() {
            Some(_) => Ok(Some(Ok(()))),
            None => Err(taken().into()),
        }
    }

    async fn listen_to_future_result(
        &mut self,
        _future: Resource<CacheDone>,
    ) -> Result<Resource<DynPollable>> {
        self.ready()
    }

    async fn drop(&mut self, future: Resource<CacheDone>) -> Result<()> {
        self.0.table.delete(future)?;
        Ok(())
    }
}

impl cache::HostFutureGetOrSetResult for Linked<'_> {
    async fn future_get_or_set_result_get(
        &mut self,
        future: Resource<CacheEntry>,
    ) -> Result<Option<Result<GetOrSetEntry, Resource<ErrorHandle>>>> {
        let entry = self.0.table.get_mut(&future)?;
        match entry.0.take() {
            Some(Cached::Value(Some(bytes))) => {
                Ok(Some(Ok(GetOrSetEntry::Occupied(self.incoming(bytes)?))))
            }
            Some(_) => {
                let name = entry.1.clone();
                let vacancy = self.0.table.push(Vacancy(Some(name)))?;
                Ok(Some(Ok(GetOrSetEntry::Vacant(vacancy))))
            }
            None => Err(taken().into()),
        }
    }

    async fn listen_to_future_get_or_set_result(
        &mut self,
        _future: Resource<CacheEntry>,
    ) -> Result<Resource<DynPollable>> {
        self.ready()
    }

    async fn drop(&mut self, future: Resource<CacheEntry>) -> Result<()> {
        self.0.table.delete(future)?;
        Ok(())
    }
}

impl cache::HostVacancy for Linked<'_> {
    async fn vacancy_fill(
        &mut self,
        vacancy: Resource<Vacancy>,
        ttl: Option<u32>,
    ) -> Result<Resource<OutgoingValue>> {
        let Some(key) = self.0.table.get_mut(&vacancy)?.0.take() else {
            return Err(taken().into());
        };
        Ok(self.0.table.push(OutgoingValue {
            body: Written::new(VALUE_BYTES_MAX),
            target: Some(Target { key, ttl }),
        })?)
    }

    async fn drop(&mut self, vacancy: Resource<Vacancy>) -> Result<()> {
        self.0.table.delete(vacancy)?;
        Ok(())
    }
}
