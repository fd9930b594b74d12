// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / blobstore: `wasi:blobstore`. Containers belong to the component: all its workers share them. An object is a
//! row in the store, and a file named by its hash when it is large. Readings are recorded; a change is decided and made
//! in the commit of its entry, one after the other. Bound: `keyed.rs`. Read next: `keyed.rs`, `recorded.rs`.

use golem_model::Value;
use golem_storage::Op;
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream};

use super::bindings::blobstore::{blobstore, container, types};
use super::bindings::{ContainerHandle, IncomingBlob, NamesHandle, OutgoingBlob};
use super::body::{BodyReader, Written};
use super::calls::{
    BLOB_CLEAR, BLOB_CONTAINER_EXISTS, BLOB_COPY, BLOB_CREATE_CONTAINER, BLOB_DELETE,
    BLOB_DELETE_CONTAINER, BLOB_DELETE_MANY, BLOB_GET_CONTAINER, BLOB_GET_DATA, BLOB_HAS,
    BLOB_INFO, BLOB_LIST, BLOB_MOVE, BLOB_OBJECT_INFO, BLOB_WRITE, Call,
};
use super::durable::{Halt, input_hash};
use super::keyed::{KEYS_MAX, Kind, Row, VALUE_BYTES_MAX, delete, key, prefix, put};
use super::keyvalue::{check_name, too_many};
use super::recorded::{settled, unreadable};
use super::state::{HostState, Linked};

/// A container that a guest has open.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    name: String,
}

/// Names that a guest reads one after the other.
#[derive(Debug)]
pub(crate) struct Names {
    rest: std::collections::VecDeque<String>,
}

/// What a change answers: what it writes, or why it does nothing.
type Decision = Result<Vec<Op>, String>;

impl HostState {
    fn container_key(&self, container: &str) -> Vec<u8> {
        key(
            Kind::Container,
            self.guest.worker.component_id,
            "",
            container,
        )
    }

    fn object_key(&self, container: &str, object: &str) -> Vec<u8> {
        key(
            Kind::Object,
            self.guest.worker.component_id,
            container,
            object,
        )
    }

    fn objects_of(&self, container: &str) -> Vec<u8> {
        prefix(Kind::Object, self.guest.worker.component_id, container)
    }

    /// A recorded change that is decided on what the store has, with nobody else changing anything meanwhile.
    async fn change_blobs(
        &mut self,
        call: Call,
        input: u64,
        decide: impl FnOnce(&mut Self) -> Result<Decision, Halt>,
    ) -> Result<Result<(), String>, Halt> {
        let answer = match self.replayed_answer(call, input)? {
            Some(answer) => answer,
            None => {
                let node = self.rpc.node();
                let _order = node.outside().keyed.lock().await;
                settled(&node).await;
                let (answer, changes) = match decide(self)? {
                    Ok(changes) => (Ok(None), changes),
                    Err(text) => (Err(Some(Box::new(Value::String(text)))), Vec::new()),
                };
                let answer = Value::Result(answer);
                self.record_answer(call, input, answer.clone(), changes)?;
                answer
            }
        };
        match answer {
            Value::Result(Ok(None)) => Ok(Ok(())),
            Value::Result(Err(Some(text))) => match *text {
                Value::String(text) => Ok(Err(text)),
                _ => Err(unreadable(call).into()),
            },
            _ => Err(unreadable(call).into()),
        }
    }

    fn has_container(&self, container: &str) -> Result<Result<(), String>, Halt> {
        if self.row(&self.container_key(container))?.is_some() {
            return Ok(Ok(()));
        }
        Ok(Err(format!("there is no container `{container}`")))
    }

    /// Operations that delete every object of a container.
    fn clear_objects(&self, container: &str) -> Result<Decision, Halt> {
        let names = self.names(&self.objects_of(container))?;
        Ok(match names {
            Some(names) => Ok(names
                .iter()
                .map(|name| delete(self.object_key(container, name)))
                .collect()),
            None => Err(too_many("objects").0),
        })
    }

