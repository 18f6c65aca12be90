import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { quickCalls } from './ffi.ts';
import { cString, ffiAvailable, pointerTo, SYS, syscall, word } from './mod.ts';

const skip = ffiAvailable() ? false : 'this Node has no node:ffi';
const RESOLVE_BENEATH = 0x08n;

it('openat2 opens below a directory and refuses to leave it, with the errno in the result', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'wasmlet-ffi-'));
  writeFileSync(join(folder, 'inside'), 'x');
  const directory = openSync(folder, 'r');
  try {
    const how = new BigUint64Array([0n, 0n, RESOLVE_BENEATH]);
    const open = (path: string) => {
      const name = cString(path);
      return syscall(SYS.openat2, directory, pointerTo(name), pointerTo(how), 24);
    };
    const inside = open('inside');
    assert.ok(inside > 2);
    closeSync(inside);
    assert.equal(open('../etc'), -constants.errno.EXDEV);
    assert.equal(open('missing'), -constants.errno.ENOENT);
  } finally {
    closeSync(directory);
    rmSync(folder, { recursive: true });
  }
});

it('quick calls answer results and negated errnos, also those that an older C library has to do without', {
  skip,
}, () => {
  const quick = quickCalls();
  const folder = mkdtempSync(join(tmpdir(), 'wasmlet-ffi-'));
  const file = openSync(join(folder, 'file'), 'w+');
  try {
    writeFileSync(file, '0123456789');
    const bytes = new Uint8Array(new ArrayBuffer(4));
    const vector = new BigUint64Array(2);
    vector.set([pointerTo(bytes), 4n]);
    const at = pointerTo(vector);
    assert.equal(quick.preadv2?.(word(file), at, 1n, 8n, 0n) ?? 2, 2);
    assert.equal(
      quick.pwritev2?.(word(file), at, 1n, 2n ** 63n, 0n) ?? -constants.errno.EINVAL,
      -constants.errno.EINVAL,
    );
    assert.equal(quick.preadv2?.(word(-1), at, 1n, 0n, 0n) ?? -constants.errno.EBADF, -constants.errno.EBADF);
    assert.equal(quick.call(BigInt(SYS.ftruncate), word(file), 3n, 0n, 0n, 0n), 0);
    assert.equal(quick.close(word(-1)), -constants.errno.EBADF);
  } finally {
    closeSync(file);
    rmSync(folder, { recursive: true });
  }
});

it('words are what a register holds', () => {
  assert.equal(word(7), 7n);
  assert.equal(word(-1), 2n ** 64n - 1n);
});
