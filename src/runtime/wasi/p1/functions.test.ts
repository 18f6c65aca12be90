import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { wasiClockFrom } from '../core/clocks.ts';
import { FakeGuest, GuestEnded } from './fake-guest.ts';
import { PREVIEW1, UNSTABLE } from './layout.ts';

/** https://github.com/WebAssembly/WASI, legacy/preview1/witx/wasi_snapshot_preview1.witx: all functions. */
const ALL =
  `args_get args_sizes_get environ_get environ_sizes_get clock_res_get clock_time_get fd_advise fd_allocate fd_close fd_datasync
  fd_fdstat_get fd_fdstat_set_flags fd_fdstat_set_rights fd_filestat_get fd_filestat_set_size fd_filestat_set_times fd_pread
  fd_prestat_get fd_prestat_dir_name fd_pwrite fd_read fd_readdir fd_renumber fd_seek fd_sync fd_tell fd_write
  path_create_directory path_filestat_get path_filestat_set_times path_link path_open path_readlink path_remove_directory
  path_rename path_symlink path_unlink_file poll_oneoff proc_exit proc_raise sched_yield random_get
  sock_accept sock_recv sock_send sock_shutdown`.split(/\s+/);

const root = mkdtempSync(join(tmpdir(), 'wasmlet-garbage-'));
after(() => rmSync(root, { recursive: true, force: true }));

it('has every function of preview 1 and no other', async () => {
  await using guest = new FakeGuest();
  assert.deepEqual(guest.functionNames.sort(), [...ALL].sort());
});

it('has a test that calls each function', () => {
  const tests = readdirSync(import.meta.dirname).filter(
    (name) => name.endsWith('.test.ts') && name !== 'functions.test.ts',
  );
  const text = tests.map((name) => readFileSync(join(import.meta.dirname, name), 'utf8')).join('\n');
  assert.deepEqual(
    ALL.filter((name) => !text.includes(`'${name}'`)),
    [],
  );
});

/** A small generator whose seed is in the test's name when it fails. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const NUMBERS = [0, 1, 2, 3, 4, 5, 8, 16, 64, 1024, 4096, 65_535, 65_536, 262_143, -1, 0x7fff_ffff, -0x8000_0000];
const LONG = new Set([
  'clock_time_get:1',
  'fd_advise:1',
  'fd_advise:2',
  'fd_allocate:1',
  'fd_allocate:2',
  'fd_fdstat_set_rights:1',
  'fd_fdstat_set_rights:2',
  'fd_filestat_set_size:1',
  'fd_filestat_set_times:1',
  'fd_filestat_set_times:2',
  'fd_pread:3',
  'fd_pwrite:3',
  'fd_readdir:3',
  'fd_seek:1',
  'path_filestat_set_times:4',
  'path_filestat_set_times:5',
  'path_open:5',
  'path_open:6',
]);

it('answers every function with any arguments by an errno, and nothing outside changes', async () => {
  const seed = Number(process.env['WASMLET_TEST_SEED'] ?? 20_261_121);
  const random = generator(seed);
  const pick = (): number => NUMBERS[Math.floor(random() * NUMBERS.length)] ?? 0;
  // Time passes at once, so that no random timeout holds the test.
  let ticks = 0;
  const tick = (): number => (ticks += 1e14);
  const clock = { now: tick, monotonic: tick, sleep: async () => {} };
  mkdirSync(join(root, 'data'));
  writeFileSync(join(root, 'untouched'), 'same');
  for (const layout of [PREVIEW1, UNSTABLE]) {
    const preopens = [{ guestPath: '/', hostPath: join(root, 'data') }];
    await using guest = new FakeGuest(
      { args: ['a'], env: [['B', 'c']], preopens, clock: wasiClockFrom(clock) },
      layout,
    );
    for (let at = 0; at < 4096; at += 4)
      guest.memory.setU32(at, random() < 0.5 ? pick() : Math.floor(random() * 2 ** 32));
    for (let round = 0; round < 400; round++) {
      for (const name of ALL) {
        if (name === 'fd_close' || name === 'fd_renumber' || (name === 'fd_allocate' && random() > 0.1)) continue;
        const args = Array.from({ length: 9 }, (_, at) => (LONG.has(`${name}:${at}`) ? BigInt(pick()) : pick()));
        // A gigabyte in a sparse file is no harm, but allocating one is.
        if (name === 'fd_allocate') args[2] = 1n;
        const waits = name === 'poll_oneoff' ? [args[0] ?? 0, args[1] ?? 0, 1, args[3] ?? 0] : args;
        try {
          const errno = await guest.call(name, ...waits);
          assert.ok(Number.isInteger(errno) && errno >= 0 && errno <= 76, `${name} ${waits} seed ${seed}`);
        } catch (error) {
          if (!(error instanceof GuestEnded)) throw new Error(`${name}(${waits}) with seed ${seed}`, { cause: error });
        }
      }
    }
    for (const name of ['fd_close', 'fd_renumber']) {
      for (let round = 0; round < 50; round++) await guest.call(name, pick(), pick());
    }
  }
  assert.equal(readFileSync(join(root, 'untouched'), 'utf8'), 'same');
  assert.deepEqual(readdirSync(root).sort(), ['data', 'untouched']);
});
