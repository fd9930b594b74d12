// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / stub: stub interfaces among the imports of a component, linked by the engine without a stub component.
//! In: an import `<pkg>-stub/stub-<world>`. Out: host functions that call workers. Items are told by their shape.
//! Read next: `clients.rs`, `call.rs`. Why: architecture D5, client spec §5.3, host design §3.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use golem_model::oplog::Event;
use golem_model::{Value, WitType};
use wasmtime::component::types::{ComponentFunc, ComponentInstance, ComponentItem};
use wasmtime::component::{Linker, LinkerInstance, Resource, ResourceType, Type, Val};
use wasmtime::{Engine, Result, StoreContextMut};

use super::call::{Function, RpcError, result_from, result_value};
use super::clients::{
    ClientName, Method, Types, answer, arguments, construct, drop_client, own, rep_of,
};
use super::future::CallFuture;
use crate::checkpoint::Held;
use crate::component::reflect::{ResourceNumbers, StubName, stub_name, wit_type};
use crate::host::calls::RPC_REFUSED;
use crate::host::durable::{Halt, input_hash};
use crate::host::{HostState, Source, subscribe_to};
use crate::queue::Target;

/// A future of the guest.
struct StubFuture {
    future: Arc<CallFuture>,
}

/// What a call gives the guest.
pub(super) struct Returns {
    /// Type of the target's result; `None` when it has none.
    value: Option<Types<WitType>>,
    /// The call returns a `result` whose error is `call-error`; else a failure ends the caller.
    typed_errors: bool,
}

/// Name of `golem:worker/call-errors.call-error` inside a stub.
const CALL_ERROR: &str = "golem-call-error";
/// Its cases, in order.
const CALL_ERROR_CASES: [&str; 7] = [
    "protocol",
    "not-found",
    "denied",
    "timeout",
    "cancelled",
    "deadlock",
    "callee-failed",
];

/// The type of the errors that the calls of a stub return, if it is of that flavour: told by the type, which no other
/// stub has under this name.
pub(super) fn error_type(engine: &Engine, instance: &ComponentInstance) -> Option<Type> {
    instance
        .exports(engine)
        .find_map(|(name, item)| match item.ty {
            ComponentItem::Type(Type::Variant(variant))
                if name == CALL_ERROR
                    && variant.cases().map(|case| case.name).eq(CALL_ERROR_CASES) =>
            {
                Some(Type::Variant(variant))
            }
            _ => None,
        })
}

/// The type of the target's result, `None` when it has none, and whether the stub wraps it into a typed error.
pub(super) fn value_type(result: Option<&Type>, errors: Option<&Type>) -> (Option<Type>, bool) {
    match (result, errors) {
        (Some(Type::Result(both)), Some(errors)) if both.err().as_ref() == Some(errors) => {
            (both.ok(), true)
        }
        _ => (result.cloned(), false),
    }
}

impl Returns {
    /// What a function of type `result` gives; `errors` is the type of the errors, in a stub that has it.
    fn of(result: Option<&Type>, errors: Option<&Type>, clients: &Clients) -> Self {
        let (value, typed_errors) = value_type(result, errors);
        Self {
            value: value.map(|ty| clients.one(&ty)),
            typed_errors,
        }
    }

    /// The outcome of a call as the guest gets it; `None` for a function without a result.
    fn outcome(
        &self,
        store: &mut StoreContextMut<'_, HostState>,
        target: &Target,
        function: &Function,
        outcome: Result<Value, RpcError>,
    ) -> Result<Option<Val>, Halt> {
        if !self.typed_errors {
            let value = outcome.map_err(|error| failed(target, function, &error))?;
            return match &self.value {
                Some(typ) => answer(store, value, typ, target, function)
                    .map(Some)
                    .map_err(Halt::CalleeFailed),
                None => Ok(None),
            };
        }
        let outcome = outcome.and_then(|value| match &self.value {
            Some(typ) => answer(store, value, typ, target, function)
                .map(|val| Some(Box::new(val)))
                .map_err(RpcError::Protocol),
            None => Ok(None),
        });
        Ok(Some(Val::Result(
            outcome.map_err(|error| Some(Box::new(call_error(error)))),
        )))
    }
}

