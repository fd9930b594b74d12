// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / metadata: which imports of a component are stubs, and of what. In: component bytes. Out: [`StubImport`].
//! Never runs it. Read next: `compose.rs`. Why: the engine links stub interfaces itself (decision D5); the command line
//! shows what a component will call.

#![expect(
    clippy::indexing_slicing,
    reason = "arenas are indexed by the ids that they handed out"
)]

use wit_parser::{
    FunctionKind, InterfaceId, Resolve, Type, TypeDefKind, TypeId, TypeOwner, WorldItem,
};

use crate::describe::{DescribeError, decode};
use crate::stub::{INTERFACE_PREFIX, PACKAGE_SUFFIX};

/// A stub interface among the imports of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StubImport {
    /// The import, such as `rpcdemo:component2-stub/stub-component2`.
    pub import: String,
    /// The target's package, such as `rpcdemo:component2` or `acme:cart@1.2.0`.
    pub target_package: String,
    /// The target's world.
    pub target_world: String,
    /// The client resources, in order.
    pub clients: Vec<StubClient>,
}

/// One client resource of an imported stub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StubClient {
    /// Name of the resource.
    pub resource: String,
    /// Names of the remote functions that the component uses, sorted; without `blocking-`.
    pub functions: Vec<String>,
}

/// Finds the stub interfaces among the imports: `<package>-stub[@version]/stub-<world>`, in both dialects.
///
/// A client resource is one whose constructor takes a record with the single field `value` (the worker's URI) first;
/// pollables and futures are no clients. A component imports only what it uses, so unused functions do not show.
/// Errors: [`DescribeError::NotAComponent`]. Source: client specification §5.3 (dynamic linking).
pub fn stub_targets(component: &[u8]) -> Result<Vec<StubImport>, DescribeError> {
    let (resolve, world) = decode(component)?;
    let mut found = Vec::new();
    for (key, item) in &resolve.worlds[world].imports {
        let WorldItem::Interface { id, .. } = item else {
            continue;
        };
        let import = resolve.name_world_key(key);
        let Some((target_package, target_world)) = stub_of(&import) else {
            continue;
        };
        found.push(StubImport {
            import,
            target_package,
            target_world,
            clients: clients(&resolve, *id),
        });
    }
    Ok(found)
}

/// Target package and world behind the name of an import; `None` when it is no stub.
#[must_use]
pub fn stub_of(import: &str) -> Option<(String, String)> {
    let (path, version) = match import.split_once('@') {
        Some((path, version)) => (path, Some(version)),
        None => (import, None),
    };
    let (package, interface) = path.split_once('/')?;
    let package = package
        .strip_suffix(PACKAGE_SUFFIX)
        .filter(|package| package.contains(':') && !package.ends_with(':'))?;
    let world = interface
        .strip_prefix(INTERFACE_PREFIX)
        .filter(|world| !world.is_empty())?;
    let version = version.map_or_else(String::new, |version| format!("@{version}"));
    Some((format!("{package}{version}"), world.to_owned()))
}

fn clients(resolve: &Resolve, id: InterfaceId) -> Vec<StubClient> {
    let interface = &resolve.interfaces[id];
    let mut clients = Vec::new();
    for (name, type_id) in &interface.types {
        let def = &resolve.types[*type_id];
        if !matches!(def.kind, TypeDefKind::Resource) || def.owner != TypeOwner::Interface(id) {
            continue;
        }
        let members = || {
            interface
                .functions
                .values()
                .filter(|function| function.kind.resource() == Some(*type_id))
        };
        let is_client = members().any(|function| {
            matches!(function.kind, FunctionKind::Constructor(_))
                && function
                    .params
                    .first()
                    .is_some_and(|param| is_uri(resolve, &param.ty))
        });
        // A component that only gets such clients from calls does not import the constructor.
        let blocking = members().any(|function| function.item_name().starts_with("blocking-"));
        if !is_client && !blocking {
            continue;
        }
        let mut functions: Vec<String> = members()
            .filter(|function| !matches!(function.kind, FunctionKind::Constructor(_)))
            .map(|function| {
                function
                    .item_name()
                    .trim_start_matches("blocking-")
                    .to_owned()
            })
            .collect();
        functions.sort();
        functions.dedup();
        clients.push(StubClient {
            resource: name.clone(),
            functions,
        });
    }
    clients
}

fn is_uri(resolve: &Resolve, ty: &Type) -> bool {
    let Type::Id(id) = ty else { return false };
    match &resolve.types[root(resolve, *id)].kind {
        TypeDefKind::Record(record) => match record.fields.as_slice() {
            [field] => field.name == "value" && field.ty == Type::String,
            _ => false,
        },
        _ => false,
    }
}

fn root(resolve: &Resolve, mut id: TypeId) -> TypeId {
    while let TypeDefKind::Type(Type::Id(next)) = &resolve.types[id].kind {
        id = *next;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::stub_of;

    #[test]
    fn stubs_are_known_by_name() {
        let pair = |package: &str, world: &str| Some((package.to_owned(), world.to_owned()));
        assert_eq!(
            stub_of("rpcdemo:component2-stub/stub-component2"),
            pair("rpcdemo:component2", "component2")
        );
        assert_eq!(
            stub_of("acme:cart-stub/stub-cart@1.2.0"),
            pair("acme:cart@1.2.0", "cart")
        );
        for other in [
            "wasi:io/poll@0.2.0",
            "a:b-stub/api",
            "a:-stub/stub-x",
            "stub-x",
            "a:b/stub-x",
            "a:b-stub/stub-",
        ] {
            assert_eq!(stub_of(other), None, "{other}");
        }
    }
}
