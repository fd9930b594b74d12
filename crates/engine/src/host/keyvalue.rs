// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / keyvalue: `wasi:keyvalue` (types, eventual, eventual-batch, atomic). Buckets belong to the component: all
//! its workers share them. A reading is recorded; a change is in the same commit as its entry, so it happens exactly once;
//! a reading sees every change that was made before it. Bound: `keyed.rs`. Read next: `cache.rs`, `recorded.rs`.

use golem_model::Value;
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream};

use super::bindings::keyvalue::{atomic, eventual, eventual_batch, types, wasi_keyvalue_error};
use super::bindings::{BucketHandle, ErrorHandle, IncomingValue, OutgoingValue};
use super::body::{BodyReader, Written};
use super::calls::{
    CAS, Call, INCREMENT, KV_DELETE, KV_DELETE_MANY, KV_EXISTS, KV_GET, KV_GET_MANY, KV_KEYS,
    KV_SET, KV_SET_MANY,
};
use super::durable::{Halt, input_hash};
use super::keyed::{
    KEYS_MAX, Kind, NAME_BYTES_MAX, Row, VALUE_BYTES_MAX, delete, key, prefix, put, recorded_row,
};
use super::recorded::{settled, unreadable};
use super::state::{HostState, Linked};

/// Why an operation has no result, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct KeyValueError(pub(crate) String);

/// A slot of the cache that an outgoing value fills once it is written.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(super) key: String,
    pub(super) ttl: Option<u32>,
}

/// What an operation on the cache found.
#[derive(Debug, Clone)]
pub(crate) enum Cached {
    /// A value, or none.
    Value(Option<bytes::Bytes>),
    /// Whether there is one.
    Exists(bool),
    /// Nothing: it is done.
    Done,
}

/// A key, and the moment and bytes that it gets; `None` deletes it.
pub(super) type Change = (Vec<u8>, Option<(u64, Vec<u8>)>);

/// A row as it is recorded.
pub(super) fn row_value(row: Option<&Row>) -> Value {
    Value::Option(row.map(|row| Box::new(Value::Bytes(row.to_bytes()))))
}

/// The row of a recorded answer.
pub(super) fn row_from(call: Call, value: &Value) -> Result<Option<Row>, Halt> {
    match value {
        Value::Option(None) => Ok(None),
        Value::Option(Some(bytes)) => match bytes.as_ref() {
            Value::Bytes(bytes) => recorded_row(call, Some(bytes)),
            _ => Err(unreadable(call).into()),
        },
        _ => Err(unreadable(call).into()),
    }
}

/// Refuses a name that the store cannot take.
pub(super) fn check_name(what: &str, name: &str) -> Result<(), KeyValueError> {
    if name.len() > NAME_BYTES_MAX {
        return Err(KeyValueError(format!(
            "a {what} of {} bytes is over the limit of {NAME_BYTES_MAX}",
            name.len()
        )));
    }
    Ok(())
}

fn check_count(count: usize) -> Result<(), KeyValueError> {
    if count > KEYS_MAX {
        return Err(KeyValueError(format!(
            "{count} keys at once are over the limit of {KEYS_MAX}"
        )));
    }
    Ok(())
}

impl HostState {
    /// A recorded reading of one row.
    pub(super) async fn read_row(
        &mut self,
        call: Call,
        input: u64,
        key: &[u8],
    ) -> Result<Option<Row>, Halt> {
        if let Some(answer) = self.replayed_answer(call, input)? {
            return row_from(call, &answer);
        }
        settled(&self.rpc.node()).await;
        let row = self.row(key)?;
        self.record_answer(call, input, row_value(row.as_ref()), Vec::new())?;
        Ok(row)
    }

    /// A recorded change that answers nothing. `row`: what is written; `None` deletes.
    pub(super) async fn change_rows(
        &mut self,
        call: Call,
        input: u64,
        rows: Vec<Change>,
    ) -> Result<(), Halt> {
        if self.replayed_answer(call, input)?.is_some() {
            return Ok(());
        }
        let mut changes = Vec::with_capacity(rows.len());
        for (key, value) in rows {
            changes.push(match value {
                Some((moment, bytes)) => put(key, &self.new_row(moment, bytes)?),
                None => delete(key),
            });
        }
        let node = self.rpc.node();
        let _order = node.outside().keyed.lock().await;
        self.record_answer(call, input, Value::Tuple(Vec::new()), changes)
    }
}

