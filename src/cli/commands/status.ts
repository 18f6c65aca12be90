/** `wasmlet status`: the node process, its API server, its sandboxes and its pods. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '#kit';
import { type KubeClient, NODES, PODS } from '#kube';
import type { Node, Pod } from '#kube/types';
import { WALLS, WALLS_TABLE, type WallRow, type WallsReport, wallHere } from '#runtime/sandbox';
import { connectTo, kubeconfigPath } from '../cluster.ts';
import type { Arguments, Context } from '../command.ts';
import { dataDirOf } from '../data-dir.ts';
import { EXIT } from '../exit.ts';
import { holderOf, type SandboxProcess, sandboxesOf } from '../node-process.ts';
import { textTable } from '../text-table.ts';

interface Report {
  readonly dataDir: string;
  /** Absent when no node runs. */
  readonly pid?: number | undefined;
  readonly kubeconfig?: string | undefined;
  readonly server?: string | undefined;
  readonly log: string;
  readonly node?:
    | { readonly name: string; readonly ready: boolean; readonly message: string; readonly address: string }
    | undefined;
  readonly pods?: { readonly total: number; readonly running: number } | undefined;
  /** Why the API server could not be asked. */
  readonly problem?: string | undefined;
  readonly sandboxes: readonly SandboxProcess[];
  /** What the node found and demands, and the table of all that there is; absent before the first start. */
  readonly walls?: (WallsReport & { readonly table: readonly WallRow[] }) | undefined;
}

/** Exit code 0 while a node runs, 3 when none does, 5 when its API server does not answer. */
export async function run(context: Context, args: Arguments): Promise<number> {
  const dataDir = dataDirOf(context, args);
  const pid = holderOf(dataDir);
  const base = {
    dataDir,
    pid,
    log: join(dataDir, 'node.log'),
    sandboxes: sandboxesOf(dataDir),
    walls: wallsOf(dataDir),
  };
  const report: Report = { ...base, ...(pid === undefined ? {} : await askApi(context, args)) };
  context.stdout.write(args.value('output') === 'json' ? `${JSON.stringify(report, null, 2)}\n` : forPeople(report));
  if (pid === undefined) return EXIT.notFound;
  return report.problem === undefined ? EXIT.done : EXIT.unreachable;
}

type FromApi = Pick<Report, 'kubeconfig' | 'server' | 'node' | 'pods' | 'problem'>;

async function askApi(context: Context, args: Arguments): Promise<FromApi> {
  let kubeconfig: string | undefined;
  try {
    kubeconfig = kubeconfigPath(context, args);
    await using client = await connectTo(context, args);
    return { kubeconfig, server: client.server, ...(await countsOf(client, context.signal)) };
  } catch (error) {
    return { kubeconfig, problem: messageOf(error) };
  }
}

async function countsOf(client: KubeClient, signal: AbortSignal): Promise<Pick<Report, 'node' | 'pods'>> {
  const { items: nodes } = await client.list<Node>(NODES, { signal });
  const { items: pods } = await client.list<Pod>(PODS, { signal });
  const [node] = nodes;
  const ready = node?.status?.conditions?.find(({ type }) => type === 'Ready');
  return {
    node: node && {
      name: node.metadata?.name ?? '',
      ready: ready?.status === 'True',
      message: ready?.message ?? 'nothing was reported yet',
      address: node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? '',
    },
    pods: { total: pods.length, running: pods.filter(({ status }) => status?.phase === 'Running').length },
  };
}

function wallsOf(dataDir: string): Report['walls'] {
  try {
    const report = JSON.parse(readFileSync(join(dataDir, 'walls.json'), 'utf8')) as WallsReport;
    return { ...report, table: WALLS_TABLE };
  } catch {
    return undefined;
  }
}

/** Each wall: around how many sandboxes it stands, whether it must, and what it is on this machine. */
function wallsForPeople({ walls, sandboxes }: Report): string {
  if (walls === undefined) return '';
  const rows = WALLS.map((wall) => [
    wall,
    `${sandboxes.filter((sandbox) => sandbox.walls?.includes(wall) === true).length} of ${sandboxes.length}`,
    walls.demanded.includes(wall) ? 'yes' : 'no',
    wallHere(wall, walls.means),
  ]);
  return `\n${textTable(['WALL', 'STANDS', 'DEMANDED', 'HERE'], rows)}`;
}

function forPeople(report: Report): string {
  const { dataDir, pid, kubeconfig, server, node, pods, problem, sandboxes, log } = report;
  const rows = [
    ['data', dataDir],
    [
      'node',
      pid === undefined
        ? 'not running'
        : `pid ${pid}${node === undefined ? '' : `, ${node.name}, ${node.ready ? 'Ready' : `not Ready: ${node.message}`}`}`,
    ],
    ...(server === undefined ? [] : [['API', `${server} (kubeconfig ${kubeconfig})`]]),
    ...(problem === undefined ? [] : [['API', `cannot be asked: ${problem}`]]),
    ...(pods === undefined ? [] : [['pods', `${pods.running} running of ${pods.total}`]]),
    ...(pid === undefined ? [] : [['log', log]]),
  ];
  const facts = rows.map(([name = '', value = '']) => `${name.padEnd(6)} ${value}\n`).join('');
  const walls = wallsForPeople(report);
  if (sandboxes.length === 0) return `${facts}${walls}`;
  const table = sandboxes.map(({ id, pid: sandboxPid, uid, tenant, isolation }) => [
    id,
    String(sandboxPid),
    uid === undefined ? '' : String(uid),
    tenant ?? '(warm)',
    isolation ?? '',
  ]);
  return `${facts}\n${textTable(['SANDBOX', 'PID', 'USER', 'NAMESPACE', 'ISOLATION'], table)}${walls}`;
}
