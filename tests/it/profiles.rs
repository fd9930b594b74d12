// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / profiles: what a profile says of its server is what happens: any certificate is believed there and nowhere else, and
//! workers are asked for at their own address; and `doctor` says what is wrong with a certificate. Source: client spec §1.3.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result};
use golem_testkit::{Server, golem_cli};
use serde_json::{Value, json};

/// Exports `add: func(a: u64, b: u64) -> u64`.
const ADDER: &str = r#"(component
  (core module $m (func (export "add") (param i64 i64) (result i64) local.get 0 local.get 1 i64.add))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u64) (param "b" u64) (result u64) (canon lift (core func $i "add"))))"#;

/// The warning of a profile that believes any certificate.
const WARNING: &str = "warning: nobody checks who answers at https://";

/// `golem-cli` with profiles of its own, and no word of a server but theirs.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Result<Self> {
        Ok(Self(tempfile::tempdir()?))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Result<Command> {
        let mut command = Command::new(golem_cli()?);
        command.args(words).current_dir(self.0.path());
        for name in [
            "GOLEM_URL",
            "GOLEM_TOKEN",
            "GOLEM_TOKEN_FILE",
            "GOLEM_CA_FILE",
            "GOLEM_NAMESPACE",
        ] {
            command.env_remove(name);
        }
        command
            .env("GOLEM_CONFIG_DIR", self.path("config"))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        Ok(command)
    }

    fn run(&self, words: &[&str]) -> Result<Output> {
        Ok(self.command(words)?.output()?)
    }

    /// What a success says on standard output and on standard error.
    fn ok(&self, words: &[&str]) -> Result<(String, String)> {
        let output = self.run(words)?;
        let said = text(&output.stderr);
        assert!(output.status.success(), "{words:?}: {said}");
        Ok((text(&output.stdout), said))
    }

    /// What a failure says on standard error.
    fn fails(&self, words: &[&str], exit: i32) -> Result<String> {
        let output = self.run(words)?;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(exit), "{words:?}: {said}");
        Ok(said)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Which certificate a server has.
struct Certificate {
    name: &'static str,
    last_year: i32,
}

/// A server that speaks TLS with such a certificate, which is written to `cert.pem` in `dir`.
fn encrypted(dir: &Path, certificate: &Certificate) -> Result<Server> {
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    let pair = rcgen::KeyPair::generate()?;
    let mut wanted = rcgen::CertificateParams::new([certificate.name.to_owned()])?;
    wanted.not_before = rcgen::date_time_ymd(2000, 1, 1);
    wanted.not_after = rcgen::date_time_ymd(certificate.last_year, 1, 1);
    std::fs::write(&cert, wanted.self_signed(&pair)?.pem())?;
    std::fs::write(&key, pair.serialize_pem())?;
    let (cert, key) = (cert.display().to_string(), key.display().to_string());
    let options = ["--tls-cert", &cert, "--tls-key", &key];
    Server::start_with(&dir.join("data"), &options)
}

/// One that holds, for the address of the server.
const GOOD: Certificate = Certificate {
    name: "127.0.0.1",
    last_year: 2999,
};

#[test]
fn any_certificate_is_believed_for_the_profile_that_says_so_and_for_no_other() -> Result<()> {
    let home = Home::new()?;
    let server = encrypted(home.0.path(), &GOOD)?;
    let file = home.path("adder.wasm").display().to_string();
    std::fs::write(&file, wat::parse_str(ADDER)?)?;
    let profile = |name, more: &[&str]| {
        let words = ["profile", "add", "--set-active", name, "-c", server.url()];
        home.ok(&[&words, more].concat())
    };
    profile("strict", &[])?;
    assert!(home.fails(&["component", "list"], 1)?.contains("NET-001"));
    profile("lax", &["--allow-insecure"])?;
    let (_, said) = home.ok(&["component", "add", "-c", "adder", &file])?;
    assert!(
        said.contains(WARNING) && said.contains("from profile lax"),
        "{said}"
    );
    assert_eq!(said.matches("warning:").count(), 1, "{said}");
    let call = [
        "worker", "invoke", "-c", "adder", "-w", "w", "-f", "add", "-a", "1", "-a", "2",
    ];
    let (_, said) = home.ok(&[&["--quiet"], call.as_slice()].concat())?;
    assert!(said.contains(WARNING), "{said}");

    // A WebSocket goes the same way.
    let mut listener = home
        .command(&["worker", "connect", "-c", "adder", "-w", "w"])?
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(listener.stderr.take().context("no output")?).lines();
    let warned = lines
        .map_while(Result::ok)
        .find(|line| line.contains("warning:"));
    listener.kill()?;
    listener.wait()?;
    assert!(warned.context("no warning")?.contains(WARNING));

    // An address that is named is not that of the profile, and certificates that are named are looked at.
    let refused = home.fails(&["component", "list", "--url", server.url()], 1)?;
    assert!(
        refused.contains("NET-001") && !refused.contains("warning:"),
        "{refused}"
    );
    let (_, said) = home.ok(&["component", "list", "--ca-file", "cert.pem"])?;
    assert_eq!(said, "");
    home.ok(&["profile", "switch", "strict"])?;
    assert!(home.fails(&["component", "list"], 1)?.contains("NET-001"));
    Ok(())
}

