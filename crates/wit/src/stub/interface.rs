// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / stub interface: the WIT text of a stub, dialect L. In: a linked target and its world. Out:
//! [`StubInterface`]. Never touches files. Read next: `component.rs`.
//! Why: the text is the contract with callers; client specification §3.3, its defects are fixed as §3.10 says.

#![expect(
    clippy::indexing_slicing,
    reason = "arenas are indexed by the ids that they handed out"
)]

use std::collections::HashMap;
use std::fmt::Write as _;

use wit_parser::{
    Function, FunctionKind, InterfaceId, PackageName, Resolve, Type, TypeDefKind, TypeId,
    TypeOwner, WorldId, WorldItem, WorldKey,
};

use crate::names::escape;
use crate::resolve::Loaded;
use crate::stub::error::StubError;
use crate::stub::naming::Naming;
use crate::stub::types::{self, Types};

/// Name of the file that holds a stub's WIT in dialect L.
pub const STUB_FILE: &str = "_stub.wit";
/// What a stub's package is called after its target: `<name>-stub`.
pub const PACKAGE_SUFFIX: &str = "-stub";
/// What a stub's interface is called after the target's world: `stub-<world>`.
pub const INTERFACE_PREFIX: &str = "stub-";
/// What a stub's world is called after the target's world: `wasm-rpc-stub-<world>`.
pub const WORLD_PREFIX: &str = "wasm-rpc-stub-";

/// What a stub says of a call that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Flavour {
    /// Nothing: such a call ends the caller. Dialect L.
    #[default]
    Trapping,
    /// Each call returns a `result` whose error is `golem:worker/call-errors.call-error`.
    ErrorResults,
}

/// Name of the variant `golem:worker/call-errors.call-error` inside a stub of [`Flavour::ErrorResults`].
pub(crate) const CALL_ERROR: &str = "golem-call-error";
/// Name of the type `golem:rpc/types.uri` inside a stub.
pub(super) const URI: &str = "golem-rpc-uri";
/// Name of the resource `wasi:io/poll.pollable` inside a stub.
pub(super) const POLLABLE: &str = "wasi-io-pollable";

/// A stub: its text, and what stands behind each of its client resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StubInterface {
    /// Package of the stub, such as `rpcdemo:component2-stub`; it has the target's version.
    pub package: PackageName,
    /// Interface of the stub, such as `stub-component2`.
    pub interface: String,
    /// World of the stub, such as `wasm-rpc-stub-component2`.
    pub world: String,
    /// The client resources, in order of the text.
    pub clients: Vec<Client>,
    /// What it says of calls that fail.
    pub flavour: Flavour,
    /// The WIT text.
    pub text: String,
    /// What was left out, one sentence each.
    pub notes: Vec<String>,
}

/// One client resource of a stub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Name of the resource in the stub.
    pub resource: String,
    /// What it stands for.
    pub target: Target,
    /// The remote functions, in order of the text, without the constructor.
    pub functions: Vec<ClientFunction>,
}

/// What a client resource stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An exported interface: `rpcdemo:component2/component2-api`, or the bare name of an inline one.
    Interface(String),
    /// A resource of an exported interface.
    Resource {
        /// The interface, as above.
        interface: String,
        /// The resource.
        resource: String,
        /// Whether it has a constructor; without one a client only comes from another call.
        constructor: bool,
    },
    /// The functions exported by the world itself.
    World,
}

/// One remote function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFunction {
    /// Name in the stub; the blocking variant is `blocking-<name>`.
    pub name: String,
    /// Name for a call through `golem:rpc`, such as `rpcdemo:component2/component2-api.{add}`.
    pub remote: String,
    /// The resource that carries the result of the non-blocking variant; `None` when there is no result.
    pub future: Option<String>,
}

