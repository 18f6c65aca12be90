/**
 * Each function of preview 1 and each of its errors, called by a real guest (`guests/caller`), in both snapshots. Written from the
 * specification (WASI preview 1, `wasi_snapshot_preview1.witx`) and POSIX, which it leans on. A function without a case fails here.
 */
import assert from 'node:assert/strict';
import {
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import type { WasiOptions } from '../contract.ts';
import { ERRNO } from '../core/errno.ts';
import { Caller, NOT_MADE, type Snapshot } from './caller.ts';
import { SIGNATURES } from './signatures.ts';
import { PATH_CASES } from './twin.paths.ts';
import { type Case, DIR, FIXED, NONE, noDescriptor, OUT, READ, WRITE } from './twin.world.ts';

const root = mkdtempSync(join(tmpdir(), 'wasmlet-twin-'));
const data = join(root, 'data');
const fixed = join(root, 'fixed');
after(() => rmSync(root, { recursive: true, force: true }));

beforeEach(() => {
  for (const name of readdirSync(root)) rmSync(join(root, name), { recursive: true });
  mkdirSync(join(data, 'folder', 'full'), { recursive: true });
  mkdirSync(join(data, 'empty'));
  mkdirSync(join(fixed, 'folder'), { recursive: true });
  for (const folder of [data, fixed]) writeFileSync(join(folder, 'file'), 'content');
  for (const name of ['one', 'two', 'three']) writeFileSync(join(data, name), name);
  writeFileSync(join(data, 'large'), '');
  truncateSync(join(data, 'large'), 1 << 20);
  symlinkSync('file', join(data, 'link'));
  symlinkSync('loop', join(data, 'loop'));
  symlinkSync('../..', join(data, 'up'));
});

const CASES: Readonly<Record<string, readonly Case[]>> = {
  ...PATH_CASES,
  args_get: [
    ['SUCCESS', (g) => [g.space(64), g.space(64)]],
    ['FAULT', (g) => [OUT, g.space(64)]],
    ['FAULT', (g) => [g.space(64), OUT]],
  ],
  args_sizes_get: [
    ['SUCCESS', (g) => [g.space(4), g.space(4)]],
    ['FAULT', (g) => [OUT, g.space(4)]],
  ],
  environ_get: [
    ['SUCCESS', (g) => [g.space(64), g.space(64)]],
    ['FAULT', (g) => [OUT, g.space(64)]],
  ],
  environ_sizes_get: [
    ['SUCCESS', (g) => [g.space(4), g.space(4)]],
    ['FAULT', (g) => [g.space(4), OUT]],
  ],
  clock_res_get: [
    ['SUCCESS', (g) => [0, g.space(8)]],
    ['SUCCESS', (g) => [1, g.space(8)]],
    ['BADF', (g) => [2, g.space(8)]],
    ['INVAL', (g) => [9, g.space(8)]],
    ['FAULT', () => [0, OUT]],
  ],
  clock_time_get: [
    ['SUCCESS', (g) => [0, 1n, g.space(8)]],
    ['SUCCESS', (g) => [1, 0n, g.space(8)]],
    ['BADF', (g) => [3, 1n, g.space(8)]],
    ['INVAL', (g) => [4, 1n, g.space(8)]],
    ['FAULT', () => [1, 1n, OUT]],
  ],
  random_get: [
    ['SUCCESS', (g) => [g.space(64), 64]],
    ['SUCCESS', (g) => [g.space(8), 0]],
    ['FAULT', () => [OUT, 64]],
    ['FAULT', () => [0, 0xffff_ffff]],
  ],
  sched_yield: [['SUCCESS', () => []]],
  fd_advise: [
    ['SUCCESS', (g) => [g.open('file'), 0n, 4n, 1]],
    ['INVAL', (g) => [g.open('file'), 0n, 4n, 9]],
    ['INVAL', (g) => [g.open('file'), -1n, 4n, 0]],
    ['BADF', () => [DIR, 0n, 4n, 0]],
    noDescriptor(0n, 0n, 0),
  ],
  fd_allocate: [
    ['SUCCESS', (g) => [g.open('one'), 0n, 64n]],
    ['INVAL', (g) => [g.open('one'), 0n, 0n]],
    ['FBIG', (g) => [g.open('one'), 0n, -1n]],
    ['BADF', (g) => [g.open('one', { rights: READ }), 0n, 8n]],
    ['BADF', () => [DIR, 0n, 8n]],
    noDescriptor(0n, 1n),
  ],
  fd_close: [
    ['SUCCESS', (g) => [g.open('file')]],
    ['SUCCESS', (g) => [g.open('folder', { oflags: 2 })]],
    noDescriptor(),
  ],
  fd_datasync: [['SUCCESS', (g) => [g.open('file')]], ['BADF', () => [1]], noDescriptor()],
  fd_sync: [['SUCCESS', (g) => [g.open('file')]], ['BADF', () => [0]], noDescriptor()],
  fd_fdstat_get: [
    ['SUCCESS', (g) => [DIR, g.space(24)]],
    ['SUCCESS', (g) => [1, g.space(24)]],
    ['FAULT', () => [DIR, OUT]],
    ['BADF', (g) => [NONE, g.space(24)]],
  ],
  fd_fdstat_set_flags: [
    ['SUCCESS', (g) => [g.open('file'), 1]],
    ['SUCCESS', () => [0, 4]],
    ['INVAL', (g) => [g.open('file'), 2]],
    ['INVAL', (g) => [g.open('file'), 64]],
    ['BADF', () => [DIR, 0]],
    noDescriptor(0),
  ],
  fd_fdstat_set_rights: [['NOTSUP', () => [DIR, 0n, 0n]], noDescriptor(0n, 0n)],
  fd_filestat_get: [
    ['SUCCESS', (g) => [g.open('file'), g.space(64)]],
    ['SUCCESS', (g) => [1, g.space(64)]],
    ['FAULT', () => [DIR, OUT]],
    ['BADF', (g) => [NONE, g.space(64)]],
  ],
  fd_filestat_set_size: [
    ['SUCCESS', (g) => [g.open('two'), 100n]],
    ['FBIG', (g) => [g.open('two'), -1n]],
    ['INVAL', (g) => [g.open('two', { rights: READ }), 1n]],
    ['ROFS', (g) => [g.open('file', { fd: FIXED, rights: READ }), 1n]],
    ['BADF', () => [DIR, 1n]],
    noDescriptor(1n),
  ],
  fd_filestat_set_times: [
    ['SUCCESS', (g) => [g.open('two'), 1n, 1n, 5]],
    ['SUCCESS', () => [DIR, 0n, 0n, 10]],
    ['INVAL', (g) => [g.open('two'), 1n, 1n, 3]],
    ['INVAL', (g) => [g.open('two'), 1n, 1n, 16]],
    ['ROFS', () => [FIXED, 1n, 1n, 5]],
    ['BADF', () => [1, 1n, 1n, 5]],
    noDescriptor(1n, 1n, 5),
  ],
  fd_read: [
    ['SUCCESS', (g) => [g.open('file'), ...g.buffers(4, 0, 8), g.space(4)]],
    ['SUCCESS', (g) => [0, ...g.buffers(4), g.space(4)]],
    ['BADF', (g) => [g.open('file', { rights: WRITE }), ...g.buffers(4), g.space(4)]],
    ['BADF', (g) => [DIR, ...g.buffers(4), g.space(4)]],
    ['BADF', (g) => [1, ...g.buffers(4), g.space(4)]],
    ['INVAL', (g) => [g.open('file'), g.space(8), 0xffff_ffff, g.space(4)]],
    ['FAULT', (g) => [g.open('file'), OUT, 2, g.space(4)]],
    ['FAULT', (g) => [g.open('file'), g.u32(OUT, 64), 1, g.space(4)]],
    ['FAULT', (g) => [g.open('file'), ...g.buffers(4), OUT]],
    ['BADF', (g) => [NONE, ...g.buffers(4), g.space(4)]],
  ],
  fd_pread: [
    ['SUCCESS', (g) => [g.open('file'), ...g.buffers(4), 2n, g.space(4)]],
    ['SUCCESS', (g) => [g.open('file'), ...g.buffers(4), 1n << 40n, g.space(4)]],
    ['INVAL', (g) => [g.open('file'), ...g.buffers(4), -1n, g.space(4)]],
    ['SPIPE', (g) => [0, ...g.buffers(4), 0n, g.space(4)]],
    ['BADF', (g) => [DIR, ...g.buffers(4), 0n, g.space(4)]],
    ['FAULT', (g) => [g.open('file'), OUT, 1, 0n, g.space(4)]],
    ['BADF', (g) => [NONE, ...g.buffers(4), 0n, g.space(4)]],
  ],
  fd_write: [
    ['SUCCESS', (g) => [g.open('three'), ...g.buffers('text', '', 'more'), g.space(4)]],
    ['SUCCESS', (g) => [1, ...g.buffers('text'), g.space(4)]],
    ['BADF', (g) => [g.open('three', { rights: READ }), ...g.buffers('text'), g.space(4)]],
    ['BADF', (g) => [0, ...g.buffers('text'), g.space(4)]],
    ['BADF', (g) => [DIR, ...g.buffers('text'), g.space(4)]],
    ['PIPE', (g) => [2, ...g.buffers('text'), g.space(4)]],
    ['INVAL', (g) => [1, g.space(8), 5000, g.space(4)]],
    ['FAULT', (g) => [g.open('three'), g.u32(OUT, 64), 1, g.space(4)]],
    ['FAULT', (g) => [1, ...g.buffers('text'), OUT]],
    ['BADF', (g) => [NONE, ...g.buffers('text'), g.space(4)]],
  ],
  fd_pwrite: [
    ['SUCCESS', (g) => [g.open('three'), ...g.buffers('text'), 2n, g.space(4)]],
    ['INVAL', (g) => [g.open('three'), ...g.buffers('text'), -1n, g.space(4)]],
    ['SPIPE', (g) => [1, ...g.buffers('text'), 0n, g.space(4)]],
    ['BADF', (g) => [g.open('three', { rights: READ }), ...g.buffers('text'), 0n, g.space(4)]],
    ['BADF', (g) => [DIR, ...g.buffers('text'), 0n, g.space(4)]],
    ['FAULT', (g) => [g.open('three'), OUT, 1, 0n, g.space(4)]],
    ['BADF', (g) => [NONE, ...g.buffers('text'), 0n, g.space(4)]],
  ],
  fd_prestat_get: [
    ['SUCCESS', (g) => [DIR, g.space(8)]],
    ['BADF', (g) => [1, g.space(8)]],
    ['BADF', (g) => [g.open('folder', { oflags: 2, rights: 0n }), g.space(8)]],
    ['FAULT', () => [DIR, OUT]],
    ['BADF', (g) => [NONE, g.space(8)]],
  ],
  fd_prestat_dir_name: [
    ['SUCCESS', (g) => [DIR, g.space(8), 8]],
    ['NAMETOOLONG', (g) => [DIR, g.space(8), 2]],
    ['NOTDIR', (g) => [1, g.space(8), 8]],
    ['FAULT', () => [DIR, OUT, 64]],
    ['BADF', (g) => [NONE, g.space(8), 8]],
  ],
  fd_readdir: [
    ['SUCCESS', (g) => [DIR, g.space(512), 512, 0n, g.space(4)]],
    ['SUCCESS', (g) => [DIR, g.space(512), 512, 1n << 60n, g.space(4)]],
    ['BADF', (g) => [g.open('file'), g.space(64), 64, 0n, g.space(4)]],
    ['BADF', (g) => [1, g.space(64), 64, 0n, g.space(4)]],
    ['FAULT', (g) => [DIR, OUT, 64, 0n, g.space(4)]],
    ['FAULT', (g) => [DIR, g.space(64), 64, 0n, OUT]],
    ['BADF', (g) => [NONE, g.space(64), 64, 0n, g.space(4)]],
  ],
  fd_renumber: [['SUCCESS', (g) => [g.open('file'), g.open('two')]], ['BADF', () => [DIR, NONE]], noDescriptor(DIR)],
  fd_seek: [
    ['SUCCESS', (g) => [g.open('file'), 0n, 0, g.space(8)]],
    ['SUCCESS', (g) => [g.open('file'), 0n, 1, g.space(8)]],
    ['SUCCESS', (g) => [g.open('file'), 0n, 2, g.space(8)]],
    ['INVAL', (g) => [g.open('file'), -100n, 0, g.space(8)]],
    ['INVAL', (g) => [g.open('file'), 0n, 3, g.space(8)]],
    ['SPIPE', (g) => [1, 0n, 0, g.space(8)]],
    ['BADF', (g) => [DIR, 0n, 0, g.space(8)]],
    ['FAULT', (g) => [g.open('file'), 0n, 0, OUT]],
    ['BADF', (g) => [NONE, 0n, 0, g.space(8)]],
  ],
  fd_tell: [
    ['SUCCESS', (g) => [g.open('file'), g.space(8)]],
    ['SPIPE', (g) => [0, g.space(8)]],
    ['BADF', (g) => [DIR, g.space(8)]],
    ['FAULT', (g) => [g.open('file'), OUT]],
    ['BADF', (g) => [NONE, g.space(8)]],
  ],
  poll_oneoff: [
    ['SUCCESS', (g) => [subscription(g, 1), g.space(32), 1, g.space(4)]],
    ['INVAL', (g) => [subscription(g, 1), g.space(32), 0, g.space(4)]],
    ['INVAL', (g) => [subscription(g, 1), g.space(32), 0xffff_ffff, g.space(4)]],
    ['INVAL', (g) => [subscription(g, 7), g.space(32), 1, g.space(4)]],
    ['FAULT', (g) => [OUT, g.space(32), 1, g.space(4)]],
    ['FAULT', (g) => [subscription(g, 1), OUT, 1, g.space(4)]],
    ['FAULT', (g) => [subscription(g, 1), g.space(32), 1, OUT]],
  ],
  sock_accept: [
    ['NOTSOCK', (g) => [DIR, 0, g.space(4)]],
    ['NOTSOCK', (g) => [0, 0, g.space(4)]],
    ['BADF', (g) => [NONE, 0, g.space(4)]],
  ],
  sock_recv: [
    ['NOTSOCK', (g) => [DIR, ...g.buffers(4), 0, g.space(4), g.space(4)]],
    ['BADF', (g) => [NONE, ...g.buffers(4), 0, g.space(4), g.space(4)]],
  ],
  sock_send: [
    ['NOTSOCK', (g) => [DIR, ...g.buffers('x'), 0, g.space(4)]],
    ['BADF', (g) => [NONE, ...g.buffers('x'), 0, g.space(4)]],
  ],
  sock_shutdown: [['NOTSOCK', () => [DIR, 1]], noDescriptor(1)],
  proc_exit: [],
  proc_raise: [],
};

/** Of the first standard stream: tag 1 waits to read it. */
function subscription(guest: Caller, tag: number): number {
  return guest.bytes(
    new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, tag, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...Array(36).fill(0)]),
  )[0];
}

