/** A helper thread: makes the calls that it is told to, one after the other. See `offload.ts`. */
import { parentPort } from 'node:worker_threads';
import { BLOCKING } from './blocking.ts';
import type { Answer, Order } from './offload.ts';

parentPort?.on('message', ({ call, args }: Order) => {
  parentPort?.postMessage(answer(call, args));
});

function answer(call: Order['call'], args: Order['args']): Answer {
  try {
    return { result: (BLOCKING[call] as (...args: unknown[]) => unknown)(...args) };
  } catch (error) {
    return { code: (error as NodeJS.ErrnoException).code ?? 'EIO', message: String(error) };
  }
}