/// A failure as `call-error`.
fn call_error(error: RpcError) -> Val {
    let text = |message: String| Some(Box::new(Val::String(message)));
    let (case, payload) = match error {
        RpcError::Protocol(message) => ("protocol", text(message)),
        RpcError::NotFound(message) => ("not-found", text(message)),
        RpcError::Denied(message) => ("denied", text(message)),
        RpcError::Timeout(message) => ("timeout", text(message)),
        RpcError::Cancelled(message) => ("cancelled", text(message)),
        RpcError::Deadlock(path) => {
            let path = path.into_iter().map(Val::String).collect();
            ("deadlock", Some(Box::new(Val::List(path))))
        }
        RpcError::CalleeFailed { message, trace } => (
            "callee-failed",
            Some(Box::new(Val::Record(vec![
                ("message".to_owned(), Val::String(message)),
                ("trace".to_owned(), Val::String(trace)),
            ]))),
        ),
    };
    Val::Variant(case.to_owned(), payload)
}

/// The functions of an interface that a component imports: those that its guest uses.
pub(super) fn functions_of(
    engine: &Engine,
    instance: &ComponentInstance,
) -> Vec<(String, ComponentFunc)> {
    let functions = instance.exports(engine);
    functions
        .filter_map(|(name, item)| match item.ty {
            ComponentItem::ComponentFunc(func) => Some((name.to_owned(), func)),
            _ => None,
        })
        .collect()
}

/// Defines everything that the stub interface `import` exports. `numbers` gives every resource type of the component its
/// own number, its place from 1, so that handles of two stubs never mix; `foreign` are those that other interfaces
/// define. A component
/// imports only what its guest uses, so nothing is concluded from a function that is missing.
pub(crate) fn link_stub(
    linker: &mut Linker<HostState>,
    engine: &Engine,
    import: &str,
    instance: &ComponentInstance,
    foreign: &[ResourceType],
    numbers: &mut Vec<ResourceType>,
) -> Result<()> {
    let Some(name) = stub_name(import) else {
        return Ok(());
    };
    let functions = functions_of(engine, instance);
    let futures = Futures::of(engine, instance);
    let errors = error_type(engine, instance);
    let mut into = linker.instance(import)?;
    let mut resources = HashMap::new();
    let mut clients = Clients::default();
    for (resource, item) in instance.exports(engine) {
        let ComponentItem::Resource(typ) = item.ty else {
            continue;
        };
        // A resource that is only used here (pollable) comes from its own interface.
        if foreign.contains(&typ) {
            continue;
        }
        numbers.push(typ);
        let number = u32::try_from(numbers.len())?;
        let future = futures.has(resource);
        if future {
            define_future(&mut into, resource, number)?;
        } else {
            define_client(&mut into, client_name(&name, resource), number)?;
        }
        clients.add(typ, number);
        resources.insert(resource.to_owned(), (typ, number, future));
    }
    for (function, func) in &functions {
        define_function(
            &mut into,
            &name,
            function,
            func,
            &resources,
            &clients,
            errors.as_ref(),
        )?;
    }
    Ok(())
}

/// The resource that a function belongs to.
fn resource_of(function: &str) -> Option<&str> {
    let rest = function.strip_prefix('[')?.split_once(']')?.1;
    Some(rest.split_once('.').map_or(rest, |(resource, _)| resource))
}

/// The resources of a stub that are results to come, not clients.
///
/// Their names are no proof: a target may have a resource `future-x-result` itself. What a result to come has is
/// `get: func() -> option<…>` and `subscribe: func() -> pollable`; a client has a constructor, static functions, or pairs
/// `blocking-f` and `f`, of which `f` gives nothing, a result that came at once, or a result to come. Only what the guest uses
/// is among the imports, so each function has to tell alone, and where there is none, whoever gives the resource.
pub(super) struct Futures(HashSet<String>);