impl Linked<'_> {
    fn bucket(&self, bucket: &Resource<BucketHandle>) -> Result<String> {
        Ok(self.0.table.get(bucket)?.0.clone())
    }

    fn key_of(&self, bucket: &str, name: &str) -> Vec<u8> {
        key(Kind::Value, self.0.guest.worker.component_id, bucket, name)
    }

    pub(super) fn value_error(&mut self, error: KeyValueError) -> Result<Resource<ErrorHandle>> {
        Ok(self.0.table.push(ErrorHandle(error))?)
    }

    pub(super) fn incoming(&mut self, bytes: bytes::Bytes) -> Result<Resource<IncomingValue>> {
        Ok(self.0.table.push(IncomingValue(bytes))?)
    }

    fn incoming_row(&mut self, row: Option<Row>) -> Result<Option<Resource<IncomingValue>>> {
        let Some(row) = row else { return Ok(None) };
        let bytes = self.0.content(row)?;
        Ok(Some(self.incoming(bytes.into())?))
    }

    /// Reads a number, lets `step` say what to answer and what to write, all of it before anybody else may write.
    async fn number(
        &mut self,
        call: Call,
        input: u64,
        key: Vec<u8>,
        step: impl FnOnce(Option<u64>) -> (u64, Option<u64>),
    ) -> Result<Result<u64, KeyValueError>> {
        let answer = match self.0.replayed_answer(call, input)? {
            Some(answer) => answer,
            None => {
                let node = self.0.rpc.node();
                let _order = node.outside().keyed.lock().await;
                settled(&node).await;
                let row = self.0.row(&key)?;
                let number = match row {
                    None => Some(None),
                    Some(row) => std::str::from_utf8(&self.0.content(row)?)
                        .ok()
                        .and_then(|text| text.trim().parse().ok())
                        .map(Some),
                };
                let (answer, write) = match number {
                    Some(number) => {
                        let (answer, write) = step(number);
                        (Ok(Some(Box::new(Value::U64(answer)))), write)
                    }
                    None => {
                        let text = "the value is not a decimal number".to_owned();
                        (Err(Some(Box::new(Value::String(text)))), None)
                    }
                };
                let answer = Value::Result(answer);
                let mut changes = Vec::new();
                if let Some(number) = write {
                    let row = self.0.new_row(0, number.to_string().into_bytes())?;
                    changes.push(put(key, &row));
                }
                self.0.record_answer(call, input, answer.clone(), changes)?;
                answer
            }
        };
        match answer {
            Value::Result(Ok(Some(number))) => match *number {
                Value::U64(number) => Ok(Ok(number)),
                _ => Err(Halt::from(unreadable(call)).into()),
            },
            Value::Result(Err(Some(text))) => match *text {
                Value::String(text) => Ok(Err(KeyValueError(text))),
                _ => Err(Halt::from(unreadable(call)).into()),
            },
            _ => Err(Halt::from(unreadable(call)).into()),
        }
    }
}

/// Answers the guest with an error that it can ask for its text.
macro_rules! value_or_error {
    ($linked:expr, $checked:expr) => {
        match $checked {
            Ok(value) => value,
            Err(error) => return Ok(Err($linked.value_error(error)?)),
        }
    };
}

impl wasi_keyvalue_error::Host for Linked<'_> {}

impl wasi_keyvalue_error::HostError for Linked<'_> {
    async fn trace(&mut self, error: Resource<ErrorHandle>) -> Result<String> {
        Ok(self.0.table.get(&error)?.0.to_string())
    }

    async fn drop(&mut self, error: Resource<ErrorHandle>) -> Result<()> {
        self.0.table.delete(error)?;
        Ok(())
    }
}

impl types::Host for Linked<'_> {}

impl types::HostBucket for Linked<'_> {
    async fn open_bucket(
        &mut self,
        name: String,
    ) -> Result<Result<Resource<BucketHandle>, Resource<ErrorHandle>>> {
        value_or_error!(self, check_name("bucket name", &name));
        Ok(Ok(self.0.table.push(BucketHandle(name))?))
    }

    async fn drop(&mut self, bucket: Resource<BucketHandle>) -> Result<()> {
        self.0.table.delete(bucket)?;
        Ok(())
    }
}

