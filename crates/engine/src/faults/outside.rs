// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / faults/outside: a guest that leaves traces outside of its memory: key-value, blobs, files, requests; and the peer that
//! it may reach. In: nothing. Out: wasm, an address. Read next: `crash.rs`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::OnceLock;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// What the guest imports and exports; of the files only what it uses.
const WORLD: &str = "
package it:outside;
world outside {
  import wasi:keyvalue/types@0.1.0;
  import wasi:keyvalue/atomic@0.1.0;
  import wasi:keyvalue/eventual@0.1.0;
  import wasi:blobstore/types;
  import wasi:blobstore/container;
  import wasi:blobstore/blobstore;
  import wasi:filesystem/types@0.2.0;
  import wasi:filesystem/preopens@0.2.0;
  import wasi:http/types@0.2.0;
  import wasi:http/outgoing-handler@0.2.0;
  /// Adds 1 to a number in a bucket, keeps a value beside it; the number.
  export keep: func() -> u64;
  /// Writes an object; 1 when it is there.
  export blob: func() -> u64;
  /// Adds a byte to a file; its length.
  export file: func() -> u64;
  /// Asks the authority; the status.
  export fetch: func(authority: string) -> u64;
  /// How often any of them was called.
  export count: func() -> u64;
}
";

const FILES: &str = "
package wasi:filesystem@0.2.0;
interface types {
  flags path-flags { symlink-follow }
  flags open-flags { create, directory, exclusive, truncate }
  flags descriptor-flags { read, write, file-integrity-sync, data-integrity-sync, requested-write-sync, mutate-directory }
  enum error-code {
    access, would-block, already, bad-descriptor, busy, deadlock, quota, exist, file-too-large, illegal-byte-sequence,
    in-progress, interrupted, invalid, io, is-directory, loop, too-many-links, message-size, name-too-long, no-device, no-entry,
    no-lock, insufficient-memory, insufficient-space, not-directory, not-empty, not-recoverable, unsupported, no-tty,
    no-such-device, overflow, not-permitted, pipe, read-only, invalid-seek, text-file-busy, cross-device
  }
  resource descriptor {
    read: func(length: u64, offset: u64) -> result<tuple<list<u8>, bool>, error-code>;
    write: func(buffer: list<u8>, offset: u64) -> result<u64, error-code>;
    open-at: func(path-flags: path-flags, path: string, open-flags: open-flags, %flags: descriptor-flags)
      -> result<descriptor, error-code>;
  }
}
interface preopens {
  use types.{descriptor};
  get-directories: func() -> list<tuple<descriptor, string>>;
}
";

