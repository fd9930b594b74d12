// SPDX-License-Identifier: Apache-2.0
//! THE DESK / sdk: the sources of the Go SDK, compiled in, and their place in a project. In a Go module, out a folder
//! `third_party/golem-go` and two lines of `go.mod`. Never needs a network, never changes what is not the SDK.
//! Read next: `cmd/sdk.rs`. Why: docs/adr/0010-go-sdk.md.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use golem_model::Coded;
use golem_wit::bindgen::{
    GoModule,
    go::{Home, SDK_MODULE},
};

/// Where a project has the SDK, relative to its `go.mod`.
pub(crate) const DIR: &str = "third_party/golem-go";

/// The version that `go.mod` asks for. The folder decides what is used; Go only wants to see a version.
pub(crate) const VERSION: &str = "v0.1.0";

/// Path and text of every file of the SDK but its tests.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sdk_files.rs"));

const LICENSE: (&str, &str) = ("LICENSE", include_str!("../../../LICENSE"));

/// Why a module did not get the SDK; what was there is still there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SdkError {
    /// The folder belongs to somebody else.
    #[error("`{}` exists and is not the Go SDK", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
    /// The module is the SDK.
    #[error("`{}` is the Go SDK itself", path.display())]
    Itself {
        /// Its folder.
        path: PathBuf,
    },
    /// The disk said no.
    #[error("failed to write `{}`", path.display())]
    Io {
        /// What was being written.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Coded for SdkError {
    fn code(&self) -> &'static str {
        match self {
            Self::Foreign { .. } => "SDK-001",
            Self::Itself { .. } => "SDK-002",
            Self::Io { .. } => "SDK-003",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Foreign { .. } => "move it away, then run golem-cli sdk add again".to_owned(),
            Self::Itself { .. } => {
                "go to a project that uses it: cd my-project && golem-cli sdk add".to_owned()
            }
            Self::Io { .. } => {
                "check that the disk has room and that you may write there".to_owned()
            }
        })
    }
}

/// What [`add`] has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Added {
    /// Whether the folder changed.
    pub(crate) files: bool,
    /// Whether `go.mod` changed.
    pub(crate) go_mod: bool,
}

/// The files of the SDK, by path relative to its root.
pub(crate) fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().copied().chain([LICENSE])
}

/// Puts the SDK of this program into a module, in place of another version of it, and lets `go.mod` require it.
///
/// The folder changes wholly or not at all. A `replace` that `go.mod` has already is left alone.
/// Errors: [`SdkError`].
pub(crate) fn add(module: &GoModule) -> Result<Added, SdkError> {
    if module.home == Home::SdkItself {
        return Err(SdkError::Itself {
            path: module.root.clone(),
        });
    }
    let added = Added {
        files: place(&module.root)?,
        go_mod: require(&module.root.join("go.mod"))?,
    };
    Ok(added)
}

/// Whether the folder of the SDK in a module is that of this program, or the module has none and asks for none.
pub(crate) fn is_current(root: &Path) -> bool {
    let dir = root.join(DIR);
    if dir.exists() {
        return holds(&dir);
    }
    let go_mod = fs::read_to_string(root.join("go.mod")).unwrap_or_default();
    !go_mod.contains(&format!("=> ./{DIR}"))
}

fn holds(dir: &Path) -> bool {
    files().all(|(name, text)| fs::read(dir.join(name)).is_ok_and(|old| old == text.as_bytes()))
}

fn place(root: &Path) -> Result<bool, SdkError> {
    let dir = root.join(DIR);
    let there = dir.exists();
    if there {
        let go_mod = fs::read_to_string(dir.join("go.mod")).unwrap_or_default();
        let own = format!("module {SDK_MODULE}");
        if !go_mod.lines().any(|line| line.trim() == own) {
            return Err(SdkError::Foreign { path: dir });
        }
        if holds(&dir) {
            return Ok(false);
        }
    }
    let beside =
        |what: &str| dir.with_file_name(format!(".golem-go.{what}-{}", std::process::id()));
    let (new, old) = (beside("new"), beside("old"));
    let made = fill(&new).and_then(|()| {
        if there {
            fs::rename(&dir, &old)?;
        }
        fs::rename(&new, &dir).inspect_err(|_| {
            // The error that counts is the first one; nothing else can be done about the old folder.
            let _ = fs::rename(&old, &dir);
        })
    });
    // What cannot be removed is in nobody's way: its name starts with a dot.
    let _ = fs::remove_dir_all(&old);
    let _ = fs::remove_dir_all(&new);
    made.map_err(|source| SdkError::Io { path: dir, source })?;
    Ok(true)
}

