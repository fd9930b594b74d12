// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / stub types: which types a stub interface names, where they come from and what they are called there.
//! In: types of the target. Out: `use` lines, declarations, type text. Never touches files. Read next: `interface.rs`.
//! Why: client specification §3.3 rules 3, 4, 5, 9 and §3.10.

#![expect(
    clippy::indexing_slicing,
    reason = "arenas are indexed by the ids that they handed out"
)]

use std::collections::HashMap;

use wit_parser::{Handle, InterfaceId, Resolve, Type, TypeDefKind, TypeId, TypeOwner};

use crate::canonical;
use crate::names::{self, escape};
use crate::stub::error::StubError;

/// The most flags that the binary form of a component can hold in one type.
const MAX_FLAGS: usize = 32;

/// How a type gets into the stub interface.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    /// `use path.{name}`
    Use { path: String, name: String },
    /// Declared again in the stub.
    Inline,
}

#[derive(Debug)]
struct Entry {
    ids: Vec<TypeId>,
    root: TypeId,
    local: String,
    label: String,
    origin: Origin,
    name: String,
}

/// The types of one stub interface.
pub(super) struct Types<'a> {
    resolve: &'a Resolve,
    inline: bool,
    /// Exported resources (the defining type) and the client resource that stands for each.
    clients: HashMap<TypeId, String>,
    entries: Vec<Entry>,
}

impl<'a> Types<'a> {
    pub(super) fn new(
        resolve: &'a Resolve,
        inline: bool,
        clients: HashMap<TypeId, String>,
    ) -> Self {
        Self {
            resolve,
            inline,
            clients,
            entries: Vec::new(),
        }
    }

    /// The type at the end of a chain of aliases.
    fn root(&self, mut id: TypeId) -> TypeId {
        while let TypeDefKind::Type(Type::Id(next)) = &self.resolve.types[id].kind {
            id = *next;
        }
        id
    }

    /// Adds every type that is visible in an exported interface; `path` is how to `use` it, `None` for an inline one.
    pub(super) fn add_visible(
        &mut self,
        interface: InterfaceId,
        label: &str,
        path: Option<&str>,
    ) -> Result<(), StubError> {
        for (name, id) in &self.resolve.interfaces[interface].types {
            let root = self.root(*id);
            // What cannot travel is no matter as long as no function uses it.
            if matches!(self.resolve.types[root].kind, TypeDefKind::Resource)
                || self.foreign(&Type::Id(*id)).is_some()
                || self.check(&Type::Id(*id), label).is_err()
            {
                continue;
            }
            let origin = match path {
                Some(path) if !self.inline && !self.has_client(&Type::Id(*id)) => Origin::Use {
                    path: path.to_owned(),
                    name: name.clone(),
                },
                _ => Origin::Inline,
            };
            self.add(*id, name, label, origin);
        }
        // Bodies may reach types that are not visible in the interface itself.
        let declared: Vec<TypeId> = self.inline_roots();
        for id in declared {
            self.demand_body(id, label)?;
        }
        Ok(())
    }

    fn inline_roots(&self) -> Vec<TypeId> {
        self.entries
            .iter()
            .filter(|entry| entry.origin == Origin::Inline)
            .map(|entry| entry.root)
            .collect()
    }

    fn add(&mut self, id: TypeId, local: &str, label: &str, origin: Origin) {
        let root = self.root(id);
        if let Some(entry) = self
            .entries
            .iter_mut()
            .find(|entry| entry.root == root && entry.local == local)
        {
            entry.ids.push(id);
            return;
        }
        self.entries.push(Entry {
            ids: vec![id],
            root,
            local: local.to_owned(),
            label: label.to_owned(),
            origin,
            name: local.to_owned(),
        });
    }

    /// The first resource in `ty` that the stub has no client for.
    pub(super) fn foreign(&self, ty: &Type) -> Option<String> {
        let mut found = Vec::new();
        self.resources(ty, &mut found);
        let id = found
            .into_iter()
            .find(|id| !self.clients.contains_key(id))?;
        let def = &self.resolve.types[id];
        let name = def.name.clone().unwrap_or_else(|| "resource".to_owned());
        Some(match def.owner {
            TypeOwner::Interface(owner) => match self.resolve.id_of(owner) {
                Some(path) => format!("{path}.{name}"),
                None => name,
            },
            TypeOwner::World(_) | TypeOwner::None => name,
        })
    }