impl Futures {
    /// Those among the exports of a stub.
    pub(super) fn of(engine: &Engine, instance: &ComponentInstance) -> Self {
        let functions = functions_of(engine, instance);
        let named: HashMap<String, ResourceType> = instance
            .exports(engine)
            .filter_map(|(name, item)| match item.ty {
                ComponentItem::Resource(typ)
                    if name.starts_with("future-") && name.ends_with("-result") =>
                {
                    Some((name.to_owned(), typ))
                }
                _ => None,
            })
            .collect();
        let result = |func: &ComponentFunc| func.results().next();
        let is = |name: &str, typ: &ResourceType| {
            let mut members = functions
                .iter()
                .filter(|(function, _)| resource_of(function) == Some(name))
                .peekable();
            if members.peek().is_some() {
                return members.all(|(function, func)| match member_of(function) {
                    Some((_, "get", false)) => matches!(result(func), Some(Type::Option(_))),
                    // The pollable has no such name, what a client's `subscribe` gives has.
                    Some((_, "subscribe", false)) => matches!(
                        result(func),
                        Some(Type::Own(given)) if named.values().all(|typ| *typ != given)
                    ),
                    _ => false,
                });
            }
            functions.iter().any(|(function, func)| {
                let given = matches!(result(func), Some(Type::Own(given)) if given == *typ);
                let Some((_, short, _)) = member_of(function) else {
                    return false;
                };
                // `blocking-f` gives what the target gives, or is the other half of `blocking-blocking-f`.
                given
                    && (!short.starts_with("blocking-")
                        || name.ends_with(&format!("{short}-result")))
            })
        };
        let found = named.iter().filter(|(name, typ)| is(name, typ));
        Self(found.map(|(name, _)| name.clone()).collect())
    }

    /// Whether the resource of this name is one.
    pub(super) fn has(&self, resource: &str) -> bool {
        self.0.contains(resource)
    }
}

/// The resource types of a stub, and their numbers.
#[derive(Default)]
struct Clients {
    types: Vec<ResourceType>,
    numbers: Vec<u32>,
}

impl Clients {
    fn add(&mut self, typ: ResourceType, number: u32) {
        self.types.push(typ);
        self.numbers.push(number);
    }

    /// Types whose handles are numbered like the resources of the stub.
    fn many(&self, types: impl Iterator<Item = Type>) -> Types<Vec<WitType>> {
        let mut kinds = ResourceNumbers::of(self.types.clone());
        Types {
            types: types.map(|ty| wit_type(&ty, &mut kinds)).collect(),
            clients: self.numbers.as_slice().into(),
        }
    }

    /// The same for one.
    fn one(&self, ty: &Type) -> Types<WitType> {
        Types {
            types: wit_type(ty, &mut ResourceNumbers::of(self.types.clone())),
            clients: self.numbers.as_slice().into(),
        }
    }
}

fn client_name(stub: &StubName<'_>, resource: &str) -> ClientName {
    ClientName {
        package: stub.package.to_owned(),
        version: stub.version.to_owned(),
        resource: resource.to_owned(),
    }
}

fn define_future(into: &mut LinkerInstance<'_, HostState>, name: &str, number: u32) -> Result<()> {
    let typ = ResourceType::host_dynamic(number);
    into.resource(name, typ, |mut store, rep| {
        let state = store.data_mut();
        state.mirror.remove(rep);
        let StubFuture { future } = state.table.delete(Resource::<StubFuture>::new_own(rep))?;
        Ok(state.abandon(&future)?)
    })
}

fn define_client(
    into: &mut LinkerInstance<'_, HostState>,
    name: ClientName,
    number: u32,
) -> Result<()> {
    let typ = ResourceType::host_dynamic(number);
    let resource = name.resource.clone();
    into.resource(&resource, typ, move |mut store, rep| {
        drop_client(store.data_mut(), rep, &name)
    })
}

