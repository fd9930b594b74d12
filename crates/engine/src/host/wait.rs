// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / wait: a guest waits for timers, promises and other workers. In: what it waits for. Out: what came. While it
//! waits it holds no right to run, and its instance may leave memory. Bound: `SUSPEND_AFTER`.
//! Read next: `../link.rs`, `poll.rs`. Why: architecture D13, D14; runtime spec §2.6.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use golem_storage::Op;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use super::state::HostState;
use crate::checkpoint::Held;
use crate::clock::Clock;
use crate::link::Link;
use crate::promises::PromiseWait;
use crate::rpc::CallFuture;
use crate::worker::Message;

/// Something that a guest waits for and that a later instance can wait for as well.
#[derive(Clone)]
pub(crate) enum Source {
    /// A moment of the node's steady clock, nanoseconds.
    Timer(Clock, u64),
    /// The result of a call to another worker.
    Call(Arc<CallFuture>),
    /// A promise.
    Promise(Arc<PromiseWait>),
}

impl Source {
    /// Waits until it is ready.
    pub(crate) async fn ready(&self) {
        match self {
            Self::Timer(clock, due) => clock.sleep_until(*due).await,
            Self::Call(future) => future.wait().await,
            Self::Promise(promise) => promise.ready().await,
        }
    }
}

/// Waits until any one of `sources` is ready; for ever when there is none.
pub(crate) async fn any_ready(sources: &[Source]) {
    let mut waits: Vec<_> = sources
        .iter()
        .map(|source| Box::pin(source.ready()))
        .collect();
    poll_fn(|context| {
        let ready = waits
            .iter_mut()
            .any(|wait| wait.as_mut().poll(context).is_ready());
        if ready {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// What the pollable of a source is made of.
struct SourcePollable(Source);

#[async_trait::async_trait]
impl Pollable for SourcePollable {
    async fn ready(&mut self) {
        self.0.ready().await;
    }
}

/// Pollables that stand for sources, by their number in the resource table.
#[derive(Default)]
pub(crate) struct Waits(HashMap<u32, Source>);

impl Waits {
    /// Remembers that a pollable waits for `source`.
    pub(crate) fn insert(&mut self, pollable: u32, source: Source) {
        self.0.insert(pollable, source);
    }

    /// The source of a pollable; `None` for those of streams and the like.
    pub(crate) fn get(&self, pollable: u32) -> Option<&Source> {
        self.0.get(&pollable)
    }

    /// Whether no pollable is open.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A pollable is gone.
    pub(crate) fn remove(&mut self, pollable: u32) {
        self.0.remove(&pollable);
    }
}

/// A pollable that waits for `source`.
pub(crate) fn subscribe_to(
    state: &mut HostState,
    source: Source,
) -> wasmtime::Result<Resource<DynPollable>> {
    let inner = state.table.push(SourcePollable(source.clone()))?;
    let pollable = subscribe(&mut state.table, inner)?;
    state.waits.insert(pollable.rep(), source);
    state
        .mirror
        .insert(Held::Passing("pollable"), pollable.rep());
    Ok(pollable)
}

/// Waits for `what`. If it takes longer than no time, the guest gives back its right to run meanwhile; with `sources`, all
/// that it waits for, its instance may leave memory (then this future is dropped). A guest that has nothing recorded gives
/// none: it would begin anew with what it has done since. Returns what came, and operations that
/// have to be written together with the record of it.
pub(crate) async fn wait_outside<T>(
    link: Option<&Arc<Link>>,
    sources: Option<Vec<Source>>,
    what: impl Future<Output = T>,
) -> (T, Vec<Op>) {
    let mut what = pin!(what);
    let at_once = poll_fn(|context| {
        Poll::Ready(match what.as_mut().poll(context) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    });
    if let Some(value) = at_once.await {
        return (value, Vec::new());
    }
    let Some(link) = link else {
        return (what.await, Vec::new());
    };
    let until = sources.as_deref().and_then(parks_until);
    link.begin_wait(sources);
    let value = match until {
        None => what.await,
        Some(until) => tokio::select! {
            biased;
            value = &mut what => value,
            () = link.node.clock().sleep(link.node.suspend_after()) => {
                link.node.tell(&link.worker, Message::Park(until));
                what.await
            }
        },
    };
    let ops = link.end_wait().await;
    (value, ops)
}

/// Whether one of `sources` is ready now.
pub(crate) async fn is_any_ready(sources: &[Source]) -> bool {
    tokio::select! {
        biased;
        () = any_ready(sources) => true,
        () = std::future::ready(()) => false,
    }
}

/// Whether a wait can be left to the store, and until when (µs of the steady clock): a call to another worker has to be joined again
/// after a start of the server, so that one cannot. Timers are rounded up, because none may fire early.
pub(crate) fn parks_until(sources: &[Source]) -> Option<Option<u64>> {
    let mut until = None;
    for source in sources {
        match source {
            Source::Call(_) => return None,
            Source::Promise(_) => {}
            Source::Timer(_, due) => {
                let micros = due.div_ceil(1_000);
                until = Some(until.map_or(micros, |until: u64| until.min(micros)));
            }
        }
    }
    Some(until)
}
