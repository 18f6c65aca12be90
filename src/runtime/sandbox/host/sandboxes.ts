/** Every sandbox of a data directory: which tenant has which, those found again, and their end. */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Clock, isWasmletError, type Log, messageOf } from '#kit';
import { type Grant, Tree } from '#kit/os';
import type { Placement, WorkloadState } from '../../contract.ts';
import { runtimeError } from '../errors.ts';
import { NO_WALLS_EXIT } from '../launch.ts';
import type { Wall } from '../walls.ts';
import type { SandboxGroups } from './groups.ts';
import { isOwn, type Owner, ownerKey, ownerOf, type PlacementRules, tooMany } from './placement.ts';
import { foldersOf, SandboxFolder, type SandboxRecord } from './record.ts';
import { Sandbox, type SandboxContext } from './sandbox.ts';
import { spawnSandbox } from './spawn.ts';
import type { TenantUsers } from './users.ts';
import { WarmSandboxes, warmRoot } from './warm.ts';

export interface SandboxesOptions {
  readonly dataDir: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly node: string;
  readonly warm: number;
  readonly rules: PlacementRules;
  readonly insecureTrustedGuests: boolean;
  /** A user for each tenant, where the node may change users. */
  readonly users: TenantUsers | undefined;
  readonly groups: SandboxGroups;
  /** Walls without which no guest starts. */
  readonly demanded: readonly Wall[];
  readonly changed: (key: string, state: WorkloadState) => void;
}

/** An empty sandbox stays this long: the pod that is made again is the common case. */
const LINGER_MS = 30_000;

export class Sandboxes {
  readonly #options: SandboxesOptions;
  readonly #all = new Set<Sandbox>();
  /** Of files of sandboxes that are gone. */
  readonly #removals = new Set<Promise<void>>();
  /** By owner: where the next workload goes. */
  readonly #placed = new Map<string, Promise<Sandbox>>();
  /** By workload: where it is. */
  readonly #homes = new Map<string, Sandbox>();
  readonly #warm: WarmSandboxes;
  /** Those of an earlier node process. */
  readonly #found = new WeakSet<Sandbox>();
  /** The newest wait of each empty sandbox; a later one starts it anew. */
  readonly #lingering = new WeakMap<Sandbox, object>();
  readonly #stop = new AbortController();