/// Answers of the host are at 64, the count at 0, names from 128 on. Whatever goes wrong is a trap.
const CODE: &str = r#"
(module
  (import "wasi:keyvalue/types@0.1.0" "[static]bucket.open-bucket" (func $bucket (param i32 i32 i32)))
  (import "wasi:keyvalue/types@0.1.0" "[resource-drop]bucket" (func $drop-bucket (param i32)))
  (import "wasi:keyvalue/types@0.1.0" "[static]outgoing-value.new-outgoing-value" (func $kv-value (result i32)))
  (import "wasi:keyvalue/types@0.1.0" "[method]outgoing-value.outgoing-value-write-body-sync"
    (func $kv-fill (param i32 i32 i32 i32)))
  (import "wasi:keyvalue/types@0.1.0" "[resource-drop]outgoing-value" (func $drop-kv-value (param i32)))
  (import "wasi:keyvalue/atomic@0.1.0" "increment" (func $increment (param i32 i32 i32 i64 i32)))
  (import "wasi:keyvalue/eventual@0.1.0" "set" (func $set (param i32 i32 i32 i32 i32)))
  (import "wasi:blobstore/blobstore" "create-container" (func $create-container (param i32 i32 i32)))
  (import "wasi:blobstore/blobstore" "get-container" (func $get-container (param i32 i32 i32)))
  (import "wasi:blobstore/types" "[static]outgoing-value.new-outgoing-value" (func $object (result i32)))
  (import "wasi:blobstore/types" "[method]outgoing-value.outgoing-value-write-body" (func $object-body (param i32 i32)))
  (import "wasi:blobstore/types" "[resource-drop]outgoing-value" (func $drop-object (param i32)))
  (import "wasi:blobstore/container" "[method]container.write-data" (func $write-object (param i32 i32 i32 i32 i32)))
  (import "wasi:blobstore/container" "[method]container.has-object" (func $has-object (param i32 i32 i32 i32)))
  (import "wasi:blobstore/container" "[resource-drop]container" (func $drop-container (param i32)))
  (import "wasi:io/streams@0.2.12" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.12" "[resource-drop]output-stream" (func $drop-output (param i32)))
  (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/poll@0.2.12" "[resource-drop]pollable" (func $drop-pollable (param i32)))
  (import "wasi:filesystem/preopens@0.2.0" "get-directories" (func $directories (param i32)))
  (import "wasi:filesystem/types@0.2.0" "[method]descriptor.open-at" (func $open (param i32 i32 i32 i32 i32 i32 i32)))
  (import "wasi:filesystem/types@0.2.0" "[method]descriptor.read" (func $read-file (param i32 i64 i64 i32)))
  (import "wasi:filesystem/types@0.2.0" "[method]descriptor.write" (func $write-file (param i32 i32 i32 i64 i32)))
  (import "wasi:filesystem/types@0.2.0" "[resource-drop]descriptor" (func $drop-descriptor (param i32)))
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
  (data (i32.const 128) "namekey/body")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local i32)
    (if (i32.gt_u (i32.add (global.get $top) (local.get 3)) (i32.const 65000))
      (then (global.set $top (i32.const 1024))))
    (local.set 4 (global.get $top))
    (global.set $top (i32.and
      (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8)))
    (local.get 4))
  (func $count
    (i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (i64.const 1))))
  (func $good
    (if (i32.load8_u (i32.const 64)) (then (unreachable))))
  (func (export "count") (result i64) (i64.load (i32.const 0)))
  (func (export "keep") (result i64) (local $bucket i32) (local $value i32) (local $number i64)
    (call $count)
    (call $bucket (i32.const 128) (i32.const 4) (i32.const 64)) (call $good)
    (local.set $bucket (i32.load (i32.const 68)))
    (call $increment (local.get $bucket) (i32.const 132) (i32.const 3) (i64.const 1) (i32.const 64)) (call $good)
    (local.set $number (i64.load (i32.const 72)))
    (local.set $value (call $kv-value))
    (call $kv-fill (local.get $value) (i32.const 136) (i32.const 4) (i32.const 64)) (call $good)
    (call $set (local.get $bucket) (i32.const 136) (i32.const 4) (local.get $value) (i32.const 64)) (call $good)
    (call $drop-kv-value (local.get $value))
    (call $drop-bucket (local.get $bucket))
    (local.get $number))
  (func (export "blob") (result i64) (local $container i32) (local $value i32) (local $body i32)
    (call $count)
    (call $create-container (i32.const 128) (i32.const 4) (i32.const 64))
    (if (i32.load8_u (i32.const 64))
      (then (call $get-container (i32.const 128) (i32.const 4) (i32.const 64)) (call $good)))
    (local.set $container (i32.load (i32.const 68)))
    (local.set $value (call $object))
    (call $object-body (local.get $value) (i32.const 64)) (call $good)
    (local.set $body (i32.load (i32.const 68)))
    (call $write (local.get $body) (i32.const 136) (i32.const 4) (i32.const 64)) (call $good)
    (call $drop-output (local.get $body))
    (call $write-object (local.get $container) (i32.const 132) (i32.const 3) (local.get $value) (i32.const 64)) (call $good)
    (call $drop-object (local.get $value))
    (call $has-object (local.get $container) (i32.const 132) (i32.const 3) (i32.const 64)) (call $good)
    (call $drop-container (local.get $container))
    (i64.load8_u (i32.const 68)))
  (func (export "file") (result i64) (local $home i32) (local $file i32) (local $length i64)
    (call $count)
    (call $directories (i32.const 64))
    (local.set $home (i32.load (i32.load (i32.const 64))))
    (call $open (local.get $home) (i32.const 0) (i32.const 132) (i32.const 3) (i32.const 1) (i32.const 3) (i32.const 64))
    (call $good)
    (local.set $file (i32.load (i32.const 68)))
    (call $read-file (local.get $file) (i64.const 100) (i64.const 0) (i32.const 64)) (call $good)
    (local.set $length (i64.load32_u (i32.const 72)))
    (call $write-file (local.get $file) (i32.const 136) (i32.const 1) (local.get $length) (i32.const 64)) (call $good)
    (call $drop-descriptor (local.get $file))
    (call $drop-descriptor (local.get $home))
    (i64.add (local.get $length) (i64.const 1)))
  (func (export "fetch") (param $to i32) (param $length i32) (result i64)
    (local $request i32) (local $future i32) (local $ready i32) (local $response i32) (local $status i64)
    (call $count)
    (local.set $request (call $request (call $fields)))
    (drop (call $scheme (local.get $request) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))
    (drop (call $authority (local.get $request) (i32.const 1) (local.get $to) (local.get $length)))
    (drop (call $path (local.get $request) (i32.const 1) (i32.const 135) (i32.const 5)))
    (call $handle (local.get $request) (i32.const 0) (i32.const 0) (i32.const 64)) (call $good)
    (local.set $future (i32.load (i32.const 72)))
    (local.set $ready (call $subscribe (local.get $future)))
    (call $block (local.get $ready))
    (call $drop-pollable (local.get $ready))
    (call $response (local.get $future) (i32.const 64))
    (if (i32.or (i32.load8_u (i32.const 72)) (i32.load8_u (i32.const 80))) (then (unreachable)))
    (local.set $response (i32.load (i32.const 88)))
    (local.set $status (i64.extend_i32_u (call $status (local.get $response))))
    (call $drop-response (local.get $response))
    (call $drop-future (local.get $future))
    (local.get $status)))
