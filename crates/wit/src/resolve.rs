// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / resolve: a WIT directory read, parsed and linked. In: a directory. Out: [`Loaded`]. Bounds:
//! [`MAX_FILE_BYTES`] per file, [`MAX_FILES`] per tree.
//! Never writes. Read next: `stub/interface.rs`. Why: one reader for both stub dialects and for the spelling of the era.

#![expect(
    clippy::indexing_slicing,
    reason = "arenas are indexed by the ids that they handed out"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use golem_model::Coded;
use wit_parser::{PackageId, PackageName, Resolve, SourceMap, UnresolvedPackageGroup, WorldId};

use crate::{canonical, tolerant};

/// Largest WIT file that is read: the whole of WASI 0.2 is 200 KiB, so this stops a wrong path, not a user.
pub const MAX_FILE_BYTES: u64 = 4 << 20;

/// Most WIT files in one tree, for the same reason.
pub const MAX_FILES: usize = 4096;

/// A WIT directory as text: the files of the main package and of `deps/`, by path relative to the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    root: PathBuf,
    files: BTreeMap<PathBuf, String>,
}

/// A package as it was found on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePackage {
    /// Its name and version.
    pub name: PackageName,
    /// Its directory relative to the root: empty for the main package, `deps/<dir>` for a dependency. For a dependency
    /// in a single file directly in `deps`, that directory.
    pub dir: PathBuf,
    /// Its files relative to the root, sorted.
    pub files: Vec<PathBuf>,
}

/// A WIT directory that was understood.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Everything that was parsed, linked.
    pub resolve: Resolve,
    /// The main package.
    pub package: PackageId,
    /// All packages, the main package first, then by directory.
    pub sources: Vec<SourcePackage>,
    /// The files that were read, unchanged.
    pub tree: Tree,
    /// What was tolerated, one sentence each.
    pub notes: Vec<String>,
}

/// Why a WIT directory was not understood.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The directory does not exist.
    #[error("failed to find the WIT directory `{}`", path.display())]
    NotFound {
        /// The path as given.
        path: PathBuf,
    },
    /// A directory without a WIT file.
    #[error("no `.wit` file in `{}`", path.display())]
    Empty {
        /// The path as given.
        path: PathBuf,
    },
    /// A file could not be read.
    #[error("failed to read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not text, or is larger than a WIT file can be.
    #[error("`{}` is not WIT text: {reason}", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A dependency in binary form.
    #[error("`{}` is a binary WIT package, only WIT text is supported", path.display())]
    Binary {
        /// The file.
        path: PathBuf,
    },
    /// The text is not WIT, or refers to something that is not there.
    #[error("{location}: {message}")]
    Parse {
        /// `file:line:column`.
        location: String,
        /// What is wrong, from the parser.
        message: String,
    },
    /// Two directories hold different packages of one name.
    #[error("package `{package}` is defined differently in `{}` and `{}`", first.display(), second.display())]
    Duplicate {
        /// Name and version.
        package: String,
        /// One directory.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// The package has no world.
    #[error("package `{package}` has no world")]
    NoWorld {
        /// Name and version.
        package: String,
    },
    /// The package has several worlds and none was named.
    #[error("multiple worlds found in `{package}`; one must be explicitly chosen: {}", worlds.join(", "))]
    ManyWorlds {
        /// Name and version.
        package: String,
        /// The worlds, in order of declaration.
        worlds: Vec<String>,
    },
    /// The named world is not there.
    #[error("no world named `{world}` in package `{package}`")]
    UnknownWorld {
        /// Name and version.
        package: String,
        /// The name as given.
        world: String,
        /// The worlds that there are.
        worlds: Vec<String>,
    },
}

