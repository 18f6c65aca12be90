/** Starting ours as a person would, and reading what the kernel says of processes: memory, CPU time, children. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const WASMLET = fileURLToPath(new URL('../bin/wasmlet', import.meta.url));

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function run(
  command: string,
  args: readonly string[],
  { env = {} }: { env?: Record<string, string> } = {},
): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.on('error', (error) => resolve({ code: 127, stdout: '', stderr: error.message }));
    child.on('exit', (code) =>
      resolve({ code: code ?? 1, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }),
    );
  });
}

export async function wasmlet(args: readonly string[]): Promise<Outcome> {
  const outcome = await run(process.execPath, [WASMLET, ...args]);
  if (outcome.code !== 0) throw new Error(`wasmlet ${args.join(' ')} ended with ${outcome.code}: ${outcome.stderr}`);
  return outcome;
}

/** Proportional set size and private bytes of a process, in MB. Source: proc(5), smaps_rollup. */
export function memoryOf(pid: number): { pss: number; private: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const sum = (pattern: RegExp) => [...text.matchAll(pattern)].reduce((total, [, kb]) => total + Number(kb), 0) / 1024;
  return { pss: sum(/^Pss:\s+(\d+) kB/gm), private: sum(/^Private_(?:Clean|Dirty):\s+(\d+) kB/gm) };
}

/** CPU seconds of a process since its start. Source: proc(5), stat fields 14 and 15 in ticks of 10 ms. */
export function cpuOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await gone;
}
