// SPDX-License-Identifier: Apache-2.0
//! THE DESK / build go: finds Go and runs it. In a directory, out a core module. Bound: Go [`OLDEST`] or newer.
//! Never reads Go's output but its version: what Go says goes to the terminal as it is. Read next: `steps.rs`.

use std::{
    ffi::OsString,
    fmt,
    path::Path,
    process::{Command, Stdio},
};

use super::BuildError;
use crate::output;

/// The oldest Go that knows `go:wasmexport` and c-shared for wasip1.
pub(crate) const OLDEST: Version = Version {
    major: 1,
    minor: 24,
};

/// A version of Go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    major: u32,
    minor: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl Version {
    /// Finds `go1.26.8` in text such as `go version devel go1.27-5a3 …`.
    fn read(text: &str) -> Option<Self> {
        let numbers = text
            .split_whitespace()
            .find_map(|word| word.strip_prefix("go1."))?;
        let minor: String = numbers.chars().take_while(char::is_ascii_digit).collect();
        Some(Self {
            major: 1,
            minor: minor.parse().ok()?,
        })
    }
}

/// A Go that can compile components.
#[derive(Debug, Clone)]
pub(crate) struct Go {
    program: OsString,
    /// The whole version, such as `go1.26.8`.
    pub(crate) version: String,
}

impl Go {
    /// Finds the Go that `dir` is built with: `$GOLEM_GO`, else `go` in `$PATH`.
    ///
    /// Errors: `GoMissing`, `GoOld`, `Tool` (Go itself does not run, for example because `go.mod` asks for a newer one),
    /// `Start`.
    pub(crate) fn find(dir: &Path) -> Result<Self, BuildError> {
        let program = std::env::var_os("GOLEM_GO")
            .filter(|go| !go.is_empty())
            .unwrap_or_else(|| "go".into());
        let shown = program.to_string_lossy().into_owned();
        let output = Command::new(&program)
            .args(["env", "GOVERSION"])
            .current_dir(dir)
            .stderr(Stdio::inherit())
            .output();
        let output = output.map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound if dir.is_dir() => BuildError::GoMissing {
                program: shown.clone(),
            },
            _ => BuildError::Start {
                command: format!("{shown} env GOVERSION"),
                dir: dir.to_owned(),
                source,
            },
        })?;
        if !output.status.success() {
            return Err(BuildError::Tool {
                command: format!("{shown} env GOVERSION"),
                dir: dir.to_owned(),
                status: output.status.to_string(),
                go: true,
            });
        }
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        match Version::read(&text) {
            // A version that cannot be read is one of Go's own builds from source: newer than any release.
            Some(version) if version < OLDEST => Err(BuildError::GoOld {
                program: shown,
                found: version.to_string(),
                needed: OLDEST.to_string(),
            }),
            _ => Ok(Self {
                program,
                version: text,
            }),
        }
    }

    /// Compiles the `package main` in `dir` to the core module `module`, an absolute path.
    ///
    /// Paths and the state of the version control are left out of the module, so that the same source gives the same
    /// bytes. `offline` forbids Go to fetch modules and toolchains; templates need none.
    /// Errors: `Tool`, `Start`.
    pub(crate) fn build(
        &self,
        dir: &Path,
        module: &Path,
        debug: bool,
        offline: bool,
    ) -> Result<(), BuildError> {
        let mut command = Command::new(&self.program);
        command.args([
            "build",
            "-buildmode=c-shared",
            "-trimpath",
            "-buildvcs=false",
        ]);
        if !debug {
            command.arg("-ldflags=-s -w");
        }
        command.arg("-o").arg(module).arg(".").current_dir(dir);
        command.env("GOOS", "wasip1").env("GOARCH", "wasm");
        if offline {
            command.env("GOPROXY", "off").env("GOTOOLCHAIN", "local");
        }
        run(&mut command, "go build", dir, true)
    }
}

/// Runs a command with its output on standard error, for data alone goes to standard output.
pub(super) fn run(
    command: &mut Command,
    shown: &str,
    dir: &Path,
    go: bool,
) -> Result<(), BuildError> {
    let failed = |source| BuildError::Start {
        command: shown.to_owned(),
        dir: dir.to_owned(),
        source,
    };
    command.stdin(Stdio::null());
    let status = if go && output::err_is_terminal() {
        // A line of progress is on the terminal: what Go says comes through here, so that it does not begin in that line.
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        std::thread::scope(|scope| {
            scope.spawn(|| out.map(pass_on));
            scope.spawn(|| err.map(pass_on));
            child.wait()
        })
        .map_err(failed)?
    } else {
        command
            .stdout(Stdio::from(std::io::stderr()))
            .stderr(Stdio::inherit());
        command.status().map_err(failed)?
    };
    if status.success() {
        return Ok(());
    }
    Err(BuildError::Tool {
        command: shown.to_owned(),
        dir: dir.to_owned(),
        status: status.to_string(),
        go,
    })
}

/// Copies what a tool says to standard error as it comes.
fn pass_on(mut from: impl std::io::Read) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        output::raw_err(bytes.get(..count).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_go_says() {
        let check = |text: &str, minor: Option<u32>| {
            assert_eq!(Version::read(text).map(|v| v.minor), minor, "{text}")
        };
        check("go1.26.8", Some(26));
        check("go1.24rc1", Some(24));
        check("devel go1.27-5a3b Tue", Some(27));
        check("gccgo", None);
        assert!(Version { major: 1, minor: 9 } < OLDEST);
    }
}
