// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / reflect: what a component exports and imports, as words of the model. In: a compiled component.
//! Out: exports, imports, stub interfaces. Never touches a worker. Read next: `catalog.rs`. Source: host design §2.

use golem_model::WitType;
use golem_model::types::{Export, Function, FunctionResult, HandleMode, NamedCase, NamedType};
use wasmtime::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ResourceType, Type};

use crate::checkpoint::is_ours;

/// Numbers the resource types of a component in the order in which they are met.
#[derive(Debug, Default)]
pub(crate) struct ResourceNumbers(Vec<ResourceType>);

impl ResourceNumbers {
    /// The resource types of a stub, which have the numbers from 0 in this order.
    pub(crate) fn of(resources: Vec<ResourceType>) -> Self {
        Self(resources)
    }

    fn number(&mut self, resource: ResourceType) -> u64 {
        let found = self.0.iter().position(|known| *known == resource);
        found.unwrap_or_else(|| {
            self.0.push(resource);
            self.0.len() - 1
        }) as u64
    }
}

/// Exports of a component in declaration order.
pub(crate) fn exports(engine: &Engine, component: &Component) -> Vec<Export> {
    let mut numbers = ResourceNumbers::default();
    let typ = component.component_type();
    typ.exports(engine)
        .filter(|(name, _)| !is_ours(name))
        .filter_map(|(name, export)| match export.ty {
            ComponentItem::ComponentFunc(func) => {
                Some(Export::Function(function(name, &func, &mut numbers)))
            }
            ComponentItem::ComponentInstance(instance) => {
                let functions = instance
                    .exports(engine)
                    .filter_map(|(name, item)| match item.ty {
                        ComponentItem::ComponentFunc(func) => {
                            Some(function(name, &func, &mut numbers))
                        }
                        _ => None,
                    });
                Some(Export::Instance {
                    name: name.to_owned(),
                    functions: functions.collect(),
                })
            }
            _ => None,
        })
        .collect()
}

/// A function with its signature.
pub(crate) fn function(
    name: &str,
    func: &ComponentFunc,
    numbers: &mut ResourceNumbers,
) -> Function {
    let parameters = func
        .params()
        .map(|(name, ty)| NamedType {
            name: name.to_owned(),
            typ: wit_type(&ty, numbers),
        })
        .collect();
    let results = func
        .results()
        .map(|ty| FunctionResult {
            name: None,
            typ: wit_type(&ty, numbers),
        })
        .collect();
    Function {
        name: name.to_owned(),
        parameters,
        results,
    }
}

/// A type of wasmtime in words of the model. Types of proposals that the platform does not run (streams, futures, maps)
/// become an empty tuple: a component that uses them is refused at upload by [`unsupported`].
pub(crate) fn wit_type(ty: &Type, numbers: &mut ResourceNumbers) -> WitType {
    let mut boxed = |ty: &Type| Box::new(wit_type(ty, numbers));
    match ty {
        Type::Bool => WitType::Bool,
        Type::S8 => WitType::S8,
        Type::U8 => WitType::U8,
        Type::S16 => WitType::S16,
        Type::U16 => WitType::U16,
        Type::S32 => WitType::S32,
        Type::U32 => WitType::U32,
        Type::S64 => WitType::S64,
        Type::U64 => WitType::U64,
        Type::Float32 => WitType::F32,
        Type::Float64 => WitType::F64,
        Type::Char => WitType::Chr,
        Type::String => WitType::Str,
        Type::List(list) => WitType::List {
            inner: boxed(&list.ty()),
        },
        Type::Option(option) => WitType::Option {
            inner: boxed(&option.ty()),
        },
        Type::Tuple(tuple) => WitType::Tuple {
            items: tuple.types().map(|ty| *boxed(&ty)).collect(),
        },
        Type::Record(record) => WitType::Record {
            fields: record
                .fields()
                .map(|f| NamedType {
                    name: f.name.to_owned(),
                    typ: *boxed(&f.ty),
                })
                .collect(),
        },
        Type::Variant(variant) => WitType::Variant {
            cases: variant
                .cases()
                .map(|case| NamedCase {
                    name: case.name.to_owned(),
                    typ: case.ty.map(|ty| *boxed(&ty)),
                })
                .collect(),
        },
        Type::Enum(names) => WitType::Enum {
            cases: names.names().map(str::to_owned).collect(),
        },
        Type::Flags(flags) => WitType::Flags {
            names: flags.names().map(str::to_owned).collect(),
        },
        Type::Result(result) => WitType::Result {
            ok: result.ok().map(|ty| boxed(&ty)),
            err: result.err().map(|ty| boxed(&ty)),
        },
        Type::Own(resource) => WitType::Handle {
            resource_id: numbers.number(*resource),
            mode: HandleMode::Owned,
        },
        Type::Borrow(resource) => WitType::Handle {
            resource_id: numbers.number(*resource),
            mode: HandleMode::Borrowed,
        },
        Type::Future(_)
        | Type::Stream(_)
        | Type::ErrorContext
        | Type::Map(_)
        | Type::FixedLengthList(_) => WitType::Tuple { items: Vec::new() },
    }
}

/// Names of all imports, in order.
pub(crate) fn imports(engine: &Engine, component: &Component) -> Vec<String> {
    component
        .component_type()
        .imports(engine)
        .filter(|(name, _)| !is_ours(name))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// A stub interface that is imported: which interface of which component it stands for. Architecture D5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StubName<'a> {
    /// `ns:name` of the target's package.
    pub(crate) package: &'a str,
    /// `@version` of the package, or empty.
    pub(crate) version: &'a str,
}

/// Splits `ns:name-stub/stub-world[@version]` (client spec §3.3); `None` for every other import.
pub(crate) fn stub_name(import: &str) -> Option<StubName<'_>> {
    let (package, interface) = import.split_once('/')?;
    let package = package.strip_suffix("-stub")?;
    let (interface, version) = match interface.find('@') {
        Some(at) => interface.split_at_checked(at)?,
        None => (interface, ""),
    };
    interface.strip_prefix("stub-")?;
    Some(StubName { package, version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stub_interfaces_are_told_by_their_names() {
        let name = |package, version| Some(StubName { package, version });
        assert_eq!(
            stub_name("rpcdemo:component2-stub/stub-component2"),
            name("rpcdemo:component2", "")
        );
        assert_eq!(stub_name("a:b-stub/stub-w@1.2.3"), name("a:b", "@1.2.3"));
        assert_eq!(stub_name("wasi:io/poll@0.2.0"), None);
        assert_eq!(stub_name("a:b-stub/other"), None);
    }
}