impl types::HostOutgoingValue for Linked<'_> {
    async fn new_outgoing_value(&mut self) -> Result<Resource<OutgoingValue>> {
        Ok(self.0.table.push(OutgoingValue {
            body: Written::new(VALUE_BYTES_MAX),
            target: None,
        })?)
    }

    async fn outgoing_value_write_body_async(
        &mut self,
        value: Resource<OutgoingValue>,
    ) -> Result<Result<Resource<DynOutputStream>, Resource<ErrorHandle>>> {
        let body = self.0.table.get(&value)?.body.clone();
        if let Some(stream) = body.stream(&mut self.0.table)? {
            return Ok(Ok(stream));
        }
        let error = KeyValueError("the stream of this value was already taken".into());
        Ok(Err(self.value_error(error)?))
    }

    async fn outgoing_value_write_body_sync(
        &mut self,
        value: Resource<OutgoingValue>,
        bytes: Vec<u8>,
    ) -> Result<Result<(), Resource<ErrorHandle>>> {
        let size = bytes.len();
        let outgoing = self.0.table.get_mut(&value)?;
        if !outgoing.body.replace(bytes) {
            let error = KeyValueError(format!(
                "a value of {size} bytes is over the limit of {VALUE_BYTES_MAX}"
            ));
            return Ok(Err(self.value_error(error)?));
        }
        if let Some(target) = outgoing.target.take() {
            let bytes = outgoing.body.bytes();
            self.fill(target, bytes).await?;
        }
        Ok(Ok(()))
    }

    async fn drop(&mut self, value: Resource<OutgoingValue>) -> Result<()> {
        let value = self.0.table.delete(value)?;
        // A slot whose value was never written stays vacant.
        if let Some(target) = value.target
            && value.body.streamed()
        {
            self.fill(target, value.body.close()).await?;
        }
        Ok(())
    }
}

impl types::HostIncomingValue for Linked<'_> {
    async fn incoming_value_consume_sync(
        &mut self,
        value: Resource<IncomingValue>,
    ) -> Result<Result<Vec<u8>, Resource<ErrorHandle>>> {
        Ok(Ok(self.0.table.get(&value)?.0.to_vec()))
    }

    async fn incoming_value_consume_async(
        &mut self,
        value: Resource<IncomingValue>,
    ) -> Result<Result<Resource<DynInputStream>, Resource<ErrorHandle>>> {
        let bytes = self.0.table.get(&value)?.0.clone();
        Ok(Ok(BodyReader::push(&mut self.0.table, bytes)?))
    }

    async fn incoming_value_size(
        &mut self,
        value: Resource<IncomingValue>,
    ) -> Result<Result<u64, Resource<ErrorHandle>>> {
        Ok(Ok(self.0.table.get(&value)?.0.len() as u64))
    }

    async fn drop(&mut self, value: Resource<IncomingValue>) -> Result<()> {
        self.0.table.delete(value)?;
        Ok(())
    }
}

