/** The door of the embedded API server: `wasmlet up` starts it in a worker thread, because SQLite is synchronous. */
import { Worker } from 'node:worker_threads';
import { entryUrl, type Log, silentLog } from '#kit';
import { apiError } from './errors.ts';
import type { ApiServerFacts, ApiServerOptions } from './server/run.ts';

export { API_ERRORS } from './errors.ts';
export { KUBERNETES_VERSION } from './rest/version.ts';
export type { ApiServerFacts, ApiServerOptions } from './server/run.ts';

export interface ApiServer extends ApiServerFacts, AsyncDisposable {
  /** Resolves when the thread has ended, with what ended it unless that was `stop()`. */
  readonly ended: Promise<Error | undefined>;
  stop(): Promise<void>;
}

/** What the thread says. */
export type ApiServerMessage =
  | { readonly started: ApiServerFacts }
  | { readonly failed: { readonly code: string; readonly message: string; readonly hint?: string | undefined } }
  | {
      readonly log: {
        readonly level: 'debug' | 'info' | 'warn' | 'error';
        readonly message: string;
        readonly fields: object;
      };
    };

/** Resolves when requests are answered. Throws API_CANNOT_LISTEN, API_STATE_UNUSABLE. */
export async function startApiServer(
  options: ApiServerOptions,
  { log = silentLog }: { readonly log?: Log } = {},
): Promise<ApiServer> {
  const worker = new Worker(entryUrl('apiserver'), { workerData: options });
  let stopping = false;
  const exit = new Promise<Error | undefined>((resolve) => {
    worker.once('error', (cause) => resolve(apiError('API_STOPPED', 'Cannot go on: the API server failed', { cause })));
    worker.once('exit', (code) => {
      resolve(stopping ? undefined : apiError('API_STOPPED', `Cannot go on: the API server ended with ${code}`));
    });
  });
  const facts = await new Promise<ApiServerFacts>((resolve, reject) => {
    worker.on('message', (message: ApiServerMessage) => {
      if ('started' in message) resolve(message.started);
      else if ('failed' in message) reject(failureOf(message.failed));
      else log[message.log.level](message.log.message, message.log.fields as Record<string, unknown>);
    });
    void exit.then((error) => reject(error ?? apiError('API_STOPPED', 'Cannot start the API server: it was stopped')));
  });
  async function stop(): Promise<void> {
    stopping = true;
    worker.postMessage('stop');
    await exit;
  }
  return { ...facts, ended: exit, stop, [Symbol.asyncDispose]: stop };
}

function failureOf({ code, message, hint }: { code: string; message: string; hint?: string | undefined }): Error {
  const known = code === 'API_CANNOT_LISTEN' || code === 'API_STATE_UNUSABLE' ? code : 'API_STOPPED';
  return apiError(known, message, hint === undefined ? {} : { hint });
}
