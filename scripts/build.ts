/**
 * Bundles every entry of `src/kit/entry.ts` into `dist/`: one file an entry plus shared chunks. A bundle starts in a
 * third of the time of two hundred stripped files and keeps 30 MB less resident (docs/decisions/0002-processes.md).
 */
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { entries } from '#kit';

const root = fileURLToPath(new URL('..', import.meta.url));
const sources = join(root, 'src');

function newestSource(folder: string): number {
  let newest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) newest = Math.max(newest, newestSource(path));
    else if (!entry.name.endsWith('.test.ts')) newest = Math.max(newest, statSync(path).mtimeMs);
  }
  return newest;
}

/** Builds of earlier sources stay for processes that still run from them; more than these few are removed. */
const KEEP = 3;

const stamp = String(Math.trunc(newestSource(sources)));
const dist = join(root, 'dist');
const target = join(dist, stamp);
const aside = join(dist, `.${stamp}.${process.pid}`);

async function bundle(): Promise<void> {
  await build({
    entryPoints: Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, join(sources, file)])),
    outdir: aside,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    minifySyntax: true,
    legalComments: 'none',
    sourcemap: process.env['WASMLET_SOURCEMAP'] === '1' ? 'linked' : false,
    logLevel: 'warning',
    // Bundled CommonJS code still calls require for Node's own modules.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  });
}

/** Node looks for the nearest package.json of a file; a sandbox may read no folder above its own code. */
function describe(): void {
  writeFileSync(join(aside, 'package.json'), '{ "type": "module" }\n');
}

/** Puts the build in its place whole and points `current` at it, so that a process which starts meanwhile finds the old or the new one. */
function install(): void {
  rmSync(target, { recursive: true, force: true });
  renameSync(aside, target);
  const link = join(dist, `.current.${process.pid}`);
  rmSync(link, { force: true });
  symlinkSync(stamp, link);
  renameSync(link, join(dist, 'current'));
  const builds = readdirSync(dist).filter((name) => /^\d+$/.test(name));
  for (const old of builds.sort().slice(0, -KEEP)) rmSync(join(dist, old), { recursive: true, force: true });
}

mkdirSync(aside, { recursive: true });
try {
  await bundle();
  describe();
  install();
} finally {
  rmSync(aside, { recursive: true, force: true });
}
