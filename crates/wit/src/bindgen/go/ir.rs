// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go ir: a world in Go terms, the part that every style shares. In from `plan.rs`, out to the emitters.
//! Layout and flattening are the canonical ABI's for 32-bit memories. Never writes Go. Read next: `plan.rs`, `abi.rs`.
//! Why: docs/go-bindings.md, section "Design"; component model, canonical ABI, "Despecialization" to "Flattening".

use super::{Home, Style};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Index into [`Plan::decls`].
pub(super) type DeclId = usize;
/// Index into [`Plan::resources`].
pub(super) type ResourceId = usize;
/// Index into [`Plan::scopes`].
pub(super) type ScopeId = usize;

/// A type as Go code mentions it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Ty {
    Bool,
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    F32,
    F64,
    Char,
    Str,
    List(Box<Ty>),
    Option(Box<Ty>),
    Result(Option<Box<Ty>>, Option<Box<Ty>>),
    /// A record, tuple, variant, enum or flags type.
    Named(DeclId),
    /// `type name = target`: only the spelling differs.
    Alias(DeclId, Box<Ty>),
    Own(ResourceId),
    Borrow(ResourceId),
}

/// Whether the component uses a thing or provides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Side {
    Import,
    Export,
}

/// An interface seen from one side, or the world's own items of one side.
#[derive(Debug)]
pub(super) struct Scope {
    /// Prefix of its Go identifiers: `WasiIoPoll` in one flat package, `poll.` in a package of its own.
    pub ns: String,
    /// The Go package that it is, below the output directory; empty where everything is one package.
    pub package: String,
    /// It is a stub: its resources are workers to call, and results to come.
    pub stub: bool,
    /// Its name in the component: `wasi:io/poll@0.2.0`, the plain name of an inline interface, empty for the world.
    pub wit: String,
    pub side: Side,
    pub docs: Option<String>,
    /// Export side: the Go interface, the function that sets its implementation, the variable that holds it.
    pub implementation: Option<Implementation>,
}

/// The Go names through which the user's code answers an exported interface.
#[derive(Debug)]
pub(super) struct Implementation {
    pub interface: String,
    pub setter: String,
    pub variable: String,
}

impl Scope {
    /// The core module name of imports from here.
    pub(super) fn import_module(&self) -> &str {
        if self.wit.is_empty() {
            "$root"
        } else {
            &self.wit
        }
    }

    /// The core name of an exported function `name` (in WIT's mangled form).
    pub(super) fn export_name(&self, name: &str) -> String {
        if self.wit.is_empty() {
            name.to_owned()
        } else {
            format!("{}#{name}", self.wit)
        }
    }
}

/// A declared Go type.
#[derive(Debug)]
pub(super) struct Decl {
    pub go: String,
    pub docs: Option<String>,
    pub kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Record(Vec<Field>),
    Tuple(Vec<Ty>),
    Variant(Cases),
    Enum(Cases),
    Flags(Vec<Case>),
    Alias(Ty),
    Resource(ResourceId),
}

#[derive(Debug)]
pub(super) struct Field {
    pub go: String,
    pub ty: Ty,
    pub docs: Option<String>,
}

/// The cases of a variant or an enum.
#[derive(Debug)]
pub(super) struct Cases {
    /// The Go type of the discriminant.
    pub kind: String,
    pub cases: Vec<Case>,
}

/// One case of a variant or enum, or one flag.
#[derive(Debug)]
pub(super) struct Case {
    /// UpperCamelCase name, unique within the type.
    pub name: String,
    /// The constant (discriminant or flag bit).
    pub constant: String,
    /// The constructor function (variants and enums).
    pub constructor: String,
    pub ty: Option<Ty>,
    pub docs: Option<String>,
    /// Its name in WIT.
    pub wit: String,
}