/// What a function of a stub is: `[method]res.f` or `[static]res.f`.
fn member_of(name: &str) -> Option<(&str, &str, bool)> {
    let (rest, is_static) = match name.strip_prefix("[static]") {
        Some(rest) => (rest, true),
        None => (name.strip_prefix("[method]")?, false),
    };
    let (resource, function) = rest.split_once('.')?;
    Some((resource, function, is_static))
}

fn define_function(
    into: &mut LinkerInstance<'_, HostState>,
    stub: &StubName<'_>,
    name: &str,
    func: &ComponentFunc,
    resources: &HashMap<String, (ResourceType, u32, bool)>,
    clients: &Clients,
    errors: Option<&Type>,
) -> Result<()> {
    if let Some(resource) = name.strip_prefix("[constructor]") {
        let Some((_, number, _)) = resources.get(resource) else {
            return Ok(());
        };
        let params = clients.many(func.params().skip(1).map(|(_, ty)| ty));
        return define_constructor(into, name, client_name(stub, resource), params, *number);
    }
    let Some((resource, function, is_static)) = member_of(name) else {
        return define_unsupported(into, name);
    };
    let Some((_, _, future)) = resources.get(resource) else {
        return Ok(());
    };
    let result = func.results().next();
    if *future {
        return match (function, result) {
            ("get", Some(Type::Option(inner))) => {
                define_get(into, name, Returns::of(Some(&inner.ty()), errors, clients))
            }
            _ => define_subscribe(into, name),
        };
    }
    let answer = match &result {
        Some(Type::Own(own)) => resources
            .values()
            .find(|(typ, _, future)| *future && typ == own)
            .map(|(_, number, _)| *number),
        _ => None,
    };
    // A function of the target that is itself called `blocking-…` is told by its future.
    let blocking = function
        .strip_prefix("blocking-")
        .filter(|_| answer.is_none());
    let returns = Returns::of(result.as_ref(), errors, clients);
    let method = Method {
        name: client_name(stub, resource),
        function: blocking.unwrap_or(function).to_owned(),
        is_static,
        params: clients.many(
            func.params()
                .skip(usize::from(!is_static))
                .map(|(_, ty)| ty),
        ),
    };
    match (blocking, answer) {
        (Some(_), _) => define_blocking(into, name, method, returns),
        (None, Some(number)) => define_later(into, name, method, number),
        (None, None) => define_trigger(into, name, method, returns.typed_errors),
    }
}

/// A function that no stub has: calling it says so; not calling it costs nothing.
fn define_unsupported(into: &mut LinkerInstance<'_, HostState>, name: &str) -> Result<()> {
    let text = format!("`{name}` is no function of a stub: it belongs to no client");
    into.func_new_async(name, move |_, _, _, _| {
        let text = text.clone();
        Box::new(async move { Err(Halt::InvalidRequest(text).into()) })
    })
}

fn define_constructor(
    into: &mut LinkerInstance<'_, HostState>,
    name: &str,
    client: ClientName,
    params: Types<Vec<WitType>>,
    number: u32,
) -> Result<()> {
    let about = Arc::new((client, params));
    into.func_new_async(name, move |mut store, _, params, results| {
        let about = Arc::clone(&about);
        Box::new(async move {
            let (client, types) = &*about;
            put(
                results,
                construct(&mut store, params, client, types, number).await?,
            )
        })
    })
}

fn define_blocking(
    into: &mut LinkerInstance<'_, HostState>,
    name: &str,
    method: Method,
    returns: Returns,
) -> Result<()> {
    let about = Arc::new((method, returns));
    into.func_new_async(name, move |mut store, _, params, results| {
        let about = Arc::clone(&about);
        Box::new(async move {
            let (method, returns) = &*about;
            let (target, function, values) = arguments(&mut store, params, method)?;
            let result = store
                .data_mut()
                .call_and_wait(
                    target.clone(),
                    function.clone(),
                    values,
                    returns.typed_errors,
                )
                .await?;
            let found = returns.outcome(&mut store, &target, &function, result)?;
            found.map_or(Ok(()), |val| put(results, val))
        })
    })
}

