// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go plan: decides every Go name and type of a world. In a resolved world, out a [`Plan`].
//! Order of everything: as in the world, imports before exports. Never writes Go text. Read next: `ir.rs`, `decls.rs`.
//! Why: docs/go-bindings.md, section "Names".

mod types;

use super::idiom::names as idiom;
use super::ir::{
    Decl, Func, FuncKind, Implementation, Kind, Plan, Resource, ResourceId, Scope, ScopeId, Side,
    Ty, bare,
};
use super::names::{self, Registry, unique_with, upper};
use super::{GoError, GoOptions, Style};
use crate::metadata::stub_of;
use crate::stub::PACKAGE_SUFFIX;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
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
        None if opts.style == Style::Go => {
            idiom::world_package(resolve.worlds.get(world).map_or("", |w| w.name.as_str()))
        }
        None => names::package(resolve.worlds.get(world).map_or("", |w| w.name.as_str())),
    };
    let mut planner = Planner {
        style: opts.style,
        package: package.clone(),
        packages: Vec::new(),
        stems: HashMap::new(),
        resolve,
        world,
        scopes: Vec::new(),
        interfaces: HashMap::new(),
        world_scopes: HashMap::new(),
        sources: Vec::new(),
        registry: Registry::with_separator(match opts.style {
            Style::TinyGo => "_",
            Style::Go => "",
        }),
        memo: HashMap::new(),
        tuples: HashMap::new(),
        decls: Vec::new(),
        resources: Vec::new(),
        funcs: Vec::new(),
        uses_option: false,
        uses_result: false,
    };
    let helpers: &[&str] = match opts.style {
        Style::TinyGo => &HELPERS,
        Style::Go => &[],
    };
    for helper in helpers {
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
    style: Style,
    package: String,
    /// The packages of the interfaces, in the order of the scopes without the world's own.
    packages: Vec<String>,
    /// Stems taken so far, per package.
    stems: HashMap<String, Vec<String>>,
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

    /// A name of an identifier that is visible outside its package.
    fn upper(&self, name: &str) -> String {
        match self.style {
            Style::TinyGo => upper(name),
            Style::Go => idiom::exported(name),
        }
    }

    /// A name inside a type: `used` are those that it has.
    fn unique(&self, used: &mut Vec<String>, want: String) -> String {
        let separator = match self.style {
            Style::TinyGo => "_",
            Style::Go => "",
        };
        unique_with(separator, used, want)
    }

    /// The stem of unexported identifiers of a function.
    fn stem(&mut self, package: &str, tiny: String, idiomatic: String) -> String {
        match self.style {
            Style::TinyGo => tiny,
            Style::Go => {
                let used = self.stems.entry(package.to_owned()).or_default();
                unique_with("", used, idiomatic)
            }
        }
    }

    /// The packages of the idiomatic style, one per interface.
    fn choose_packages(&mut self) {
        let mut interfaces = Vec::new();
        for side in [Side::Import, Side::Export] {
            for (key, item) in self.items(side) {
                if let WorldItem::Interface { .. } = item {
                    let stub = is_stub(&self.resolve.name_world_key(key), side);
                    interfaces.push((key, side, stub));
                }
            }
        }
        self.packages = idiom::packages(self.resolve, &self.package, &interfaces);
    }

    fn open_scopes(&mut self) {
        let mut packages = match self.style {
            Style::TinyGo => Vec::new(),
            Style::Go => {
                self.choose_packages();
                self.packages.clone()
            }
        }
        .into_iter();
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
                let package = match (self.style, source) {
                    (Style::TinyGo, _) => String::new(),
                    (Style::Go, Source::World) => self.package.clone(),
                    (Style::Go, Source::Interface(_)) => packages.next().unwrap_or_default(),
                };
                let ns = match self.style {
                    Style::TinyGo => ns,
                    Style::Go => format!("{package}."),
                };
                let stub = self.style == Style::Go && is_stub(&wit, side);
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
                    package,
                    stub,
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
        if self.style == Style::Go {
            let what = "what answers an exported interface";
            let mut take = |name: &str| self.registry.take(format!("{ns}{name}"), None, what);
            return Implementation {
                interface: take("Exports"),
                setter: take("Export"),
                variable: "exports".to_owned(),
            };
        }
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

    /// Whether an imported interface is there for its types alone, in the idiomatic style: the world also imports the stub
    /// of its package, which is how its functions are called.
    fn only_types(&self, scope: ScopeId) -> bool {
        let Some(scope) = self.scopes.get(scope) else {
            return false;
        };
        let package = |wit: &str| {
            let (path, version) = wit.split_once('@').unwrap_or((wit, ""));
            let (package, _) = path.split_once('/')?;
            Some((package.to_owned(), version.to_owned()))
        };
        scope.side == Side::Import
            && self.scopes.iter().filter(|s| s.stub).any(|stub| {
                let target = package(&stub.wit).and_then(|(name, version)| {
                    Some((name.strip_suffix(PACKAGE_SUFFIX)?.to_owned(), version))
                });
                // The stubs of Golem 1.1 take the types from a package of their own.
                let found = package(&scope.wit).map(|(name, version)| {
                    let name = name.strip_suffix("-interface").unwrap_or(&name);
                    (name.to_owned(), version)
                });
                target.is_some() && (target == package(&scope.wit) || target == found)
            })
    }

    fn declare_functions(&mut self) -> Result<(), GoError> {
        for scope in 0..self.sources.len() {
            if self.only_types(scope) {
                continue;
            }
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
        if named_like_its_resource(function) {
            return Err(GoError::SelfNamed { place });
        }
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
            let name = match self.style {
                Style::TinyGo => names::param(&param.name),
                Style::Go => idiom::param(&param.name, &self.packages),
            };
            let name = if self.style == Style::TinyGo && name == "self" && !params.is_empty() {
                "_self".to_owned()
            } else {
                name
            };
            params.push((
                self.unique(&mut param_names, name),
                self.ty(&param.ty, scope, &place)?,
            ));
        }
        let result = function
            .result
            .as_ref()
            .map(|t| self.ty(t, scope, &place))
            .transpose()?;
        if self.style == Style::Go {
            let named = self.idiomatic(function, scope, kind, used);
            self.funcs.push(Func {
                go: named.0,
                stem: named.1,
                wit: function.name.clone(),
                scope,
                kind,
                params,
                result,
                docs: text(&function.docs),
            });
            return Ok(());
        }
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
                let method = unique_with("_", methods, item.clone());
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
                let method = unique_with("_", used.entry(owner).or_default(), want.clone());
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

    /// The name and the stem of a function in the idiomatic style.
    fn idiomatic(
        &mut self,
        function: &Function,
        scope: ScopeId,
        kind: FuncKind,
        used: &mut HashMap<Option<ResourceId>, Vec<String>>,
    ) -> (String, String) {
        let place = self.place(scope, &function.name);
        let (ns, side) = (self.ns(scope), self.side(scope));
        let item = idiom::exported(function.item_name());
        let owner = match kind {
            FuncKind::Method(id) | FuncKind::Static(id) | FuncKind::Constructor(id) => {
                self.resources.get(id).map(|r| bare(&r.go).to_owned())
            }
            FuncKind::Free => None,
        };
        let owner = owner.unwrap_or_default();
        let (within, want) = match kind {
            FuncKind::Free => (None, item),
            FuncKind::Method(id) => (Some(id), item),
            FuncKind::Static(_) => (None, format!("{owner}{item}")),
            FuncKind::Constructor(_) => (None, format!("New{owner}")),
        };
        let go = match (side, within) {
            (Side::Import, None) => {
                self.registry
                    .take(format!("{ns}{want}"), None, &format!("function {place}"))
            }
            _ => {
                // What every handle has.
                let first = match (side, within) {
                    (Side::Import, Some(_)) => {
                        vec!["Close".to_owned(), "Handle".to_owned(), "Golem".to_owned()]
                    }
                    _ => Vec::new(),
                };
                let names = used.entry(within).or_insert(first);
                unique_with("", names, want.clone())
            }
        };
        let reported = side == Side::Import && within.is_none();
        if bare(&go) != want && !reported {
            self.registry.warnings.push(format!(
                "{place} is named `{}`, because `{want}` is taken",
                bare(&go)
            ));
        }
        let package = ns.trim_end_matches('.').to_owned();
        let mut chars = owner.chars();
        let owner = chars
            .next()
            .map(|c| c.to_uppercase().chain(chars).collect::<String>())
            .unwrap_or_default();
        let stem = match kind {
            FuncKind::Method(_) => format!("{owner}{}", bare(&go)),
            _ => bare(&go).to_owned(),
        };
        let stem = self.stem(&package, String::new(), stem);
        (go, stem)
    }

    /// Names constants and constructors last, so that they never push a type or a function aside.
    fn name_cases(&mut self) {
        let (style, registry) = (self.style, &mut self.registry);
        for decl in &mut self.decls {
            let go = &decl.go;
            match &mut decl.kind {
                Kind::Variant(v) | Kind::Enum(v) if style == Style::Go => {
                    for c in &mut v.cases {
                        let what = format!("case `{}` of `{go}`", c.name);
                        c.constant = registry.take(format!("{go}{}", c.name), None, &what);
                        c.constructor.clone_from(&c.constant);
                    }
                }
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
                        let between = if style == Style::Go { "" } else { "_" };
                        let name = format!("{go}{between}{}", flag.name);
                        flag.constant = registry.take(name, None, &what);
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
        let file_stem = match self.style {
            Style::TinyGo => names::file_stem(world_name),
            Style::Go => package.clone(),
        };
        if self.style == Style::TinyGo && file_stem != plain {
            warnings.push(format!("the files are named `{file_stem}*.go`, because Go would read `{plain}.go` as a conditional file"));
        }
        Plan {
            style: self.style,
            here: match self.style {
                Style::TinyGo => String::new(),
                Style::Go => package.clone(),
            },
            mentioned: RefCell::default(),
            module: opts.module_path.clone(),
            home: opts.home,
            path: opts.package_path.clone(),
            errors: BTreeSet::new(),
            package,
            world: qualified.unwrap_or_else(|| world_name.to_owned()),
            docs: world.and_then(|w| text(&w.docs)),
            file_stem,
            runtime: opts.home.golemrt(&opts.module_path),
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

/// Whether an import is a stub.
fn is_stub(wit: &str, side: Side) -> bool {
    side == Side::Import && stub_of(wit).is_some()
}

fn text(docs: &Docs) -> Option<String> {
    docs.contents.clone().filter(|t| !t.trim().is_empty())
}

/// Whether a function of a resource is called like the resource: WIT can write it, and no component can have it.
fn named_like_its_resource(function: &Function) -> bool {
    let member = function.name.split_once(']').map(|(_, rest)| rest);
    member
        .and_then(|rest| rest.split_once('.'))
        .is_some_and(|(resource, name)| resource.eq_ignore_ascii_case(name))
}

fn unsupported(what: &str, place: &str) -> GoError {
    GoError::Unsupported {
        what: what.to_owned(),
        place: place.to_owned(),
    }
}
