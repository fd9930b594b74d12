// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / initial_files: the files that workers begin with, from golem.yaml and from the command line to a Go guest that reads
//! them, over kills. In: the host probe. Source: client spec §5, docs/initial-files.md.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use golem_testkit::{Guest, Server, golem_cli, run, run_failing};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{guests, needs_go};
use crate::traveller::until;

const FILES: &str = "    files:
    - { sourcePath: assets, targetPath: /data }
    - { sourcePath: app.conf, targetPath: /etc/app.conf, permissions: read-write }
";

/// A project of one component that is built already, and a server.
struct Project {
    dir: TempDir,
    data: TempDir,
    server: Server,
}

impl Project {
    fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    fn start_with(options: &[&str]) -> Result<Self> {
        let wasm = Guest::build(&guests().join("host-probe"), "host_probe.wasm")?.wasm;
        let data = tempfile::tempdir()?;
        let project = Self {
            dir: tempfile::tempdir()?,
            server: Server::start_with(data.path(), options)?,
            data,
        };
        project.write("probe.wasm", wasm.as_slice())?;
        project.manifest(FILES)?;
        project.write("app.conf", "mode = fast")?;
        project.write("assets/b.txt", "b")?;
        project.write("assets/deep/z.txt", "z")?;
        Ok(project)
    }

    fn write(&self, path: &str, bytes: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().context("no directory")?)?;
        std::fs::write(&path, bytes)?;
        Ok(path)
    }

    fn manifest(&self, files: &str) -> Result<()> {
        let text = format!(
            "components:\n  probe:\n    sourceWit: wit\n    componentWasm: probe.wasm\n{files}"
        );
        self.write("golem.yaml", text).map(drop)
    }

    fn cli(&self, words: &[&str]) -> Result<String> {
        let url = ["--url", self.server.url()];
        run(self.dir.path(), &[&url[..], words].concat())
    }

    /// Deploys; what the command line says of it.
    fn deploy(&self) -> Result<String> {
        self.cli(&["deploy"])
    }

    fn component(&self) -> Result<String> {
        let said = self.cli(&[
            "--format",
            "json",
            "component",
            "get",
            "--component-name",
            "probe",
        ])?;
        let said: Value = serde_json::from_str(&said)?;
        let urn = said["componentUrn"].as_str().context("no URN")?;
        Ok(urn.trim_start_matches("urn:component:").to_owned())
    }

    fn call(&self, worker: &str, function: &str, params: &[Value]) -> Result<String> {
        let name = format!("it:host-probe/host-api.{{{function}}}");
        let said = self
            .server
            .rest()
            .call(&self.component()?, worker, &name, params)?;
        Ok(said.as_str().context("no text")?.to_owned())
    }

    /// Whether a worker says that there is no such file.
    fn is_absent(&self, worker: &str, path: &str) -> Result<bool> {
        let said = self.read(worker, path)?;
        Ok(said.to_lowercase().contains("no such file"))
    }

    fn read(&self, worker: &str, path: &str) -> Result<String> {
        self.call(worker, "file-read", &[json!(path)])
    }

    /// A number of `/metrics`.
    fn metric(&self, name: &str) -> Result<u64> {
        let (_, text) = self.server.rest().get("/metrics")?;
        let text = text.as_str().context("no text")?;
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        let found = lines.find(|(metric, _)| *metric == name);
        Ok(found.context("no such metric")?.1.parse()?)
    }

    fn restart(self) -> Result<Self> {
        self.server.kill()?;
        let server = Server::start(self.data.path())?;
        Ok(Self { server, ..self })
    }
}

#[test]
fn workers_begin_with_the_files_that_the_manifest_names() -> Result<()> {
    if needs_go("workers_begin_with_the_files_that_the_manifest_names") {
        return Ok(());
    }
    let project = Project::start()?;
    let said = project.deploy()?;
    assert!(said.contains("probe: added, version 0"), "{said}");
    assert_eq!(project.read("w", "/data/deep/z.txt")?, "z");
    assert_eq!(project.read("w", "/data/b.txt")?, "b");
    let write = |worker: &str, path: &str| {
        project.call(
            worker,
            "file-write",
            &[json!(path), json!("!"), json!(true)],
        )
    };
    assert_ne!(write("w", "/data/b.txt")?, "", "it is read-only");
    assert_eq!(write("w", "/etc/app.conf")?, "");
    assert_eq!(project.read("w", "/etc/app.conf")?, "mode = fast!");
    assert_eq!(project.read("other", "/etc/app.conf")?, "mode = fast");

    // The same files, written anew in another order, are the same component.
    std::fs::remove_dir_all(project.dir.path().join("assets"))?;
    project.write("assets/deep/z.txt", "z")?;
    project.write("assets/b.txt", "b")?;
    let said = project.deploy()?;
    assert!(said.contains("probe: unchanged, version 0"), "{said}");
    project.write("assets/b.txt", "another b")?;
    let said = project.deploy()?;
    assert!(said.contains("probe: updated, version 1"), "{said}");
    assert_eq!(project.read("new", "/data/b.txt")?, "another b");
    let project = project.restart()?;
    assert_eq!(project.read("w", "/data/b.txt")?, "b", "it began with it");
    assert_eq!(project.read("w", "/etc/app.conf")?, "mode = fast!");

    // The manifest says all: without the key there are none.
    project.manifest("")?;
    let said = project.deploy()?;
    assert!(said.contains("probe: updated, version 2"), "{said}");
    assert!(project.is_absent("without", "/data/b.txt")?);
    let said = project.deploy()?;
    assert!(said.contains("probe: unchanged, version 2"), "{said}");
    project.server.stop()?;
    Ok(())
}

