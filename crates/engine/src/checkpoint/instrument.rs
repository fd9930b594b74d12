// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / instrument: gives a component what a checkpoint needs. In: a component as uploaded. Out: the same
//! component with all memories and mutable globals exported to an accessor module inside it; or, if its state could not
//! be seen whole, the same component with the reason. The same bytes give the same bytes. Never runs anything. Bound: the
//! size of an upload. Read next: `scan.rs`, `accessor.rs`, `access.rs`. Why: host design §8.2.

use std::collections::HashMap;

use wasm_encoder as enc;
use wasmparser::{
    BinaryReaderError, CanonicalFunction, ComponentAlias, ComponentExternalKind,
    ComponentOuterAliasKind, ComponentType, ComponentTypeRef, ExternalKind, Instance,
    InstanceTypeDeclaration, Parser, Payload, TypeBounds,
};

use super::accessor::{Accessor, CoreInstance, Resource};
use super::scan::{self, Module, Start};
use crate::component::reflect::stub_name;

/// Version of the instrumentation: part of the name of compiled code and of every image. Count it up with every change of
/// what this room adds to a component.
pub(crate) const INSTRUMENTATION: u16 = 1;

/// The instance that the accessor is exported as.
pub(super) const ACCESS: &str = "golem:checkpoint/access";
/// The name of an export that says why there is no accessor; the name of an [`Obstacle`] follows.
pub(super) const WITHOUT: &str = "golem:checkpoint/without-";
/// What all names of imports that are added begin with.
pub(super) const IMPORT_PREFIX: &str = "golem-checkpoint-";

/// Why a component runs without checkpoints. Kept as an export of the compiled component, so the names are kebab case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Obstacle {
    /// A core module stands in a component inside this one: a composition. Each has its own table of handles.
    #[error("core modules of a nested component have their own handles")]
    Nested,
    /// A module that comes from elsewhere.
    #[error("a core module is imported or aliased")]
    Foreign,
    /// Code that changes a table.
    #[error("the code changes a table of functions")]
    Table,
    /// Code that drops a segment.
    #[error("the code drops a data or element segment")]
    Segment,
    /// A memory that is shared, has 64-bit addresses or odd pages.
    #[error("a memory is shared, has 64-bit addresses or pages of its own size")]
    Memory,
    /// A mutable global that is no number.
    #[error("a mutable global holds a vector or a reference")]
    Global,
    /// Code that runs at instantiation and cannot be called later.
    #[error("a core module runs code of its own at instantiation")]
    Start,
    /// `stream`, `future`, threads.
    #[error("the component uses asynchronous or threaded functions")]
    Async,
    /// A name that this room needs.
    #[error("a name of the component begins with `golem-checkpoint-`")]
    Name,
    /// The instrumented component was not accepted by the compiler.
    #[error("the component could not be prepared for checkpoints")]
    Unprepared,
}

impl Obstacle {
    const ALL: [(Self, &'static str); 10] = [
        (Self::Nested, "nested"),
        (Self::Foreign, "foreign"),
        (Self::Table, "table"),
        (Self::Segment, "segment"),
        (Self::Memory, "memory"),
        (Self::Global, "global"),
        (Self::Start, "start"),
        (Self::Async, "async"),
        (Self::Name, "name"),
        (Self::Unprepared, "unprepared"),
    ];

    fn name(self) -> &'static str {
        let known = Self::ALL.iter().find(|(obstacle, _)| *obstacle == self);
        known.map_or("unprepared", |(_, name)| name)
    }

    /// The obstacle of a name; one that is unknown comes from a later version.
    pub(super) fn of_name(name: &str) -> Self {
        let known = Self::ALL.iter().find(|(_, known)| *known == name);
        known.map_or(Self::Unprepared, |(obstacle, _)| *obstacle)
    }
}

/// Why a component is not even looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstrumentError {
    /// It is not WebAssembly.
    #[error("the component cannot be read: {0}")]
    Malformed(#[from] BinaryReaderError),
    /// It has imports or exports under our names, and would be taken for an instrumented one.
    #[error("`{0}` is a name that only the platform may use in a component")]
    Reserved(String),
}

/// Instruments `component`. Errors: both of [`InstrumentError`].
pub(crate) fn instrument(component: &[u8]) -> Result<Vec<u8>, InstrumentError> {
    let mut pass = Pass::default();
    pass.component(component)?;
    match pass.obstacle() {
        None => Ok(pass.with_accessor()),
        Some(obstacle) => without(component, obstacle),
    }
}

/// The component as it is, with an export that says why there is no accessor.
pub(crate) fn without(component: &[u8], obstacle: Obstacle) -> Result<Vec<u8>, InstrumentError> {
    let mut pass = Pass {
        verbatim: true,
        ..Pass::default()
    };
    pass.component(component)?;
    let mut instances = enc::ComponentInstanceSection::new();
    instances.export_items(std::iter::empty::<(&str, enc::ComponentExportKind, u32)>());
    pass.out.section(&instances);
    let mut exports = enc::ComponentExportSection::new();
    let name = format!("{WITHOUT}{}", obstacle.name());
    exports.export(
        &*name,
        enc::ComponentExportKind::Instance,
        pass.counts.instances,
        None,
    );
    pass.out.section(&exports);
    Ok(pass.out.finish())
}

