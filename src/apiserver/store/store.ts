/**
 * The objects of the embedded API: one revision counter for all, optimistic concurrency by it, a bounded log that watches and
 * consistent lists read. Everything is in memory and in SQLite. Synchronous, so a read, a decision and a write in one turn of the
 * event loop are one step: there are no locks. The writes of a turn are one transaction, committed at its end: whoever tells the
 * outside world anything waits for `settled()` first, so nothing is answered that a power cut could take back.
 */
import { gone, StatusError } from '../status.ts';
import type { ApiObject } from '../surface.ts';
import { Collection, Entry, keyOf } from './collection.ts';
import { type ChangeType, Database } from './database.ts';

export interface Change {
  readonly revision: number;
  readonly type: ChangeType;
  readonly storage: string;
  /** The object after the change; for DELETED its last state, at the revision of the deletion. */
  readonly entry: Entry;
  readonly previous: Entry | undefined;
  /** Encodings that watchers share, by format: an object is encoded once however many watch. */
  readonly encoded: Map<string, string>;
}

export interface Place {
  readonly storage: string;
  /** '' for objects without one. */
  readonly namespace: string;
  readonly name: string;
}

export interface StoreLimits {
  /** Changes kept for watches and continued lists. */
  readonly history: number;
  /** Characters of JSON of all kept changes. */
  readonly historySize: number;
  /** Characters of one object's JSON; etcd's limit on a request is 1.5 MiB. */
  readonly objectSize: number;
  /** Characters of all objects. */
  readonly totalSize: number;
}

const LIMITS: StoreLimits = {
  history: 10_000,
  historySize: 48 << 20,
  objectSize: 1_500_000,
  totalSize: 1 << 28,
};

/** Many, and hardly ever looked into once they were told. */
const SELDOM_READ: ReadonlySet<string> = new Set(['events']);

/** A commit is followed by a pause of so many times what it took, up to so many milliseconds. */
const RESTS = 3;
const MOST_DELAY = 20;

export type Listener = (change: Change) => void;

export class Store implements Disposable {
  readonly #db: Database;
  readonly #limits: StoreLimits;
  readonly #collections = new Map<string, Collection>();
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #durable = new Map<string, Set<Listener>>();
  #batch: Change[] = [];
  #settling: PromiseWithResolvers<void> | undefined;
  #history: Change[] = [];
  #historySize = 0;
  #totalSize = 0;
  /** How long the last commit took, and when it was over, in milliseconds. */
  #commitTook = 0;
  #commitEnd = 0;
  #revision: number;
  #compacted: number;

  constructor(path: string, limits: Partial<StoreLimits> = {}) {
    this.#db = new Database(path);
    this.#limits = { ...LIMITS, ...limits };
    this.#revision = this.#db.revision();
    this.#compacted = this.#db.compacted();
    for (const row of this.#db.objects()) {
      this.#collection(row.storage).set(new Entry(row, { revision: row.revision, text: row.data }));
      this.#totalSize += row.data.length;
    }
    this.#loadLog();
  }

  get revision(): number {
    return this.#revision;
  }

  /** The newest revision whose later changes are still known in full. */
  get compacted(): number {
    return this.#compacted;
  }

  get(place: Place): Entry | undefined {
    return this.#collections.get(place.storage)?.get(keyOf(place));
  }

  list(storage: string, namespace?: string): Entry[] {
    return this.#collections.get(storage)?.list(namespace) ?? [];
  }

  /** In no order: cheaper than a list for who stops at the first that fits. */
  *each(storage: string, namespace?: string): Iterable<Entry> {
    for (const entry of this.#collections.get(storage)?.values() ?? []) {
      if (namespace === undefined || entry.namespace === namespace) yield entry;
    }
  }

