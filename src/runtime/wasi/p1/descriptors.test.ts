import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import type { WasiOptions } from '../contract.ts';
import { FDFLAGS, FILETYPE, RIGHTS } from '../core/descriptor.ts';
import { ERRNO } from '../core/errno.ts';
import { FakeGuest } from './fake-guest.ts';
import { UNSTABLE } from './layout.ts';

const root = mkdtempSync(join(tmpdir(), 'wasmlet-fd-'));
after(() => rmSync(root, { recursive: true, force: true }));
beforeEach(() => {
  rmSync(join(root, 'data'), { recursive: true, force: true });
  mkdirSync(join(root, 'data'));
  writeFileSync(join(root, 'data', 'file'), 'hello world');
});

const PREOPEN = 3;
const READ = RIGHTS.FD_READ;
const WRITE = RIGHTS.FD_WRITE;
const PAST_THE_END = 0xffff_fff0;

function guestWith(options: WasiOptions = {}): FakeGuest {
  return new FakeGuest({ preopens: [{ guestPath: '/data', hostPath: join(root, 'data') }], ...options });
}

async function open(
  guest: FakeGuest,
  path: string,
  { rights = READ | WRITE, oflags = 0, fdflags = 0 } = {},
): Promise<number> {
  const result = guest.space(4);
  assert.equal(await guest.call('path_open', PREOPEN, 1, ...guest.bytes(path), oflags, rights, 0n, fdflags, result), 0);
  return guest.memory.u32(result);
}

async function size(guest: FakeGuest, name: string, ...args: (number | bigint)[]): Promise<number> {
  const result = guest.space(8);
  assert.equal(await guest.call(name, ...args, result), 0);
  return guest.memory.u32(result);
}

