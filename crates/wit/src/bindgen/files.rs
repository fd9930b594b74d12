// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen files: finds the Go module and puts generated files into place. In bindings, out a directory.
//! Each file appears whole or not at all; a file that somebody wrote by hand is never overwritten. Read next: `go/mod.rs`.
//! Why: docs/go-bindings.md, section "Layout".

use super::error::GoError;
use super::go::{GoBindings, HEADER, Home, SDK_MODULE};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// A Go module: where its `go.mod` is and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoModule {
    /// The directory of `go.mod`.
    pub root: PathBuf,
    /// The path on its `module` line.
    pub path: String,
    /// Where the run-time of its programs is: with the SDK if `go.mod` requires it or is that of the SDK.
    pub home: Home,
}

impl GoModule {
    /// The import path of a package in `out_dir`, which lies in the module.
    #[must_use]
    pub fn import_path(&self, out_dir: &Path) -> String {
        let absolute = std::path::absolute(out_dir).map_or_else(|_| out_dir.to_owned(), clean);
        let below = absolute.strip_prefix(&self.root).unwrap_or(Path::new(""));
        let parts: Vec<_> = below
            .components()
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect();
        std::iter::once(self.path.clone())
            .chain(parts)
            .collect::<Vec<_>>()
            .join("/")
    }
}

/// `path` without `..`: `a/../b` must not find the go.mod of `a`.
fn clean(path: PathBuf) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    clean
}

/// Finds the module that `out_dir` (which need not exist yet) belongs to: the nearest `go.mod` in it or above.
///
/// Errors: [`GoError::NoModule`], [`GoError::ModuleLine`], [`GoError::Io`] if `go.mod` cannot be read.
pub fn locate_module(out_dir: &Path) -> Result<GoModule, GoError> {
    let absolute = std::path::absolute(out_dir).map_err(|source| io("read", out_dir, source))?;
    for root in clean(absolute).ancestors() {
        let path = root.join("go.mod");
        if path.is_file() {
            let text =
                std::fs::read_to_string(&path).map_err(|source| io("read", &path, source))?;
            let module = module_line(&text).ok_or(GoError::ModuleLine { path })?;
            return Ok(GoModule {
                root: root.to_owned(),
                home: home(&module, &text),
                path: module,
            });
        }
    }
    Err(GoError::NoModule {
        out_dir: out_dir.to_owned(),
    })
}

fn module_line(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let rest = line.trim().strip_prefix("module")?;
        let rest = rest.split("//").next().unwrap_or_default();
        let path = rest
            .strip_prefix([' ', '\t', '"', '`'])?
            .trim()
            .trim_matches(['"', '`']);
        (!path.is_empty()).then(|| path.to_owned())
    })
}

/// Where the run-time of the module is whose `go.mod` has this text.
fn home(module: &str, text: &str) -> Home {
    match module {
        SDK_MODULE => Home::SdkItself,
        _ if requires_sdk(text) => Home::Sdk,
        _ => Home::Module,
    }
}

/// Whether a `go.mod` with this text requires the Go SDK.
#[must_use]
pub fn requires_sdk(text: &str) -> bool {
    // A requirement is `require path version`, or `path version` between `require (` and `)`.
    let mut inside = false;
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        let path = match words.as_slice() {
            ["require", "("] | ["require("] => {
                inside = true;
                continue;
            }
            [")"] => {
                inside = false;
                continue;
            }
            ["require", path, _] => path,
            [path, _] if inside => path,
            _ => continue,
        };
        if path.trim_matches(['"', '`']) == SDK_MODULE {
            return true;
        }
    }
    false
}

