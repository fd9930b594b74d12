// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / peer: Restate beside ours. In: npm and crates.io, once, into `.tools/peer`. Out: [`Peer`], a Restate server with the
//! service of `benches/peer` behind it. Its server is run and never kept in this repository: its licence is the BSL.
//! Without it a measurement goes on and says so. Read next: `subject.rs`. Source: benches/README.md, "The peer".

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::http::Connection;
use crate::measure::Who;
use crate::process::{Program, READY_MAX, free_port};
use crate::rest;

/// The npm package of the server.
const PACKAGE: &str = "@restatedev/restate-server";
/// Its version: figures are compared over time, so it moves only by hand.
const VERSION: &str = "1.7.12";
/// Partitions when tuned: of 24, 2, and more in between, 2 was the best on two cores.
const TUNED_PARTITIONS: &str = "2";
/// Time without a message after which it sends a waiting invocation away, in the rows that measure how it comes back.
pub(crate) const SENT_AWAY_AFTER: &str = "500ms";
/// Pause between two questions to it that take it some work.
const PAUSE: Duration = Duration::from_millis(20);

/// What is installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Installed {
    /// Version of the server.
    pub(crate) version: String,
    /// Whether the service was built for speed.
    pub(crate) release: bool,
    #[serde(skip)]
    server: PathBuf,
    #[serde(skip)]
    service: PathBuf,
}

/// `.tools/peer` of this checkout.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/peer")
}

fn server_binary() -> PathBuf {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let processor = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    folder()
        .join("node_modules")
        .join(format!("{PACKAGE}-{system}-{processor}"))
        .join("bin/restate-server")
}

fn service_binary(release: bool) -> PathBuf {
    let profile = if release { "release" } else { "debug" };
    folder().join(format!("target/{profile}/golem-bench-peer"))
}

/// Fetches the server from npm and builds the service, for speed unless `debug`. Errors: what npm or cargo say.
pub(crate) fn install(debug: bool) -> anyhow::Result<()> {
    let folder = folder();
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("package.json"), "{\"private\": true}\n")?;
    let mut npm = Command::new("npm");
    // Its installation script reports to a third party.
    npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts"])
        .arg("--save-exact")
        .arg(format!("{PACKAGE}@{VERSION}"))
        .current_dir(&folder);
    told(npm, "npm")?;
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--locked"]);
    if !debug {
        cargo.arg("--release");
    }
    cargo
        .arg("--manifest-path")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../peer/Cargo.toml"))
        .arg("--target-dir")
        .arg(folder.join("target"));
    told(cargo, "cargo")?;
    let installed = find()?;
    crate::report::say(&format!(
        "peer installed: restate {}, its service built {}",
        installed.version,
        if installed.release {
            "for speed"
        } else {
            "without optimisation"
        }
    ))
}

fn told(mut command: Command, name: &str) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("failed to start `{name}`"))?;
    anyhow::ensure!(status.success(), "`{name}` failed with {status}");
    Ok(())
}

/// What is installed. Errors: why the peer is skipped.
pub(crate) fn find() -> anyhow::Result<Installed> {
    const HINT: &str = "hint: golem-bench peer --install";
    let server = server_binary();
    anyhow::ensure!(server.is_file(), "no `{}`\n{HINT}", server.display());
    let package = folder().join(format!("node_modules/{PACKAGE}/package.json"));
    let package: Value = serde_json::from_str(&std::fs::read_to_string(&package)?)?;
    let version = package.get("version").and_then(Value::as_str);
    let version = version.unwrap_or_default().to_owned();
    anyhow::ensure!(
        version == VERSION,
        "restate is `{version}`, the figures are of {VERSION}\n{HINT}"
    );
    let release = service_binary(true).is_file();
    let service = service_binary(release);
    anyhow::ensure!(service.is_file(), "no `{}`\n{HINT}", service.display());
    Ok(Installed {
        version,
        release,
        server,
        service,
    })
}

/// A Restate server and its service, both as processes.
#[derive(Debug)]
pub(crate) struct Peer {
    /// The server: ingress, log, state.
    pub(crate) server: Program,
    /// The service that it calls.
    pub(crate) service: Program,
    admin: SocketAddr,
    /// Milliseconds from the start of its process until it was healthy.
    pub(crate) ready_ms: f64,
}