describe('reading and writing', () => {
  it('fd_read fills several buffers from the position on, and 0 is the end', async () => {
    await using guest = guestWith();
    const fd = await open(guest, 'file');
    const buffers = guest.buffers(4, 0, 100);
    assert.equal(await size(guest, 'fd_read', fd, ...buffers), 11);
    assert.equal(guest.textOf(buffers), 'hello world');
    assert.equal(await size(guest, 'fd_read', fd, ...buffers), 0);
  });

  it('fd_write writes several buffers at the position; fd_tell and fd_seek know where that is', async () => {
    await using guest = guestWith();
    const fd = await open(guest, 'file');
    assert.equal(await size(guest, 'fd_seek', fd, 6n, 0), 6);
    assert.equal(await size(guest, 'fd_write', fd, ...guest.buffers('W', 'ASI', '!')), 5);
    assert.equal(await size(guest, 'fd_tell', fd), 11);
    assert.equal(readFileSync(join(root, 'data', 'file'), 'utf8'), 'hello WASI!');
    assert.equal(await size(guest, 'fd_seek', fd, -1n, 2), 10);
    assert.equal(await size(guest, 'fd_seek', fd, -4n, 1), 6);
    assert.equal(await guest.call('fd_seek', fd, -7n, 1, guest.space(8)), ERRNO.INVAL);
    assert.equal(await guest.call('fd_seek', fd, 0n, 3, guest.space(8)), ERRNO.INVAL);
    assert.equal(await guest.call('fd_seek', fd, 2n ** 60n, 0, guest.space(8)), ERRNO.INVAL);
    assert.equal(await guest.call('fd_seek', 1, 0n, 0, guest.space(8)), ERRNO.SPIPE);
    assert.equal(await guest.call('fd_tell', PREOPEN, guest.space(8)), ERRNO.BADF);
  });

  it('counts whence as wasi_unstable does for its guests: current, end, set', async () => {
    await using guest = new FakeGuest({ preopens: [{ guestPath: '/data', hostPath: join(root, 'data') }] }, UNSTABLE);
    const fd = await open(guest, 'file');
    assert.equal(await size(guest, 'fd_seek', fd, 3n, 2), 3);
    assert.equal(await size(guest, 'fd_seek', fd, 2n, 0), 5);
    assert.equal(await size(guest, 'fd_seek', fd, -1n, 1), 10);
  });

  it('fd_pread and fd_pwrite leave the position alone', async () => {
    await using guest = guestWith();
    const fd = await open(guest, 'file');
    const buffers = guest.buffers(5);
    assert.equal(await size(guest, 'fd_pread', fd, ...buffers, 6n), 5);
    assert.equal(guest.textOf(buffers), 'world');
    assert.equal(await size(guest, 'fd_pwrite', fd, ...guest.buffers('J'), 0n), 1);
    assert.equal(await size(guest, 'fd_tell', fd), 0);
    assert.equal(readFileSync(join(root, 'data', 'file'), 'utf8'), 'Jello world');
    assert.equal(await guest.call('fd_pread', 0, ...guest.buffers(1), 0n, guest.space(4)), ERRNO.SPIPE);
    assert.equal(await guest.call('fd_pwrite', 1, ...guest.buffers('x'), 0n, guest.space(4)), ERRNO.SPIPE);
    assert.equal(await guest.call('fd_pread', fd, ...guest.buffers(1), -1n, guest.space(4)), ERRNO.INVAL);
  });

  it('fd_read gives the same bytes when the kernel has to fetch them, and a close meanwhile harms nobody', async () => {
    await using guest = guestWith();
    const bytes = Buffer.alloc(1 << 18, '0123456789abcdef');
    writeFileSync(join(root, 'data', 'large'), bytes);
    const fd = await open(guest, 'large');
    const buffers = guest.buffers(16);
    for (let offset = 0; offset < bytes.byteLength; offset += 1 << 16) {
      assert.equal(await guest.call('fd_sync', fd), 0);
      assert.equal(await guest.call('fd_advise', fd, 0n, 0n, 4), 0);
      assert.equal(await size(guest, 'fd_pread', fd, ...buffers, BigInt(offset)), 16);
      assert.equal(guest.textOf(buffers), '0123456789abcdef');
    }
    await guest.call('fd_advise', fd, 0n, 0n, 4);
    const reading = guest.call('fd_read', fd, ...buffers, guest.space(4));
    assert.equal(await guest.call('fd_close', fd), 0);
    assert.equal(await reading, 0);
  });

  it('appends where the flag is set, at opening or later', async () => {
    await using guest = guestWith();
    const fd = await open(guest, 'file', { fdflags: FDFLAGS.APPEND });
    await size(guest, 'fd_write', fd, ...guest.buffers('+1'));
    assert.equal(await guest.call('fd_fdstat_set_flags', fd, 0), 0);
    await size(guest, 'fd_seek', fd, 0n, 0);
    await size(guest, 'fd_write', fd, ...guest.buffers('H'));
    assert.equal(await guest.call('fd_fdstat_set_flags', fd, FDFLAGS.APPEND), 0);
    await size(guest, 'fd_write', fd, ...guest.buffers('+2'));
    assert.equal(readFileSync(join(root, 'data', 'file'), 'utf8'), 'Hello world+1+2');
    assert.equal(await guest.call('fd_fdstat_set_flags', fd, FDFLAGS.SYNC), ERRNO.INVAL);
    assert.equal(await guest.call('fd_fdstat_set_flags', fd, 1 << 9), ERRNO.INVAL);
    assert.equal(await guest.call('fd_fdstat_set_flags', PREOPEN, 0), ERRNO.BADF);
  });

  it('keeps to what the descriptor was opened for', async () => {
    await using guest = guestWith();
    const reader = await open(guest, 'file', { rights: READ });
    const writer = await open(guest, 'file', { rights: WRITE });
    assert.equal(await guest.call('fd_write', reader, ...guest.buffers('x'), guest.space(4)), ERRNO.BADF);
    assert.equal(await guest.call('fd_read', writer, ...guest.buffers(1), guest.space(4)), ERRNO.BADF);
    assert.equal(await guest.call('fd_read', PREOPEN, ...guest.buffers(1), guest.space(4)), ERRNO.BADF);
    assert.equal(await guest.call('fd_write', 0, ...guest.buffers('x'), guest.space(4)), ERRNO.BADF);
    assert.equal(await guest.call('fd_read', 1, ...guest.buffers(1), guest.space(4)), ERRNO.BADF);
    assert.equal(await guest.call('fd_read', 99, ...guest.buffers(1), guest.space(4)), ERRNO.BADF);
  });

  it('bounds buffers by number and by size, and refuses pointers that lead outside', async () => {
    const limits = { buffers: 2, transferBytes: 5 };
    await using guest = guestWith({ limits });
    const fd = await open(guest, 'file');
    assert.equal(await size(guest, 'fd_read', fd, ...guest.buffers(4, 4)), 5);
    assert.equal(await guest.call('fd_read', fd, ...guest.buffers(1, 1, 1), guest.space(4)), ERRNO.INVAL);
    assert.equal(await guest.call('fd_read', fd, PAST_THE_END, 2, guest.space(4)), ERRNO.FAULT);
    const list = guest.space(8);
    guest.memory.setU32(list, PAST_THE_END);
    guest.memory.setU32(list + 4, 100);
    assert.equal(await guest.call('fd_read', fd, list, 1, guest.space(4)), ERRNO.FAULT);
    assert.equal(await guest.call('fd_write', fd, list, 1, guest.space(4)), ERRNO.FAULT);
  });
});