fn define_trigger(
    into: &mut LinkerInstance<'_, HostState>,
    name: &str,
    method: Method,
    typed_errors: bool,
) -> Result<()> {
    let method = Arc::new(method);
    into.func_new_async(name, move |mut store, _, params, results| {
        let method = Arc::clone(&method);
        Box::new(async move {
            let (target, function, values) = arguments(&mut store, params, &method)?;
            let sent = store
                .data_mut()
                .trigger(target.clone(), function.clone(), values)?;
            if !typed_errors {
                sent.map_err(|error| failed(&target, &function, &error))?;
                return Ok(());
            }
            let sent = refusal(store.data_mut(), sent)?
                .map(|()| None)
                .map_err(|error| Some(Box::new(call_error(error))));
            put(results, Val::Result(sent))
        })
    })
}

fn define_later(
    into: &mut LinkerInstance<'_, HostState>,
    name: &str,
    method: Method,
    number: u32,
) -> Result<()> {
    let method = Arc::new(method);
    into.func_new_async(name, move |mut store, _, params, results| {
        let method = Arc::clone(&method);
        Box::new(async move {
            let (target, function, values) = arguments(&mut store, params, &method)?;
            let future = store.data_mut().call_later(target, function, values)?;
            let state = store.data_mut();
            let future = state.table.push(StubFuture { future })?;
            let held = Held::Passing("call to another worker");
            state.mirror.insert(held, future.rep());
            put(results, own(&mut store, future.rep(), number)?)
        })
    })
}

fn define_subscribe(into: &mut LinkerInstance<'_, HostState>, name: &str) -> Result<()> {
    into.func_new_async(name, move |mut store, _, params, results| {
        Box::new(async move {
            let future = future_of(&mut store, params)?;
            let pollable = subscribe_to(store.data_mut(), Source::Call(future))?;
            let pollable = pollable.try_into_resource_any(&mut store)?;
            put(results, Val::Resource(pollable))
        })
    })
}

fn define_get(
    into: &mut LinkerInstance<'_, HostState>,
    name: &str,
    returns: Returns,
) -> Result<()> {
    let returns = Arc::new(returns);
    into.func_new_async(name, move |mut store, _, params, results| {
        let returns = Arc::clone(&returns);
        Box::new(async move {
            let future = future_of(&mut store, params)?;
            let found = store
                .data_mut()
                .future_result(&future, returns.typed_errors)
                .await?;
            let call = &future.call;
            let found = match found {
                None => None,
                Some(result) => returns
                    .outcome(&mut store, &call.target, &call.function, result)?
                    .map(Box::new),
            };
            put(results, Val::Option(found))
        })
    })
}

/// Whether a call could be sent. That it could not depends on what is uploaded at the moment, so it is recorded, with an input
/// of its own: the refusals of `golem:rpc` have none and come before the call.
fn refusal(
    state: &mut HostState,
    sent: Result<(), RpcError>,
) -> Result<Result<(), RpcError>, Halt> {
    let input = input_hash(&[b"sent"]);
    let recorded = match state.journal()?.peek()? {
        Some((_, Event::Read(read))) => read.call == RPC_REFUSED.number && read.input == input,
        _ => false,
    };
    if !recorded && sent.is_ok() {
        return Ok(Ok(()));
    }
    if recorded {
        state.forget_refused_call();
    }
    let result = sent.map(|()| Value::Tuple(Vec::new()));
    let kept = state.durable(RPC_REFUSED, input, |_| Ok(result_value(&result)))?;
    Ok(result_from(kept).map(drop))
}

/// A failure for which the interface has no place: it ends the caller, with the same text, and is not recorded (D10).
pub(super) fn failed(target: &Target, function: &Function, error: &RpcError) -> Halt {
    if let RpcError::Deadlock(path) = error {
        return Halt::Deadlock(path.clone());
    }
    Halt::CalleeFailed(format!("call of {function} on {target} failed: {error}"))
}