impl Coded for ResolveError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "WIT-001",
            Self::Empty { .. } => "WIT-002",
            Self::Read { .. } => "WIT-003",
            Self::NotText { .. } => "WIT-004",
            Self::Binary { .. } => "WIT-005",
            Self::Parse { .. } => "WIT-006",
            Self::Duplicate { .. } => "WIT-007",
            Self::NoWorld { .. } => "WIT-008",
            Self::ManyWorlds { .. } => "WIT-009",
            Self::UnknownWorld { .. } => "WIT-010",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotFound { .. } => "give the directory that holds the component's `.wit` files, usually `<component>/wit`".to_owned(),
            Self::Empty { .. } => "the `.wit` files of the package stand directly in the directory, its dependencies in `deps/<name>/`".to_owned(),
            Self::Read { path, .. } => format!("check the path and its permissions: ls -l {}", path.display()),
            Self::NotText { .. } => format!("a WIT file is UTF-8 text of at most {MAX_FILE_BYTES} bytes"),
            Self::Binary { path } => format!("convert it: wasm-tools component wit {} --out-dir <deps>/<name>", path.display()),
            Self::Parse { message, .. } if message.contains("not found") => {
                "put the missing package into `deps/<name>/` beside the others".to_owned()
            }
            Self::Parse { .. } => "mend the WIT at the place that is named".to_owned(),
            Self::Duplicate { first, .. } => format!("keep one of the two directories, for example: rm -r {}", first.display()),
            Self::NoWorld { .. } => "declare a `world` with the component's imports and exports".to_owned(),
            Self::ManyWorlds { worlds, .. } => format!("add --world {}", worlds.first().map_or("<name>", String::as_str)),
            Self::UnknownWorld { worlds, .. } => format!("its worlds: {}", worlds.join(", ")),
        })
    }
}

/// Reads and links the WIT directory `root` (or the single WIT file `root`).
///
/// Packages are known by name and version, never by directory. One package in two directories is tolerated when its
/// interfaces and worlds are the same after parsing. Both stub dialects and the spelling of the era are accepted.
///
/// Errors: all of [`ResolveError`] but those about worlds. Source: client specification §3.2, §8.3.
pub fn load(root: &Path) -> Result<Loaded, ResolveError> {
    Tree::read(root)?.link()
}

impl Loaded {
    /// The name of the main package.
    #[must_use]
    pub fn name(&self) -> &PackageName {
        &self.resolve.packages[self.package].name
    }

    /// The package called `namespace:name`, in any version, as it was found on disk.
    #[must_use]
    pub fn source(&self, namespace: &str, name: &str) -> Option<&SourcePackage> {
        self.sources
            .iter()
            .find(|source| source.name.namespace == namespace && source.name.name == name)
    }

    /// The world called `name`, or the only world.
    ///
    /// Errors: [`ResolveError::NoWorld`], [`ResolveError::ManyWorlds`], [`ResolveError::UnknownWorld`].
    pub fn world(&self, name: Option<&str>) -> Result<WorldId, ResolveError> {
        let package = &self.resolve.packages[self.package];
        let worlds = || package.worlds.keys().cloned().collect::<Vec<_>>();
        match (name, package.worlds.len()) {
            (Some(name), _) => {
                package
                    .worlds
                    .get(name)
                    .copied()
                    .ok_or_else(|| ResolveError::UnknownWorld {
                        package: package.name.to_string(),
                        world: name.to_owned(),
                        worlds: worlds(),
                    })
            }
            (None, 1) => package
                .worlds
                .values()
                .next()
                .copied()
                .ok_or_else(|| self.no_world()),
            (None, 0) => Err(self.no_world()),
            (None, _) => Err(ResolveError::ManyWorlds {
                package: package.name.to_string(),
                worlds: worlds(),
            }),
        }
    }

    fn no_world(&self) -> ResolveError {
        ResolveError::NoWorld {
            package: self.name().to_string(),
        }
    }
}

