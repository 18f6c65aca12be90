;; Guests that take all they can get, each an export; and `echo`, which waits for its socket. For the tests of fairness.
(module
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $fd_fdstat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "sched_yield" (func $sched_yield (result i32)))
  (import "wasi_snapshot_preview1" "sock_accept" (func $sock_accept (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_recv" (func $sock_recv (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_send" (func $sock_send (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (global $spins (export "spins") (mut i64) (i64.const 0))

  ;; Computes for ever.
  (func (export "spin")
    (loop $again
      (global.set $spins (i64.add (global.get $spins) (i64.const 1)))
      (br $again)))
  (func (export "_start")
    (loop $again
      (br $again)))

  ;; Fills 16 MiB with one instruction, for ever.
  (func (export "fill")
    (drop (memory.grow (i32.const 1024)))
    (loop $again
      (memory.fill (i32.const 65536) (i32.const 7) (i32.const 16777216))
      (br $again)))

  ;; Moves 16 MiB with one instruction, for ever.
  (func (export "copy")
    (drop (memory.grow (i32.const 1024)))
    (loop $again
      (memory.copy (i32.const 65536) (i32.const 131072) (i32.const 16777216))
      (br $again)))

  ;; Asks for memory for ever, most of the time in vain.
  (func (export "grow")
    (loop $again
      (drop (memory.grow (i32.const 1)))
      (br $again)))

  ;; Calls the host for ever.
  (func (export "call")
    (loop $again
      (drop (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 16)))
      (drop (call $fd_fdstat_get (i32.const 1) (i32.const 32)))
      (br $again)))

  ;; Gives the thread back for ever.
  (func (export "yield")
    (loop $again
      (drop (call $sched_yield))
      (br $again)))

  ;; Calls itself to the end of its stack, for ever.
  (func $deep (param $depth i32) (result i32)
    (if (result i32) (i32.eqz (local.get $depth))
      (then (i32.const 0))
      (else (i32.add (i32.const 1) (call $deep (i32.sub (local.get $depth) (i32.const 1)))))))
  (func (export "recurse")
    (loop $again
      (drop (call $deep (i32.const 5000)))
      (br $again)))

  ;; Sends back what it gets, a connection after the other, on the listener that is descriptor 3.
  (func (export "echo")
    (local $connection i32)
    (i32.store (i32.const 0) (i32.const 1024))
    (loop $accept
      (if (i32.ne (call $sock_accept (i32.const 3) (i32.const 0) (i32.const 16)) (i32.const 0))
        (then (unreachable)))
      (local.set $connection (i32.load (i32.const 16)))
      (block $closed
        (loop $receive
          (i32.store (i32.const 4) (i32.const 4096))
          (br_if $closed (i32.ne
            (call $sock_recv (local.get $connection) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 20) (i32.const 24))
            (i32.const 0)))
          (br_if $closed (i32.eqz (i32.load (i32.const 20))))
          (i32.store (i32.const 4) (i32.load (i32.const 20)))
          (br_if $closed (i32.ne
            (call $sock_send (local.get $connection) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 20))
            (i32.const 0)))
          (br $receive)))
      (drop (call $fd_close (local.get $connection)))
      (br $accept))))
