// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / front_door: tokens and TLS of the real server, asked by the real command line. Source: reliability spec §5.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result};
use golem_testkit::{Server, golem_cli};
use serde_json::json;

/// A worker that is not there.
const WORKER: &str = "urn:worker:8e0b4b8c-14a8-4b6e-9d3f-0123456789ab/w";

/// A guest whose function `say` logs `heard`.
const SPEAKER: &str = r#"(component
  (import "wasi:logging/logging" (instance $logging
    (type $l (enum "trace" "debug" "info" "warn" "error" "critical"))
    (export "level" (type $level (eq $l)))
    (export "log" (func (param "level" $level) (param "context" string) (param "message" string)))))
  (core module $libc (memory (export "memory") 1) (data (i32.const 0) "heard"))
  (core instance $c (instantiate $libc))
  (alias core export $c "memory" (core memory $memory))
  (core func $log (canon lower (func $logging "log") (memory $memory)))
  (core module $m
    (import "host" "log" (func $log (param i32 i32 i32 i32 i32)))
    (func (export "say")
      (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 5))))
  (core instance $i (instantiate $m (with "host" (instance (export "log" (func $log))))))
  (func (export "say") (canon lift (core func $i "say"))))"#;

/// A public key of Ed25519 that was made for this test, and whose other half was thrown away.
const ISSUER_KEY: &str = "0b2OWTrJ34HWC-EQRUm14rlCPZeOxrRPfSnW6uqYNNg";
/// A token that was signed with it: subject `rita`, group `eyes`, until the year 3000.
const ISSUER_TOKEN: &str = "eyJhbGciOiAiRWREU0EiLCAia2lkIjogImsxIn0.eyJpc3MiOiAiaHR0cHM6Ly9pc3N1ZXIudGVzdC8iLCAiYXVkIjogImdvbGVt\
     IiwgInN1YiI6ICJyaXRhIiwgImV4cCI6IDMyNTAzNjgwMDAwLCAiZ3JvdXBzIjogWyJleWVzIl19.Df41bdThqwAIgQJHTnP_7BT\
     6lHK2IJz6ppnnj_picIhggyIJWbcg6wizqy-wnSUyk3C4YK2CNGLU29gThfclBw";

/// `golem-cli` with a server, a token and certificates to trust.
struct Desk<'a> {
    url: &'a str,
    ca_file: Option<&'a Path>,
    token: Option<&'a str>,
}

impl Desk<'_> {
    fn run(&self, words: &[&str]) -> Result<Output> {
        Ok(self.command(words)?.output()?)
    }

    fn command(&self, words: &[&str]) -> Result<Command> {
        let mut command = Command::new(golem_cli()?);
        command
            .args(words)
            .args(["--format", "json", "--url", self.url]);
        command
            .env_remove("GOLEM_TOKEN")
            .env_remove("GOLEM_TOKEN_FILE")
            .env_remove("GOLEM_NAMESPACE");
        if let Some(file) = self.ca_file {
            command.arg("--ca-file").arg(file);
        }
        if let Some(token) = self.token {
            command.env("GOLEM_TOKEN", token);
        }
        Ok(command)
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

#[test]
fn a_worker_is_heard_over_tls_by_whoever_has_a_token() -> Result<()> {
    let dir = tempfile::tempdir()?;
    certificate(dir.path())?;
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let data = dir.path().join("data");
    let (cert_text, key_text) = (cert.display().to_string(), key.display().to_string());
    let options = ["--auth", "--tls-cert", &cert_text, "--tls-key", &key_text];
    let server = Server::start_with(&data, &options)?;
    let owner = std::fs::read_to_string(data.join("owner-token"))?;
    let desk = |token, ca_file| Desk {
        url: server.url(),
        ca_file,
        token,
    };
    let file = dir.path().join("speaker.wasm");
    std::fs::write(&file, wat::parse_str(SPEAKER)?)?;
    let ours = desk(Some(owner.as_str()), Some(cert.as_path()));
    let file = file.display().to_string();
    ours.ok(&["component", "add", "--component-name", "speaker", &file])?;
    ours.ok(&[
        "worker",
        "invoke-and-await",
        "-c",
        "speaker",
        "-w",
        "w",
        "-f",
        "say",
    ])?;
    let listen = ["worker", "connect", "-c", "speaker", "-w", "w"];
    let mut listener = ours.command(&listen)?.stdout(Stdio::piped()).spawn()?;
    let out = listener.stdout.take().context("no output")?;
    let mut lines = BufReader::new(out).lines();
    let heard = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("heard")));
    listener.kill()?;
    listener.wait()?;
    heard.context("nothing was heard")??;
    desk(None, Some(cert.as_path())).fails(
        &["worker", "connect", "--worker", WORKER],
        1,
        "API-030",
    )?;
    // Who does not trust the certificate does not say who they are.
    desk(Some(owner.as_str()), None).fails(
        &["worker", "connect", "--worker", WORKER],
        1,
        "NET-001",
    )?;
    Ok(())
}

