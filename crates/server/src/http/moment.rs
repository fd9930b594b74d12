// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/moment: when something has to happen, as a query says it. In: `timeout`, `at`, `in`. Out: microseconds since
//! 1970. Read next: golem-model `duration.rs`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use golem_engine::steady_micros;
use golem_model::Timestamp;
use golem_model::duration::parse_duration;

use super::error::{ApiError, RequestError};
use super::extract::Params;

/// Until when an invocation has to be finished, by the steady clock: `timeout` from now on. Errors: `BadDuration`.
pub(super) fn deadline(query: &Params) -> Result<Option<u64>, ApiError> {
    let timeout = query.get("timeout").map(parse_duration).transpose()?;
    let after = |timeout: Duration| {
        steady_micros().saturating_add(u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX))
    };
    Ok(timeout.map(after))
}

/// When a scheduled invocation starts: `at` a moment or `in` a while. Errors: `OneOf`, `BadQuery`, `BadDuration`.
pub(super) fn due(query: &Params) -> Result<u64, ApiError> {
    let at: Option<Timestamp> = query.parse("at", "a moment such as `2026-12-24T18:00:00Z`")?;
    match (at, query.get("in")) {
        (Some(at), None) => Ok(at.0),
        (None, Some(text)) => Ok(after(parse_duration(text)?)),
        _ => Err(RequestError::OneOf(
            "an invocation is scheduled for a moment with `at`, or after a while with `in`",
        )
        .into()),
    }
}

fn after(duration: Duration) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    // A clock before 1970 makes every deadline pass at once.
    let micros = now.unwrap_or_default().saturating_add(duration).as_micros();
    u64::try_from(micros).unwrap_or(u64::MAX)
}
