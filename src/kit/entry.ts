/**
 * The program's entry files: each process and worker thread starts from one of these.
 *
 * In a checkout they are TypeScript and run by type stripping; in a build they are bundles in `dist/`, which start
 * faster and keep less in memory (see docs/decisions/0002-processes.md). Only this file knows the difference.
 */
const ENTRIES = {
  cli: 'cli/main.ts',
  apiserver: 'apiserver/main.ts',
  sandbox: 'runtime/sandbox/main.ts',
  launcher: 'runtime/sandbox/launcher.ts',
  loop: 'runtime/sandbox/loop.ts',
  'guest-thread': 'runtime/wasi/threads/main.ts',
  offload: 'runtime/wasi/core/offload-main.ts',
  admission: 'runtime/module/main.ts',
  certificates: 'kube/certificates/main.ts',
} as const;

export type EntryName = keyof typeof ENTRIES;

/** Entry names with their source files, relative to `src/`, for the build. */
export const entries: Readonly<Record<EntryName, string>> = ENTRIES;

/** The URL to give to `new Worker` or, by fileURLToPath, to a child process. */
export function entryUrl(name: EntryName): URL {
  const here = import.meta.url;
  return here.endsWith('.ts') ? new URL(`../${ENTRIES[name]}`, here) : new URL(`./${name}.js`, here);
}
