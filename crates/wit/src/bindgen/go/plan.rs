// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go plan: decides every Go name and type of a world. In a resolved world, out a [`Plan`].
//! Order of everything: as in the world, imports before exports. Never writes Go text. Read next: `ir.rs`, `decls.rs`.
//! Why: docs/go-bindings.md, section "Names".

mod types;

use super::ir::{
    Decl, Func, FuncKind, Implementation, Kind, Plan, Resource, ResourceId, Scope, ScopeId, Side,
    Ty,
};
use super::names::{self, Registry, unique, upper};
use super::{GoError, GoOptions};
use std::collections::HashMap;
use wit_parser::{
    Docs, Function, FunctionKind, InterfaceId, Resolve, TypeId, WorldId, WorldItem, WorldKey,
};

/// Names of the helpers of `<world>_types.go`: they never move.
const HELPERS: [&str; 7] = [
    "Option",
    "Some",
    "None",
    "ResultKind",
    "Result",
    "Ok",
    "Err",
];

pub(super) fn plan(resolve: &Resolve, world: WorldId, opts: &GoOptions) -> Result<Plan, GoError> {
    let package = match &opts.rename_package {
        Some(name) if names::is_package_name(name) => name.clone(),
        Some(name) => return Err(GoError::PackageName { name: name.clone() }),
        None => names::package(resolve.worlds.get(world).map_or("", |w| w.name.as_str())),
    };
    let mut planner = Planner {
        resolve,
        world,
        scopes: Vec::new(),
        interfaces: HashMap::new(),
        world_scopes: HashMap::new(),
        sources: Vec::new(),
        registry: Registry::default(),
        memo: HashMap::new(),
        tuples: HashMap::new(),
        decls: Vec::new(),
        resources: Vec::new(),
        funcs: Vec::new(),
        uses_option: false,
        uses_result: false,
    };
    for helper in HELPERS {
        planner
            .registry
            .reserve(helper, "a helper type or function");
    }
    planner.open_scopes();
    planner.declare_types()?;
    planner.declare_functions()?;
    planner.name_cases();
    Ok(planner.finish(package, opts))
}

/// What a scope holds.
#[derive(Clone, Copy)]
enum Source {
    Interface(InterfaceId),
    World,
}

struct Planner<'a> {
    resolve: &'a Resolve,
    world: WorldId,
    scopes: Vec<Scope>,
    sources: Vec<Source>,
    interfaces: HashMap<(InterfaceId, Side), ScopeId>,
    world_scopes: HashMap<Side, ScopeId>,
    registry: Registry,
    memo: HashMap<(TypeId, ScopeId), Ty>,
    tuples: HashMap<(ScopeId, Vec<Ty>, String), Ty>,
    decls: Vec<Decl>,
    resources: Vec<Resource>,
    funcs: Vec<Func>,
    uses_option: bool,
    uses_result: bool,
}

