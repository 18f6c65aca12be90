/** What a sandbox that was broken out of may put where the runtime, with more rights than it has, reads, writes, grants and removes. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { landlockAbi, mayBecome } from '#kit/os';
import { makePlace, podFolder, scripted } from '../../scripted.suite.ts';
import { type ExitedState, readExits, writeExit } from '../exits.ts';
import { createRuntime } from '../mod.ts';
import { DEFAULT_USERS } from '../walls.ts';
import { SandboxFolder } from './record.ts';
import { TenantUsers } from './users.ts';

const top = mkdtempSync(join(tmpdir(), 'wasmlet-hostile-'));
after(() => rmSync(top, { recursive: true, force: true }));
const SECRET = 'what nobody may see';
const state: ExitedState = { phase: 'exited', finishedAt: 1, exit: { code: 3, reason: 'Error' } };

let folder = new SandboxFolder(top, 's-0');
let outside = '';

beforeEach(() => {
  const dataDir = mkdtempSync(join(top, 'data-'));
  outside = mkdtempSync(join(top, 'outside-'));
  writeFileSync(join(outside, 'shadow'), SECRET);
  folder = new SandboxFolder(dataDir, 's-1');
  folder.create(undefined);
});

/** Each puts something else in the place of a file. */
const TRICKS: Readonly<Record<string, (path: string) => unknown>> = {
  'a link': (path) => symlinkSync(join(outside, 'shadow'), path),
  'a hard link': (path) => linkSync(join(outside, 'shadow'), path),
  'a pipe': (path) => spawnSync('mkfifo', [path]),
  'a folder': (path) => mkdirSync(path),
  'a huge file': (path) => {
    writeFileSync(path, '');
    truncateSync(path, 2 ** 40);
  },
};

describe('exits/, which a sandbox writes', () => {
  for (const [what, trick] of Object.entries(TRICKS)) {
    it(`with ${what} for the words of a crash: they are not told, and not waited for`, () => {
      trick(join(folder.exits, 'crash'));
      assert.equal(folder.crashNote(), undefined);
    });

    it(`with ${what} for a record: it is none`, async () => {
      await writeExit(folder.exits, 'u/main/0', state);
      const [name = ''] = readdirSync(folder.exits);
      assert.equal(readExits(folder.exits).size, 1);
      // What the link leads to would be a record.
      renameSync(join(folder.exits, name), join(outside, 'shadow'));
      trick(join(folder.exits, name));
      assert.equal(readExits(folder.exits).size, 0);
    });
  }

  it('gives the words of a crash, cut', () => {
    writeFileSync(join(folder.exits, 'crash'), `${'x'.repeat(2000)}`);
    assert.equal(folder.crashNote(), 'x'.repeat(1000));
  });

  it('goes with the sandbox, however deep, and nothing that it leads to', async () => {
    symlinkSync(outside, join(folder.exits, 'link'));
    const script = "for (let at = 0; at < 500; at++) { fs.mkdirSync('deeper'); process.chdir('deeper'); }";
    spawnSync(process.execPath, ['-e', script], { cwd: folder.exits });
    await folder.remove();
    assert.ok(!existsSync(folder.path));
    assert.deepEqual(readdirSync(outside), ['shadow']);
  });
});

describe("a sandbox's own output", () => {
  it('of any size is read from its end', () => {
    writeFileSync(folder.log, '');
    truncateSync(folder.log, 2 ** 40);
    appendFileSync(folder.log, 'last words\n');
    assert.equal(folder.lastWords(), 'last words');
    folder.boundLog();
    assert.equal(lstatSync(folder.log).size, 0);
  });
});

describe('the root of a tenant', { skip: !mayBecome(DEFAULT_USERS) && 'this process may give no file away' }, () => {
  it('that is a link is not given to the tenant, nor what it leads to', () => {
    mkdirSync(join(top, 'tenants'), { recursive: true });
    symlinkSync(outside, join(top, 'tenants/blue'));
    assert.throws(() => new TenantUsers(top, DEFAULT_USERS).of(join(top, 'tenants/blue')));
    assert.equal(lstatSync(outside).uid, 0);
  });
});

describe('a sandbox of one pod', { skip: landlockAbi() === 0 && 'no Landlock here' }, () => {
  it("is not granted what the tenant's other sandbox put in the place of the pod's folder", async () => {
    const place = makePlace();
    const runtime = await createRuntime({ dataDir: place.dataDir, warm: 0 });
    try {
      const spec = scripted(place.dataDir, 'write /data/mine stolen , exit 0', {
        placement: { tenant: 'blue', isolation: 'pod' },
      });
      const hostPath = podFolder(place.dataDir, spec, 'data');
      const pod = join(place.dataDir, 'tenants', spec.placement.tenant, 'pods', spec.id.podUid);
      mkdirSync(join(outside, 'data'));
      rmSync(pod, { recursive: true });
      symlinkSync(outside, pod);
      await assert.rejects(async () => {
        await runtime.create({ ...spec, mounts: [{ guestPath: '/data', hostPath, readOnly: false }] });
        await runtime.start(spec.id);
      });
      assert.deepEqual(readdirSync(join(outside, 'data')), []);
    } finally {
      await runtime.release({ tenant: 'blue', isolation: 'pod' });
      await runtime[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    }
    assert.equal(readFileSync(join(outside, 'shadow'), 'utf8'), SECRET);
  });
});
