;; Threads that share a memory, one export a scenario: src/runtime/wasi/threads/threads.test.ts runs each.
;; What a thread does is in its argument. Memory: 0 counter, 4 threads that are done, 8 never changes, 16 and 32 buffers and
;; vectors of the writers, 64 results, 128 on: text.
(module
  (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "env" "memory" (memory 1 16 shared))
  (export "memory" (memory 0))
  (data (i32.const 128) "a\nb\ngo\n")

  (func $done
    (drop (i32.atomic.rmw.add (i32.const 4) (i32.const 1)))
    (drop (memory.atomic.notify (i32.const 4) (i32.const -1))))

  (func $join (param $count i32) (local $seen i32)
    (loop $again
      (local.set $seen (i32.atomic.load (i32.const 4)))
      (if (i32.lt_u (local.get $seen) (local.get $count))
        (then
          (drop (memory.atomic.wait32 (i32.const 4) (local.get $seen) (i64.const -1)))
          (br $again)))))

  (func $for_ever (drop (memory.atomic.wait32 (i32.const 8) (i32.const 0) (i64.const -1))))

  (func $start (param $what i32)
    (if (i32.le_s (call $spawn (local.get $what)) (i32.const 0)) (then (unreachable))))

  ;; Writes two bytes of text 50 times, by a vector and a result of its own.
  (func $write (param $vector i32) (param $text i32) (local $left i32)
    (i32.store (local.get $vector) (local.get $text))
    (i32.store offset=4 (local.get $vector) (i32.const 2))
    (local.set $left (i32.const 50))
    (loop $again
      (if (call $fd_write (i32.const 1) (local.get $vector) (i32.const 1) (i32.add (local.get $vector) (i32.const 8)))
        (then (unreachable)))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))

  (func $count (local $left i32)
    (local.set $left (i32.const 1000))
    (loop $again
      (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))

  ;; Reads a byte and ends everything with it.
  (func $read
    (i32.store (i32.const 16) (i32.const 80))
    (i32.store (i32.const 20) (i32.const 1))
    (if (call $fd_read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 24)) (then (unreachable)))
    (call $proc_exit (i32.load8_u (i32.const 80))))

  ;; Writes from memory that this thread has just grown.
  (func $grow (local $page i32)
    (local.set $page (memory.grow (i32.const 2)))
    (if (i32.lt_s (local.get $page) (i32.const 0)) (then (unreachable)))
    (local.set $page (i32.mul (local.get $page) (i32.const 65536)))
    (i32.store8 (local.get $page) (i32.const 103))
    (i32.store (i32.const 16) (local.get $page))
    (i32.store (i32.const 20) (i32.const 1))
    (if (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24)) (then (unreachable))))

  (func $later
    (if (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 72)) (then (unreachable)))
    (if (i64.lt_u (i64.load (i32.const 72)) (i64.load (i32.const 64))) (then (unreachable))))

  (func $spin (loop $again (br $again)))

  (func $thread (export "wasi_thread_start") (param $id i32) (param $what i32)
    (if (i32.le_s (local.get $id) (i32.const 0)) (then (unreachable)))
    (if (i32.eq (local.get $what) (i32.const 1)) (then (call $count)))
    (if (i32.eq (local.get $what) (i32.const 2)) (then (call $proc_exit (i32.const 7))))
    (if (i32.eq (local.get $what) (i32.const 3)) (then (unreachable)))
    (if (i32.eq (local.get $what) (i32.const 4)) (then (call $write (i32.const 16) (i32.const 128))))
    (if (i32.eq (local.get $what) (i32.const 5)) (then (call $write (i32.const 32) (i32.const 130))))
    (if (i32.eq (local.get $what) (i32.const 6)) (then (call $spin)))
    (if (i32.eq (local.get $what) (i32.const 7)) (then (call $for_ever)))
    (if (i32.eq (local.get $what) (i32.const 8)) (then (call $read)))
    (if (i32.eq (local.get $what) (i32.const 9)) (then (call $grow)))
    (if (i32.eq (local.get $what) (i32.const 10)) (then (call $later)))
    (call $done))

  (func (export "join")
    (call $start (i32.const 1)) (call $start (i32.const 1)) (call $start (i32.const 1))
    (call $join (i32.const 3))
    (call $proc_exit (i32.div_u (i32.atomic.load (i32.const 0)) (i32.const 100))))
  ;; As a program: three threads, joined.
  (func (export "_start")
    (call $start (i32.const 1)) (call $start (i32.const 1)) (call $start (i32.const 1))
    (call $join (i32.const 3))
    (call $say))
  (func (export "exit") (call $start (i32.const 2)) (call $spin))
  (func (export "trap") (call $start (i32.const 3)) (call $for_ever))
  (func (export "write") (call $start (i32.const 4)) (call $start (i32.const 5)) (call $join (i32.const 2)))
  (func (export "spin") (call $start (i32.const 6)) (call $say) (call $spin))
  (func (export "wait") (call $start (i32.const 7)) (call $say) (call $for_ever))
  (func (export "read") (call $start (i32.const 8)) (call $say) (call $for_ever))
  (func (export "grow") (call $start (i32.const 9)) (call $join (i32.const 1)))
  ;; Starts threads that end at once, for ever, whatever the answer.
  (func (export "bomb")
    (call $say)
    (loop $again
      (drop (call $spawn (i32.const 0)))
      (br $again)))
  (func (export "leave") (call $start (i32.const 6)) (call $start (i32.const 7)))
  (func (export "later")
    (if (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 64)) (then (unreachable)))
    (call $start (i32.const 10)) (call $join (i32.const 1)))

  ;; Ends with the number of threads that could be had.
  (func (export "fill") (local $had i32)
    (loop $again
      (if (i32.gt_s (call $spawn (i32.const 7)) (i32.const 0))
        (then
          (local.set $had (i32.add (local.get $had) (i32.const 1)))
          (br $again))))
    (call $proc_exit (local.get $had)))

  ;; Each answer is an errno and none ends the guest: bits of the exit code.
  (func (export "hostile") (local $code i32)
    (if (i32.eq (call $fd_write (i32.const 1) (i32.const -8) (i32.const 1) (i32.const 64)) (i32.const 21))
      (then (local.set $code (i32.or (local.get $code) (i32.const 1)))))
    (if (i32.eq (call $random_get (i32.const 65530) (i32.const 100)) (i32.const 21))
      (then (local.set $code (i32.or (local.get $code) (i32.const 2)))))
    (if (i32.eq (call $random_get (i32.const 0) (i32.const -1)) (i32.const 21))
      (then (local.set $code (i32.or (local.get $code) (i32.const 4)))))
    (if (i32.eq (call $clock_time_get (i32.const 9) (i64.const 0) (i32.const 64)) (i32.const 28))
      (then (local.set $code (i32.or (local.get $code) (i32.const 8)))))
    (if (i32.eq (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const -1)) (i32.const 21))
      (then (local.set $code (i32.or (local.get $code) (i32.const 16)))))
    (call $proc_exit (local.get $code)))

  (func $say
    (i32.store (i32.const 32) (i32.const 132))
    (i32.store (i32.const 36) (i32.const 3))
    (if (call $fd_write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 40)) (then (unreachable)))))
