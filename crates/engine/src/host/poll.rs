// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / poll: `wasi:io/poll`. What was ready, and when, is recorded: it decides every race in the guest.
//! Timers of a guest and futures of calls to other workers mix in one poll. Read next: `../rpc/future.rs`, `clock.rs`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use golem_model::Value;
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynPollable, Pollable};
use wasmtime_wasi_io::bindings::wasi::io::poll;

use super::calls::{POLL, POLLABLE_BLOCK, POLLABLE_READY};
use super::clock::real_nanos;
use super::durable::{Halt, input_hash};
use super::state::{HostState, Linked};
use crate::rpc::CallFuture;

/// A timer of a guest: ready at a moment of the machine's clock.
pub(crate) struct Timer {
    /// Nanoseconds since 1970.
    pub(crate) due: u64,
}

#[async_trait::async_trait]
impl Pollable for Timer {
    async fn ready(&mut self) {
        loop {
            let now = real_nanos();
            if now >= self.due {
                return;
            }
            tokio::time::sleep(Duration::from_nanos(self.due - now)).await;
        }
    }
}

/// Pollables that stand for calls to other workers, by their number in the resource table.
#[derive(Default)]
pub(crate) struct Waits(HashMap<u32, Arc<CallFuture>>);

impl Waits {
    /// A repeated wait told the guest that a pollable is ready.
    fn promise(&self, pollable: u32) {
        if let Some(future) = self.0.get(&pollable) {
            future.promise();
        }
    }

    /// Remembers that a pollable waits for `future`.
    pub(crate) fn insert(&mut self, pollable: u32, future: Arc<CallFuture>) {
        self.0.insert(pollable, future);
    }
}

impl HostState {
    /// Before a live wait: calls that were only replayed so far are joined again, and a wait that could never end is
    /// found. The guard is held while waiting.
    async fn before_waiting(
        &mut self,
        pollables: &[u32],
    ) -> Result<Option<crate::rpc::WaitGuard>, Halt> {
        self.go_live()?;
        let futures: Vec<_> = pollables
            .iter()
            .filter_map(|rep| self.waits.0.get(rep))
            .cloned()
            .collect();
        for future in &futures {
            self.rpc.join(&self.guest, future)?;
        }
        if futures.len() < pollables.len() || futures.iter().any(|future| future.is_ready()) {
            return Ok(None);
        }
        let targets = futures
            .iter()
            .filter_map(|future| future.target().cloned())
            .collect::<Vec<_>>();
        if targets.len() < futures.len() {
            return Ok(None);
        }
        self.rpc.wait_for(&self.guest.worker, targets).map(Some)
    }

    /// Records what a wait found, with the moment at which it ended.
    fn after_waiting(
        &mut self,
        call: super::calls::Call,
        input: u64,
        found: Value,
    ) -> Result<(), Halt> {
        let now = self.clock.real();
        self.clock.advance(now);
        self.journal()?
            .record(call, input, &Value::Tuple(vec![found, Value::U64(now)]));
        Ok(())
    }

    /// What a wait found when it was live.
    fn replayed_wait(
        &mut self,
        call: super::calls::Call,
        input: u64,
    ) -> Result<Option<Value>, Halt> {
        let Some(value) = self.journal()?.replayed(call, input)? else {
            return Ok(None);
        };
        let Value::Tuple(parts) = value else {
            return Err(wrong());
        };
        let [found, Value::U64(now)] = <[Value; 2]>::try_from(parts).map_err(|_| wrong())? else {
            return Err(wrong());
        };
        self.clock.advance(now);
        Ok(Some(found))
    }
}

fn wrong() -> Halt {
    Halt::InvalidRequest("the recorded outcome of a poll has another type".into())
}

impl poll::Host for Linked<'_> {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> Result<Vec<u32>> {
        let input = input_hash(&[&(pollables.len() as u64).to_le_bytes()]);
        if let Some(found) = self.0.replayed_wait(POLL, input)? {
            let Value::List(ready) = found else {
                return Err(wrong().into());
            };
            let ready = ready.into_iter().map(|index| {
                if let Value::U32(index) = index {
                    Ok(index)
                } else {
                    Err(wrong())
                }
            });
            let ready = ready.collect::<Result<Vec<u32>, Halt>>()?;
            for index in &ready {
                if let Some(pollable) = pollables.get(*index as usize) {
                    self.0.waits.promise(pollable.rep());
                }
            }
            return Ok(ready);
        }
        let reps: Vec<u32> = pollables.iter().map(Resource::rep).collect();
        let guard = self.0.before_waiting(&reps).await?;
        let ready = poll::Host::poll(&mut self.0.table, pollables).await?;
        drop(guard);
        self.0.after_waiting(
            POLL,
            input,
            Value::List(ready.iter().copied().map(Value::U32).collect()),
        )?;
        Ok(ready)
    }
}

impl poll::HostPollable for Linked<'_> {
    async fn ready(&mut self, pollable: Resource<DynPollable>) -> Result<bool> {
        if let Some(found) = self.0.replayed_wait(POLLABLE_READY, 0)? {
            let Value::Bool(ready) = found else {
                return Err(wrong().into());
            };
            if ready {
                self.0.waits.promise(pollable.rep());
            }
            return Ok(ready);
        }
        self.0.go_live()?;
        if let Some(future) = self.0.waits.0.get(&pollable.rep()).cloned() {
            self.0.rpc.join(&self.0.guest, &future)?;
        }
        let ready = poll::HostPollable::ready(&mut self.0.table, pollable).await?;
        self.0
            .after_waiting(POLLABLE_READY, 0, Value::Bool(ready))?;
        Ok(ready)
    }

    async fn block(&mut self, pollable: Resource<DynPollable>) -> Result<()> {
        if self.0.replayed_wait(POLLABLE_BLOCK, 0)?.is_some() {
            self.0.waits.promise(pollable.rep());
            return Ok(());
        }
        let guard = self.0.before_waiting(&[pollable.rep()]).await?;
        poll::HostPollable::block(&mut self.0.table, pollable).await?;
        drop(guard);
        self.0.after_waiting(POLLABLE_BLOCK, 0, Value::Bool(true))?;
        Ok(())
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> Result<()> {
        self.0.waits.0.remove(&pollable.rep());
        poll::HostPollable::drop(&mut self.0.table, pollable)
    }
}
