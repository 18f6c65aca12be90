/** What an informer knows, by namespace and name, and who is told when it changes. */
import type { KubeObject } from './types/mod.ts';

export type Change<T extends KubeObject> =
  | { readonly type: 'added'; readonly object: T }
  | { readonly type: 'updated'; readonly object: T; readonly previous: T }
  | { readonly type: 'deleted'; readonly object: T };

interface Key {
  readonly namespace?: string | undefined;
  readonly name: string;
}

export class Store<T extends KubeObject> {
  readonly #objects = new Map<string, T>();
  readonly #listeners = new Set<(change: Change<T>) => void>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  get({ namespace, name }: Key): T | undefined {
    return this.#objects.get(`${namespace ?? ''}/${name}`);
  }

  list(): T[] {
    return [...this.#objects.values()];
  }

  on(listener: (change: Change<T>) => void): () => void {
    for (const object of this.#objects.values()) this.#tell(listener, { type: 'added', object });
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  apply(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void {
    if (type === 'DELETED') this.#remove(keyOf(object), object);
    else this.#put(object);
  }

  /** Takes over a whole list: what is not in it was deleted while nobody watched. */
  replace(objects: readonly T[]): void {
    const keys = new Set(objects.map(keyOf));
    for (const key of [...this.#objects.keys()]) if (!keys.has(key)) this.#remove(key);
    for (const object of objects) this.#put(object);
  }

  /** The same name with another UID is another object: the old one is gone before the new one is there. */
  #put(object: T): void {
    const key = keyOf(object);
    if (this.#objects.get(key)?.metadata?.uid !== object.metadata?.uid) this.#remove(key);
    const previous = this.#objects.get(key);
    this.#objects.set(key, object);
    if (previous === undefined) this.#emit({ type: 'added', object });
    else if (isNewer(object, previous)) this.#emit({ type: 'updated', object, previous });
  }

  #remove(key: string, last?: T): void {
    const known = this.#objects.get(key);
    if (known === undefined) return;
    this.#objects.delete(key);
    this.#emit({ type: 'deleted', object: last?.metadata?.uid === known.metadata?.uid ? (last ?? known) : known });
  }

  #emit(change: Change<T>): void {
    for (const listener of [...this.#listeners]) this.#tell(listener, change);
  }

  #tell(listener: (change: Change<T>) => void, change: Change<T>): void {
    try {
      listener(change);
    } catch (error) {
      this.#onError(error);
    }
  }
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`;
}

function isNewer(object: KubeObject, previous: KubeObject): boolean {
  const version = object.metadata?.resourceVersion;
  return version === undefined || version !== previous.metadata?.resourceVersion;
}