/// Writes `bindings` into `out_dir` and their run-time into `module`. Returns the paths written, package first; files that
/// already have the right text are left untouched (their times too) and not listed.
///
/// A file of an earlier run that the world no longer needs (`<world>_types.go`) is removed, and so is a run-time that gave way
/// to that of the SDK.
/// Errors: [`GoError::Foreign`] before anything is written, [`GoError::Io`].
pub fn write_bindings(
    bindings: &GoBindings,
    out_dir: &Path,
    module: &GoModule,
) -> Result<Vec<PathBuf>, GoError> {
    let package = bindings
        .files
        .iter()
        .map(|(name, text)| (out_dir.join(name), text));
    let runtime = bindings
        .runtime
        .iter()
        .map(|(name, text)| (module.root.join(name), text));
    let targets: Vec<(PathBuf, &String)> = package.chain(runtime).collect();
    let mut pending = Vec::new();
    for (path, text) in &targets {
        match std::fs::read(path) {
            Ok(old) if old == text.as_bytes() => {}
            Ok(old) if !old.starts_with(HEADER.as_bytes()) => {
                return Err(GoError::Foreign { path: path.clone() });
            }
            Ok(_) => pending.push((path, *text)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => pending.push((path, *text)),
            Err(source) => return Err(io("read", path, source)),
        }
    }
    let mut written = Vec::new();
    for (path, text) in pending {
        place(path, text)?;
        written.push(path.clone());
    }
    let wanted = |path: &Path| targets.iter().any(|(target, _)| target == path);
    let mut stale = vec![out_dir.join(format!("{}_types.go", bindings.file_stem))];
    stale.extend(bindings.retired.iter().map(|name| module.root.join(name)));
    if let Some(mark) = &bindings.mark {
        stale.extend(marked(out_dir, mark)?);
    }
    for path in stale {
        if !wanted(&path)
            && std::fs::read(&path).is_ok_and(|old| old.starts_with(HEADER.as_bytes()))
        {
            std::fs::remove_file(&path).map_err(|source| io("remove", &path, source))?;
            // Only a directory that has nothing else left goes with its last file.
            let above = path.ancestors().skip(1);
            for directory in above.take_while(|dir| *dir != out_dir && *dir != module.root) {
                if std::fs::remove_dir(directory).is_err() {
                    break;
                }
            }
        }
    }
    Ok(written)
}

/// The files one directory below `out_dir` that start with the header and `mark`: those of the same world.
fn marked(out_dir: &Path, mark: &str) -> Result<Vec<PathBuf>, GoError> {
    let start = format!("{HEADER}\n{mark}\n");
    let entries = |directory: &Path| {
        std::fs::read_dir(directory)
            .and_then(|entries| {
                entries
                    .map(|entry| Ok(entry?.path()))
                    .collect::<Result<Vec<_>, _>>()
            })
            .map_err(|source| io("read", directory, source))
    };
    let mut found = Vec::new();
    for directory in entries(out_dir)?.into_iter().filter(|path| path.is_dir()) {
        for path in entries(&directory)? {
            if path.extension().is_some_and(|extension| extension == "go")
                && std::fs::read(&path).is_ok_and(|text| text.starts_with(start.as_bytes()))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Writes next to the target and renames: readers see the old file or the new one.
fn place(path: &Path, text: &str) -> Result<(), GoError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).map_err(|source| io("create", directory, source))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // A leading dot keeps a left-over out of `go build`.
    let temporary = directory.join(format!(".{name}.{}.tmp", std::process::id()));
    let result = std::fs::File::create(&temporary)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())
                .and_then(|()| file.sync_all())
        })
        .and_then(|()| std::fs::rename(&temporary, path));
    result.map_err(|source| {
        // The first error is the one to report.
        drop(std::fs::remove_file(&temporary));
        io("write", path, source)
    })
}

