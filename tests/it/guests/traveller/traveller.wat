;; SPDX-License-Identifier: Apache-2.0
;; A counter that asks the host for things, in text form. tests/it/traveller.rs puts the names of a version in place of the words
;; in capitals.
(component
  (import "wasi:random/INTERFACE@0.2.0" (instance $random (export "FUNCTION" (func (result u64)))))
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (export "pollable" (type $own (eq $pollable)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $own))))))
  (import "golem:api/host@1.1.0" (instance $host
    (type $uuid-type (record (field "high-bits" u64) (field "low-bits" u64)))
    (export "uuid" (type $uuid (eq $uuid-type)))
    (type $component-type (record (field "uuid" $uuid)))
    (export "component-id" (type $component (eq $component-type)))
    (type $worker-type (record (field "component-id" $component) (field "worker-name" string)))
    (export "worker-id" (type $worker (eq $worker-type)))
    (type $promise-type (record (field "worker-id" $worker) (field "oplog-idx" u64)))
    (export "promise-id" (type $promise (eq $promise-type)))
    (export "create-promise" (func (result $promise)))
    (export "await-promise" (func (param "promise-id" $promise) (result (list u8))))))
  (core module $memory
    (memory (export "memory") 1)
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      global.get $top
      global.get $top local.get 3 i32.add i32.const 7 i32.add i32.const -8 i32.and global.set $top))
  (core instance $m (instantiate $memory))
  (core func $random (canon lower (func $random "FUNCTION")))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $drop (canon resource.drop $pollable))
  (core func $create (canon lower (func $host "create-promise") (memory (core memory $m "memory")) (realloc (core func $m "realloc"))))
  (core func $await (canon lower (func $host "await-promise") (memory (core memory $m "memory")) (realloc (core func $m "realloc"))))
  (core module $main
    (import "h" "random" (func $random (result i64)))
    (import "h" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "h" "block" (func $block (param i32)))
    (import "h" "drop" (func $drop (param i32)))
    (import "h" "create" (func $create (param i32)))
    (import "h" "await" (func $await (param i64 i64 i32 i32 i64 i32)))
    (import "m" "memory" (memory 1))
    (global $total (mut i64) (i64.const 0))
    (func (export "add") (param i64) (result i64)
      call $random drop
      local.get 0 global.get $total i64.add global.set $total
      ;;TWICE
      global.get $total)
    (func (export "get") (result i64) global.get $total)
    (func (export "sleep") (param i64) (result i64) (local i32)
      local.get 0 i64.const 1000000 i64.mul call $subscribe local.tee 1 call $block
      local.get 1 call $drop
      global.get $total)
    (func (export "boom")
      i64.const 100 global.get $total i64.add global.set $total
      unreachable)
    (func (export "save") (result i32)
      i32.const 128 global.get $total i64.store
      i32.const 136 i32.const 128 i32.store
      i32.const 140 i32.const 8 i32.store
      i32.const 136)
    (func (export "load") (param i32 i32) (result i32)
      ;;REFUSE
      local.get 1 i32.const 8 i32.eq
      if
        local.get 0 i64.load global.set $total
        i32.const 144 i32.const 0 i32.store
      else
        i32.const 160 i32.const 0x6f6e i32.store
        i32.const 144 i32.const 1 i32.store
        i32.const 148 i32.const 160 i32.store
        i32.const 152 i32.const 2 i32.store
      end
      i32.const 144)
    (func (export "wait") (result i64)
      i32.const 0 call $create
      i32.const 0 i64.load i32.const 8 i64.load i32.const 16 i32.load i32.const 20 i32.load i32.const 24 i64.load
      i32.const 64 call $await
      i32.const 68 i64.load32_u global.get $total i64.add global.set $total
      global.get $total))
  (core instance $i (instantiate $main
    (with "h" (instance
      (export "random" (func $random)) (export "subscribe" (func $subscribe)) (export "block" (func $block))
      (export "drop" (func $drop)) (export "create" (func $create)) (export "await" (func $await))))
    (with "m" (instance $m))))
  (func (export "add") (param "n" u64) (result u64) (canon lift (core func $i "add")))
  (func (export "get") (result u64) (canon lift (core func $i "get")))
  (func (export "sleep") (param "millis" u64) (result u64) (canon lift (core func $i "sleep")))
  (func (export "boom") (canon lift (core func $i "boom")))
  (func (export "wait") (result u64) (canon lift (core func $i "wait")))
  (func $save (result (list u8)) (canon lift (core func $i "save") (memory (core memory $m "memory"))))
  (func $load (param "bytes" (list u8)) (result (result (error string)))
    (canon lift (core func $i "load") (memory (core memory $m "memory")) (realloc (core func $m "realloc"))))
  (instance $saving (export "save" (func $save)))
  (instance $loading (export "load" (func $load)))
  (export "golem:api/save-snapshot@1.1.0" (instance $saving))
  (export "golem:api/load-snapshot@1.1.0" (instance $loading)))
