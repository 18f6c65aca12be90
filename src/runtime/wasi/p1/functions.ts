/** All functions of `wasi_snapshot_preview1`, and which of them may make the guest wait. */
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

/** Called as suspending imports: they may answer a promise. What is ready answers at once, without a suspension. */
export const WAITING: ReadonlySet<string> = new Set([
  'fd_close',
  'fd_datasync',
  'fd_pread',
  'fd_pwrite',
  'fd_read',
  'fd_readdir',
  'fd_renumber',
  'fd_sync',
  'fd_write',
  'path_open',
  'poll_oneoff',
  'random_get',
  'sched_yield',
  'sock_accept',
  'sock_recv',
  'sock_send',
]);

/** `wasi_unstable` has all but this one. */
export const NOT_IN_UNSTABLE: ReadonlySet<string> = new Set(['sock_accept']);
