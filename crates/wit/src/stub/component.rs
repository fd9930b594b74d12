// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / stub component: a component that imports the stub interface and exports it again, without any code.
//! In: the linked stub directory. Out: component bytes. Never touches files. Read next: `mod.rs`.
//! Why: composing it leaves a typed import that the engine links itself, docs/adr (decision D6); no compiler is needed.

#![expect(
    clippy::indexing_slicing,
    reason = "arenas are indexed by the ids that they handed out"
)]

use std::collections::HashSet;

use wasm_encoder::reencode::{ReencodeComponent, RoundtripReencoder};
use wasm_encoder::{ComponentBuilder, ComponentExportKind};
use wasmparser::{ComponentType, ComponentTypeDeclaration, Parser, Payload, Validator};
use wit_parser::{InterfaceId, LiveTypes, Resolve, WorldItem};

use crate::stub::error::StubError;
use crate::stub::types::path;

/// Package of the helper world; no user package can have this namespace, since it is taken by the product.
const HELPER: &str = "golem-internal:pass-through";

/// Makes the pass-through component of `interface`: its one export is the interface, its imports are the interface and
/// the types that the interface uses, nothing else. A few KiB, checked by the validator.
///
/// Errors: [`StubError::Invalid`] when the interface cannot be a component type.
pub fn pass_through(resolve: &Resolve, interface: InterfaceId) -> Result<Vec<u8>, StubError> {
    let name = resolve.id_of(interface).unwrap_or_default();
    let invalid = |message: String| StubError::Invalid {
        package: name.clone(),
        message,
    };
    let written = path(resolve, interface)
        .ok_or_else(|| invalid("an inline interface has no name".to_owned()))?;
    let mut resolve = resolve.clone();
    let helper = resolve
        .push_source(
            "pass-through.wit",
            &format!("package {HELPER};\nworld pass-through {{\n  import {written};\n}}\n"),
        )
        .map_err(|error| invalid(format!("{error:#}")))?;
    keep_used_types(&mut resolve, helper, interface);
    let encoded =
        wit_component::encode(&resolve, helper).map_err(|error| invalid(format!("{error:#}")))?;
    let component = from_world(&encoded, &name).map_err(&invalid)?;
    Validator::new()
        .validate_all(&component)
        .map_err(|error| invalid(error.to_string()))?;
    Ok(component)
}

/// Empties the imported interfaces but for the types that `interface` uses, so that the component asks for no function
/// that it never calls.
fn keep_used_types(resolve: &mut Resolve, helper: wit_parser::PackageId, interface: InterfaceId) {
    let mut live = LiveTypes::default();
    live.add_interface(resolve, interface);
    let live: HashSet<_> = live.iter().collect();
    let worlds: Vec<_> = resolve.packages[helper].worlds.values().copied().collect();
    for world in worlds {
        let imported: Vec<InterfaceId> = resolve.worlds[world]
            .imports
            .values()
            .filter_map(|item| {
                if let WorldItem::Interface { id, .. } = item {
                    Some(*id)
                } else {
                    None
                }
            })
            .filter(|id| *id != interface)
            .collect();
        for id in imported {
            let other = &mut resolve.interfaces[id];
            other.types.retain(|_, id| live.contains(id));
            other.functions.clear();
        }
    }
}

/// Turns the component type of the helper world into a component: every declaration of the type becomes a definition.
fn from_world(encoded: &[u8], name: &str) -> Result<Vec<u8>, String> {
    let world = world_type(encoded)?;
    let mut builder = ComponentBuilder::default();
    let mut same = RoundtripReencoder;
    let mut instance = None;
    for declaration in Vec::from(world) {
        match declaration {
            ComponentTypeDeclaration::Type(ty) => {
                let (_, encoder) = builder.ty(None);
                same.parse_component_type(encoder, ty)
                    .map_err(|error| error.to_string())?;
            }
            ComponentTypeDeclaration::Alias(alias) => {
                let alias = same
                    .component_alias(alias)
                    .map_err(|error| error.to_string())?;
                builder.alias(None, alias);
            }
            ComponentTypeDeclaration::Import(import) => {
                let ty = same
                    .component_type_ref(import.ty)
                    .map_err(|error| error.to_string())?;
                let index = builder.import(import.name.name, ty);
                if import.name.name == name {
                    instance = Some(index);
                }
            }
            ComponentTypeDeclaration::CoreType(_) | ComponentTypeDeclaration::Export { .. } => {
                return Err(
                    "the helper world has a declaration that no world of imports has".to_owned(),
                );
            }
        }
    }
    let instance =
        instance.ok_or_else(|| "the stub interface is not among the imports".to_owned())?;
    builder.export(name, ComponentExportKind::Instance, instance, None);
    Ok(builder.finish())
}

/// The declarations of the only world in an encoded WIT package.
fn world_type(encoded: &[u8]) -> Result<Box<[ComponentTypeDeclaration<'_>]>, String> {
    for payload in Parser::new(0).parse_all(encoded) {
        let Payload::ComponentTypeSection(section) = payload.map_err(|error| error.to_string())?
        else {
            continue;
        };
        for ty in section {
            let ComponentType::Component(wrapper) = ty.map_err(|error| error.to_string())? else {
                continue;
            };
            for declaration in Vec::from(wrapper) {
                if let ComponentTypeDeclaration::Type(ComponentType::Component(world)) = declaration
                {
                    return Ok(world);
                }
            }
        }
    }
    Err("the helper world is missing".to_owned())
}