/// How many items of each kind the component has so far: the index of the next one.
#[derive(Debug, Default, Clone)]
pub(super) struct Counts {
    pub(super) core_modules: u32,
    pub(super) core_instances: u32,
    pub(super) core_funcs: u32,
    pub(super) core_memories: u32,
    pub(super) core_globals: u32,
    pub(super) funcs: u32,
    pub(super) types: u32,
    pub(super) instances: u32,
}

impl Counts {
    fn add(&mut self, kind: ComponentExternalKind) {
        match kind {
            ComponentExternalKind::Func => self.funcs += 1,
            ComponentExternalKind::Type => self.types += 1,
            ComponentExternalKind::Instance => self.instances += 1,
            ComponentExternalKind::Module => self.core_modules += 1,
            ComponentExternalKind::Component | ComponentExternalKind::Value => {}
        }
    }
}

/// One walk over a component.
#[derive(Default)]
struct Pass {
    /// Copy everything as it is.
    verbatim: bool,
    out: enc::Component,
    counts: Counts,
    /// The first obstacle that was met outside of modules.
    obstacle: Option<Obstacle>,
    /// By index of the core module; `None` for one that comes from elsewhere.
    modules: Vec<Option<Module>>,
    /// Instances of modules.
    instances: Vec<CoreInstance>,
    /// Functions that core instances put together from items export, by index of the instance.
    bags: HashMap<u32, HashMap<String, u32>>,
    /// Functions that are to be called after instantiation.
    starts: Vec<u32>,
    /// Names of the resources that an instance type has, by index of the type.
    instance_types: HashMap<u32, Vec<String>>,
    resources: Vec<Resource>,
}

