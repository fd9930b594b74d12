// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / scan: one core module of a component. In: its bytes. Out: the same module with its memories and mutable
//! globals exported, and what would keep the accessor from seeing all of its state. Never runs it. Read next:
//! `instrument.rs`. Why: host design §8.2.

use wasm_encoder as enc;
use wasmparser::{
    BinaryReaderError, ExternalKind, MemoryType, Operator, Parser, Payload, TypeRef, ValType,
};

use super::instrument::Obstacle;

/// Names of the exports that are added begin so.
const EXPORT_PREFIX: &str = "golem-checkpoint-";
/// Number of the section of exports; those of memories, tags and globals come before it, all others after.
const EXPORT_SECTION: u8 = 7;
/// Number of the start section.
const START_SECTION: u8 = 8;
/// Number of the section of tags, which stands before the globals in spite of its number.
const TAG_SECTION: u8 = 13;

/// What a module runs when it is instantiated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// Nothing.
    None,
    /// It does nothing but to call a function that it imports: what the encoder makes for `_initialize`.
    Imported {
        /// First part of the import's name.
        module: String,
        /// Second part.
        name: String,
    },
    /// Code of its own.
    Own,
}

/// A core module that has been looked through.
#[derive(Debug)]
pub(super) struct Module {
    /// The module with more exports, and without a [`Start::Imported`].
    pub(super) wasm: Vec<u8>,
    /// Memories that it defines, with the names of their exports.
    pub(super) memories: Vec<(String, MemoryType)>,
    /// Mutable globals that it defines, with the names of their exports.
    pub(super) globals: Vec<(String, ValType)>,
    /// What it runs when it is instantiated.
    pub(super) start: Start,
    /// Why its state cannot be captured.
    pub(super) obstacle: Option<Obstacle>,
}

/// Exports to be added: name, kind, index.
type Added = Vec<(String, enc::ExportKind, u32)>;

/// Numbers of the items of a module that are counted from its imports on.
#[derive(Default)]
struct Counts {
    funcs: u32,
    memories: u32,
    globals: u32,
    /// The only function that is imported.
    only_import: Option<(String, String)>,
    defined_funcs: bool,
}

/// Looks a module through and adds its exports. Errors: it cannot be parsed.
pub(super) fn scan(bytes: &[u8]) -> Result<Module, BinaryReaderError> {
    let payloads = Parser::new(0)
        .parse_all(bytes)
        .collect::<Result<Vec<_>, _>>()?;
    let mut counts = Counts::default();
    let mut module = Module {
        wasm: Vec::new(),
        memories: Vec::new(),
        globals: Vec::new(),
        start: Start::None,
        obstacle: None,
    };
    let mut added = Vec::new();
    for payload in &payloads {
        look(payload, &mut counts, &mut module, &mut added)?;
    }
    module.wasm = rewrite(bytes, &payloads, &added, &module.start)?;
    Ok(module)
}