    /// Whether `ty` is a handle of a resource that the stub has a client for.
    pub(super) fn is_handle(&self, ty: &Type) -> bool {
        let Type::Id(id) = ty else { return false };
        match self.resolve.types[self.root(*id)].kind {
            TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => {
                self.clients.contains_key(&self.root(id))
            }
            _ => false,
        }
    }

    fn has_client(&self, ty: &Type) -> bool {
        let mut found = Vec::new();
        self.resources(ty, &mut found);
        found.iter().any(|id| self.clients.contains_key(id))
    }

    fn resources(&self, ty: &Type, found: &mut Vec<TypeId>) {
        let Type::Id(id) = ty else { return };
        match &self.resolve.types[*id].kind {
            TypeDefKind::Resource => found.push(*id),
            TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => {
                self.resources(&Type::Id(*id), found)
            }
            kind => each_part(kind, &mut |part| self.resources(part, found)),
        }
    }

    /// Makes sure that every name in `ty` can be written; `function` is for the message.
    pub(super) fn demand(&mut self, ty: &Type, function: &str) -> Result<(), StubError> {
        let Type::Id(id) = ty else {
            return match ty {
                Type::ErrorContext => Err(unsupported(function, "error-context")),
                _ => Ok(()),
            };
        };
        if let Some(resource) = self.foreign(ty) {
            return Err(StubError::ForeignResource {
                function: function.to_owned(),
                resource,
            });
        }
        let root = self.root(*id);
        let kind = &self.resolve.types[root].kind;
        if let Some(what) = cannot_travel(kind) {
            return Err(unsupported(function, &what));
        }
        match kind {
            TypeDefKind::Resource | TypeDefKind::Handle(_) => Ok(()),
            TypeDefKind::Option(_)
            | TypeDefKind::List(_)
            | TypeDefKind::Tuple(_)
            | TypeDefKind::Result(_) => self.demand_parts(root, function),
            _ => {
                if self.entry(*id).is_some() {
                    return self.demand_parts(root, function);
                }
                self.add_demanded(*id);
                self.demand_body(root, function)
            }
        }
    }

    /// Adds a named type that no exported interface shows: from the interface that shows it, or as a declaration.
    fn add_demanded(&mut self, id: TypeId) {
        let root = self.root(id);
        let inline = self.inline || self.has_client(&Type::Id(id));
        let local = self.resolve.types[id]
            .name
            .clone()
            .unwrap_or_else(|| "value".to_owned());
        let mut at = id;
        loop {
            let def = &self.resolve.types[at];
            if let (TypeOwner::Interface(owner), Some(name)) = (def.owner, &def.name) {
                let interface = &self.resolve.interfaces[owner];
                if let (Some(path), Some(label)) = (path(self.resolve, owner), &interface.name) {
                    let origin = if inline {
                        Origin::Inline
                    } else {
                        Origin::Use {
                            path,
                            name: name.clone(),
                        }
                    };
                    return self.add(id, &local, label, origin);
                }
            }
            match def.kind {
                TypeDefKind::Type(Type::Id(next)) => at = next,
                _ => break,
            }
        }
        let label = match self.resolve.types[root].owner {
            TypeOwner::World(world) => self.resolve.worlds[world].name.clone(),
            TypeOwner::Interface(_) | TypeOwner::None => "inline".to_owned(),
        };
        self.add(id, &local, &label, Origin::Inline);
    }

    fn demand_body(&mut self, root: TypeId, function: &str) -> Result<(), StubError> {
        self.demand_parts(root, function)
    }

    fn demand_parts(&mut self, id: TypeId, function: &str) -> Result<(), StubError> {
        let mut parts = Vec::new();
        each_part(&self.resolve.types[id].kind, &mut |part| parts.push(*part));
        let used = self
            .entry(id)
            .is_some_and(|entry| matches!(entry.origin, Origin::Use { .. }));
        for part in parts {
            // A type that is `use`d brings its own parts along: only what cannot travel matters then.
            if used {
                self.check(&part, function)?
            } else {
                self.demand(&part, function)?
            }
        }
        Ok(())
    }

