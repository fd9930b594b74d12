// SPDX-License-Identifier: Apache-2.0
//! THE DESK / doctor files: files of the user and of the project that this program reads or wrote: profiles, the token, the Go SDK,
//! what a killed run left behind. In a directory, out checks with fixes. Changes nothing but in [`Fix::apply`].

use std::fs;
use std::path::{Path, PathBuf};

use golem_wit::bindgen::locate_module;
use serde::{Serialize, Serializer};

use super::{Check, State};
use crate::args::Global;
use crate::config::{Config, ConfigError};
use crate::error::Failure;
use crate::exit;
use crate::sdk;

/// What a file of ours that should not stay begins with.
const LEFTOVER: &str = ".golem-doctor-";

/// Something that can be mended without losing anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fix {
    /// Gives a file another name, so that a new one can take its place.
    MoveAway {
        /// The file.
        from: PathBuf,
        /// The name that is free.
        to: PathBuf,
    },
    /// Lets nobody but its owner read a file.
    MakePrivate(PathBuf),
    /// Puts the SDK of this program into a module.
    RefreshSdk(PathBuf),
    /// Takes files of our own away.
    Remove(Vec<PathBuf>),
}

impl Serialize for Fix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.sentence())
    }
}

impl Fix {
    /// What it does, as it is said after "would".
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::MoveAway { from, to } => format!("move {} to {}", from.display(), to.display()),
            Self::MakePrivate(path) => format!("let only its owner read {}", path.display()),
            Self::RefreshSdk(root) => format!("refresh {}", root.join(sdk::DIR).display()),
            Self::Remove(paths) => {
                let paths: Vec<String> = paths
                    .iter()
                    .map(|path| path.display().to_string())
                    .collect();
                format!("remove {}", paths.join(", "))
            }
        }
    }

    /// Does it. The error is a sentence for people.
    pub(super) fn apply(&self) -> Result<(), String> {
        let told = |done: std::io::Result<()>| done.map_err(|error| error.to_string());
        match self {
            Self::MoveAway { from, to } => told(fs::rename(from, to)),
            Self::MakePrivate(path) => told(make_private(path)),
            Self::RefreshSdk(root) => {
                let module = locate_module(root).map_err(|error| error.to_string())?;
                sdk::add(&module)
                    .map(drop)
                    .map_err(|error| error.to_string())
            }
            Self::Remove(paths) => paths
                .iter()
                .try_for_each(|path| told(fs::remove_file(path))),
        }
    }
}

pub(super) fn checks(dir: &Path, global: &Global) -> Vec<Check> {
    let mut checks = vec![profiles()];
    checks.extend(global.token_file.as_deref().map(token));
    checks.extend(sdk_of(dir));
    checks.extend(leftovers(dir));
    checks
}

fn profiles() -> Check {
    let name = "profiles";
    match Config::load() {
        Ok(config) => match config.active() {
            Some(active) => Check::ok(name, format!("{active} is in use")),
            None => Check::new(name, State::Skipped, "none is in use, and none is needed"),
        },
        Err(error) => {
            let parse = matches!(error, ConfigError::Parse { .. });
            let mut check = Check::of(name, &Failure::from(error)).exit(exit::GENERIC);
            if let (true, Ok(from)) = (parse, Config::path()) {
                check = check.fix(Fix::MoveAway {
                    to: free_name(&from),
                    from,
                });
            }
            check
        }
    }
}

/// `config.json.broken`, or with a number when that is taken.
fn free_name(path: &Path) -> PathBuf {
    let named = |end: String| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let mut to = named(".broken".to_owned());
    let mut number = 1_u32;
    while to.exists() {
        to = named(format!(".broken-{number}"));
        number += 1;
    }
    to
}

fn token(path: &Path) -> Check {
    let name = "token file";
    let shown = path.display();
    match others_read(path) {
        Err(error) => Check::failed(name, format!("{shown}: {error}"))
            .hint("write the token to a file of its own and name it: --token-file FILE")
            .exit(exit::DENIED),
        Ok(false) => Check::ok(name, format!("{shown}, for its owner only")),
        Ok(true) => Check::new(name, State::Warning, format!("others can read {shown}"))
            .hint(format!("chmod 600 {shown}"))
            .fix(Fix::MakePrivate(path.to_owned())),
    }
}

/// The SDK of the Go module here, when it has one.
fn sdk_of(dir: &Path) -> Option<Check> {
    let module = locate_module(dir).ok()?;
    let there = module.root.join(sdk::DIR).exists();
    let current = sdk::is_current(&module.root);
    let shown = module.root.join(sdk::DIR).display().to_string();
    match (there, current) {
        (false, true) => None,
        (true, true) => Some(Check::ok("go sdk", format!("{shown}, of this version"))),
        (_, false) => Some(
            Check::new(
                "go sdk",
                State::Warning,
                format!("{shown} is not the SDK of this golem-cli"),
            )
            .hint("refresh it: golem-cli sdk add")
            .fix(Fix::RefreshSdk(module.root)),
        ),
    }
}

/// Files of runs that were killed.
fn leftovers(dir: &Path) -> Option<Check> {
    let entries = fs::read_dir(dir).ok()?.flatten();
    let mut paths: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(LEFTOVER))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    if paths.is_empty() {
        return None;
    }
    let found = format!("{} files of checks that were killed", paths.len());
    Some(
        Check::new("leftovers", State::Warning, found)
            .hint(format!("rm {LEFTOVER}*"))
            .fix(Fix::Remove(paths)),
    )
}

#[cfg(unix)]
fn others_read(path: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

#[cfg(unix)]
fn make_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn others_read(path: &Path) -> std::io::Result<bool> {
    fs::metadata(path).map(|_| false)
}

#[cfg(not(unix))]
fn make_private(_: &Path) -> std::io::Result<()> {
    Ok(())
}
