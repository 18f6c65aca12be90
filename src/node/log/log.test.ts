import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { systemClock } from '#kit';
import { EntrySplitter, MAX_ENTRY, parseLine } from './lines.ts';
import { type LogOptions, readLogs } from './mod.ts';
import { watchers } from './watch.ts';

const top = mkdtempSync(join(tmpdir(), 'wasmlet-logs-'));
after(() => rmSync(top, { recursive: true }));
let root = '';
let path = '';

beforeEach(() => {
  root = mkdtempSync(join(top, 'tenant-'));
  mkdirSync(join(root, 'logs'));
  path = join(root, 'logs/0.log');
});

const time = (second: number) => `2026-01-01T00:00:${String(second).padStart(2, '0')}.000000001Z`;
const line = (second: number, text: string, tag = 'F', stream = 'stdout') =>
  `${time(second)} ${stream} ${tag} ${text}\n`;
const options = (more: Partial<LogOptions> = {}): LogOptions => ({
  root,
  path,
  isLive: () => false,
  follow: false,
  timestamps: false,
  signal: new AbortController().signal,
  clock: systemClock,
  ...more,
});

async function text(more: Partial<LogOptions> = {}): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of readLogs(options(more))) parts.push(part);
  return Buffer.concat(parts).toString('latin1');
}

describe('readLogs()', () => {
  beforeEach(() =>
    writeFileSync(path, [0, 1, 2, 3].map((at) => line(at, `line ${at}`, 'F', at % 2 ? 'stderr' : 'stdout')).join('')),
  );

  it('gives both streams as they came', async () => assert.equal(await text(), 'line 0\nline 1\nline 2\nline 3\n'));
  it('puts times before lines', async () =>
    assert.equal(await text({ timestamps: true, tailLines: 1 }), `${time(3)} line 3\n`));
  it('leaves out what is older', async () =>
    assert.equal(await text({ since: Date.UTC(2026, 0, 1, 0, 0, 2) }), 'line 2\nline 3\n'));
  it('stops at the limit, in the middle of a line', async () =>
    assert.equal(await text({ limitBytes: 9 }), 'line 0\nli'));

  for (const [lines, expected] of [
    [0, ''],
    [1, 'line 3\n'],
    [3, 'line 1\nline 2\nline 3\n'],
    [4, 'line 0\nline 1\nline 2\nline 3\n'],
    [99, 'line 0\nline 1\nline 2\nline 3\n'],
  ] as const) {
    it(`gives the last ${lines} lines`, async () => assert.equal(await text({ tailLines: lines }), expected));
  }

  it('joins parts of a line, and counts them once from the end', async () => {
    appendFileSync(path, line(4, 'long ', 'P') + line(4, 'long ', 'P') + line(4, 'end'));
    assert.equal(await text({ tailLines: 1 }), 'long long end\n');
    assert.equal(await text({ tailLines: 2 }), 'line 3\nlong long end\n');
    assert.equal(await text({ tailLines: 1, timestamps: true }), `${time(4)} long long end\n`);
  });

  it('reads through rotated files, the tail too', async () => {
    renameSync(path, `${path}.20260101-000005`);
    writeFileSync(`${path}.20260101-000006.000001`, line(5, 'line 5'));
    writeFileSync(path, line(6, 'line 6'));
    writeFileSync(`${path}.gz`, 'x');
    assert.equal(await text(), 'line 0\nline 1\nline 2\nline 3\nline 5\nline 6\n');
    assert.equal(await text({ tailLines: 3 }), 'line 3\nline 5\nline 6\n');
    assert.equal(await text({ tailLines: 1 }), 'line 6\n');
  });

  it('leaves garbage out, keeps bytes that are no text, and never fails', async () => {
    writeFileSync(
      path,
      Buffer.concat([
        Buffer.from('garbage\n\n\n'),
        Buffer.from(line(1, 'a')),
        Buffer.from(`${time(2)} stdout F `),
        Buffer.from([255, 0, 27, 10]),
        Buffer.from('\0'.repeat(200_000)),
        Buffer.from(`\n${line(3, 'b')}torn`),
      ]),
    );
    assert.equal(await text(), 'a\n\xff\0\x1b\nb\n');
    assert.equal(await text({ tailLines: 1 }), 'b\n');
  });

  it('finds the last lines of a file of many blocks', async () => {
    writeFileSync(path, Array.from({ length: 20_000 }, (_, at) => line(at % 60, `number ${at}`)).join(''));
    const found = (await text({ tailLines: 5_000 })).trimEnd().split('\n');
    assert.deepEqual([found.length, found[0], found.at(-1)], [5_000, 'number 15000', 'number 19999']);
  });

  it('of a file that is not there is empty', async () => {
    rmSync(path);
    assert.equal(await text(), '');
    assert.equal(await text({ follow: true }), '');
  });

  it('reads no file that a link leads out of the tenant', async () => {
    writeFileSync(join(top, 'secret'), line(1, 'secret'));
    rmSync(path);
    symlinkSync(join(top, 'secret'), path);
    assert.equal(await text(), '');
    rmSync(path);
    rmSync(join(root, 'logs'), { recursive: true });
    mkdirSync(join(top, 'elsewhere'), { recursive: true });
    writeFileSync(join(top, 'elsewhere/0.log'), line(1, 'secret'));
    symlinkSync(join(top, 'elsewhere'), join(root, 'logs'));
    assert.equal(await text(), '');
  });
});