function world(): WasiOptions {
  return {
    args: ['twin', 'argument'],
    env: [['NAME', 'value']],
    preopens: [
      { guestPath: '/data', hostPath: data },
      { guestPath: '/fixed', hostPath: fixed, readOnly: true },
    ],
    stdin: Buffer.from('input'),
    stderr: () => {
      throw Object.assign(new Error('closed'), { code: 'EPIPE' });
    },
  };
}

const errnoNames = Object.fromEntries(Object.entries(ERRNO).map(([name, number]) => [number, name]));

for (const snapshot of ['preview1', 'unstable'] as const satisfies readonly Snapshot[]) {
  describe(`each function of ${snapshot}, and each of its errors`, () => {
    for (const [name, cases] of Object.entries(CASES)) {
      if (snapshot === 'unstable' && name === 'sock_accept') continue;
      if (cases.length === 0) continue;
      it(name, async () => {
        const guest = new Caller(snapshot);
        const calls = cases.map(([, args]) => guest.call(name, ...args(guest)));
        const { errnos } = await guest.run(world());
        const answered = calls.map((call, index) => `${index}: ${errnoNames[errnos[call] ?? NOT_MADE] ?? 'no answer'}`);
        assert.deepEqual(
          answered,
          cases.map(([errno], index) => `${index}: ${errno}`),
        );
      });
    }

    it('proc_exit ends the guest with its code, and nothing comes after it', async () => {
      const guest = new Caller(snapshot);
      guest.call('proc_exit', 7);
      guest.call('sched_yield');
      const { exit, errnos } = await guest.run(world());
      assert.deepEqual([exit.code, errnos[1]], [7, NOT_MADE]);
    });

    it('proc_raise ends the guest as a trap does', async () => {
      const guest = new Caller(snapshot);
      guest.call('proc_raise', 6);
      assert.equal((await guest.run(world())).exit.code, 134);
    });

    it('answers EMFILE when the table is full, ENOMEM where a listing is too long', async () => {
      const guest = new Caller(snapshot);
      guest.open('file');
      guest.open('two');
      guest.call('fd_readdir', DIR, guest.space(64), 64, 0n, guest.space(4));
      const { errnos } = await guest.run({ ...world(), limits: { descriptors: 6, directoryEntries: 3 } });
      assert.deepEqual(errnos, [ERRNO.SUCCESS, ERRNO.MFILE, ERRNO.NOMEM]);
    });
  });
}

