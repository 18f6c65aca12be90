import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { systemClock } from '#kit';
import { makePlace, SCRIPTED } from '../scripted.suite.ts';
import { Admission } from './admission.ts';
import { assemble } from './assemble.suite.ts';
import { shapeOf } from './instantiate.ts';
import { REWRITER_VERSION } from './shape.ts';

const defaults = { node: process.execPath, clock: systemClock, insecureTrustedGuests: false };
const REWRITTEN = `aa.${REWRITER_VERSION}.wasm`;

describe('Admission', { timeout: 60_000 }, () => {
  it('remembers verdicts over restarts, and not those of other bytes', async () => {
    await using place = makePlace();
    const module = { digest: 'sha256:aa', path: SCRIPTED };
    await using admission = new Admission({ ...defaults, dataDir: place.dataDir });
    const [first, second] = await Promise.all([admission.admit(module), admission.admit(module)]);
    assert.deepEqual(first, second);
    assert.equal(first.execution?.class, 'shared');
    assert.deepEqual(readdirSync(join(place.dataDir, 'modules')).sort(), [REWRITTEN, 'aa.json']);
    // The file is gone, the verdict is not.
    await using later = new Admission({ ...defaults, dataDir: place.dataDir });
    assert.deepEqual(await later.admit({ ...module, path: '/not/there' }), first);
    const other = readFileSync(join(place.dataDir, 'modules', 'aa.json'));
    writeFileSync(join(place.dataDir, 'modules', 'bb.json'), other);
    await assert.rejects(later.admit({ digest: 'sha256:bb', path: '/not/there' }));
  });

  it('keeps the rewritten module beside the verdict, read-only, and gives it to sandboxes', async () => {
    await using place = makePlace();
    await using admission = new Admission({ ...defaults, dataDir: place.dataDir });
    const { path, execution } = await admission.executable({ digest: 'sha256:aa', path: SCRIPTED });
    assert.equal(path, join(place.dataDir, 'modules', REWRITTEN));
    assert.equal(execution.class, 'shared');
    assert.equal(statSync(path).mode & 0o777, 0o400);
    assert.equal(shapeOf(new WebAssembly.Module(readFileSync(path)))?.version, REWRITER_VERSION);
  });

  it('makes anew what is not there whole, or of another version', async () => {
    await using place = makePlace();
    const module = { digest: 'sha256:aa', path: SCRIPTED };
    const folder = join(place.dataDir, 'modules');
    await using first = new Admission({ ...defaults, dataDir: place.dataDir });
    const { path } = await first.executable(module);
    const whole = readFileSync(path);
    const broken: readonly (() => void)[] = [
      () => truncateSync(path, whole.byteLength - 1),
      () => rmSync(path),
      () => writeFileSync(join(folder, 'aa.json'), readFileSync(join(folder, 'aa.json'), 'utf8').slice(0, -9)),
      () => {
        const file = JSON.parse(readFileSync(join(folder, 'aa.json'), 'utf8'));
        writeFileSync(join(folder, 'aa.json'), JSON.stringify({ ...file, version: '1' }));
        writeFileSync(join(folder, 'aa.0.wasm'), whole);
      },
    ];
    for (const breakIt of broken) {
      breakIt();
      await using later = new Admission({ ...defaults, dataDir: place.dataDir });
      assert.equal((await later.executable(module)).path, path);
      assert.deepEqual(readFileSync(path), whole);
      assert.deepEqual(readdirSync(folder).sort(), [REWRITTEN, 'aa.json']);
    }
  });

  it('looks again at a module that was refused before its imports were known', async () => {
    await using place = makePlace();
    const module = { digest: 'sha256:aa', path: SCRIPTED };
    const file = join(place.dataDir, 'modules', 'aa.json');
    await using first = new Admission({ ...defaults, dataDir: place.dataDir });
    const verdict = await first.admit(module);
    const { execution: _, ...found } = verdict;
    const refusal = { code: 'MODULE_MISSING_IMPORT', message: "it imports 'thread-spawn' of 'wasi'" };
    const old = { version: `2.${REWRITER_VERSION}`, verdict: { ...found, refusal }, rewrittenBytes: 0 };
    writeFileSync(file, JSON.stringify(old));
    await using later = new Admission({ ...defaults, dataDir: place.dataDir });
    assert.deepEqual(await later.admit(module), verdict);
    assert.notEqual(JSON.parse(readFileSync(file, 'utf8')).version, old.version);
  });

  it('makes a file anew that went away under it', async () => {
    await using place = makePlace();
    await using admission = new Admission({ ...defaults, dataDir: place.dataDir });
    const { path } = await admission.executable({ digest: 'sha256:aa', path: SCRIPTED });
    rmSync(path);
    await admission.executable({ digest: 'sha256:aa', path: SCRIPTED });
    assert.ok(statSync(path).size > 0);
  });

  it('keeps no more on disk than it may, and makes again what was removed', async () => {
    await using place = makePlace();
    await using admission = new Admission({ ...defaults, dataDir: place.dataDir, mostKeptBytes: 100_000 });
    const folder = join(place.dataDir, 'modules');
    for (const digest of ['aa', 'bb', 'cc']) await admission.executable({ digest: `sha256:${digest}`, path: SCRIPTED });
    const kept = () =>
      readdirSync(folder)
        .filter((name) => name.endsWith('.wasm'))
        .map((name) => name.slice(0, 2));
    assert.deepEqual(kept().sort(), ['cc']);
    const { path } = await admission.executable({ digest: 'sha256:aa', path: SCRIPTED });
    assert.ok(statSync(path).size > 0);
    assert.deepEqual(kept(), ['aa']);
  });

  it('gives the original to those that run in a process of their own, with the reason', async () => {
    await using place = makePlace();
    const path = join(place.dataDir, 'threads.wasm');
    const start = { type: ' -> ', code: '', export: '_start' };
    writeFileSync(path, assemble({ memories: ['1 1 shared'], functions: [start] }));
    await using admission = new Admission({ ...defaults, dataDir: place.dataDir });
    const { execution, path: given } = await admission.executable({ digest: 'sha256:cc', path });
    assert.equal(given, path);
    assert.deepEqual(execution, { class: 'process', reason: 'it uses shared memory', optimize: 'lazy' });
    assert.deepEqual(readdirSync(join(place.dataDir, 'modules')), ['cc.json']);
  });

  it('throws the refusal to who wants to run a refused module', async () => {
    await using place = makePlace();
    const path = join(place.dataDir, 'text.wasm');
    writeFileSync(path, 'a text');
    await using admission = new Admission({ ...defaults, dataDir: place.dataDir });
    await assert.rejects(admission.executable({ digest: 'sha256:dd', path }), { code: 'MODULE_NOT_WASM' });
  });

  it('refuses a module that takes too long, and goes on with the next', async () => {
    await using place = makePlace();
    await using admission = new Admission({ ...defaults, dataDir: place.dataDir, patienceMs: 1 });
    const stalled = await admission.admit({ digest: 'sha256:cc', path: SCRIPTED });
    assert.equal(stalled.refusal?.code, 'MODULE_STALLED');
    assert.deepEqual(readdirSync(join(place.dataDir, 'modules')), []);
    await using patient = new Admission({ ...defaults, dataDir: place.dataDir });
    assert.equal((await patient.admit({ digest: 'sha256:cc', path: SCRIPTED })).refusal, undefined);
  });
});
