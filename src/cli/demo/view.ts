/** What the demo shows, as text: pure functions from what is known to lines, so that a test reads what a person sees. */
import type { Pod } from '#kube/types';
import { humanDuration, printable, textTable } from '../text-table.ts';

export interface LogLine {
  readonly pod: string;
  readonly text: string;
}

/** Rows of the live table, one a pod. */
export function podRows(pods: readonly Pod[], now: number): string[][] {
  return [...pods].sort((a, b) => nameOf(a).localeCompare(nameOf(b))).map((pod) => podRow(pod, now));
}

function podRow(pod: Pod, now: number): string[] {
  const statuses = pod.status?.containerStatuses ?? [];
  const ready = statuses.filter((status) => status.ready).length;
  const restarts = statuses.reduce((sum, status) => sum + status.restartCount, 0);
  const port = pod.spec?.containers[0]?.ports?.[0]?.containerPort;
  const created = Date.parse(pod.metadata?.creationTimestamp ?? '');
  const address =
    pod.status?.podIP === undefined ? '<none>' : `${pod.status.podIP}${port === undefined ? '' : `:${port}`}`;
  return [
    nameOf(pod),
    `${ready}/${pod.spec?.containers.length ?? 0}`,
    statusWord(pod),
    String(restarts),
    address,
    Number.isNaN(created) ? '' : humanDuration(now - created),
  ];
}

function nameOf(pod: Pod): string {
  return pod.metadata?.name ?? '';
}

function statusWord(pod: Pod): string {
  if (pod.metadata?.deletionTimestamp !== undefined) return 'Terminating';
  for (const { state } of pod.status?.containerStatuses ?? []) {
    if (state?.waiting?.reason !== undefined) return state.waiting.reason;
    if (state?.terminated?.reason !== undefined) return state.terminated.reason;
  }
  return pod.status?.phase ?? 'Pending';
}

export const HEADER = ['NAME', 'READY', 'STATUS', 'RESTARTS', 'ADDRESS', 'AGE'] as const;

export function podTable(pods: readonly Pod[], now: number): string {
  return textTable(HEADER, podRows(pods, now));
}

/** One line of a change, for a pipe: a table that is drawn again is of no use there. */
export function podLine(pod: Pod): string {
  const [name, ready, status, restarts, address] = podRow(pod, 0);
  return `pod/${name} ${status} ready ${ready} restarts ${restarts} at ${address}`;
}

/** The live screen: table, then the last log lines, each cut to the terminal's width. */
export function screen(
  pods: readonly Pod[],
  logs: readonly LogLine[],
  { now, columns, rows }: { now: number; columns: number; rows: number },
): string[] {
  const table = podTable(pods, now).trimEnd().split('\n');
  const room = Math.max(2, rows - table.length - 4);
  const width = Math.max(0, ...logs.map(({ pod }) => pod.length));
  const tail = logs.slice(-room).map(({ pod, text }) => `  ${pod.padStart(width)} | ${printable(text)}`);
  return [...table, '', ...tail].map((line) => cut(line, columns));
}

function cut(line: string, columns: number): string {
  const letters = [...line];
  return letters.length <= columns ? line : `${letters.slice(0, columns - 1).join('')}…`;
}

/** What to try next: our own lines always, kubectl's when it is there. */
export function nextSteps({
  dataDir,
  kubeconfig,
  url,
  kubectl,
}: {
  dataDir: string;
  kubeconfig: string;
  url: string;
  kubectl: boolean;
}): string {
  const own = `bin/wasmlet`;
  const lines = [
    'Try next, in another terminal:',
    `  curl ${url}`,
    `  ${own} get pods --data-dir ${dataDir}`,
    `  ${own} logs -f hello-one --data-dir ${dataDir}`,
    `  ${own} delete pod hello-two --data-dir ${dataDir}`,
  ];
  if (kubectl) lines.push(`  kubectl --kubeconfig ${kubeconfig} describe pod hello-one`);
  return `${lines.join('\n')}\n`;
}