fn look(
    payload: &Payload<'_>,
    counts: &mut Counts,
    module: &mut Module,
    added: &mut Added,
) -> Result<(), BinaryReaderError> {
    let mut refuse = |obstacle| module.obstacle = module.obstacle.or(Some(obstacle));
    match payload {
        Payload::ImportSection(imports) => {
            for import in imports.clone().into_imports() {
                let import = import?;
                match import.ty {
                    TypeRef::Func(_) | TypeRef::FuncExact(_) => {
                        counts.only_import = (counts.funcs == 0)
                            .then(|| (import.module.to_owned(), import.name.to_owned()));
                        counts.funcs += 1;
                    }
                    TypeRef::Memory(_) => counts.memories += 1,
                    TypeRef::Global(_) => counts.globals += 1,
                    TypeRef::Table(_) | TypeRef::Tag(_) => {}
                }
            }
        }
        Payload::FunctionSection(functions) => counts.defined_funcs = functions.count() > 0,
        Payload::MemorySection(memories) => {
            for memory in memories.clone() {
                let memory = memory?;
                if memory.memory64 || memory.shared || memory.page_size_log2.is_some() {
                    refuse(Obstacle::Memory);
                }
                let name = format!("{EXPORT_PREFIX}memory{}", module.memories.len());
                added.push((name.clone(), enc::ExportKind::Memory, counts.memories));
                counts.memories += 1;
                module.memories.push((name, memory));
            }
        }
        Payload::GlobalSection(globals) => {
            for global in globals.clone() {
                let typ = global?.ty;
                if typ.mutable {
                    if matches!(typ.content_type, ValType::V128 | ValType::Ref(_)) || typ.shared {
                        refuse(Obstacle::Global);
                    }
                    let name = format!("{EXPORT_PREFIX}global{}", module.globals.len());
                    added.push((name.clone(), enc::ExportKind::Global, counts.globals));
                    module.globals.push((name, typ.content_type));
                }
                counts.globals += 1;
            }
        }
        Payload::ExportSection(exports) => {
            for export in exports.clone() {
                if export?.name.starts_with(EXPORT_PREFIX) {
                    refuse(Obstacle::Name);
                }
            }
        }
        Payload::StartSection { func, .. } => {
            module.start = match &counts.only_import {
                Some((from, name)) if *func == 0 && counts.funcs == 1 && !counts.defined_funcs => {
                    Start::Imported {
                        module: from.clone(),
                        name: name.clone(),
                    }
                }
                _ => Start::Own,
            };
        }
        Payload::CodeSectionEntry(body) => {
            for operator in body.get_operators_reader()? {
                match operator? {
                    Operator::TableSet { .. }
                    | Operator::TableGrow { .. }
                    | Operator::TableFill { .. }
                    | Operator::TableCopy { .. }
                    | Operator::TableInit { .. } => refuse(Obstacle::Table),
                    Operator::DataDrop { .. } | Operator::ElemDrop { .. } => {
                        refuse(Obstacle::Segment);
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// The module with `added` behind its exports. Everything else is copied as it is, so nothing is counted anew.
fn rewrite(
    bytes: &[u8],
    payloads: &[Payload<'_>],
    added: &Added,
    start: &Start,
) -> Result<Vec<u8>, BinaryReaderError> {
    let mut module = enc::Module::new();
    let mut exported = false;
    for payload in payloads {
        let Some((id, range)) = payload.as_section() else {
            continue;
        };
        if let Payload::ExportSection(exports) = payload {
            let mut section = enc::ExportSection::new();
            for export in exports.clone() {
                let export = export?;
                section.export(export.name, kind(export.kind), export.index);
            }
            extend(&mut section, added);
            module.section(&section);
            exported = true;
            continue;
        }
        if !exported && id > EXPORT_SECTION && id != TAG_SECTION {
            extend_new(&mut module, added);
            exported = true;
        }
        if id == START_SECTION && matches!(start, Start::Imported { .. }) {
            continue;
        }
        let data = bytes.get(range).unwrap_or_default();
        module.section(&enc::RawSection { id, data });
    }
    if !exported {
        extend_new(&mut module, added);
    }
    Ok(module.finish())
}

fn extend(section: &mut enc::ExportSection, added: &Added) {
    for (name, kind, index) in added {
        section.export(name, *kind, *index);
    }
}

/// A section of exports for a module that has none.
fn extend_new(module: &mut enc::Module, added: &Added) {
    if !added.is_empty() {
        let mut section = enc::ExportSection::new();
        extend(&mut section, added);
        module.section(&section);
    }
}

fn kind(kind: ExternalKind) -> enc::ExportKind {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => enc::ExportKind::Func,
        ExternalKind::Table => enc::ExportKind::Table,
        ExternalKind::Memory => enc::ExportKind::Memory,
        ExternalKind::Global => enc::ExportKind::Global,
        ExternalKind::Tag => enc::ExportKind::Tag,
    }
}
