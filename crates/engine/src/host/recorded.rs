// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / recorded: answers that may be large, and changes of the node's own store that happen exactly once because
//! they are in the same commit as the entry that records them. In: a call. Out: its answer. Never touches WASI.
//! Read next: `durable.rs`, `keyvalue.rs`. Why: runtime spec §2.1 (large payloads), architecture D8.

use golem_model::Value;
use golem_storage::{Op, StoreError};

use super::calls::Call;
use super::durable::Halt;
use super::state::HostState;
use crate::node::Node;

impl HostState {
    /// The recorded answer of a call that was recorded with [`HostState::record_answer`], or `None`: it is live.
    pub(crate) fn replayed_answer(
        &mut self,
        call: Call,
        input: u64,
    ) -> Result<Option<Value>, Halt> {
        if self.is_unrecorded() {
            return Ok(None);
        }
        self.journal()?.replayed(call, input)
    }

    /// Waits for changes that no entry of a log follows: before the end of an invocation is told, they are durable.
    pub(crate) async fn settle_changes(&mut self) {
        if let Some(seq) = self.loose.take() {
            let committer = self.rpc.node().committer();
            if committer.wait(seq).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Records the answer of a call, with what it changes in the store: all of it or nothing. An ephemeral worker records
    /// nothing, but its changes are made.
    pub(crate) fn record_answer(
        &mut self,
        call: Call,
        input: u64,
        answer: Value,
        changes: Vec<Op>,
    ) -> Result<(), Halt> {
        let unrecorded = self.is_unrecorded();
        let node = self.rpc.node();
        let journal = self.journal()?;
        if unrecorded || !journal.records() {
            if !changes.is_empty() {
                self.loose = Some(node.committer().submit(changes));
            }
            return Ok(());
        }
        journal.record_with(call, input, &answer, changes)
    }
}

/// Waits until everything that any worker of the node has written so far can be read from the store.
pub(super) async fn settled(node: &Node) {
    let committer = node.committer();
    let seq = committer.submitted();
    if committer.wait(seq).await.is_err() {
        // The node is stopping: what runs is dropped, and goes on after the next start.
        std::future::pending::<()>().await;
    }
}

/// An answer in the log that is not of the type that this version records.
pub(crate) fn unreadable(call: Call) -> StoreError {
    StoreError::Corrupt {
        what: format!("the recorded answer of `{}`", call.name),
        detail: "it has another type".into(),
    }
}