#[test]
fn workers_are_asked_for_at_their_own_address_and_components_at_the_other() -> Result<()> {
    let home = Home::new()?;
    let components = Server::start(&home.path("components"))?;
    let workers = Server::start(&home.path("workers"))?;
    let file = home.path("adder.wasm").display().to_string();
    std::fs::write(&file, wat::parse_str(ADDER)?)?;
    // Both know the component, so that only the address decides who keeps a worker.
    home.ok(&[
        "component",
        "add",
        "-c",
        "adder",
        &file,
        "--url",
        components.url(),
    ])?;
    home.ok(&["export", "all", "--url", components.url()])?;
    home.ok(&["import", "all", "--url", workers.url()])?;
    let bad = home.fails(
        &[
            "profile",
            "add",
            "x",
            "-c",
            components.url(),
            "-w",
            "nowhere",
        ],
        2,
    )?;
    assert!(
        bad.contains("NET-002") && bad.contains("--worker-url"),
        "{bad}"
    );
    home.ok(&[
        "profile",
        "add",
        "--set-active",
        "two",
        "-c",
        components.url(),
        "--worker-url",
        workers.url(),
        "-f",
        "json",
    ])?;

    let (component, _) = home.ok(&["component", "get", "-c", "adder"])?;
    let component: Value = serde_json::from_str(&component)?;
    let urn = component["componentUrn"].as_str().context("no URN")?;
    let id = urn.trim_start_matches("urn:component:");
    home.ok(&["worker", "add", "-c", "adder", "-w", "made"])?;
    let call = [
        "worker",
        "invoke-and-await",
        "-c",
        "adder",
        "-w",
        "called",
        "-f",
        "add",
    ];
    let (answer, _) = home.ok(&[&call, ["-a", "20", "-a", "22"].as_slice()].concat())?;
    let answer: Value = serde_json::from_str(&answer)?;
    assert_eq!(answer["value"], json!([42]));
    for name in ["made", "called"] {
        let path = format!("/v1/components/{id}/workers/{name}");
        assert_eq!(workers.rest().get(&path)?.0, 200, "{name}");
        assert_eq!(components.rest().get(&path)?.0, 404, "{name}");
    }
    let (oplog, _) = home.ok(&["worker", "oplog", "-c", "adder", "-w", "called"])?;
    assert!(oplog.contains("ExportedFunctionInvoked"), "{oplog}");

    // A new version is one of the first address, and the events of a worker come from the second.
    home.ok(&["component", "update", "-c", "adder", &file])?;
    let latest = format!("/v1/components/{id}/latest");
    let version = |server: &Server| -> Result<Value> {
        Ok(server.rest().get(&latest)?.1["versionedComponentId"]["version"].clone())
    };
    assert_eq!(
        (version(&components)?, version(&workers)?),
        (json!(1), json!(0))
    );
    components.kill()?;
    let listen = [
        "worker",
        "connect",
        "--worker",
        &format!("urn:worker:{id}/absent"),
    ];
    assert!(home.fails(&listen, 1)?.contains("WRK-001"));
    workers.kill()?;
    let away = home.fails(&listen, 1)?;
    assert!(away.contains("from profile two, for workers"), "{away}");
    Ok(())
}

#[test]
fn doctor_says_what_is_wrong_with_a_certificate() -> Result<()> {
    let other_name = Certificate {
        name: "other.example",
        ..GOOD
    };
    let expired = Certificate {
        last_year: 2001,
        ..GOOD
    };
    for (certificate, trusted, state, found, hint) in [
        (&GOOD, true, "ok", "the certificate is trusted", ""),
        (
            &GOOD,
            false,
            "failed",
            "made by nobody who is trusted",
            "--ca-file FILE",
        ),
        (&expired, true, "failed", "has expired", "renew it"),
        (
            &other_name,
            true,
            "failed",
            "for another name",
            "--url https://NAME",
        ),
    ] {
        let home = Home::new()?;
        let server = encrypted(home.0.path(), certificate)?;
        let mut words = vec!["doctor", "--json", "--url", server.url()];
        if trusted {
            words.extend(["--ca-file", "cert.pem"]);
        }
        let output = home.run(&words)?;
        let checks: Value = serde_json::from_slice(&output.stdout)?;
        let check = |name: &str| -> Result<Value> {
            let all = checks.as_array().context("no list")?;
            let found = all.iter().find(|check| check["name"] == name);
            Ok(found
                .with_context(|| format!("no {name} in {checks}"))?
                .clone())
        };
        let tls = check("server tls")?;
        assert_eq!(tls["state"], state, "{tls}");
        let told = tls["found"].as_str().context("nothing found")?;
        assert!(told.contains(found), "{tls}");
        assert_eq!(check("server port")?["state"], "ok");
        if state == "ok" {
            assert_eq!(check("server http")?["state"], "ok");
            continue;
        }
        assert!(
            tls["hint"].as_str().context("no hint")?.contains(hint),
            "{tls}"
        );
        assert_eq!(check("server http")?["state"], "skipped");
        assert_eq!(output.status.code(), Some(5), "{tls}");
        words.retain(|word| *word != "--json");
        let output = home.run(&words)?;
        let (shown, said) = (text(&output.stdout), text(&output.stderr));
        assert!(
            shown.contains("FAIL  server tls") && shown.contains(hint),
            "{shown}"
        );
        assert!(
            said.contains("CLI-003") && said.contains("server tls"),
            "{said}"
        );
    }

    // What speaks no TLS at all, and a profile that believes anything.
    let home = Home::new()?;
    let plain = Server::start(&home.path("plain"))?;
    let output = home.run(&["doctor", "--url", &plain.url().replace("http:", "https:")])?;
    let shown = text(&output.stdout);
    assert!(
        shown.contains("FAIL  server tls") && shown.contains("--url http://HOST:PORT"),
        "{shown}"
    );
    let server = encrypted(home.0.path(), &expired)?;
    home.ok(&[
        "profile",
        "add",
        "-s",
        "lax",
        "-c",
        server.url(),
        "--allow-insecure",
    ])?;
    let shown = text(&home.run(&["doctor"])?.stdout);
    assert!(shown.contains("nobody checks with whom"), "{shown}");
    Ok(())
}
