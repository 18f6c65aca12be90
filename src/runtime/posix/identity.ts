/** Who the guest is, and what it runs on: the functions of the extension that only tell. */
import { fail } from '../wasi/core/errno.ts';
import type { P1Context, P1Functions } from '../wasi/p1/context.ts';
import { type ProcWorld, processorsOf, SYSTEM } from './proc.ts';

/** Process, parent, group, session. */
const PROCESS = [1, 0, 1, 1] as const;

export function identityFunctions({ memory }: P1Context, world: ProcWorld): P1Functions {
  const { uid, gid, groups, hostname, cpuMillis = 0 } = world.options;
  function writeWords(pointer: number, words: readonly number[]): void {
    memory.bytes(pointer, words.length * 4);
    for (const [at, word] of words.entries()) memory.setU32((pointer >>> 0) + at * 4, word);
  }
  return {
    ids_get: (result: number) => writeWords(result, [uid, uid, gid, gid]),
    groups_get(pointer: number, count: number, result: number) {
      const room = count >>> 0;
      if (room > 0 && room < groups.length) throw fail('INVAL');
      memory.setU32(result, groups.length);
      if (room > 0) writeWords(pointer, groups);
    },
    process_get: (result: number) => writeWords(result, PROCESS),
    system_name_get(pointer: number, length: number, result: number) {
      const text = [SYSTEM.name, hostname, SYSTEM.release, SYSTEM.version, SYSTEM.machine].join('\0');
      const bytes = Buffer.from(`${text}\0`);
      memory.setU32(result, bytes.byteLength);
      if (bytes.byteLength > length >>> 0) throw fail('RANGE');
      memory.bytes(pointer, bytes.byteLength).set(bytes);
    },
    system_info_get(result: number) {
      const { memoryBytes, memoryLimit = 0 } = world.facts();
      memory.bytes(result, 40);
      memory.setU64(result, world.uptime());
      memory.setU64(result + 8, BigInt(memoryLimit));
      memory.setU64(result + 16, BigInt(memoryBytes));
      writeWords(result + 24, [processorsOf(world.options), cpuMillis, world.descriptorLimit, world.table.size]);
    },
  };
}