describe('standard streams', () => {
  it('give the sink a copy of all buffers of a call in one piece', async () => {
    const written: string[] = [];
    await using guest = guestWith({ stdout: (bytes) => void written.push(Buffer.from(bytes).toString()) });
    assert.equal(await size(guest, 'fd_write', 1, ...guest.buffers('one ', 'line\n')), 9);
    assert.deepEqual(written, ['one line\n']);
  });

  it('make the writer wait for a sink that is slow, and tell a closed pipe from other failures', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const broken = Object.assign(new Error('closed'), { code: 'EPIPE' });
    await using guest = guestWith({
      stdout: () => promise,
      stderr: () => {
        throw broken;
      },
    });
    let done = false;
    const writing = guest.call('fd_write', 1, ...guest.buffers('x'), guest.space(4)).then(() => {
      done = true;
    });
    await new Promise((next) => setImmediate(next));
    assert.equal(done, false);
    resolve();
    await writing;
    assert.equal(await guest.call('fd_write', 2, ...guest.buffers('x'), guest.space(4)), ERRNO.PIPE);
  });

  it('read from the source only what is asked for, then its end', async () => {
    let pulled = 0;
    async function* source(): AsyncGenerator<Uint8Array> {
      for (const text of ['first', '', 'second']) {
        pulled++;
        yield Buffer.from(text);
      }
    }
    await using guest = guestWith({ stdin: source() });
    assert.equal(pulled, 0);
    const buffers = guest.buffers(3);
    assert.equal(await size(guest, 'fd_read', 0, ...buffers), 3);
    assert.equal(pulled, 1);
    assert.equal(guest.textOf(buffers), 'fir');
    assert.equal(await size(guest, 'fd_read', 0, ...guest.buffers(10)), 2);
    assert.equal(await size(guest, 'fd_read', 0, ...guest.buffers(10)), 6);
    assert.equal(await size(guest, 'fd_read', 0, ...guest.buffers(10)), 0);
  });
});

