import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { FakePosixGuest, IDENTITY } from './fake-guest.ts';

const MIB = 1024 * 1024;
const scratch = mkdtempSync(join(tmpdir(), 'wasmlet-proc-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

let guest: FakePosixGuest;
let proc = 0;
let sys = 0;
beforeEach(async () => {
  guest = await FakePosixGuest.make({
    args: ['/bin/a tool)', 'one'],
    env: [['KEY', 'value']],
    preopens: [{ guestPath: '/my data', hostPath: scratch, readOnly: true }],
    limits: { memoryBytes: 64 * MIB, descriptors: 32 },
    clock: { realtime: () => 5_000_000_000n, monotonic: () => 7_000_000_000n, sleep: async () => {} },
  });
  proc = guest.preopened('/proc');
  sys = guest.preopened('/sys');
});

async function identity(name: string, count: number): Promise<number[]> {
  const out = guest.space(64);
  assert.equal(await guest.call(name, out), 'SUCCESS');
  return guest.words(out, count);
}

describe('who the guest is', () => {
  it('is told', async () => {
    assert.deepEqual(await identity('ids_get', 4), [1000, 1000, 100, 100]);
    assert.deepEqual(await identity('process_get', 4), [1, 0, 1, 1]);
    const info = await identity('system_info_get', 10);
    assert.deepEqual(info, [0, 0, 64 * MIB, 0, 262_144, 0, 2, 1500, 32, guest.table.size]);
  });

  it('has groups', async () => {
    const groups = guest.space(16);
    const out = guest.space(8);
    assert.equal(await guest.call('groups_get', 0, 0, out), 'SUCCESS');
    assert.equal(guest.memory.u32(out), 2);
    assert.equal(await guest.call('groups_get', groups, 1, out), 'INVAL');
    assert.equal(await guest.call('groups_get', groups, 2, out), 'SUCCESS');
    assert.deepEqual(guest.words(groups, 2), [100, 2000]);
    assert.equal(await guest.call('groups_get', -4, -1, out), 'FAULT');
  });

  it('has a system with names', async () => {
    const out = guest.space(8);
    const buffer = guest.space(256);
    assert.equal(await guest.call('system_name_get', buffer, 4, out), 'RANGE');
    const needed = guest.memory.u32(out);
    assert.equal(await guest.call('system_name_get', buffer, needed, out), 'SUCCESS');
    const names = Buffer.from(guest.memory.bytes(buffer, needed)).toString().split('\0');
    assert.deepEqual([names[0], names[1], names[4], names.length], ['Linux', 'pod-a', 'wasm32', 6]);
  });

  it('is told to no place that is none', async () => {
    for (const name of ['ids_get', 'process_get', 'system_info_get']) {
      for (const pointer of [-1, -4, 4 * 65_536 - 8]) assert.equal(await guest.call(name, pointer), 'FAULT', name);
    }
    assert.equal(await guest.call('system_name_get', -8, 256, guest.space(8)), 'FAULT');
    assert.equal(await guest.call('system_name_get', guest.space(8), 256, -1), 'FAULT');
  });
});

describe('/proc', () => {
  const self = (name: string) => guest.read(proc, `self/${name}`);

  it('shows the guest to itself', async () => {
    assert.equal(await self('cmdline'), '/bin/a tool)\0one\0');
    assert.match(await self('environ'), /^KEY=value\0/);
    assert.equal(await self('comm'), 'a tool?\n');
    assert.equal(await self('cgroup'), '0::/\n');
    assert.equal(await self('statm'), '64 64 0 0 0 64 0\n');
    assert.match(await self('limits'), /Max open files +32 +32 +files\n/);
    const status = await self('status');
    for (const line of [
      'Name:\ta tool?',
      'Umask:\t0022',
      'Pid:\t1',
      'Uid:\t1000\t1000\t1000\t1000',
      'Groups:\t100 2000',
      'Threads:\t1',
    ])
      assert.ok(status.includes(`${line}\n`), line);
    const fields = (await self('stat')).trim().split(/(?<=\)) | (?=\()/);
    assert.deepEqual(fields.slice(0, 2), ['1', '(a tool?)']);
    assert.equal(fields[2]?.split(' ').length, 50);
    assert.equal(await guest.read(proc, '1/cmdline'), await self('cmdline'));
  });

  it('shows signals as they are', async () => {
    await guest.call('signal_action', 15, 2, guest.space(8));
    await guest.call('signal_action', 1, 1, guest.space(8));
    guest.posix.signal('SIGTERM');
    const status = await self('status');
    assert.match(status, /SigPnd:\t0000000000004000\n[\s\S]*SigIgn:\t0000000000000001\nSigCgt:\t0000000000004000\n/);
  });

  it('shows a machine of one process, with the limits of the guest', async () => {
    assert.match(await guest.read(proc, 'meminfo'), /^MemTotal: +65536 kB\nMemFree: +65280 kB\n/);
    assert.equal((await guest.read(proc, 'cpuinfo')).match(/^processor/gm)?.length, 2);
    assert.match(await guest.read(proc, 'stat'), /^cpu {2}200 [\s\S]*\ncpu0 [\s\S]*\ncpu1 [\s\S]*btime 5\n/);
    assert.equal(await guest.read(proc, 'uptime'), '0.00 0.00\n');
    assert.equal(await guest.read(proc, 'loadavg'), '0.00 0.00 0.00 1/1 1\n');
    assert.match(await guest.read(proc, 'version'), /^Linux version/);
    assert.match(
      await guest.read(proc, 'mounts'),
      /^wasmlet \/my\\040data wasmlet ro,nosuid,nodev 0 0\nproc \/proc proc ro/,
    );
    assert.equal(await guest.read(proc, 'sys/kernel/hostname'), 'pod-a\n');
    assert.equal(await guest.read(sys, 'fs/cgroup/memory.max'), `${64 * MIB}\n`);
    assert.equal(await guest.read(sys, 'fs/cgroup/memory.current'), '262144\n');
    assert.equal(await guest.read(sys, 'fs/cgroup/cpu.max'), '150000 100000\n');
    assert.equal(await guest.read(sys, 'devices/system/cpu/online'), '0-1\n');
  });

  it('says max where there is no limit', async () => {
    const { cpuMillis: _, ...identity } = IDENTITY;
    guest = await FakePosixGuest.make({}, { identity });
    assert.equal(await guest.read(guest.preopened('/sys'), 'fs/cgroup/memory.max'), 'max\n');
    assert.equal(await guest.read(guest.preopened('/sys'), 'fs/cgroup/cpu.max'), 'max 100000\n');
    assert.equal(await guest.read(guest.preopened('/sys'), 'devices/system/cpu/online'), '0\n');
    assert.match(await guest.read(guest.preopened('/proc'), 'meminfo'), /^MemTotal: +4194304 kB/);
  });

  it('lists names, the guest’s descriptors among them', async () => {
    const names = async (path: string): Promise<string[]> => {
      const out = guest.space(8);
      assert.equal(await guest.call('path_open', proc, 1, ...guest.bytes(path), 2, 0n, 0n, 0, out), 'SUCCESS');
      const fd = guest.memory.u32(out);
      const buffer = guest.space(4096);
      assert.equal(await guest.call('fd_readdir', fd, buffer, 4096, 0n, out), 'SUCCESS');
      await guest.call('fd_close', fd);
      const found: string[] = [];
      for (let at = buffer; at < buffer + guest.memory.u32(out); ) {
        const length = guest.memory.u32(at + 16);
        found.push(Buffer.from(guest.memory.bytes(at + 24, length)).toString());
        at += 24 + length;
      }
      return found;
    };
    assert.deepEqual((await names('self')).slice(0, 4), ['.', '..', 'cgroup', 'cmdline']);
    assert.deepEqual(await names('self/fd'), ['.', '..', '0', '1', '2', '3', '4', '5', '6']);
    const out = guest.space(8);
    const buffer = guest.space(64);
    const link = (fd: number) => guest.call('path_readlink', proc, ...guest.bytes(`self/fd/${fd}`), buffer, 64, out);
    assert.equal(await link(3), 'SUCCESS');
    assert.equal(Buffer.from(guest.memory.bytes(buffer, guest.memory.u32(out))).toString(), '/my data');
    assert.deepEqual([await link(0), await link(20)], ['SUCCESS', 'NOENT']);
  });

  it('cannot be left, changed, or taken for anything else', async () => {
    const out = guest.space(64);
    const open = (path: string, { oflags = 0, rights = 2n, lookup = 1 } = {}) =>
      guest.call('path_open', proc, lookup, ...guest.bytes(path), oflags, rights, 0n, 0, out);
    const data = guest.preopened('/my data');
    const version = guest.bytes('version');
    assert.deepEqual(
      [
        await open('..'),
        await open('self/../../x'),
        await open('/version'),
        await open('version/x'),
        await open('version/'),
        await open('nothing'),
        await open('constructor'),
        await open('__proto__'),
        await open('self/fd/0'),
        await open('self/fd/0', { lookup: 0 }),
        await open('version', { rights: 64n }),
        await open('version', { oflags: 8 }),
        await open('new', { oflags: 1 }),
        await open('version', { oflags: 5 }),
        await open('version', { oflags: 2 }),
        await guest.call('path_create_directory', proc, ...guest.bytes('new')),
        await guest.call('path_unlink_file', proc, ...version),
        await guest.call('path_remove_directory', proc, ...guest.bytes('self')),
        await guest.call('path_rename', proc, ...version, proc, ...guest.bytes('x')),
        await guest.call('path_rename', data, ...version, proc, ...guest.bytes('x')),
        await guest.call('path_link', proc, 0, ...version, data, ...guest.bytes('x')),
        await guest.call('path_symlink', ...version, proc, ...guest.bytes('x')),
        await guest.call('path_filestat_set_times', proc, 0, ...version, 0n, 0n, 10),
        await guest.call('fd_filestat_set_times', proc, 0n, 0n, 10),
        await guest.call('path_mode_set', proc, 1, ...version, 0o777),
        await guest.call('path_owner_set', proc, 1, ...version, 0, 0),
        await guest.call('path_create_directory_mode', proc, ...guest.bytes('new'), 0o777),
        await guest.call('path_access', proc, 1, ...version, 2),
        await guest.call('path_access', proc, 1, ...version, 4),
      ],
      [
        'PERM',
        'PERM',
        'PERM',
        'NOTDIR',
        'NOTDIR',
        'NOENT',
        'NOENT',
        'NOENT',
        'NOENT',
        'LOOP',
        ...Array(3).fill('ROFS'),
        'EXIST',
        'NOTDIR',
        ...Array(13).fill('ROFS'),
        'SUCCESS',
      ],
    );
  });

  it('has files that are read as files are', async () => {
    const out = guest.space(64);
    assert.equal(
      await guest.call('path_open', proc, 1, ...guest.bytes('sys/kernel/hostname'), 0, 2n, 0n, 0, out),
      'SUCCESS',
    );
    const fd = guest.memory.u32(out);
    const list = guest.space(8);
    const buffer = guest.space(16);
    guest.memory.setU32(list, buffer);
    guest.memory.setU32(list + 4, 3);
    const text = async (call: Promise<string>) =>
      (await call) === 'SUCCESS' ? Buffer.from(guest.memory.bytes(buffer, guest.memory.u32(out))).toString() : call;
    assert.equal(await text(guest.call('fd_read', fd, list, 1, out)), 'pod');
    assert.equal(await text(guest.call('fd_read', fd, list, 1, out)), '-a\n');
    assert.equal(await text(guest.call('fd_read', fd, list, 1, out)), '');
    assert.equal(await text(guest.call('fd_pread', fd, list, 1, 1n, out)), 'od-');
    assert.equal(await text(guest.call('fd_pread', fd, list, 1, 2n ** 64n - 1n, out)), '');
    assert.equal(await guest.call('fd_seek', fd, -2n, 2, out), 'SUCCESS');
    assert.equal(guest.memory.u64(out), 4n);
    assert.equal(await guest.call('fd_seek', fd, -100n, 0, out), 'INVAL');
    assert.equal(await guest.call('fd_filestat_get', fd, out), 'SUCCESS');
    assert.deepEqual([guest.memory.u8(out + 16), guest.memory.u64(out + 32)], [4, 6n]);
    assert.equal(await guest.call('fd_status_get', fd, out), 'SUCCESS');
    assert.deepEqual(guest.words(out, 3), [0o100444, 0, 0]);
    assert.equal(await guest.call('fd_write', fd, list, 1, out), 'BADF');
    assert.equal(await guest.call('fd_mode_set', fd, 0), 'ROFS');
    assert.equal(await guest.call('fd_filestat_set_size', fd, 0n), 'BADF');
    assert.equal(await guest.call('fd_close', fd), 'SUCCESS');
    assert.equal(await guest.call('path_filestat_get', proc, 1, ...guest.bytes('self/'), out), 'SUCCESS');
    assert.equal(guest.memory.u8(out + 16), 3);
  });

  it('gives way to a volume of that name', async () => {
    guest = await FakePosixGuest.make({ preopens: [{ guestPath: '/proc', hostPath: scratch }] });
    assert.equal(await guest.read(guest.preopened('/proc'), 'version'), 'NOENT');
  });
});
