// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / poll: `wasi:io/poll`. What was ready, and when, is recorded: it decides every race in the guest.
//! Timers of a guest and futures of calls to other workers mix in one poll. Read next: `../rpc/future.rs`, `clock.rs`.

use golem_model::Value;
use golem_storage::Op;
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi_io::bindings::wasi::io::poll;

use super::calls::{POLL, POLLABLE_BLOCK, POLLABLE_READY};
use super::durable::{Halt, input_hash};
use super::state::{HostState, Linked};
use super::wait::{Source, Waits, wait_outside};
use crate::rpc::RpcError;

impl Waits {
    /// A repeated wait told the guest that a pollable is ready.
    fn promise(&self, pollable: u32) {
        if let Some(Source::Call(future)) = self.get(pollable) {
            future.promise();
        }
    }
}

impl HostState {
    /// Before a live wait: calls that were only replayed so far are joined again, and a wait that could never end is found:
    /// its first call ends with the cycle as its outcome. Returns what it waits for, unless something else is among it.
    fn before_waiting(&mut self, pollables: &[u32]) -> Result<Option<Vec<Source>>, Halt> {
        self.go_live()?;
        let known = pollables.iter().map(|rep| self.waits.get(*rep).cloned());
        let Some(sources) = known.clone().collect::<Option<Vec<Source>>>() else {
            for source in known.flatten() {
                if let Source::Call(future) = source {
                    self.rpc.join(&self.guest, &future)?;
                }
            }
            return Ok(None);
        };
        let mut targets = Vec::new();
        for source in &sources {
            if let Source::Call(future) = source {
                self.rpc.join(&self.guest, future)?;
                if !future.is_ready() {
                    targets.extend(future.target().cloned());
                }
            }
        }
        if targets.len() == sources.len()
            && let Some(link) = &self.link
            && let Err(path) = link.wait_for(targets)
            && let Some(Source::Call(future)) = sources.first()
        {
            future.resolve(Err(RpcError::deadlock(&path)));
        }
        Ok(Some(sources))
    }

    /// Records what a wait found, with the moment at which it ended.
    fn after_waiting(
        &mut self,
        call: super::calls::Call,
        input: u64,
        found: Value,
        also: Vec<Op>,
    ) -> Result<(), Halt> {
        let now = self.real_now();
        self.clock.advance(now);
        if !self.is_unrecorded() {
            let outcome = Value::Tuple(vec![found, Value::U64(now)]);
            self.journal()?.record_with(call, input, &outcome, also)?;
        }
        Ok(())
    }

    /// What a wait found when it was live.
    fn replayed_wait(
        &mut self,
        call: super::calls::Call,
        input: u64,
    ) -> Result<Option<Value>, Halt> {
        if self.is_unrecorded() {
            return Ok(None);
        }
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
        let sources = self.0.before_waiting(&reps)?;
        let (link, recorded) = (self.0.link.clone(), !self.0.is_unrecorded());
        let wait = poll::Host::poll(&mut self.0.table, pollables);
        let sources = sources.filter(|_| recorded);
        let (ready, also) = wait_outside(link.as_ref(), sources, wait).await;
        let ready = ready?;
        let found = Value::List(ready.iter().copied().map(Value::U32).collect());
        self.0.after_waiting(POLL, input, found, also)?;
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
        if let Some(Source::Call(future)) = self.0.waits.get(pollable.rep()).cloned() {
            self.0.rpc.join(&self.0.guest, &future)?;
        }
        let ready = poll::HostPollable::ready(&mut self.0.table, pollable).await?;
        self.0
            .after_waiting(POLLABLE_READY, 0, Value::Bool(ready), Vec::new())?;
        Ok(ready)
    }

    async fn block(&mut self, pollable: Resource<DynPollable>) -> Result<()> {
        if self.0.replayed_wait(POLLABLE_BLOCK, 0)?.is_some() {
            self.0.waits.promise(pollable.rep());
            return Ok(());
        }
        let sources = self.0.before_waiting(&[pollable.rep()])?;
        let (link, recorded) = (self.0.link.clone(), !self.0.is_unrecorded());
        let wait = poll::HostPollable::block(&mut self.0.table, pollable);
        let sources = sources.filter(|_| recorded);
        let (blocked, also) = wait_outside(link.as_ref(), sources, wait).await;
        blocked?;
        self.0
            .after_waiting(POLLABLE_BLOCK, 0, Value::Bool(true), also)?;
        Ok(())
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> Result<()> {
        self.0.waits.remove(pollable.rep());
        self.0.mirror.remove(pollable.rep());
        poll::HostPollable::drop(&mut self.0.table, pollable)
    }
}
