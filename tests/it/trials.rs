// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / trials: `golem-cli test` as a user runs it: scenarios in every mode, what crashes and duplicates find, and histories
//! that other code repeats or does not. Source: cli-and-console spec §5; docs/testing.md.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use golem_testkit::{Guest, Server, cache_dir, golem_cli, run};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{guests, name, needs_go, probe};
use crate::traveller::{Traveller, Version, guest};

/// A project of one component that is built already.
struct Project(TempDir);

/// What `golem-cli test` said.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.out).with_context(|| format!("{}{}", self.out, self.err))
    }
}

impl Project {
    fn new(component: &str, wasm: &[u8]) -> Result<Self> {
        let project = Self(tempfile::tempdir()?);
        let manifest = format!(
            "components:\n  {component}: {{ sourceWit: wit, componentWasm: {component}.wasm }}\n"
        );
        project.file("golem.yaml", manifest.as_bytes())?;
        project.file(&format!("{component}.wasm"), wasm)?;
        Ok(project)
    }

    /// The same, whose component declares `capabilities`.
    fn declaring(component: &str, wasm: &[u8], capabilities: &Value) -> Result<Self> {
        let project = Self::new(component, wasm)?;
        project.declare(component, capabilities)?;
        Ok(project)
    }

    fn declare(&self, component: &str, capabilities: &Value) -> Result<()> {
        // JSON is YAML.
        let manifest = json!({"components": {component: {
            "sourceWit": "wit",
            "componentWasm": format!("{component}.wasm"),
            "capabilities": capabilities,
        }}});
        self.file("golem.yaml", manifest.to_string().as_bytes())
            .map(drop)
    }

    fn dir(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.dir().join(name);
        std::fs::create_dir_all(path.parent().context("no directory")?)?;
        std::fs::write(&path, bytes)?;
        Ok(path)
    }

    /// Runs `golem-cli WORDS --no-build`, with the code that earlier tests have compiled.
    fn test(&self, words: &[&str]) -> Result<Said> {
        let program = golem_cli()?;
        let output = Command::new(&program)
            .args(words)
            .arg("--no-build")
            .current_dir(self.dir())
            .env("NO_COLOR", "1")
            .env("XDG_CACHE_HOME", cache_dir(&program))
            .output()?;
        Ok(Said {
            code: output.status.code(),
            out: String::from_utf8(output.stdout)?,
            err: String::from_utf8(output.stderr)?,
        })
    }

    /// Runs the line that a failure says to run, without its first word.
    fn repeat(&self, line: &str) -> Result<Said> {
        let mut words = Vec::new();
        for (at, part) in line.split('\'').enumerate() {
            if at % 2 == 1 {
                words.push(part);
            } else {
                words.extend(part.split_whitespace());
            }
        }
        ensure!(words.first() == Some(&"golem-cli"), "{line}");
        self.test(&words[1..])
    }
}

/// What the new code does: it adds twice.
const EVERYTHING: &str = "scenarios:
- name: time passes, promises are kept, nodes die
  workers: { w: {} }
  steps:
  - { invoke: add, args: [1], expect: 2 }
  - { invoke: sleep, args: [86400000], expect: 2 }
  - { start: wait, as: waiting }
  - { status: running }
  - { advance: 30s }
  - { status: suspended }
  - { complete-promise: four }
  - { await: waiting, expect: 6 }
  - { start: sleep, args: [7200000], as: nap }
  - { schedule: add, args: [10], after: 1h }
  - { advance: 1h30m }
  - { crash: true }
  - { invoke: get, expect: 26 }
  - { await: nap, expect: 6 }
  - { oplog: 'exported-function AND function_name:get' }
  - { status: idle }
- name: a failure is told and an update keeps what was
  begins-with: { traveller: old.wasm }
  workers: { w: { name: other } }
  steps:
  - { invoke: add, args: [3], expect: 3 }
  - { update: snapshot }
  - { invoke: add, args: [4], expect: 11 }
  - { invoke: sleep, args: [3600000], timeout: 5s, expect-error: WRK-016 }
  - { invoke: boom, expect-error: WRK-006 }
  - { status: failed }
- name: an update by replay keeps what was
  begins-with: { traveller: old.wasm }
  workers: { w: {} }
  steps:
  - { invoke: sleep, args: [1000], expect: 0 }
  - { update: automatic }
  - { invoke: add, args: [2], expect: 4 }
";