    /// What copies an object, and deletes the old one if it moves.
    fn copy(
        &self,
        from: &types::ObjectId,
        to: &types::ObjectId,
        moves: bool,
    ) -> Result<Decision, Halt> {
        for container in [&from.container, &to.container] {
            if let Err(text) = self.has_container(container)? {
                return Ok(Err(text));
            }
        }
        let source = self.object_key(&from.container, &from.object);
        let Some(row) = self.row(&source)? else {
            return Ok(Err(no_object(&from.object)));
        };
        let target = self.object_key(&to.container, &to.object);
        if source == target {
            return Ok(Ok(Vec::new()));
        }
        let row = Row {
            moment: self.real_now(),
            ..row
        };
        let mut changes = vec![put(target, &row)];
        if moves {
            changes.push(delete(source));
        }
        Ok(Ok(changes))
    }

    /// A recorded reading of a container's row: when it was made.
    async fn container_row(&mut self, call: Call, container: &str) -> Result<Option<Row>, Halt> {
        let key = self.container_key(container);
        self.read_row(call, input_hash(&[&key]), &key).await
    }
}

fn no_object(name: &str) -> String {
    format!("there is no object `{name}`")
}

fn name_error(what: &str, name: &str) -> Result<(), String> {
    check_name(what, name).map_err(|error| error.0)
}

fn id_error(id: &types::ObjectId) -> Result<(), String> {
    name_error("container name", &id.container)?;
    name_error("object name", &id.object)
}

/// Answers the guest with an error.
macro_rules! or_error {
    ($checked:expr) => {
        match $checked {
            Ok(value) => value,
            Err(error) => return Ok(Err(error)),
        }
    };
}

/// Seconds since 1970, which is what the interface's timestamps are taken for.
fn timestamp(nanos: u64) -> u64 {
    nanos / 1_000_000_000
}

impl Linked<'_> {
    fn open(&mut self, name: String) -> Result<Resource<ContainerHandle>> {
        Ok(self.0.table.push(ContainerHandle(Container { name }))?)
    }

    fn container_name(&self, container: &Resource<ContainerHandle>) -> Result<String> {
        Ok(self.0.table.get(container)?.0.name.clone())
    }
}

impl blobstore::Host for Linked<'_> {
    async fn create_container(
        &mut self,
        name: String,
    ) -> Result<Result<Resource<ContainerHandle>, String>> {
        or_error!(name_error("container name", &name));
        let key = self.0.container_key(&name);
        let input = input_hash(&[&key]);
        let made = self
            .0
            .change_blobs(BLOB_CREATE_CONTAINER, input, |state| {
                if state.row(&key)?.is_some() {
                    return Ok(Err(format!("container `{name}` is there already")));
                }
                let row = state.new_row(state.real_now(), Vec::new())?;
                Ok(Ok(vec![put(key, &row)]))
            })
            .await?;
        or_error!(made);
        Ok(Ok(self.open(name)?))
    }

    async fn get_container(
        &mut self,
        name: String,
    ) -> Result<Result<Resource<ContainerHandle>, String>> {
        or_error!(name_error("container name", &name));
        match self.0.container_row(BLOB_GET_CONTAINER, &name).await? {
            Some(_) => Ok(Ok(self.open(name)?)),
            None => Ok(Err(format!("there is no container `{name}`"))),
        }
    }

    async fn delete_container(&mut self, name: String) -> Result<Result<(), String>> {
        or_error!(name_error("container name", &name));
        let key = self.0.container_key(&name);
        let input = input_hash(&[&key]);
        Ok(self
            .0
            .change_blobs(BLOB_DELETE_CONTAINER, input, |state| {
                let mut changes = match state.clear_objects(&name)? {
                    Ok(changes) => changes,
                    Err(text) => return Ok(Err(text)),
                };
                changes.push(delete(key));
                Ok(Ok(changes))
            })
            .await?)
    }

    async fn container_exists(&mut self, name: String) -> Result<Result<bool, String>> {
        or_error!(name_error("container name", &name));
        let row = self.0.container_row(BLOB_CONTAINER_EXISTS, &name).await?;
        Ok(Ok(row.is_some()))
    }

    async fn copy_object(
        &mut self,
        from: types::ObjectId,
        to: types::ObjectId,
    ) -> Result<Result<(), String>> {
        or_error!(id_error(&from));
        or_error!(id_error(&to));
        let input = ids_hash(&from, &to);
        Ok(self
            .0
            .change_blobs(BLOB_COPY, input, |state| state.copy(&from, &to, false))
            .await?)
    }

    async fn move_object(
        &mut self,
        from: types::ObjectId,
        to: types::ObjectId,
    ) -> Result<Result<(), String>> {
        or_error!(id_error(&from));
        or_error!(id_error(&to));
        let input = ids_hash(&from, &to);
        Ok(self
            .0
            .change_blobs(BLOB_MOVE, input, |state| state.copy(&from, &to, true))
            .await?)
    }
}

