/**
 * Watches: what was there, what happened since, what happens. One encoding an event and form serves every watcher; a watcher that is
 * too far behind is ended and starts again. Source: apiserver `pkg/storage/cacher`, `pkg/endpoints/handlers/watch.go`.
 */
import { randomInt } from 'node:crypto';
import { apiVersionOf, type KindRow } from '../kinds.ts';
import { StatusError } from '../status.ts';
import { Entry } from '../store/collection.ts';
import type { Change } from '../store/store.ts';
import type { Api } from './api.ts';
import { textOf } from './codec.ts';
import { includeOf, metadataText, tableText } from './forms.ts';
import { forbiddenOption, parseRevision, tooLarge } from './list.ts';
import type { Form } from './media.ts';
import { isTrue, type Reply, type Sink } from './request.ts';
import { type Selection, selectionOf } from './select.ts';

const BOOKMARK_EVERY = 60_000;
/** A client may be this many bytes behind. */
const BEHIND = 8 << 20;
const MINUTES_30 = 1800;

interface WatchTarget {
  readonly kind: KindRow;
  readonly namespace: string;
  readonly query: URLSearchParams;
  readonly form: Form;
  readonly signal: AbortSignal;
}

interface Plan {
  readonly selection: Selection;
  /** Undefined: everything that is there comes first. */
  readonly from: number | undefined;
  readonly initialEnd: boolean;
  readonly bookmarks: boolean;
  readonly seconds: number;
}

export function watchReply(api: Api, target: WatchTarget): Reply {
  const plan = planOf(api, target);
  return {
    status: 200,
    contentType: target.form === 'object' ? 'application/json' : 'application/json;stream=watch',
    headers: { 'cache-control': 'no-cache, private' },
    body: (sink) => new Watcher(api, target, { plan, sink }).run(),
  };
}

