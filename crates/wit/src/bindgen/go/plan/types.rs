// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go plan types: from WIT types to Go types, declaring each on first sight. In WIT types, out `Ty`.
//! Never looks at functions. Read next: `../ir.rs`. Why: docs/go-bindings.md, section "Names".

use super::super::idiom::names as idiom;
use super::super::ir::{
    Case, Cases, Decl, DeclId, Field, Kind, Resource, ResourceId, ScopeId, Side, Ty,
};
use super::super::names::upper;
use super::super::{GoError, Style};
use super::{Planner, Source, text, unsupported};
use crate::canonical::without_members;
use wit_parser::{Docs, Handle, Type, TypeDef, TypeDefKind, TypeId, TypeOwner, WorldItem};

/// The most members that the helper types of the idiomatic style have.
const MAX_TUPLE: usize = 16;

/// Names that a stub gives to types of other packages.
const STUB_ALIASES: [&str; 3] = ["golem-rpc-uri", "wasi-io-pollable", "golem-call-error"];

/// More flags than a `uint64` has bits cannot be expressed.
const MAX_FLAGS: usize = 64;

/// The canonical ABI describes more, but the encoder of this version refuses them.
const ENCODED_FLAGS: usize = 32;

/// What stands beside the client `go` of a stub, for tests: the interface of a double, and what puts it in place.
fn doubles(go: &str) -> [String; 2] {
    let (package, name) = go.split_once('.').unwrap_or(("", go));
    [format!("{go}Worker"), format!("{package}.Fake{name}")]
}