/// Makes the stub of `world`. `always_inline_types` declares the types again instead of `use`-ing them; the flavour says
/// what a call that fails gives.
///
/// Errors: the clashes, types and functions that a stub cannot have (`STB-001` to `STB-007`).
/// Source: client specification §3.3, §3.10.
pub fn stub_interface(
    loaded: &Loaded,
    world: WorldId,
    always_inline_types: bool,
    flavour: Flavour,
) -> Result<StubInterface, StubError> {
    let resolve = &loaded.resolve;
    let mut notes = Vec::new();
    let mut groups = groups(loaded, world);
    let resources: HashMap<TypeId, String> = groups
        .iter()
        .flat_map(|group| &group.resources)
        .map(|resource| (resource.id, resource.name.clone()))
        .collect();
    let mut types = Types::new(resolve, always_inline_types, resources);
    groups.retain_mut(|group| {
        let before = group.functions.len();
        if !group.own {
            group.functions.retain(|function| !is_foreign(&types, function));
        }
        let left_out = before - group.functions.len();
        if left_out > 0 {
            notes.push(format!("{left_out} function(s) of `{}` use resources of other packages and cannot be called remotely", group.remote));
        }
        left_out == 0 || !group.functions.is_empty()
    });
    for group in &groups {
        if let Some(id) = group.interface {
            types.add_visible(id, &group.label, group.path.as_deref())?;
        }
    }
    for group in &groups {
        for function in group
            .functions
            .iter()
            .copied()
            .chain(group.resources.iter().flat_map(Members::all))
        {
            demand(&mut types, group, function)?;
        }
    }
    let mut names = Naming::new(&groups, flavour)?;
    names.futures(&groups)?;
    types.assign_names(&mut names.taken)?;
    let mut printer = Printer {
        types: &types,
        names: &names,
        flavour,
        futures: String::new(),
        resources: String::new(),
        clients: Vec::new(),
    };
    for group in &groups {
        printer.group(group)?;
    }
    let target = loaded.name();
    let package = PackageName {
        name: format!("{}{PACKAGE_SUFFIX}", target.name),
        ..target.clone()
    };
    let world = &resolve.worlds[world].name;
    let mut stub = StubInterface {
        package,
        interface: format!("{INTERFACE_PREFIX}{world}"),
        world: format!("{WORLD_PREFIX}{world}"),
        clients: Vec::new(),
        flavour,
        text: String::new(),
        notes,
    };
    stub.text = printer.whole(&stub);
    stub.clients = printer.clients;
    Ok(stub)
}

/// The exported functions of one interface, or of the world itself.
pub(super) struct Group<'a> {
    /// Name of the client resource and prefix for qualified names.
    pub(super) label: String,
    pub(super) interface: Option<InterfaceId>,
    /// How to `use` from it.
    pub(super) path: Option<String>,
    /// How the remote side calls it; empty for the world.
    pub(super) remote: String,
    /// Whether the package itself declares it.
    pub(super) own: bool,
    pub(super) functions: Vec<&'a Function>,
    pub(super) resources: Vec<Members<'a>>,
}

/// The functions of one exported resource.
pub(super) struct Members<'a> {
    pub(super) name: String,
    pub(super) id: TypeId,
    pub(super) constructor: Option<&'a Function>,
    pub(super) methods: Vec<&'a Function>,
    pub(super) statics: Vec<&'a Function>,
}

impl<'a> Members<'a> {
    fn all(&self) -> impl Iterator<Item = &'a Function> {
        self.constructor
            .into_iter()
            .chain(self.methods.iter().copied())
            .chain(self.statics.iter().copied())
    }
}

impl Group<'_> {
    pub(super) fn describe(&self) -> String {
        if self.interface.is_some() {
            format!("interface `{}`", self.remote)
        } else {
            format!("world `{}`", self.label)
        }
    }

    /// `<iface>.{f}`, or the bare name for the world.
    pub(super) fn remote(&self, function: &str) -> String {
        if self.remote.is_empty() {
            function.to_owned()
        } else {
            format!("{}.{{{function}}}", self.remote)
        }
    }
}

/// The groups in the order of the text: interfaces as the world exports them, then the world's own functions.
fn groups(loaded: &Loaded, world: WorldId) -> Vec<Group<'_>> {
    let resolve = &loaded.resolve;
    let world = &resolve.worlds[world];
    let mut groups = Vec::new();
    let mut bare = Vec::new();
    for (key, item) in &world.exports {
        match item {
            WorldItem::Interface { id, .. } => groups.push(interface_group(loaded, key, *id)),
            WorldItem::Function(function) => bare.push(function),
            WorldItem::Type { .. } => {}
        }
    }
    if !bare.is_empty() {
        groups.push(Group {
            label: world.name.clone(),
            interface: None,
            path: None,
            remote: String::new(),
            own: true,
            functions: bare,
            resources: Vec::new(),
        });
    }
    groups
}

