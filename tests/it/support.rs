// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / support: what every test starts with: a built guest, a server on a fresh directory, an upload.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use golem_testkit::{Guest, Rest, Server, go, run};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Where the guests of the tests are.
pub(crate) fn guests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("guests")
}

/// Whether there is a Go compiler. Without one the test says so, loudly, and proves nothing.
pub(crate) fn needs_go(test: &str) -> bool {
    if go().is_none() {
        eprintln!("SKIPPED {test}: no Go on the PATH, install it with scripts/setup");
        return true;
    }
    false
}

/// Compiles `<root>/<part>`, whose bindings are there, to `<root>/<part>.wasm` for a world of `<root>/wit`.
pub(crate) fn compile_part(go: &str, root: &Path, part: &str, world: &str) -> Result<()> {
    let (module, wasm) = (format!("{part}.core.wasm"), format!("{part}.wasm"));
    let output = Command::new(go)
        .args([
            "build",
            "-trimpath",
            "-buildmode=c-shared",
            "-ldflags=-s -w",
        ])
        .args(["-o", &format!("../{module}"), "."])
        .current_dir(root.join(part))
        .envs([
            ("GOOS", "wasip1"),
            ("GOARCH", "wasm"),
            ("GOTOOLCHAIN", "local"),
            ("GOFLAGS", "-mod=mod"),
        ])
        .output()
        .with_context(|| format!("cannot run {go}"))?;
    ensure!(
        output.status.success(),
        "{go} in {part}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let words = [
        "build", "--module", &module, "--world", world, "--output", &wasm,
    ];
    run(root, &words).map(drop)
}

/// Plugs `stub` into `source`: files of `root`.
pub(crate) fn compose(root: &Path, source: &str, stub: &str, dest: &str) -> Result<()> {
    let files = [
        "--source-wasm",
        source,
        "--stub-wasm",
        stub,
        "--dest-wasm",
        dest,
    ];
    let words: Vec<&str> = ["stubgen", "compose"].into_iter().chain(files).collect();
    run(root, &words).map(drop)
}

/// A server on a fresh directory with the probe uploaded.
pub(crate) struct Probe {
    pub(crate) data: TempDir,
    pub(crate) server: Server,
    pub(crate) component: String,
}

impl Probe {
    /// Starts it.
    pub(crate) fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// Starts it with more options of `server run`.
    pub(crate) fn start_with(options: &[&str]) -> Result<Self> {
        let wasm = probe()?.wasm;
        let data = tempfile::tempdir()?;
        let server = Server::start_with(data.path(), options)?;
        let component = server.rest().create_component("probe", &wasm)?;
        Ok(Self {
            data,
            server,
            component,
        })
    }

    /// Kills the server and starts it again on the same directory.
    pub(crate) fn restart(self) -> Result<Self> {
        self.server.kill()?;
        let server = Server::start(self.data.path())?;
        Ok(Self {
            data: self.data,
            server,
            component: self.component,
        })
    }

    /// A client.
    pub(crate) fn rest(&self) -> Rest {
        self.server.rest()
    }

    /// Calls a function of the probe on a worker.
    pub(crate) fn call(&self, worker: &str, function: &str, params: &[Value]) -> Result<Value> {
        self.rest()
            .call(&self.component, worker, &name(function), params)
    }

    /// The same, with the status and the whole answer.
    pub(crate) fn try_call(
        &self,
        worker: &str,
        function: &str,
        params: &[Value],
        key: Option<&str>,
    ) -> Result<(u16, Value)> {
        self.rest()
            .try_call(&self.component, worker, &name(function), params, key)
    }

    /// Hands in an invocation without waiting for it.
    pub(crate) fn post(
        &self,
        worker: &str,
        function: &str,
        params: &[Value],
        key: Option<&str>,
    ) -> Result<(u16, Value)> {
        let params: Vec<Value> = params
            .iter()
            .map(|value| json!({ "value": value }))
            .collect();
        let function = name(function).replace('{', "%7B").replace('}', "%7D");
        let path = format!(
            "/v1/components/{}/workers/{worker}/invoke?function={function}",
            self.component
        );
        self.rest().post(&path, &json!({ "params": params }), key)
    }

    /// Path of a worker.
    pub(crate) fn worker(&self, worker: &str) -> String {
        format!("/v1/components/{}/workers/{worker}", self.component)
    }
}

/// Full name of a function of the probe.
pub(crate) fn name(function: &str) -> String {
    format!("it:probe/probe-api.{{{function}}}")
}

/// The built probe.
pub(crate) fn probe() -> Result<Guest> {
    Guest::build(&guests().join("probe"), "probe.wasm")
}
