import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CgroupTree } from '#kit/os';
import { Claims, SandboxGroups } from './groups.ts';

const MIB = 1024 * 1024;

describe('Claims', () => {
  it('sums requests, and bounds memory only while every workload has a limit', () => {
    const claims = new Claims();
    assert.deepEqual(claims.limits, { cpuShares: 256, pids: 4096 });
    claims.set('a', { cpuShares: 512, memoryBytes: 100 * MIB });
    claims.set('b', { memoryBytes: 50 * MIB });
    assert.deepEqual(claims.limits, { cpuShares: 770, pids: 4096, memoryBytes: (150 + 512 + 32) * MIB });
    claims.set('c', { cpuShares: 2 });
    assert.equal(claims.limits.memoryBytes, undefined);
    claims.set('c', { cpuShares: 2, memoryBytes: MIB });
    assert.equal(claims.limits.memoryBytes, (151 + 512 + 48) * MIB);
    claims.set('taken over', undefined);
    assert.equal(claims.limits.memoryBytes, undefined);
    for (const key of ['a', 'b', 'c', 'taken over', 'never there']) claims.delete(key);
    assert.deepEqual(claims.limits, { cpuShares: 256, pids: 4096 });
  });

  it('bounds the processor for workloads without checks, while every workload has a limit, until one is to end', () => {
    const claims = new Claims();
    claims.set('a', { cpuMillis: 100 });
    assert.equal(claims.limits.cpuMillis, undefined);
    claims.setPlain('a');
    claims.setPlain('never there');
    assert.equal(claims.limits.cpuMillis, 100);
    claims.set('a', { cpuMillis: 300 });
    claims.set('b', { cpuMillis: 500 });
    assert.equal(claims.limits.cpuMillis, 800);
    claims.set('c', {});
    assert.equal(claims.limits.cpuMillis, undefined);
    claims.delete('c');
    assert.deepEqual([claims.lift('a'), claims.lift('a'), claims.limits.cpuMillis], [true, false, undefined]);
  });
});

it('the group of a sandbox that is not reaped yet goes with the next change', () => {
  const there = new Set<string>();
  let busy = true;
  const tree = {
    sweep() {},
    share() {},
    set() {},
    create(id: string) {
      there.add(id);
      return [];
    },
    remove: (id: string) => !busy && there.delete(id),
  };
  const groups = new SandboxGroups(tree as unknown as CgroupTree);
  groups.create('s-1');
  groups.remove('s-1');
  assert.deepEqual([...there], ['s-1']);
  busy = false;
  groups.create('s-2');
  assert.deepEqual([...there], ['s-2']);
});
