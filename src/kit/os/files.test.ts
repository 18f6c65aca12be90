import assert from 'node:assert/strict';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  type DirectoryEntry,
  type FileStatus,
  ffiAvailable,
  linkName,
  makeDirectory,
  makeLink,
  OPEN,
  openBeneath,
  readCached,
  readEntries,
  readLink,
  removeName,
  renameName,
  setTimes,
  statusOf,
  statusOfName,
} from './mod.ts';

const skip = ffiAvailable() ? false : 'this Node has no node:ffi';
const { EXDEV, ENOENT, EINVAL, ENAMETOOLONG, EEXIST, ENOTDIR, EAGAIN, EOPNOTSUPP } = constants.errno;

describe('files by directory descriptor', { skip }, () => {
  const root = mkdtempSync(join(tmpdir(), 'wasmlet-files-'));
  let fd = -1;
  before(() => {
    mkdirSync(join(root, 'in', 'folder'), { recursive: true });
    writeFileSync(join(root, 'in', 'file'), 'content');
    writeFileSync(join(root, 'secret'), '');
    symlinkSync('../secret', join(root, 'in', 'out'));
    symlinkSync('/etc', join(root, 'in', 'absolute'));
    fd = openSync(join(root, 'in'), 'r');
  });
  after(() => {
    closeSync(fd);
    rmSync(root, { recursive: true, force: true });
  });

  it('openBeneath() never leaves the directory', () => {
    for (const path of ['..', '../secret', 'out', 'absolute', 'absolute/passwd', '/etc', 'folder/../..']) {
      assert.equal(openBeneath(fd, path, { flags: OPEN.RDONLY }), -EXDEV, path);
    }
    assert.equal(openBeneath(fd, 'none', { flags: OPEN.RDONLY }), -ENOENT);
    const opened = openBeneath(fd, 'folder/../file', { flags: OPEN.RDONLY });
    assert.ok(opened > 2);
    assert.equal(readFileSync(opened, 'utf8'), 'content');
    closeSync(opened);
  });

  it('refuses paths that the kernel would see only half of', () => {
    assert.equal(openBeneath(fd, 'file\0x', { flags: 0 }), -EINVAL);
    assert.equal(openBeneath(fd, 'x'.repeat(5000), { flags: 0 }), -ENAMETOOLONG);
    assert.equal(openBeneath(fd, `${'é'.repeat(2047)}abc`, { flags: 0 }), -ENAMETOOLONG);
    assert.equal(makeDirectory(fd, 'a\0b'), -EINVAL);
  });

  it('tells the status that node:fs tells', () => {
    const file = openBeneath(fd, 'file', { flags: OPEN.PATH });
    const status = statusOf(file) as FileStatus;
    const expected = statSync(join(root, 'in', 'file'), { bigint: true });
    assert.deepEqual(
      [status.inode, status.size, BigInt(status.links), BigInt(status.mode), status.modified],
      [expected.ino, expected.size, expected.nlink, expected.mode, expected.mtimeNs],
    );
    assert.equal(setTimes(file, { accessed: 'omit', modified: 1_500_000_000n }), 0);
    assert.equal(statSync(join(root, 'in', 'file'), { bigint: true }).mtimeNs, 1_500_000_000n);
    closeSync(file);
    assert.equal((statusOfName(fd, 'out') as FileStatus).mode >> 12, 10);
    assert.equal(statusOf(9999), -constants.errno.EBADF);
  });

  it('makes, links, renames and removes names', () => {
    assert.equal(makeDirectory(fd, 'made'), 0);
    assert.equal(makeDirectory(fd, 'made'), -EEXIST);
    assert.equal(linkName({ directory: fd, name: 'file' }, { directory: fd, name: 'hard' }), 0);
    assert.equal(makeLink('some/where', { directory: fd, name: 'soft' }), 0);
    assert.equal(Buffer.from(readLink(fd, 'soft') as Uint8Array).toString(), 'some/where');
    assert.equal(readLink(fd, 'file'), -EINVAL);
    assert.equal(renameName({ directory: fd, name: 'hard' }, { directory: fd, name: 'harder' }), 0);
    assert.ok(existsSync(join(root, 'in', 'harder')));
    assert.equal(removeName(fd, 'made', { kind: 'directory' }), 0);
    assert.equal(removeName(fd, 'file', { kind: 'directory' }), -ENOTDIR);
    for (const name of ['harder', 'soft']) assert.equal(removeName(fd, name, { kind: 'file' }), 0);
  });

  it('lists a directory to its end', () => {
    const own = openBeneath(fd, '.', { flags: OPEN.RDONLY | OPEN.DIRECTORY });
    const names = (readEntries(own) as DirectoryEntry[]).map(({ name }) => Buffer.from(name).toString());
    assert.deepEqual(names.sort(), ['.', '..', 'absolute', 'file', 'folder', 'out']);
    assert.deepEqual(readEntries(own), []);
    closeSync(own);
    assert.equal(readEntries(9999), -constants.errno.EBADF);
  });

  it('reads from memory what is there, or says that it would have to wait', () => {
    const file = openBeneath(fd, 'file', { flags: OPEN.RDONLY });
    const buffers = [new Uint8Array(3), new Uint8Array(10)];
    const result = readCached(file, buffers, 0);
    closeSync(file);
    assert.ok([7, -EAGAIN, -EOPNOTSUPP].includes(result), String(result));
    if (result === 7) assert.equal(Buffer.concat(buffers).toString('utf8', 0, 7), 'content');
  });
});
