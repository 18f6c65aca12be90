/**
 * Makes the node known: creates its Node object, or adopts the one that is there, until the API server agrees.
 * Source: kubelet `pkg/kubelet/kubelet_node_status.go`, registerWithAPIServer and tryRegisterWithAPIServer.
 */
import { type Backoff, type Clock, delayOf, type Log, messageOf } from '#kit';
import { ApiStatusError, isAlreadyExists, isForbidden, type KubeClient, NODES } from '#kube';
import type { Node as NodeObject } from '#kube/types';
import { nodeError } from '../errors.ts';
import { adoptionPatch, type Identity } from './profile.ts';

const BACKOFF: Backoff = { base: 100, factor: 2, cap: 7_000 };

export interface RegisterOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly identity: Identity;
  readonly signal: AbortSignal;
}

/** Resolves with the Node as the API server has it. Ends only with success, a refusal that no try can change, or the signal. */
export async function register(node: NodeObject, options: RegisterOptions): Promise<NodeObject> {
  const { clock, log, signal } = options;
  for (let attempt = 0; ; attempt++) {
    try {
      return await createOrAdopt(node, options);
    } catch (error) {
      signal.throwIfAborted();
      if (isFinal(error)) throw refused(node, error);
      if (attempt === 0) log.warn('Cannot register the node yet', { error: messageOf(error) });
      await clock.sleep(delayOf(BACKOFF, attempt), { signal });
    }
  }
}

async function createOrAdopt(
  node: NodeObject,
  { client, identity, log, signal }: RegisterOptions,
): Promise<NodeObject> {
  const name = node.metadata?.name ?? '';
  try {
    const created = await client.create<NodeObject>(NODES, node, { signal });
    log.info('Registered the node', { node: name });
    return created;
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
  const existing = await client.get<NodeObject>(NODES, { name }, { signal });
  const body = adoptionPatch(existing, identity);
  log.info('The node was registered before', { node: name });
  return body === undefined
    ? existing
    : await client.patch<NodeObject>(NODES, { name }, { type: 'merge', body }, { signal });
}

/** Forbidden may be cured by a binding that comes later; an object that is invalid stays so. */
function isFinal(error: unknown): boolean {
  return error instanceof ApiStatusError && !isForbidden(error) && [400, 422].includes(error.httpStatus);
}

function refused(node: NodeObject, cause: unknown): Error {
  return nodeError(
    'NODE_NOT_REGISTERED',
    `Cannot register the node '${node.metadata?.name}': the API server refused it`,
    {
      cause,
      retry: 'never',
      hint: 'Check --node-name, --node-labels and --register-with-taints',
    },
  );
}
