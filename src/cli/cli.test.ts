import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { VERSION } from '#kit';
import { parseArguments } from './arguments.ts';
import type { Command } from './command.ts';
import { COMMANDS } from './commands.ts';
import { completionScript } from './completion.ts';
import { commandHelp, overview } from './help.ts';
import { wallsOf } from './node-options.ts';
import { humanDuration, textTable } from './text-table.ts';

const sample: Command = {
  name: 'sample',
  group: 'other',
  summary: 'A sample',
  usage: '[--env K=V] MODULE [ARGS…]',
  flags: {
    env: { value: 'K=V', many: true, summary: 'a variable' },
    once: { summary: 'only once' },
    count: { value: 'N', most: 10, summary: 'how many' },
    share: { value: 'N', least: 1, most: 10, summary: 'how many' },
    form: { short: 'o', value: 'FORM', choices: ['a', 'b'], summary: 'form' },
  },
  stopAtPositional: true,
  positionals: [1, 9],
  load: async () => ({ run: async () => 0 }),
};

describe('parseArguments()', () => {
  it('reads flags before the module and leaves what follows it to the guest', () => {
    const args = parseArguments(sample, ['--env', 'A=1', '--env=B=2', '--once', 'x.wasm', '--env', 'C=3', '-v']);
    assert.deepEqual(args.values('env'), ['A=1', 'B=2']);
    assert.equal(args.has('once'), true);
    assert.deepEqual(args.positionals, ['x.wasm', '--env', 'C=3', '-v']);
  });

  const wrong: [string, string[], RegExp][] = [
    ['an unknown flag, with the likely one', ['--onse', 'x'], /unknown flag '--onse'; did you mean --once\?/],
    ['a missing value', ['--env'], /--env needs a value/],
    ['a value that is not a choice', ['-o', 'c', 'x'], /one of a, b, not 'c'/],
    ['a flag given twice', ['-o', 'a', '--form', 'b', 'x'], /given twice/],
    ['too few arguments', [], /too few arguments/],
    ['a word where a number belongs', ['--count', 'x', 'y'], /--count is a number from 0 to 10, not 'x'/],
    ['a number that is too large', ['--count=11', 'y'], /not '11'/],
    ['a number that is too small', ['--share', '0', 'y'], /--share is a number from 1 to 10, not '0'/],
    ['a flag named as an inherited property', ['--constructor', 'x'], /unknown flag '--constructor'/],
  ];
  for (const [what, words, message] of wrong) {
    it(`refuses ${what}`, () => assert.throws(() => parseArguments(sample, words), message));
  }
});

describe('help', () => {
  for (const [name, text] of [
    ['overview', overview(COMMANDS)] as const,
    ...COMMANDS.map((command) => [command.name, commandHelp(command)] as const),
  ]) {
    it(`of ${name} fits 80 by 24`, () => {
      const lines = text.trimEnd().split('\n');
      assert.ok(lines.length <= 24, `${lines.length} lines`);
      for (const line of lines) assert.ok([...line].length <= 80 && !line.endsWith('…'), line);
    });
  }
});

describe('completion', () => {
  it('names every command and flag, and bash reads its script', () => {
    const script = completionScript('bash', COMMANDS);
    for (const { name, flags } of COMMANDS) {
      assert.ok(script.includes(name));
      for (const flag of Object.keys(flags)) assert.ok(script.includes(`--${flag}`));
    }
    const check = spawnSync('bash', [
      '-c',
      `${script}\nCOMP_WORDS=(wasmlet ver); COMP_CWORD=1; _wasmlet; echo "\${COMPREPLY[@]}"`,
    ]);
    assert.equal(check.stdout.toString().trim(), 'version', check.stderr.toString());
  });
});

describe('textTable()', () => {
  it('aligns columns and lets no control character of a cell reach the terminal', () => {
    assert.equal(
      textTable(
        ['NAME', 'AGE'],
        [
          ['a-long-name', '1s'],
          ['b\u001b[31m', '2s'],
        ],
      ),
      'NAME          AGE\na-long-name   1s\nb?[31m        2s\n',
    );
  });
});

describe('humanDuration()', () => {
  const cases: [number, string][] = [
    [0, '0s'],
    [119_000, '119s'],
    [125_000, '2m5s'],
    [3_600_000 * 3, '3h'],
    [3_600_000 * 49, '2d1h'],
  ];
  for (const [ms, text] of cases) it(`of ${ms} ms is ${text}`, () => assert.equal(humanDuration(ms), text));
});

it('the version is that of package.json', () => {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  assert.equal(VERSION, manifest.version);
});

describe('--walls', () => {
  it('are names, or none alone', () => {
    assert.equal(wallsOf(undefined), undefined);
    assert.deepEqual(wallsOf('none'), []);
    assert.deepEqual(wallsOf('landlock,seccomp'), ['landlock', 'seccomp']);
  });

  for (const text of ['', 'landlok', 'none,landlock', 'landlock,', ' landlock']) {
    it(`refuses '${text}'`, () => assert.throws(() => wallsOf(text), /Cannot demand the wall/));
  }
});