fn fill(dir: &Path) -> io::Result<()> {
    for (name, text) in files() {
        let path = dir.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
    }
    Ok(())
}

fn require(go_mod: &Path) -> Result<bool, SdkError> {
    let failed = |source| SdkError::Io {
        path: go_mod.to_owned(),
        source,
    };
    let text = fs::read_to_string(go_mod).map_err(failed)?;
    let Some(text) = required(&text) else {
        return Ok(false);
    };
    let temporary = go_mod.with_file_name(format!(".go.mod.{}.tmp", std::process::id()));
    fs::write(&temporary, text)
        .and_then(|()| fs::rename(&temporary, go_mod))
        .map_err(|source| {
            // The first error is the one to report.
            let _ = fs::remove_file(&temporary);
            failed(source)
        })?;
    Ok(true)
}

/// The text of a `go.mod` that requires the SDK and takes it from its folder; `None` if it does already.
fn required(text: &str) -> Option<String> {
    let mut lines = String::new();
    if !golem_wit::bindgen::requires_sdk(text) {
        lines.push_str(&format!("\nrequire {SDK_MODULE} {VERSION}\n"));
    }
    let replaced = text.lines().any(|line| {
        let line = line.split("//").next().unwrap_or_default();
        line.split_once("=>")
            .is_some_and(|(from, _)| from.split_whitespace().any(|word| word == SDK_MODULE))
    });
    if !replaced {
        lines.push_str(&format!("\nreplace {SDK_MODULE} => ./{DIR}\n"));
    }
    let end = if text.ends_with('\n') { "" } else { "\n" };
    (!lines.is_empty()).then(|| format!("{text}{end}{lines}"))
}

#[cfg(test)]
mod tests {
    use golem_wit::bindgen::locate_module;

    use super::*;

    #[test]
    fn go_mod_gets_what_it_lacks_and_nothing_twice() {
        let whole = "module m\n\ngo 1.24\n\nrequire github.com/golem-workers/golem-go v0.1.0\n\nreplace github.com/golem-workers/golem-go => ./third_party/golem-go\n";
        assert_eq!(required("module m\n\ngo 1.24").as_deref(), Some(whole));
        assert_eq!(required(whole), None);
        let elsewhere =
            "module m\n\nreplace github.com/golem-workers/golem-go v0.1.0 => ../golem-go\n";
        let text = required(elsewhere).unwrap();
        assert!(
            text.starts_with(elsewhere)
                && text.contains("\nrequire ")
                && text.matches("=>").count() == 1,
            "{text}"
        );
    }

    #[test]
    fn the_sdk_takes_the_place_of_an_older_one_and_of_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("go.mod"), "module m\n\ngo 1.24\n").unwrap();
        let module = || locate_module(root.path()).unwrap();
        let both = |files, go_mod| Added { files, go_mod };
        assert!(is_current(root.path()));
        assert_eq!(add(&module()).unwrap(), both(true, true));
        assert_eq!(module().home, Home::Sdk);
        assert_eq!(add(&module()).unwrap(), both(false, false));
        let dir = root.path().join(DIR);
        fs::write(dir.join("golemrt/doc.go"), "package golemrt\n").unwrap();
        fs::write(dir.join("golemrt/gone.go"), "package golemrt\n").unwrap();
        assert!(!is_current(root.path()));
        assert_eq!(add(&module()).unwrap(), both(true, false));
        assert!(is_current(root.path()) && !dir.join("golemrt/gone.go").exists());
        let left: Vec<_> = fs::read_dir(root.path().join("third_party"))
            .unwrap()
            .collect();
        assert_eq!(left.len(), 1);
        fs::rename(&dir, root.path().join("elsewhere")).unwrap();
        assert!(!is_current(root.path()));
        fs::rename(root.path().join("elsewhere"), &dir).unwrap();
        fs::write(dir.join("go.mod"), "module mine\n").unwrap();
        assert!(matches!(add(&module()), Err(SdkError::Foreign { .. })));
        assert!(matches!(
            add(&locate_module(&dir)
                .map(|m| GoModule {
                    home: Home::SdkItself,
                    ..m
                })
                .unwrap()),
            Err(SdkError::Itself { .. })
        ));
    }
}
