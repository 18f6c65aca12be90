import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { FakeClock, silentLog } from '#kit';
import type { CgroupTree, GroupLimits } from '#kit/os';
import { SandboxGroups } from './groups.ts';
import { SandboxFolder } from './record.ts';
import { Sandbox } from './sandbox.ts';

const MIB = 1024 * 1024;

describe('SandboxFolder', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'wasmlet-record-'));
  after(() => rmSync(dataDir, { recursive: true }));
  let names = 0;

  function made(): SandboxFolder {
    const folder = new SandboxFolder(dataDir, `s-${names++}`);
    folder.create(undefined);
    return folder;
  }

  it('keeps what was placed, with its newest limits', () => {
    const folder = made();
    folder.note('+', 'a/main/0', { limits: { memoryBytes: 5 } });
    folder.note('+', 'b/main/0', { limits: {}, plain: true });
    folder.note('+', 'c/main/0', { limits: {} });
    folder.note('+', 'a/main/0', { limits: { memoryBytes: 9, cpuMillis: 100, cpuShares: 2 } });
    folder.note('-', 'c/main/0');
    assert.deepEqual(
      [...folder.placed()],
      [
        ['a/main/0', { limits: { memoryBytes: 9, cpuMillis: 100, cpuShares: 2 } }],
        ['b/main/0', { limits: {}, plain: true }],
      ],
    );
  });

  it('knows a workload whose limits it cannot read, and no line that was cut off', () => {
    const folder = made();
    const path = join(folder.path, 'workloads');
    appendFileSync(path, '+a/main/0\n+b/main/0 {"limits":{"memoryBytes":-1}}\n+c/main/0 {"limi\n+d/main/0 {"lim');
    assert.deepEqual(
      [...folder.placed()],
      [
        ['a/main/0', undefined],
        ['b/main/0', undefined],
        ['c/main/0', undefined],
      ],
    );
  });

  it('gives a sandbox that is taken over the bounds that it had', async () => {
    const folder = made();
    folder.note('+', 'a/main/0', { limits: { memoryBytes: 100 * MIB, cpuMillis: 250, cpuShares: 256 }, plain: true });
    const clock = new FakeClock();
    const set: GroupLimits[] = [];
    const tree = { sweep() {}, share() {}, set: (_: string, limits: GroupLimits) => set.push(limits) };
    const nothing = () => {};
    new Sandbox(
      folder,
      { id: folder.id, pid: 1, startTime: 1, tenant: 'blue', isolation: 'pod' },
      {
        clock,
        log: silentLog,
        changed: nothing,
        placed: nothing,
        forgotten: nothing,
        gone: nothing,
        groups: new SandboxGroups(tree as unknown as CgroupTree),
      },
    );
    await clock.advance(100);
    assert.deepEqual(set, [{ cpuShares: 256 + 256, pids: 4096, cpuMillis: 250, memoryBytes: (100 + 512 + 16) * MIB }]);
  });
});
