import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { FakeClock } from '#kit';
import { LogDescriptors } from './log-descriptors.ts';
import { type LogBounds, LogFile } from './log-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'wasmlet-log-'));
after(() => rmSync(folder, { recursive: true }));
let made = 0;

function makeLog(bounds: Partial<LogBounds> = {}, descriptors = new LogDescriptors()) {
  const clock = new FakeClock();
  const path = join(folder, String(made++), 'main', '0.log');
  const log = new LogFile(path, { clock, descriptors, bounds: { fileBytes: 1e6, files: 3, lineBytes: 16, ...bounds } });
  log.create();
  return { log, clock, path, read: () => readFileSync(path, 'utf8') };
}

const bytes = (text: string) => new TextEncoder().encode(text);

describe('LogFile', () => {
  it('writes lines with time, stream and tag', () => {
    const { log, read } = makeLog();
    log.write('stdout', bytes('one\ntwo\n'));
    log.write('stderr', bytes('three\n'));
    assert.equal(
      read(),
      '2026-01-01T00:00:00.000000000Z stdout F one\n' +
        '2026-01-01T00:00:00.000000001Z stdout F two\n' +
        '2026-01-01T00:00:00.000000002Z stderr F three\n',
    );
  });

  it('joins a line from several writes, each stream its own, and writes the unfinished one at the end', () => {
    const { log, read } = makeLog();
    log.write('stdout', bytes('he'));
    log.write('stderr', bytes('no'));
    log.write('stdout', bytes('llo\nlast'));
    log.end();
    assert.deepEqual(
      read()
        .split('\n')
        .map((line) => line.slice(31)),
      ['stdout F hello', 'stdout F last', 'stderr F no', ''],
    );
  });

  it('cuts a long line into parts, and one of exactly the bound into none', () => {
    const { log, read } = makeLog({ lineBytes: 4 });
    log.write('stdout', bytes('abcdefghij\n'));
    log.write('stdout', bytes('abcd\n'));
    assert.deepEqual(
      read()
        .trimEnd()
        .split('\n')
        .map((line) => line.slice(38)),
      ['P abcd', 'P efgh', 'F ij', 'F abcd'],
    );
  });

  it('rotates by size and keeps as many files as it may', () => {
    const { log, clock, path } = makeLog({ fileBytes: 40 });
    for (let line = 0; line < 6; line++) {
      log.write('stdout', bytes(`${line}\n`));
      if (line === 3) void clock.advance(1500);
    }
    const names = readdirSync(join(path, '..')).sort();
    assert.equal(names.length, 3);
    assert.equal(names[0], '0.log');
    assert.match(readFileSync(path, 'utf8'), /F 5\n$/);
    assert.match(names[1] ?? '', /^0\.log\.20260101-000000/);
  });

  it('counts what the disk refuses, and goes on when it takes again', () => {
    const { log, path, read } = makeLog();
    log.closeDescriptor();
    rmSync(path);
    symlinkSync('/dev/full', path);
    log.write('stdout', bytes('lost\n'));
    assert.equal(log.dropped, 5);
    rmSync(path);
    log.write('stdout', bytes('kept\n'));
    assert.match(read(), /^\S+ stdout F kept\n$/);
    assert.equal(log.dropped, 5);
  });

  it('keeps few descriptors open, and none of idle logs', () => {
    const descriptors = new LogDescriptors({ most: 2 });
    const logs = Array.from({ length: 4 }, () => makeLog({}, descriptors));
    assert.equal(descriptors.count, 2);
    for (const { log } of logs) log.write('stdout', bytes('x\n'));
    assert.equal(descriptors.count, 2);
    descriptors.sweep();
    logs[3]?.log.write('stdout', bytes('y\n'));
    descriptors.sweep();
    assert.equal(descriptors.count, 1);
    descriptors.sweep();
    assert.equal(descriptors.count, 0);
    assert.match(logs[0]?.read() ?? '', /F x\n$/);
  });
});