#[test]
fn namespaces_keep_teams_apart_over_restarts() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let file = dir.path().join("empty.wasm");
    std::fs::write(&file, b"\0asm\x0d\0\x01\0")?;
    let file = file.display().to_string();
    let server = Server::start_with(&data, &["--auth"])?;
    let owner = std::fs::read_to_string(data.join("owner-token"))?;
    let (mut tokens, mut ids, mut grant) = (Vec::new(), Vec::new(), String::new());
    {
        let desk = |token| Desk {
            url: server.url(),
            ca_file: None,
            token,
        };
        let server_owner = desk(Some(owner.as_str()));
        for team in ["team-a", "team-b"] {
            server_owner.ok(&["namespace", "create", team])?;
            let role = format!("{team}=owner");
            let made = server_owner.ok(&["token", "add", "--name", team, "--role", &role])?;
            tokens.push(made["token"].as_str().context("no token")?.to_owned());
        }
        for token in &tokens {
            let added = desk(Some(token.as_str())).ok(&[
                "component",
                "add",
                "--component-name",
                "same",
                &file,
            ])?;
            let id = &added["componentUrn"];
            ids.push(id.as_str().context("no URN")?.to_owned());
        }
        let (a, b) = (
            desk(Some(tokens[0].as_str())),
            desk(Some(tokens[1].as_str())),
        );
        a.fails(&["component", "get", "-C", &ids[1]], 1, "CMP-001")?;
        a.fails(&["namespace", "create", "mine"], 6, "API-038")?;
        a.fails(
            &["--namespace", "team-b", "component", "list"],
            1,
            "NSP-001",
        )?;
        let given = b.ok(&["namespace", "grant", "team-b", "--caller", "team-a"])?;
        grant.push_str(given["id"].as_str().context("no id")?);
        server_owner.fails(&["namespace", "delete", "team-a"], 7, "NSP-003")?;
    }
    server.kill()?;
    let server = Server::start_with(&data, &["--auth"])?;
    let desk = |token| Desk {
        url: server.url(),
        ca_file: None,
        token,
    };
    let (a, b) = (
        desk(Some(tokens[0].as_str())),
        desk(Some(tokens[1].as_str())),
    );
    assert_eq!(
        a.ok(&["namespace", "grants", "team-a"])?[0]["id"],
        grant.as_str()
    );
    a.fails(&["namespace", "revoke", "team-b", &grant], 3, "NSP-001")?;
    b.ok(&["namespace", "revoke", "team-b", &grant])?;
    assert_eq!(a.ok(&["namespace", "grants", "team-a"])?, json!([]));
    let list = a.ok(&["component", "list"])?;
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
    let all = desk(Some(owner.as_str())).ok(&["namespace", "list"])?;
    assert_eq!(all.as_array().map(Vec::len), Some(3), "{all}");
    assert!(std::fs::read_to_string(data.join("audit.jsonl"))?.contains("team-a calls team-b"));
    Ok(())
}

