// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / random: `wasi:random`. Every value is recorded. All randomness of a Go guest (map order, select, hash
//! seeds) comes from one reading at its start. Bound: [`RANDOM_BYTES_MAX`] per call. Read next: `durable.rs`.

use golem_model::Value;
use wasmtime::Result;
use wasmtime_wasi::p2::bindings::random::{insecure, insecure_seed, random};

use super::calls::{Call, INSECURE_BYTES, INSECURE_SEED, INSECURE_U64, RANDOM_BYTES, RANDOM_U64};
use super::durable::{Halt, input_hash};
use super::state::{HostState, Linked};

/// Most bytes of one call: they are recorded in one entry.
const RANDOM_BYTES_MAX: u64 = 256 << 10;

fn bytes(state: &mut HostState, call: Call, count: u64) -> Result<Vec<u8>> {
    if count > RANDOM_BYTES_MAX {
        let text = format!(
            "`{}` of {count} bytes is over the limit of {RANDOM_BYTES_MAX}",
            call.name
        );
        return Err(Halt::InvalidRequest(text).into());
    }
    let value = state.durable(call, input_hash(&[&count.to_le_bytes()]), |state| {
        Ok(Value::Bytes(fresh(state, count as usize)?))
    })?;
    let Value::Bytes(bytes) = value else {
        return Err(wrong(call).into());
    };
    Ok(bytes)
}

fn number(state: &mut HostState, call: Call) -> Result<u64> {
    let value = state.durable(call, 0, |state| Ok(Value::U64(fresh_u64(state)?)))?;
    let Value::U64(number) = value else {
        return Err(wrong(call).into());
    };
    Ok(number)
}

fn wrong(call: Call) -> Halt {
    Halt::InvalidRequest(format!(
        "the recorded answer of `{}` has another type",
        call.name
    ))
}

/// Bytes that nobody has seen, but for workers that share their start.
fn fresh(state: &mut HostState, count: usize) -> Result<Vec<u8>, Halt> {
    let mut bytes = vec![0; count];
    if let Some(start_up) = &mut state.start_up {
        start_up.fill(&mut bytes);
        return Ok(bytes);
    }
    let filled = state.rpc.chance().fill(&mut bytes);
    filled.map_err(|error| {
        Halt::InvalidRequest(format!("the system has no random bytes: {error}"))
    })?;
    Ok(bytes)
}

fn fresh_u64(state: &mut HostState) -> Result<u64, Halt> {
    Ok(fresh(state, 8)?
        .first_chunk::<8>()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes)))
}

impl random::Host for Linked<'_> {
    fn get_random_bytes(&mut self, count: u64) -> Result<Vec<u8>> {
        bytes(self.0, RANDOM_BYTES, count)
    }

    fn get_random_u64(&mut self) -> Result<u64> {
        number(self.0, RANDOM_U64)
    }
}

impl insecure::Host for Linked<'_> {
    fn get_insecure_random_bytes(&mut self, count: u64) -> Result<Vec<u8>> {
        bytes(self.0, INSECURE_BYTES, count)
    }

    fn get_insecure_random_u64(&mut self) -> Result<u64> {
        number(self.0, INSECURE_U64)
    }
}

impl insecure_seed::Host for Linked<'_> {
    fn insecure_seed(&mut self) -> Result<(u64, u64)> {
        let value = self.0.durable(INSECURE_SEED, 0, |state| {
            Ok(Value::Tuple(vec![
                Value::U64(fresh_u64(state)?),
                Value::U64(fresh_u64(state)?),
            ]))
        })?;
        match value {
            Value::Tuple(pair) => match pair.as_slice() {
                [Value::U64(first), Value::U64(second)] => Ok((*first, *second)),
                _ => Err(wrong(INSECURE_SEED).into()),
            },
            _ => Err(wrong(INSECURE_SEED).into()),
        }
    }
}
