import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { groups } from '../groups.ts';
import { run } from '../processes/command.ts';
import { parseOptions } from '../run/options.ts';
import { type Block, readBlocks, simpleCommands } from './blocks.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const WASMLET = join(ROOT, 'bin', 'wasmlet');
const blocks = readBlocks(ROOT);

describe('every command of the pages exists, with its flags', () => {
  for (const { page, line, commands } of blocks) {
    for (const words of commands.flatMap(simpleCommands)) {
      it(`${page}:${line}: ${words}`, async () => {
        const [program = '', ...args] = words.split(/\s+/);
        if (program === 'wasmlet' || program === 'bin/wasmlet') await understood(args);
        if (program === 'npm') await isScript(args);
      });
    }
  }
});

/** The command is there, and its help names each flag that the page gives. */
async function understood([command = '', ...args]: readonly string[]): Promise<void> {
  const { stdout } = await run([process.execPath, WASMLET, command, '--help']);
  // What follows a module is the guest's own.
  const own = args.slice(0, command === 'run' ? args.findIndex((word) => /\.wasm$/.test(word)) + 1 : args.length);
  for (const flag of own.filter((word) => /^--?[a-z]/.test(word))) {
    const name = flag.replace(/=.*$/, '');
    assert.ok(new RegExp(`(^|[\\s,])${name}([\\s,=]|$)`, 'm').test(stdout), `'wasmlet ${command}' has no flag ${name}`);
  }
}

async function isScript([verb = '', ...args]: readonly string[]): Promise<void> {
  if (verb === 'ci' || verb === 'install') return;
  const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const name = verb === 'run' ? (args[0] ?? '') : verb;
  assert.ok(name in scripts, `package.json has no script '${name}'`);
  const own = args.includes('--') ? args.slice(args.indexOf('--') + 1) : [];
  if (name === 'test' && !own.includes('GROUP…'))
    parseOptions(
      own,
      groups.map((group) => group.name),
    );
}

describe('what is to be run runs', () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'wasmlet-docs-'));
    await mkdir(join(dir, 'bin'));
    await symlink(WASMLET, join(dir, 'bin', 'wasmlet'));
    const kubectl = process.env['WASMLET_TEST_KUBECTL_135'];
    if (kubectl !== undefined) await symlink(kubectl, join(dir, 'bin', 'kubectl'));
  });
  after(() => rm(dir, { recursive: true, force: true }));

  for (const page of new Set(blocks.map((block) => block.page))) {
    const mine = blocks.filter((block) => block.page === page && block.notRun === undefined);
    if (mine.length > 0) it(page, () => execute(mine, dir));
  }
});

/** One page in one shell, in a folder of its own that has the examples, on a data directory of its own. */
async function execute(mine: readonly Block[], dir: string): Promise<void> {
  const place = await mkdtemp(join(dir, 'page-'));
  for (const name of ['examples', 'guests', 'node_modules', 'docs']) await symlink(join(ROOT, name), join(place, name));
  const script = join(place, 'page.sh');
  await writeFile(script, scriptOf(mine));
  const env = {
    WASMLET_DATA_DIR: join(place, 'data'),
    PATH: [join(dir, 'bin'), dirname(process.execPath), process.env['PATH']].join(':'),
  };
  try {
    const { code, stdout } = await run(['bash', script], { cwd: place, env, accept: 'any' });
    assert.equal(code, 0, `a command of the page failed:\n${stdout.slice(-4000)}`);
  } finally {
    await run([process.execPath, WASMLET, 'down'], { env, accept: 'any' });
  }
}

/**
 * Stops at the first command that fails. What goes on until Ctrl-C gets it after ten seconds; and as a person types slower than a
 * pod starts, logs are asked for until they are there.
 */
function scriptOf(mine: readonly Block[]): string {
  const lines = mine
    .flatMap(({ commands }) => commands)
    .filter((line) => !line.includes('…'))
    .map((line) => `echo ${quote(`$ ${line}`)}\n${wrapperOf(line)}${line} || exit 1`);
  return ['exec 2>&1', FOLLOW, PATIENTLY, ...lines].join('\n');
}

const FOLLOW = `follow() {
  timeout --foreground --signal=INT --kill-after=20 10 "$@"
  local code=$?
  [ $code = 124 ] || [ $code = 130 ] || [ $code = 0 ]
}`;
const PATIENTLY = `patiently() {
  for second in $(seq 20); do "$@" && return; sleep 1; done
  return 1
}`;

function wrapperOf(line: string): string {
  return `${/^(wasmlet|kubectl) logs\b/.test(line) ? 'patiently ' : ''}${endless(line) ? 'follow ' : ''}`;
}

function endless(line: string): boolean {
  return (
    /^wasmlet (logs\b.* (-f|--follow)\b|get\b.* (-w|--watch)\b|join\b)/.test(line) ||
    /^wasmlet up\b(?!.*(--detach|-d)\b)/.test(line)
  );
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
