// SPDX-License-Identifier: Apache-2.0
//! THE DESK / tests, support: runs the real binary in a directory of its own. In words, out what it said.
//! Never asserts but where it says so. Read next: `new.rs`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// An empty directory to work in.
pub(crate) struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    /// Runs golem-cli with the words of `line` (separated by single blanks) in the directory.
    pub(crate) fn run(&self, line: &str) -> Ran {
        self.run_in("", &line.split(' ').collect::<Vec<_>>(), &[])
    }

    pub(crate) fn run_in(&self, below: &str, words: &[&str], env: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_golem-cli"));
        command
            .args(words)
            .current_dir(self.path(below))
            .env("GOLEM_CONFIG_DIR", self.path(".golem"));
        for name in [
            "GOLEM_GO",
            "GOLEM_URL",
            "GOLEM_TOKEN",
            "GOLEM_TOKEN_FILE",
            "GOLEM_CA_FILE",
            "CI",
            "NO_COLOR",
            "CLICOLOR_FORCE",
            "RUST_LOG",
        ] {
            command.env_remove(name);
        }
        run(command.envs(env.iter().copied()))
    }

    /// Runs and asserts success.
    pub(crate) fn ok(&self, line: &str) -> Ran {
        let ran = self.run(line);
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
        ran
    }

    /// Runs Go and asserts success.
    pub(crate) fn go(&self, below: &str, words: &[&str]) -> Ran {
        let ran = run(Command::new("go")
            .args(words)
            .current_dir(self.path(below))
            .env("GOPROXY", "off"));
        assert_eq!(ran.code, 0, "go {words:?} in {below}: {ran:?}");
        ran
    }

    pub(crate) fn read(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).unwrap()
    }

    pub(crate) fn write(&self, below: &str, text: &str) {
        fs::create_dir_all(self.path(below).parent().unwrap()).unwrap();
        fs::write(self.path(below), text).unwrap();
    }

    /// Replaces text that must be there.
    pub(crate) fn edit(&self, below: &str, from: &str, to: &str) {
        let text = self.read(below);
        assert!(text.contains(from), "`{from}` is not in {below}: {text}");
        self.write(below, &text.replace(from, to));
    }

    /// Every file below, with its bytes.
    pub(crate) fn files(&self, below: &str) -> BTreeMap<String, Vec<u8>> {
        let root = self.path(below);
        let mut found = BTreeMap::new();
        let mut open = vec![root.clone()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    let name = path
                        .strip_prefix(&root)
                        .unwrap()
                        .to_string_lossy()
                        .into_owned();
                    found.insert(name, fs::read(&path).unwrap());
                }
            }
        }
        found
    }

    pub(crate) fn is_empty(&self) -> bool {
        fs::read_dir(self.dir.path()).unwrap().next().is_none()
    }
}

fn run(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Whether Go is here; says loudly what is left out when it is not.
pub(crate) fn has_go(test: &str) -> bool {
    let found = Command::new("go")
        .arg("version")
        .output()
        .is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("SKIP {test}: there is no `go` in PATH, so nothing was compiled");
    }
    found
}

/// A program that stands for Go and says it is of this version.
pub(crate) fn false_go(desk: &Desk, version: &str) -> PathBuf {
    let path = desk.path("false-go");
    fs::write(&path, format!("#!/bin/sh\necho {version}\n")).unwrap();
    make_executable(&path);
    path
}

#[cfg(unix)]
fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(not(unix))]
fn make_executable(_path: &Path) {}
