import type { ApiObject } from '../surface.ts';

/** One object at one revision. Shared by everybody who reads it: never changed; who wants to change takes a `copy()`. */
export class Entry {
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  /** The object as JSON, as it is stored and sent. */
  readonly text: string;
  #value: ApiObject | undefined;

  constructor(at: { namespace: string; name: string }, state: { revision: number; text: string; value?: ApiObject }) {
    this.namespace = at.namespace;
    this.name = at.name;
    this.revision = state.revision;
    this.text = state.text;
    this.#value = state.value;
  }

  get value(): ApiObject {
    this.#value ??= JSON.parse(this.text) as ApiObject;
    return this.#value;
  }

  /** The object is made anew from its text when somebody asks for it again: what is history is seldom read. */
  forget(): void {
    this.#value = undefined;
  }

  copy(): ApiObject {
    return JSON.parse(this.text) as ApiObject;
  }
}

export function keyOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

/** All objects of one storage, in the order of their keys, as etcd lists them. */
export class Collection {
  readonly #entries = new Map<string, Entry>();
  readonly #sorted: string[] = [];

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  set(entry: Entry): void {
    const key = keyOf(entry);
    if (!this.#entries.has(key)) this.#sorted.splice(this.#placeOf(key), 0, key);
    this.#entries.set(key, entry);
  }

  delete(key: string): void {
    if (this.#entries.delete(key)) this.#sorted.splice(this.#placeOf(key), 1);
  }

  /** A copy of the map, to roll back in. */
  snapshot(): Map<string, Entry> {
    return new Map(this.#entries);
  }

  /** In no order, for who looks for one of many. */
  values(): Iterable<Entry> {
    return this.#entries.values();
  }

  list(namespace?: string): Entry[] {
    const found: Entry[] = [];
    for (const key of this.#sorted) {
      const entry = this.#entries.get(key);
      if (entry !== undefined && (namespace === undefined || entry.namespace === namespace)) found.push(entry);
    }
    return found;
  }

  /** Where the key stands, or would. */
  #placeOf(key: string): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#sorted[middle] ?? '') < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