/// A resource type seen from one side.
#[derive(Debug)]
pub(super) struct Resource {
    pub go: String,
    pub wit: String,
    pub scope: ScopeId,
    pub side: Side,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FuncKind {
    Free,
    Method(ResourceId),
    Static(ResourceId),
    Constructor(ResourceId),
}

/// A function that the component calls (import) or answers (export).
#[derive(Debug)]
pub(super) struct Func {
    /// Import: the function or method name. Export: the method name in the implementation's interface.
    pub go: String,
    /// Stem of unexported identifiers, unique in the package.
    pub stem: String,
    /// The mangled WIT name, such as `[method]pollable.block`.
    pub wit: String,
    pub scope: ScopeId,
    pub kind: FuncKind,
    /// Includes `self` of methods as its first element.
    pub params: Vec<(String, Ty)>,
    pub result: Option<Ty>,
    pub docs: Option<String>,
}

/// A whole world, ready to be written in Go.
#[derive(Debug)]
pub(super) struct Plan {
    pub style: Style,
    pub package: String,
    /// The package that is being written, as in [`Scope::package`].
    pub here: String,
    /// Packages that the file being written mentions, since the last [`Plan::begin_file`].
    pub mentioned: RefCell<BTreeSet<String>>,
    /// Path of the module.
    pub module: String,
    pub home: Home,
    /// Import path of the output directory.
    pub path: String,
    /// Types that stand for a failure at the top of a result; only the idiomatic style looks at them.
    pub errors: BTreeSet<DeclId>,
    /// `namespace:package/world`.
    pub world: String,
    pub docs: Option<String>,
    /// File names start with this.
    pub file_stem: String,
    /// Import path of the run-time package.
    pub runtime: String,
    pub scopes: Vec<Scope>,
    pub decls: Vec<Decl>,
    pub resources: Vec<Resource>,
    pub funcs: Vec<Func>,
    pub uses_option: bool,
    pub uses_result: bool,
    pub warnings: Vec<String>,
}

/// The package of helpers of the idiomatic style.
pub(super) const HELPERS: &str = "wit";

/// A name without its package.
pub(super) fn bare(name: &str) -> &str {
    name.split_once('.').map_or(name, |(_, bare)| bare)
}

/// A core wasm value type, as the canonical ABI flattens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flat {
    I32,
    I64,
    F32,
    F64,
}

impl Flat {
    pub(super) fn go(self) -> &'static str {
        match self {
            Self::I32 => "uint32",
            Self::I64 => "uint64",
            Self::F32 => "float32",
            Self::F64 => "float64",
        }
    }

    fn join(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::I32, Self::F32) | (Self::F32, Self::I32) => Self::I32,
            _ => Self::I64,
        }
    }
}

/// Size and alignment in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub size: usize,
    pub align: usize,
}

pub(super) fn align_to(offset: usize, align: usize) -> usize {
    offset.div_ceil(align) * align
}

/// Bytes of a discriminant with `cases` cases.
pub(super) fn discriminant_bytes(cases: usize) -> usize {
    match cases {
        0..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        _ => 4,
    }
}

/// Bytes of a flags type; more than 32 flags are a sequence of 32-bit words.
pub(super) fn flags_bytes(flags: usize) -> usize {
    match flags {
        0..=8 => 1,
        9..=16 => 2,
        n => 4 * n.div_ceil(32),
    }
}

