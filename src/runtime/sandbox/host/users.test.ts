import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { mayBecome } from '#kit/os';
import { TenantUsers } from './users.ts';

const range = { first: 1_900_000_000, last: 1_900_000_002 };

describe('TenantUsers', { skip: !mayBecome(range) && 'this process may give no file away' }, () => {
  it('gives each tenant one, keeps it over restarts, and takes back those of folders that are gone', () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'wasmlet-users-'));
    const root = (name: string) => join(dataDir, 'tenants', name);
    const users = new TenantUsers(dataDir, range);
    // One that was there before there were users.
    mkdirSync(root('old'), { recursive: true });
    const given = ['old', 'blue', 'green'].map((name) => users.of(root(name)));
    assert.deepEqual([...given].sort(), [1_900_000_000, 1_900_000_001, 1_900_000_002]);
    assert.equal(lstatSync(root('old')).mode & 0o777, 0o750);
    assert.equal(lstatSync(root('old')).gid, given[0]);
    const next = new TenantUsers(dataDir, range);
    assert.equal(next.of(root('green')), given[2]);
    assert.throws(() => next.of(root('red')), { code: 'RUNTIME_FULL' });
    rmSync(root('blue'), { recursive: true });
    assert.equal(next.of(root('red')), given[1]);
    rmSync(dataDir, { recursive: true });
  });
});
