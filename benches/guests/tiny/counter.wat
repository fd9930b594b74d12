;; The counter without a language: no run-time to start, one page of memory. It stands where the goals mean a guest in Rust, for
;; which no compiler target is needed this way. The same names as the counter in Go, so callers cannot tell them apart.
(component
  (core module $counter
    (memory (export "memory") 1)
    ;; The total lies at address 0.
    (func (export "add") (param $n i64) (result i64)
      (i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (local.get $n)))
      (i64.load (i32.const 0)))
    (func (export "get") (result i64) (i64.load (i32.const 0))))
  (core instance $instance (instantiate $counter))
  (func $add (param "n" u64) (result u64) (canon lift (core func $instance "add")))
  (func $get (result u64) (canon lift (core func $instance "get")))
  (instance $api
    (export "add" (func $add))
    (export "get" (func $get)))
  (export "bench:counter/counter-api" (instance $api)))
