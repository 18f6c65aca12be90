/** What a call that must fail answers with. */
import assert from 'node:assert/strict';
import { StatusError } from '../status.ts';

export function statusOf(run: () => unknown): { code: number; message: string; causes: unknown } {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof StatusError, `a StatusError, not ${String(error)}`);
    return { code: error.code, message: error.message, causes: error.status.details?.causes };
  }
  return assert.fail('it was accepted');
}
