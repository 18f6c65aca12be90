import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import type { Preopen } from '../contract.ts';
import { FILETYPE, RIGHTS } from '../core/descriptor.ts';
import { ERRNO } from '../core/errno.ts';
import { FakeGuest } from './fake-guest.ts';

const root = mkdtempSync(join(tmpdir(), 'wasmlet-path-'));
const data = join(root, 'data');
after(() => rmSync(root, { recursive: true, force: true }));
beforeEach(() => {
  for (const name of readdirSync(root)) rmSync(join(root, name), { recursive: true });
  mkdirSync(join(data, 'folder'), { recursive: true });
  writeFileSync(join(data, 'file'), 'content');
  writeFileSync(join(root, 'secret'), 'outside');
  symlinkSync('file', join(data, 'inner'));
  symlinkSync('../secret', join(data, 'outer'));
  symlinkSync(join(root, 'secret'), join(data, 'absolute'));
  symlinkSync('..', join(data, 'up'));
  symlinkSync('loop', join(data, 'loop'));
  symlinkSync('missing', join(data, 'dangling'));
});

const DIR = 3;
const FOLLOW = 1;
const READ = RIGHTS.FD_READ;
const WRITE = RIGHTS.FD_WRITE;
const CREAT = 1;
const DIRECTORY = 2;
const EXCL = 4;
const TRUNC = 8;
/** Paths that lead out of the preopen, by any way. */
const ESCAPES = [
  '..',
  '../secret',
  'folder/../../secret',
  'outer',
  'absolute',
  'up',
  'up/secret',
  '/etc/passwd',
  '/',
  'up/data/file',
];

function guestWith(...preopens: readonly Partial<Preopen>[]): FakeGuest {
  const given = preopens.length === 0 ? [{}] : preopens;
  return new FakeGuest({ preopens: given.map((preopen) => ({ guestPath: '/data', hostPath: data, ...preopen })) });
}

interface OpenArguments {
  fd?: number;
  flags?: number;
  oflags?: number;
  rights?: bigint;
}

async function tryOpen(guest: FakeGuest, path: string, options: OpenArguments = {}): Promise<number> {
  const { fd = DIR, flags = FOLLOW, oflags = 0, rights = READ } = options;
  const result = guest.space(4);
  const errno = await guest.call('path_open', fd, flags, ...guest.bytes(path), oflags, rights, 0n, 0, result);
  if (errno === 0) await guest.call('fd_close', guest.memory.u32(result));
  return errno;
}

describe('path_open', () => {
  it('opens files and directories, follows links that stay inside', async () => {
    await using guest = guestWith();
    for (const path of ['file', 'folder', '.', './folder/../file', 'inner', 'folder/']) {
      assert.equal(await tryOpen(guest, path), 0, path);
    }
  });

  it('never leaves the preopen', async () => {
    await using guest = guestWith();
    for (const path of ESCAPES) {
      assert.equal(await tryOpen(guest, path), ERRNO.PERM, path);
      assert.equal(await tryOpen(guest, path, { oflags: CREAT | TRUNC, rights: WRITE }), ERRNO.PERM, path);
    }
    assert.equal(readFileSync(join(root, 'secret'), 'utf8'), 'outside');
  });

  it('answers as Linux does', async () => {
    await using guest = guestWith();
    const cases: readonly [string, OpenArguments, number][] = [
      ['missing', {}, ERRNO.NOENT],
      ['', {}, ERRNO.NOENT],
      ['file/', {}, ERRNO.NOTDIR],
      ['file/x', {}, ERRNO.NOTDIR],
      ['file', { oflags: DIRECTORY }, ERRNO.NOTDIR],
      ['folder', { rights: WRITE }, ERRNO.ISDIR],
      ['inner', { flags: 0 }, ERRNO.LOOP],
      ['loop', {}, ERRNO.LOOP],
      ['file', { oflags: CREAT | EXCL }, ERRNO.EXIST],
      ['new', { oflags: CREAT | DIRECTORY }, ERRNO.INVAL],
      ['file', { oflags: 16 }, ERRNO.INVAL],
      ['file', { flags: 2 }, ERRNO.INVAL],
      ['a\0b', {}, ERRNO.INVAL],
      ['x'.repeat(300), {}, ERRNO.NAMETOOLONG],
      ['x/'.repeat(3000), {}, ERRNO.NAMETOOLONG],
      ['file', { fd: 1 }, ERRNO.BADF],
      ['file', { fd: 99 }, ERRNO.BADF],
    ];
    for (const [path, options, errno] of cases) {
      assert.equal(
        await tryOpen(guest, path, options),
        errno,
        `${path.slice(0, 20)} ${JSON.stringify(options, (_, v) => String(v))}`,
      );
    }
    const bad = guest.bytes(new Uint8Array([0xff, 0xfe]));
    assert.equal(await guest.call('path_open', DIR, 0, ...bad, 0, READ, 0n, 0, guest.space(4)), ERRNO.ILSEQ);
    assert.equal(await guest.call('path_open', DIR, 0, 0xffff_ff00, 10, 0, READ, 0n, 0, guest.space(4)), ERRNO.FAULT);
  });

  it('makes nothing when the answer could not be given', async () => {
    await using guest = guestWith();
    const path = guest.bytes('new');
    assert.equal(await guest.call('path_open', DIR, 0, ...path, CREAT, WRITE, 0n, 0, 0xffff_fff0), ERRNO.FAULT);
    assert.ok(!existsSync(join(data, 'new')));
  });

  it('creates and truncates', async () => {
    await using guest = guestWith();
    assert.equal(await tryOpen(guest, 'folder/new', { oflags: CREAT | EXCL, rights: WRITE }), 0);
    assert.ok(existsSync(join(data, 'folder', 'new')));
    assert.equal(await tryOpen(guest, 'file', { oflags: TRUNC, rights: WRITE }), 0);
    assert.equal(readFileSync(join(data, 'file'), 'utf8'), '');
  });

  it('does not wait for the other end of a FIFO', async (t) => {
    const { spawnSync } = await import('node:child_process');
    if (spawnSync('mkfifo', [join(data, 'fifo')]).status !== 0) return t.skip('no mkfifo');
    await using guest = guestWith();
    assert.equal(await tryOpen(guest, 'fifo'), 0);
    assert.equal(await tryOpen(guest, 'fifo', { rights: WRITE }), ERRNO.NXIO);
  });
});

