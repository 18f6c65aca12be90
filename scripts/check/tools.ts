import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { Rule } from './rule.ts';

/** The compiler and the formatter, as rules. They are the pinned ones of node_modules. */
export const types: Rule = {
  name: 'types',
  what: 'the compiler has nothing to say (tsc --noEmit)',
  check: ({ root }) => words(root, ['node_modules/typescript/bin/tsc', '--noEmit', '--pretty', 'false']),
};

export const lint: Rule = {
  name: 'lint',
  what: 'linted and formatted (npm run format mends most of it)',
  check: ({ root }) =>
    words(root, [
      'node_modules/@biomejs/biome/bin/biome',
      'ci',
      '--error-on-warnings',
      '--colors=off',
      '--max-diagnostics=50',
    ]),
};

function words(root: string, [script = '', ...args]: readonly string[]): Promise<string[]> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(root, script), ...args],
      { cwd: root, maxBuffer: 16 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error === null) return resolve([]);
        const output = `${stdout}\n${stderr}`.trim();
        resolve([output === '' ? error.message : output]);
      },
    );
  });
}
