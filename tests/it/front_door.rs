// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / front_door: tokens and TLS of the real server, asked by the real command line. Source: reliability spec §5.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result};
use golem_testkit::{Server, golem_cli};
use serde_json::json;

/// A worker that is not there.
const WORKER: &str = "urn:worker:8e0b4b8c-14a8-4b6e-9d3f-0123456789ab/w";

/// `golem-cli` with a server, a token and certificates to trust.
struct Desk<'a> {
    url: &'a str,
    ca_file: Option<&'a Path>,
    token: Option<&'a str>,
}

impl Desk<'_> {
    fn run(&self, words: &[&str]) -> Result<Output> {
        let mut command = Command::new(golem_cli()?);
        command
            .args(words)
            .args(["--format", "json", "--url", self.url]);
        command
            .env_remove("GOLEM_TOKEN")
            .env_remove("GOLEM_TOKEN_FILE");
        if let Some(file) = self.ca_file {
            command.arg("--ca-file").arg(file);
        }
        if let Some(token) = self.token {
            command.env("GOLEM_TOKEN", token);
        }
        Ok(command.output()?)
    }

    fn ok(&self, words: &[&str]) -> Result<serde_json::Value> {
        let output = self.run(words)?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {said}");
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    fn fails(&self, words: &[&str], exit: i32, code: &str) -> Result<()> {
        let output = self.run(words)?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(exit), "{words:?}: {said}");
        assert!(said.contains(code), "{words:?}: {said}");
        Ok(())
    }
}

/// Writes a certificate for 127.0.0.1 and its key.
fn certificate(dir: &Path) -> Result<()> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    std::fs::write(dir.join("cert.pem"), made.cert.pem())?;
    std::fs::write(dir.join("key.pem"), made.signing_key.serialize_pem())?;
    Ok(())
}

#[test]
fn a_server_that_asks_lets_in_whom_its_owner_named() -> Result<()> {
    let dir = tempfile::tempdir()?;
    certificate(dir.path())?;
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let data = dir.path().join("data");
    let (cert_text, key_text) = (cert.display().to_string(), key.display().to_string());
    let options = ["--auth", "--tls-cert", &cert_text, "--tls-key", &key_text];
    let server = Server::start_with(&data, &options)?;
    assert!(server.url().starts_with("https://"), "{}", server.url());
    let owner = std::fs::read_to_string(data.join("owner-token"))?;
    let desk = |token| Desk {
        url: server.url(),
        ca_file: Some(&cert),
        token,
    };

    desk(None).fails(&["token", "list"], 6, "API-030")?;
    desk(Some("golem_slip")).fails(&["token", "list"], 6, "API-031")?;
    let made = desk(Some(&owner)).ok(&["token", "add", "--name", "eyes", "--role", "viewer"])?;
    let viewer = made["token"].as_str().context("no token")?;
    assert_eq!(desk(Some(viewer)).ok(&["component", "list"])?, json!([]));
    assert_eq!(desk(Some(viewer)).ok(&["token", "who"])?["role"], "viewer");
    desk(Some(viewer)).fails(&["token", "list"], 6, "API-033")?;
    let stranger = Desk {
        ca_file: None,
        ..desk(Some(viewer))
    };
    stranger.fails(&["token", "who"], 5, "NET-001")?;

    // Given and taken tokens are durable.
    server.kill()?;
    let server = Server::start_with(&data, &options)?;
    let desk = |token| Desk {
        url: server.url(),
        ca_file: Some(&cert),
        token,
    };
    assert_eq!(desk(Some(viewer)).ok(&["token", "who"])?["name"], "eyes");
    let id = made["id"].as_str().context("no id")?;
    desk(Some(&owner)).ok(&["token", "revoke", id])?;
    desk(Some(viewer)).fails(&["token", "who"], 6, "API-032")?;
    server.kill()?;
    let server = Server::start_with(&data, &options)?;
    let late = Desk {
        url: server.url(),
        ca_file: Some(&cert),
        token: Some(viewer),
    };
    late.fails(&["token", "who"], 6, "API-032")?;
    assert!(std::fs::read_to_string(data.join("audit.jsonl"))?.contains("/v1/tokens"));
    Ok(())
}

#[test]
fn an_address_that_others_reach_needs_a_token_and_loopback_does_not() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let open = Server::start_with(&dir.path().join("open"), &["--host", "0.0.0.0"])?;
    let url = open.url().replace("0.0.0.0", "127.0.0.1");
    let rest = golem_testkit::Rest::new(&url);
    assert_eq!(rest.get("/v1/components")?.1["code"], "API-030");
    assert_eq!(rest.get("/healthcheck")?.0, 200);
    // Who listens to a worker shows the token, too.
    let owner = std::fs::read_to_string(dir.path().join("open/owner-token"))?;
    let listen = |token| {
        let desk = Desk {
            url: &url,
            ca_file: None,
            token,
        };
        let output = desk.run(&["worker", "connect", "--worker", WORKER])?;
        anyhow::Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert!(listen(None)?.contains("API-030"));
    let known = listen(Some(&owner))?;
    assert!(!known.contains("API-0"), "{known}");
    let own = Server::start(&dir.path().join("own"))?;
    assert_eq!(own.rest().get("/v1/components")?.0, 200);
    Ok(())
}