describe('names', () => {
  it('path_create_directory, path_remove_directory and path_unlink_file make and remove', async () => {
    await using guest = guestWith();
    assert.equal(await guest.call('path_create_directory', DIR, ...guest.bytes('folder/new/')), 0);
    assert.equal(await guest.call('path_create_directory', DIR, ...guest.bytes('folder/new')), ERRNO.EXIST);
    assert.equal(await guest.call('path_remove_directory', DIR, ...guest.bytes('folder')), ERRNO.NOTEMPTY);
    assert.equal(await guest.call('path_unlink_file', DIR, ...guest.bytes('folder/new')), ERRNO.ISDIR);
    assert.equal(await guest.call('path_remove_directory', DIR, ...guest.bytes('folder/new')), 0);
    assert.equal(await guest.call('path_remove_directory', DIR, ...guest.bytes('file')), ERRNO.NOTDIR);
    assert.equal(await guest.call('path_unlink_file', DIR, ...guest.bytes('file/')), ERRNO.NOTDIR);
    assert.equal(await guest.call('path_unlink_file', DIR, ...guest.bytes('file')), 0);
    assert.ok(!existsSync(join(data, 'file')));
  });

  it('path_unlink_file removes a link and not where it leads', async () => {
    await using guest = guestWith();
    assert.equal(await guest.call('path_unlink_file', DIR, ...guest.bytes('outer')), 0);
    assert.ok(existsSync(join(root, 'secret')));
  });

  it('path_rename moves, also between preopens, and never to the outside', async () => {
    const other = join(root, 'other');
    mkdirSync(other);
    await using guest = guestWith({}, { guestPath: '/other', hostPath: other });
    assert.equal(await guest.call('path_rename', DIR, ...guest.bytes('file'), DIR + 1, ...guest.bytes('moved')), 0);
    assert.equal(readFileSync(join(other, 'moved'), 'utf8'), 'content');
    assert.equal(
      await guest.call('path_rename', DIR, ...guest.bytes('folder'), DIR, ...guest.bytes('../x')),
      ERRNO.PERM,
    );
    assert.equal(
      await guest.call('path_rename', DIR, ...guest.bytes('up/secret'), DIR, ...guest.bytes('x')),
      ERRNO.PERM,
    );
    assert.equal(await guest.call('path_rename', DIR, ...guest.bytes('gone'), DIR, ...guest.bytes('x')), ERRNO.NOENT);
  });

  it('path_link links the name itself, path_symlink any relative text', async () => {
    await using guest = guestWith();
    assert.equal(await guest.call('path_link', DIR, 0, ...guest.bytes('file'), DIR, ...guest.bytes('hard')), 0);
    assert.equal(statSync(join(data, 'file')).nlink, 2);
    assert.equal(await guest.call('path_link', DIR, 0, ...guest.bytes('outer'), DIR, ...guest.bytes('copy')), 0);
    assert.equal(readlinkSync(join(data, 'copy')), '../secret');
    assert.equal(await guest.call('path_link', DIR, 1, ...guest.bytes('file'), DIR, ...guest.bytes('x')), ERRNO.INVAL);
    assert.equal(await guest.call('path_link', DIR, 0, ...guest.bytes('up/'), DIR, ...guest.bytes('x')), ERRNO.PERM);
    assert.equal(await guest.call('path_symlink', ...guest.bytes('../a'), DIR, ...guest.bytes('soft')), 0);
    assert.equal(readlinkSync(join(data, 'soft')), '../a');
    assert.equal(await guest.call('path_symlink', ...guest.bytes('/etc'), DIR, ...guest.bytes('y')), ERRNO.PERM);
    assert.equal(await guest.call('path_symlink', ...guest.bytes('a'), DIR, ...guest.bytes('file')), ERRNO.EXIST);
  });

  it('path_readlink tells the text, cut to the buffer', async () => {
    await using guest = guestWith();
    const out = guest.space(16);
    const used = guest.space(4);
    assert.equal(await guest.call('path_readlink', DIR, ...guest.bytes('outer'), out, 16, used), 0);
    assert.equal(guest.text(out, guest.memory.u32(used)), '../secret');
    assert.equal(await guest.call('path_readlink', DIR, ...guest.bytes('outer'), out, 4, used), 0);
    assert.equal(guest.memory.u32(used), 4);
    assert.equal(await guest.call('path_readlink', DIR, ...guest.bytes('file'), out, 16, used), ERRNO.INVAL);
    assert.equal(await guest.call('path_readlink', DIR, ...guest.bytes('up/outer'), out, 16, used), ERRNO.PERM);
  });

  it('keep every changing call inside', async () => {
    await using guest = guestWith();
    const before = readdirSync(root).sort();
    for (const path of ['../made', 'up/made', 'folder/../../made', '/made']) {
      const bytes = guest.bytes(path);
      for (const name of ['path_create_directory', 'path_remove_directory', 'path_unlink_file']) {
        assert.equal(await guest.call(name, DIR, ...bytes), ERRNO.PERM, `${name} ${path}`);
      }
      assert.equal(await guest.call('path_symlink', ...guest.bytes('x'), DIR, ...bytes), ERRNO.PERM, path);
      assert.equal(await guest.call('path_link', DIR, 0, ...guest.bytes('file'), DIR, ...bytes), ERRNO.PERM, path);
    }
    assert.deepEqual(readdirSync(root).sort(), before);
  });
});

