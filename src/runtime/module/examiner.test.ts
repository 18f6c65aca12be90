/** The admission process answers what it likes: each case is a process that does. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '#kit';
import { landlockAbi, mayBecome } from '#kit/os';
import { DEFAULT_USERS } from '../sandbox/walls.ts';
import { Examiner } from './examiner.ts';

const folder = mkdtempSync(join(tmpdir(), 'wasmlet-examiner-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const SIZE = 1000;
const module = join(folder, 'module.wasm');
writeFileSync(module, Buffer.alloc(SIZE));
const into = join(folder, 'rewritten.wasm');

const verdict = {
  digest: 'sha256:aa',
  kind: 'command',
  wasi: [],
  exports: [],
  imports: [],
  execution: { class: 'shared', optimize: 'lazy' },
};

/** An executable that reads its input and answers so. */
function answering(name: string, statements: string): string {
  const path = join(folder, name);
  const say =
    'const say = (it) => { const b = Buffer.from(JSON.stringify(it)); const h = Buffer.alloc(4); h.writeUInt32LE(b.length); process.stdout.write(Buffer.concat([h, b])); };';
  writeFileSync(
    path,
    `#!${process.execPath}\n${say}\nprocess.stdin.resume();\nconst verdict = ${JSON.stringify(verdict)};\n${statements}\n`,
  );
  chmodSync(path, 0o700);
  return path;
}

async function ask(node: string, patienceMs = 20_000) {
  const examiner = new Examiner({ node, clock: systemClock, insecureTrustedGuests: false, patienceMs, idleMs: 1 });
  try {
    return await examiner.examine({ digest: 'sha256:aa', path: module, size: SIZE, into });
  } finally {
    examiner.end();
  }
}

describe('Examiner', { timeout: 60_000 }, () => {
  it('takes an answer and the module behind it', async () => {
    const answer = await ask(answering('good', 'say({ verdict, rewrittenBytes: 5 }); process.stdout.write("abcde");'));
    assert.deepEqual(answer, { verdict, rewrittenBytes: 5 });
    assert.equal(readFileSync(into, 'utf8'), 'abcde');
  });

  const hostile: readonly (readonly [string, string, RegExp])[] = [
    ['a length without end', 'process.stdout.write(Buffer.alloc(1000, 255));', /no verdict/],
    ['what is no JSON', 'process.stdout.write(Buffer.from([3, 0, 0, 0, 1, 2, 3]));', /no verdict/],
    [
      'a verdict about another module',
      'say({ verdict: { ...verdict, digest: "sha256:bb" }, rewrittenBytes: 5 });',
      /no verdict/,
    ],
    ['a module that is too large', 'say({ verdict, rewrittenBytes: 1e9 });', /no verdict/],
    ['a class without its module', 'say({ verdict, rewrittenBytes: 0 });', /no verdict/],
    [
      'a refusal with a module',
      'say({ verdict: { ...verdict, refusal: { code: "MODULE_CORRUPT", message: "" } }, rewrittenBytes: 9 });',
      /no verdict/,
    ],
    [
      'a module that ends early',
      'say({ verdict, rewrittenBytes: 9 }); process.stdout.write("abc", () => process.exit(0));',
      /ended over it/,
    ],
    ['more than it said', 'say({ verdict, rewrittenBytes: 1 }); process.stdout.write("abc");', /no verdict/],
    ['nothing, and ends', 'process.exit(3);', /exit code 3/],
  ];
  for (const [title, statements, message] of hostile) {
    it(`answers with a text to ${title}, and leaves no file`, async () => {
      rmSync(into, { force: true });
      const outcome = await ask(answering(title.replaceAll(' ', '-'), statements));
      assert.match(String(outcome), message);
      assert.ok(!existsSync(into));
    });
  }

  it('does not wait for ever', async () => {
    const outcome = await ask(answering('silent', 'setInterval(() => {}, 1000);'), 300);
    assert.match(String(outcome), /longer than 300 ms/);
  });

  it('says when the module became shorter', async () => {
    const node = answering('waiting', 'setInterval(() => {}, 1000);');
    const examiner = new Examiner({
      node,
      clock: systemClock,
      insecureTrustedGuests: false,
      patienceMs: 20_000,
      idleMs: 1,
    });
    const outcome = await examiner.examine({ digest: 'sha256:aa', path: module, size: SIZE + 1, into });
    assert.match(String(outcome), /became shorter/);
    examiner.end();
  });
});

const mayChange = mayBecome(DEFAULT_USERS) && landlockAbi() > 0;

describe('the process that looks at modules', { skip: !mayChange && 'this process may not change its user' }, () => {
  it('is a user of its own, who may read what everybody may not, and no more', async () => {
    const user = DEFAULT_USERS.last;
    const settings = { node: process.execPath, insecureTrustedGuests: false, user };
    const examiner = new Examiner({ ...settings, clock: systemClock, patienceMs: 50_000, idleMs: 50_000 });
    try {
      const path = fileURLToPath(new URL('../../../guests/scripted/scripted.wasm', import.meta.url));
      const answer = await examiner.examine({ digest: 'sha256:5c', path, size: statSync(path).size, into });
      assert.ok(typeof answer !== 'string', String(answer));
      const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'latin1').trim().split(' ');
      const found = children.map((pid) => readFileSync(`/proc/${pid}/status`, 'latin1'));
      const mine = found.filter((text) => text.includes(`\nUid:\t${[user, user, user, user].join('\t')}\n`));
      assert.equal(mine.length, 1);
      // CAP_DAC_READ_SEARCH; CAP_DAC_OVERRIDE where this Node may be executed by its owner alone.
      for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
        assert.match(mine[0] ?? '', new RegExp(`^${set}:\\s*000000000000000[24]$`, 'm'));
      assert.match(mine[0] ?? '', /^NoNewPrivs:\s*1$/m);
      assert.match(mine[0] ?? '', /^Groups:\s*$/m);
    } finally {
      examiner.end();
    }
  });
});
