// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / faults/secrets: a guest that uses a secret, writes it into its log and sends it in a request; what is kept of that.
//! Read next: `../secrets.rs`, `../redact.rs`. Why: docs/adr/0014-secrets.md.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc;

use golem_model::capabilities::Capabilities;
use golem_model::component::ComponentType;
use golem_model::oplog::OplogEntry;
use golem_model::{Coded as _, ComponentId, Namespace, OplogIndex, Value, WorkerId};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::gym::Gym;
use super::outside;
use crate::component::files::Upload;
use crate::error::WorkerError;
use crate::queue::Target;

const WORLD: &str = "
package it:teller;
world teller {
  import wasi:cli/environment@0.2.0;
  import wasi:logging/logging;
  import wasi:http/types@0.2.0;
  import wasi:http/outgoing-handler@0.2.0;
  /// Logs the value of the first variable, asks the authority for it as a path; the length of the value.
  export tell: func(authority: string) -> u64;
}
";

const CLI: &str = "
package wasi:cli@0.2.0;
interface environment { get-environment: func() -> list<tuple<string, string>>; }
";

const CODE: &str = r#"
(module
  (import "wasi:cli/environment@0.2.0" "get-environment" (func $environment (param i32)))
  (import "wasi:logging/logging" "log" (func $log (param i32 i32 i32 i32 i32)))
  (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/poll@0.2.12" "[resource-drop]pollable" (func $drop-pollable (param i32)))
  (import "wasi:http/types@0.2.0" "[constructor]fields" (func $fields (result i32)))
  (import "wasi:http/types@0.2.0" "[constructor]outgoing-request" (func $request (param i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-scheme" (func $scheme (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-authority" (func $authority (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-path-with-query" (func $path (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/outgoing-handler@0.2.0" "handle" (func $handle (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]future-incoming-response.subscribe" (func $subscribe (param i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[method]future-incoming-response.get" (func $response (param i32 i32)))
  (import "wasi:http/types@0.2.0" "[method]incoming-response.status" (func $status (param i32) (result i32)))
  (import "wasi:http/types@0.2.0" "[resource-drop]incoming-response" (func $drop-response (param i32)))
  (import "wasi:http/types@0.2.0" "[resource-drop]future-incoming-response" (func $drop-future (param i32)))
  (memory (export "memory") 1)
  (global $top (mut i32) (i32.const 1024))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local i32)
    (if (i32.gt_u (i32.add (global.get $top) (local.get 3)) (i32.const 65000))
      (then (global.set $top (i32.const 1024))))
    (local.set 4 (global.get $top))
    (global.set $top (i32.and
      (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8)))
    (local.get 4))
  (func (export "tell") (param $to i32) (param $length i32) (result i64)
    (local $value i32) (local $size i32) (local $request i32) (local $future i32) (local $ready i32)
    (call $environment (i32.const 64))
    (local.set $value (i32.load offset=8 (i32.load (i32.const 64))))
    (local.set $size (i32.load offset=12 (i32.load (i32.const 64))))
    (call $log (i32.const 2) (i32.const 0) (i32.const 0) (local.get $value) (local.get $size))
    (local.set $request (call $request (call $fields)))
    (drop (call $scheme (local.get $request) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))
    (drop (call $authority (local.get $request) (i32.const 1) (local.get $to) (local.get $length)))
    (drop (call $path (local.get $request) (i32.const 1) (local.get $value) (local.get $size)))
    (call $handle (local.get $request) (i32.const 0) (i32.const 0) (i32.const 64))
    (if (i32.load8_u (i32.const 64)) (then (unreachable)))
    (local.set $future (i32.load (i32.const 72)))
    (local.set $ready (call $subscribe (local.get $future)))
    (call $block (local.get $ready))
    (call $drop-pollable (local.get $ready))
    (call $response (local.get $future) (i32.const 64))
    (if (i32.or (i32.load8_u (i32.const 72)) (i32.load8_u (i32.const 80))) (then (unreachable)))
    (call $drop-response (i32.load (i32.const 88)))
    (call $drop-future (local.get $future))
    (i64.extend_i32_u (local.get $size))))
"#;

fn teller() -> Vec<u8> {
    let mut resolve = Resolve::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit");
    resolve.push_dir(path).unwrap();
    resolve.push_str("cli.wit", CLI).unwrap();
    let package = resolve.push_str("world.wit", WORLD).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut module = wat::parse_str(CODE).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut encoder = ComponentEncoder::default().module(&module).unwrap();
    encoder.encode().unwrap()
}

const FIRST: &str = "/correct-horse-battery-staple";
/// As long as [`FIRST`]: the guest answers with the length, and a history that has another answer would not be repeated.
const SECOND: &str = "/tr0ub4dor-and-3-tr0ub4dor-n3";

struct Bank {
    gym: Gym,
    component: ComponentId,
    authority: String,
    /// Paths that were asked for.
    asked: mpsc::Receiver<String>,
}

/// A peer that tells which paths it was asked for. Ends with the process.
fn peer() -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, asked) = mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (mut text, mut chunk) = (Vec::new(), [0; 1024]);
            while !text.ends_with(b"\r\n\r\n") {
                let read = stream.read(&mut chunk).unwrap();
                text.extend_from_slice(&chunk[..read]);
            }
            let text = String::from_utf8(text).unwrap();
            let path = text.split(' ').nth(1).unwrap().to_owned();
            if sender.send(path).is_err() {
                return;
            }
            let answer = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).unwrap();
        }
    });
    (port, asked)
}

