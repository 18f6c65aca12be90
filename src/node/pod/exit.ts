/** What an exit says: the runtime's words, and the guest's own from its termination file. Source: kubelet `kuberuntime_container.go` getTerminationMessage. */
import type { Container } from '#kube/types';
import type { WorkloadState } from '#runtime';
import { openLog } from '../log/file.ts';
import type { ExitedInstance } from './decide/observed.ts';
import { terminationFile } from './effects/workload.ts';
import type { PodPlaces } from './places.ts';

const MAX_FILE = 4096;
const MAX_LOG = 2048;
const MAX_LOG_LINES = 80;

type Exited = Extract<WorkloadState, { phase: 'exited' }>;

export async function exitOf(
  state: Exited,
  { attempt, container, places }: { attempt: number; container: Container; places: PodPlaces },
): Promise<ExitedInstance> {
  const { exit, startedAt, finishedAt } = state;
  const message = await messageFor(state, { attempt, container, places });
  return {
    state: 'exited',
    attempt,
    startedAt,
    finishedAt,
    exitCode: exit.code,
    signal: exit.signal,
    reason: exit.reason,
    message: message === '' ? undefined : message,
  };
}

async function messageFor(
  { exit }: Exited,
  { attempt, container, places }: { attempt: number; container: Container; places: PodPlaces },
): Promise<string> {
  const written = await tail(places.tenant, terminationFile(places.container(container.name)), MAX_FILE);
  if (written !== '') return written;
  if (container.terminationMessagePolicy === 'FallbackToLogsOnError' && exit.code !== 0) {
    const lines = (await tail(places.tenant, places.log(container.name, attempt), 4 * MAX_LOG))
      .split('\n')
      .slice(-MAX_LOG_LINES);
    // A CRI line is `time stream tag text`; see log/parse.ts.
    const text = lines.map((line) => line.replace(/^\S+ std(?:out|err) [FP]\S* ?/, '')).join('\n');
    if (text.trim() !== '') return text.slice(-MAX_LOG);
  }
  return (exit.message ?? '').slice(0, MAX_FILE);
}

/** The last bytes of a file; '' if it cannot be read. A sandbox wrote it: it is opened without trust. */
async function tail(root: string, path: string, bytes: number): Promise<string> {
  const opened = await openLog(root, path);
  if (opened === undefined) return '';
  await using file = opened;
  const size = await file.size();
  const length = Math.min(size, bytes);
  return (await file.read(Buffer.alloc(length), size - length)).toString('utf8');
}
