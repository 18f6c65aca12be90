import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { findCgroups } from './mod.ts';

describe('findCgroups()', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'wasmlet-cgroup-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const line = (folder: string, type: string, options: string) =>
    `30 25 0:26 / ${join(root, folder)} rw,relatime shared:9 - ${type} ${type} rw,${options}`;
  const text = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');

  it('takes version 2, where the controllers are switched on at both levels', () => {
    // A folder that behaves: what is switched on reads as it was written.
    mkdirSync(join(root, 'u', 'wasmlet'), { recursive: true });
    writeFileSync(join(root, 'u', 'cgroup.controllers'), 'cpuset cpu io memory pids\n');
    const mounts = line('u', 'cgroup2', 'nsdelegate');
    // The fake keeps the last of the three.
    const tree = findCgroups({ mounts });
    assert.equal(tree?.version, 2);
    assert.equal(text('u', 'cgroup.subtree_control'), '+pids');
  });

  it('says what stands in numbers of version 2', () => {
    mkdirSync(join(root, 'u'));
    writeFileSync(join(root, 'u', 'cgroup.controllers'), 'memory\n');
    mkdirSync(join(root, 'u', 'wasmlet'));
    const tree = findCgroups({ mounts: line('u', 'cgroup2', 'rw') });
    assert.deepEqual(tree?.controllers, ['memory']);
    assert.deepEqual(tree?.create('s-1'), [join(root, 'u', 'wasmlet', 's-1', 'cgroup.procs')]);
    tree?.set('s-1', { cpuShares: 1024, memoryBytes: 4096, pids: 7 });
    assert.equal(text('u', 'wasmlet', 's-1', 'memory.max'), '4096');
    tree?.set('s-1', { cpuShares: 1024, pids: 7 });
    assert.equal(text('u', 'wasmlet', 's-1', 'memory.max'), 'max');
    writeFileSync(join(root, 'u', 'wasmlet', 's-1', 'memory.events'), 'low 0\noom 2\noom_kill 2\n');
    assert.equal(tree?.kills('s-1'), 2);
  });

  it('takes version 1 where version 2 has no controller', () => {
    for (const folder of ['u', 'cpu', 'memory', 'pids']) mkdirSync(join(root, folder));
    writeFileSync(join(root, 'u', 'cgroup.controllers'), 'hugetlb\n');
    const mounts = [
      line('u', 'cgroup2', 'rw'),
      line('cpu', 'cgroup', 'cpu,cpuacct'),
      line('memory', 'cgroup', 'memory'),
      line('pids', 'cgroup', 'pids'),
    ].join('\n');
    const tree = findCgroups({ mounts });
    assert.equal(tree?.version, 1);
    assert.deepEqual([...(tree?.controllers ?? [])].sort(), ['cpu', 'memory', 'pids']);
    assert.equal(tree?.create('s-1').length, 3);
    tree?.share(2048);
    assert.equal(text('cpu', 'wasmlet', 'cpu.shares'), '2048');
    tree?.set('s-1', { cpuShares: 0, memoryBytes: 99, pids: 5 });
    assert.equal(text('cpu', 'wasmlet', 's-1', 'cpu.shares'), '2');
    assert.equal(text('memory', 'wasmlet', 's-1', 'memory.limit_in_bytes'), '99');
    assert.equal(text('pids', 'wasmlet', 's-1', 'pids.max'), '5');
    assert.equal(text('cpu', 'wasmlet', 's-1', 'cpu.cfs_quota_us'), '-1');
    tree?.set('s-1', { cpuShares: 0, pids: 5, cpuMillis: 250 });
    assert.equal(text('cpu', 'wasmlet', 's-1', 'cpu.cfs_quota_us'), '25000');
    assert.equal(text('cpu', 'wasmlet', 's-1', 'cpu.cfs_period_us'), '100000');
    // A group of files is as busy as one with processes.
    assert.equal(tree?.remove('s-1'), false);
    tree?.create('s-2');
    tree?.sweep(Date.now() - 60_000);
    assert.equal(existsSync(join(root, 'cpu', 'wasmlet', 's-2')), true);
    tree?.sweep(Date.now() + 60_000);
    assert.equal(existsSync(join(root, 'cpu', 'wasmlet', 's-2')), false);
    assert.equal(tree?.remove('s-2'), true);
  });

  it('has none where nothing is mounted, or nothing can be written', () => {
    assert.equal(findCgroups({ mounts: '' }), undefined);
    assert.equal(findCgroups({ mounts: 'garbage - \n - cgroup\n' }), undefined);
    assert.equal(findCgroups({ mounts: line('missing', 'cgroup', 'cpu') }), undefined);
  });
});
