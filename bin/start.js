#!/usr/bin/env node
// `npm start` in a fresh clone: fetches what is missing with npm alone, then shows the main job (`wasmlet demo`).
// Plain JavaScript for any Node 20 or later; needs no root, no apt, no Go, no registry server.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const NEEDED = [`node-linux-${process.arch}`, 'assemblyscript', '@assemblyscript/wasi-shim', 'esbuild', 'yaml'];
const terminal = process.stderr.isTTY === true;

function run(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', ...options });
    const forward = (signal) => child.kill(signal);
    process.on('SIGINT', forward);
    process.on('SIGTERM', forward);
    child.on('error', (error) => resolve({ code: 127, error }));
    child.on('exit', (code, signal) => {
      process.off('SIGINT', forward);
      process.off('SIGTERM', forward);
      resolve({ code: code ?? (signal === 'SIGINT' ? 130 : 143) });
    });
  });
}

/** `npm ci` with a line that moves, so that nobody thinks it hangs; its own words only if it fails. */
async function install() {
  const started = Date.now();
  process.stderr.write('wasmlet: first start, fetching Node 26 and the compilers with npm (about 150 MB, once)\n');
  let output = '';
  const ticker = terminal
    ? setInterval(() => process.stderr.write(`\r  npm ci … ${Math.round((Date.now() - started) / 1000)} s`), 1000)
    : undefined;
  const code = await new Promise((resolve) => {
    const child = spawn('npm', ['ci', '--no-audit', '--no-fund', '--loglevel', 'error'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => {
      output += error.message;
      resolve(127);
    });
    child.on('exit', (status) => resolve(status ?? 1));
  });
  clearInterval(ticker);
  process.stderr.write(
    `${terminal ? '\r' : ''}  npm ci: ${code === 0 ? 'done' : 'failed'} in ${Math.round((Date.now() - started) / 1000)} s\n`,
  );
  if (code !== 0) {
    process.stderr.write(
      `${output.trim().split('\n').slice(-15).join('\n')}\nwasmlet: Cannot fetch the packages: npm ci ended with ${code}. Is the npm registry reachable?\n`,
    );
    process.exit(1);
  }
}

if (process.platform !== 'linux') {
  process.stderr.write(
    `wasmlet: Cannot start a node on ${process.platform}: it needs Linux. 'wasmlet run', 'push' and 'pull' are meant to follow.\n`,
  );
  process.exit(1);
}
if (!NEEDED.every((name) => existsSync(join(root, 'node_modules', name, 'package.json')))) await install();
const { code, error } = await run(process.execPath, [join(root, 'bin', 'wasmlet'), 'demo', ...process.argv.slice(2)]);
if (error !== undefined) process.stderr.write(`wasmlet: Cannot start: ${error.message}\n`);
process.exit(code);
