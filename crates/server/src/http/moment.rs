// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/moment: when something has to happen, as a query says it. In: `timeout`, `at`, `in`. Out: microseconds of a
//! clock of the node. Read next: golem-model `duration.rs`.

use golem_engine::Node;
use golem_model::Timestamp;
use golem_model::duration::parse_duration;

use super::error::{ApiError, RequestError};
use super::extract::Params;

/// Until when an invocation has to be finished, by the steady clock: `timeout` from now on. Errors: `BadDuration`.
pub(super) fn deadline(node: &Node, query: &Params) -> Result<Option<u64>, ApiError> {
    let timeout = query.get("timeout").map(parse_duration).transpose()?;
    Ok(timeout.map(|timeout| node.deadline_in(timeout)))
}

/// When a scheduled invocation starts: `at` a moment or `in` a while. Errors: `OneOf`, `BadQuery`, `BadDuration`.
pub(super) fn due(node: &Node, query: &Params) -> Result<u64, ApiError> {
    let at: Option<Timestamp> = query.parse("at", "a moment such as `2026-12-24T18:00:00Z`")?;
    match (at, query.get("in")) {
        (Some(at), None) => Ok(at.0),
        (None, Some(text)) => Ok(node.moment_in(parse_duration(text)?)),
        _ => Err(RequestError::OneOf(
            "an invocation is scheduled for a moment with `at`, or after a while with `in`",
        )
        .into()),
    }
}
