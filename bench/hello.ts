/** The hello guest of the benches: says hello and waits for ever, as the peer's program does; by hand in WebAssembly's binary form. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * `(module (import "wasi_snapshot_preview1" "fd_write" …) (import … "poll_oneoff" …) (memory (export "memory") 1)
 *  (func (export "_start") write "hello\n"; loop: poll_oneoff on the monotonic clock for 1 h; br loop))`
 */
export async function compileHello(folder: string): Promise<string> {
  const path = join(folder, 'hello.wasm');
  const { default: binaryen } = await import('binaryen');
  const module = binaryen.parseText(TEXT);
  writeFileSync(path, module.emitBinary());
  module.dispose();
  return path;
}

// A subscription is 48 bytes: userdata, tag 0 (clock) at 8, clock id at 16, timeout at 24, precision at 32, flags at 40.
const TEXT = `(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "hello\\n")
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 16))
    (i32.store (i32.const 4) (i32.const 6))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.store (i32.const 80) (i32.const 1))
    (i64.store (i32.const 88) (i64.const 3600000000000))
    (loop $again
      (drop (call $poll (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 8)))
      (br $again))))`;