  /** Lets go of what can be made again from the objects' texts. */
  forgetValues(): void {
    for (const collection of this.#collections.values()) for (const entry of collection.values()) entry.forget();
    for (const { entry, previous } of this.#history) {
      entry.forget();
      previous?.forget();
    }
  }

  count(storage: string): number {
    return this.#collections.get(storage)?.size ?? 0;
  }

  storages(): string[] {
    return [...this.#collections.keys()];
  }

  /** The list as it was at `revision`. 410 when that is forgotten. */
  listAt(storage: string, revision: number, namespace?: string): Entry[] {
    if (revision === this.#revision) return this.list(storage, namespace);
    this.#mustKnow(revision);
    const collection = this.#collections.get(storage);
    const entries = collection?.snapshot() ?? new Map<string, Entry>();
    for (let at = this.#history.length - 1; at >= 0; at--) {
      const change = this.#history[at];
      if (change === undefined || change.revision <= revision) break;
      if (change.storage !== storage) continue;
      const key = keyOf(change.entry);
      if (change.previous === undefined) entries.delete(key);
      else entries.set(key, change.previous);
    }
    const keys = [...entries.keys()].sort();
    const all = keys.map((key) => entries.get(key)).filter((entry) => entry !== undefined);
    return namespace === undefined ? all : all.filter((entry) => entry.namespace === namespace);
  }

  /** Creates or replaces. The object's resourceVersion is set here; `object` belongs to the store afterwards. */
  put(place: Place, object: ApiObject): Entry {
    const previous = this.get(place);
    const revision = this.#revision + 1;
    object.metadata.resourceVersion = String(revision);
    const text = JSON.stringify(object);
    this.#mustFit(text, previous);
    const entry = new Entry(place, { revision, text, value: object });
    this.#commit(place, { type: previous === undefined ? 'ADDED' : 'MODIFIED', entry, previous });
    return entry;
  }

  /** Removes it. The last state that watchers see may differ from the stored one (`object`). Undefined: it was not there. */
  remove(place: Place, object?: ApiObject): Entry | undefined {
    const previous = this.get(place);
    if (previous === undefined) return undefined;
    const revision = this.#revision + 1;
    const last = object ?? previous.copy();
    last.metadata.resourceVersion = String(revision);
    const entry = new Entry(place, { revision, text: JSON.stringify(last), value: last });
    this.#commit(place, { type: 'DELETED', entry, previous });
    return entry;
  }

  /** Changes of a storage after `revision`, oldest first. 410 when they are forgotten. */
  since(storage: string, revision: number): Change[] {
    this.#mustKnow(revision);
    const first = firstAfter(this.#history, revision);
    return this.#history.slice(first).filter((change) => change.storage === storage);
  }

  /** Called in order, once a change, within the write: for what writes again. Returns the function that ends it. */
  subscribe(storage: string, listener: Listener): () => void {
    return listen(this.#listeners, storage, listener);
  }

  /** Called in order, once a change is on the disk: for what tells others. */
  subscribeDurable(storage: string, listener: Listener): () => void {
    return listen(this.#durable, storage, listener);
  }

  /** Whether there are writes that are not on the disk yet. */
  get pending(): boolean {
    return this.#batch.length > 0;
  }

  /** Resolves when all that was written is on the disk; rejects when it could not be, and then none of it has happened. */
  settled(): Promise<void> {
    if (!this.pending) return Promise.resolve();
    this.#settling ??= Promise.withResolvers<void>();
    return this.#settling.promise;
  }

  /** Commits now. */
  flush(): void {
    if (!this.pending) return;
    const compacted = this.#dueForCompaction();
    const begun = performance.now();
    try {
      this.#db.commit(this.#revision, compacted);
      this.#commitEnd = performance.now();
      this.#commitTook = this.#commitEnd - begun;
    } catch (error) {
      this.#undo(error);
      throw error;
    }
    if (compacted !== undefined) this.#forget(compacted);
    const [batch, settling] = [this.#batch, this.#settling];
    this.#batch = [];
    this.#settling = undefined;
    for (const change of batch) for (const listener of this.#durable.get(change.storage) ?? []) listener(change);
    for (const { storage, entry, previous } of batch) {
      previous?.forget();
      if (SELDOM_READ.has(storage)) entry.forget();
    }
    settling?.resolve();
  }

  [Symbol.dispose](): void {
    this.flush();
    this.#db.close();
  }

  #collection(storage: string): Collection {
    const known = this.#collections.get(storage) ?? new Collection();
    this.#collections.set(storage, known);
    return known;
  }

  #commit(place: Place, change: Pick<Change, 'type' | 'entry' | 'previous'>): void {
    const { type, entry, previous } = change;
    const { revision, text } = entry;
    const { storage, namespace, name } = place;
    try {
      if (!this.pending) this.#db.begin();
      this.#db.write({ revision, type, storage, namespace, name, data: text, previous: previous?.text ?? null });
    } catch (error) {
      this.#undo(error);
      throw error;
    }
    if (!this.pending) this.#commitSoon();
    this.#revision = revision;
    this.#set(storage, entry, type === 'DELETED' ? undefined : entry);
    const whole: Change = { revision, type, storage, entry, previous, encoded: new Map() };
    this.#batch.push(whole);
    this.#remember(whole);
    for (const listener of this.#listeners.get(storage) ?? []) listener(whole);
  }

  /**
   * At the end of the turn; where the disk is slow and there is much to write, a moment later, so that the thread spends no more than
   * a part of its time waiting for the disk.
   */
  #commitSoon(): void {
    const rest = Math.min(MOST_DELAY, this.#commitTook * RESTS) - (performance.now() - this.#commitEnd);
    if (rest < 1) setImmediate(() => this.#flushLater());
    else setTimeout(() => this.#flushLater(), rest);
  }

  /** Whoever waits in `settled()` is told; here nobody is there to catch it. */
  #flushLater(): void {
    try {
      this.flush();
    } catch {
      // Told by `settled()`.
    }
  }

  #set(storage: string, at: Entry, entry: Entry | undefined): void {
    const collection = this.#collection(storage);
    const before = collection.get(keyOf(at));
    if (entry === undefined) collection.delete(keyOf(at));
    else collection.set(entry);
    this.#totalSize += (entry?.text.length ?? 0) - (before?.text.length ?? 0);
  }

  /** The whole batch did not happen: the memory goes back to what the disk has. */
  #undo(error: unknown): void {
    for (const { storage, entry, previous, revision } of this.#batch.reverse()) {
      this.#set(storage, entry, previous);
      this.#revision = revision - 1;
      this.#historySize -= sizeOf(this.#history.pop());
    }
    this.#batch = [];
    const settling = this.#settling;
    this.#settling = undefined;
    settling?.promise.catch(() => {});
    settling?.reject(error);
  }

  #remember(change: Change): void {
    this.#history.push(change);
    this.#historySize += sizeOf(change);
  }

  /** Down to three quarters at once, so that it is not done at every write. */
  #dueForCompaction(): number | undefined {
    const { history, historySize } = this.#limits;
    if (this.#history.length <= history && this.#historySize <= historySize) return undefined;
    let drop = 0;
    let size = this.#historySize;
    while (drop < this.#history.length && (this.#history.length - drop > history * 0.75 || size > historySize * 0.75)) {
      size -= sizeOf(this.#history[drop]);
      drop++;
    }
    return this.#history[drop - 1]?.revision;
  }

  #forget(compacted: number): void {
    const first = firstAfter(this.#history, compacted);
    for (const change of this.#history.slice(0, first)) this.#historySize -= sizeOf(change);
    this.#history = this.#history.slice(first);
    this.#compacted = compacted;
  }

  #loadLog(): void {
    for (const row of this.#db.log()) {
      const { revision, type, storage, data, previous } = row;
      this.#remember({
        revision,
        type,
        storage,
        entry: new Entry(row, { revision, text: data }),
        previous: previous === null ? undefined : new Entry(row, { revision: 0, text: previous }),
        encoded: new Map(),
      });
    }
  }

  #mustKnow(revision: number): void {
    if (revision >= this.#compacted) return;
    throw gone(`too old resource version: ${revision} (${this.#compacted})`);
  }

  #mustFit(text: string, previous: Entry | undefined): void {
    if (text.length > this.#limits.objectSize) {
      throw new StatusError(500, '', 'etcdserver: request is too large');
    }
    const growth = text.length - (previous?.text.length ?? 0);
    if (growth > 0 && this.#totalSize + growth > this.#limits.totalSize) {
      throw new StatusError(500, '', 'etcdserver: mvcc: database space exceeded');
    }
  }
}

function listen(all: Map<string, Set<Listener>>, storage: string, listener: Listener): () => void {
  const listeners = all.get(storage) ?? new Set();
  all.set(storage, listeners);
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function sizeOf(change: Change | undefined): number {
  return (change?.entry.text.length ?? 0) + (change?.previous?.text.length ?? 0) + 200;
}

function firstAfter(history: readonly Change[], revision: number): number {
  let low = 0;
  let high = history.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((history[middle]?.revision ?? 0) <= revision) low = middle + 1;
    else high = middle;
  }
  return low;
}
