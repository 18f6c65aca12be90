/**
 * Writes what guests' authors read, from the table: the C header and the functions in docs/posix.md. `node src/runtime/posix/document.ts`
 * writes the files anew; a test compares.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { POSIX_FUNCTIONS, POSIX_MODULE, type PosixFunction } from './table.ts';

const root = join(import.meta.dirname, '../../..');
export const HEADER_PATH = join(root, 'guests/posix/wasmlet_posix.h');
export const PAGE_PATH = join(root, 'docs/posix.md');

/** Parameters whose number is an address, and of what. */
const POINTERS: Readonly<Record<string, string>> = {
  result: 'void *',
  path: 'const char *',
  groups: 'uint32_t *',
  buffer: 'char *',
};
/** Signed ones; all others are not. */
const SIGNED: ReadonlySet<string> = new Set(['timeout']);

/** What the header's own names begin with; the names of variables of the environment are other ones. */
const MACRO = 'WASMLET';

export function headerText(): string {
  const guard = `${MACRO}_POSIX_0_H`;
  return `/*
 * The POSIX extension of wasmlet, import module ${POSIX_MODULE}. Written from the table in src/runtime/posix/table.ts.
 * Each function answers 0 or an errno of WASI preview 1 (\`__wasi_errno_t\`, the numbers of <errno.h> in wasi-libc).
 */
#ifndef ${guard}
#define ${guard}

#include <stdint.h>

#define ${MACRO}_POSIX_FOLLOW 1u

#define ${MACRO}_POSIX_SIGNAL_DEFAULT 0u
#define ${MACRO}_POSIX_SIGNAL_IGNORE 1u
#define ${MACRO}_POSIX_SIGNAL_TAKE 2u

#define ${MACRO}_POSIX_BLOCK 0u
#define ${MACRO}_POSIX_UNBLOCK 1u
#define ${MACRO}_POSIX_SETMASK 2u

struct wasmlet_posix_status { uint32_t mode, uid, gid; };
struct wasmlet_posix_ids { uint32_t uid, euid, gid, egid; };
struct wasmlet_posix_process { uint32_t pid, ppid, pgid, sid; };
struct wasmlet_posix_system_info {
    uint64_t uptime_ns, memory_limit, memory_used;
    uint32_t processors, cpu_millis, descriptor_limit, descriptors;
};

#define ${MACRO}_POSIX_IMPORT(name) \\
    __attribute__((import_module("${POSIX_MODULE}"), import_name(name), warn_unused_result))

${POSIX_FUNCTIONS.map(declaration).join('\n\n')}

#endif
`;
}

function declaration({ name, parameters, does }: PosixFunction): string {
  return `/* ${does} */\n${MACRO}_POSIX_IMPORT("${name}")\nint32_t wasmlet_posix_${name}(${parameters.map(parameter).join(', ')});`;
}

function parameter([name, type]: PosixFunction['parameters'][number]): string {
  const pointer = POINTERS[name];
  if (pointer !== undefined) return `${pointer}${name}`;
  const width = type === 'i64' ? 64 : 32;
  return `${SIGNED.has(name) ? 'int' : 'uint'}${width}_t ${name}`;
}

const BEGIN = '<!-- functions -->';
const END = '<!-- end of functions -->';

export function tableText(): string {
  const rows = POSIX_FUNCTIONS.map(({ name, parameters, does, errors }) => {
    const types = parameters.map(([parameter, type]) => (type === 'i64' ? `${parameter}: i64` : parameter)).join(', ');
    return `| \`${name}(${types})\` | ${does} | ${errors.map((error) => `E${error}`).join(' ')} |`;
  });
  return ['| function | does | errors |', '|---|---|---|', ...rows].join('\n');
}

/** The page with its table as it should be. */
export function pageText(page: string): string {
  const [before = '', rest = ''] = page.split(BEGIN);
  return `${before}${BEGIN}\n${tableText()}\n${END}${rest.split(END)[1] ?? ''}`;
}

if (import.meta.main) {
  writeFileSync(HEADER_PATH, headerText());
  writeFileSync(PAGE_PATH, pageText(readFileSync(PAGE_PATH, 'utf8')));
}