#[test]
fn scenarios_go_well_in_every_mode_and_days_pass_in_no_time() -> Result<()> {
    let project = Project::new("traveller", &guest(Version::Same)?)?;
    project.file("old.wasm", &guest(Version::First)?)?;
    project.file("tests/all.yaml", EVERYTHING.as_bytes())?;
    let said = project.test(&["--format", "json", "test"])?;
    let report = said.json()?;
    ensure!(said.code == Some(0), "{}{}", said.out, said.err);
    assert_eq!(
        (&report["passed"], &report["failed"]),
        (&json!(3), &json!(0))
    );
    let first = &report["scenarios"][0];
    let passed = first["plain"]["passedMilliseconds"].as_u64();
    assert!(passed >= Some(86_400_000 + 7_200_000), "{first}");
    for scenario in report["scenarios"].as_array().context("a list")? {
        let crashes = &scenario["crashes"];
        let count = |name: &str| crashes[name].as_u64().unwrap_or_default();
        // A tick of the machine may fall into a guest, and a commit more or less follows from that.
        assert!(count("crashes") + 4 >= count("points"), "{scenario}");
        assert!(count("points") >= 10, "{scenario}");
        assert!(scenario["duplicates"].is_object(), "{scenario}");
    }
    let listed = project.test(&["test", "--list"])?;
    assert!(
        listed.out.starts_with("tests/all.yaml:2  time passes"),
        "{}",
        listed.out
    );
    Ok(())
}

#[test]
fn a_wrong_expectation_is_told_with_its_line_and_what_repeats_it() -> Result<()> {
    let project = Project::new("traveller", &guest(Version::First)?)?;
    let text = "scenarios:
- name: it is wrong
  workers: { w: {} }
  steps:
  - { invoke: add, args: [1] }
  - { invoke: get, expect: 2 }
- name: nobody completes the promise
  workers: { w: {} }
  steps:
  - { invoke: wait }
";
    project.file("tests/wrong.yaml", text.as_bytes())?;
    let said = project.test(&["test"])?;
    assert_eq!(said.code, Some(4), "{}{}", said.out, said.err);
    for part in [
        "FAILED  it is wrong  (tests/wrong.yaml:2)",
        "tests/wrong.yaml:6, step 2 [plain]: error[TST-010]: `get` returned `1`, expected `2`",
        "repeat: golem-cli test tests/wrong.yaml --scenario 'it is wrong' --quick",
        "tests/wrong.yaml:10, step 1 [plain]: error[TST-014]",
        "2 scenarios: 0 passed, 2 failed",
    ] {
        assert!(said.out.contains(part), "no `{part}` in:\n{}", said.out);
    }
    assert!(said.err.contains("error[TST-036]"), "{}", said.err);
    let again =
        project.repeat("golem-cli test tests/wrong.yaml --scenario 'it is wrong' --quick")?;
    assert_eq!(again.code, Some(4));
    assert!(again.out.contains("1 scenario: 0 passed"), "{}", again.out);
    let none = project.test(&["test", "--scenario", "it is rong"])?;
    assert_eq!(none.code, Some(3));
    assert!(
        none.err.contains("did you mean `it is wrong`?"),
        "{}",
        none.err
    );
    Ok(())
}