fn ids_hash(from: &types::ObjectId, to: &types::ObjectId) -> u64 {
    input_hash(&[
        from.container.as_bytes(),
        from.object.as_bytes(),
        to.container.as_bytes(),
        to.object.as_bytes(),
    ])
}

impl container::Host for Linked<'_> {}

impl container::HostContainer for Linked<'_> {
    async fn name(
        &mut self,
        container: Resource<ContainerHandle>,
    ) -> Result<Result<String, String>> {
        Ok(Ok(self.container_name(&container)?))
    }

    async fn info(
        &mut self,
        container: Resource<ContainerHandle>,
    ) -> Result<Result<types::ContainerMetadata, String>> {
        let name = self.container_name(&container)?;
        match self.0.container_row(BLOB_INFO, &name).await? {
            Some(row) => Ok(Ok(types::ContainerMetadata {
                name,
                created_at: timestamp(row.moment),
            })),
            None => Ok(Err(format!("there is no container `{name}`"))),
        }
    }

    async fn get_data(
        &mut self,
        container: Resource<ContainerHandle>,
        object: String,
        start: u64,
        end: u64,
    ) -> Result<Result<Resource<IncomingBlob>, String>> {
        let container = self.container_name(&container)?;
        or_error!(name_error("object name", &object));
        let key = self.0.object_key(&container, &object);
        let input = input_hash(&[&key]);
        let Some(row) = self.0.read_row(BLOB_GET_DATA, input, &key).await? else {
            return Ok(Err(no_object(&object)));
        };
        let bytes: bytes::Bytes = self.0.content(row)?.into();
        // Both ends are part of the range; one that reaches over the end of the object stops there.
        let end = usize::try_from(end.saturating_add(1))
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let start = usize::try_from(start).unwrap_or(usize::MAX).min(end);
        Ok(Ok(self
            .0
            .table
            .push(IncomingBlob(bytes.slice(start..end)))?))
    }

    async fn write_data(
        &mut self,
        container: Resource<ContainerHandle>,
        object: String,
        data: Resource<OutgoingBlob>,
    ) -> Result<Result<(), String>> {
        let container = self.container_name(&container)?;
        or_error!(name_error("object name", &object));
        let bytes = self.0.table.get(&data)?.0.bytes();
        let key = self.0.object_key(&container, &object);
        let input = input_hash(&[&key, &bytes]);
        Ok(self
            .0
            .change_blobs(BLOB_WRITE, input, |state| {
                if let Err(text) = state.has_container(&container)? {
                    return Ok(Err(text));
                }
                let row = state.new_row(state.real_now(), bytes)?;
                Ok(Ok(vec![put(key, &row)]))
            })
            .await?)
    }

    async fn list_objects(
        &mut self,
        container: Resource<ContainerHandle>,
    ) -> Result<Result<Resource<NamesHandle>, String>> {
        let container = self.container_name(&container)?;
        let prefix = self.0.objects_of(&container);
        match self.0.read_names(BLOB_LIST, &prefix).await? {
            Some(names) => Ok(Ok(self
                .0
                .table
                .push(NamesHandle(Names { rest: names.into() }))?)),
            None => Ok(Err(too_many("objects").0)),
        }
    }

    async fn delete_object(
        &mut self,
        container: Resource<ContainerHandle>,
        object: String,
    ) -> Result<Result<(), String>> {
        let container = self.container_name(&container)?;
        or_error!(name_error("object name", &object));
        let key = self.0.object_key(&container, &object);
        let input = input_hash(&[&key]);
        self.0
            .change_rows(BLOB_DELETE, input, vec![(key, None)])
            .await?;
        Ok(Ok(()))
    }

    async fn delete_objects(
        &mut self,
        container: Resource<ContainerHandle>,
        objects: Vec<String>,
    ) -> Result<Result<(), String>> {
        let container = self.container_name(&container)?;
        if objects.len() > KEYS_MAX {
            return Ok(Err(too_many("objects").0));
        }
        let mut rows = Vec::with_capacity(objects.len());
        for object in &objects {
            or_error!(name_error("object name", object));
            rows.push((self.0.object_key(&container, object), None));
        }
        let parts: Vec<&[u8]> = rows.iter().map(|(key, _)| key.as_slice()).collect();
        let input = input_hash(&parts);
        self.0.change_rows(BLOB_DELETE_MANY, input, rows).await?;
        Ok(Ok(()))
    }

    async fn has_object(
        &mut self,
        container: Resource<ContainerHandle>,
        object: String,
    ) -> Result<Result<bool, String>> {
        let container = self.container_name(&container)?;
        or_error!(name_error("object name", &object));
        let key = self.0.object_key(&container, &object);
        let row = self.0.read_row(BLOB_HAS, input_hash(&[&key]), &key).await?;
        Ok(Ok(row.is_some()))
    }

    async fn object_info(
        &mut self,
        container: Resource<ContainerHandle>,
        object: String,
    ) -> Result<Result<types::ObjectMetadata, String>> {
        let container = self.container_name(&container)?;
        or_error!(name_error("object name", &object));
        let key = self.0.object_key(&container, &object);
        let input = input_hash(&[&key]);
        match self.0.read_row(BLOB_OBJECT_INFO, input, &key).await? {
            Some(row) => Ok(Ok(types::ObjectMetadata {
                name: object,
                container,
                created_at: timestamp(row.moment),
                size: row.size,
            })),
            None => Ok(Err(no_object(&object))),
        }
    }

    async fn clear(&mut self, container: Resource<ContainerHandle>) -> Result<Result<(), String>> {
        let container = self.container_name(&container)?;
        let input = input_hash(&[container.as_bytes()]);
        Ok(self
            .0
            .change_blobs(BLOB_CLEAR, input, |state| state.clear_objects(&container))
            .await?)
    }

    async fn drop(&mut self, container: Resource<ContainerHandle>) -> Result<()> {
        self.0.table.delete(container)?;
        Ok(())
    }
}

