// SPDX-License-Identifier: Apache-2.0
//! THE DESK / dev project: what dev works on: a manifest, or the component of a directory as if it had one. In a path, out a
//! manifest. Read next: `cycle.rs`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use golem_wit::bindgen::go::Style;

use crate::build;
use crate::error::Failure;
use crate::manifest::{BindingStyle, Component, ComponentKind, Manifest};

/// The manifest that `app` names or that is found; else one for the component of this directory. Errors: neither is there.
pub(super) fn manifest(app: Option<&Path>) -> Result<Manifest, Failure> {
    if let Some(manifest) = Manifest::discover(app)? {
        return Ok(manifest);
    }
    let unit = build::of_directory(Path::new("."), None, None, Style::default())?;
    Ok(Manifest {
        file: PathBuf::from("golem.yaml"),
        temp_dir: PathBuf::from("target"),
        components: vec![Component {
            name: unit.name,
            wit: unit.wit,
            world: unit.world,
            dir: unit.dir,
            bindings_style: BindingStyle::TinyGo,
            bindings_dir: unit.bindings_dir,
            bindings_package: None,
            component_wasm: unit.component_wasm,
            linked_wasm: None,
            kind: ComponentKind::Durable,
            capabilities: None,
            files: Vec::new(),
            commands: Vec::new(),
            calls: Vec::new(),
            error_results: BTreeSet::new(),
        }],
    })
}