function planOf(api: Api, { kind, query }: WatchTarget): Plan {
  const selection = selectionOf(kind, query);
  const revision = parseRevision(query.get('resourceVersion') ?? '');
  const match = query.get('resourceVersionMatch') ?? '';
  const initial = query.get('sendInitialEvents');
  const bookmarks = isTrueText(query.get('allowWatchBookmarks'));
  if (initial === null && match !== '')
    forbiddenOption('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided');
  if (initial !== null && match !== 'NotOlderThan') {
    forbiddenOption('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
  }
  if (revision > api.store.revision) throw tooLarge(revision, api.store.revision);
  const everything = initial === null ? revision === 0 : isTrue(initial);
  const newest = initial !== null && revision === 0 ? api.store.revision : revision;
  return {
    selection,
    from: everything ? undefined : newest,
    initialEnd: initial !== null && isTrue(initial) && bookmarks,
    bookmarks,
    seconds: Number(query.get('timeoutSeconds')) || randomInt(MINUTES_30, 2 * MINUTES_30),
  };
}

function isTrueText(text: string | null): boolean {
  return text !== null && isTrue(text);
}

class Watcher {
  readonly #api: Api;
  readonly #target: WatchTarget;
  readonly #plan: Plan;
  readonly #sink: Sink;
  readonly #format: string;
  #columnsSent = false;
  #revision = 0;
  #finish: () => void = () => {};

  constructor(api: Api, target: WatchTarget, { plan, sink }: { plan: Plan; sink: Sink }) {
    this.#api = api;
    this.#target = target;
    this.#plan = plan;
    this.#sink = sink;
    const { kind, form, query } = target;
    this.#format = `${apiVersionOf(kind)} ${form} ${form === 'table' ? includeOf(query) : ''}`;
  }

  async run(): Promise<void> {
    const { store } = this.#api;
    const { kind, signal } = this.#target;
    const ended = new Promise<void>((resolve) => {
      this.#finish = resolve;
    });
    // What is told must be on the disk; what is written between the two lines below would be told twice or never.
    while (store.pending) await store.settled();
    try {
      this.#begin();
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      this.#sink.write(`{"type":"ERROR","object":${JSON.stringify(error.status)}}\n`);
      return;
    }
    const unsubscribe = store.subscribeDurable(kind.storage ?? '', (change) => this.#pass(change));
    const deadline = setTimeout(() => this.#close(), this.#plan.seconds * 1000);
    const bookmarks = this.#plan.bookmarks ? setInterval(() => this.#bookmark(), BOOKMARK_EVERY) : undefined;
    signal.addEventListener('abort', this.#finish, { once: true });
    if (signal.aborted) this.#finish();
    try {
      await ended;
    } finally {
      unsubscribe();
      clearTimeout(deadline);
      clearInterval(bookmarks);
    }
  }

  #begin(): void {
    const { store } = this.#api;
    const { kind, namespace } = this.#target;
    const { from, selection, initialEnd } = this.#plan;
    this.#revision = store.revision;
    if (from === undefined) {
      for (const entry of store.list(kind.storage ?? '', namespace === '' ? undefined : namespace)) {
        if (selection.matches(entry.value)) this.#send('ADDED', this.#encode(entry));
      }
      if (initialEnd) this.#bookmark({ 'k8s.io/initial-events-end': 'true' });
      return;
    }
    for (const change of store.since(kind.storage ?? '', from)) this.#pass(change);
  }

  /** An object that stops matching was deleted for this watcher, one that starts to match was added. */
  #pass(change: Change): void {
    const { selection } = this.#plan;
    const { namespace } = this.#target;
    const { entry, previous, type, revision } = change;
    this.#revision = Math.max(this.#revision, revision);
    if (namespace !== '' && entry.namespace !== namespace) return;
    const now = type !== 'DELETED' && selection.matches(entry.value);
    const before = previous !== undefined && selection.matches(previous.value);
    if (now) this.#send(before ? 'MODIFIED' : 'ADDED', this.#shared(change));
    if (now || !before) return;
    const sameContent = type === 'DELETED' && selection.matches(entry.value);
    if (sameContent) {
      this.#send('DELETED', this.#shared(change));
      return;
    }
    const last = previous.copy();
    last.metadata.resourceVersion = String(revision);
    this.#send('DELETED', this.#encode(new Entry(entry, { revision, text: JSON.stringify(last), value: last })));
  }

  #shared(change: Change): string {
    const format = this.#columnsSent || this.#target.form !== 'table' ? this.#format : `${this.#format} first`;
    const known = change.encoded.get(format);
    if (known !== undefined) {
      this.#columnsSent = true;
      return known;
    }
    const text = this.#encode(change.entry);
    change.encoded.set(format, text);
    return text;
  }

  #encode(entry: Entry): string {
    const { kind, form, query } = this.#target;
    if (form === 'metadata') return metadataText(kind, entry);
    if (form === 'object') return textOf(kind, entry);
    const withoutColumns = this.#columnsSent;
    this.#columnsSent = true;
    const meta = JSON.stringify({ resourceVersion: String(entry.revision) });
    return tableText(this.#api, { kind, query, entries: [entry], meta, withoutColumns }).trimEnd();
  }

  #bookmark(annotations?: Record<string, string>): void {
    this.#send('BOOKMARK', JSON.stringify(this.#bookmarkObject(annotations)));
  }

  #bookmarkObject(annotations?: Record<string, string>): object {
    const { kind, form } = this.#target;
    const resourceVersion = String(this.#api.store.revision);
    const metadata = { resourceVersion, ...(annotations === undefined ? {} : { annotations }) };
    if (form === 'object') return { kind: kind.kind, apiVersion: apiVersionOf(kind), metadata };
    const partial = { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata };
    if (form === 'metadata') return partial;
    const rows = [{ cells: [], object: partial }];
    const head = { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata: { resourceVersion } };
    return { ...head, columnDefinitions: null, rows };
  }

  #send(type: string, object: string): void {
    if (this.#sink.waiting > BEHIND) this.#close();
    else this.#sink.write(`{"type":"${type}","object":${object}}\n`);
  }

  #close(): void {
    if (this.#plan.bookmarks && this.#sink.waiting <= BEHIND) this.#bookmark();
    this.#finish();
  }
}