impl container::HostStreamObjectNames for Linked<'_> {
    async fn read_stream_object_names(
        &mut self,
        names: Resource<NamesHandle>,
        count: u64,
    ) -> Result<Result<(Vec<String>, bool), String>> {
        let rest = &mut self.0.table.get_mut(&names)?.0.rest;
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(rest.len());
        let names = rest.drain(..count).collect();
        Ok(Ok((names, rest.is_empty())))
    }

    async fn skip_stream_object_names(
        &mut self,
        names: Resource<NamesHandle>,
        count: u64,
    ) -> Result<Result<(u64, bool), String>> {
        let rest = &mut self.0.table.get_mut(&names)?.0.rest;
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(rest.len());
        rest.drain(..count);
        Ok(Ok((count as u64, rest.is_empty())))
    }

    async fn drop(&mut self, names: Resource<NamesHandle>) -> Result<()> {
        self.0.table.delete(names)?;
        Ok(())
    }
}

impl types::Host for Linked<'_> {}

impl types::HostOutgoingValue for Linked<'_> {
    async fn new_outgoing_value(&mut self) -> Result<Resource<OutgoingBlob>> {
        Ok(self
            .0
            .table
            .push(OutgoingBlob(Written::new(VALUE_BYTES_MAX)))?)
    }

    async fn outgoing_value_write_body(
        &mut self,
        value: Resource<OutgoingBlob>,
    ) -> Result<Result<Resource<DynOutputStream>, ()>> {
        let body = self.0.table.get(&value)?.0.clone();
        Ok(body.stream(&mut self.0.table)?.ok_or(()))
    }

    async fn drop(&mut self, value: Resource<OutgoingBlob>) -> Result<()> {
        self.0.table.delete(value)?;
        Ok(())
    }
}

impl types::HostIncomingValue for Linked<'_> {
    async fn incoming_value_consume_sync(
        &mut self,
        value: Resource<IncomingBlob>,
    ) -> Result<Result<Vec<u8>, String>> {
        Ok(Ok(self.0.table.get(&value)?.0.to_vec()))
    }

    async fn incoming_value_consume_async(
        &mut self,
        value: Resource<IncomingBlob>,
    ) -> Result<Result<Resource<DynInputStream>, String>> {
        let bytes = self.0.table.get(&value)?.0.clone();
        Ok(Ok(BodyReader::push(&mut self.0.table, bytes)?))
    }

    async fn size(&mut self, value: Resource<IncomingBlob>) -> Result<u64> {
        Ok(self.0.table.get(&value)?.0.len() as u64)
    }

    async fn drop(&mut self, value: Resource<IncomingBlob>) -> Result<()> {
        self.0.table.delete(value)?;
        Ok(())
    }
}
