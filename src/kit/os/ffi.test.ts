import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { cString, ffiAvailable, pointerTo, SYS, syscall } from './mod.ts';

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
