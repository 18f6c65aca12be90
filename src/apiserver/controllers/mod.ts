/** What a cluster of one node needs of a controller manager and a scheduler. Each decides from the store and writes as a client would. */
import type { KeyPair } from '#kube/certificates';
import type { Api } from '../rest/mod.ts';
import { bootstrapObjects } from './bootstrap.ts';
import { startSigning } from './certificates.ts';
import { startEventExpiry } from './events.ts';
import { startGarbageCollection } from './garbage.ts';
import { startNamespaces } from './namespaces.ts';
import { startNodeLifecycle } from './node-lifecycle.ts';
import { startScheduler } from './scheduler/mod.ts';

export interface ControllerContext {
  readonly api: Api;
  readonly signal: AbortSignal;
}

export interface Controllers extends AsyncDisposable {
  /** Resolves when nothing is left to do; for tests. */
  idle(): Promise<void>;
}

/** Each starts by looking at all that is there, and returns how to wait until it has nothing to do. */
export type StartController = (context: ControllerContext) => { idle(): Promise<void> };

export function startControllers(api: Api, authority: KeyPair): Controllers {
  const stop = new AbortController();
  const context = { api, signal: stop.signal };
  bootstrapObjects(api);
  const running = [
    startNamespaces(context),
    startGarbageCollection(context),
    startScheduler(context),
    startNodeLifecycle(context),
    startEventExpiry(context),
    startSigning(context, authority),
  ];
  async function idle(): Promise<void> {
    for (let round = 0; round < 3; round++) for (const controller of running) await controller.idle();
  }
  return {
    idle,
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('the API server stops'));
      await idle();
    },
  };
}