fn declared(text: &str) -> Capabilities {
    Capabilities::from_json(text.as_bytes()).unwrap()
}

impl Bank {
    async fn new() -> Self {
        let (port, asked) = peer();
        let authority = format!("127.0.0.1:{port}");
        let mut gym = Gym::new(8, 1).await;
        gym.allow(vec![authority.parse().unwrap()]).await;
        gym.node
            .set_secret(&Namespace::default(), "api-key", FIRST.as_bytes())
            .unwrap();
        let text = format!(
            r#"{{"network": {{"allow": ["http://{authority}"]}}, "env": {{"API_KEY": {{"secret": "api-key"}}}}}}"#
        );
        let upload = gym.node.create_component(
            "teller",
            ComponentType::Durable,
            Upload::declaring(teller(), Some(declared(&text))),
        );
        let component = upload.await.unwrap().versioned_component_id.component_id;
        Self {
            gym,
            component,
            authority,
            asked,
        }
    }

    fn worker(&self, name: &str) -> WorkerId {
        WorkerId::new(self.component, name.to_owned())
    }

    async fn tell(&self, name: &str) -> Result<String, WorkerError> {
        let target = Target::Worker(self.worker(name));
        let params = vec![Value::String(self.authority.clone())];
        let call = self
            .gym
            .node
            .invoke_and_await(target, Gym::request("tell", params, None));
        self.gym.alive(call).await.unwrap()?;
        Ok(self.asked.try_recv().unwrap())
    }

    /// The log of a worker as its bytes.
    async fn log(&self, name: &str) -> String {
        let worker = self.worker(name);
        let (entries, _) = self
            .gym
            .node
            .oplog(&worker, OplogIndex(1), usize::MAX)
            .await
            .unwrap();
        let bytes = entries
            .into_iter()
            .flat_map(|(_, entry): (OplogIndex, OplogEntry)| entry.to_bytes());
        String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_reaches_the_guest_and_its_peer_and_nothing_that_is_kept() {
    let bank = Bank::new().await;
    assert_eq!(bank.tell("w").await.unwrap(), FIRST);
    let log = bank.log("w").await;
    assert!(!log.contains("horse"), "the secret is in the log: {log}");
    assert!(log.contains("<secret api-key>"), "{log}");
    let view = bank.gym.node.worker(&bank.worker("w")).await.unwrap();
    assert!(!format!("{view:?}").contains("horse"));
    let info = bank.gym.node.component(bank.component, None).unwrap();
    assert!(!serde_json::to_string(&*info).unwrap().contains("horse"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_keeps_its_version_of_a_secret_until_it_is_updated() {
    let mut bank = Bank::new().await;
    assert_eq!(bank.tell("old").await.unwrap(), FIRST);
    bank.gym
        .node
        .set_secret(&Namespace::default(), "api-key", SECOND.as_bytes())
        .unwrap();
    assert_eq!(bank.tell("new").await.unwrap(), SECOND);
    bank.gym.crash().await;
    assert_eq!(bank.tell("old").await.unwrap(), FIRST, "after a replay");
    // An update repeats the history with the new value: what was recorded has neither.
    let node = &bank.gym.node;
    let updated = node.update_component(bank.component, None, teller());
    updated.await.unwrap();
    let mode = golem_model::oplog::UpdateMode::Automatic;
    let worker = bank.worker("old");
    let update = bank.gym.node.update_worker(&worker, 1, mode);
    bank.gym.alive(update).await.unwrap().unwrap();
    assert_eq!(bank.tell("old").await.unwrap(), SECOND);
    let view = bank.gym.node.worker(&worker).await.unwrap();
    assert_eq!(view.component_version, 1, "{view:?}");
    bank.gym.crash().await;
    assert_eq!(bank.tell("old").await.unwrap(), SECOND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_secret_no_worker_is_created_and_none_comes_back() {
    let mut bank = Bank::new().await;
    assert_eq!(bank.tell("w").await.unwrap(), FIRST);
    bank.gym
        .node
        .delete_secret(&Namespace::default(), "api-key")
        .unwrap();
    let refused = bank.tell("new").await.unwrap_err();
    assert_eq!(refused.code(), "SEC-001", "{refused}");
    bank.gym.crash().await;
    let gone = bank.tell("w").await.unwrap_err().to_string();
    assert!(
        gone.contains("version 1 of the secret `api-key` was deleted"),
        "{gone}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_reaches_only_what_it_declares_and_the_server_allows() {
    let bank = Bank::new().await;
    let elsewhere = format!("127.0.0.1:{}", outside::peer());
    let target = Target::Worker(bank.worker("w"));
    let params = vec![Value::String(elsewhere)];
    let call = bank
        .gym
        .node
        .invoke_and_await(target, Gym::request("tell", params, None));
    // The guest traps when a request is refused.
    let refused = bank.gym.alive(call).await.unwrap();
    assert!(
        matches!(refused, Err(WorkerError::Failed(_))),
        "{refused:?}"
    );
    let nothing = Upload::declaring(
        teller(),
        Some(declared(r#"{"env": {"API_KEY": {"secret": "api-key"}}}"#)),
    );
    let node = &bank.gym.node;
    let updated = node.update_component(bank.component, None, nothing);
    updated.await.unwrap();
    let refused = bank.tell("x").await;
    assert!(
        matches!(refused, Err(WorkerError::Failed(_))),
        "{refused:?}"
    );
}
