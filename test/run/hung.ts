import { readdirSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';

/**
 * node's test runner waits for ever for a file whose tests are done but which something keeps alive (a timer, a server), and
 * for one that spins. This kills such a file by its process id, so that the runner reports it and goes on.
 */
export function killHungFiles(
  runner: number | undefined,
  seconds: number,
): { stop(): void; killed: readonly string[] } {
  const since = new Map<number, number>();
  const killed: string[] = [];
  function look(): void {
    const children = runner === undefined ? [] : childrenOf(runner);
    for (const pid of since.keys()) if (!children.includes(pid)) since.delete(pid);
    for (const pid of children) {
      const first = since.get(pid) ?? performance.now();
      since.set(pid, first);
      if (performance.now() - first > seconds * 1000) kill(pid);
    }
  }
  function kill(pid: number): void {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      process.kill(pid, 'SIGKILL');
      const file = words.findLast((word) => word.endsWith('.test.ts'));
      if (file !== undefined) killed.push(relative(process.cwd(), file));
    } catch {
      // it has just ended
    }
  }
  const timer = setInterval(look, 1_000);
  return { stop: () => clearInterval(timer), killed };
}

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && parentOf(pid) === parent);
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}