#[test]
fn files_are_given_kept_and_taken_away_on_the_command_line() -> Result<()> {
    if needs_go("files_are_given_kept_and_taken_away_on_the_command_line") {
        return Ok(());
    }
    let project = Project::start()?;
    let named = ["--component-name", "probe", "probe.wasm"];
    let upload =
        |verb: &str, more: &[&str]| project.cli(&[&["component", verb], more, &named[..]].concat());
    upload(
        "add",
        &["--files", "assets:/", "--files", "app.conf:/c:read-write"],
    )?;
    assert_eq!(project.read("w0", "/deep/z.txt")?, "z");
    assert_eq!(project.read("w0", "/c")?, "mode = fast");
    upload("update", &[])?;
    assert_eq!(project.read("w1", "/deep/z.txt")?, "z", "as before");
    upload("update", &["--files", "app.conf:/only"])?;
    assert_eq!(project.read("w2", "/only")?, "mode = fast");
    assert!(project.is_absent("w2", "/c")?);
    upload("update", &["--no-files"])?;
    assert!(project.is_absent("w3", "/only")?);
    // Without a file on the command line, those of the manifest.
    project.cli(&["component", "update", "--component-name", "probe"])?;
    assert_eq!(project.read("w4", "/data/deep/z.txt")?, "z");
    project.server.stop()?;
    Ok(())
}

#[test]
fn nothing_is_sent_when_a_file_cannot_be_taken() -> Result<()> {
    if needs_go("nothing_is_sent_when_a_file_cannot_be_taken") {
        return Ok(());
    }
    let project = Project::start()?;
    std::os::unix::fs::symlink("/etc/passwd", project.dir.path().join("assets/passwd"))?;
    let url = ["--url", project.server.url()];
    let (_, said) = run_failing(project.dir.path(), &[&url[..], &["deploy"]].concat())?;
    let link = Path::new("assets/passwd").display().to_string();
    assert!(said.contains("error[FIL-002]"), "{said}");
    assert!(said.contains(&link) && said.contains("hint: "), "{said}");
    let (_, listed) = project.server.rest().get("/v1/components")?;
    assert_eq!(listed, json!([]));
    project.server.stop()?;
    Ok(())
}

#[test]
fn a_scenario_has_the_files_too() -> Result<()> {
    if needs_go("a_scenario_has_the_files_too") {
        return Ok(());
    }
    let project = Project::start()?;
    let text = "scenarios:
- name: it reads what it began with
  workers: { w: {} }
  steps:
  - { invoke: file-read, args: [/data/deep/z.txt], expect: z }
  - { crash: true }
  - { invoke: file-read, args: [/etc/app.conf], expect: mode = fast }
";
    project.write("tests/files.yaml", text)?;
    let program = golem_cli()?;
    let output = std::process::Command::new(&program)
        .args(["test", "--quick", "--no-build"])
        .current_dir(project.dir.path())
        .env("NO_COLOR", "1")
        .env("XDG_CACHE_HOME", golem_testkit::cache_dir(&program))
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains("1 scenario: 1 passed"), "{said}");
    project.server.stop()?;
    Ok(())
}

#[test]
fn what_a_worker_made_of_its_files_is_read_without_repeating_its_history() -> Result<()> {
    /// Each makes three entries: enough for a checkpoint before the worker makes room for another.
    const CALLS: usize = 800;
    if needs_go("what_a_worker_made_of_its_files_is_read_without_repeating_its_history") {
        return Ok(());
    }
    let project = Project::start_with(&["--resident-max", "1"])?;
    project.deploy()?;
    let component = project.component()?;
    let append = |worker: &str| {
        let params = [json!("/etc/app.conf"), json!("!"), json!(true)];
        let name = "it:host-probe/host-api.{file-write}";
        project
            .server
            .rest()
            .call(&component, worker, name, &params)
    };
    for _ in 0..CALLS {
        assert_eq!(append("w")?, "");
    }
    append("another")?;
    until("a checkpoint", || {
        let taken = project.metric("golem_checkpoints_taken_total")?;
        Ok((taken > 0).then_some(()))
    })?;
    let project = project.restart()?;
    let path = format!("/v1/components/{component}/workers/w/file-contents/etc/app.conf");
    let (status, content) = project.server.rest().get(&path)?;
    assert_eq!(status, 200, "{content}");
    assert_eq!(content, format!("mode = fast{}", "!".repeat(CALLS)));
    let replayed = project.metric("golem_replayed_entries_total")?;
    assert!(replayed < CALLS as u64, "{replayed} entries, {CALLS} calls");
    assert_eq!(project.metric("golem_checkpoints_used_total")?, 1);
    project.server.stop()?;
    Ok(())
}