describe('a follower', () => {
  async function follow(act: (seen: (part: string) => Promise<void>) => Promise<void>): Promise<string> {
    let all = '';
    let live = true;
    let changed: () => void = () => {};
    const reading = (async () => {
      for await (const part of readLogs(options({ follow: true, isLive: () => live }))) {
        all += Buffer.from(part).toString();
        changed();
      }
    })();
    const seen = async (part: string) => {
      while (!all.includes(part))
        await new Promise<void>((resolve) => {
          changed = resolve;
        });
    };
    await act(seen);
    live = false;
    appendFileSync(path, '');
    await reading;
    return all;
  }

  it('sees what is written later, and ends when the container has', async () => {
    writeFileSync(path, line(0, 'first'));
    const all = await follow(async (seen) => {
      await seen('first');
      appendFileSync(path, line(1, 'second'));
      await seen('second');
      appendFileSync(path, line(2, 'last words'));
    });
    assert.equal(all, 'first\nsecond\nlast words\n');
  });

  it('goes on through rotation, and misses nothing', async () => {
    writeFileSync(path, line(0, 'first'));
    const all = await follow(async (seen) => {
      await seen('first');
      appendFileSync(path, line(1, 'before'));
      renameSync(path, `${path}.20260101-000001`);
      writeFileSync(path, line(2, 'after'));
      await seen('after');
    });
    assert.equal(all, 'first\nbefore\nafter\n');
  });

  it('shares its watcher with others of the directory, and the last one closes it', async () => {
    writeFileSync(path, line(0, 'x'));
    const stop = new AbortController();
    const followers = Array.from({ length: 20 }, async () => {
      for await (const _ of readLogs(options({ follow: true, isLive: () => true, signal: stop.signal }))) started();
    });
    let count = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    function started(): void {
      if (++count === followers.length) resolve();
    }
    await promise;
    assert.equal(watchers(), 1);
    stop.abort();
    await Promise.all(followers);
    assert.equal(watchers(), 0);
  });

  it('that goes away leaves nothing behind', async () => {
    writeFileSync(path, line(0, 'x'));
    for await (const _ of readLogs(options({ follow: true, isLive: () => true }))) break;
    assert.equal(watchers(), 0);
  });
});

describe('entries', () => {
  it('are read as the CRI writes them', () => {
    const entry = parseLine(Buffer.from('2026-01-01T00:00:00.123456789+02:00 stderr P:x half'));
    assert.deepEqual([entry?.stream, entry?.partial, entry?.text.toString()], ['stderr', true, 'half']);
    for (const bad of [
      '',
      'x',
      '2026-01-01 stdout F x',
      '2026-01-01T00:00:00Z stdin F x',
      '2026-01-01T00:00:00Z stdout X y',
    ]) {
      assert.equal(parseLine(Buffer.from(bad)), undefined);
    }
    assert.equal(parseLine(Buffer.from('2026-01-01T00:00:00Z stdout F '))?.text.length, 0);
  });

  it('hold no more than one line of memory, however long it is', () => {
    const splitter = new EntrySplitter();
    for (let at = 0; at < 100; at++) {
      assert.deepEqual([...splitter.push(Buffer.alloc(10_000, 'x'))], []);
      assert.ok(splitter.pending <= MAX_ENTRY);
    }
    assert.deepEqual([...splitter.push(Buffer.from('end\nnext\n'))].map(String), ['next']);
  });
});