impl<'a> Planner<'a> {
    pub(super) fn declare_types(&mut self) -> Result<(), GoError> {
        for scope in 0..self.sources.len() {
            match self.sources.get(scope) {
                Some(Source::Interface(id)) => {
                    let types = self
                        .resolve
                        .interfaces
                        .get(*id)
                        .into_iter()
                        .flat_map(|i| i.types.values());
                    for id in types {
                        self.named(*id, scope)?;
                    }
                }
                _ => {
                    let side = self.side(scope);
                    for (_, item) in self.items(side) {
                        if let WorldItem::Type { id, .. } = item {
                            self.named(*id, scope)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The scope whose copy of a type owned by `owner` is meant when the type is mentioned in `current`: an export
    /// prefers the exported copy, as the component model pairs them.
    fn scope_of(&self, owner: TypeOwner, current: ScopeId) -> ScopeId {
        let found = match owner {
            TypeOwner::Interface(id) => {
                if let Some(Source::Interface(own)) = self.sources.get(current)
                    && *own == id
                {
                    return current;
                }
                let exported = (self.side(current) == Side::Export).then_some(Side::Export);
                [exported, Some(Side::Import), Some(Side::Export)]
                    .into_iter()
                    .flatten()
                    .find_map(|side| self.interfaces.get(&(id, side)))
            }
            TypeOwner::World(_) => [Side::Import, Side::Export]
                .iter()
                .find_map(|side| self.world_scopes.get(side)),
            TypeOwner::None => None,
        };
        found.copied().unwrap_or(current)
    }

    pub(super) fn ty(&mut self, ty: &Type, scope: ScopeId, place: &str) -> Result<Ty, GoError> {
        Ok(match ty {
            Type::Bool => Ty::Bool,
            Type::U8 => Ty::U8,
            Type::U16 => Ty::U16,
            Type::U32 => Ty::U32,
            Type::U64 => Ty::U64,
            Type::S8 => Ty::S8,
            Type::S16 => Ty::S16,
            Type::S32 => Ty::S32,
            Type::S64 => Ty::S64,
            Type::F32 => Ty::F32,
            Type::F64 => Ty::F64,
            Type::Char => Ty::Char,
            Type::String => Ty::Str,
            Type::ErrorContext => return Err(unsupported("`error-context`", place)),
            Type::Id(id) => {
                let Some(def) = self.resolve.types.get(*id) else {
                    return Err(unsupported("an unknown type", place));
                };
                if def.name.is_some() {
                    let owner = self.scope_of(def.owner, scope);
                    return self.named(*id, owner);
                }
                return self.anonymous(ty, def, scope, place);
            }
        })
    }

    fn anonymous(
        &mut self,
        ty: &Type,
        def: &'a TypeDef,
        scope: ScopeId,
        place: &str,
    ) -> Result<Ty, GoError> {
        Ok(match &def.kind {
            TypeDefKind::List(inner) => Ty::List(Box::new(self.ty(inner, scope, place)?)),
            TypeDefKind::Option(inner) => {
                self.uses_option = true;
                Ty::Option(Box::new(self.ty(inner, scope, place)?))
            }
            TypeDefKind::Result(r) => {
                self.uses_result = true;
                let mut half = |t: &Option<Type>| {
                    t.as_ref()
                        .map(|t| self.ty(t, scope, place).map(Box::new))
                        .transpose()
                };
                Ty::Result(half(&r.ok)?, half(&r.err)?)
            }
            TypeDefKind::Handle(Handle::Own(id)) => Ty::Own(self.resource(*id, scope, place)?),
            TypeDefKind::Handle(Handle::Borrow(id)) => {
                Ty::Borrow(self.resource(*id, scope, place)?)
            }
            TypeDefKind::Tuple(tuple) => {
                if let Some(what) = without_members(&def.kind) {
                    return Err(unsupported(what, place));
                }
                return self.tuple(ty, &tuple.types, scope, place);
            }
            TypeDefKind::Type(inner) => return self.ty(inner, scope, place),
            other => return Err(unsupported(&format!("a {}", other.as_str()), place)),
        })
    }

    /// The resource that `id` (or the alias `id`) stands for, as seen from `scope`.
    pub(super) fn resource(
        &mut self,
        id: TypeId,
        scope: ScopeId,
        place: &str,
    ) -> Result<ResourceId, GoError> {
        let mut ty = self.ty(&Type::Id(id), scope, place)?;
        while let Ty::Alias(_, target) = ty {
            ty = *target;
        }
        match ty {
            Ty::Own(id) | Ty::Borrow(id) => Ok(id),
            _ => Err(unsupported(
                "a handle of something that is not a resource",
                place,
            )),
        }
    }

    fn tuple(
        &mut self,
        ty: &Type,
        items: &[Type],
        scope: ScopeId,
        place: &str,
    ) -> Result<Ty, GoError> {
        if self.style == Style::Go {
            let members = items
                .iter()
                .map(|t| self.ty(t, scope, place))
                .collect::<Result<Vec<_>, _>>()?;
            return self.idiomatic_tuple(members, place);
        }
        let member = self.member_name(ty);
        let members = items
            .iter()
            .map(|t| self.ty(t, scope, place))
            .collect::<Result<Vec<_>, _>>()?;
        let key = (scope, members.clone(), member.clone());
        if let Some(known) = self.tuples.get(&key) {
            return Ok(known.clone());
        }
        let go = format!("{}{member}", self.ns(scope));
        let go = self.registry.take(go, None, &format!("a tuple in {place}"));
        let twin = match self.import_twin(ty, scope) {
            Some(twin) => Some(self.ty(ty, twin, place)?),
            None => None,
        };
        let known = match twin {
            Some(target) => {
                let id = self.push(Decl {
                    go,
                    docs: None,
                    kind: Kind::Alias(target.clone()),
                });
                Ty::Alias(id, Box::new(target))
            }
            None => Ty::Named(self.push(Decl {
                go,
                docs: None,
                kind: Kind::Tuple(members),
            })),
        };
        self.tuples.insert(key, known.clone());
        Ok(known)
    }

    /// A tuple without a name of its own: equal ones are one type.
    fn idiomatic_tuple(&mut self, members: Vec<Ty>, place: &str) -> Result<Ty, GoError> {
        if members.len() > MAX_TUPLE {
            return Err(unsupported(
                &format!("a tuple of {} members (at most {MAX_TUPLE})", members.len()),
                place,
            ));
        }
        let key = (0, members.clone(), String::new());
        if let Some(known) = self.tuples.get(&key) {
            return Ok(known.clone());
        }
        let known = Ty::Named(self.push(Decl {
            go: String::new(),
            docs: None,
            kind: Kind::Tuple(members),
        }));
        self.tuples.insert(key, known.clone());
        Ok(known)
    }

    /// The import side of an exported interface, if the component also imports it and `ty` carries no handle: then the
    /// export side's type is the import side's.
    fn import_twin(&self, ty: &Type, scope: ScopeId) -> Option<ScopeId> {
        let Some(Source::Interface(id)) = self.sources.get(scope) else {
            return None;
        };
        let twin = self.interfaces.get(&(*id, Side::Import))?;
        (self.side(scope) == Side::Export && !self.has_handle(ty)).then_some(*twin)
    }

    fn has_handle(&self, ty: &Type) -> bool {
        let Type::Id(id) = ty else { return false };
        let Some(def) = self.resolve.types.get(*id) else {
            return false;
        };
        match &def.kind {
            TypeDefKind::Resource | TypeDefKind::Handle(_) => true,
            TypeDefKind::Record(r) => r.fields.iter().any(|f| self.has_handle(&f.ty)),
            TypeDefKind::Tuple(t) => t.types.iter().any(|t| self.has_handle(t)),
            TypeDefKind::Variant(v) => v
                .cases
                .iter()
                .filter_map(|c| c.ty.as_ref())
                .any(|t| self.has_handle(t)),
            TypeDefKind::Option(t) | TypeDefKind::List(t) | TypeDefKind::Type(t) => {
                self.has_handle(t)
            }
            TypeDefKind::Result(r) => [&r.ok, &r.err]
                .into_iter()
                .flatten()
                .any(|t| self.has_handle(t)),
            _ => false,
        }
    }

    /// How a type is called inside the name of a tuple.
    fn member_name(&self, ty: &Type) -> String {
        let def = match ty {
            Type::Bool => return "Bool".into(),
            Type::U8 => return "U8".into(),
            Type::U16 => return "U16".into(),
            Type::U32 => return "U32".into(),
            Type::U64 => return "U64".into(),
            Type::S8 => return "S8".into(),
            Type::S16 => return "S16".into(),
            Type::S32 => return "S32".into(),
            Type::S64 => return "S64".into(),
            Type::F32 => return "F32".into(),
            Type::F64 => return "F64".into(),
            Type::Char => return "Byte".into(),
            Type::String => return "String".into(),
            Type::ErrorContext => return "ErrorContext".into(),
            Type::Id(id) => self.resolve.types.get(*id),
        };
        let Some(def) = def else { return String::new() };
        if let Some(name) = &def.name {
            return upper(name);
        }
        match &def.kind {
            TypeDefKind::Option(t) => format!("Option{}T", self.member_name(t)),
            TypeDefKind::List(t) => format!("List{}T", self.member_name(t)),
            // The names of the old generator hold the ok side twice; programs mention them.
            TypeDefKind::Result(r) => {
                let ok =
                    r.ok.as_ref()
                        .map_or_else(|| "Empty".to_owned(), |t| self.member_name(t));
                format!("Result{ok}{ok}T")
            }
            TypeDefKind::Tuple(t) => {
                let members: String = t.types.iter().map(|t| self.member_name(t)).collect();
                format!("Tuple{}{members}T", t.types.len())
            }
            TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => {
                self.member_name(&Type::Id(*id))
            }
            TypeDefKind::Type(t) => self.member_name(t),
            other => upper(other.as_str()),
        }
    }

    fn push(&mut self, decl: Decl) -> DeclId {
        self.decls.push(decl);
        self.decls.len() - 1
    }

    /// The type `id` as declared in `scope`, declaring it on first sight (and what it needs before it).
    fn named(&mut self, id: TypeId, scope: ScopeId) -> Result<Ty, GoError> {
        if let Some(known) = self.memo.get(&(id, scope)) {
            return Ok(known.clone());
        }
        let Some(def) = self.resolve.types.get(id) else {
            return Err(unsupported("an unknown type", "the world"));
        };
        let wit = def.name.clone().unwrap_or_default();
        let place = self.place(scope, &wit);
        let stub = self.scopes.get(scope).is_some_and(|s| s.stub);
        if stub
            && let TypeDefKind::Type(target) = &def.kind
            && STUB_ALIASES.contains(&wit.as_str())
        {
            // Part of the stub's own language, not of the target's.
            let ty = self.ty(target, scope, &place)?;
            self.memo.insert((id, scope), ty.clone());
            return Ok(ty);
        }
        let hidden = stub && self.is_future(def, &wit);
        let go = match self.style {
            Style::TinyGo => upper(&wit),
            Style::Go if hidden => idiom::unexported(&wit),
            Style::Go => idiom::exported(&wit),
        };
        let go = format!("{}{go}", self.ns(scope));
        let go = self.registry.take(go, None, &format!("type {place}"));
        let docs = text(&def.docs);
        let twin = self.import_twin(&Type::Id(id), scope);
        let ty = if let Some(twin) = twin {
            let target = self.named(id, twin)?;
            self.alias(go, docs, target)
        } else if let TypeDefKind::Resource = def.kind {
            if stub && !hidden {
                for name in doubles(&go) {
                    self.registry.reserve(&name, "the double of a client");
                }
            }
            let resource = self.resources.len();
            self.resources.push(Resource {
                go: go.clone(),
                wit,
                scope,
                side: self.side(scope),
            });
            self.push(Decl {
                go,
                docs,
                kind: Kind::Resource(resource),
            });
            Ty::Own(resource)
        } else if let TypeDefKind::Type(target) = &def.kind {
            let target = self.ty(target, scope, &place)?;
            self.alias(go, docs, target)
        } else {
            match self.kind(&def.kind, scope, &place)? {
                Some(Kind::Tuple(members)) if self.style == Style::Go => {
                    let target = self.idiomatic_tuple(members, &place)?;
                    self.alias(go, docs, target)
                }
                Some(kind) => Ty::Named(self.push(Decl { go, docs, kind })),
                None => {
                    let target = self.anonymous(&Type::Id(id), def, scope, &place)?;
                    self.alias(go, docs, target)
                }
            }
        };
        self.memo.insert((id, scope), ty.clone());
        Ok(ty)
    }

    /// Whether a resource of a stub is a result to come. The name alone does not tell, a target may have a resource of that
    /// name; its client has `blocking-…` for each of its functions, a result to come has `subscribe` and `get`.
    fn is_future(&self, def: &TypeDef, wit: &str) -> bool {
        let TypeOwner::Interface(owner) = def.owner else {
            return false;
        };
        let Some(interface) = self.resolve.interfaces.get(owner) else {
            return false;
        };
        let get = interface.functions.get(&format!("[method]{wit}.get"));
        let optional = get
            .and_then(|get| get.result)
            .is_some_and(|result| match result {
                Type::Id(id) => matches!(
                    self.resolve.types.get(id).map(|def| &def.kind),
                    Some(TypeDefKind::Option(_))
                ),
                _ => false,
            });
        let subscribe = format!("[method]{wit}.subscribe");
        wit.starts_with("future-")
            && wit.ends_with("-result")
            && optional
            && interface.functions.contains_key(&subscribe)
    }

    fn alias(&mut self, go: String, docs: Option<String>, target: Ty) -> Ty {
        let id = self.push(Decl {
            go,
            docs,
            kind: Kind::Alias(target.clone()),
        });
        match target {
            // Another name of the resource, not of the pointers to it.
            Ty::Own(_) | Ty::Borrow(_) if self.style == Style::Go => target,
            target => Ty::Alias(id, Box::new(target)),
        }
    }

    /// The shape of a type that has a Go declaration of its own; `None` for those that only get another name.
    fn kind(
        &mut self,
        kind: &'a TypeDefKind,
        scope: ScopeId,
        place: &str,
    ) -> Result<Option<Kind>, GoError> {
        if let Some(what) = without_members(kind) {
            return Err(unsupported(what, place));
        }
        let mut used = Vec::new();
        Ok(Some(match kind {
            TypeDefKind::Record(record) => {
                let mut fields = Vec::new();
                for field in &record.fields {
                    let name = self.upper(&field.name);
                    let go = self.unique(&mut used, name);
                    fields.push(Field {
                        go,
                        ty: self.ty(&field.ty, scope, place)?,
                        docs: text(&field.docs),
                    });
                }
                Kind::Record(fields)
            }
            TypeDefKind::Tuple(tuple) => Kind::Tuple(
                tuple
                    .types
                    .iter()
                    .map(|t| self.ty(t, scope, place))
                    .collect::<Result<_, _>>()?,
            ),
            TypeDefKind::Variant(variant) => {
                let mut cases = Vec::new();
                for c in &variant.cases {
                    let ty =
                        c.ty.as_ref()
                            .map(|t| self.ty(t, scope, place))
                            .transpose()?;
                    cases.push(self.case(&mut used, &c.name, ty, &c.docs));
                }
                Kind::Variant(Cases {
                    kind: String::new(),
                    cases,
                })
            }
            TypeDefKind::Enum(e) => {
                let cases = e
                    .cases
                    .iter()
                    .map(|c| self.case(&mut used, &c.name, None, &c.docs))
                    .collect();
                Kind::Enum(Cases {
                    kind: String::new(),
                    cases,
                })
            }
            TypeDefKind::Flags(flags) if flags.flags.len() > MAX_FLAGS => {
                return Err(unsupported(
                    &format!("{} flags (at most {MAX_FLAGS})", flags.flags.len()),
                    place,
                ));
            }
            TypeDefKind::Flags(flags) => {
                if flags.flags.len() > ENCODED_FLAGS {
                    self.registry.warnings.push(format!(
                        "{place} has {} flags, but components are encoded with at most {ENCODED_FLAGS} as of today",
                        flags.flags.len()
                    ));
                }
                let flags = flags.flags.iter();
                Kind::Flags(
                    flags
                        .map(|f| self.case(&mut used, &f.name, None, &f.docs))
                        .collect(),
                )
            }
            _ => return Ok(None),
        }))
    }

    fn case(&self, used: &mut Vec<String>, wit: &str, ty: Option<Ty>, docs: &Docs) -> Case {
        let name = self.unique(used, self.upper(wit));
        Case {
            name,
            constant: String::new(),
            constructor: String::new(),
            ty,
            docs: text(docs),
            wit: wit.to_owned(),
        }
    }
}