#[test]
fn tokens_of_an_issuer_in_a_file_hold_and_a_wrong_file_ends_the_start() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (keys, issuers) = (
        dir.path().join("keys.json"),
        dir.path().join("issuers.yaml"),
    );
    let key = json!({"kid": "k1", "kty": "OKP", "crv": "Ed25519", "x": ISSUER_KEY});
    std::fs::write(&keys, json!({ "keys": [key] }).to_string())?;
    let lines = format!(
        "issuers:\n  - issuer: https://issuer.test/\n    audience: [golem]\n    jwks: {}\n    algorithms: [EdDSA]\n    rules:\n      - {{claim: groups, value: eyes, role: viewer}}\n",
        keys.display()
    );
    std::fs::write(&issuers, &lines)?;
    let file = issuers.display().to_string();
    let server = Server::start_with(&dir.path().join("data"), &["--jwt", &file])?;
    let desk = |token| Desk {
        url: server.url(),
        ca_file: None,
        token,
    };
    let rita = desk(Some(ISSUER_TOKEN));
    let who = rita.ok(&["token", "who"])?;
    assert_eq!(
        (&who["name"], &who["role"]),
        (&json!("rita"), &json!("viewer"))
    );
    rita.fails(&["token", "list"], 6, "API-033")?;
    let forged = ISSUER_TOKEN.replacen('.', ".e30", 1);
    desk(Some(&forged)).fails(&["token", "who"], 6, "API-042")?;
    desk(None).fails(&["token", "who"], 6, "API-030")?;
    std::fs::write(&issuers, lines.replace("EdDSA", "HS256"))?;
    let data = dir.path().join("other").display().to_string();
    let refused = Command::new(golem_cli()?)
        .args([
            "server",
            "run",
            "--port",
            "0",
            "--data-dir",
            &data,
            "--jwt",
            &file,
        ])
        .output()?;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains("SRV-010") && said.contains("HS256"),
        "{said}"
    );
    Ok(())
}

/// What a server answers to `GET path` with more lines in the head, all of it.
fn ask(server: &Server, path: &str, lines: &str) -> Result<String> {
    let host = server.url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(host)?;
    let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{lines}\r\n");
    stream.write_all(head.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn whom_a_trusted_proxy_names_is_the_one_who_is_locked_out_and_noted() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("behind");
    let options = [
        "--trusted-proxy",
        "127.0.0.1,10.0.0.0/8",
        "--auth-failures",
        "3",
    ];
    let server = Server::start_with(&data, &options)?;
    // Who is behind a proxy is not on this machine, so they are asked who they are.
    assert!(ask(&server, "/v1/whoami", "")?.contains("API-030"));
    let owner = std::fs::read_to_string(data.join("owner-token"))?;
    let guess = |server: &Server, from: &str| {
        let lines = format!("authorization: Bearer golem_guess\r\nx-forwarded-for: {from}\r\n");
        ask(server, "/v1/whoami", &lines)
    };
    let known = |from: &str| {
        let token = owner.trim();
        let lines = format!(
            "authorization: Bearer {token}\r\nx-forwarded-for: {from}\r\nx-forwarded-proto: https\r\n"
        );
        ask(&server, "/v1/tokens", &lines)
    };
    for _ in 0..4 {
        assert!(guess(&server, "198.51.100.7")?.contains("API-031"));
    }
    assert!(guess(&server, "198.51.100.7")?.contains("API-045"));
    // What stands before the address that the proxy wrote is the client's own.
    assert!(guess(&server, "198.51.100.8, 198.51.100.7, 10.1.1.1")?.contains("API-045"));
    let other = known("198.51.100.8")?;
    assert!(other.starts_with("HTTP/1.1 200"), "{other}");
    assert!(
        other.to_lowercase().contains("strict-transport-security"),
        "{other}"
    );
    assert!(
        !guess(&server, "198.51.100.9")?
            .to_lowercase()
            .contains("strict-transport")
    );
    let noted = std::fs::read_to_string(data.join("audit.jsonl"))?;
    let line: serde_json::Value = serde_json::from_str(noted.lines().nth(1).context("no line")?)?;
    assert_eq!(line["peer"], "198.51.100.7", "{noted}");
    let via = line["via"].as_str().context("no proxy")?;
    assert!(via.starts_with("127.0.0.1:"), "{noted}");

    // A server without such a proxy believes nobody: whoever says to be somebody else is locked out as the one that they are.
    let server = Server::start_with(
        &dir.path().join("open"),
        &["--auth", "--auth-failures", "3"],
    )?;
    for n in 0..4 {
        assert!(guess(&server, &format!("198.51.100.{n}"))?.contains("API-031"));
    }
    assert!(guess(&server, "198.51.100.9")?.contains("API-045"));
    for bad in ["0.0.0.0/0", "proxy.example", "10.0.0.0/33"] {
        let refused = Command::new(golem_cli()?)
            .args(["server", "run", "--port", "0", "--trusted-proxy", bad])
            .output()?;
        assert_eq!(refused.status.code(), Some(2), "{bad}");
    }
    Ok(())
}

/// An archive with one file, as it is.
fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let mut crc = u32::MAX;
    for byte in content {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1));
        }
    }
    let size = u32::try_from(content.len()).unwrap_or_default();
    let length = u16::try_from(name.len()).unwrap_or_default();
    // Version, flags, method, time and date, sum, sizes, lengths of name and extras: the same in both places.
    let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
    common.extend((!crc).to_le_bytes());
    common.extend(size.to_le_bytes());
    common.extend(size.to_le_bytes());
    common.extend(length.to_le_bytes());
    common.extend([0, 0]);
    let local = [b"PK\x03\x04".as_slice(), &common, name.as_bytes(), content].concat();
    let central = [
        b"PK\x01\x02\x14\x00".as_slice(),
        &common,
        &[0; 14],
        name.as_bytes(),
    ]
    .concat();
    let (at, long) = (local.len() as u32, central.len() as u32);
    let mut end = b"PK\x05\x06\0\0\0\0\x01\0\x01\0".to_vec();
    end.extend(long.to_le_bytes());
    end.extend(at.to_le_bytes());
    end.extend([0, 0]);
    [local, central, end].concat()
}

