// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / canonical: what a linked package means, as comparable text. In: a package. Out: one line per item.
//! Never looks at spelling, order, comments or documentation. Read next: `deps.rs`.
//! Why: two copies of one package that differ in indentation only are the same package.

#![expect(
    clippy::indexing_slicing,
    reason = "arenas are indexed by the ids that they handed out"
)]

use std::collections::BTreeMap;

use wit_parser::{
    Function, FunctionKind, Handle, InterfaceId, PackageId, Resolve, Type, TypeDefKind, TypeId,
    TypeOwner, WorldId, WorldItem, WorldKey,
};

/// The interfaces and worlds of `package`: `interface x` or `world x`, each with its canonical text.
pub(crate) fn items(resolve: &Resolve, package: PackageId) -> BTreeMap<String, String> {
    let package = &resolve.packages[package];
    let interfaces = package
        .interfaces
        .iter()
        .map(|(name, id)| (format!("interface {name}"), interface(resolve, *id)));
    let worlds = package
        .worlds
        .iter()
        .map(|(name, id)| (format!("world {name}"), world(resolve, *id)));
    interfaces.chain(worlds).collect()
}

/// The canonical text of one interface.
pub(crate) fn interface(resolve: &Resolve, id: InterfaceId) -> String {
    let interface = &resolve.interfaces[id];
    let printer = Printer {
        resolve,
        home: TypeOwner::Interface(id),
    };
    let mut lines: Vec<String> = interface
        .types
        .iter()
        .map(|(name, id)| format!("type {name} = {}", printer.definition(*id)))
        .collect();
    lines.extend(
        interface
            .functions
            .values()
            .map(|function| printer.function(function)),
    );
    lines.sort();
    lines.join("\n")
}

fn world(resolve: &Resolve, id: WorldId) -> String {
    let world = &resolve.worlds[id];
    let printer = Printer {
        resolve,
        home: TypeOwner::World(id),
    };
    let item = |direction: &str, key: &WorldKey, item: &WorldItem| {
        let name = resolve.name_world_key(key);
        match (key, item) {
            (WorldKey::Interface(_), _) => format!("{direction} {name}"),
            (WorldKey::Name(_), WorldItem::Interface { id, .. }) => {
                format!("{direction} {name} {{ {} }}", interface(resolve, *id))
            }
            (WorldKey::Name(_), WorldItem::Function(function)) => {
                format!("{direction} {}", printer.function(function))
            }
            (WorldKey::Name(_), WorldItem::Type { id, .. }) => {
                format!("{direction} type {name} = {}", printer.definition(*id))
            }
        }
    };
    let mut lines: Vec<String> = world
        .imports
        .iter()
        .map(|(key, value)| item("import", key, value))
        .collect();
    lines.extend(
        world
            .exports
            .iter()
            .map(|(key, value)| item("export", key, value)),
    );
    lines.sort();
    lines.join("\n")
}

/// Writes types as seen from `home`: its own types by name, those of other interfaces with their path.
pub(crate) struct Printer<'a> {
    pub(crate) resolve: &'a Resolve,
    pub(crate) home: TypeOwner,
}