impl Tree {
    /// An empty tree whose errors name files below `root`.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            files: BTreeMap::new(),
        }
    }

    /// Reads the WIT files of a directory: `*.wit`, `deps/<dir>/*.wit` and `deps/*.wit`. Other files are not looked at.
    ///
    /// Errors: [`ResolveError::NotFound`], [`ResolveError::Empty`], [`ResolveError::Read`], [`ResolveError::NotText`],
    /// [`ResolveError::Binary`].
    pub fn read(root: &Path) -> Result<Self, ResolveError> {
        let mut tree = Self::new(root);
        if root.is_file() {
            let name = root.file_name().map(PathBuf::from).unwrap_or_default();
            tree.root = root.parent().map(Path::to_path_buf).unwrap_or_default();
            tree.files.insert(name, read_text(root)?);
            return Ok(tree);
        }
        if !root.is_dir() {
            return Err(ResolveError::NotFound {
                path: root.to_path_buf(),
            });
        }
        tree.read_dir(Path::new(""))?;
        if tree.files.is_empty() {
            return Err(ResolveError::Empty {
                path: root.to_path_buf(),
            });
        }
        let deps = root.join("deps");
        if deps.is_dir() {
            for entry in entries(&deps)? {
                let relative = Path::new("deps").join(&entry);
                let path = root.join(&relative);
                if path.is_dir() {
                    tree.read_dir(&relative)?;
                } else if has_extension(&path, &["wasm", "wat"]) {
                    return Err(ResolveError::Binary { path });
                } else if has_extension(&path, &["wit"]) {
                    tree.insert(relative, read_text(&path)?);
                }
            }
        }
        Ok(tree)
    }

    fn read_dir(&mut self, relative: &Path) -> Result<(), ResolveError> {
        let dir = self.root.join(relative);
        for entry in entries(&dir)? {
            let path = dir.join(&entry);
            if has_extension(&path, &["wit"]) && !path.is_dir() {
                if self.files.len() >= MAX_FILES {
                    return Err(ResolveError::NotText {
                        path,
                        reason: format!("more than {MAX_FILES} WIT files in one tree"),
                    });
                }
                let text = read_text(&path)?;
                self.files.insert(relative.join(entry), text);
            }
        }
        Ok(())
    }

    /// The directory that the paths are relative to.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The files, by path relative to the root.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<PathBuf, String> {
        &self.files
    }

    /// Adds or replaces a file.
    pub fn insert(&mut self, path: impl Into<PathBuf>, text: impl Into<String>) {
        self.files.insert(path.into(), text.into());
    }

    /// Removes a file.
    pub fn remove(&mut self, path: &Path) {
        self.files.remove(path);
    }

    /// Parses and links the files. Errors as [`load`].
    pub fn link(self) -> Result<Loaded, ResolveError> {
        let mut groups = BTreeMap::<PathBuf, Vec<(&PathBuf, &String)>>::new();
        for (path, text) in &self.files {
            groups.entry(group_of(path)).or_default().push((path, text));
        }
        let mut parsed = Vec::with_capacity(groups.len());
        for (dir, files) in groups {
            let paths = files.iter().map(|(path, _)| (*path).clone()).collect();
            parsed.push(Group {
                unresolved: self.parse(&files)?,
                paths,
                dir,
            });
        }
        let main = match parsed
            .iter()
            .position(|group| group.dir.as_os_str().is_empty())
        {
            Some(at) => parsed.remove(at),
            None => return Err(ResolveError::Empty { path: self.root }),
        };
        let mut notes = Vec::new();
        let (main, deps) = self.without_duplicates(main, parsed, &mut notes)?;
        let sources = sources(&main, &deps);
        let (resolve, package) = self.push(&main, &deps)?;
        Ok(Loaded {
            resolve,
            package,
            sources,
            tree: self,
            notes,
        })
    }

    fn parse(&self, files: &[(&PathBuf, &String)]) -> Result<UnresolvedPackageGroup, ResolveError> {
        let mut map = SourceMap::new();
        for (path, text) in files {
            map.push(&self.root.join(path), tolerant::modern(text));
        }
        map.parse().map_err(|(map, error)| ResolveError::Parse {
            location: match error.kind().span() {
                span if span.is_known() => map.render_location(span),
                _ => files.first().map_or_else(String::new, |(path, _)| {
                    self.root.join(path).display().to_string()
                }),
            },
            message: one_line(&error.to_string()),
        })
    }

    fn push(&self, main: &Group, deps: &[Group]) -> Result<(Resolve, PackageId), ResolveError> {
        let mut resolve = Resolve::new();
        let deps = deps.iter().map(|group| group.unresolved.clone()).collect();
        let package = resolve
            .push_groups(main.unresolved.clone(), deps)
            .map_err(|error| ResolveError::Parse {
                location: match error.kind().span() {
                    span if span.is_known() => resolve.source_map.render_location(span),
                    _ => self.root.display().to_string(),
                },
                message: one_line(&error.to_string()),
            })?;
        Ok((resolve, package))
    }

    /// Drops the second of two groups that define the same package, when both mean the same.
    fn without_duplicates(
        &self,
        main: Group,
        deps: Vec<Group>,
        notes: &mut Vec<String>,
    ) -> Result<(Group, Vec<Group>), ResolveError> {
        let mut kept: Vec<Group> = Vec::with_capacity(deps.len());
        let mut twins: Vec<(Option<usize>, Group)> = Vec::new();
        for group in deps {
            let same = |other: &Group| {
                group
                    .names()
                    .any(|name| other.names().any(|known| known == name))
            };
            match kept.iter().position(same) {
                Some(at) => twins.push((Some(at), group)),
                None if same(&main) => twins.push((None, group)),
                None => kept.push(group),
            }
        }
        for (at, twin) in twins {
            let first = at.and_then(|at| kept.get(at)).unwrap_or(&main);
            let duplicate = ResolveError::Duplicate {
                package: twin.unresolved.main.name.to_string(),
                first: self.root.join(&first.dir),
                second: self.root.join(&twin.dir),
            };
            // Each variant is linked by itself, since only a linked package can be compared.
            let Some(at) = at else { return Err(duplicate) };
            let (resolve, _) = self.push(&main, &kept)?;
            let mut other: Vec<Group> = kept.clone();
            if let Some(slot) = other.get_mut(at) {
                *slot = twin.clone();
            }
            let (other_resolve, _) = self.push(&main, &other)?;
            let same = twin.names().all(|name| {
                let items = |resolve: &Resolve| {
                    resolve
                        .package_names
                        .get(name)
                        .map(|id| canonical::items(resolve, *id))
                };
                items(&resolve) == items(&other_resolve)
            });
            if !same {
                return Err(duplicate);
            }
            notes.push(format!(
                "package `{}` stands twice, `{}` is ignored",
                twin.unresolved.main.name,
                self.root.join(&twin.dir).display()
            ));
        }
        Ok((main, kept))
    }
}

