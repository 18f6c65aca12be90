/** `npm run bench -- [NAME…]`: measures and prints one JSON line a claim; progress goes to stderr. Lists the names without one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLAIMS } from './claims/mod.ts';

const names = process.argv.slice(2);
const chosen = CLAIMS.filter(({ name }) => names.includes(name) || names.includes('all'));
if (chosen.length === 0) {
  process.stderr.write(
    `usage: npm run bench -- NAME… | all\n${CLAIMS.map(({ name, summary }) => `  ${name.padEnd(8)} ${summary}\n`).join('')}`,
  );
  process.exitCode = 2;
}
for (const claim of chosen) {
  const folder = mkdtempSync(join(tmpdir(), `wasmlet-bench-${claim.name}-`));
  try {
    const figures = await claim.measure({ folder, log: (line) => process.stderr.write(`${claim.name}: ${line}\n`) });
    for (const one of figures) process.stdout.write(`${JSON.stringify({ bench: claim.name, ...one })}\n`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