  constructor(options: SandboxesOptions) {
    this.#options = options;
    const { dataDir, clock, log, warm: count } = options;
    this.#warm = new WarmSandboxes({
      dataDir,
      clock,
      log,
      count,
      newId,
      signal: this.#stop.signal,
      spawn: (id, root) => this.#spawn(id, { isolation: 'tenant' }, [{ path: root, access: 'write' }]),
    });
  }

  all(): readonly Sandbox[] {
    return [...this.#all];
  }

  /** The sandbox that a workload is in, or was in when it ended. */
  of(key: string): Sandbox | undefined {
    return this.#homes.get(key);
  }

  /** The sandbox of this placement, started when there is none. */
  async place(placement: Placement, podUid: string, logPath?: string): Promise<Sandbox> {
    const owner = ownerOf(placement, podUid, this.#options.rules);
    const key = ownerKey(owner);
    const known = this.#placed.get(key);
    if (known !== undefined) return known;
    if (owner.isolation === 'pod') this.#makeRoom();
    const made = owner.isolation === 'pod' ? this.#spawnForPod(owner, logPath) : this.#spawnForTenant(owner);
    this.#placed.set(key, made);
    made.catch(() => this.#placed.get(key) === made && this.#placed.delete(key));
    return made;
  }

  /** The tenant's root is there, and belongs to its user. */
  claim(tenant: string): void {
    const owner = ownerOf({ tenant, isolation: 'tenant' }, '', this.#options.rules);
    this.#options.users?.of(join(this.#options.dataDir, 'tenants', owner.tenant ?? ''));
  }

  refill(): void {
    this.#warm.refill();
  }

  /** Processes of pods' own are bounded; one that is empty and only waits gives way. */
  #makeRoom(): void {
    const { rules } = this.#options;
    // Also those that are on their way, which no set of processes has yet.
    const own = [...this.#placed.keys()].filter(isOwn).length;
    if (own < rules.mostOwn) return;
    const idle = [...this.#all].find(
      (sandbox) =>
        sandbox.record.isolation === 'pod' &&
        sandbox.open &&
        sandbox.workloads.size === 0 &&
        this.#lingering.has(sandbox),
    );
    if (idle === undefined) throw tooMany(rules);
    void this.#endAndRemove(idle, 'another pod needed its place');
  }

  /** Finds the sandboxes of an earlier node process. All their workloads are reported when this returns. */
  async takeOver(): Promise<void> {
    await Promise.all(foldersOf(this.#options.dataDir).map((folder) => this.#takeOverOne(folder)));
  }

  emptied(sandbox: Sandbox): void {
    if (sandbox.workloads.size > 0) return;
    if (!sandbox.open) {
      void this.#remove(sandbox);
      return;
    }
    // After a restart the folders of a pod may be removed and made again, and what was granted are the old ones.
    if (sandbox.record.isolation === 'pod' && this.#found.has(sandbox))
      return void this.#endAndRemove(sandbox, 'its pod has nothing in it');
    const wait = {};
    this.#lingering.set(sandbox, wait);
    this.#options.clock.sleep(LINGER_MS, { signal: this.#stop.signal }).then(
      () => {
        const isOver = this.#lingering.get(sandbox) === wait && sandbox.workloads.size === 0 && sandbox.open;
        return isOver ? this.#endAndRemove(sandbox, 'it was empty') : undefined;
      },
      () => {},
    );
  }

  /** Ends what belongs to the placement; answers which workloads went with it. */
  async release({ tenant, isolation, podUid }: Placement & { readonly podUid?: string }): Promise<readonly string[]> {
    const chosen = this.all().filter(
      ({ record }) =>
        record.tenant === tenant &&
        record.isolation === isolation &&
        (podUid === undefined || record.podUid === podUid),
    );
    const keys = chosen.flatMap((sandbox) => [...sandbox.workloads.keys()]);
    await Promise.all(chosen.map((sandbox) => this.#endAndRemove(sandbox, 'it was released')));
    return keys;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled([...this.#warm.waiting, ...this.#placed.values()]);
    await Promise.all(
      this.all().map(async (sandbox) => {
        const states = [...sandbox.workloads.values()];
        if (states.some(({ phase }) => phase !== 'exited')) sandbox.detach();
        // Its folder tells the next node how they ended.
        else if (states.length > 0) await sandbox.end('the node ended');
        else await this.#endAndRemove(sandbox, 'the node ended');
      }),
    );
    await Promise.all(this.#removals);
  }

  async #spawnForTenant(owner: Owner): Promise<Sandbox> {
    const root = join(this.#options.dataDir, 'tenants', owner.tenant ?? '');
    const warm = await this.#warm.take(root);
    if (warm !== undefined) {
      warm.assign(owner);
      return warm;
    }
    mkdirSync(root, { recursive: true, mode: 0o755 });
    return this.#spawn(newId(), owner, [{ path: root, access: 'write' }]);
  }

  #spawnForPod(owner: Owner, logPath?: string): Promise<Sandbox> {
    const podUid = owner.podUid ?? '';
    const root = join(this.#options.dataDir, 'tenants', owner.tenant ?? '');
    const folders = [join(root, 'pods', podUid)];
    // <tenant>/logs/<pod>/<container>/<attempt>.log
    if (logPath?.startsWith(`${root}/logs/`)) folders.push(dirname(dirname(logPath)));
    mkdirSync(root, { recursive: true, mode: 0o755 });
    this.claim(owner.tenant ?? '');
    // The tenant's other sandbox may have put a link there, or will.
    for (const folder of folders) new Tree(root).makeFolder(folder);
    return this.#spawn(
      newId(),
      owner,
      folders.map((path): Grant => ({ path, access: 'write', below: root })),
    );
  }

  async #spawn(id: string, owner: Owner, grants: readonly Grant[]): Promise<Sandbox> {
    const { dataDir, node, insecureTrustedGuests, users, groups, demanded } = this.#options;
    const folder = new SandboxFolder(dataDir, id);
    const root = owner.tenant === undefined ? warmRoot(dataDir, id) : join(dataDir, 'tenants', owner.tenant);
    const uid = users?.of(root);
    folder.create(uid);
    const { child, pid, startTime } = await spawnSandbox({
      node,
      folder,
      grants,
      insecureTrustedGuests,
      assigned: owner.tenant !== undefined,
      uid,
      groups: groups.create(id),
      demanded,
    });
    const record: SandboxRecord = { id, pid, startTime, ...owner, ...(uid === undefined ? {} : { uid }) };
    folder.write(record);
    const sandbox = new Sandbox(folder, record, this.#context());
    this.#all.add(sandbox);
    const early = new Promise<never>((_, reject) => {
      child.once('exit', (code, signal) =>
        reject(
          runtimeError(
            code === NO_WALLS_EXIT ? 'RUNTIME_NO_WALLS' : 'RUNTIME_SANDBOX_FAILED',
            `it ended with ${signal ?? code}`,
          ),
        ),
      );
    });
    early.catch(() => {});
    try {
      await Promise.race([sandbox.connect(), early]);
      const missing = sandbox.missing(demanded);
      if (missing.length > 0) throw runtimeError('RUNTIME_NO_WALLS', `it stands without ${missing.join(', ')}`);
      return sandbox;
    } catch (failure) {
      // The connection ends a moment before the process, which knows more.
      const ended = early.catch((error: unknown) => error);
      const error: unknown = await Promise.race([ended, this.#options.clock.sleep(300).then(() => failure)]);
      const said = folder.lastWords() || messageOf(error);
      const code = isWasmletError(error, 'RUNTIME_NO_WALLS') ? 'RUNTIME_NO_WALLS' : 'RUNTIME_SANDBOX_FAILED';
      await sandbox.bury(messageOf(error));
      await this.#remove(sandbox);
      throw runtimeError(code, `Cannot start a sandbox: ${said}`, { cause: error });
    }
  }

  #context(): SandboxContext {
    const { clock, log, changed } = this.#options;
    return {
      clock,
      log,
      changed,
      groups: this.#options.groups,
      placed: (key, sandbox) => this.#homes.set(key, sandbox),
      forgotten: (key, sandbox) => this.#homes.get(key) === sandbox && this.#homes.delete(key),
      gone: (sandbox) => this.#gone(sandbox),
    };
  }

  #gone(sandbox: Sandbox): void {
    const key = ownerKey(sandbox.record);
    const placed = this.#placed.get(key);
    void placed?.then(
      (current) => current === sandbox && this.#placed.get(key) === placed && this.#placed.delete(key),
      () => {},
    );
    this.#warm.lost(sandbox);
    if (sandbox.workloads.size === 0) void this.#remove(sandbox);
  }

  async #endAndRemove(sandbox: Sandbox, reason: string): Promise<void> {
    const key = ownerKey(sandbox.record);
    const placed = this.#placed.get(key);
    if (placed !== undefined && (await placed.catch(() => undefined)) === sandbox) this.#placed.delete(key);
    await sandbox.end(reason);
    await this.#remove(sandbox);
  }

  /** Forgotten at once; its files go as fast as they can. Never rejects. */
  #remove(sandbox: Sandbox): Promise<void> {
    this.#all.delete(sandbox);
    for (const key of sandbox.workloads.keys()) if (this.#homes.get(key) === sandbox) this.#homes.delete(key);
    this.#options.groups.remove(sandbox.record.id);
    const { dataDir } = this.#options;
    const tenants = new Tree(join(dataDir, 'tenants'));
    const isWarm = sandbox.record.tenant === undefined;
    const removal = Promise.all([
      sandbox.folder.remove(),
      isWarm ? tenants.remove(warmRoot(dataDir, sandbox.record.id)) : undefined,
    ]).then(
      () => void this.#removals.delete(removal),
      (error: unknown) =>
        this.#options.log.warn('Cannot remove the files of a sandbox', {
          sandbox: sandbox.record.id,
          error: messageOf(error),
        }),
    );
    this.#removals.add(removal);
    return removal;
  }

  /** It was started by a node that demanded less: its guests go on until they end, and no new one comes. */
  async #retire(sandbox: Sandbox, missing: readonly string[]): Promise<void> {
    if (sandbox.record.tenant === undefined) return this.#endAndRemove(sandbox, 'it stands without demanded walls');
    const { id: name, tenant } = sandbox.record;
    this.#options.log.warn('A sandbox gets no new guests: it stands without demanded walls', { name, tenant, missing });
    this.emptied(sandbox);
  }

  async #takeOverOne(folder: SandboxFolder): Promise<void> {
    const record = folder.read();
    if (record === undefined || record.id !== folder.id) return folder.remove();
    const sandbox = new Sandbox(folder, record, this.#context());
    this.#all.add(sandbox);
    this.#found.add(sandbox);
    if (!sandbox.isAlive) return sandbox.bury('it ended while the node was away');
    try {
      await sandbox.resume();
    } catch (error) {
      return sandbox.bury(`the node could not take it over (${messageOf(error)})`);
    }
    for (const [key, state] of sandbox.workloads) this.#options.changed(key, state);
    const missing = sandbox.missing(this.#options.demanded);
    if (missing.length > 0) return this.#retire(sandbox, missing);
    if (record.tenant !== undefined) this.#placed.set(ownerKey(record), Promise.resolve(sandbox));
    else if (!this.#warm.adopt(sandbox)) await this.#endAndRemove(sandbox, 'there was another warm one');
    if (record.isolation === 'pod' && sandbox.workloads.size === 0) await this.#endAndRemove(sandbox, 'it was empty');
    else if (record.tenant !== undefined) this.emptied(sandbox);
  }
}

function newId(): string {
  return `s-${randomBytes(5).toString('hex')}`;
}