fn io(action: &'static str, path: &Path, source: std::io::Error) -> GoError {
    GoError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindgen::go::Files;

    fn bindings(files: &[(&str, &str)]) -> GoBindings {
        let files: Files = files
            .iter()
            .map(|(n, t)| ((*n).to_owned(), format!("{HEADER}\n{t}")))
            .collect();
        let runtime = Files::from([(
            "internal/golemrt/doc.go".to_owned(),
            format!("{HEADER}\npackage golemrt\n"),
        )]);
        GoBindings {
            package: "w".into(),
            files,
            runtime,
            retired: vec![],
            file_stem: "w".into(),
            mark: None,
            warnings: vec![],
        }
    }

    #[test]
    fn the_nearest_go_mod_names_the_module() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("components/one")).unwrap();
        std::fs::write(
            dir.path().join("go.mod"),
            "// a comment\nmodule \"example.com/shop\" // why\n\ngo 1.24\n",
        )
        .unwrap();
        let module = locate_module(&dir.path().join("components/one/binding")).unwrap();
        assert_eq!(module.path, "example.com/shop");
        assert_eq!(module.root, dir.path());
        std::fs::write(dir.path().join("components/one/go.mod"), "module inner\n").unwrap();
        assert_eq!(
            locate_module(&dir.path().join("components/one"))
                .unwrap()
                .path,
            "inner"
        );
        let sideways = locate_module(&dir.path().join("components/one/../two")).unwrap();
        assert_eq!(sideways.path, "example.com/shop");
        std::fs::write(dir.path().join("go.mod"), "go 1.24\nmodulepath x\n").unwrap();
        assert!(matches!(
            locate_module(dir.path()),
            Err(GoError::ModuleLine { .. })
        ));
    }

    #[test]
    fn the_run_time_is_in_the_sdk_if_go_mod_requires_it() {
        let home = |rest: &str| home("m", &format!("module m\n\ngo 1.24\n{rest}"));
        assert_eq!(home(""), Home::Module);
        assert_eq!(
            home("require github.com/golem-workers/golem-go v0.1.0\n"),
            Home::Sdk
        );
        let block =
            "require (\n\ta/b v1.0.0\n\tgithub.com/golem-workers/golem-go v0.1.0 // indirect\n)\n";
        assert_eq!(home(block), Home::Sdk);
        for other in [
            "// require github.com/golem-workers/golem-go v0.1.0\n",
            "require github.com/golem-workers/golem-go/more v0.1.0\n",
            "replace github.com/golem-workers/golem-go => ./third_party/golem-go\n",
            "exclude (\n\tgithub.com/golem-workers/golem-go v0.0.1\n)\n",
        ] {
            assert_eq!(home(other), Home::Module, "{other}");
        }
        assert_eq!(super::home(SDK_MODULE, ""), Home::SdkItself);
    }

    #[test]
    fn files_are_written_once_and_stale_ones_removed() {
        let dir = tempfile::tempdir().unwrap();
        let module = GoModule {
            root: dir.path().to_owned(),
            path: "m".into(),
            home: Home::Module,
        };
        let out = dir.path().join("w");
        let first = bindings(&[("w.go", "package w\n"), ("w_types.go", "package w\n")]);
        assert_eq!(write_bindings(&first, &out, &module).unwrap().len(), 3);
        assert_eq!(
            write_bindings(&first, &out, &module).unwrap(),
            Vec::<PathBuf>::new()
        );
        let second = bindings(&[("w.go", "package w\n\n// changed\n")]);
        assert_eq!(
            write_bindings(&second, &out, &module).unwrap(),
            vec![out.join("w.go")]
        );
        assert!(!out.join("w_types.go").exists());
        let left: Vec<_> = std::fs::read_dir(&out)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(left, ["w.go"], "no temporary file stays");
    }

    #[test]
    fn a_package_that_a_world_no_longer_has_goes_and_those_of_others_stay() {
        let dir = tempfile::tempdir().unwrap();
        let module = GoModule {
            root: dir.path().to_owned(),
            path: "m".into(),
            home: Home::Module,
        };
        let of = |world: &str, packages: &[&str]| {
            let mark = format!("// World: {world}.");
            let files = packages.iter().map(|p| {
                (
                    format!("{p}/{p}.go"),
                    format!("{HEADER}\n{mark}\n\npackage {p}\n"),
                )
            });
            GoBindings {
                files: files.collect(),
                mark: Some(mark),
                ..bindings(&[])
            }
        };
        let out = dir.path().join("golem");
        write_bindings(&of("a:b/w", &["cart", "poll"]), &out, &module).unwrap();
        write_bindings(&of("a:b/other", &["stock"]), &out, &module).unwrap();
        std::fs::write(out.join("poll/mine.go"), "package poll\n").unwrap();
        write_bindings(&of("a:b/w", &["till"]), &out, &module).unwrap();
        assert!(!out.join("cart").exists());
        assert!(!out.join("poll/poll.go").exists() && out.join("poll/mine.go").exists());
        assert!(out.join("stock/stock.go").exists() && out.join("till/till.go").exists());
    }

    #[test]
    fn a_run_time_of_the_module_goes_when_the_sdk_has_one() {
        let dir = tempfile::tempdir().unwrap();
        let go_mod = |text: &str| {
            std::fs::write(dir.path().join("go.mod"), text).unwrap();
            locate_module(dir.path()).unwrap()
        };
        let out = dir.path().join("w");
        let own = go_mod("module m\n");
        write_bindings(&bindings(&[("w.go", "package w\n")]), &out, &own).unwrap();
        assert!(dir.path().join("internal/golemrt/doc.go").exists());
        let with_sdk = go_mod("module m\n\nrequire github.com/golem-workers/golem-go v0.1.0\n");
        let changed = GoBindings {
            runtime: Files::new(),
            retired: vec!["internal/golemrt/doc.go".to_owned()],
            ..bindings(&[("w.go", "package w\n")])
        };
        write_bindings(&changed, &out, &with_sdk).unwrap();
        assert!(out.join("w.go").exists() && !dir.path().join("internal").exists());
    }

    #[test]
    fn a_hand_written_file_is_left_alone_and_nothing_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let module = GoModule {
            root: dir.path().to_owned(),
            path: "m".into(),
            home: Home::Module,
        };
        std::fs::write(dir.path().join("w_wasm.go"), "package mine\n").unwrap();
        let all = bindings(&[("w.go", "package w\n"), ("w_wasm.go", "package w\n")]);
        assert!(matches!(
            write_bindings(&all, dir.path(), &module),
            Err(GoError::Foreign { .. })
        ));
        assert!(!dir.path().join("w.go").exists());
        assert_eq!(
            std::fs::read_to_string(dir.path().join("w_wasm.go")).unwrap(),
            "package mine\n"
        );
    }
}