    fn check(&self, ty: &Type, function: &str) -> Result<(), StubError> {
        let Type::Id(id) = ty else {
            return match ty {
                Type::ErrorContext => Err(unsupported(function, "error-context")),
                _ => Ok(()),
            };
        };
        let kind = &self.resolve.types[self.root(*id)].kind;
        if let Some(what) = cannot_travel(kind) {
            return Err(unsupported(function, &what));
        }
        let mut result = Ok(());
        each_part(kind, &mut |part| {
            if result.is_ok() {
                result = self.check(part, function);
            }
        });
        result
    }

    fn entry(&self, id: TypeId) -> Option<&Entry> {
        let root = self.root(id);
        let exact = self.entries.iter().find(|entry| entry.ids.contains(&id));
        exact.or_else(|| self.entries.iter().find(|entry| entry.root == root))
    }

    /// Gives every type its name; a name that `taken` or another type has becomes `<interface>-<type>`.
    ///
    /// `taken` maps a name in lower case to what has it, and grows by the types.
    pub(super) fn assign_names(
        &mut self,
        taken: &mut HashMap<String, String>,
    ) -> Result<(), StubError> {
        let mut count = HashMap::<String, usize>::new();
        for entry in &self.entries {
            *count.entry(entry.local.to_lowercase()).or_default() += 1;
        }
        for entry in &mut self.entries {
            let key = entry.local.to_lowercase();
            if count.get(&key).copied().unwrap_or(0) > 1 || taken.contains_key(&key) {
                entry.name = format!("{}-{}", entry.label, entry.local);
            }
            let this = format!("type `{}` of `{}`", entry.local, entry.label);
            if let Some(first) = taken.insert(entry.name.to_lowercase(), this.clone()) {
                return Err(StubError::NameClash {
                    name: entry.name.clone(),
                    first,
                    second: this,
                });
            }
        }
        Ok(())
    }

    /// The `use` lines, one per type.
    pub(super) fn uses(&self) -> Vec<String> {
        let line = |entry: &Entry| match &entry.origin {
            Origin::Use { path, name } if *name == entry.name => {
                Some(format!("  use {path}.{{{}}};", escape(name)))
            }
            Origin::Use { path, name } => Some(format!(
                "  use {path}.{{{} as {}}};",
                escape(name),
                escape(&entry.name)
            )),
            Origin::Inline => None,
        };
        self.entries.iter().filter_map(line).collect()
    }

    /// The declarations of the types that cannot or shall not be `use`d. The layout of records is that of dialect L.
    pub(super) fn declarations(&self) -> Vec<String> {
        self.entries
            .iter()
            .filter(|entry| entry.origin == Origin::Inline)
            .map(|entry| self.declaration(entry))
            .collect()
    }

    fn declaration(&self, entry: &Entry) -> String {
        let name = escape(&entry.name);
        let block = |word: &str, lines: Vec<String>, between: &str| {
            format!("  {word} {name} {{\n    {}\n  }}", lines.join(between))
        };
        match &self.resolve.types[entry.root].kind {
            TypeDefKind::Record(record) => {
                let fields = record
                    .fields
                    .iter()
                    .map(|field| format!("{}: {}", escape(&field.name), self.text(&field.ty)));
                block("record", fields.collect(), ",     ")
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter().map(|case| match &case.ty {
                    Some(ty) => format!("{}({})", escape(&case.name), self.text(ty)),
                    None => escape(&case.name).into_owned(),
                });
                block("variant", cases.collect(), ",\n    ")
            }
            TypeDefKind::Enum(list) => block(
                "enum",
                list.cases
                    .iter()
                    .map(|case| escape(&case.name).into_owned())
                    .collect(),
                ",\n    ",
            ),
            TypeDefKind::Flags(list) => block(
                "flags",
                list.flags
                    .iter()
                    .map(|flag| escape(&flag.name).into_owned())
                    .collect(),
                ",\n    ",
            ),
            kind => format!("  type {name} = {};", self.structure(kind)),
        }
    }

    /// How `ty` is written in the stub: structures are written out, named types by their name there.
    pub(super) fn text(&self, ty: &Type) -> String {
        let id = match ty {
            Type::Id(id) => *id,
            primitive => return primitive_name(primitive).to_owned(),
        };
        let root = self.root(id);
        match &self.resolve.types[root].kind {
            TypeDefKind::Resource => {
                escape(self.clients.get(&root).map_or("resource", String::as_str)).into_owned()
            }
            kind @ (TypeDefKind::Option(_)
            | TypeDefKind::List(_)
            | TypeDefKind::Tuple(_)
            | TypeDefKind::Result(_)
            | TypeDefKind::Handle(_)) => self.structure(kind),
            kind => match self.entry(id) {
                Some(entry) => escape(&entry.name).into_owned(),
                None => self.structure(kind),
            },
        }
    }