fn interface_group<'a>(loaded: &'a Loaded, key: &WorldKey, id: InterfaceId) -> Group<'a> {
    let resolve = &loaded.resolve;
    let interface = &resolve.interfaces[id];
    let (label, path) = match key {
        WorldKey::Name(name) => (name.clone(), None),
        WorldKey::Interface(_) => (
            interface.name.clone().unwrap_or_default(),
            types::path(resolve, id),
        ),
    };
    // Dialect N moves the interfaces of a package into `<name>-interface`.
    let own = interface.package.is_some_and(|package| {
        let (name, target) = (&resolve.packages[package].name, loaded.name());
        package == loaded.package
            || (name.namespace == target.namespace
                && name.name == format!("{}-interface", target.name))
    });
    let mut resources: Vec<Members<'a>> = Vec::new();
    for (name, type_id) in &interface.types {
        let def = &resolve.types[*type_id];
        if matches!(def.kind, TypeDefKind::Resource) && def.owner == TypeOwner::Interface(id) {
            resources.push(Members {
                name: name.clone(),
                id: *type_id,
                constructor: None,
                methods: Vec::new(),
                statics: Vec::new(),
            });
        }
    }
    let mut functions = Vec::new();
    for function in interface.functions.values() {
        let members = function
            .kind
            .resource()
            .and_then(|id| resources.iter_mut().find(|members| members.id == id));
        match (members, &function.kind) {
            (Some(members), FunctionKind::Constructor(_)) => members.constructor = Some(function),
            (Some(members), FunctionKind::Static(_) | FunctionKind::AsyncStatic(_)) => {
                members.statics.push(function)
            }
            (Some(members), _) => members.methods.push(function),
            (None, _) => functions.push(function),
        }
    }
    Group {
        label,
        interface: Some(id),
        path,
        remote: resolve.name_world_key(key),
        own,
        functions,
        resources,
    }
}

fn is_foreign(types: &Types<'_>, function: &Function) -> bool {
    function
        .parameter_and_result_types()
        .any(|ty| types.foreign(&ty).is_some())
}

/// Checks that `function` can be called remotely and that all its types can be named.
fn demand(types: &mut Types<'_>, group: &Group<'_>, function: &Function) -> Result<(), StubError> {
    let shown = group.remote(&display_name(function));
    if function.kind.is_async() {
        return Err(StubError::AsyncFunction { function: shown });
    }
    if matches!(function.kind, FunctionKind::Static(_)) {
        let first = function
            .params
            .first()
            .is_some_and(|param| types.is_handle(&param.ty));
        if !first {
            return Err(StubError::StaticWithoutHandle { function: shown });
        }
    }
    for ty in own_params(function)
        .iter()
        .map(|param| &param.ty)
        .chain(own_result(function))
    {
        types.demand(ty, &shown)?;
    }
    Ok(())
}

/// `res.f` and `res.new` for members, the name otherwise.
pub(super) fn display_name(function: &Function) -> String {
    let name = function
        .name
        .trim_start_matches("[method]")
        .trim_start_matches("[static]");
    match name.strip_prefix("[constructor]") {
        Some(resource) => format!("{resource}.new"),
        None => name.to_owned(),
    }
}

/// The parameters without the implicit `self` of a method.
fn own_params(function: &Function) -> &[wit_parser::Param] {
    let skip = usize::from(matches!(
        function.kind,
        FunctionKind::Method(_) | FunctionKind::AsyncMethod(_)
    ));
    function.params.get(skip..).unwrap_or(&[])
}

/// The result, but for a constructor, whose result is the client itself.
fn own_result(function: &Function) -> Option<&Type> {
    if matches!(function.kind, FunctionKind::Constructor(_)) {
        None
    } else {
        function.result.as_ref()
    }
}

struct Printer<'a> {
    types: &'a Types<'a>,
    names: &'a Naming,
    flavour: Flavour,
    futures: String,
    resources: String,
    clients: Vec<Client>,
}

