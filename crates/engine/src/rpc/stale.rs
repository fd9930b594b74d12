// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / stale: stubs that do not fit the components that are here. In: a component's imports and the exports of others. Out:
//! sentences for whoever uploads. Never refuses: a target may come later, or a call may never be made; a call that does not fit
//! fails by itself and says so. Read next: `stub.rs`. Why: client spec §8.4.

use golem_model::WitType;
use golem_model::wave::has_handle;
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use super::stub::{Futures, error_type, functions_of, value_type};
use crate::component::loaded::Loaded;
use crate::component::reflect::{ResourceNumbers, stub_name, wit_type};

/// A stub among the imports of a component: what it takes for granted of its target.
pub(crate) struct ExpectedStub {
    /// Name of the import.
    import: String,
    package: String,
    version: String,
    functions: Vec<ExpectedFunction>,
}

struct ExpectedFunction {
    resource: String,
    name: String,
    params: Vec<WitType>,
    /// What a call that is waited for gives; `None` when only other calls are imported, which do not tell.
    result: Option<Option<WitType>>,
}

/// The stubs that a component imports, with the functions that its guest uses.
pub(crate) fn expected_stubs(engine: &Engine, component: &Component) -> Vec<ExpectedStub> {
    let typ = component.component_type();
    let mut found = Vec::new();
    for (import, item) in typ.imports(engine) {
        let (Some(name), ComponentItem::ComponentInstance(instance)) = (stub_name(import), item.ty)
        else {
            continue;
        };
        let functions = functions_of(engine, &instance);
        let futures = Futures::of(engine, &instance);
        let errors = error_type(engine, &instance);
        let mut expected = Vec::new();
        for (method, func) in &functions {
            let Some((resource, method)) = method
                .strip_prefix("[method]")
                .and_then(|rest| rest.split_once('.'))
            else {
                continue;
            };
            if futures.has(resource) {
                continue;
            }
            let mut kinds = ResourceNumbers::default();
            let blocking = method.strip_prefix("blocking-");
            expected.push(ExpectedFunction {
                resource: resource.to_owned(),
                name: blocking.unwrap_or(method).to_owned(),
                params: func
                    .params()
                    .skip(1)
                    .map(|(_, ty)| wit_type(&ty, &mut kinds))
                    .collect(),
                result: blocking.map(|_| {
                    let (value, _) = value_type(func.results().next().as_ref(), errors.as_ref());
                    value.map(|ty| wit_type(&ty, &mut ResourceNumbers::default()))
                }),
            });
        }
        found.push(ExpectedStub {
            import: import.to_owned(),
            package: name.package.to_owned(),
            version: name.version.to_owned(),
            functions: expected,
        });
    }
    found
}

impl ExpectedStub {
    /// Name of the import.
    pub(crate) fn import(&self) -> &str {
        &self.import
    }

    /// Whether an interface of this name is one of the target's.
    pub(crate) fn is_of(&self, interface: &str) -> bool {
        let (path, version) = match interface.find('@') {
            Some(at) => interface.split_at(at),
            None => (interface, ""),
        };
        let package = path.split_once('/').map_or("", |(package, _)| package);
        let plain = package.strip_suffix("-interface").unwrap_or(package);
        version == self.version && (package == self.package || plain == self.package)
    }

    /// What of the stub does not fit a target, a few words each; empty when all of it does.
    pub(crate) fn misfits(&self, target: &Loaded) -> Vec<String> {
        let mut found = Vec::new();
        for function in &self.functions {
            let (resource, name) = (&function.resource, &function.name);
            let (package, version) = (&self.package, &self.version);
            let exported = target
                .stub_function(package, version, resource, name)
                .or_else(|| target.stub_member(package, version, resource, name));
            let misfit = match exported {
                None => "is not there",
                Some(exported) if differs(&function.params, &exported.params) => {
                    "takes other parameters"
                }
                Some(exported) => match &function.result {
                    Some(result) if differs(result.as_slice(), exported.result.as_slice()) => {
                        "gives another result"
                    }
                    _ => continue,
                },
            };
            let text = format!("`{resource}.{name}` {misfit}");
            if !found.contains(&text) {
                found.push(text);
            }
        }
        found
    }
}

/// Whether two lists of types differ. Handles are not compared: their numbers are those of one component.
fn differs(stub: &[WitType], target: &[WitType]) -> bool {
    if stub.len() != target.len() {
        return true;
    }
    stub.iter()
        .zip(target)
        .any(|(a, b)| a != b && !has_handle(a) && !has_handle(b))
}
