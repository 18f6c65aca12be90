/** All that admission does with a module, in this order: looks at it, validates it as it is, rewrites it, decides where it runs. */
import type { Verdict } from '../contract.ts';
import { executionOf } from './execution.ts';
import { inspect } from './inspect.ts';
import { type Rewritten, rewrite } from './rewrite/mod.ts';

const MAX_REASON = 1000;

export interface Examined {
  readonly verdict: Verdict;
  /** What sandboxes get in place of the original; absent when they get the original. */
  readonly rewritten: Uint8Array<ArrayBuffer> | undefined;
}

export function examine(bytes: Uint8Array<ArrayBuffer>, digest: string): Examined {
  const verdict = inspect(bytes, digest);
  if (verdict.refusal !== undefined) return { verdict, rewritten: undefined };
  const rewritten = rewriteChecked(bytes);
  const { reason, ...execution } = executionOf(rewritten);
  const told = { ...execution, ...(reason !== undefined && { reason: reason.slice(0, MAX_REASON) }) };
  const asItIs = execution.class === 'process' || 'unsupported' in rewritten;
  return { verdict: { ...verdict, execution: told }, rewritten: asItIs ? undefined : rewritten.bytes };
}

/** What the engine does not take was not rewritten rightly: the module then runs as one that was not. */
function rewriteChecked(bytes: Uint8Array<ArrayBuffer>): Rewritten {
  const rewritten = rewrite(bytes);
  if ('unsupported' in rewritten || WebAssembly.validate(rewritten.bytes)) return rewritten;
  return { unsupported: 'with the checks put in, it is more than the engine takes' };
}
