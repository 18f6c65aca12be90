#!/usr/bin/env node
// Runs a script by the Node that this checkout pins, from whatever Node (20 or later) or npm started us.
//
//     node bin/with-node.js test/run.ts [ARGS…]
//
// Plain JavaScript, because an older Node reads it. It makes sure that node_modules is there (a fresh clone has none),
// finds the Node binary among the dependencies, puts its folder first in PATH (so that every `node` below is the same)
// and becomes it. Exit code, signals and standard streams are the script's own.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The pinned Node's binary, installing the dependencies first where they are missing. */
export function pinnedNode() {
  const binary = join(root, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');
  const installed = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(binary) || !existsSync(installed)) install();
  if (existsSync(binary)) return binary;
  // No binary for this system: an equally new Node that is already here does as well.
  if (Number(process.versions.node.split('.')[0]) >= 26) return process.execPath;
  return fail(`Cannot find Node 26 for ${process.platform}-${process.arch}: ${binary} does not exist after npm ci`);
}

/** Runs `script` by the pinned Node; does not return. */
export function runWithNode(script, args) {
  const binary = pinnedNode();
  const environment = { ...process.env, PATH: [dirname(binary), process.env.PATH].join(delimiter) };
  const argv = [resolve(root, script), ...args];
  if (typeof process.execve === 'function') become(binary, argv, environment);
  attend(spawn(binary, argv, { stdio: 'inherit', env: environment }));
}

/** Replaces this process, so that there is no parent between a terminal's signals and the script. */
function become(binary, argv, environment) {
  process.removeAllListeners('warning');
  process.on('warning', () => {}); // execve is called experimental: no news to who runs a test
  try {
    process.execve(binary, [binary, ...argv], environment);
  } catch {
    // Refused (worker thread, platform): a child does it.
  }
}

function attend(child) {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGCONT']) {
    process.on(name, () => {
      // A terminal sends its own Ctrl-C to both of us; a second one would mean "at once" to the script.
      if (name === 'SIGINT' && process.stdin.isTTY) return;
      child.kill(name);
    });
  }
  child.on('error', (error) => fail(`Cannot start ${child.spawnfile}: ${error.message}`));
  child.on('exit', (code, signal) => process.exit(signal === null ? code : 128 + constants.signals[signal]));
}

function install() {
  process.stderr.write('wasmlet: installing dependencies with npm ci (about 460 MB on disk, once)\n');
  const npm = process.env.npm_execpath;
  const [command, first] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];
  const args = [...first, 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  // Progress belongs to people: npm's own goes to standard error, standard output stays the script's.
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.error !== undefined) fail(`Cannot run npm: ${result.error.message}`);
  if (result.status !== 0) fail(`Cannot install the dependencies: npm ci ended with ${result.status ?? result.signal}`);
}

function fail(message) {
  process.stderr.write(`wasmlet: ${message}\n`);
  process.exit(1);
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [script, ...args] = process.argv.slice(2);
  if (script === undefined) fail('Usage: node bin/with-node.js SCRIPT [ARGS…]');
  runWithNode(script, args);
}
