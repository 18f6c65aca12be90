/** From an error to what a command ends with: the exit code of docs/names.md and a few lines for people. */
import { isWasmletError, messageOf } from '#kit';
import { outcomeOf } from '#kube';
import type { Output } from './command.ts';

export const EXIT = { done: 0, failed: 1, usage: 2, notFound: 3, denied: 4, unreachable: 5, timedOut: 6 } as const;

const BY_STATUS: Readonly<Record<number, number>> = {
  401: EXIT.denied,
  403: EXIT.denied,
  404: EXIT.notFound,
  504: EXIT.timedOut,
};

export function exitCodeOf(error: unknown): number {
  if (!isWasmletError(error)) return EXIT.failed;
  const exit = outcomeOf(error.code).exit;
  if (exit !== undefined) return exit;
  const status = (error as { status?: unknown }).status;
  const http = typeof status === 'object' && status !== null ? (status as { code?: number }).code : status;
  return (typeof http === 'number' ? BY_STATUS[http] : undefined) ?? EXIT.failed;
}

export function printError(stderr: Output, error: unknown): void {
  stderr.write(`wasmlet: ${messageOf(error)}\n`);
  if (isWasmletError(error)) {
    if (error.hint !== undefined) stderr.write(`  ${error.hint}\n`);
    if (error.code !== 'CLI_USAGE') stderr.write(`  (${error.code}; see docs/errors.md)\n`);
  } else if (process.env['WASMLET_TRACE'] === '1' && error instanceof Error) {
    stderr.write(`${error.stack ?? ''}\n`);
  }
}