impl Pass {
    fn component(&mut self, wasm: &[u8]) -> Result<(), InstrumentError> {
        // What the walk is inside of, from outside in: nested components and modules. True for a component.
        let mut inside: Vec<bool> = Vec::new();
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            if !inside.is_empty() {
                match payload {
                    Payload::ModuleSection { .. } => {
                        self.refuse(Obstacle::Nested);
                        inside.push(false);
                    }
                    Payload::ComponentSection { .. } => inside.push(true),
                    Payload::End(_) => {
                        inside.pop();
                    }
                    Payload::ComponentCanonicalSection(functions)
                        if inside.last() == Some(&true) && functions.count() > 0 =>
                    {
                        self.refuse(Obstacle::Nested);
                    }
                    _ => {}
                }
                continue;
            }
            let range = payload.as_section();
            match &payload {
                Payload::ModuleSection {
                    unchecked_range, ..
                } => {
                    inside.push(false);
                    self.counts.core_modules += 1;
                    if !self.verbatim {
                        let bytes = wasm.get(unchecked_range.clone()).unwrap_or_default();
                        let module = scan::scan(bytes)?;
                        self.out.section(&enc::RawSection {
                            id: enc::ComponentSectionId::CoreModule as u8,
                            data: &module.wasm,
                        });
                        self.modules.push(Some(module));
                        continue;
                    }
                }
                Payload::ComponentSection { .. } => inside.push(true),
                Payload::Version { .. } | Payload::End(_) => continue,
                other => self.section(other)?,
            }
            if let Some((id, range)) = range {
                let data = wasm.get(range).unwrap_or_default();
                self.out.section(&enc::RawSection { id, data });
            }
        }
        Ok(())
    }

    fn refuse(&mut self, obstacle: Obstacle) {
        self.obstacle = self.obstacle.or(Some(obstacle));
    }

    fn obstacle(&self) -> Option<Obstacle> {
        let modules = self.modules.iter().flatten();
        modules
            .filter_map(|module| module.obstacle)
            .next()
            .or(self.obstacle)
    }

    /// A section of the component itself: counts what it defines.
    fn section(&mut self, payload: &Payload<'_>) -> Result<(), InstrumentError> {
        match payload {
            Payload::InstanceSection(instances) => {
                for instance in instances.clone() {
                    self.core_instance(instance?);
                    self.counts.core_instances += 1;
                }
            }
            Payload::ComponentInstanceSection(instances) => {
                self.counts.instances += instances.count();
            }
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases.clone() {
                    self.alias(&alias?);
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions.clone() {
                    match function? {
                        CanonicalFunction::Lift { .. } => self.counts.funcs += 1,
                        CanonicalFunction::Lower { .. }
                        | CanonicalFunction::ResourceNew { .. }
                        | CanonicalFunction::ResourceDrop { .. }
                        | CanonicalFunction::ResourceRep { .. } => self.counts.core_funcs += 1,
                        _ => {
                            self.counts.core_funcs += 1;
                            self.refuse(Obstacle::Async);
                        }
                    }
                }
            }
            Payload::ComponentImportSection(imports) => {
                for import in imports.clone() {
                    let import = import?;
                    self.import(import.name.name, import.ty)?;
                }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports.clone() {
                    let export = export?;
                    reserve(export.name.name)?;
                    self.counts.add(export.kind);
                    if export.kind == ComponentExternalKind::Module {
                        self.modules.push(None);
                    }
                }
            }
            Payload::ComponentTypeSection(types) => {
                for typ in types.clone() {
                    if let ComponentType::Instance(declarations) = typ? {
                        let resources = declarations.iter().filter_map(|declaration| {
                            if let InstanceTypeDeclaration::Export {
                                name,
                                ty: ComponentTypeRef::Type(TypeBounds::SubResource),
                            } = declaration
                            {
                                Some(name.name.to_owned())
                            } else {
                                None
                            }
                        });
                        self.instance_types
                            .insert(self.counts.types, resources.collect());
                    }
                    self.counts.types += 1;
                }
            }
            Payload::ComponentStartSection { .. } => self.refuse(Obstacle::Start),
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, name: &str, typ: ComponentTypeRef) -> Result<(), InstrumentError> {
        reserve(name)?;
        if let ComponentTypeRef::Instance(index) = typ {
            let resources = self.instance_types.get(&index).into_iter().flatten();
            for resource in resources.filter(|resource| restorable(name, resource)) {
                self.resources.push(Resource {
                    instance: self.counts.instances,
                    name: resource.clone(),
                });
            }
        }
        if matches!(typ, ComponentTypeRef::Module(_)) {
            self.modules.push(None);
        }
        self.counts.add(typ.kind());
        Ok(())
    }

    fn alias(&mut self, alias: &ComponentAlias<'_>) {
        match alias {
            ComponentAlias::CoreInstanceExport { kind, .. } => match kind {
                ExternalKind::Func | ExternalKind::FuncExact => self.counts.core_funcs += 1,
                ExternalKind::Memory => self.counts.core_memories += 1,
                ExternalKind::Global => self.counts.core_globals += 1,
                ExternalKind::Table | ExternalKind::Tag => {}
            },
            ComponentAlias::InstanceExport { kind, .. } => {
                self.counts.add(*kind);
                if *kind == ComponentExternalKind::Module {
                    self.modules.push(None);
                }
            }
            ComponentAlias::Outer { kind, .. } => match kind {
                ComponentOuterAliasKind::Type => self.counts.types += 1,
                ComponentOuterAliasKind::CoreModule => {
                    self.counts.core_modules += 1;
                    self.modules.push(None);
                }
                ComponentOuterAliasKind::CoreType | ComponentOuterAliasKind::Component => {}
            },
        }
    }

    fn core_instance(&mut self, instance: Instance<'_>) {
        let index = self.counts.core_instances;
        match instance {
            Instance::FromExports(exports) => {
                let functions = exports.iter().filter(|export| {
                    matches!(export.kind, ExternalKind::Func | ExternalKind::FuncExact)
                });
                let functions = functions.map(|export| (export.name.to_owned(), export.index));
                self.bags.insert(index, functions.collect());
            }
            Instance::Instantiate { module_index, args } => {
                if self.verbatim {
                    return;
                }
                let module = self.modules.get(module_index as usize);
                let Some(module) = module.and_then(Option::as_ref) else {
                    self.refuse(Obstacle::Foreign);
                    return;
                };
                let late = !self.starts.is_empty();
                match &module.start {
                    // Code that ran before the start functions would now run after an instance was made that came
                    // behind them.
                    Start::None if late => self.refuse(Obstacle::Start),
                    Start::None => {}
                    Start::Own => self.refuse(Obstacle::Start),
                    Start::Imported { module, name } => {
                        let arg = args.iter().find(|arg| arg.name == module);
                        let bag = arg.and_then(|arg| self.bags.get(&arg.index));
                        match bag.and_then(|bag| bag.get(name)) {
                            Some(function) => self.starts.push(*function),
                            None => self.refuse(Obstacle::Start),
                        }
                    }
                }
                self.instances.push(CoreInstance {
                    index,
                    module: module_index as usize,
                });
            }
        }
    }

    fn with_accessor(mut self) -> Vec<u8> {
        let accessor = Accessor {
            modules: &self.modules,
            instances: &self.instances,
            resources: &self.resources,
            starts: &self.starts,
        };
        accessor.append(&mut self.out, self.counts);
        self.out.finish()
    }
}

/// Names of our own in an upload would be taken for the instrumentation.
fn reserve(name: &str) -> Result<(), InstrumentError> {
    if super::access::is_ours(name) {
        return Err(InstrumentError::Reserved(name.to_owned()));
    }
    Ok(())
}

/// Whether handles of a resource can be made again: those that a guest keeps from one invocation to the next.
fn restorable(import: &str, resource: &str) -> bool {
    let interface = import.split_once('@').map_or(import, |(name, _)| name);
    match interface {
        "wasi:io/streams" => matches!(resource, "input-stream" | "output-stream"),
        "wasi:filesystem/types" => resource == "descriptor",
        "golem:rpc/types" => resource == "wasm-rpc",
        _ => stub_name(import).is_some(),
    }
}