impl eventual::Host for Linked<'_> {
    async fn get(
        &mut self,
        bucket: Resource<BucketHandle>,
        name: String,
    ) -> Result<Result<Option<Resource<IncomingValue>>, Resource<ErrorHandle>>> {
        let bucket = self.bucket(&bucket)?;
        value_or_error!(self, check_name("key", &name));
        let key = self.key_of(&bucket, &name);
        let row = self.0.read_row(KV_GET, input_hash(&[&key]), &key).await?;
        Ok(Ok(self.incoming_row(row)?))
    }

    async fn set(
        &mut self,
        bucket: Resource<BucketHandle>,
        name: String,
        value: Resource<OutgoingValue>,
    ) -> Result<Result<(), Resource<ErrorHandle>>> {
        let bucket = self.bucket(&bucket)?;
        value_or_error!(self, check_name("key", &name));
        let key = self.key_of(&bucket, &name);
        let bytes = self.0.table.get(&value)?.body.bytes();
        let input = input_hash(&[&key, &bytes]);
        self.0
            .change_rows(KV_SET, input, vec![(key, Some((0, bytes)))])
            .await?;
        Ok(Ok(()))
    }

    async fn delete(
        &mut self,
        bucket: Resource<BucketHandle>,
        name: String,
    ) -> Result<Result<(), Resource<ErrorHandle>>> {
        let bucket = self.bucket(&bucket)?;
        value_or_error!(self, check_name("key", &name));
        let key = self.key_of(&bucket, &name);
        let input = input_hash(&[&key]);
        self.0
            .change_rows(KV_DELETE, input, vec![(key, None)])
            .await?;
        Ok(Ok(()))
    }

    async fn exists(
        &mut self,
        bucket: Resource<BucketHandle>,
        name: String,
    ) -> Result<Result<bool, Resource<ErrorHandle>>> {
        let bucket = self.bucket(&bucket)?;
        value_or_error!(self, check_name("key", &name));
        let key = self.key_of(&bucket, &name);
        let input = input_hash(&[&key]);
        if let Some(answer) = self.0.replayed_answer(KV_EXISTS, input)? {
            return match answer {
                Value::Bool(exists) => Ok(Ok(exists)),
                _ => Err(Halt::from(unreadable(KV_EXISTS)).into()),
            };
        }
        settled(&self.0.rpc.node()).await;
        let exists = self.0.row(&key)?.is_some();
        self.0
            .record_answer(KV_EXISTS, input, Value::Bool(exists), Vec::new())?;
        Ok(Ok(exists))
    }
}

impl eventual_batch::Host for Linked<'_> {
    async fn get_many(
        &mut self,
        bucket: Resource<BucketHandle>,
        names: Vec<String>,
    ) -> Result<Result<Vec<Option<Resource<IncomingValue>>>, Resource<ErrorHandle>>> {
        let bucket = self.bucket(&bucket)?;
        value_or_error!(self, check_count(names.len()));
        let mut keys = Vec::with_capacity(names.len());
        for name in &names {
            value_or_error!(self, check_name("key", name));
            keys.push(self.key_of(&bucket, name));
        }
        let parts: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let input = input_hash(&parts);
        let rows = match self.0.replayed_answer(KV_GET_MANY, input)? {
            Some(Value::List(rows)) => rows
                .iter()
                .map(|row| row_from(KV_GET_MANY, row))
                .collect::<Result<Vec<_>, Halt>>()?,
            Some(_) => return Err(Halt::from(unreadable(KV_GET_MANY)).into()),
            None => {
                settled(&self.0.rpc.node()).await;
                let rows = keys
                    .iter()
                    .map(|key| self.0.row(key))
                    .collect::<Result<Vec<_>, Halt>>()?;
                let answer = rows.iter().map(|row| row_value(row.as_ref())).collect();
                self.0
                    .record_answer(KV_GET_MANY, input, Value::List(answer), Vec::new())?;
                rows
            }
        };
        // All of them are in memory at once, so their sum is bounded like one value.
        let total: u64 = rows.iter().flatten().map(|row| row.size).sum();
        if total > VALUE_BYTES_MAX as u64 {
            let error = KeyValueError(format!(
                "{total} bytes at once are over the limit of {VALUE_BYTES_MAX}"
            ));
            return Ok(Err(self.value_error(error)?));
        }
        let values = rows.into_iter().map(|row| self.incoming_row(row));
        Ok(Ok(values.collect::<Result<Vec<_>>>()?))
    }

    async fn keys(
        &mut self,
        bucket: Resource<BucketHandle>,
    ) -> Result<Result<Vec<String>, Resource<ErrorHandle>>> {
        let bucket = self.bucket(&bucket)?;
        let prefix = prefix(Kind::Value, self.0.guest.worker.component_id, &bucket);
        match self.0.read_names(KV_KEYS, &prefix).await? {
            Some(names) => Ok(Ok(names)),
            None => Ok(Err(self.value_error(too_many("keys"))?)),
        }
    }

    async fn set_many(
        &mut self,
        bucket: Resource<BucketHandle>,
        values: Vec<(String, Resource<OutgoingValue>)>,
    ) -> Result<Result<(), Resource<ErrorHandle>>> {
        let bucket = self.bucket(&bucket)?;
        value_or_error!(self, check_count(values.len()));
        let mut rows = Vec::with_capacity(values.len());
        let mut parts = Vec::with_capacity(2 * values.len());
        for (name, value) in &values {
            value_or_error!(self, check_name("key", name));
            let bytes = self.0.table.get(value)?.body.bytes();
            let key = self.key_of(&bucket, name);
            parts.push(key.clone());
            parts.push(bytes.clone());
            rows.push((key, Some((0, bytes))));
        }
        let total: usize = parts.iter().map(Vec::len).sum();
        if total > VALUE_BYTES_MAX {
            let error = KeyValueError(format!(
                "{total} bytes at once are over the limit of {VALUE_BYTES_MAX}"
            ));
            return Ok(Err(self.value_error(error)?));
        }
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        self.0
            .change_rows(KV_SET_MANY, input_hash(&parts), rows)
            .await?;
        Ok(Ok(()))
    }

    async fn delete_many(
        &mut self,
        bucket: Resource<BucketHandle>,
        names: Vec<String>,
    ) -> Result<Result<(), Resource<ErrorHandle>>> {
        let bucket = self.bucket(&bucket)?;
        value_or_error!(self, check_count(names.len()));
        let mut rows = Vec::with_capacity(names.len());
        for name in &names {
            value_or_error!(self, check_name("key", name));
            rows.push((self.key_of(&bucket, name), None));
        }
        let parts: Vec<&[u8]> = rows.iter().map(|(key, _)| key.as_slice()).collect();
        let input = input_hash(&parts);
        self.0.change_rows(KV_DELETE_MANY, input, rows).await?;
        Ok(Ok(()))
    }
}

