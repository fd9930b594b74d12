// SPDX-License-Identifier: Apache-2.0
//! THE DESK / build bindings: the bindings of one world, written where they belong. In WIT, out Go files.
//! Never compiles. Read next: crates/wit/src/bindgen/mod.rs.

use std::path::{Path, PathBuf};

use golem_wit::{
    bindgen::{
        self,
        go::{GoOptions, Style},
    },
    resolve,
};

use crate::{error::Failure, sdk, template};

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bindings<'a> {
    /// The WIT directory.
    pub(crate) wit: &'a Path,
    /// The world, when there are several.
    pub(crate) world: Option<&'a str>,
    /// Where the bindings go; `None`: below the current directory, where [`default_dir`] says.
    pub(crate) out_dir: Option<&'a Path>,
    /// The name of the package; `None`: like the world.
    pub(crate) package: Option<&'a str>,
    /// The look of the API.
    pub(crate) style: Style,
}

/// What was made.
#[derive(Debug, Clone)]
pub(crate) struct MadeBindings {
    /// The world.
    pub(crate) world: String,
    /// The name of the package.
    pub(crate) package: String,
    /// The directory of the package.
    pub(crate) dir: PathBuf,
    /// The files that changed.
    pub(crate) written: Vec<PathBuf>,
    /// Whether the module has no folder with the Go SDK or one that goes with these bindings.
    pub(crate) sdk_is_current: bool,
    /// Names that had to give way to others.
    pub(crate) warnings: Vec<String>,
}

/// Where the bindings of a world go when nobody says: `tiny-go` makes one package that is named like the world, `go` makes
/// one for each interface.
pub(crate) fn default_dir(style: Style, world: &str) -> String {
    match style {
        Style::Go => "internal/golem".to_owned(),
        _ => template::bindings_dir(world),
    }
}

/// Writes the bindings of a world. Files that are right already are not touched.
pub(crate) fn bindings(request: &Bindings<'_>) -> Result<MadeBindings, Failure> {
    let loaded = resolve::load(request.wit)?;
    let world = loaded.world(request.world)?;
    let name = loaded
        .resolve
        .worlds
        .get(world)
        .map(|world| world.name.clone())
        .unwrap_or_default();
    let dir = request.out_dir.map_or_else(
        || PathBuf::from(default_dir(request.style, &name)),
        Path::to_owned,
    );
    let module = bindgen::locate_module(&dir)?;
    let options = GoOptions {
        module_path: module.path.clone(),
        package_path: module.import_path(&dir),
        rename_package: request.package.map(str::to_owned),
        style: request.style,
        home: module.home,
    };
    let made = bindgen::go::generate(&loaded.resolve, world, &options)?;
    let written = bindgen::write_bindings(&made, &dir, &module)?;
    Ok(MadeBindings {
        world: name,
        package: made.package,
        dir,
        written,
        sdk_is_current: sdk::is_current(&module.root),
        warnings: made.warnings,
    })
}
