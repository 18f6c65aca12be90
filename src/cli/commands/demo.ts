/** `wasmlet demo`, what `npm start` runs: the main job from a checkout, on a node of its own, shown as it happens. */
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import { createLog, systemClock, VERSION } from '#kit';
import { connectByKubeconfig, type KubeClient, PODS } from '#kube';
import type { Pod } from '#kube/types';
import { ContentStore, importModule } from '#oci';
import type { Arguments, Context } from '../command.ts';
import { buildHello } from '../demo/guest.ts';
import { startStage } from '../demo/stage.ts';
import { nextSteps } from '../demo/view.ts';
import { cliError } from '../errors.ts';
import { type Manifest, readManifests } from '../manifests.ts';
import { untilStopped } from '../node-options.ts';
import { type Standalone, startStandalone } from '../standalone.ts';
import { applyOne } from './apply.ts';

const IMAGE = 'localhost/hello:v1';
const READY_SECONDS = 45;
const PRIVILEGED = 80;
const UNPRIVILEGED = 8080;

export async function run(context: Context, args: Arguments): Promise<number> {
  const root = context.env['WASMLET_ROOT'] ?? process.cwd();
  const dataDir = args.value('data-dir') ?? join(root, '.wasmlet');
  const started = systemClock.monotonic();
  const say = (line: string) => context.stdout.write(`${line}\n`);
  const { bytes, built } = await buildHello({ root, cache: join(root, '.cache', 'hello') });
  say(
    built
      ? `compiled examples/hello/guest with AssemblyScript (${bytes.length} bytes)`
      : 'the hello guest is compiled already',
  );
  await importModule(await ContentStore.open(join(dataDir, 'content')), bytes, { reference: IMAGE });
  // The node's own lines go to its log: the screen belongs to the pods.
  const node = await startStandalone({
    dataDir,
    name: 'wasmlet',
    version: VERSION,
    log: fileLog(join(dataDir, 'node.log')),
    signal: context.signal,
  });
  say(
    `node ${node.name} is Ready after ${((systemClock.monotonic() - started) / 1000).toFixed(1)} s, its API at ${node.server}`,
  );
  for (const note of node.notes) say(note);
  await using client = await connectByKubeconfig(node.kubeconfig);
  try {
    await tour(context, { client, node, root });
    if (!args.has('once')) await untilStopped(context.signal);
  } catch (error) {
    if (!context.signal.aborted) throw withLog(error, dataDir);
  } finally {
    await finish(context, node, dataDir);
  }
  return 0;
}

interface Tour {
  readonly client: KubeClient;
  readonly node: Standalone;
  readonly root: string;
}

/** Applies the pods, shows them come up, asks each, ends one and shows it come back. */
async function tour(context: Context, { client, node, root }: Tour): Promise<void> {
  const { signal } = context;
  const port = mayBindPrivileged() ? PRIVILEGED : UNPRIVILEGED;
  if (port !== PRIVILEGED) {
    context.stdout.write(
      `port ${PRIVILEGED} needs root or 'sysctl net.ipv4.ip_unprivileged_port_start=${PRIVILEGED}', so both pods use ${port}\n`,
    );
  }
  const manifests = await readManifests([join(root, 'examples', 'hello', 'pods.yaml')]);
  await removeLeftovers(client, manifests, signal);
  for (const manifest of manifests) {
    context.stdout.write(`${await applyOne(client, withPort(manifest, port), { signal, force: true })}\n`);
  }
  await using stage = await startStage(context, client);
  const [one, two] = await stage.until('both pods Ready', bothReady, READY_SECONDS);
  for (const pod of [one, two]) stage.note(await ask(pod, port, '/', signal));
  await stage.pause();
  const before = restartsOf(two);
  stage.note(`killing ${nameOf(two)}: ${(await ask(two, port, '/crash', signal)).trim()}`);
  const back = await stage.until(
    `${nameOf(two)} restarted`,
    (pods) => pods.find((pod) => nameOf(pod) === nameOf(two) && restartsOf(pod) > before && isReady(pod)),
    READY_SECONDS,
  );
  stage.note(await ask(back, port, '/', signal));
  await stage.pause();
  await stage.finish();
  const url = urlOf(one, port, '/');
  const kubectl = hasCommand(context.env['PATH'] ?? '', 'kubectl');
  context.stdout.write(
    `\n${nextSteps({ dataDir: shown(node.dataDir), kubeconfig: shown(node.kubeconfig), url, kubectl })}`,
  );
}

