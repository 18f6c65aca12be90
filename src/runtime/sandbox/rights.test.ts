import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { CAPABILITY, landlockAbi, mayBecome } from '#kit/os';
import { keptCapabilities } from './rights.ts';
import { DEFAULT_USERS } from './walls.ts';

const os = new URL('../../kit/os/mod.ts', import.meta.url).href;

describe('keptCapabilities()', () => {
  it('is to write over owners only where Landlock looks at emptying, and never more for admission than it needs', () => {
    const { dacOverride, dacReadSearch } = CAPABILITY;
    for (const entry of ['sandbox', 'admission'] as const)
      for (const landlock of [0, 1, 2])
        assert.deepEqual(keptCapabilities(entry, { landlock, openNode: false }), [dacReadSearch]);
    assert.deepEqual(keptCapabilities('sandbox', { landlock: 3, openNode: true }), [dacOverride]);
    assert.deepEqual(keptCapabilities('admission', { landlock: 3, openNode: true }), [dacReadSearch]);
    assert.deepEqual(keptCapabilities('admission', { landlock: 3, openNode: false }), [dacOverride]);
  });
});

const skip = !(mayBecome(DEFAULT_USERS) && landlockAbi() >= 3) && 'it needs root and a newer Landlock';

describe("a file of root's that may only be read", { skip }, () => {
  /** Tries to empty it as a sandbox on a kernel with this Landlock would; answers what came of it. */
  function emptied(abi: number, keep: readonly number[]): { readonly said: string; readonly left: string } {
    const folder = mkdtempSync(join(tmpdir(), 'wasmlet-rights-'));
    const path = join(folder, 'library');
    writeFileSync(path, 'code', { mode: 0o644 });
    const after = `const fs = require('node:fs');
      const tried = (call) => { try { call(); return 'done'; } catch (error) { return error.code; } };
      const path = ${JSON.stringify(path)};
      console.log([tried(() => fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_TRUNC)), tried(() => fs.truncateSync(path)),
        tried(() => fs.readFileSync(path))].join(' '));`;
    const code = `import { becomeUser, restrictSelf, setNoNewPrivs } from ${JSON.stringify(os)};
      setNoNewPrivs();
      restrictSelf({ grants: [{ path: '/', access: 'execute' }], isolateNetwork: false, abi: ${abi} });
      becomeUser({ uid: ${DEFAULT_USERS.first}, gid: ${DEFAULT_USERS.first}, keep: ${JSON.stringify(keep)} });
      process.chdir('/');
      process.execve(process.execPath, [process.execPath, '-e', ${JSON.stringify(after)}]);`;
    const args = ['--no-warnings', '--input-type=module', '-e', code];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    const left = readFileSync(path, 'utf8');
    rmSync(folder, { recursive: true });
    return { said: stdout.trim() || stderr, left };
  }
  const keptBy = (landlock: number) => keptCapabilities('sandbox', { landlock, openNode: true });

  it('stays whole, by Landlock where it looks at emptying, by its permissions before', () => {
    for (const abi of [1, 2, 3])
      assert.deepEqual(emptied(abi, keptBy(abi)), { said: 'EACCES EACCES done', left: 'code' }, `ABI ${abi}`);
  });

  it('would be lost with the wider right and the older Landlock', () => {
    assert.equal(emptied(2, [CAPABILITY.dacOverride]).left, '');
  });
});
