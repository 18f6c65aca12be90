/**
 * Kills at random what a node is made of, under load, and looks whether anything was lost. `npm run chaos`; 20 seconds of it in
 * `npm test`. Which kinds of pods and kills come in which order is the seed's; what they meet is the machine's.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlreadyExists, isNotFound, NAMESPACES, PODS } from '../../src/kube/mod.ts';
import type { Namespace, Pod } from '../../src/kube/types/mod.ts';
import { Random } from '../fuzz/fuzzer.ts';
import { Checker } from './checker.ts';
import { endsByItself, type Kind, type Made, podOf, STANDING } from './pods.ts';
import { type ChaosWorld, startWorld } from './world.ts';

export interface ChaosResult {
  readonly kills: number;
  readonly pods: number;
  readonly requests: number;
  readonly lost: readonly string[];
}

export interface ChaosOptions {
  readonly seed: number;
  readonly milliseconds: number;
  readonly log: (line: string) => void;
}

const TENANTS = ['chaos-a', 'chaos-b', 'chaos-c'];
const MOST_PODS = 90;
const CALM_MS = 90_000;

class Chaos {
  readonly #world: ChaosWorld;
  readonly #random: Random;
  /** The killer's own numbers, whatever the others do meanwhile. */
  readonly #fate: Random;
  readonly #log: (line: string) => void;
  readonly #until: number;
  readonly checker: Checker;
  #named = 0;
  kills = 0;
  requests = 0;

  constructor(world: ChaosWorld, { seed, milliseconds, log }: ChaosOptions) {
    this.#world = world;
    this.#random = new Random(seed);
    this.#fate = new Random(seed + 2 ** 20);
    this.#log = log;
    this.#until = performance.now() + milliseconds;
    this.checker = new Checker(world.dataDir);
  }

  get #over(): boolean {
    return performance.now() >= this.#until;
  }

  async prepare(): Promise<void> {
    for (const name of TENANTS) {
      const object: Namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
      await this.#retried((client, signal) => client.create(NAMESPACES, object, { signal }));
    }
    for (const namespace of TENANTS) for (const kind of STANDING) await this.#create(kind, namespace);
  }

  /** All at once, until the time is over. */
  async storm(): Promise<void> {
    await Promise.all([this.#jobs(), this.#watch(), this.#ask(), this.#killer()]);
  }

  async #retried<T>(call: Parameters<ChaosWorld['api']>[0]): Promise<T | undefined> {
    for (;;) {
      try {
        const answer = await this.#world.api(call);
        if (answer !== undefined) return answer as T;
      } catch (error) {
        // The first try was heard, and its answer was not.
        if (isAlreadyExists(error) || isNotFound(error)) return undefined;
        throw error;
      }
      await sleep(100);
    }
  }

  async #create(kind: Kind, namespace: string): Promise<void> {
    const made: Made = { kind, namespace, name: `${kind}-${this.#named++}` };
    const object = podOf(made, { random: this.#random, image: this.#random.pick(this.#world.images) });
    const pod = await this.#retried<Pod>(
      async (client, signal) =>
        await client.create(PODS, object, { namespace, signal }).catch(async (error) => {
          if (!isAlreadyExists(error)) throw error;
          return await client.get<Pod>(PODS, { namespace, name: made.name }, { signal });
        }),
    );
    if (pod !== undefined) this.checker.acknowledged(made, pod);
  }

  async #remove(made: Made): Promise<void> {
    this.checker.deleting(made);
    await this.#retried((client, signal) => client.delete(PODS, made, { signal }));
  }

  async #jobs(): Promise<void> {
    while (!this.#over) {
      const kind = this.#random.pick<Kind>(['job', 'job', 'failing', ...STANDING]);
      await this.#create(kind, this.#random.pick(TENANTS));
      const present = this.checker.present();
      if (present.length > MOST_PODS || this.#random.oneIn(3)) await this.#remove(this.#random.pick(present));
      await sleep(this.#random.below(500));
    }
  }

  async list(): Promise<readonly Pod[] | undefined> {
    const asked = Date.now();
    const answer = await this.#world.api((client, signal) => client.list<Pod>(PODS, { signal }));
    if (answer !== undefined) this.checker.list(answer.items, asked);
    return answer?.items;
  }

  async #watch(): Promise<void> {
    while (!this.#over) {
      await this.list();
      await sleep(250);
    }
  }

  /** Asks servers, which may be away. */
  async #ask(): Promise<void> {
    while (!this.#over) {
      for (const pod of (await this.list()) ?? []) {
        if (pod.metadata?.name?.startsWith('server-') && !this.#over) await this.answers(pod);
      }
      await sleep(200);
    }
  }

  async answers(pod: Pod): Promise<boolean> {
    const address = pod.status?.podIP;
    if (address === undefined) return false;
    try {
      const response = await fetch(`http://${address}:8080/x`, { signal: AbortSignal.timeout(3000) });
      const text = await response.text();
      this.requests++;
      return text.includes('here');
    } catch {
      return false;
    }
  }

  async #killer(): Promise<void> {
    while (!this.#over) {
      await sleep(300 + this.#fate.below(1500));
      const way = this.#fate.below(12);
      if (way < 3) await this.#killNode();
      else if (way < 6) this.#killSandbox();
      else if (way < 7) this.#killAdmission();
      else if (way < 9) await this.#standStill();
      else if (way < 10) await this.#stopNode();
      else await this.#endNode();
    }
  }

  async #killNode(): Promise<void> {
    const { node } = this.#world;
    this.#say('SIGKILL the node');
    await node.end('SIGKILL');
    await sleep(this.#fate.below(700));
    await node.start();
  }

  /** In order, or with SIGKILL while it ends; sometimes both soon after its start, before it has heard of its pods. */
  async #endNode(): Promise<void> {
    const { node } = this.#world;
    const patience = this.#fate.oneIn(2) ? Number.POSITIVE_INFINITY : this.#fate.below(1500);
    for (let again = this.#fate.below(3); again >= 0; again--) {
      this.#say(`SIGTERM the node${patience < 1500 ? `, SIGKILL after ${patience} ms` : ''}`);
      // A standalone node that is asked to end takes its guests along.
      this.checker.killed(undefined);
      const ended = node.end('SIGTERM');
      const late = sleep(Math.min(patience, 2 ** 30), true, { ref: false });
      if ((await Promise.race([ended.then(() => false), late])) === true && node.pid !== undefined)
        await node.end('SIGKILL');
      await ended;
      this.checker.killed(undefined);
      await sleep(this.#fate.below(700));
      await node.start();
    }
  }

  #killSandbox(): void {
    const sandboxes = this.#world.sandboxes();
    if (sandboxes.length === 0) return;
    const { pid, tenant } = this.#fate.pick(sandboxes);
    this.#say(`SIGKILL a sandbox of ${tenant ?? 'nobody'}`);
    // The warm one may have become a tenant's in this moment.
    this.checker.killed(tenant);
    signal(pid, 'SIGKILL');
  }

  #killAdmission(): void {
    const pid = this.#world.admission();
    if (pid === undefined) return;
    this.#say('SIGKILL admission');
    signal(pid, 'SIGKILL');
  }

  async #standStill(): Promise<void> {
    const sandboxes = this.#world.sandboxes();
    if (sandboxes.length === 0) return;
    const { pid, tenant } = this.#fate.pick(sandboxes);
    this.#say(`SIGSTOP a sandbox of ${tenant ?? 'nobody'}`);
    if (!signal(pid, 'SIGSTOP')) return;
    await sleep(this.#fate.below(2500));
    signal(pid, 'SIGCONT');
  }

  async #stopNode(): Promise<void> {
    const { pid } = this.#world.node;
    if (pid === undefined) return;
    this.#say('SIGSTOP the node');
    signal(pid, 'SIGSTOP');
    await sleep(this.#fate.below(2000));
    signal(pid, 'SIGCONT');
  }

  #say(what: string): void {
    this.kills++;
    this.#log(what);
  }

  /** Nobody kills any more: everything comes to where it should be. */
  async calm(): Promise<void> {
    const from = performance.now();
    let wrong: string[] = [];
    while (performance.now() - from < CALM_MS) {
      const at = Date.now();
      await sleep(1500);
      const pods = await this.list();
      if (pods === undefined) continue;
      wrong = [];
      for (const pod of pods) {
        const why = await this.#unsettled(pod, at);
        if (why !== undefined) wrong.push(`${pod.metadata?.namespace}/${pod.metadata?.name} ${why}`);
      }
      if (wrong.length === 0) break;
    }
    for (const why of wrong) this.checker.lose(`after ${CALM_MS / 1000} s of calm ${why}`);
    this.checker.guests();
  }

  /** Why a pod is not where it should be. */
  async #unsettled(pod: Pod, at: number): Promise<string | undefined> {
    const kind = (pod.metadata?.name ?? '').replace(/-\d+$/, '') as Kind;
    const phase = pod.status?.phase;
    if (pod.metadata?.deletionTimestamp !== undefined) return 'is still being deleted';
    if (endsByItself(kind)) return phase === 'Succeeded' || phase === 'Failed' ? undefined : `is ${phase}`;
    const state = pod.status?.containerStatuses?.[0]?.state;
    if (state?.waiting?.reason === 'CrashLoopBackOff') return undefined;
    if (kind === 'flaky') return phase === 'Running' ? undefined : `is ${phase}`;
    if (state?.running === undefined) return `is ${phase}, ${JSON.stringify(state)}`;
    if (kind === 'server') return (await this.answers(pod)) ? undefined : 'runs and does not answer';
    if (kind === 'spinner') return undefined;
    return this.checker.speaksSince(pod, at) ? undefined : 'runs and does not speak';
  }

  /** What may not stay behind: processes, mounts, descriptors of the node. */
  async leftovers(): Promise<void> {
    const { dataDir, node, sandboxes, processes } = this.#world;
    // One that a node started and was killed over ends by itself, when it has looked for its folder.
    const stray = () => {
      const known = new Set(sandboxes().map(({ pid }) => pid));
      return processes().filter((pid) => !known.has(pid) && /sandbox\.|launcher/.test(commandOf(pid)));
    };
    for (let waits = 0; stray().length > 0 && waits < 25; waits++) await sleep(1000);
    for (const pid of stray()) this.checker.lose(`a sandbox that no record knows: ${pid} ${commandOf(pid)}`);
    const descriptors = node.pid === undefined ? 0 : readdirSync(`/proc/${node.pid}/fd`).length;
    if (descriptors > 400) this.checker.lose(`the node holds ${descriptors} descriptors`);
    for (const made of this.checker.present()) await this.#remove(made);
    const from = performance.now();
    while (((await this.list()) ?? [{}]).length > 0 && performance.now() - from < 60_000) await sleep(500);
    for (const pod of (await this.list()) ?? []) this.checker.lose(`${pod.metadata?.name} could not be deleted`);
    await this.#world.down();
    await sleep(500);
    for (const pid of processes()) this.checker.lose(`left behind: ${pid} ${commandOf(pid)}`);
    if (readFileSync('/proc/mounts', 'utf8').includes(dataDir)) this.checker.lose('left behind: a mount');
  }
}

function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').slice(0, 200);
  } catch {
    return '';
  }
}

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  await using world = await startWorld();
  const chaos = new Chaos(world, options);
  try {
    await chaos.prepare();
    await chaos.storm();
    if (world.node.pid === undefined) await world.node.start();
    options.log('calm');
    await chaos.calm();
    await chaos.leftovers();
  } catch (error) {
    throw new Error(`Cannot go on with chaos\n${world.node.tail()}`, { cause: error });
  }
  const { kills, requests, checker } = chaos;
  return { kills, requests, pods: checker.pods, lost: checker.lost };
}
