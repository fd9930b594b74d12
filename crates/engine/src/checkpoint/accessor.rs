// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / accessor: the core module that reads and writes the state of its neighbours, and the sections that put it
//! into a component. In: what `instrument.rs` found. Out: sections at the end of the component. Never moves an index of
//! the guest's. Read next: `access.rs`, which calls it. Why: host design §8.2.
//!
//! The accessor stands in the same component instance as the guest, so the handles that it makes and drops are those of
//! the guest's table. Memories are read by passing them to a host function as a list, which copies nothing in the guest,
//! and written by taking a list whose place is chosen beforehand by `target`.

use wasm_encoder as enc;
use wasm_encoder::{
    CanonicalOption, ComponentExportKind, ComponentTypeRef, ComponentValType, EntityType,
    ExportKind, InstructionSink, PrimitiveValType, TypeBounds, ValType,
};
use wasmparser::ValType as Parsed;

use super::instrument::{ACCESS, Counts, IMPORT_PREFIX};
use super::scan::Module;

/// An instance of a core module of the component.
#[derive(Debug)]
pub(super) struct CoreInstance {
    /// Its index.
    pub(super) index: u32,
    /// Index of its module.
    pub(super) module: usize,
}

/// A resource whose handles can be made again.
#[derive(Debug)]
pub(super) struct Resource {
    /// Index of the component instance that is imported and has it.
    pub(super) instance: u32,
    /// Its name there.
    pub(super) name: String,
}

/// What the accessor has to reach.
pub(super) struct Accessor<'a> {
    /// Core modules by index.
    pub(super) modules: &'a [Option<Module>],
    /// Their instances.
    pub(super) instances: &'a [CoreInstance],
    /// Resources in the order of import.
    pub(super) resources: &'a [Resource],
    /// Core functions that the component ran at instantiation.
    pub(super) starts: &'a [u32],
}

/// Signatures of the component's functions that are added, by their place among the types that are added.
#[derive(Clone, Copy)]
enum Signature {
    /// `(memory: u32, bytes: list<u8>)`
    Sink = 1,
    /// `(at: u32, length: u32)`
    Span,
    /// `() -> u32`
    ToNumber,
    /// `() -> u64`
    ToLong,
    /// `(n: u64)`
    Long,
    /// `(n: u32)`
    Number,
    /// `(n: u32) -> u32`
    NumberToNumber,
    /// `(bytes: list<u8>)`
    Bytes,
    /// `()`
    Nothing,
    /// How many there are, with the list type in front.
    Count,
}

/// The accessor module while it is put together.
#[derive(Default)]
struct Core {
    types: enc::TypeSection,
    known: Vec<(Vec<ValType>, Vec<ValType>)>,
    imports: enc::ImportSection,
    functions: enc::FunctionSection,
    exports: enc::ExportSection,
    code: enc::CodeSection,
    count: u32,
    /// Functions that the component exports: name, signature, memory that a list goes to.
    lifted: Vec<(String, Signature, Option<u32>)>,
}

impl Core {
    fn typ(&mut self, params: &[ValType], results: &[ValType]) -> u32 {
        let found = self
            .known
            .iter()
            .position(|(p, r)| p == params && r == results);
        let index = found.unwrap_or_else(|| {
            self.types
                .ty()
                .function(params.iter().copied(), results.iter().copied());
            self.known.push((params.to_vec(), results.to_vec()));
            self.known.len() - 1
        });
        // A module has far fewer types than u32 can count.
        index as u32
    }

    /// A function of the host.
    fn import(&mut self, name: &str, params: &[ValType], results: &[ValType]) -> u32 {
        let typ = self.typ(params, results);
        self.imports.import(HOST, name, EntityType::Function(typ));
        self.count += 1;
        self.count - 1
    }