"#;

/// The guest.
pub(super) fn outside() -> Vec<u8> {
    let mut resolve = Resolve::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit");
    resolve.push_dir(path).unwrap();
    resolve.push_str("filesystem.wit", FILES).unwrap();
    let package = resolve.push_str("world.wit", WORLD).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut module = wat::parse_str(CODE).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut encoder = ComponentEncoder::default().module(&module).unwrap();
    encoder.encode().unwrap()
}

/// A guest with one TCP connection: `connect(port)`, `echo(byte)`, `close()`.
pub(super) fn dialer() -> Vec<u8> {
    wat::parse_str(include_str!(
        "../../../../tests/it/guests/dialer/dialer.wat"
    ))
    .unwrap()
}

/// A port of this process that answers every request with 202 and every other byte with itself. Ends with the process.
pub(super) fn peer() -> u16 {
    static PORT: OnceLock<u16> = OnceLock::new();
    *PORT.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let (mut text, mut chunk) = (Vec::new(), [0; 1024]);
                    while let Ok(read @ 1..) = stream.read(&mut chunk) {
                        text.extend_from_slice(&chunk[..read]);
                        let answer = if text.starts_with(b"GET ") {
                            if !text.ends_with(b"\r\n\r\n") {
                                continue;
                            }
                            text.clear();
                            b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".as_slice()
                        } else if b"GET ".starts_with(&text) {
                            continue;
                        } else {
                            &chunk[..read]
                        };
                        if stream.write_all(answer).is_err() {
                            break;
                        }
                    }
                });
            }
        });
        port
    })
}