/// More rows than one answer may hold.
pub(super) fn too_many(what: &str) -> KeyValueError {
    KeyValueError(format!(
        "more than {KEYS_MAX} {what}: too many for one call"
    ))
}

impl HostState {
    /// A recorded listing. `None`: too many.
    pub(super) async fn read_names(
        &mut self,
        call: Call,
        prefix: &[u8],
    ) -> Result<Option<Vec<String>>, Halt> {
        let input = input_hash(&[prefix]);
        let answer = match self.replayed_answer(call, input)? {
            Some(answer) => answer,
            None => {
                settled(&self.rpc.node()).await;
                let names = self.names(prefix)?;
                let answer = Value::Option(names.map(|names| {
                    let names = names.into_iter().map(Value::String).collect();
                    Box::new(Value::List(names))
                }));
                self.record_answer(call, input, answer.clone(), Vec::new())?;
                answer
            }
        };
        let Value::Option(names) = answer else {
            return Err(unreadable(call).into());
        };
        let Some(names) = names else { return Ok(None) };
        let Value::List(names) = *names else {
            return Err(unreadable(call).into());
        };
        let names = names.into_iter().map(|name| match name {
            Value::String(name) => Ok(name),
            _ => Err(unreadable(call)),
        });
        Ok(Some(names.collect::<Result<Vec<_>, _>>()?))
    }
}

impl atomic::Host for Linked<'_> {
    async fn increment(
        &mut self,
        bucket: Resource<BucketHandle>,
        name: String,
        delta: u64,
    ) -> Result<Result<u64, Resource<ErrorHandle>>> {
        let bucket = self.bucket(&bucket)?;
        value_or_error!(self, check_name("key", &name));
        let key = self.key_of(&bucket, &name);
        let input = input_hash(&[&key, &delta.to_le_bytes()]);
        let outcome = self
            .number(INCREMENT, input, key, |number| {
                let sum = number.unwrap_or(0).wrapping_add(delta);
                (sum, Some(sum))
            })
            .await?;
        Ok(Ok(value_or_error!(self, outcome)))
    }

    async fn compare_and_swap(
        &mut self,
        bucket: Resource<BucketHandle>,
        name: String,
        old: u64,
        new: u64,
    ) -> Result<Result<bool, Resource<ErrorHandle>>> {
        let bucket = self.bucket(&bucket)?;
        value_or_error!(self, check_name("key", &name));
        let key = self.key_of(&bucket, &name);
        let input = input_hash(&[&key, &old.to_le_bytes(), &new.to_le_bytes()]);
        let outcome = self
            .number(CAS, input, key, |number| {
                if number == Some(old) {
                    (1, Some(new))
                } else {
                    (0, None)
                }
            })
            .await?;
        Ok(Ok(value_or_error!(self, outcome) == 1))
    }
}
