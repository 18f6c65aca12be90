/**
 * Bundles every entry of `src/kit/entry.ts` into `dist/`: one file an entry plus shared chunks. A bundle starts in a
 * third of the time of two hundred stripped files and keeps 30 MB less resident (docs/decisions/0002-processes.md).
 */
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { entries } from '../src/kit/entry.ts';

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

const stamp = newestSource(sources);
// Built aside and swapped in, so that a process which starts meanwhile finds the old bundles or the new ones, whole.
const aside = join(root, `dist.${process.pid}`);
const dist = join(root, 'dist');
mkdirSync(aside, { recursive: true });
try {
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
    banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
  });
  writeFileSync(join(aside, 'stamp'), String(stamp));
  const old = join(root, `dist.${process.pid}.old`);
  try {
    renameSync(dist, old);
  } catch {
    // The first build: there is nothing to replace.
  }
  renameSync(aside, dist);
  rmSync(old, { recursive: true, force: true });
} finally {
  rmSync(aside, { recursive: true, force: true });
}