impl<'a> Planner<'a> {
    fn items(&self, side: Side) -> impl Iterator<Item = (&'a WorldKey, &'a WorldItem)> + use<'a> {
        let world = self.resolve.worlds.get(self.world);
        world.into_iter().flat_map(move |w| match side {
            Side::Import => w.imports.iter(),
            Side::Export => w.exports.iter(),
        })
    }

    fn world_name(&self) -> &'a str {
        self.resolve
            .worlds
            .get(self.world)
            .map_or("", |w| w.name.as_str())
    }

    fn open_scopes(&mut self) {
        for side in [Side::Import, Side::Export] {
            for (key, item) in self.items(side) {
                let (source, wit, ns, docs) = match item {
                    WorldItem::Interface { id, .. } => {
                        let docs = self.resolve.interfaces.get(*id).and_then(|i| text(&i.docs));
                        let ns = names::namespace(self.resolve, key, side == Side::Export);
                        (
                            Source::Interface(*id),
                            self.resolve.name_world_key(key),
                            ns,
                            docs,
                        )
                    }
                    _ if self.world_scopes.contains_key(&side) => continue,
                    _ => (Source::World, String::new(), upper(self.world_name()), None),
                };
                let scope = self.scopes.len();
                match source {
                    Source::Interface(id) => {
                        self.interfaces.entry((id, side)).or_insert(scope);
                    }
                    Source::World => {
                        self.world_scopes.insert(side, scope);
                    }
                }
                let answers = side == Side::Export && self.has_functions(source);
                let implementation = answers.then(|| self.implementation(&ns, &wit));
                self.scopes.push(Scope {
                    ns,
                    wit,
                    side,
                    docs,
                    implementation,
                });
                self.sources.push(source);
            }
        }
    }

    fn has_functions(&self, source: Source) -> bool {
        match source {
            Source::Interface(id) => self
                .resolve
                .interfaces
                .get(id)
                .is_some_and(|i| !i.functions.is_empty()),
            Source::World => self
                .items(Side::Export)
                .any(|(_, item)| matches!(item, WorldItem::Function(_))),
        }
    }

    fn implementation(&mut self, ns: &str, wit: &str) -> Implementation {
        let what = if wit.is_empty() {
            "the world's exports".to_owned()
        } else {
            format!("exported interface `{wit}`")
        };
        let interface = self
            .registry
            .take(ns.to_owned(), Some(format!("{ns}Exports")), &what);
        let setter = self.registry.take(
            format!("Set{interface}"),
            None,
            &format!("the setter of {what}"),
        );
        let variable = names::snake(&interface);
        let variable = if variable.starts_with("exports_") {
            variable
        } else {
            format!("exports_{variable}")
        };
        Implementation {
            interface,
            setter,
            variable,
        }
    }

    fn ns(&self, scope: ScopeId) -> String {
        self.scopes
            .get(scope)
            .map(|s| s.ns.clone())
            .unwrap_or_default()
    }

    fn side(&self, scope: ScopeId) -> Side {
        self.scopes.get(scope).map_or(Side::Import, |s| s.side)
    }

    /// `interface.name` (or the name alone for the world's own items), for messages.
    fn place(&self, scope: ScopeId, name: &str) -> String {
        match self.scopes.get(scope).map(|s| s.wit.as_str()) {
            None | Some("") => format!("`{name}`"),
            Some(wit) => format!("`{wit}.{name}`"),
        }
    }

    fn declare_functions(&mut self) -> Result<(), GoError> {
        for scope in 0..self.sources.len() {
            let functions: Vec<&'a Function> = match self.sources.get(scope) {
                Some(Source::Interface(id)) => self
                    .resolve
                    .interfaces
                    .get(*id)
                    .into_iter()
                    .flat_map(|i| i.functions.values())
                    .collect(),
                _ => {
                    let functions =
                        self.items(self.side(scope))
                            .filter_map(|(_, item)| match item {
                                WorldItem::Function(f) => Some(f),
                                _ => None,
                            });
                    functions.collect()
                }
            };
            let mut used: HashMap<Option<ResourceId>, Vec<String>> = HashMap::new();
            for function in functions {
                self.function(function, scope, &mut used)?;
            }
        }
        Ok(())
    }

    /// `used`: method names taken so far, per resource (`None`: the implementation's interface).
    fn function(
        &mut self,
        function: &'a Function,
        scope: ScopeId,
        used: &mut HashMap<Option<ResourceId>, Vec<String>>,
    ) -> Result<(), GoError> {
        let place = self.place(scope, &function.name);
        let kind = match function.kind {
            FunctionKind::Freestanding => FuncKind::Free,
            FunctionKind::Method(id) => FuncKind::Method(self.resource(id, scope, &place)?),
            FunctionKind::Static(id) => FuncKind::Static(self.resource(id, scope, &place)?),
            FunctionKind::Constructor(id) => {
                FuncKind::Constructor(self.resource(id, scope, &place)?)
            }
            _ => return Err(unsupported("an async function", &place)),
        };
        let mut params = Vec::new();
        let mut param_names = Vec::new();
        for param in &function.params {
            let name = names::param(&param.name);
            let name = if name == "self" && !params.is_empty() {
                "_self".to_owned()
            } else {
                name
            };
            params.push((
                unique(&mut param_names, name),
                self.ty(&param.ty, scope, &place)?,
            ));
        }
        let result = function
            .result
            .as_ref()
            .map(|t| self.ty(t, scope, &place))
            .transpose()?;
        let item = upper(function.item_name());
        let resource = |id: ResourceId| {
            self.resources
                .get(id)
                .map(|r| (upper(&r.wit), r.go.clone()))
                .unwrap_or_default()
        };
        let ns = self.ns(scope);
        let what = format!("function {place}");
        let side = self.side(scope);
        let (go, stem) = match (side, kind) {
            (Side::Import, FuncKind::Free) => {
                let go = self.registry.take(format!("{ns}{item}"), None, &what);
                (go.clone(), go)
            }
            (Side::Import, FuncKind::Method(id)) => {
                let (_, go) = resource(id);
                let methods = used
                    .entry(Some(id))
                    .or_insert_with(|| vec!["Drop".to_owned()]);
                let method = unique(methods, item.clone());
                if method != item {
                    self.registry.warnings.push(format!(
                        "method {place} is named `{method}`, because `{item}` is taken"
                    ));
                }
                (method.clone(), format!("{go}_{method}"))
            }
            (Side::Import, FuncKind::Static(id)) => {
                let short = format!("Static{}{item}", resource(id).0);
                let go = self
                    .registry
                    .take(short.clone(), Some(format!("{ns}{short}")), &what);
                (go.clone(), go)
            }
            (Side::Import, FuncKind::Constructor(id)) => {
                let short = format!("New{}", resource(id).0);
                let go = self
                    .registry
                    .take(short.clone(), Some(format!("{ns}{short}")), &what);
                (go.clone(), go)
            }
            (Side::Export, _) => {
                let (owner, want) = match kind {
                    FuncKind::Free => (None, item),
                    FuncKind::Method(id) => (Some(id), format!("Method{}{item}", resource(id).0)),
                    FuncKind::Static(id) => (None, format!("Static{}{item}", resource(id).0)),
                    FuncKind::Constructor(id) => (None, format!("Constructor{}", resource(id).0)),
                };
                let method = unique(used.entry(owner).or_default(), want.clone());
                if method != want {
                    self.registry.warnings.push(format!(
                        "method {place} is named `{method}`, because `{want}` is taken"
                    ));
                }
                let within = owner.map_or(ns, |id| resource(id).1);
                (method.clone(), format!("{within}_{method}"))
            }
        };
        let docs = text(&function.docs);
        self.funcs.push(Func {
            go,
            stem,
            wit: function.name.clone(),
            scope,
            kind,
            params,
            result,
            docs,
        });
        Ok(())
    }

    /// Names constants and constructors last, so that they never push a type or a function aside.
    fn name_cases(&mut self) {
        let registry = &mut self.registry;
        for decl in &mut self.decls {
            let go = &decl.go;
            match &mut decl.kind {
                Kind::Variant(v) | Kind::Enum(v) => {
                    v.kind =
                        registry.take(format!("{go}Kind"), None, &format!("the kind of `{go}`"));
                    for c in &mut v.cases {
                        let what = format!("case `{}` of `{go}`", c.name);
                        c.constant = registry.take(format!("{}{}", v.kind, c.name), None, &what);
                        c.constructor = registry.take(format!("{go}{}", c.name), None, &what);
                    }
                }
                Kind::Flags(flags) => {
                    for flag in flags {
                        let what = format!("flag `{}` of `{go}`", flag.name);
                        flag.constant = registry.take(format!("{go}_{}", flag.name), None, &what);
                    }
                }
                _ => {}
            }
        }
    }

    fn finish(self, package: String, opts: &GoOptions) -> Plan {
        let world = self.resolve.worlds.get(self.world);
        let package_id = world.and_then(|w| w.package);
        let qualified = package_id.map(|p| self.resolve.id_of_name(p, self.world_name()));
        let world_name = self.world_name();
        let mut warnings = self.registry.warnings;
        let plain = names::snake(world_name);
        let file_stem = names::file_stem(world_name);
        if file_stem != plain {
            warnings.push(format!("the files are named `{file_stem}*.go`, because Go would read `{plain}.go` as a conditional file"));
        }
        Plan {
            package,
            world: qualified.unwrap_or_else(|| world_name.to_owned()),
            docs: world.and_then(|w| text(&w.docs)),
            file_stem,
            runtime: format!("{}/{}", opts.module_path, super::runtime::DIRECTORY),
            scopes: self.scopes,
            decls: self.decls,
            resources: self.resources,
            funcs: self.funcs,
            uses_option: self.uses_option,
            uses_result: self.uses_result,
            warnings,
        }
    }
}

fn text(docs: &Docs) -> Option<String> {
    docs.contents.clone().filter(|t| !t.trim().is_empty())
}

fn unsupported(what: &str, place: &str) -> GoError {
    GoError::Unsupported {
        what: what.to_owned(),
        place: place.to_owned(),
    }
}