    fn structure(&self, kind: &TypeDefKind) -> String {
        match kind {
            TypeDefKind::Option(ty) => format!("option<{}>", self.text(ty)),
            TypeDefKind::List(ty) => format!("list<{}>", self.text(ty)),
            TypeDefKind::Tuple(tuple) => {
                format!(
                    "tuple<{}>",
                    tuple
                        .types
                        .iter()
                        .map(|ty| self.text(ty))
                        .collect::<Vec<_>>()
                        .join(", ")
                )
            }
            TypeDefKind::Result(result) => match (&result.ok, &result.err) {
                (None, None) => "result".to_owned(),
                (Some(ok), None) => format!("result<{}>", self.text(ok)),
                (None, Some(err)) => format!("result<_, {}>", self.text(err)),
                (Some(ok), Some(err)) => format!("result<{}, {}>", self.text(ok), self.text(err)),
            },
            TypeDefKind::Handle(Handle::Own(id)) => self.text(&Type::Id(*id)),
            TypeDefKind::Handle(Handle::Borrow(id)) => {
                format!("borrow<{}>", self.text(&Type::Id(*id)))
            }
            TypeDefKind::Type(ty) => self.text(ty),
            other => other.as_str().to_owned(),
        }
    }
}

/// `namespace:name/interface[@version]` with keywords escaped; `None` for an inline interface.
pub(super) fn path(resolve: &Resolve, interface: InterfaceId) -> Option<String> {
    let interface = &resolve.interfaces[interface];
    let package = &resolve.packages[interface.package?].name;
    Some(names::path(package, interface.name.as_ref()?))
}

/// What a type is that no component can pass on, or that the values of calls cannot hold.
fn cannot_travel(kind: &TypeDefKind) -> Option<String> {
    Some(match kind {
        TypeDefKind::Map(..)
        | TypeDefKind::FixedLengthList(..)
        | TypeDefKind::Future(_)
        | TypeDefKind::Stream(_)
        | TypeDefKind::Unknown => kind.as_str().to_owned(),
        TypeDefKind::Flags(list) if list.flags.len() > MAX_FLAGS => {
            format!("{} flags (at most {MAX_FLAGS})", list.flags.len())
        }
        kind => canonical::without_members(kind)?.to_owned(),
    })
}

fn unsupported(function: &str, what: &str) -> StubError {
    StubError::UnsupportedType {
        function: function.to_owned(),
        what: what.to_owned(),
    }
}

fn primitive_name(ty: &Type) -> &'static str {
    match ty {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::S8 => "s8",
        Type::S16 => "s16",
        Type::S32 => "s32",
        Type::S64 => "s64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::ErrorContext | Type::Id(_) => "error-context",
    }
}

/// Calls `visit` with every type directly inside `kind`; handles and resources have no parts.
fn each_part(kind: &TypeDefKind, visit: &mut dyn FnMut(&Type)) {
    match kind {
        TypeDefKind::Record(record) => record.fields.iter().for_each(|field| visit(&field.ty)),
        TypeDefKind::Variant(variant) => variant
            .cases
            .iter()
            .filter_map(|case| case.ty.as_ref())
            .for_each(visit),
        TypeDefKind::Tuple(tuple) => tuple.types.iter().for_each(visit),
        TypeDefKind::Result(result) => result.ok.iter().chain(&result.err).for_each(visit),
        TypeDefKind::Option(ty)
        | TypeDefKind::List(ty)
        | TypeDefKind::FixedLengthList(ty, _)
        | TypeDefKind::Type(ty) => visit(ty),
        TypeDefKind::Map(key, value) => {
            visit(key);
            visit(value);
        }
        TypeDefKind::Future(ty) | TypeDefKind::Stream(ty) => ty.iter().for_each(visit),
        TypeDefKind::Resource
        | TypeDefKind::Handle(_)
        | TypeDefKind::Flags(_)
        | TypeDefKind::Enum(_)
        | TypeDefKind::Unknown => {}
    }
}
