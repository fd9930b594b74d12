// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / clients: the clients of a stub: of an interface of the target, or of one of its exported resources. In: what the
//! guest gives a function of the stub. Out: whom it calls, and the values of the call; and results back. A handle of the guest
//! to a client of a resource stands for the target's handle of that resource, in both directions. Read next: `stub.rs`,
//! `call.rs`. Why: client spec §3.3 rule 6.

use std::cell::RefCell;
use std::sync::Arc;

use golem_model::{Value, WitType};
use wasmtime::component::{Resource, ResourceAny, ResourceDynamic, Val};
use wasmtime::{Result, StoreContextMut};

use super::call::Function;
use super::stub::failed;
use crate::checkpoint::Held;
use crate::host::HostState;
use crate::host::durable::Halt;
use crate::queue::Target;
use crate::value::{Handles, from_val, to_val};

/// A client of the guest: whom it calls, and which resource of it.
struct StubClient {
    target: Target,
    remote: Option<Remote>,
}

/// A resource of a target, by the number that it gave it away with.
#[derive(Clone)]
struct Remote {
    uri: String,
    id: u64,
}

impl Remote {
    fn value(&self) -> Value {
        Value::Handle {
            uri: self.uri.clone(),
            id: self.id,
        }
    }
}

/// What a client resource of a stub is called, and where: `account` of `bank:ledger`.
#[derive(Debug, Clone)]
pub(super) struct ClientName {
    pub(super) package: String,
    pub(super) version: String,
    pub(super) resource: String,
}

impl ClientName {
    /// A function of the exported interface of this name.
    fn plain(&self, function: &str) -> Function {
        Function::Stub {
            package: self.package.clone(),
            version: self.version.clone(),
            resource: self.resource.clone(),
            function: function.to_owned(),
        }
    }

    /// A function of the exported resource of this name.
    fn member(&self, function: &str) -> Function {
        Function::Member {
            package: self.package.clone(),
            version: self.version.clone(),
            resource: self.resource.clone(),
            function: function.to_owned(),
        }
    }
}

/// Types of parameters or of a result, and the number of the client resource for each kind of handle in them.
#[derive(Debug)]
pub(super) struct Types<T> {
    pub(super) types: T,
    pub(super) clients: Arc<[u32]>,
}

/// A function of a client.
pub(super) struct Method {
    pub(super) name: ClientName,
    pub(super) function: String,
    /// A static function: the worker of its first client is whom it calls.
    pub(super) is_static: bool,
    pub(super) params: Types<Vec<WitType>>,
}

/// A client of `target`, without a handle yet: its number in the resource table.
pub(crate) fn new_stub_client(state: &mut HostState, target: Target) -> Result<u32> {
    let remote = None;
    Ok(state.table.push(StubClient { target, remote })?.rep())
}

/// Makes a client: what its constructor does. One of a resource makes the resource.
pub(super) async fn construct(
    store: &mut StoreContextMut<'_, HostState>,
    params: &[Val],
    name: &ClientName,
    types: &Types<Vec<WitType>>,
    number: u32,
) -> Result<Val> {
    let Some((location, given)) = params.split_first() else {
        return Err(Halt::InvalidRequest("a client needs a location".into()).into());
    };
    let uri = uri_of(location)?;
    let target = store.data_mut().rpc_target(&uri)?;
    let mut passed = Passed {
        store: RefCell::new(store),
        target: Some(target.clone()),
        clients: &types.clients,
        refused: false,
    };
    let values = passed.values(given, &types.types)?;
    let state = store.data_mut();
    let new = name.member("new");
    let remote = if is_resource(state, &target, name, &new, &values)? {
        Some(create(state, target.clone(), new, values).await?)
    } else {
        None
    };
    let held = match &remote {
        // Who holds one gets no checkpoints.
        Some(_) => Held::Passing("resource of another worker"),
        None => Held::Stub {
            number,
            target: target.clone(),
        },
    };
    let rep = state.table.push(StubClient { target, remote })?.rep();
    state.mirror.insert(held, rep);
    own(store, rep, number)
}

