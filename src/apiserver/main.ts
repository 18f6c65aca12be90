/** The embedded API server's thread: see `mod.ts`, which starts it and reads its messages. */
import { parentPort, workerData } from 'node:worker_threads';
import { collectWhenCalm, type Fields, isWasmletError, type Log, messageOf } from '#kit';
import type { ApiServerMessage } from './mod.ts';
import { type ApiServerOptions, runApiServer } from './server/run.ts';

function tell(message: ApiServerMessage): void {
  parentPort?.postMessage(message);
}

/** The log of the process: fields cross the thread as plain values. */
function logThrough(fields: Fields): Log {
  function emit(level: 'debug' | 'info' | 'warn' | 'error') {
    return (message: string, more: Fields = {}) =>
      tell({ log: { level, message, fields: plain({ ...fields, ...more }) } });
  }
  return {
    debug: emit('debug'),
    info: emit('info'),
    warn: emit('warn'),
    error: emit('error'),
    with: (more) => logThrough({ ...fields, ...more }),
  };
}

function plain(fields: Fields): object {
  const pairs = Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? messageOf(value) : value]);
  return JSON.parse(JSON.stringify(Object.fromEntries(pairs))) as object;
}

async function end(running: AsyncDisposable): Promise<void> {
  try {
    await running[Symbol.asyncDispose]();
  } finally {
    parentPort?.close();
  }
}

async function main(): Promise<void> {
  try {
    const running = await runApiServer({ ...(workerData as ApiServerOptions), log: logThrough({ part: 'api' }) });
    parentPort?.on('message', (message) => {
      if (message === 'stop') void end(running);
    });
    tell({ started: running.facts });
    collectWhenCalm({ before: () => running.api.store.forgetValues() });
  } catch (error) {
    const [code, hint] = isWasmletError(error) ? [error.code, error.hint] : ['API_STOPPED', undefined];
    tell({ failed: { code, message: messageOf(error), hint } });
    parentPort?.close();
  }
}

await main();
