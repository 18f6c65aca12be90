import assert from 'node:assert/strict';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { readAttribute, writeAttribute } from '#kit/os';
import { FakePosixGuest, IDENTITY } from './fake-guest.ts';

const scratch = mkdtempSync(join(tmpdir(), 'wasmlet-posix-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** What the test does to a file as a neighbour would. */
function attribute(name: string, text: string): void {
  const fd = openSync(join(scratch, name), 'r');
  writeAttribute(fd, 'user.wasmlet.posix', new Uint8Array(Buffer.from(text)));
  closeSync(fd);
}

function hasAttributes(): boolean {
  writeFileSync(join(scratch, 'probe'), '');
  attribute('probe', '0 - - -');
  const fd = openSync(join(scratch, 'probe'), 'r');
  const value = readAttribute(fd, 'user.wasmlet.posix');
  closeSync(fd);
  return value instanceof Uint8Array;
}

const skip = hasAttributes() ? false : 'the file system of the temporary folder keeps no user attributes';

describe('modes and owners', { skip }, () => {
  let guest: FakePosixGuest;
  let root: FakePosixGuest;
  let dir = 0;
  let readOnly = 0;
  beforeEach(async () => {
    for (const name of ['file', 'link', 'folder', 'dangling'])
      rmSync(join(scratch, name), { recursive: true, force: true });
    writeFileSync(join(scratch, 'file'), 'text', { mode: 0o640 });
    mkdirSync(join(scratch, 'folder'), { mode: 0o750 });
    symlinkSync('file', join(scratch, 'link'));
    symlinkSync('nothing', join(scratch, 'dangling'));
    const preopens = [
      { guestPath: '/data', hostPath: scratch },
      { guestPath: '/fixed', hostPath: scratch, readOnly: true },
    ];
    guest = await FakePosixGuest.make({ preopens });
    root = await FakePosixGuest.make({ preopens }, { identity: { ...IDENTITY, uid: 0, gid: 0, groups: [] } });
    dir = guest.preopened('/data');
    readOnly = guest.preopened('/fixed');
  });

  async function status(of: FakePosixGuest, path: string, lookup = 1): Promise<string> {
    const out = of.space(16);
    const errno = await of.call('path_status_get', dir, lookup, ...of.bytes(path), out);
    const [mode = 0, uid, gid] = of.words(out, 3);
    return errno === 'SUCCESS' ? `${mode.toString(8)} ${uid} ${gid}` : errno;
  }
  const chmod = (of: FakePosixGuest, path: string, mode: number, lookup = 1) =>
    of.call('path_mode_set', dir, lookup, ...of.bytes(path), mode);
  const chown = (of: FakePosixGuest, path: string, uid: number, gid: number, lookup = 1) =>
    of.call('path_owner_set', dir, lookup, ...of.bytes(path), uid, gid);

  it('are the own bits and the own identity where nobody set any', async () => {
    assert.deepEqual(
      [
        await status(guest, 'file'),
        await status(guest, 'folder'),
        await status(guest, 'link'),
        await status(guest, 'link', 0),
      ],
      ['100640 1000 100', '40750 1000 100', '100640 1000 100', '120777 1000 100'],
    );
  });

  it('are kept with the file, for every guest, and leave the file itself as it is', async () => {
    assert.equal(await chmod(guest, 'file', 0o4755), 'SUCCESS');
    assert.equal(await chown(root, 'file', 7, 8), 'SUCCESS');
    assert.equal(await status(guest, 'file'), '104755 7 8');
    assert.equal(await chown(root, 'link', -1, 9), 'SUCCESS');
    assert.equal(await status(root, 'link'), '104755 7 9');
    const { mode, uid } = statSync(join(scratch, 'file'));
    assert.deepEqual([mode & 0o7777, uid], [0o640, process.getuid?.()]);
    assert.equal(await chmod(guest, 'folder', 0), 'SUCCESS');
    assert.equal(await status(guest, 'folder'), '40000 1000 100');
  });

  it('are set by descriptor, too', async () => {
    const result = guest.space(16);
    assert.equal(await guest.call('path_open', dir, 1, ...guest.bytes('file'), 0, 2n, 0n, 0, result), 'SUCCESS');
    const fd = guest.memory.u32(result);
    assert.equal(await guest.call('fd_mode_set', fd, 0o600), 'SUCCESS');
    assert.equal(await guest.call('fd_owner_set', fd, -1, 2000), 'SUCCESS');
    assert.equal(await guest.call('fd_status_get', fd, result), 'SUCCESS');
    assert.deepEqual(guest.words(result, 3), [0o100600, 1000, 2000]);
    assert.equal(await guest.call('fd_mode_set', dir, 0o1777), 'SUCCESS');
    assert.equal(await guest.call('fd_status_get', dir, result), 'SUCCESS');
    assert.equal(guest.words(result, 1)[0], 0o041777);
  });

  it('are changed by the owner and user 0 alone', async () => {
    assert.equal(await chown(root, 'file', 7, 8), 'SUCCESS');
    assert.equal(await chmod(guest, 'file', 0o777), 'PERM');
    assert.equal(await chown(guest, 'file', 1000, -1), 'PERM');
    assert.equal(await chown(guest, 'folder', 1, -1), 'PERM');
    assert.equal(await chown(guest, 'folder', -1, 3000), 'PERM');
    assert.equal(await chown(guest, 'folder', 1000, 2000), 'SUCCESS');
  });

  it('are refused where they cannot be kept', async () => {
    const path = guest.bytes('file');
    assert.equal(await guest.call('path_mode_set', readOnly, 1, ...path, 0o600), 'ROFS');
    assert.equal(await guest.call('path_owner_set', readOnly, 1, ...path, 1000, 100), 'ROFS');
    assert.equal(await chmod(guest, 'dangling', 0o600, 0), 'NOTSUP');
    assert.equal(await chown(guest, 'dangling', 1000, 100, 0), 'NOTSUP');
    assert.equal(await guest.call('fd_mode_set', 1, 0o600), 'INVAL');
    assert.equal(await guest.call('fd_owner_set', 1, 0, 0), 'INVAL');
  });

  it('fail as paths and pointers do', async () => {
    const good = guest.bytes('file');
    const out = guest.space(16);
    assert.deepEqual(
      [
        await chmod(guest, 'missing', 0o600),
        await chmod(guest, '../file', 0o600),
        await chmod(guest, '/file', 0o600),
        await chmod(guest, 'file/x', 0o600),
        await chmod(guest, '', 0o600),
        await chmod(guest, 'file', 0o10000),
        await chmod(guest, 'file', 0o600, 2),
        await status(guest, 'dangling'),
        await status(guest, 'x'.repeat(5000)),
        await guest.call('path_mode_set', 99, 1, ...good, 0o600),
        await guest.call('path_mode_set', 1, 1, ...good, 0o600),
        await guest.call('path_mode_set', dir, 1, -1, 4, 0o600),
        await guest.call('path_status_get', dir, 1, ...good, -4),
        await guest.call('fd_status_get', 99, out),
        await guest.call('fd_mode_set', 99, 0),
        await guest.call('fd_owner_set', 99, 0, 0),
        await guest.call('path_access', dir, 1, ...good, 8),
      ],
      [
        'NOENT',
        'PERM',
        'PERM',
        'NOTDIR',
        'NOENT',
        'INVAL',
        'INVAL',
        'NOENT',
        'NAMETOOLONG',
        'BADF',
        'BADF',
        'FAULT',
        'FAULT',
        'BADF',
        'BADF',
        'BADF',
        'INVAL',
      ],
    );
  });

  it('leave no descriptor open, also when they fail', async () => {
    const before = openDescriptors();
    for (let times = 0; times < 20; times++) {
      await chmod(guest, 'file', 0o600);
      await chmod(guest, 'file', 0o10000);
      await guest.call('path_status_get', dir, 1, ...guest.bytes('file'), -4);
    }
    assert.equal(openDescriptors(), before);
  });

  it('take no word of a neighbour that is not of the form', async () => {
    for (const text of [
      '',
      '0',
      '1 777 0 0',
      '0 999 0 0',
      '0 0777777 0 0',
      '0 777 0 0 0',
      '0 777 -1 0',
      '0 777 99999999999 0',
      '\0'.repeat(200),
      '0 777 0 0\n',
    ]) {
      attribute('file', text);
      assert.equal(await status(guest, 'file'), '100640 1000 100', JSON.stringify(text));
    }
    attribute('file', '0 7777 4294967295 5');
    assert.equal(await status(guest, 'file'), '107777 1000 5');
  });

  it('say who may do what', async () => {
    const may = (of: FakePosixGuest, want: number, path = 'file', fd = dir) =>
      of.call('path_access', fd, 1, ...of.bytes(path), want);
    await chmod(guest, 'file', 0o640);
    assert.deepEqual(
      [await may(guest, 0), await may(guest, 6), await may(guest, 1), await may(root, 6), await may(root, 1)],
      ['SUCCESS', 'SUCCESS', 'ACCES', 'SUCCESS', 'ACCES'],
    );
    await chown(root, 'file', 7, 2000);
    assert.deepEqual([await may(guest, 4), await may(guest, 2)], ['SUCCESS', 'ACCES']);
    await chown(root, 'file', 7, 8);
    assert.deepEqual([await may(guest, 4), await may(guest, 0, 'nothing')], ['ACCES', 'NOENT']);
    assert.deepEqual([await may(root, 1, 'folder'), await may(root, 2, 'file', readOnly)], ['SUCCESS', 'ROFS']);
  });

  describe('of what is created', () => {
    const open = async (path: string, { oflags = 1, mode = 0o777, fd = dir, lookup = 1 } = {}) => {
      const result = guest.space(8);
      const errno = await guest.call('path_open_mode', fd, lookup, ...guest.bytes(path), oflags, 66n, 0, mode, result);
      if (errno === 'SUCCESS') await guest.call('fd_close', guest.memory.u32(result));
      return errno;
    };
    const umask = async (mask: number) => {
      const former = guest.space(8);
      assert.equal(await guest.call('umask_set', mask, former), 'SUCCESS');
      return guest.memory.u32(former);
    };

    it('are the wanted ones less the umask, and only of what was not there', async () => {
      rmSync(join(scratch, 'new'), { force: true });
      assert.equal(await open('new'), 'SUCCESS');
      assert.equal(await status(guest, 'new'), '100755 1000 100');
      assert.equal(await umask(0o077), 0o022);
      assert.equal(await open('new', { mode: 0o666 }), 'SUCCESS');
      assert.equal(await status(guest, 'new'), '100755 1000 100');
      rmSync(join(scratch, 'new'));
      assert.equal(await open('new', { mode: 0o666, oflags: 5 }), 'SUCCESS');
      assert.equal(await status(guest, 'new'), '100600 1000 100');
      assert.equal(await umask(0o10777), 0o077);
      assert.equal(await umask(0), 0o777);
    });

    it('are those of directories', async () => {
      rmSync(join(scratch, 'made'), { recursive: true, force: true });
      const make = (path: string, mode: number, fd = dir) =>
        guest.call('path_create_directory_mode', fd, ...guest.bytes(path), mode);
      assert.equal(await make('made', 0o1777), 'SUCCESS');
      assert.equal(await status(guest, 'made'), '41755 1000 100');
      assert.deepEqual(
        [
          await make('made', 0o777),
          await make('a/b', 0o777),
          await make('x', 0o777, readOnly),
          await make('x', 0o70000),
          await make('../x', 0o777),
        ],
        ['EXIST', 'NOENT', 'ROFS', 'INVAL', 'PERM'],
      );
    });

    it('follow links, and open what is there', async () => {
      rmSync(join(scratch, 'nothing'), { force: true });
      assert.equal(await open('dangling'), 'SUCCESS');
      assert.equal(
        await status(guest, 'nothing'),
        '100755 1000 100'.replace('755', (await status(guest, 'nothing')).slice(3, 6)),
      );
      rmSync(join(scratch, 'nothing'));
      assert.equal(await open('link'), 'SUCCESS');
      assert.equal(await open('link', { lookup: 0 }), 'LOOP');
    });

    it('fail as path_open does', async () => {
      assert.deepEqual(
        [
          await open('file', { oflags: 5 }),
          await open('missing', { oflags: 0 }),
          await open('folder', { oflags: 1 }),
          await open('x', { fd: readOnly }),
          await open('x', { mode: 0o10000 }),
          await open('x', { oflags: 16 }),
          await open('../x'),
          await open('x', { fd: 99 }),
          await guest.call('path_open_mode', dir, 1, ...guest.bytes('x'), 1, 66n, 0, 0o600, -1),
          await guest.call('umask_set', 0, -1),
        ],
        ['EXIST', 'NOENT', 'ISDIR', 'ROFS', 'INVAL', 'INVAL', 'PERM', 'BADF', 'FAULT', 'FAULT'],
      );
    });
  });
});

function openDescriptors(): number {
  let count = 0;
  for (let fd = 0; fd < 200; fd++) {
    try {
      statSync(`/proc/self/fd/${fd}`);
      count++;
    } catch {
      // Not open.
    }
  }
  return count;
}