/// Whether a client is one of an exported resource. A constructor with arguments of its own says so; the others look the same
/// in a stub, so the target is asked, and in a replay its answer follows from what was called next.
fn is_resource(
    state: &mut HostState,
    target: &Target,
    name: &ClientName,
    new: &Function,
    values: &[Value],
) -> Result<bool, Halt> {
    if !values.is_empty() {
        return Ok(true);
    }
    if !state.is_unrecorded()
        && let Some(repeats) = state.repeats_call(target, new, Vec::new())?
    {
        return Ok(repeats);
    }
    let node = state.rpc.node();
    let caller = state.guest.worker.component_id;
    Ok(node.has_resource(caller, target, &name.resource, new))
}

/// Makes a resource of a target.
async fn create(
    state: &mut HostState,
    target: Target,
    new: Function,
    values: Vec<Value>,
) -> Result<Remote, Halt> {
    // A constructor has no place for an error: a failure ends the caller, and is not recorded.
    let made = state
        .call_and_wait(target.clone(), new.clone(), values, false)
        .await?
        .map_err(|error| failed(&target, &new, &error))?;
    if let Value::Tuple(made) = made
        && let [Value::Handle { uri, id }] = made.as_slice()
    {
        let (uri, id) = (uri.clone(), *id);
        return Ok(Remote { uri, id });
    }
    let text = format!("{new} of {target} gave no resource: build the stub again");
    Err(Halt::CalleeFailed(text))
}

/// The guest drops a client: the resource that it stands for is dropped as well.
pub(super) fn drop_client(state: &mut HostState, rep: u32, name: &ClientName) -> Result<()> {
    state.mirror.remove(rep);
    let client = state.table.delete(Resource::<StubClient>::new_own(rep))?;
    if let Some(remote) = client.remote {
        state.release(client.target, name.member("drop"), vec![remote.value()])?;
    }
    Ok(())
}

/// Whom a function of a client calls, what, and with which values.
pub(super) fn arguments(
    store: &mut StoreContextMut<'_, HostState>,
    params: &[Val],
    method: &Method,
) -> Result<(Target, Function, Vec<Value>)> {
    let mut values = Vec::new();
    let (mut target, mut given) = (None, params);
    if !method.is_static {
        let rep = rep_of(store, params)?;
        let client = store
            .data()
            .table
            .get(&Resource::<StubClient>::new_borrow(rep))?;
        values.extend(client.remote.as_ref().map(Remote::value));
        target = Some(client.target.clone());
        given = params.get(1..).unwrap_or_default();
    }
    let function = if method.is_static || !values.is_empty() {
        method.name.member(&method.function)
    } else {
        method.name.plain(&method.function)
    };
    let mut passed = Passed {
        store: RefCell::new(store),
        target,
        clients: &method.params.clients,
        refused: false,
    };
    values.extend(passed.values(given, &method.params.types)?);
    let Some(target) = passed.target else {
        let text = format!("{function} was called without a client that says where");
        return Err(Halt::InvalidRequest(text).into());
    };
    Ok((target, function, values))
}

/// The result of a call as the stub's type. A mismatch means that the stub is older or newer than the target.
pub(super) fn answer(
    store: &mut StoreContextMut<'_, HostState>,
    value: Value,
    result: &Types<WitType>,
    target: &Target,
    function: &Function,
) -> Result<Val, String> {
    let stale = |detail: String| {
        format!("the result of {function} does not fit the stub ({detail}): build the stub again")
    };
    let Value::Tuple(values) = value else {
        return Err(stale("no tuple".into()));
    };
    let [value] = values.as_slice() else {
        return Err(stale(format!("{} values", values.len())));
    };
    let passed = Passed {
        store: RefCell::new(store),
        target: Some(target.clone()),
        clients: &result.clients,
        refused: false,
    };
    to_val(value, &result.types, &passed).map_err(|error| stale(error.to_string()))
}

