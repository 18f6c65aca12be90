;; A guest that does not want to end: it catches everything that its calls throw, counts it, and goes on.
;; `_start` sleeps in poll_oneoff for an hour, again and again; `leave` calls proc_exit the same way.
(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (global $caught (export "caught") (mut i32) (i32.const 0))
  (func (export "_start")
    ;; One subscription at 0: a clock (tag 0), monotonic (1), 3600 s.
    (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (i64.const 3600000000000))
    (loop $again
      (try
        (do (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))))
        (catch_all (global.set $caught (i32.add (global.get $caught) (i32.const 1)))))
      (br $again)))
  (func (export "busy")
    (loop $again
      (try
        (do (drop (call $yield)))
        (catch_all (global.set $caught (i32.add (global.get $caught) (i32.const 1)))))
      (br $again)))
  (func (export "leave")
    (loop $again
      (try
        (do (call $exit (i32.const 7)))
        (catch_all (global.set $caught (i32.add (global.get $caught) (i32.const 1)))))
      (br $again))))