/** Pods of an earlier demo go first: one that was crashed before would wait longer and longer for its restart. */
async function removeLeftovers(client: KubeClient, manifests: readonly Manifest[], signal: AbortSignal): Promise<void> {
  const names = manifests.map(({ object }) => object.metadata?.name ?? '');
  const { items } = await client.list<Pod>(PODS, { namespace: 'default', signal });
  for (const pod of items.filter((item) => names.includes(nameOf(item)))) {
    await client.delete(PODS, { namespace: 'default', name: nameOf(pod) }, { signal });
  }
  const end = systemClock.monotonic() + READY_SECONDS * 1000;
  for (;;) {
    const left = (await client.list<Pod>(PODS, { namespace: 'default', signal })).items.filter((item) =>
      names.includes(nameOf(item)),
    );
    if (left.length === 0) return;
    if (systemClock.monotonic() > end)
      throw cliError('CLI_TIMEOUT', `Cannot remove the pods of an earlier demo: ${left.map(nameOf).join(', ')}`);
    await systemClock.sleep(50, { signal });
  }
}

function withPort({ object, origin }: Manifest, port: number): Manifest {
  const pod = structuredClone(object) as Pod;
  for (const container of pod.spec?.containers ?? []) {
    for (const declared of container.ports ?? []) declared.containerPort = port;
  }
  return { object: pod, origin };
}

function bothReady(pods: readonly Pod[]): [Pod, Pod] | undefined {
  const [one, two] = pods;
  return one !== undefined && two !== undefined && pods.every(isReady) ? [one, two] : undefined;
}

function isReady({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true;
}

function restartsOf({ status }: Pod): number {
  return (status?.containerStatuses ?? []).reduce((sum, { restartCount }) => sum + restartCount, 0);
}

function nameOf(pod: Pod): string {
  return pod.metadata?.name ?? '';
}

function urlOf(pod: Pod, port: number, path: string): string {
  return `http://${pod.status?.podIP}${port === PRIVILEGED ? '' : `:${port}`}${path}`;
}

async function ask(pod: Pod, port: number, path: string, signal: AbortSignal): Promise<string> {
  const url = urlOf(pod, port, path);
  const answer = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(5000)]) });
  return `$ curl ${url}\n${(await answer.text()).trimEnd()}`;
}

/** Whether a process without rights may listen below 1024 here. Source: ip(7), ip_unprivileged_port_start. */
function mayBindPrivileged(): boolean {
  if (process.getuid?.() === 0) return true;
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8')) <= PRIVILEGED;
  } catch {
    return false;
  }
}

function hasCommand(path: string, name: string): boolean {
  return path.split(delimiter).some((folder) => folder !== '' && existsSync(join(folder, name)));
}

async function finish(context: Context, node: Standalone, dataDir: string): Promise<void> {
  const pods = node.pods().length;
  await node.stop();
  context.stdout.write(
    `\nstopped ${pods} pod(s), the node and its API. State is kept in ${shown(dataDir)};\n'bin/wasmlet reset --data-dir ${shown(dataDir)}' removes it.\n`,
  );
}

/** A path as a person in this folder would type it. */
function shown(path: string): string {
  const near = relative(process.cwd(), path);
  return near === '' || near.startsWith('..') ? path : near;
}

function withLog(error: unknown, dataDir: string): unknown {
  return cliError('CLI_FAILED', 'Cannot show the demo', {
    cause: error,
    hint: `The node's log is ${join(dataDir, 'node.log')}.`,
  });
}

function fileLog(path: string) {
  const { appendFileSync } = process.getBuiltinModule('node:fs');
  return createLog({ level: 'debug', write: (line) => appendFileSync(path, line) });
}