#[test]
fn a_crash_finds_a_payment_that_is_made_twice() -> Result<()> {
    if needs_go("a_crash_finds_a_payment_that_is_made_twice") {
        return Ok(());
    }
    let wasm = Guest::build(&guests().join("host-probe"), "host_probe.wasm")?.wasm;
    let project = Project::new("host-probe", &wasm)?;
    let text = "scenarios:
- name: a payment without a key
  workers: { w: {} }
  http:
  - { request: POST http://bank.example/charge, status: 201, body: paid }
  steps:
  - { invoke: http, args: [POST, http://bank.example/charge, ten], expect: 201 paid }
  - { sent: POST http://bank.example/charge }
  - { http: GET /again, expect-status: 201 }
";
    project.file("tests/pay.yaml", text.as_bytes())?;
    // Nothing goes wrong plainly, and one key is one effect.
    let calm = project.test(&["test", "--duplicate"])?;
    ensure!(calm.code == Some(0), "{}{}", calm.out, calm.err);
    let said = project.test(&["--format", "json", "test", "--crash-at-every-step"])?;
    assert_eq!(said.code, Some(4), "{}{}", said.out, said.err);
    let report = said.json()?;
    let failure = &report["scenarios"][0]["failures"][0];
    assert_eq!(failure["code"], "TST-019", "{failure}");
    assert_eq!(failure["at"], "tests/pay.yaml:8", "{failure}");
    let line = failure["repeat"].as_str().context("no command")?;
    assert!(line.contains("--crash-at "), "{line}");
    let again = project.repeat(line)?;
    assert_eq!(again.code, Some(4), "{line}\n{}{}", again.out, again.err);
    assert!(
        again.out.contains("had 2 effects outside, expected 1"),
        "{}",
        again.out
    );
    // Without a word about it in the scenario it is found as well, and what does no harm is no failure.
    let silent = text.replace("  - { sent: POST http://bank.example/charge }\n", "");
    project.file("tests/pay.yaml", silent.as_bytes())?;
    let said = project.test(&["test", "--crash-at-every-step"])?;
    assert_eq!(said.code, Some(4), "{}{}", said.out, said.err);
    assert!(said.out.contains("error[TST-020]"), "{}", said.out);
    let harmless = silent.replace("body: paid", "body: paid, repeatable: true");
    project.file("tests/pay.yaml", harmless.as_bytes())?;
    let said = project.test(&["test", "--crash-at-every-step"])?;
    ensure!(said.code == Some(0), "{}{}", said.out, said.err);
    Ok(())
}

#[test]
fn a_history_from_a_server_is_repeated_by_code_that_fits_and_by_no_other() -> Result<()> {
    let traveller = Traveller::start()?;
    for n in 1..=3 {
        traveller.call("w", "add", &[json!(n)])?;
    }
    let project = Project::new("traveller", &guest(Version::First)?)?;
    let words = ["worker", "export", "--component-name", "traveller"];
    let words = [&words[..], &["--worker-name", "w", "--output", "w.rec"]].concat();
    let exported = Command::new(golem_cli()?)
        .args(words)
        .current_dir(project.dir())
        .env("GOLEM_URL", traveller.server.url())
        .output()?;
    let told = String::from_utf8_lossy(&exported.stdout);
    assert!(told.contains("entries of traveller/w"), "{told}");
    let replay = |version| -> Result<Said> {
        project.file("traveller.wasm", &guest(version)?)?;
        project.test(&["test", "--replay", "w.rec"])
    };
    let same = replay(Version::First)?;
    ensure!(same.code == Some(0), "{}{}", same.out, same.err);
    assert!(same.out.contains("traveller/w: repeated"), "{}", same.out);
    let other = replay(Version::Other)?;
    assert_eq!(other.code, Some(4), "{}{}", other.out, other.err);
    assert!(other.out.contains("traveller/w: diverged"), "{}", other.out);
    assert!(
        other.err.contains("error[TST-037]") && other.err.contains("get-random-u64"),
        "{}",
        other.err
    );
    let mut damaged = std::fs::read(project.dir().join("w.rec"))?;
    damaged[40] ^= 1;
    project.file("w.rec", &damaged)?;
    let broken = project.test(&["test", "--replay", "w.rec"])?;
    assert_eq!(broken.code, Some(1));
    assert!(broken.err.contains("error[TST-003]"), "{}", broken.err);
    Ok(())
}

#[test]
fn a_scenario_meets_the_same_denial_as_on_a_server() -> Result<()> {
    if needs_go("a_scenario_meets_the_same_denial_as_on_a_server") {
        return Ok(());
    }
    let wasm = Guest::build(&guests().join("host-probe"), "host_probe.wasm")?.wasm;
    let allow = json!({"network": {"allow": ["http://bank.example", "*:8080"]}});
    let project = Project::declaring("host-probe", &wasm, &allow)?;
    let data = tempfile::tempdir()?;
    let server = Server::start_with(data.path(), &["--allow-network", "*"])?;
    run(project.dir(), &["--url", server.url(), "deploy"])?;
    let (_, listed) = server.rest().get("/v1/components")?;
    let component = listed[0]["versionedComponentId"]["componentId"]
        .as_str()
        .context("no component")?;
    let denied = |url: &str| -> Result<String> {
        let params = [json!("POST"), json!(url), json!("ten")];
        let said = server
            .rest()
            .call(component, "w", "it:host-probe/host-api.{http}", &params)?;
        Ok(said.as_str().context("no text")?.to_owned())
    };
    let other = denied("http://shop.example/charge")?;
    assert!(other.starts_with("error: "), "{other}");
    let mut steps = String::new();
    // Another host, another kind of request, an address inside.
    for url in [
        "http://shop.example/charge",
        "https://bank.example/charge",
        "http://10.0.0.7:8080/charge",
    ] {
        let said = denied(url)?;
        steps.push_str(&format!(
            "  - {{ invoke: http, args: [POST, '{url}', ten], expect: '{said}' }}\n"
        ));
    }
    let text = format!(
        "scenarios:
- name: only what is declared
  workers: {{ w: {{}} }}
  http:
  - {{ request: POST http://*, status: 201, body: paid, repeatable: true }}
  - {{ request: POST https://*, status: 201, body: paid, repeatable: true }}
  steps:
{steps}  - {{ invoke: http, args: [POST, 'http://bank.example/charge', ten], expect: 201 paid }}
"
    );
    project.file("tests/denied.yaml", text.as_bytes())?;
    let said = project.test(&["test"])?;
    ensure!(said.code == Some(0), "{}{}", said.out, said.err);
    // What was sent nowhere is told with the reason.
    let sent = "  - { sent: POST http://shop.example/charge }\n";
    project.file("tests/denied.yaml", format!("{text}{sent}").as_bytes())?;
    let said = project.test(&["test", "--quick"])?;
    assert_eq!(said.code, Some(4), "{}{}", said.out, said.err);
    assert!(
        said.out.contains("error[TST-019]")
            && said
                .out
                .contains("does not allow POST http://10.0.0.7:8080/charge"),
        "{}",
        said.out
    );
    server.stop()?;
    Ok(())
}

#[test]
fn a_scenario_has_limits_and_secrets_that_are_none() -> Result<()> {
    if needs_go("a_scenario_has_limits_and_secrets_that_are_none") {
        return Ok(());
    }
    let declared = json!({
        "env": {"API_KEY": {"secret": "api-key"}, "MODE": "test"},
        "limits": {"memory": "48MiB"},
    });
    let project = Project::declaring("probe", &probe()?.wasm, &declared)?;
    let text = "scenarios:
- name: it has what it declares and no more
  secrets: { api-key: not-a-real-key }
  workers: { w: {}, eats: {} }
  steps:
  - { invoke: env, worker: w, args: [API_KEY], expect: not-a-real-key }
  - { invoke: env, worker: w, args: [MODE], expect: test }
  - { invoke: allocate, worker: eats, expect-error: WRK-021 }
  - { crash: true }
  - { invoke: env, worker: w, args: [API_KEY], expect: not-a-real-key }
";
    project.file("tests/secrets.yaml", text.as_bytes())?;
    let said = project.test(&["test"])?;
    ensure!(said.code == Some(0), "{}{}", said.out, said.err);
    let without = text.replace("  secrets: { api-key: not-a-real-key }\n", "");
    project.file("tests/secrets.yaml", without.as_bytes())?;
    let said = project.test(&["test"])?;
    assert_eq!(said.code, Some(4), "{}{}", said.out, said.err);
    assert!(
        said.out.contains("error[TST-027]") && said.out.contains("secrets: { api-key:"),
        "{}",
        said.out
    );
    let short = text.replace("not-a-real-key }", "short }");
    project.file("tests/secrets.yaml", short.as_bytes())?;
    let said = project.test(&["test"])?;
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    assert!(
        said.err.contains("error[TST-034]") && said.err.contains("tests/secrets.yaml:3"),
        "{}",
        said.err
    );
    Ok(())
}

#[test]
fn a_recorded_history_is_repeated_with_what_the_component_declares() -> Result<()> {
    if needs_go("a_recorded_history_is_repeated_with_what_the_component_declares") {
        return Ok(());
    }
    let declared = json!({
        "env": {"API_KEY": {"secret": "api-key"}, "MODE": "test"},
    });
    let project = Project::declaring("probe", &probe()?.wasm, &declared)?;
    let data = tempfile::tempdir()?;
    let server = Server::start(data.path())?;
    let cli = |words: &[&str]| {
        let url = ["--url", server.url()];
        run(project.dir(), &[&url[..], words].concat())
    };
    let key = project.file("key.txt", b"a-real-key-of-a-server")?;
    let key = key.display().to_string();
    cli(&["secret", "set", "api-key", "--file", &key])?;
    cli(&["deploy"])?;
    let (_, listed) = server.rest().get("/v1/components")?;
    let component = listed[0]["versionedComponentId"]["componentId"]
        .as_str()
        .context("no component")?;
    let mode = [json!("MODE")];
    let said = server.rest().call(component, "w", &name("env"), &mode)?;
    assert_eq!(said, "test");
    let words = ["worker", "export", "--component-name", "probe"];
    cli(&[&words[..], &["--worker-name", "w", "--output", "w.rec"]].concat())?;
    server.stop()?;
    let same = project.test(&["test", "--replay", "w.rec"])?;
    ensure!(same.code == Some(0), "{}{}", same.out, same.err);
    project.declare("probe", &json!({"env": {"MODE": "other"}}))?;
    let other = project.test(&["test", "--replay", "w.rec"])?;
    assert_eq!(other.code, Some(4), "{}{}", other.out, other.err);
    assert!(other.out.contains("probe/w: diverged"), "{}", other.out);
    Ok(())
}
