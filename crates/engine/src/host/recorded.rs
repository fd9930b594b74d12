// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / recorded: answers that may be large, and changes of the node's own store that happen exactly once because
//! they are in the same commit as the entry that records them. In: a call. Out: its answer. Never touches WASI.
//! Read next: `durable.rs`, `keyvalue.rs`. Why: runtime spec §2.1 (large payloads), architecture D8.

use golem_model::Value;
use golem_model::oplog::INLINE_BYTES_MAX;
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
        let Some(value) = self.journal()?.replayed(call, input)? else {
            return Ok(None);
        };
        match value {
            Value::Variant(0, Some(answer)) => Ok(Some(*answer)),
            Value::Variant(1, Some(hash)) => {
                let Value::String(hash) = *hash else {
                    return Err(unreadable(call).into());
                };
                let bytes = self
                    .rpc
                    .node()
                    .payloads()
                    .load(Vec::new(), Some(hash.into_bytes()))?;
                let answer = Value::from_bytes(&bytes).map_err(|_| unreadable(call))?;
                Ok(Some(answer))
            }
            _ => Err(unreadable(call).into()),
        }
    }

    /// Records the answer of a call, with what it changes in the store: all of it or nothing. A large answer goes to a
    /// blob first. An ephemeral worker records nothing, but its changes are made.
    pub(crate) fn record_answer(
        &mut self,
        call: Call,
        input: u64,
        answer: Value,
        changes: Vec<Op>,
    ) -> Result<(), Halt> {
        let node = self.rpc.node();
        let journal = self.journal()?;
        if !journal.records() {
            if !changes.is_empty() {
                node.committer().submit(changes);
            }
            return Ok(());
        }
        let bytes = answer.to_bytes();
        let recorded = if bytes.len() <= INLINE_BYTES_MAX {
            Value::Variant(0, Some(Box::new(answer)))
        } else {
            let (_, hash) = node.payloads().store(bytes)?;
            let hash = String::from_utf8(hash.unwrap_or_default()).unwrap_or_default();
            Value::Variant(1, Some(Box::new(Value::String(hash))))
        };
        journal.record_with(call, input, &recorded, changes);
        Ok(())
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
