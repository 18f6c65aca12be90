/** Verdicts as they come from the admission process or the disk: checked, because the process has read hostile bytes. */
import { readFile } from 'node:fs/promises';
import type { Verdict } from '../contract.ts';
import { integer, list, oneOf, optional, record, text } from '../sandbox/protocol/shape.ts';

const name = text({ max: 4096 });
const kind = text({ max: 16 });
const verdictShape = record({
  digest: text({ max: 128 }),
  kind: oneOf('command', 'reactor', 'component', 'unknown'),
  wasi: list(name, 100_000),
  exports: list(record({ name, kind }), 100_000),
  imports: list(record({ module: name, name, kind }), 100_000),
  refusal: optional(record({ code: text({ max: 64, pattern: /^MODULE_[A-Z_]+$/ }), message: text({ max: 4096 }) })),
});
const fileShape = record({ version: integer(), verdict: verdictShape });

export function parseVerdict(json: string, digest: string): Verdict | undefined {
  try {
    const verdict = verdictShape(JSON.parse(json), 'verdict');
    return verdict.digest === digest ? verdict : undefined;
  } catch {
    return undefined;
  }
}

/** The verdict in a file; undefined when there is none, or one of another version or for other bytes. */
export async function readVerdict(
  path: string,
  { version, digest }: { readonly version: number; readonly digest: string },
): Promise<Verdict | undefined> {
  try {
    const file = fileShape(JSON.parse(await readFile(path, 'utf8')), 'file');
    return file.version === version && file.verdict.digest === digest ? file.verdict : undefined;
  } catch {
    return undefined;
  }
}
