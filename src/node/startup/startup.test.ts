import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { isWasmletError } from '#kit';
import { addressTowards, checkAddress } from './address.ts';
import { claimDataDir, keepName } from './data-dir.ts';

let dir: string;
beforeEach(async () => {
  dir = join(await mkdtemp(join(tmpdir(), 'wasmlet-')), 'data');
});
afterEach(() => rm(join(dir, '..'), { recursive: true }));

describe('the data directory', () => {
  test('has one node, and a second process is told its pid', async () => {
    const lock = claimDataDir(dir);
    assert.equal((await readFile(join(dir, 'lock'), 'utf8')).trim(), String(process.pid));
    const second = `import { claimDataDir } from ${JSON.stringify(new URL('data-dir.ts', import.meta.url).href)};
      try { claimDataDir(${JSON.stringify(dir)}); console.log('got it'); } catch (error) { console.log(error.message); }`;
    const flags = ['--experimental-ffi', '--no-warnings', '--input-type=module', '-e', second];
    const run = () =>
      spawnSync(process.execPath, flags, { encoding: 'utf8', cwd: new URL('../../..', import.meta.url) }).stdout;
    assert.match(run(), new RegExp(`process ${process.pid} runs on it`));
    lock[Symbol.dispose]();
    assert.match(run(), /got it/);
  });

  test('belongs to its owner and to one node name', async () => {
    using _ = claimDataDir(dir);
    assert.equal((await stat(dir)).mode & 0o077, process.getuid?.() === 0 ? 0o011 : 0);
    await writeFile(join(dir, 'config.json'), '{"subnet": 7}');
    await keepName(dir, 'edge-1');
    await keepName(dir, 'edge-1');
    assert.deepEqual(JSON.parse(await readFile(join(dir, 'config.json'), 'utf8')), { subnet: 7, nodeName: 'edge-1' });
    await assert.rejects(keepName(dir, 'edge-2'), (error) => isWasmletError(error, 'NODE_NAME_TAKEN'));
  });

  test('that cannot be made says so', async () => {
    const file = join(dir, '..', 'file');
    await writeFile(file, '');
    for (const path of [file, join(file, 'data'), '/proc/nosuch/data']) {
      assert.throws(
        () => claimDataDir(path),
        (error) => isWasmletError(error, 'NODE_DATA_DIR_UNUSABLE'),
        path,
      );
    }
  });
});

describe('the address', () => {
  test('is the one towards the API server', async () => {
    assert.equal(await addressTowards('https://127.0.0.1:6443'), '127.0.0.1');
    assert.equal(await addressTowards('https://[::1]:6443'), '::1');
  });

  test('is never a wildcard', () => {
    assert.equal(checkAddress('10.0.0.4'), '10.0.0.4');
    for (const address of ['0.0.0.0', '::', 'host', '']) {
      assert.throws(
        () => checkAddress(address),
        (error) => isWasmletError(error, 'NODE_OPTION_INVALID'),
      );
    }
  });
});