describe('status by path', () => {
  it('path_filestat_get follows a last link only when asked', async () => {
    await using guest = guestWith();
    const stat = guest.space(64);
    assert.equal(await guest.call('path_filestat_get', DIR, FOLLOW, ...guest.bytes('inner'), stat), 0);
    assert.equal(guest.memory.u8(stat + 16), FILETYPE.REGULAR_FILE);
    assert.equal(await guest.call('path_filestat_get', DIR, 0, ...guest.bytes('outer'), stat), 0);
    assert.equal(guest.memory.u8(stat + 16), FILETYPE.SYMBOLIC_LINK);
    assert.equal(await guest.call('path_filestat_get', DIR, FOLLOW, ...guest.bytes('dangling'), stat), ERRNO.NOENT);
    for (const path of ESCAPES) {
      assert.equal(await guest.call('path_filestat_get', DIR, FOLLOW, ...guest.bytes(path), stat), ERRNO.PERM, path);
    }
  });

  it('path_filestat_set_times changes a link or its target', async () => {
    await using guest = guestWith();
    const times = [0n, 7_000_000_000n, 4] as const;
    assert.equal(await guest.call('path_filestat_set_times', DIR, FOLLOW, ...guest.bytes('inner'), ...times), 0);
    assert.equal(statSync(join(data, 'file')).mtimeMs, 7000);
    assert.equal(await guest.call('path_filestat_set_times', DIR, 0, ...guest.bytes('outer'), ...times), 0);
    assert.equal(lstatSync(join(data, 'outer')).mtimeMs, 7000);
    assert.notEqual(statSync(join(root, 'secret')).mtimeMs, 7000);
    for (const path of ESCAPES) {
      assert.equal(
        await guest.call('path_filestat_set_times', DIR, 1, ...guest.bytes(path), ...times),
        ERRNO.PERM,
        path,
      );
    }
  });
});