describe('status', () => {
  it('fd_fdstat_get tells type, flags and rights', async () => {
    await using guest = guestWith({ terminals: { stdout: true } });
    const stat = guest.space(24);
    const typeOf = async (fd: number): Promise<number> => {
      assert.equal(await guest.call('fd_fdstat_get', fd, stat), 0);
      return guest.memory.u8(stat);
    };
    assert.equal(await typeOf(0), FILETYPE.UNKNOWN);
    assert.equal(await typeOf(1), FILETYPE.CHARACTER_DEVICE);
    assert.equal(await typeOf(PREOPEN), FILETYPE.DIRECTORY);
    assert.equal(
      await typeOf(await open(guest, 'file', { rights: READ, fdflags: FDFLAGS.APPEND })),
      FILETYPE.REGULAR_FILE,
    );
    assert.equal(guest.memory.u16(stat + 2), FDFLAGS.APPEND);
    assert.equal(guest.memory.u64(stat + 8) & (READ | WRITE), READ);
    assert.equal(await guest.call('fd_fdstat_get', PREOPEN, PAST_THE_END), ERRNO.FAULT);
  });

  it('fd_fdstat_set_rights is not there any more, as in wasmtime', async () => {
    await using guest = guestWith();
    assert.equal(await guest.call('fd_fdstat_set_rights', PREOPEN, 0n, 0n), ERRNO.NOTSUP);
    assert.equal(await guest.call('fd_fdstat_set_rights', 77, 0n, 0n), ERRNO.BADF);
  });

  it('fd_filestat_get tells size, links and times in the shape of each snapshot', async () => {
    for (const [layout, links, bytes] of [
      [undefined, 24, 32],
      [UNSTABLE, 20, 24],
    ] as const) {
      await using guest = new FakeGuest({ preopens: [{ guestPath: '/data', hostPath: join(root, 'data') }] }, layout);
      const fd = await open(guest, 'file');
      const stat = guest.space(64);
      assert.equal(await guest.call('fd_filestat_get', fd, stat), 0);
      assert.equal(guest.memory.u64(stat), 1n);
      assert.equal(guest.memory.u64(stat + 8), statSync(join(root, 'data', 'file'), { bigint: true }).ino);
      assert.equal(guest.memory.u8(stat + 16), FILETYPE.REGULAR_FILE);
      assert.equal(guest.memory.u32(stat + links), 1);
      assert.equal(guest.memory.u64(stat + bytes), 11n);
      assert.equal(guest.memory.u64(stat + bytes + 16), statSync(join(root, 'data', 'file'), { bigint: true }).mtimeNs);
    }
  });

  it('fd_filestat_set_size cuts and extends', async () => {
    await using guest = guestWith();
    const fd = await open(guest, 'file');
    assert.equal(await guest.call('fd_filestat_set_size', fd, 5n), 0);
    assert.equal(readFileSync(join(root, 'data', 'file'), 'utf8'), 'hello');
    assert.equal(await guest.call('fd_filestat_set_size', fd, -1n), ERRNO.FBIG);
    assert.equal(await guest.call('fd_filestat_set_size', PREOPEN, 0n), ERRNO.BADF);
    const reader = await open(guest, 'file', { rights: READ });
    assert.equal(await guest.call('fd_filestat_set_size', reader, 0n), ERRNO.INVAL);
  });

  it('fd_filestat_set_times sets one time, leaves the other, and refuses contradictions', async () => {
    await using guest = guestWith();
    const fd = await open(guest, 'file');
    const before = statSync(join(root, 'data', 'file'), { bigint: true });
    assert.equal(await guest.call('fd_filestat_set_times', fd, 0n, 5_000_000_001n, 4), 0);
    const set = statSync(join(root, 'data', 'file'), { bigint: true });
    assert.equal(set.mtimeNs, 5_000_000_001n);
    assert.equal(set.atimeNs, before.atimeNs);
    assert.equal(await guest.call('fd_filestat_set_times', fd, 0n, 0n, 8), 0);
    assert.ok(statSync(join(root, 'data', 'file')).mtimeMs > 1e12);
    assert.equal(await guest.call('fd_filestat_set_times', fd, 0n, 0n, 4 | 8), ERRNO.INVAL);
    assert.equal(await guest.call('fd_filestat_set_times', fd, 0n, 0n, 16), ERRNO.INVAL);
    assert.equal(await guest.call('fd_filestat_set_times', 1, 0n, 0n, 8), ERRNO.BADF);
  });

  it('fd_advise, fd_allocate, fd_sync and fd_datasync work on files alone', async () => {
    await using guest = guestWith();
    const fd = await open(guest, 'file');
    for (let advice = 0; advice < 6; advice++) assert.equal(await guest.call('fd_advise', fd, 0n, 0n, advice), 0);
    assert.equal(await guest.call('fd_advise', fd, 0n, 0n, 6), ERRNO.INVAL);
    assert.equal(await guest.call('fd_advise', fd, -1n, -1n, 0), ERRNO.INVAL);
    assert.equal(await guest.call('fd_advise', PREOPEN, 0n, 0n, 0), ERRNO.BADF);
    assert.ok([0, ERRNO.NOTSUP].includes(await guest.call('fd_allocate', fd, 0n, 100n)));
    assert.equal(await guest.call('fd_allocate', fd, 0n, 0n), ERRNO.INVAL);
    assert.equal(await guest.call('fd_allocate', PREOPEN, 0n, 1n), ERRNO.BADF);
    assert.equal(await guest.call('fd_sync', fd), 0);
    assert.equal(await guest.call('fd_datasync', fd), 0);
    assert.equal(await guest.call('fd_sync', PREOPEN), ERRNO.BADF);
    assert.equal(await guest.call('fd_datasync', 1), ERRNO.BADF);
  });
});

