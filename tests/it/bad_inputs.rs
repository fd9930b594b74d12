// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / bad_inputs: everything that can be wrong with a request gets a coded answer with a hint, and the server
//! goes on. Source: style page, errors; client spec §6.7.

use anyhow::Result;
use golem_testkit::{Server, run_failing};
use serde_json::{Value, json};

use crate::support::{Probe, needs_go};

fn coded(answer: (u16, Value), status: u16, code: &str) {
    assert_eq!(
        (answer.0, &answer.1["code"]),
        (status, &json!(code)),
        "{}",
        answer.1
    );
    assert!(
        answer.1["hint"]
            .as_str()
            .is_some_and(|hint| !hint.is_empty()),
        "no hint in {}",
        answer.1
    );
}

#[test]
fn bad_uploads_are_refused_with_a_code() -> Result<()> {
    let data = tempfile::tempdir()?;
    let server = Server::start(data.path())?;
    let rest = server.rest();
    let upload =
        |name: &str, wasm: &[u8]| rest.upload("/v1/components", Some(name), "Durable", wasm);
    coded(upload("empty", b"")?, 400, "CMP-005");
    coded(upload("junk", b"not wasm at all")?, 400, "CMP-005");
    coded(upload("core", b"\0asm\x01\0\0\0")?, 400, "CMP-005");
    coded(
        upload("broken", b"\0asm\x0d\0\x01\0\xff\xff\xff")?,
        400,
        "CMP-008",
    );
    let huge = vec![0; (50 << 20) + (2 << 20)];
    let answer = upload("huge", &huge);
    // The server may close the connection while the client still sends: that is a refusal too.
    if let Ok((status, _)) = answer {
        assert_eq!(status, 413);
    }
    // A client of its own: the connection of the refused upload is closed, and a pool may still offer it.
    let rest = server.rest();
    let nobody = "11111111-2222-3333-4444-555555555555";
    coded(
        rest.get(&format!("/v1/components/{nobody}/latest"))?,
        404,
        "CMP-001",
    );
    assert_eq!(rest.get("/v1/components/not-a-uuid/latest")?.0, 400);
    assert_eq!(rest.get("/healthcheck")?.0, 200);
    assert_eq!(rest.get("/v1/components")?.1, json!([]));
    Ok(())
}

#[test]
fn bad_invocations_are_refused_with_a_code_and_the_worker_is_unharmed() -> Result<()> {
    if needs_go("bad_invocations_are_refused_with_a_code_and_the_worker_is_unharmed") {
        return Ok(());
    }
    let probe = Probe::start()?;
    probe.call("w", "add", &[json!(1)])?;
    let (status, body) = probe.try_call("w", "ad", &[json!(1)], None)?;
    assert_eq!(status, 400, "{body}");
    assert!(
        body["message"]
            .as_str()
            .is_some_and(|text| text.contains("{add}")),
        "no suggestion: {body}"
    );
    for params in [
        vec![],
        vec![json!("one")],
        vec![json!(-1)],
        vec![json!(1.5)],
        vec![json!(1), json!(2)],
        vec![json!(null)],
    ] {
        let (status, body) = probe.try_call("w", "add", &params, None)?;
        assert_eq!(status, 400, "{params:?} answered {body}");
        assert!(
            body["code"].is_string() && body["hint"].is_string(),
            "{body}"
        );
    }
    assert_eq!(probe.rest().get(&probe.worker("nobody"))?.0, 404);
    assert_eq!(probe.rest().delete(&probe.worker("nobody"))?.0, 404);
    let path = format!(
        "{}/invoke-and-await?function=it%3Aprobe%2Fprobe-api.%7Badd%7D",
        probe.worker("w")
    );
    assert_eq!(probe.rest().post(&path, &json!("no object"), None)?.0, 400);
    assert_eq!(probe.call("w", "get", &[])?, json!(1));
    Ok(())
}

#[test]
fn the_command_line_tells_what_is_wrong_and_what_to_do() -> Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("junk.wasm"), b"junk")?;
    let data = tempfile::tempdir()?;
    let server = Server::start(data.path())?;
    let url = server.url();
    for arguments in [
        &["--url", url, "component", "add", "-c", "junk", "junk.wasm"][..],
        &["--url", url, "component", "get", "-c", "nobody"],
        &["--url", url, "worker", "get", "-W", "urn:worker:nonsense/x"],
        &["--url", "http://127.0.0.1:9", "component", "list"],
    ] {
        let (code, text) = run_failing(folder.path(), arguments)?;
        assert!((1..=9).contains(&code), "{arguments:?} ended with {code}");
        assert!(
            text.contains("error[") && text.contains("hint:"),
            "{arguments:?} said {text}"
        );
    }
    let (code, text) = run_failing(
        folder.path(),
        &[
            "server",
            "run",
            "--port",
            "0",
            "--data-dir",
            &data.path().display().to_string(),
        ],
    )?;
    assert!(code != 0 && text.contains("STO-003"), "{text}");
    Ok(())
}