impl Installed {
    /// Starts both with their data in `dir`, on free ports, and waits until a first call is answered. Durable as it comes: it
    /// syncs its log before it replies.
    pub(crate) async fn start(
        &self,
        who: Who,
        dir: &Path,
        env: &[(&str, &str)],
    ) -> anyhow::Result<Peer> {
        std::fs::create_dir_all(dir)?;
        let (ingress, admin, node, port) = (free_port()?, free_port()?, free_port()?, free_port()?);
        let data = dir.join("data").to_string_lossy().into_owned();
        let words = ["--base-dir", &data, "--no-logo"]
            .map(str::to_owned)
            .to_vec();
        let mut server = Program::new(
            "restate",
            &self.server,
            words,
            dir.join("server.log"),
            ingress,
        )
        .with_env(&[
            ("RESTATE_BIND_IP", "127.0.0.1"),
            ("RESTATE_ADVERTISED_HOST", "127.0.0.1"),
            // Sockets of its own beside the ports would need paths that are short enough.
            ("RESTATE_LISTEN_MODE", "tcp"),
            ("RESTATE_BIND_PORT", &node.to_string()),
            ("RESTATE_INGRESS__BIND_PORT", &ingress.to_string()),
            ("RESTATE_ADMIN__BIND_PORT", &admin.to_string()),
            ("RESTATE_DISABLE_TELEMETRY", "true"),
            ("DO_NOT_TRACK", "1"),
            ("RESTATE_LOG_FILTER", "warn"),
        ])
        .with_env(env);
        if who == Who::PeerTuned {
            server = server.with_env(&[("RESTATE_DEFAULT_NUM_PARTITIONS", TUNED_PARTITIONS)]);
        }
        let mut service = Program::new(
            "golem-bench-peer",
            &self.service,
            Vec::new(),
            dir.join("service.log"),
            port,
        )
        .with_env(&[("PORT", &port.to_string()), ("RUST_LOG", "error")]);
        let start = service.spawn()?;
        service.connect(start).await?;
        let start = server.spawn()?;
        let admin = SocketAddr::from((server.address.ip(), admin));
        let mut peer = Peer {
            server,
            service,
            admin,
            ready_ms: 0.0,
        };
        while peer.healthy().await.is_err() {
            anyhow::ensure!(
                start.elapsed() < READY_MAX,
                "restate is not healthy; see `{}`",
                dir.join("server.log").display()
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        peer.ready_ms = start.elapsed().as_secs_f64() * 1e3;
        let deployment = json!({ "uri": format!("http://127.0.0.1:{port}"), "force": true });
        // It is healthy before it takes services.
        while let Err(error) = peer.admin("/deployments", &deployment).await {
            if start.elapsed() > READY_MAX {
                return Err(error.context("restate does not take the service"));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(peer)
    }
}

impl Peer {
    async fn healthy(&mut self) -> anyhow::Result<()> {
        let mut connection = Connection::open(self.admin).await?;
        let answer = connection
            .request("GET", "/health", "application/json", b"")
            .await?;
        anyhow::ensure!(answer.status() == 200, "status {}", answer.status());
        Ok(())
    }

    async fn admin(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let mut connection = Connection::open(self.admin).await?;
        let body = body.to_string();
        rest::ask(
            &mut connection,
            "POST",
            path,
            "application/json",
            body.as_bytes(),
        )
        .await
    }

    /// Lets the object `key` do `steps` durable steps, waits until its server has sent it away, wakes it, and returns the
    /// milliseconds until it has answered: its steps are replayed for that.
    pub(crate) async fn replay_ms(&self, key: &str, steps: u64) -> anyhow::Result<f64> {
        let mut connection = Connection::open(self.server.address).await?;
        let waits = format!("/Steps/{key}/waits");
        let waiting = tokio::spawn({
            let (address, path, body) = (
                self.server.address,
                format!("/Steps/{key}/wait"),
                steps.to_string(),
            );
            async move {
                let mut connection = Connection::open(address).await?;
                rest::ask(
                    &mut connection,
                    "POST",
                    &path,
                    "application/json",
                    body.as_bytes(),
                )
                .await
            }
        });
        let awakeable = loop {
            let id = rest::ask(&mut connection, "POST", &waits, "application/json", b"").await?;
            match id.as_str() {
                Some(id) if !id.is_empty() => break id.to_owned(),
                _ => tokio::time::sleep(PAUSE).await,
            }
            anyhow::ensure!(!waiting.is_finished(), "the steps of `{key}` failed");
        };
        let query = json!({ "query": format!(
            "select status from sys_invocation where target_service_key = '{key}' and target_handler_name = 'wait'"
        ) });
        loop {
            let answer = self.admin("/query", &query).await?;
            if answer.pointer("/rows/0/status").and_then(Value::as_str) == Some("suspended") {
                break;
            }
            anyhow::ensure!(!waiting.is_finished(), "`{key}` did not wait");
            tokio::time::sleep(PAUSE).await;
        }
        let resolve = format!("/restate/awakeables/{awakeable}/resolve");
        let start = std::time::Instant::now();
        rest::ask(&mut connection, "POST", &resolve, "application/json", b"7").await?;
        let answer = waiting.await??;
        anyhow::ensure!(answer == json!(7), "`{key}` answered {answer}");
        Ok(start.elapsed().as_secs_f64() * 1e3)
    }
}