describe('the suite', () => {
  it('has a case for each function', () => {
    assert.deepEqual(Object.keys(CASES).sort(), Object.keys(SIGNATURES).sort());
  });

  it('has a case for each error that the host names', () => {
    const sources = globSync('{core,p1}/*.ts', { cwd: join(import.meta.dirname, '..') })
      .filter((file) => !file.includes('.test.'))
      .map((file) => readFileSync(join(import.meta.dirname, '..', file), 'utf8'));
    const thrown = sources.flatMap((text) =>
      [...text.matchAll(/fail\(([^;]*)\)/g)].flatMap(([, inner = '']) =>
        [...inner.matchAll(/'([A-Z0-9]+)'/g)].map(([, name]) => name),
      ),
    );
    const here = Object.values(CASES).flatMap((cases) => cases.map(([errno]) => errno as string));
    const others = readdirSync(import.meta.dirname)
      .filter((file) => file.endsWith('.test.ts'))
      .map((file) => readFileSync(join(import.meta.dirname, file), 'utf8'))
      .join('\n');
    // BUSY, CANCELED and IO: of helper threads, in test/files.
    const elsewhere = new Set(['BUSY', 'CANCELED', 'IO']);
    const missing = [...new Set(thrown)].filter(
      (name) => name !== undefined && !here.includes(name) && !others.includes(`ERRNO.${name}`) && !elsewhere.has(name),
    );
    assert.deepEqual(missing, []);
  });
});