#[derive(Debug, Clone)]
struct Group {
    unresolved: UnresolvedPackageGroup,
    dir: PathBuf,
    paths: Vec<PathBuf>,
}

impl Group {
    fn names(&self) -> impl Iterator<Item = &PackageName> {
        std::iter::once(&self.unresolved.main)
            .chain(&self.unresolved.nested)
            .map(|package| &package.name)
    }
}

fn sources(main: &Group, deps: &[Group]) -> Vec<SourcePackage> {
    std::iter::once(main)
        .chain(deps)
        .flat_map(|group| {
            group.names().map(|name| SourcePackage {
                name: name.clone(),
                dir: if group.dir.as_os_str().is_empty()
                    || group
                        .paths
                        .iter()
                        .all(|path| path.parent() == Some(&group.dir))
                {
                    group.dir.clone()
                } else {
                    PathBuf::from("deps")
                },
                files: group.paths.clone(),
            })
        })
        .collect()
}

/// The group that a file belongs to: its directory, or itself for a file that stands directly in `deps`.
fn group_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent == Path::new("deps") => path.to_path_buf(),
        Some(parent) => parent.to_path_buf(),
        None => PathBuf::new(),
    }
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, ResolveError> {
    let failed = |source| ResolveError::Read {
        path: dir.to_path_buf(),
        source,
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        names.push(PathBuf::from(entry.map_err(failed)?.file_name()));
    }
    names.sort();
    Ok(names)
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| extensions.contains(&extension))
}

fn read_text(path: &Path) -> Result<String, ResolveError> {
    let failed = |source| ResolveError::Read {
        path: path.to_path_buf(),
        source,
    };
    let bytes = fs::metadata(path).map_err(failed)?.len();
    if bytes > MAX_FILE_BYTES {
        return Err(ResolveError::NotText {
            path: path.to_path_buf(),
            reason: format!("{bytes} bytes"),
        });
    }
    String::from_utf8(fs::read(path).map_err(failed)?).map_err(|error| ResolveError::NotText {
        path: path.to_path_buf(),
        reason: format!("byte {} is not UTF-8", error.utf8_error().valid_up_to()),
    })
}

fn one_line(text: &str) -> String {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
