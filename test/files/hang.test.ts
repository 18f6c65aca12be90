/**
 * A file system that never answers: each call that a guest can make on one hangs in the kernel, in the guest's own time alone. Its
 * neighbours on the same thread go on, it is killed like any other, and what the call opened late is closed.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cString, ffiAvailable, mountOf, OPEN, pointerTo, SYS, syscall, systemError } from '#kit/os';
import { type Argument, Caller, NOT_MADE, Offload, signalExit } from '#runtime/wasi/testing';

const skip = ffiAvailable() && existsSync('/dev/fuse') ? false : 'no /dev/fuse or no node:ffi';
const FSYNC_RIGHTS = 66n;
const UNSHARE = process.arch === 'x64' ? 272 : 97;
const CLONE_NEWNS = 0x20000;
const MS_PRIVATE = 0x44000;

const root = mkdtempSync(join(tmpdir(), 'wasmlet-hang-'));
const slow = join(root, 'slow');
const local = join(root, 'local');
let server: ChildProcess;
/** What the server printed: a line when it is there, and one for each request that it does not answer. */
let said = '';

before(async () => {
  if (skip !== false) return;
  mkdirSync(slow);
  mkdirSync(local);
  writeFileSync(join(local, 'file'), 'near');
  // Mounts of this thread, and of all that it starts from now on, are nobody else's: nothing of them stays behind.
  checked(syscall(UNSHARE, CLONE_NEWNS), 'unshare');
  const [none, all] = [cString('none'), cString('/')];
  checked(syscall(SYS.mount, pointerTo(none), pointerTo(all), 0, MS_PRIVATE, 0), 'mount');
  const program = fileURLToPath(new URL('fuse-server.ts', import.meta.url));
  server = spawn(process.execPath, ['--no-warnings', program, slow], { stdio: ['ignore', 'pipe', 'inherit'] });
  server.stdout?.on('data', (text: Buffer) => {
    said += text;
  });
  await until(() => said === 'mounted\n');
});

after(async () => {
  if (skip !== false) return;
  // The end of the server is the end of its connection: whoever waits for it is told ENOTCONN.
  if (server.signalCode === null) {
    server.kill('SIGKILL');
    await once(server, 'exit');
  }
  const place = cString(slow);
  const MNT_DETACH = 2;
  checked(syscall(SYS.umount2, pointerTo(place), MNT_DETACH), 'umount2');
  rmSync(root, { recursive: true, force: true });
});

function checked(result: number, call: string): void {
  if (result < 0) throw systemError(result, call);
}

type Steps = (guest: Caller, path: (name: string) => readonly [number, number]) => unknown;

/** By the request that is never answered: what leads a guest to it. Each case has a folder of its own, since folders have locks. */
const CASES: Readonly<Record<string, Steps>> = {
  LOOKUP: (guest, path) => guest.call('path_filestat_get', 3, 1, ...path('hangs-on-LOOKUP'), guest.space(64)),
  GETATTR: (guest, path) => guest.call('path_filestat_get', 3, 1, ...path('hangs-on-GETATTR'), guest.space(64)),
  OPEN: (guest, path) => open(guest, path('hangs-on-OPEN')),
  CREATE: (guest, path) => open(guest, path('new-hangs-on-CREATE'), 1),
  OPENDIR: (guest, path) => open(guest, path('folder-hangs-on-OPENDIR'), 2, 0n),
  READDIR(guest, path) {
    const folder = open(guest, path('folder-hangs-on-READDIR'), 2, 0n);
    guest.call('fd_readdir', folder, guest.space(256), 256, 0n, guest.space(4));
  },
  MKDIR: (guest, path) => guest.call('path_create_directory', 3, ...path('new-hangs-on-MKDIR')),
  RMDIR: (guest, path) => guest.call('path_remove_directory', 3, ...path('folder-hangs-on-RMDIR')),
  UNLINK: (guest, path) => guest.call('path_unlink_file', 3, ...path('hangs-on-UNLINK')),
  RENAME2: (guest, path) => guest.call('path_rename', 3, ...path('hangs-on-RENAME2'), 3, ...path('new')),
  LINK: (guest, path) => guest.call('path_link', 3, 0, ...path('file'), 3, ...path('new-hangs-on-LINK')),
  SYMLINK: (guest, path) => guest.call('path_symlink', ...guest.bytes('x'), 3, ...path('new-hangs-on-SYMLINK')),
  READLINK: (guest, path) =>
    guest.call('path_readlink', 3, ...path('link-hangs-on-READLINK'), guest.space(64), 64, guest.space(4)),
  'SETATTR by path': (guest, path) =>
    guest.call('path_filestat_set_times', 3, 1, ...path('hangs-on-SETATTR'), 1n, 1n, 5),
  'SETATTR by descriptor'(guest, path) {
    guest.call('fd_filestat_set_size', open(guest, path('hangs-on-SETATTR')), 5n);
  },
  READ(guest, path) {
    guest.call('fd_read', open(guest, path('hangs-on-READ')), ...guest.buffers(16), guest.space(4));
  },
  WRITE(guest, path) {
    guest.call('fd_write', open(guest, path('hangs-on-WRITE')), ...guest.buffers('text'), guest.space(4));
  },
  FSYNC: (guest, path) => guest.call('fd_sync', open(guest, path('hangs-on-FSYNC'))),
  FALLOCATE: (guest, path) => guest.call('fd_allocate', open(guest, path('hangs-on-FALLOCATE')), 0n, 64n),
  FLUSH: (guest, path) => guest.call('fd_close', open(guest, path('hangs-on-FLUSH'))),
};