/// The number of the object that the first parameter stands for.
pub(super) fn rep_of(store: &mut StoreContextMut<'_, HostState>, params: &[Val]) -> Result<u32> {
    let Some(Val::Resource(resource)) = params.first() else {
        return Err(
            Halt::InvalidRequest("a stub method was called without its resource".into()).into(),
        );
    };
    Ok(ResourceDynamic::try_from_resource_any(*resource, store)?.rep())
}

/// An own handle for the guest.
pub(super) fn own(
    store: &mut StoreContextMut<'_, HostState>,
    rep: u32,
    number: u32,
) -> Result<Val> {
    Ok(Val::Resource(
        ResourceDynamic::new_own(rep, number).try_into_resource_any(store)?,
    ))
}

fn uri_of(location: &Val) -> Result<String, Halt> {
    if let Val::Record(fields) = location
        && let [(_, Val::String(uri))] = fields.as_slice()
    {
        return Ok(uri.clone());
    }
    Err(Halt::InvalidRequest(
        "the location of a worker must be a record with one string".into(),
    ))
}

/// Handles to clients against handles of the target.
struct Passed<'a, 's> {
    store: RefCell<&'a mut StoreContextMut<'s, HostState>>,
    /// Whose resources they are; of a static function, that of the first one.
    target: Option<Target>,
    clients: &'a [u32],
    /// A client that stands for no resource was passed.
    refused: bool,
}

impl Passed<'_, '_> {
    fn values(&mut self, given: &[Val], types: &[WitType]) -> Result<Vec<Value>, Halt> {
        let given = given.iter().zip(types);
        let values = given
            .map(|(val, typ)| from_val(val, typ, self))
            .collect::<Result<_, _>>()
            .map_err(|error| Halt::InvalidRequest(error.to_string()))?;
        if self.refused {
            let text = "a client was passed that stands for no resource of its target".into();
            return Err(Halt::InvalidRequest(text));
        }
        Ok(values)
    }

    /// What a handle of the guest stands for. An own one is gone for the guest, and now the target's.
    fn passed(&mut self, resource: ResourceAny) -> Result<Option<Remote>> {
        let store = self.store.get_mut();
        let owned = resource.owned();
        let rep = ResourceDynamic::try_from_resource_any(resource, &mut **store)?.rep();
        let state = store.data_mut();
        let client = state.table.get(&Resource::<StubClient>::new_borrow(rep))?;
        self.target.get_or_insert_with(|| client.target.clone());
        let remote = client.remote.clone();
        if owned {
            state.mirror.remove(rep);
            state.table.delete(Resource::<StubClient>::new_own(rep))?;
        }
        Ok(remote)
    }

    /// A client for the guest.
    fn given(&self, remote: Remote, number: u32) -> Result<ResourceAny> {
        let mut store = self.store.borrow_mut();
        let Some(target) = self.target.clone() else {
            return Err(Halt::InvalidRequest("a resource of nobody".into()).into());
        };
        let remote = Some(remote);
        let state = store.data_mut();
        let rep = state.table.push(StubClient { target, remote })?.rep();
        let held = Held::Passing("resource of another worker");
        state.mirror.insert(held, rep);
        ResourceDynamic::new_own(rep, number).try_into_resource_any(&mut **store)
    }
}

impl Handles for Passed<'_, '_> {
    fn keep(&mut self, resource: ResourceAny) -> (String, u64) {
        let Ok(Some(remote)) = self.passed(resource) else {
            self.refused = true;
            return (String::new(), 0);
        };
        (remote.uri, remote.id)
    }

    fn find(&self, uri: &str, id: u64, kind: u64) -> Option<ResourceAny> {
        let number = *self.clients.get(usize::try_from(kind).ok()?)?;
        let uri = uri.to_owned();
        self.given(Remote { uri, id }, number).ok()
    }
}
