/** All functions of `wasi_snapshot_preview1`. */
import type { P1Context, P1Functions } from './context.ts';
import { descriptorFunctions } from './descriptors.ts';
import { environmentFunctions } from './environment.ts';
import type { Layout } from './layout.ts';
import { pathFunctions } from './paths.ts';
import { socketFunctions } from './sockets.ts';

export function p1Functions(context: P1Context, layout: Layout): P1Functions {
  return {
    ...environmentFunctions(context),
    ...descriptorFunctions(context, layout),
    ...pathFunctions(context, layout),
    ...socketFunctions(context, layout),
  };
}

/** `wasi_unstable` has all but this one. */
export const NOT_IN_UNSTABLE: ReadonlySet<string> = new Set(['sock_accept']);