#[test]
fn the_keys_of_an_issuer_may_lie_behind_a_certificate_of_ones_own() -> Result<()> {
    let dir = tempfile::tempdir()?;
    certificate(dir.path())?;
    let (cert, tls_key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let (cert, tls_key) = (cert.display().to_string(), tls_key.display().to_string());
    // The keys are an initial file of a component, so that a server with this certificate hands them out.
    let data = dir.path().join("issuer");
    let component = {
        let plain = Server::start(&data)?;
        let key = json!({"kid": "k1", "kty": "OKP", "crv": "Ed25519", "x": ISSUER_KEY});
        let archive = zip("keys.json", json!({ "keys": [key] }).to_string().as_bytes());
        let wasm = wat::parse_str(SPEAKER)?;
        let parts = [
            ("name", b"issuer".as_slice()),
            ("component", &wasm),
            ("files", &archive),
        ];
        let mut form = Vec::new();
        for (name, bytes) in parts {
            let head = format!("--edge\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n");
            form.extend([head.as_bytes(), bytes, b"\r\n"].concat());
        }
        form.extend(b"--edge--\r\n");
        let host = plain.url().trim_start_matches("http://");
        let mut stream = TcpStream::connect(host)?;
        let head = format!(
            "POST /v1/components HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\ncontent-type: multipart/form-data; boundary=edge\r\n\r\n",
            form.len()
        );
        stream.write_all(&[head.as_bytes(), &form].concat())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer.split_once("\r\n\r\n").context("no answer")?;
        let body: serde_json::Value = serde_json::from_str(body)?;
        let id = body["versionedComponentId"]["componentId"].as_str();
        id.with_context(|| body.to_string())?.to_owned()
    };
    let issuer = Server::start_with(&data, &["--tls-cert", &cert, "--tls-key", &tls_key])?;
    let keys = format!(
        "{}/v1/components/{component}/versions/0/file-contents/keys.json",
        issuer.url()
    );
    let start = |name: &str, ca_file: &str| -> Result<Server> {
        let lines = format!(
            "issuers:\n  - issuer: https://issuer.test/\n    audience: [golem]\n    jwks: {keys}\n{ca_file}    algorithms: [EdDSA]\n    rules:\n      - {{claim: groups, value: eyes, role: viewer}}\n"
        );
        let file = dir.path().join(format!("{name}.yaml"));
        std::fs::write(&file, lines)?;
        let file = file.display().to_string();
        Server::start_with(&dir.path().join(name), &["--jwt", &file])
    };
    let desk = |server: &Server| -> Result<Output> {
        let url = server.url();
        let desk = Desk {
            url,
            ca_file: None,
            token: Some(ISSUER_TOKEN),
        };
        desk.run(&["token", "who"])
    };
    // Nobody of the web has made the certificate, so the keys cannot be had.
    let away = desk(&start("web", "")?)?;
    let said = String::from_utf8_lossy(&away.stderr).into_owned();
    assert!(!away.status.success() && said.contains("API-043"), "{said}");
    let own = desk(&start("own", &format!("    caFile: {cert}\n"))?)?;
    let said = String::from_utf8_lossy(&own.stderr).into_owned();
    assert!(own.status.success(), "{said}");
    assert!(String::from_utf8_lossy(&own.stdout).contains("rita"));
    // A file that has none ends the start.
    let none = start("none", &format!("    caFile: {tls_key}\n"));
    assert!(none.is_err());
    Ok(())
}
