/** Verdicts as they come from the admission process or the disk: checked, because the process has read hostile bytes. */
import { readFile } from 'node:fs/promises';
import type { Verdict } from '../contract.ts';
import { integer, list, oneOf, optional, record, text } from '../sandbox/protocol/shape.ts';

const name = text({ max: 4096 });
const kind = text({ max: 16 });
const executionShape = record({
  class: oneOf('shared', 'thread', 'process'),
  reason: optional(text({ max: 1024 })),
  optimize: oneOf('lazy', 'eager'),
});
const verdictShape = record({
  digest: text({ max: 128 }),
  kind: oneOf('command', 'reactor', 'component', 'unknown'),
  wasi: list(name, 100_000),
  exports: list(record({ name, kind }), 100_000),
  imports: list(record({ module: name, name, kind }), 100_000),
  execution: optional(executionShape),
  refusal: optional(record({ code: text({ max: 64, pattern: /^MODULE_[A-Z_]+$/ }), message: text({ max: 4096 }) })),
});
/** What the admission process answers; so many bytes of the rewritten module follow. */
const answerShape = record({ verdict: verdictShape, rewrittenBytes: integer() });
const fileShape = record({ version: text({ max: 32 }), verdict: verdictShape, rewrittenBytes: integer() });

export interface Admitted {
  readonly verdict: Verdict;
  /** 0 for a module that runs as it is, or not at all. */
  readonly rewrittenBytes: number;
}

/** The answer, if it is one about this digest and holds together. */
export function parseAnswer(json: string, digest: string): Admitted | undefined {
  try {
    const answer = answerShape(JSON.parse(json), 'answer');
    return answer.verdict.digest === digest && holdsTogether(answer) ? answer : undefined;
  } catch {
    return undefined;
  }
}

/** A module is either refused or has a class; and those of two of the classes are rewritten. */
function holdsTogether({ verdict: { refusal, execution }, rewrittenBytes }: Admitted): boolean {
  if ((refusal === undefined) === (execution === undefined)) return false;
  return rewrittenBytes > 0 === (execution?.class === 'shared' || execution?.class === 'thread');
}

/** What stands in a file; undefined when there is none, or one of another version or for other bytes. */
export async function readVerdict(
  path: string,
  { version, digest }: { readonly version: string; readonly digest: string },
): Promise<Admitted | undefined> {
  try {
    const file = fileShape(JSON.parse(await readFile(path, 'utf8')), 'file');
    return file.version === version && file.verdict.digest === digest && holdsTogether(file) ? file : undefined;
  } catch {
    return undefined;
  }
}
