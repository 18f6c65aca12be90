/** What a guest is told at its start and around it: arguments, environment, clocks, randomness; and how it ends. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { RESOLUTION } from '../core/clocks.ts';
import { fail } from '../core/errno.ts';
import type { P1Context, P1Functions } from './context.ts';

/** More than this is filled in parts, with other guests' turns between. */
const RANDOM_PART = 1 << 20;

export function environmentFunctions(context: P1Context): P1Functions {
  const { memory, args, env, clock, random } = context;
  return {
    args_get: (pointers: number, bytes: number) => writeStrings(context, args, { pointers, bytes }),
    args_sizes_get: (count: number, size: number) => writeSizes(context, args, { count, size }),
    environ_get: (pointers: number, bytes: number) => writeStrings(context, env, { pointers, bytes }),
    environ_sizes_get: (count: number, size: number) => writeSizes(context, env, { count, size }),
    clock_res_get(id: number, result: number) {
      needClock(id);
      memory.setU64(result, RESOLUTION);
    },
    clock_time_get(id: number, _precision: bigint, result: number) {
      needClock(id);
      memory.setU64(result, BigInt.asUintN(64, id === 0 ? clock.realtime() : clock.monotonic()));
    },
    random_get(pointer: number, length: number) {
      const bytes = memory.bytes(pointer, length);
      return bytes.byteLength > RANDOM_PART ? fillInParts(bytes, random) : random(bytes);
    },
    proc_exit: (code: number) => context.exit(code >>> 0),
    // Signals to oneself have no meaning here, and a program that raises one does not expect to go on.
    proc_raise: (signal: number) => context.trap(`the guest raised signal ${signal >>> 0}`),
    sched_yield: () => nextTurn().then(() => {}),
  };
}

async function fillInParts(bytes: Uint8Array, random: (bytes: Uint8Array) => void): Promise<void> {
  for (let at = 0; at < bytes.byteLength; at += RANDOM_PART) {
    random(bytes.subarray(at, at + RANDOM_PART));
    await nextTurn();
  }
}

/** CPU clocks are refused as wasmtime does; ids beyond them do not exist. */
function needClock(id: number): void {
  if (id === 0 || id === 1) return;
  throw fail(id === 2 || id === 3 ? 'BADF' : 'INVAL');
}

function writeSizes({ memory }: P1Context, strings: readonly Uint8Array[], out: { count: number; size: number }): void {
  memory.setU32(out.count, strings.length);
  memory.setU32(
    out.size,
    strings.reduce((sum, { byteLength }) => sum + byteLength, 0),
  );
}

/** The strings end with NUL already. */
function writeStrings(
  { memory }: P1Context,
  strings: readonly Uint8Array[],
  out: { pointers: number; bytes: number },
): void {
  let at = out.bytes >>> 0;
  for (const [index, string] of strings.entries()) {
    memory.setU32((out.pointers >>> 0) + index * 4, at);
    memory.bytes(at, string.byteLength).set(string);
    at += string.byteLength;
  }
}