function open(guest: Caller, path: readonly [number, number], oflags = 0, rights: bigint = FSYNC_RIGHTS): Argument {
  const at = guest.space(4);
  guest.call('path_open', 3, 1, ...path, oflags, rights, 0n, 0, at);
  return { at };
}

/** Answers all that hangs. */
function release(): void {
  assert.ok(!existsSync(join(slow, 'new-release')));
}

/** What the threads of this process have open beneath the mount. */
function leftOpen(): string[] {
  return descriptors().filter((path) => path.startsWith(slow));
}

async function until(condition: () => boolean): Promise<void> {
  const patience = Date.now() + 60_000;
  while (!condition() && Date.now() < patience) await turn();
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}

function descriptors(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}

/** A neighbour on the same thread that works on a file of this machine, to its end. */
async function neighbour(): Promise<void> {
  const guest = new Caller();
  const file = guest.open('file');
  const buffers = guest.buffers(4);
  guest.call('fd_read', file, ...buffers, guest.space(4));
  guest.call('fd_close', file);
  const { errnos } = await guest.run({ preopens: [{ guestPath: '/', hostPath: local }] });
  assert.deepEqual(errnos, [0, 0, 0]);
}

describe('a file system that hangs', { skip }, () => {
  it('is known as foreign, and one that does not as this machine’s', async () => {
    for (const [path, expected] of [
      [slow, false],
      [local, true],
    ] as const) {
      const fd = openSync(path, OPEN.PATH);
      assert.equal(mountOf(fd).local, expected, path);
      closeSync(fd);
    }
  });

  it('is worked on like any other while it answers', async () => {
    const guest = new Caller();
    const file = guest.open('folder/file');
    const buffers = guest.buffers(16);
    const read = guest.space(4);
    const written = guest.space(4);
    guest.call('fd_read', file, ...buffers, read);
    guest.call('fd_write', file, ...guest.buffers('text'), written);
    guest.call('fd_filestat_get', file, guest.space(64));
    guest.call('fd_seek', file, -1n, 2, guest.space(8));
    guest.call('fd_sync', file);
    guest.call('fd_close', file);
    guest.call('path_create_directory', 3, ...guest.bytes('folder/new'));
    guest.call('path_rename', 3, ...guest.bytes('folder/a'), 3, ...guest.bytes('folder/new'));
    guest.call('path_filestat_get', 3, 1, ...guest.bytes('folder/../../x'), guest.space(64));
    const { errnos } = await guest.run({ preopens: [{ guestPath: '/', hostPath: slow }] });
    const EPERM = 63;
    assert.deepEqual(errnos, [0, 0, 0, 0, 0, 0, 0, 0, 0, EPERM]);
    assert.equal(guest.view.getUint32(read, true), 10);
    assert.equal(guest.view.getUint32(written, true), 4);
  });

  for (const [name, steps] of Object.entries(CASES)) {
    it(`keeps a guest that waits for ${name}, and nobody else`, async () => {
      said = '';
      const guest = new Caller();
      const folder = `folder-${name.replaceAll(' ', '-').replace('hangs', '')}`;
      steps(guest, (last) => guest.bytes(`${folder}/${last}`));
      const { exit, errnos } = await guest.run({ preopens: [{ guestPath: '/', hostPath: slow }] }, async (wasi) => {
        await until(() => wasi.stats().waiting);
        await neighbour();
        await neighbour();
        assert.ok(wasi.stats().waiting, 'the guest goes on');
        wasi.kill(signalExit('SIGKILL'));
      });
      assert.equal(exit.code, 137);
      assert.equal(errnos.at(-1), NOT_MADE);
      // Again and again: the kernel gives a path up, and we begin anew, when anybody renames or mounts meanwhile.
      await until(() => {
        release();
        return leftOpen().length === 0;
      });
      assert.deepEqual(leftOpen(), []);
    });
  }

  it('keeps a guest out that was given another mount beneath a directory of this machine', async () => {
    const guest = new Caller();
    guest.call('path_filestat_get', 3, 1, ...guest.bytes('slow/folder-x/hangs-on-LOOKUP'), guest.space(64));
    const { exit } = await guest.run({ preopens: [{ guestPath: '/', hostPath: root }] }, async (wasi) => {
      await until(() => wasi.stats().waiting);
      await neighbour();
      wasi.kill(signalExit('SIGKILL'));
    });
    assert.equal(exit.code, 137);
  });

  it('answers EBUSY when it has taken all the threads that it gets, and leaves others theirs', async () => {
    const offload = new Offload({ hangsAfterMs: 50, mostOfLane: 2, most: 3 });
    const path = { directory: -1, path: '', cross: true };
    const hang = (index: number) =>
      offload.run('openHost', [join(slow, `folder-busy-${index}`, 'hangs-on-LOOKUP'), OPEN.PATH], { lane: 1 });
    const hung = [hang(1), hang(2)].map((call) => call.catch((error: Error) => error));
    await assert.rejects(hang(3), /BUSY/);
    assert.equal(await offload.run('existsAt', [path], { lane: 2 }), -constants.errno.ENOENT);
    assert.equal(offload.busy, 2);
    void hung;
  });

  it('lets everything go when it comes back, or goes away', async () => {
    server.kill('SIGKILL');
    await once(server, 'exit');
    await until(() => leftOpen().length === 0);
    assert.deepEqual(leftOpen(), []);
  });
});
