import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { FakeGuest } from '../p1/fake-guest.ts';
import { ERRNO } from './errno.ts';

/** Exchanges a directory and a link out of the preopen as fast as it can, until it is told to stop. */
const SWAPPER = `
  const { renameSync } = require('node:fs');
  const { workerData: { root, stop } } = require('node:worker_threads');
  while (Atomics.load(stop, 0) === 0) {
    renameSync(root + '/data/way', root + '/data/kept');
    renameSync(root + '/data/link', root + '/data/way');
    renameSync(root + '/data/way', root + '/data/link');
    renameSync(root + '/data/kept', root + '/data/way');
  }
`;

it('a neighbour who swaps a directory for a link out cannot make a guest see or change the outside', async () => {
  const root = mkdtempSync(join(tmpdir(), 'wasmlet-race-'));
  mkdirSync(join(root, 'data', 'way'), { recursive: true });
  mkdirSync(join(root, 'outside'));
  writeFileSync(join(root, 'data', 'way', 'file'), 'in');
  writeFileSync(join(root, 'outside', 'file'), 'outside');
  symlinkSync('../outside', join(root, 'data', 'link'));
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const swapper = new Worker(SWAPPER, { eval: true, workerData: { root, stop } });
  try {
    await using guest = new FakeGuest({ preopens: [{ guestPath: '/', hostPath: join(root, 'data') }] });
    const path = guest.bytes('way/file');
    const made = guest.bytes('way/made');
    const stat = guest.space(64);
    const seen = new Map<number, number>();
    for (let round = 0; round < 3000; round++) {
      const errno = await guest.call('path_filestat_get', 3, 1, ...path, stat);
      seen.set(errno, (seen.get(errno) ?? 0) + 1);
      if (errno === 0) assert.equal(guest.memory.u64(stat + 32), 2n);
      await guest.call('path_create_directory', 3, ...made);
      await guest.call('path_remove_directory', 3, ...made);
    }
    const allowed = [0, ERRNO.PERM, ERRNO.NOENT, ERRNO.AGAIN];
    assert.deepEqual(
      [...seen.keys()].filter((errno) => !allowed.includes(errno)),
      [],
    );
    // Had it been made outside only once, the last removal could have left it: nothing but the file is there.
    assert.deepEqual(readdirSync(join(root, 'outside')), ['file']);
  } finally {
    Atomics.store(stop, 0, 1);
    await new Promise((resolve) => swapper.once('exit', resolve));
    rmSync(root, { recursive: true, force: true });
  }
});