impl Plan {
    /// The type behind its aliases.
    pub(super) fn peel<'t>(&self, mut ty: &'t Ty) -> &'t Ty {
        while let Ty::Alias(_, target) = ty {
            ty = target;
        }
        ty
    }

    pub(super) fn kind(&self, id: DeclId) -> Option<&Kind> {
        self.decls.get(id).map(|d| &d.kind)
    }

    pub(super) fn resource_side(&self, id: ResourceId) -> Side {
        self.resources.get(id).map_or(Side::Import, |r| r.side)
    }

    /// Size and alignment of `ty` in linear memory.
    pub(super) fn layout(&self, ty: &Ty) -> Layout {
        let word = |n| Layout { size: n, align: n };
        match ty {
            Ty::Bool | Ty::U8 | Ty::S8 => word(1),
            Ty::U16 | Ty::S16 => word(2),
            Ty::U32 | Ty::S32 | Ty::F32 | Ty::Char | Ty::Own(_) | Ty::Borrow(_) => word(4),
            Ty::U64 | Ty::S64 | Ty::F64 => word(8),
            Ty::Str | Ty::List(_) => Layout { size: 8, align: 4 },
            Ty::Option(inner) => self.layout_cases(2, [Some(&**inner)].into_iter()),
            Ty::Result(ok, err) => {
                self.layout_cases(2, [ok.as_deref(), err.as_deref()].into_iter())
            }
            Ty::Alias(_, target) => self.layout(target),
            Ty::Named(id) => match self.kind(*id) {
                Some(Kind::Record(fields)) => self.layout_record(fields.iter().map(|f| &f.ty)),
                Some(Kind::Tuple(items)) => self.layout_record(items.iter()),
                Some(Kind::Variant(v)) => {
                    self.layout_cases(v.cases.len(), v.cases.iter().map(|c| c.ty.as_ref()))
                }
                Some(Kind::Enum(e)) => word(discriminant_bytes(e.cases.len())),
                Some(Kind::Flags(flags)) => {
                    let size = flags_bytes(flags.len());
                    Layout {
                        size,
                        align: size.min(4),
                    }
                }
                Some(Kind::Alias(target)) => self.layout(target),
                Some(Kind::Resource(_)) | None => word(4),
            },
        }
    }

    fn layout_record<'t>(&self, items: impl Iterator<Item = &'t Ty>) -> Layout {
        let (mut size, mut align) = (0, 1);
        for item in items {
            let l = self.layout(item);
            size = align_to(size, l.align) + l.size;
            align = align.max(l.align);
        }
        Layout {
            size: align_to(size, align),
            align,
        }
    }

    fn layout_cases<'t>(
        &self,
        cases: usize,
        payloads: impl Iterator<Item = Option<&'t Ty>>,
    ) -> Layout {
        let tag = discriminant_bytes(cases);
        let (mut size, mut align) = (0, 1);
        for payload in payloads.flatten() {
            let l = self.layout(payload);
            size = size.max(l.size);
            align = align.max(l.align);
        }
        let payload_at = align_to(tag, align);
        let align = align.max(tag);
        Layout {
            size: align_to(payload_at + size, align),
            align,
        }
    }

    /// Where the payload of a variant-like type starts.
    pub(super) fn payload_offset<'t>(
        &self,
        cases: usize,
        payloads: impl Iterator<Item = Option<&'t Ty>>,
    ) -> usize {
        let align = payloads
            .flatten()
            .map(|p| self.layout(p).align)
            .max()
            .unwrap_or(1);
        align_to(discriminant_bytes(cases), align)
    }

    /// Offsets of consecutive fields, and the layout of the whole.
    pub(super) fn offsets<'t>(
        &self,
        items: impl Iterator<Item = &'t Ty> + Clone,
    ) -> (Vec<usize>, Layout) {
        let mut at = 0;
        let offsets = items
            .clone()
            .map(|item| {
                let l = self.layout(item);
                let offset = align_to(at, l.align);
                at = offset + l.size;
                offset
            })
            .collect();
        (offsets, self.layout_record(items))
    }

    /// The core value types that `ty` is passed as.
    pub(super) fn flat(&self, ty: &Ty) -> Vec<Flat> {
        match ty {
            Ty::U64 | Ty::S64 => vec![Flat::I64],
            Ty::F32 => vec![Flat::F32],
            Ty::F64 => vec![Flat::F64],
            Ty::Str | Ty::List(_) => vec![Flat::I32, Flat::I32],
            Ty::Option(inner) => self.flat_cases([Some(&**inner)].into_iter()),
            Ty::Result(ok, err) => self.flat_cases([ok.as_deref(), err.as_deref()].into_iter()),
            Ty::Alias(_, target) => self.flat(target),
            Ty::Named(id) => match self.kind(*id) {
                Some(Kind::Record(fields)) => {
                    fields.iter().flat_map(|f| self.flat(&f.ty)).collect()
                }
                Some(Kind::Tuple(items)) => items.iter().flat_map(|t| self.flat(t)).collect(),
                Some(Kind::Variant(v)) => self.flat_cases(v.cases.iter().map(|c| c.ty.as_ref())),
                Some(Kind::Flags(flags)) => vec![Flat::I32; flags.len().div_ceil(32).max(1)],
                Some(Kind::Alias(target)) => self.flat(target),
                _ => vec![Flat::I32],
            },
            _ => vec![Flat::I32],
        }
    }

    fn flat_cases<'t>(&self, payloads: impl Iterator<Item = Option<&'t Ty>>) -> Vec<Flat> {
        let mut joined: Vec<Flat> = Vec::new();
        for payload in payloads.flatten() {
            for (i, flat) in self.flat(payload).into_iter().enumerate() {
                match joined.get_mut(i) {
                    Some(slot) => *slot = slot.join(flat),
                    None => joined.push(flat),
                }
            }
        }
        joined.insert(0, Flat::I32);
        joined
    }

    /// Whether a value of `ty` carries addresses (strings or lists at any depth).
    pub(super) fn has_memory(&self, ty: &Ty) -> bool {
        self.any(ty, &|t| matches!(t, Ty::Str | Ty::List(_)))
    }

    /// Whether a value of `ty` carries a borrowed handle of an imported resource.
    pub(super) fn has_lent(&self, ty: &Ty) -> bool {
        self.any(
            ty,
            &|t| matches!(t, Ty::Borrow(r) if self.resource_side(*r) == Side::Import),
        )
    }

    fn any(&self, ty: &Ty, test: &dyn Fn(&Ty) -> bool) -> bool {
        test(ty)
            || match ty {
                Ty::List(inner) | Ty::Option(inner) | Ty::Alias(_, inner) => self.any(inner, test),
                Ty::Result(ok, err) => [ok, err].into_iter().flatten().any(|t| self.any(t, test)),
                Ty::Named(id) => match self.kind(*id) {
                    Some(Kind::Record(fields)) => fields.iter().any(|f| self.any(&f.ty, test)),
                    Some(Kind::Tuple(items)) => items.iter().any(|t| self.any(t, test)),
                    Some(Kind::Variant(v)) => v
                        .cases
                        .iter()
                        .filter_map(|c| c.ty.as_ref())
                        .any(|t| self.any(t, test)),
                    _ => false,
                },
                _ => false,
            }
    }

    /// Whether Go lays `ty` out as the canonical ABI does, so that a list of it can be copied as one block.
    pub(super) fn is_block(&self, ty: &Ty) -> bool {
        match ty {
            Ty::U8
            | Ty::U16
            | Ty::U32
            | Ty::U64
            | Ty::S8
            | Ty::S16
            | Ty::S32
            | Ty::S64
            | Ty::F32
            | Ty::F64
            | Ty::Char => true,
            Ty::Alias(_, target) => self.is_block(target),
            Ty::Named(id) => match self.kind(*id) {
                Some(Kind::Record(fields)) => fields.iter().all(|f| self.is_block(&f.ty)),
                Some(Kind::Tuple(items)) => items.iter().all(|t| self.is_block(t)),
                _ => false,
            },
            _ => false,
        }
    }

    /// The Go spelling of `ty`.
    pub(super) fn go(&self, ty: &Ty) -> String {
        match ty {
            Ty::Bool => "bool".into(),
            Ty::U8 => "uint8".into(),
            Ty::U16 => "uint16".into(),
            Ty::U32 => "uint32".into(),
            Ty::U64 => "uint64".into(),
            Ty::S8 => "int8".into(),
            Ty::S16 => "int16".into(),
            Ty::S32 => "int32".into(),
            Ty::S64 => "int64".into(),
            Ty::F32 => "float32".into(),
            Ty::F64 => "float64".into(),
            Ty::Char => "rune".into(),
            Ty::Str => "string".into(),
            Ty::List(inner) if self.style == Style::Go && **inner == Ty::U8 => "[]byte".into(),
            Ty::List(inner) => format!("[]{}", self.go(inner)),
            Ty::Option(inner) if self.style == Style::Go => {
                format!(
                    "{}{}",
                    if self.nilable(inner) { "" } else { "*" },
                    self.go(inner)
                )
            }
            Ty::Option(inner) => format!("Option[{}]", self.go(inner)),
            Ty::Result(ok, err) => {
                let result = self.helper("Result");
                format!(
                    "{result}[{}, {}]",
                    self.go_or_unit(ok),
                    self.go_or_unit(err)
                )
            }
            Ty::Named(id) | Ty::Alias(id, _) => match self.decls.get(*id) {
                Some(Decl {
                    go,
                    kind: Kind::Tuple(items),
                    ..
                }) if go.is_empty() => self.tuple(items),
                Some(decl) => self.spell(&decl.go),
                None => String::new(),
            },
            Ty::Own(id) | Ty::Borrow(id) => {
                let pointer = self.style == Style::Go && self.resource_side(*id) == Side::Import;
                format!(
                    "{}{}",
                    if pointer { "*" } else { "" },
                    self.resource_name(*id)
                )
            }
        }
    }

    /// The Go spelling of a resource type itself, without a pointer.
    pub(super) fn resource_name(&self, id: ResourceId) -> String {
        self.resources
            .get(id)
            .map(|r| self.spell(&r.go))
            .unwrap_or_default()
    }

    /// `wit.Tuple2[A, B]`: a tuple without a name of its own.
    pub(super) fn tuple(&self, items: &[Ty]) -> String {
        let name = self.helper(&format!("Tuple{}", items.len()));
        let items: Vec<String> = items.iter().map(|t| self.go(t)).collect();
        if items.is_empty() {
            name
        } else {
            format!("{name}[{}]", items.join(", "))
        }
    }

    /// Whether the Go type of `ty` has a `nil` that is no value of it, so that `nil` can say that an option is empty.
    pub(super) fn nilable(&self, ty: &Ty) -> bool {
        match self.peel(ty) {
            Ty::Own(_) | Ty::Borrow(_) => true,
            Ty::Named(id) => matches!(self.kind(*id), Some(Kind::Variant(_))),
            _ => false,
        }
    }

    /// Starts a file of the package `here`.
    pub(super) fn begin_file(&self) {
        self.mentioned.borrow_mut().clear();
    }

    /// Notes that the file being written imports `package`.
    pub(super) fn mention(&self, package: &str) {
        self.mentioned.borrow_mut().insert(package.to_owned());
    }

    /// A declared name as the package being written spells it.
    pub(super) fn spell(&self, name: &str) -> String {
        match name.split_once('.') {
            Some((package, bare)) if package == self.here => bare.to_owned(),
            Some((package, _)) => {
                self.mention(package);
                name.to_owned()
            }
            None => name.to_owned(),
        }
    }

    /// A helper such as `Result`: in the package itself, or in the package of helpers.
    pub(super) fn helper(&self, name: &str) -> String {
        match self.style {
            Style::TinyGo => name.to_owned(),
            Style::Go => self.spell(&format!("{HELPERS}.{name}")),
        }
    }

    /// Whether a scope belongs to the package being written.
    pub(super) fn is_here(&self, scope: ScopeId) -> bool {
        self.scopes
            .get(scope)
            .is_some_and(|s| s.package == self.here)
    }

    /// The Go spelling of one side of a result.
    pub(super) fn go_or_unit(&self, ty: &Option<Box<Ty>>) -> String {
        ty.as_deref()
            .map_or_else(|| "struct{}".to_owned(), |t| self.go(t))
    }
}
