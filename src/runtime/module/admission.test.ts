import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { systemClock } from '#kit';
import { makePlace, SCRIPTED } from '../scripted.suite.ts';
import { Admission } from './admission.ts';

const defaults = { node: process.execPath, clock: systemClock, insecureTrustedGuests: false };

describe('Admission', { timeout: 60_000 }, () => {
  it('remembers verdicts over restarts, and not those of other bytes', async () => {
    await using place = makePlace();
    const module = { digest: 'sha256:aa', path: SCRIPTED };
    await using admission = new Admission({ ...defaults, dataDir: place.dataDir });
    const [first, second] = await Promise.all([admission.admit(module), admission.admit(module)]);
    assert.deepEqual(first, second);
    assert.deepEqual(readdirSync(join(place.dataDir, 'modules')), ['aa.json']);
    // The file is gone, the verdict is not.
    await using later = new Admission({ ...defaults, dataDir: place.dataDir });
    assert.deepEqual(await later.admit({ ...module, path: '/not/there' }), first);
    writeFileSync(join(place.dataDir, 'modules', 'bb.json'), '{"version":1,"verdict":{"digest":"sha256:aa"}}');
    await assert.rejects(later.admit({ digest: 'sha256:bb', path: '/not/there' }));
  });

  it('refuses a module that takes too long, and goes on with the next', async () => {
    await using place = makePlace();
    await using admission = new Admission({ ...defaults, dataDir: place.dataDir, patienceMs: 1 });
    const stalled = await admission.admit({ digest: 'sha256:cc', path: SCRIPTED });
    assert.equal(stalled.refusal?.code, 'MODULE_STALLED');
    assert.deepEqual(readdirSync(place.dataDir), []);
    await using patient = new Admission({ ...defaults, dataDir: place.dataDir });
    assert.equal((await patient.admit({ digest: 'sha256:cc', path: SCRIPTED })).refusal, undefined);
  });
});