describe('a read-only preopen', () => {
  it('opens what exists for reading, and refuses every change with EROFS', async () => {
    await using guest = guestWith({ readOnly: true });
    assert.equal(await tryOpen(guest, 'file'), 0);
    assert.equal(await tryOpen(guest, 'file', { oflags: CREAT }), 0);
    assert.equal(await tryOpen(guest, 'file', { oflags: CREAT | EXCL }), ERRNO.EXIST);
    assert.equal(await tryOpen(guest, 'missing'), ERRNO.NOENT);
    for (const options of [{ rights: WRITE }, { oflags: TRUNC }]) {
      assert.equal(await tryOpen(guest, 'file', options), ERRNO.ROFS);
    }
    assert.equal(await tryOpen(guest, 'new', { oflags: CREAT }), ERRNO.ROFS);
    const file = guest.bytes('file');
    const made = guest.bytes('made');
    const calls: readonly [string, ...(number | bigint)[]][] = [
      ['path_create_directory', DIR, ...made],
      ['path_remove_directory', DIR, ...guest.bytes('folder')],
      ['path_unlink_file', DIR, ...file],
      ['path_rename', DIR, ...file, DIR, ...made],
      ['path_link', DIR, 0, ...file, DIR, ...made],
      ['path_symlink', ...file, DIR, ...made],
      ['path_filestat_set_times', DIR, 0, ...file, 0n, 0n, 8],
      ['fd_filestat_set_times', DIR, 0n, 0n, 8],
    ];
    for (const [name, ...args] of calls) assert.equal(await guest.call(name, ...args), ERRNO.ROFS, name);
    assert.equal(readFileSync(join(data, 'file'), 'utf8'), 'content');
  });

  it('does not change the times or size of a file that is open', async () => {
    await using guest = guestWith({ readOnly: true });
    const result = guest.space(4);
    await guest.call('path_open', DIR, 0, ...guest.bytes('file'), 0, READ, 0n, 0, result);
    const fd = guest.memory.u32(result);
    assert.equal(await guest.call('fd_filestat_set_times', fd, 0n, 0n, 8), ERRNO.ROFS);
    assert.equal(await guest.call('fd_filestat_set_size', fd, 0n), ERRNO.ROFS);
    assert.equal(await guest.call('fd_allocate', fd, 0n, 9n), ERRNO.BADF);
  });
});

describe('a single file as a preopen', () => {
  it('is read and written as `.`, and nothing else is there', async () => {
    await using guest = guestWith({ guestPath: '/dev/log', hostPath: join(data, 'file') });
    assert.equal(await tryOpen(guest, '.', { oflags: CREAT | TRUNC, rights: WRITE }), 0);
    assert.equal(readFileSync(join(data, 'file'), 'utf8'), '');
    const stat = guest.space(64);
    assert.equal(await guest.call('path_filestat_get', DIR, 0, ...guest.bytes('.'), stat), 0);
    assert.equal(guest.memory.u8(stat + 16), FILETYPE.REGULAR_FILE);
    for (const path of ['..', 'x', '../secret']) {
      assert.equal(await tryOpen(guest, path), ERRNO.NOTDIR, path);
      assert.equal(await guest.call('path_create_directory', DIR, ...guest.bytes(path)), ERRNO.NOTDIR, path);
    }
    assert.equal(await guest.call('fd_readdir', DIR, stat, 64, 0n, guest.space(4)), ERRNO.NOTDIR);
    assert.equal(await tryOpen(guest, '.', { oflags: DIRECTORY }), ERRNO.NOTDIR);
  });

  it('holds the file through a rename, and keeps read-only', async () => {
    await using guest = guestWith({ hostPath: join(data, 'file'), readOnly: true });
    rmSync(join(data, 'file'));
    assert.equal(await tryOpen(guest, '.'), 0);
    assert.equal(await tryOpen(guest, '.', { rights: WRITE }), ERRNO.ROFS);
    assert.equal(await guest.call('path_filestat_set_times', DIR, 0, ...guest.bytes('.'), 0n, 0n, 8), ERRNO.ROFS);
  });
});

describe('the working directory', () => {
  it('is the first preopen, named `.`, when it lies beneath one', async () => {
    await using guest = new FakeGuest({
      preopens: [{ guestPath: '/data', hostPath: data }],
      workingDir: '/data/folder',
    });
    writeFileSync(join(data, 'folder', 'here'), '');
    const stat = guest.space(8);
    assert.equal(await guest.call('fd_prestat_get', DIR, stat), 0);
    assert.equal(guest.memory.u32(stat + 4), 1);
    assert.equal(await tryOpen(guest, 'here'), 0);
    assert.equal(await tryOpen(guest, '../file'), ERRNO.PERM);
    assert.equal(await tryOpen(guest, 'file', { fd: DIR + 1 }), 0);
  });

  it('is left out when it is not there', async () => {
    await using guest = new FakeGuest({ preopens: [{ guestPath: '/data', hostPath: data }], workingDir: '/data/none' });
    assert.equal(await tryOpen(guest, 'file'), 0);
  });
});