impl Printer<'_> {
    fn function(&self, function: &Function) -> String {
        let kind = match function.kind {
            FunctionKind::Freestanding
            | FunctionKind::Method(_)
            | FunctionKind::Static(_)
            | FunctionKind::Constructor(_) => "func",
            FunctionKind::AsyncFreestanding
            | FunctionKind::AsyncMethod(_)
            | FunctionKind::AsyncStatic(_) => "async func",
        };
        format!("{}: {kind}{}", function.name, self.signature(function))
    }

    /// `(name: type, …) -> type`
    pub(crate) fn signature(&self, function: &Function) -> String {
        let params: Vec<String> = function
            .params
            .iter()
            .map(|param| format!("{}: {}", param.name, self.name(&param.ty)))
            .collect();
        let result = function
            .result
            .as_ref()
            .map_or_else(String::new, |ty| format!(" -> {}", self.name(ty)));
        format!("({}){result}", params.join(", "))
    }

    /// How the type is written where it is used: its name, or its structure when it has none.
    fn name(&self, ty: &Type) -> String {
        let id = match ty {
            Type::Bool => return "bool".to_owned(),
            Type::U8 => return "u8".to_owned(),
            Type::U16 => return "u16".to_owned(),
            Type::U32 => return "u32".to_owned(),
            Type::U64 => return "u64".to_owned(),
            Type::S8 => return "s8".to_owned(),
            Type::S16 => return "s16".to_owned(),
            Type::S32 => return "s32".to_owned(),
            Type::S64 => return "s64".to_owned(),
            Type::F32 => return "f32".to_owned(),
            Type::F64 => return "f64".to_owned(),
            Type::Char => return "char".to_owned(),
            Type::String => return "string".to_owned(),
            Type::ErrorContext => return "error-context".to_owned(),
            Type::Id(id) => *id,
        };
        let def = &self.resolve.types[id];
        match &def.name {
            Some(name) if def.owner == self.home => name.clone(),
            Some(name) => match def.owner {
                TypeOwner::Interface(owner) => {
                    format!(
                        "{}.{name}",
                        self.resolve
                            .id_of(owner)
                            .unwrap_or_else(|| "inline".to_owned())
                    )
                }
                TypeOwner::World(_) | TypeOwner::None => name.clone(),
            },
            None => self.definition(id),
        }
    }

    fn names(&self, types: &[Type]) -> String {
        types
            .iter()
            .map(|ty| self.name(ty))
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn optional(&self, ty: Option<&Type>) -> String {
        ty.map_or_else(|| "_".to_owned(), |ty| self.name(ty))
    }

    pub(crate) fn definition(&self, id: TypeId) -> String {
        match &self.resolve.types[id].kind {
            TypeDefKind::Record(record) => {
                let fields: Vec<String> = record
                    .fields
                    .iter()
                    .map(|field| format!("{}: {}", field.name, self.name(&field.ty)))
                    .collect();
                format!("record {{ {} }}", fields.join(", "))
            }
            TypeDefKind::Variant(variant) => {
                let cases: Vec<String> = variant
                    .cases
                    .iter()
                    .map(|case| format!("{}({})", case.name, self.optional(case.ty.as_ref())))
                    .collect();
                format!("variant {{ {} }}", cases.join(", "))
            }
            TypeDefKind::Enum(list) => {
                format!(
                    "enum {{ {} }}",
                    list.cases
                        .iter()
                        .map(|case| case.name.as_str())
                        .collect::<Vec<_>>()
                        .join(", ")
                )
            }
            TypeDefKind::Flags(list) => {
                format!(
                    "flags {{ {} }}",
                    list.flags
                        .iter()
                        .map(|flag| flag.name.as_str())
                        .collect::<Vec<_>>()
                        .join(", ")
                )
            }
            TypeDefKind::Resource => "resource".to_owned(),
            TypeDefKind::Handle(Handle::Own(id)) => self.name(&Type::Id(*id)),
            TypeDefKind::Handle(Handle::Borrow(id)) => {
                format!("borrow<{}>", self.name(&Type::Id(*id)))
            }
            TypeDefKind::Tuple(tuple) => format!("tuple<{}>", self.names(&tuple.types)),
            TypeDefKind::Option(ty) => format!("option<{}>", self.name(ty)),
            TypeDefKind::Result(result) => {
                format!(
                    "result<{}, {}>",
                    self.optional(result.ok.as_ref()),
                    self.optional(result.err.as_ref())
                )
            }
            TypeDefKind::List(ty) => format!("list<{}>", self.name(ty)),
            TypeDefKind::Map(key, value) => {
                format!("map<{}, {}>", self.name(key), self.name(value))
            }
            TypeDefKind::FixedLengthList(ty, length) => {
                format!("list<{}, {length}>", self.name(ty))
            }
            TypeDefKind::Future(ty) => format!("future<{}>", self.optional(ty.as_ref())),
            TypeDefKind::Stream(ty) => format!("stream<{}>", self.optional(ty.as_ref())),
            TypeDefKind::Type(ty) => self.name(ty),
            TypeDefKind::Unknown => "unknown".to_owned(),
        }
    }
}
/// What a type without parts is, in words: WIT can write it, the component model has no such type.
pub(crate) fn without_members(kind: &TypeDefKind) -> Option<&'static str> {
    Some(match kind {
        TypeDefKind::Flags(flags) if flags.flags.is_empty() => "flags without members",
        TypeDefKind::Record(record) if record.fields.is_empty() => "a record without fields",
        TypeDefKind::Tuple(tuple) if tuple.types.is_empty() => "a tuple without members",
        _ => return None,
    })
}
