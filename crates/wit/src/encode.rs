// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / encode: a core module and its WIT become a component. In: module bytes, a WIT directory. Out: bytes.
//! Never runs the module. Read next: `describe.rs`. Why: replaces `wasm-tools component embed` and `component new`.

#![expect(
    clippy::indexing_slicing,
    reason = "arenas are indexed by the ids that they handed out"
)]

use std::path::Path;

use golem_model::Coded;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{KnownCustom, Parser, Payload, TypeRef};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use crate::platform::Asked;
use crate::resolve::{ResolveError, load};

/// A component made from a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The component.
    pub bytes: Vec<u8>,
    /// What the user should know, one sentence each.
    pub warnings: Vec<String>,
}

/// Why a module did not become a component.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The WIT is not understood.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The bytes are no core module.
    #[error("the input is not a WebAssembly module: {reason}")]
    NotAModule {
        /// What it is.
        reason: String,
    },
    /// A program instead of a library.
    #[error("the module is a command (it exports `_start`), not a library")]
    Command,
    /// The module does not do what the world says.
    #[error("the module does not implement the world `{world}`: {reason}")]
    Mismatch {
        /// The world.
        world: String,
        /// What the encoder said.
        reason: String,
    },
}

impl Coded for EncodeError {
    fn code(&self) -> &'static str {
        match self {
            Self::Resolve(error) => error.code(),
            Self::NotAModule { .. } => "ENC-001",
            Self::Command => "ENC-002",
            Self::Mismatch { .. } => "ENC-003",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Resolve(error) => return error.hint(),
            Self::NotAModule { .. } => "give the module that the compiler wrote, for example component1.module.wasm".to_owned(),
            Self::Command => "build a library: GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared".to_owned(),
            Self::Mismatch { .. } => "regenerate the bindings from this WIT and compile again: golem-cli bindings, golem-cli build".to_owned(),
        })
    }
}

/// Embeds the world of `wit` into the module and wraps it as a component, with the preview1 reactor adapter.
///
/// `world` may be `None` when the package has only one. Interfaces of the platform that the module imports or answers and the
/// world lacks are added to it. The adapter gets its memory through the module's `cabi_realloc`;
/// memory is never grown behind the module's back, which would corrupt the heap of a Go module.
/// Errors: [`EncodeError`]. Source: Go guests §1, worker host §4.
pub fn encode(core_module: &[u8], wit: &Path, world: Option<&str>) -> Result<Encoded, EncodeError> {
    let facts = Facts::read(core_module)?;
    let loaded = load(wit)?;
    let world = loaded.world(world)?;
    let name = loaded.resolve.worlds[world].name.clone();
    let mismatch = |error: anyhow::Error| EncodeError::Mismatch {
        world: name.clone(),
        reason: reason(&error),
    };
    let mut module = core_module.to_vec();
    embed_component_metadata(&mut module, &loaded.resolve, world, StringEncoding::UTF8)
        .map_err(mismatch)?;
    // What libraries need of the platform, the user's world need not name. The encoder unites the worlds of a module.
    if let Some((platform, rest)) = facts
        .asked
        .missing(&loaded.resolve, world)
        .map_err(mismatch)?
    {
        embed_component_metadata(&mut module, &platform, rest, StringEncoding::UTF8)
            .map_err(mismatch)?;
    }
    let bytes = ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(|encoder| {
            encoder.adapter(
                WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
                WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
            )
        })
        .and_then(|mut encoder| encoder.encode());
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(_) if facts.command => return Err(EncodeError::Command),
        Err(error) => return Err(mismatch(error)),
    };
    Ok(Encoded {
        bytes,
        warnings: facts.warnings(),
    })
}

fn reason(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// What the module shows from outside.
#[derive(Debug, Default)]
struct Facts {
    go: bool,
    command: bool,
    realloc: bool,
    preview1: bool,
    /// What stands for interfaces among its imports and exports.
    asked: Asked,
}

impl Facts {
    fn read(module: &[u8]) -> Result<Self, EncodeError> {
        let not = |reason: String| EncodeError::NotAModule { reason };
        if Parser::is_component(module) {
            return Err(not("it is a component already".to_owned()));
        }
        let mut facts = Self::default();
        let mut start = false;
        let mut initialize = false;
        for payload in Parser::new(0).parse_all(module) {
            match payload.map_err(|error| not(error.to_string()))? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import.map_err(|error| not(error.to_string()))?;
                        let function = matches!(import.ty, TypeRef::Func(_));
                        facts.preview1 |=
                            function && import.module == WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;
                        if function {
                            facts.asked.import(import.module, import.name);
                        }
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let name = export.map_err(|error| not(error.to_string()))?.name;
                        facts.asked.export(name);
                        match name {
                            "_start" => start = true,
                            "_initialize" => initialize = true,
                            "cabi_realloc" | "cabi_realloc_adapter" => facts.realloc = true,
                            _ => {}
                        }
                    }
                }
                Payload::CustomSection(section) => {
                    facts.go |= section.name() == "go:buildid" || made_by_go(&section);
                }
                _ => {}
            }
        }
        facts.command = start && !initialize;
        Ok(facts)
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.go && self.preview1 && !self.realloc {
            warnings.push(
                "this Go module exports no `cabi_realloc`, so the WASI adapter grows the memory that Go takes for its own and the heap \
                 will be corrupted; use the bindings of `golem-cli bindings`"
                    .to_owned(),
            );
        }
        warnings
    }
}

fn made_by_go(section: &wasmparser::CustomSectionReader<'_>) -> bool {
    let KnownCustom::Producers(fields) = section.as_known() else {
        return false;
    };
    fields.into_iter().flatten().any(|field| {
        field.name == "language"
            && field
                .values
                .into_iter()
                .flatten()
                .any(|value| value.name == "Go")
    })
}