    /// A function with code, exported from the module only.
    fn inner(
        &mut self,
        name: &str,
        params: &[ValType],
        results: &[ValType],
        body: impl FnOnce(&mut InstructionSink<'_>),
    ) {
        let typ = self.typ(params, results);
        self.functions.function(typ);
        let mut function = enc::Function::new([]);
        let mut sink = function.instructions();
        body(&mut sink);
        sink.end();
        self.code.function(&function);
        self.exports.export(name, ExportKind::Func, self.count);
        self.count += 1;
    }

    /// A function with code that the component exports.
    fn function(
        &mut self,
        name: &str,
        signature: Signature,
        memory: Option<u32>,
        body: impl FnOnce(&mut InstructionSink<'_>),
    ) {
        use ValType::{I32, I64};
        let (params, results): (&[ValType], &[ValType]) = match signature {
            Signature::Span | Signature::Bytes => (&[I32, I32], &[]),
            Signature::ToNumber => (&[], &[I32]),
            Signature::ToLong => (&[], &[I64]),
            Signature::Long => (&[I64], &[]),
            Signature::Number => (&[I32], &[]),
            Signature::NumberToNumber => (&[I32], &[I32]),
            Signature::Sink => (&[I32, I32, I32], &[]),
            Signature::Nothing | Signature::Count => (&[], &[]),
        };
        self.inner(name, params, results, body);
        self.lifted.push((name.to_owned(), signature, memory));
    }

    fn finish(&self, globals: &enc::GlobalSection) -> enc::Module {
        let mut module = enc::Module::new();
        module
            .section(&self.types)
            .section(&self.imports)
            .section(&self.functions)
            .section(globals)
            .section(&self.exports)
            .section(&self.code);
        module
    }
}

/// Name under which the accessor module imports the functions of the host.
const HOST: &str = "host";

/// Functions of the host that the accessor module calls.
struct HostFunctions {
    /// One per memory.
    sinks: Vec<u32>,
    make_slot: u32,
    drop_slot: u32,
    /// Per resource: make, drop, look up.
    resources: Vec<(u32, u32, u32)>,
}

impl Accessor<'_> {
    fn memories(&self) -> impl Iterator<Item = (u32, &str, wasmparser::MemoryType)> {
        self.instances().flat_map(|(index, module)| {
            let memories = module.memories.iter();
            memories.map(move |(name, typ)| (index, name.as_str(), *typ))
        })
    }

    fn globals(&self) -> impl Iterator<Item = (u32, &str, Parsed)> {
        self.instances().flat_map(|(index, module)| {
            let globals = module.globals.iter();
            globals.map(move |(name, typ)| (index, name.as_str(), *typ))
        })
    }

    fn instances(&self) -> impl Iterator<Item = (u32, &Module)> {
        self.instances.iter().filter_map(|instance| {
            let module = self.modules.get(instance.module)?.as_ref()?;
            Some((instance.index, module))
        })
    }

    /// Appends the accessor to a component that has `counts` items.
    pub(super) fn append(&self, out: &mut enc::Component, mut counts: Counts) {
        let resources = self.resources.len() as u32;
        let memories = self.memories().count() as u32;

        // Types: the resources of the imports, our own one, signatures.
        let mut aliases = enc::ComponentAliasSection::new();
        let first_resource = counts.types;
        for resource in self.resources {
            aliases.alias(enc::Alias::InstanceExport {
                instance: resource.instance,
                kind: ComponentExportKind::Type,
                name: &resource.name,
            });
        }
        counts.types += resources;
        out.section(&aliases);
        let mut imports = enc::ComponentImportSection::new();
        let slot = counts.types;
        imports.import(
            &*format!("{IMPORT_PREFIX}slot"),
            ComponentTypeRef::Type(TypeBounds::SubResource),
        );
        counts.types += 1;
        out.section(&imports);
        let signatures = counts.types;
        let (types, makes) = types(&mut counts, slot, first_resource, resources);
        out.section(&types);

        // Functions of the host, and what they are in the core.
        let mut imports = enc::ComponentImportSection::new();
        let sink = counts.funcs;
        imports.import(
            &*format!("{IMPORT_PREFIX}sink"),
            ComponentTypeRef::Func(signatures + Signature::Sink as u32),
        );
        imports.import(
            &*format!("{IMPORT_PREFIX}make-slot"),
            ComponentTypeRef::Func(makes),
        );
        for at in 0..resources {
            let typ = makes + 1 + 2 * at;
            imports.import(
                &*format!("{IMPORT_PREFIX}make{at}"),
                ComponentTypeRef::Func(typ),
            );
            imports.import(
                &*format!("{IMPORT_PREFIX}which{at}"),
                ComponentTypeRef::Func(typ + 1),
            );
        }
        counts.funcs += 2 + 2 * resources;
        out.section(&imports);
        let first_memory = counts.core_memories;
        let mut aliases = enc::ComponentAliasSection::new();
        for (instance, name, _) in self.memories() {
            aliases.alias(enc::Alias::CoreInstanceExport {
                instance,
                kind: ExportKind::Memory,
                name,
            });
        }
        counts.core_memories += memories;
        out.section(&aliases);
        let mut lowered = enc::CanonicalFunctionSection::new();
        let mut names = Vec::new();
        for at in 0..memories {
            lowered.lower(
                sink,
                [
                    CanonicalOption::Memory(first_memory + at),
                    CanonicalOption::UTF8,
                ],
            );
            names.push(format!("sink{at}"));
        }
        lowered.lower(sink + 1, []);
        names.push("make-slot".to_owned());
        lowered.resource_drop(slot);
        names.push("drop-slot".to_owned());
        for at in 0..resources {
            lowered.lower(sink + 2 + 2 * at, []);
            names.push(format!("make{at}"));
            lowered.resource_drop(first_resource + at);
            names.push(format!("drop{at}"));
            lowered.lower(sink + 3 + 2 * at, []);
            names.push(format!("which{at}"));
        }
        let first_lowered = counts.core_funcs;
        counts.core_funcs += names.len() as u32;
        out.section(&lowered);

        // The module and its instance.
        let core = self.core();
        out.section(&enc::ModuleSection(&core.1));
        let core = core.0;
        let mut instances = enc::InstanceSection::new();
        let host = counts.core_instances;
        let host_functions: Vec<_> = names
            .iter()
            .zip(first_lowered..)
            .map(|(name, index)| (name.as_str(), ExportKind::Func, index))
            .collect();
        instances.export_items(host_functions);
        let neighbours: Vec<_> = self
            .instances
            .iter()
            .map(|instance| (neighbour(instance.index), instance.index))
            .collect();
        let arguments: Vec<_> = neighbours
            .iter()
            .map(|(name, index)| (name.as_str(), enc::ModuleArg::Instance(*index)))
            .chain([(HOST, enc::ModuleArg::Instance(host))])
            .collect();
        instances.instantiate(counts.core_modules, arguments);
        let accessor = host + 1;
        out.section(&instances);

        // Its functions, and the guest's start functions, as exports of the component.
        let mut aliases = enc::ComponentAliasSection::new();
        let realloc = counts.core_funcs;
        let inner = ["realloc"].into_iter();
        for name in inner.chain(core.lifted.iter().map(|(name, ..)| name.as_str())) {
            aliases.alias(enc::Alias::CoreInstanceExport {
                instance: accessor,
                kind: ExportKind::Func,
                name,
            });
        }
        out.section(&aliases);
        let mut lifted = enc::CanonicalFunctionSection::new();
        let mut exported = Vec::new();
        for ((name, signature, memory), function) in core.lifted.iter().zip(realloc + 1..) {
            let typ = signatures + *signature as u32;
            match memory {
                None => lifted.lift(function, typ, []),
                Some(memory) => lifted.lift(
                    function,
                    typ,
                    [
                        CanonicalOption::Memory(first_memory + memory),
                        CanonicalOption::Realloc(realloc),
                        CanonicalOption::UTF8,
                    ],
                ),
            };
            exported.push(name.clone());
        }
        for (at, function) in self.starts.iter().enumerate() {
            lifted.lift(*function, signatures + Signature::Nothing as u32, []);
            exported.push(format!("start{at}"));
        }
        out.section(&lifted);
        let mut instances = enc::ComponentInstanceSection::new();
        let exported: Vec<_> = exported
            .iter()
            .zip(counts.funcs..)
            .map(|(name, index)| (name.as_str(), ComponentExportKind::Func, index))
            .collect();
        instances.export_items(exported);
        out.section(&instances);
        let mut exports = enc::ComponentExportSection::new();
        exports.export(
            ACCESS,
            ComponentExportKind::Instance,
            counts.instances,
            None,
        );
        out.section(&exports);
    }

    /// The accessor module. Its exports are called by `access.rs` under the same names.
    fn core(&self) -> (Core, enc::Module) {
        use ValType::I32;
        let mut core = Core::default();
        for (instance, name, typ) in self.memories() {
            let typ = enc::MemoryType {
                minimum: typ.initial,
                maximum: typ.maximum,
                memory64: false,
                shared: false,
                page_size_log2: None,
            };
            core.imports.import(&neighbour(instance), name, typ);
        }
        let mut globals = Vec::new();
        for (instance, name, typ) in self.globals() {
            let typ = match typ {
                Parsed::I64 => ValType::I64,
                Parsed::F32 => ValType::F32,
                Parsed::F64 => ValType::F64,
                // Others are an obstacle, so they do not come here.
                _ => I32,
            };
            core.imports.import(&neighbour(instance), name, global(typ));
            globals.push(typ);
        }
        let memories = self.memories().count();
        let host = HostFunctions {
            sinks: (0..memories)
                .map(|at| core.import(&format!("sink{at}"), &[I32; 3], &[]))
                .collect(),
            make_slot: core.import("make-slot", &[], &[I32]),
            drop_slot: core.import("drop-slot", &[I32], &[]),
            resources: (0..self.resources.len())
                .map(|at| {
                    (
                        core.import(&format!("make{at}"), &[], &[I32]),
                        core.import(&format!("drop{at}"), &[I32], &[]),
                        core.import(&format!("which{at}"), &[I32], &[I32]),
                    )
                })
                .collect(),
        };
        // Where the next list goes: the only global of the accessor itself.
        let target = globals.len() as u32;
        let mut own = enc::GlobalSection::new();
        own.global(global(I32), &enc::ConstExpr::i32_const(0));
        core.inner("realloc", &[I32; 4], &[I32], |code| {
            code.global_get(target);
        });
        core.function("target", Signature::Number, None, |code| {
            code.local_get(0).global_set(target);
        });
        for (memory, sink) in (0..).zip(&host.sinks) {
            core.function(&format!("read{memory}"), Signature::Span, None, |code| {
                code.i32_const(memory as i32)
                    .local_get(0)
                    .local_get(1)
                    .call(*sink);
            });
            core.function(
                &format!("size{memory}"),
                Signature::ToNumber,
                None,
                |code| {
                    code.memory_size(memory);
                },
            );
            let grow = format!("grow{memory}");
            core.function(&grow, Signature::NumberToNumber, None, |code| {
                code.local_get(0).memory_grow(memory);
            });
            let write = format!("write{memory}");
            core.function(&write, Signature::Bytes, Some(memory), |_| {});
        }
        for (index, typ) in (0..).zip(&globals) {
            core.function(&format!("get{index}"), Signature::ToLong, None, |code| {
                code.global_get(index);
                match typ {
                    ValType::F64 => code.i64_reinterpret_f64(),
                    ValType::F32 => code.i32_reinterpret_f32().i64_extend_i32_u(),
                    ValType::I64 => code,
                    _ => code.i64_extend_i32_u(),
                };
            });
            core.function(&format!("set{index}"), Signature::Long, None, |code| {
                code.local_get(0);
                match typ {
                    ValType::F64 => code.f64_reinterpret_i64(),
                    ValType::F32 => code.i32_wrap_i64().f32_reinterpret_i32(),
                    ValType::I64 => code,
                    _ => code.i32_wrap_i64(),
                };
                code.global_set(index);
            });
        }
        let (make, drop) = (host.make_slot, host.drop_slot);
        core.function("make-slot", Signature::ToNumber, None, |code| {
            code.call(make);
        });
        core.function("drop-slot", Signature::Number, None, |code| {
            code.local_get(0).call(drop);
        });
        for (at, (make, drop, which)) in host.resources.iter().enumerate() {
            core.function(&format!("make{at}"), Signature::ToNumber, None, |code| {
                code.call(*make);
            });
            core.function(&format!("drop{at}"), Signature::Number, None, |code| {
                code.local_get(0).call(*drop);
            });
            let name = format!("which{at}");
            core.function(&name, Signature::NumberToNumber, None, |code| {
                code.local_get(0).call(*which);
            });
        }
        let module = core.finish(&own);
        (core, module)
    }
}

/// The types that are added behind the resources: signatures in the order of [`Signature`], then per resource, with our
/// own first, its handles and the functions over them. Returns the index of the function that makes a slot; behind it
/// stand, per resource, the one that makes a handle and the one that takes one.
fn types(
    counts: &mut Counts,
    slot: u32,
    first_resource: u32,
    resources: u32,
) -> (enc::ComponentTypeSection, u32) {
    let number = ComponentValType::Primitive(PrimitiveValType::U32);
    let long = ComponentValType::Primitive(PrimitiveValType::U64);
    let mut types = enc::ComponentTypeSection::new();
    let bytes = ComponentValType::Type(counts.types);
    types
        .defined_type()
        .list(ComponentValType::Primitive(PrimitiveValType::U8));
    let none: [(&str, ComponentValType); 0] = [];
    types
        .function()
        .params([("memory", number), ("bytes", bytes)])
        .result(None);
    types
        .function()
        .params([("at", number), ("length", number)])
        .result(None);
    types.function().params(none).result(Some(number));
    types.function().params(none).result(Some(long));
    types.function().params([("n", long)]).result(None);
    types.function().params([("n", number)]).result(None);
    types
        .function()
        .params([("n", number)])
        .result(Some(number));
    types.function().params([("bytes", bytes)]).result(None);
    types.function().params(none).result(None);
    counts.types += Signature::Count as u32;
    // All handle types first: the functions that follow are then counted from one place on.
    let owned = counts.types;
    types.defined_type().own(slot);
    for at in 0..resources {
        types.defined_type().own(first_resource + at);
        types.defined_type().borrow(first_resource + at);
    }
    counts.types += 1 + 2 * resources;
    let makes = counts.types;
    types
        .function()
        .params(none)
        .result(Some(ComponentValType::Type(owned)));
    for at in 0..resources {
        let own = ComponentValType::Type(owned + 1 + 2 * at);
        let borrowed = ComponentValType::Type(owned + 2 + 2 * at);
        types.function().params(none).result(Some(own));
        types
            .function()
            .params([("handle", borrowed)])
            .result(Some(number));
    }
    counts.types += 1 + 2 * resources;
    (types, makes)
}

fn global(val_type: ValType) -> enc::GlobalType {
    enc::GlobalType {
        val_type,
        mutable: true,
        shared: false,
    }
}

/// Name under which the accessor module imports what a core instance exports.
fn neighbour(instance: u32) -> String {
    format!("i{instance}")
}