describe('the table', () => {
  it('fd_close frees the number, and the lowest free one is next', async () => {
    await using guest = guestWith();
    const first = await open(guest, 'file');
    const second = await open(guest, 'file');
    assert.deepEqual([first, second], [4, 5]);
    assert.equal(await guest.call('fd_close', first), 0);
    assert.equal(await guest.call('fd_close', first), ERRNO.BADF);
    assert.equal(await open(guest, 'file'), first);
  });

  it('fd_renumber moves a descriptor over another, which is closed', async () => {
    await using guest = guestWith();
    const from = await open(guest, 'file');
    const to = await open(guest, 'file');
    await size(guest, 'fd_seek', from, 6n, 0);
    assert.equal(await guest.call('fd_renumber', from, to), 0);
    assert.equal(await size(guest, 'fd_tell', to), 6);
    assert.equal(await guest.call('fd_tell', from, guest.space(8)), ERRNO.BADF);
    assert.equal(await guest.call('fd_renumber', to, to), 0);
    assert.equal(await guest.call('fd_renumber', to, 50), ERRNO.BADF);
  });

  it('ends at its limit with EMFILE', async () => {
    await using guest = guestWith({ limits: { descriptors: 5 } });
    await open(guest, 'file');
    assert.equal(
      await guest.call('path_open', PREOPEN, 0, ...guest.bytes('file'), 0, READ, 0n, 0, guest.space(4)),
      ERRNO.MFILE,
    );
  });

  it('fd_prestat_get and fd_prestat_dir_name name what is preopened', async () => {
    await using guest = guestWith();
    const stat = guest.space(8);
    assert.equal(await guest.call('fd_prestat_get', PREOPEN, stat), 0);
    assert.deepEqual([guest.memory.u8(stat), guest.memory.u32(stat + 4)], [0, 5]);
    const name = guest.space(5);
    assert.equal(await guest.call('fd_prestat_dir_name', PREOPEN, name, 5), 0);
    assert.equal(guest.text(name, 5), '/data');
    assert.equal(await guest.call('fd_prestat_dir_name', PREOPEN, name, 4), ERRNO.NAMETOOLONG);
    assert.equal(await guest.call('fd_prestat_dir_name', 1, name, 5), ERRNO.NOTDIR);
    assert.equal(await guest.call('fd_prestat_get', 1, stat), ERRNO.BADF);
    assert.equal(await guest.call('fd_prestat_get', PREOPEN + 1, stat), ERRNO.BADF);
  });
});

describe('fd_readdir', () => {
  async function names(guest: FakeGuest, bytes: number): Promise<string[]> {
    const buffer = guest.space(bytes);
    const found: string[] = [];
    for (let cookie = 0n; ; ) {
      const used = await size(guest, 'fd_readdir', PREOPEN, buffer, bytes, cookie);
      let at = buffer;
      while (at + 24 <= buffer + used) {
        const length = guest.memory.u32(at + 16);
        if (at + 24 + length > buffer + used) break;
        found.push(`${guest.text(at + 24, length)}:${guest.memory.u8(at + 20)}`);
        cookie = guest.memory.u64(at);
        at += 24 + length;
      }
      if (used < bytes) return found;
    }
  }

  it('lists all entries once, with any size of buffer that holds one', async () => {
    for (let index = 0; index < 50; index++) writeFileSync(join(root, 'data', `file-${index}`), '');
    symlinkSync('file', join(root, 'data', 'link'));
    mkdirSync(join(root, 'data', 'folder'));
    await using guest = guestWith();
    for (const bytes of [64, 200, 65_536]) {
      const found = await names(guest, bytes);
      assert.deepEqual(found.slice(0, 2), ['.:3', '..:3']);
      assert.equal(new Set(found).size, 55);
      for (const entry of ['file:4', 'link:7', 'folder:3', 'file-49:4']) assert.ok(found.includes(entry), entry);
    }
  });

  it('answers EBADF for what is no directory, EFAULT for a bad buffer, nothing past the end', async () => {
    await using guest = guestWith();
    const fd = await open(guest, 'file');
    assert.equal(await guest.call('fd_readdir', fd, guest.space(64), 64, 0n, guest.space(4)), ERRNO.BADF);
    assert.equal(await guest.call('fd_readdir', PREOPEN, PAST_THE_END, 64, 0n, guest.space(4)), ERRNO.FAULT);
    assert.equal(await size(guest, 'fd_readdir', PREOPEN, guest.space(64), 64, -1n), 0);
  });

  it('refuses a directory with more names than its limit', async () => {
    for (let index = 0; index < 20; index++) writeFileSync(join(root, 'data', `file-${index}`), '');
    await using guest = guestWith({ limits: { directoryEntries: 10 } });
    assert.equal(await guest.call('fd_readdir', PREOPEN, guest.space(64), 64, 0n, guest.space(4)), ERRNO.NOMEM);
  });
});