fn put(results: &mut [Val], value: Val) -> Result<()> {
    if let Some(slot) = results.first_mut() {
        *slot = value;
    }
    Ok(())
}

fn future_of(
    store: &mut StoreContextMut<'_, HostState>,
    params: &[Val],
) -> Result<Arc<CallFuture>> {
    let rep = rep_of(store, params)?;
    Ok(Arc::clone(
        &store
            .data()
            .table
            .get(&Resource::<StubFuture>::new_borrow(rep))?
            .future,
    ))
}

#[cfg(test)]
mod tests {
    use wasmtime::component::Component;

    use super::*;

    /// The futures of a stub with the functions `body`; `$p` is the pollable, `$api` a client, `$ours` and `$theirs` are
    /// `future-ours-result` and `future-theirs-result`.
    fn futures(body: &str) -> Vec<String> {
        let text = format!(
            r#"(component
  (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
  (alias export $poll "pollable" (type $pollable))
  (import "a:b-stub/stub-w" (instance $stub
    (alias outer 1 $pollable (type $outer))
    (export "wasi-io-pollable" (type $p (eq $outer)))
    (export "api" (type $api (sub resource)))
    (export "future-ours-result" (type $ours (sub resource)))
    (export "future-theirs-result" (type $theirs (sub resource)))
    (export "future-blocking-x-result" (type $half (sub resource)))
    {body})))"#
        );
        let engine = Engine::default();
        let component = Component::new(&engine, wat::parse_str(text).unwrap()).unwrap();
        let typ = component.component_type();
        let stub = typ
            .imports(&engine)
            .find(|(name, _)| *name == "a:b-stub/stub-w");
        let Some(ComponentItem::ComponentInstance(instance)) = stub.map(|(_, item)| item.ty) else {
            unreachable!("the stub is imported")
        };
        let mut found: Vec<String> = Futures::of(&engine, &instance).0.into_iter().collect();
        found.sort();
        found
    }

    fn func(name: &str, of: &str, result: &str) -> String {
        format!(r#"(export "{name}" (func (param "self" (borrow ${of})) {result}))"#)
    }

    #[test]
    fn results_to_come_are_told_by_their_functions_not_by_their_names() {
        let (own_ours, own_p) = ("(result (own $ours))", "(result (own $p))");
        let get = func(
            "[method]future-ours-result.get",
            "ours",
            "(result (option u8))",
        );
        let subscribe = func("[method]future-ours-result.subscribe", "ours", own_p);
        let ours = ["future-ours-result"];
        assert_eq!(futures(&(get.clone() + &subscribe)), ours);
        // Whatever of it the guest uses.
        assert_eq!(futures(&get), ours);
        assert_eq!(futures(&subscribe), ours);
        assert_eq!(futures(&func("[method]api.ours", "api", own_ours)), ours);
        assert_eq!(futures(""), [""; 0]);
        // A resource of the target under such a name: its client.
        let theirs = |name: &str, result: &str| {
            let name = format!("[method]future-theirs-result.{name}");
            futures(&(get.clone() + &func(&name, "theirs", result)))
        };
        assert_eq!(theirs("blocking-get", "(result u8)"), ours);
        assert_eq!(theirs("get", own_ours), ours);
        assert_eq!(theirs("subscribe", own_ours), ours);
        assert_eq!(theirs("get", ""), ours);
        assert_eq!(theirs("subscribe", ""), ours);
        let given = func("[method]api.blocking-x", "api", "(result (own $theirs))");
        assert_eq!(futures(&(given + &subscribe)), ours);
        let made = r#"(export "[constructor]future-theirs-result" (func (result (own $theirs))))"#;
        assert_eq!(futures(made), [""; 0]);
        // The half of `blocking-blocking-…` that does not wait.
        let half = func("[method]api.blocking-x", "api", "(result (own $half))");
        assert_eq!(futures(&half), ["future-blocking-x-result"]);
    }
}
