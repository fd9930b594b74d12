// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / timer: what happens to a worker at a moment. In: the payload of a stored timer. Out: bytes.
//! Never touches IO. Read next: golem-engine's `timers.rs`. Source: runtime spec §2.8.

use crate::oplog::Accepted;

/// What a timer does: protobuf wire format, like the log.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TimerAction {
    /// Exactly one of them.
    #[prost(oneof = "Action", tags = "1, 2")]
    pub action: Option<Action>,
}

/// See [`TimerAction`].
#[expect(
    clippy::large_enum_variant,
    reason = "it is read from the store, handled and dropped"
)]
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Action {
    /// Wakes a suspended worker: the log that the timer was armed for. Nothing happens when the worker has another by now.
    #[prost(fixed64, tag = "1")]
    Wake(u64),
    /// Invokes the worker, which is created if it does not exist.
    #[prost(message, tag = "2")]
    Invoke(Accepted),
}

impl TimerAction {
    /// Reads a payload. Fails on bytes that are no protobuf message.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, prost::DecodeError> {
        prost::Message::decode(bytes)
    }

    /// The bytes of the payload of `action`.
    #[must_use]
    pub fn bytes_of(action: Action) -> Vec<u8> {
        prost::Message::encode_to_vec(&Self {
            action: Some(action),
        })
    }
}