impl Printer<'_> {
    fn group(&mut self, group: &Group<'_>) -> Result<(), StubError> {
        let target = if group.interface.is_some() {
            Target::Interface(group.remote.clone())
        } else {
            Target::World
        };
        self.client(group, &group.label, target, "", &group.functions)?;
        for members in &group.resources {
            let target = Target::Resource {
                interface: group.remote.clone(),
                resource: members.name.clone(),
                constructor: members.constructor.is_some(),
            };
            let extra = members
                .constructor
                .map_or_else(String::new, |function| self.params(function));
            let functions: Vec<&Function> = members
                .methods
                .iter()
                .chain(&members.statics)
                .copied()
                .collect();
            self.client(group, &members.name, target, &extra, &functions)?;
        }
        Ok(())
    }

    fn client(
        &mut self,
        group: &Group<'_>,
        resource: &str,
        target: Target,
        extra: &str,
        functions: &[&Function],
    ) -> Result<(), StubError> {
        self.line(format_args!("  resource {} {{", escape(resource)));
        let location = location_name(extra);
        let separator = if extra.is_empty() { "" } else { ", " };
        self.line(format_args!(
            "    constructor({location}: {URI}{separator}{extra});"
        ));
        let mut client = Client {
            resource: resource.to_owned(),
            target,
            functions: Vec::new(),
        };
        let mut owners = HashMap::<String, String>::new();
        for function in functions {
            let name = function.item_name().to_owned();
            for variant in [format!("blocking-{name}"), name.clone()] {
                if variant.eq_ignore_ascii_case(resource) {
                    return Err(StubError::SelfNamed {
                        client: resource.to_owned(),
                        function: group.remote(&display_name(function)),
                    });
                }
                if let Some(first) = owners.insert(variant.to_lowercase(), name.clone()) {
                    return Err(StubError::MethodClash {
                        client: resource.to_owned(),
                        name: variant,
                        first,
                        second: name,
                    });
                }
            }
            let future = self.names.future(group, function).cloned();
            self.function(function, &name, future.as_deref());
            client.functions.push(ClientFunction {
                remote: group.remote(&display_name(function)),
                name,
                future,
            });
        }
        self.resources.push_str("  }\n\n");
        self.clients.push(client);
        Ok(())
    }

    fn function(&mut self, function: &Function, name: &str, future: Option<&str>) {
        let params = self.params(function);
        let word = if matches!(function.kind, FunctionKind::Static(_)) {
            "static func"
        } else {
            "func"
        };
        let result = function.result.as_ref().map(|ty| self.types.text(ty));
        let result = match self.flavour {
            Flavour::Trapping => result,
            Flavour::ErrorResults => Some(format!(
                "result<{}, {CALL_ERROR}>",
                result.as_deref().unwrap_or("_")
            )),
        };
        let arrow =
            |text: Option<&str>| text.map_or_else(String::new, |text| format!(" -> {text}"));
        self.line(format_args!(
            "    blocking-{name}: {word}({params}){};",
            arrow(result.as_deref())
        ));
        // Without a future the call is only sent; whether that was possible is known at once.
        let sent = match self.flavour {
            Flavour::Trapping => None,
            Flavour::ErrorResults => result.as_deref(),
        };
        self.line(format_args!(
            "    {}: {word}({params}){};",
            escape(name),
            arrow(future.or(sent))
        ));
        if let (Some(result), Some(future)) = (result, future) {
            self.futures.push_str(&format!(
                "  resource {future} {{\n    subscribe: func() -> {POLLABLE};\n    get: func() -> option<{result}>;\n  }}\n"
            ));
        }
    }

    fn params(&self, function: &Function) -> String {
        let own = own_params(function);
        // A method of a client has a `self` already, which a plain function may call one of its parameters.
        let name = |param: &wit_parser::Param| {
            if param.name != "self" {
                return escape(&param.name).into_owned();
            }
            (1u32..)
                .map(|n| format!("self-arg{n}"))
                .find(|name| own.iter().all(|other| other.name != *name))
                .unwrap_or_default()
        };
        own.iter()
            .map(|param| format!("{}: {}", name(param), self.types.text(&param.ty)))
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.resources.write_fmt(line);
        self.resources.push('\n');
    }

    fn whole(&self, stub: &StubInterface) -> String {
        let package = &stub.package;
        let version = package
            .version
            .as_ref()
            .map_or_else(String::new, |version| format!("@{version}"));
        let call_error = match self.flavour {
            Flavour::Trapping => String::new(),
            Flavour::ErrorResults => {
                format!("  use golem:worker/call-errors@0.1.0.{{call-error as {CALL_ERROR}}};\n")
            }
        };
        let lines = |lines: Vec<String>| {
            lines
                .into_iter()
                .map(|line| line + "\n")
                .collect::<String>()
        };
        format!(
            "package {}:{}{version};\n\ninterface {} {{\n  use golem:rpc/types@0.1.0.{{uri as {URI}}};\n  \
             use wasi:io/poll@0.2.0.{{pollable as {POLLABLE}}};\n{call_error}{}\n{}{}{}}}\n\nworld {} {{\n  export {};\n}}\n",
            escape(&package.namespace),
            escape(&package.name),
            stub.interface,
            lines(self.types.uses()),
            lines(self.types.declarations()),
            self.futures,
            self.resources,
            stub.world,
            stub.interface,
        )
    }
}

/// Name of the constructor's first parameter: `location`, unless the remote constructor has a parameter of that name.
fn location_name(extra: &str) -> &'static str {
    let has = |name: &str| {
        extra
            .split(", ")
            .any(|param| param.split(':').next() == Some(name))
    };
    ["location", "worker-location"]
        .into_iter()
        .find(|name| !has(name))
        .unwrap_or("golem-rpc-location")
}

/// The main package of `resolve` called `name`, for callers that hold a stub.
pub(crate) fn interface_of(resolve: &Resolve, stub: &StubInterface) -> Option<InterfaceId> {
    let package = resolve.package_names.get(&stub.package)?;
    resolve.packages[*package]
        .interfaces
        .get(&stub.interface)
        .copied()
}
