/** A binary heap that knows where each item stands, so that one can be taken out of its middle. Equal keys leave in the order in which they came. */
export interface HeapItem {
  key: number;
  /** Owned by the heap: order of arrival, and place (-1 while in none). */
  order: number;
  at: number;
}

export class Heap<T extends HeapItem> {
  readonly #items: T[] = [];
  #orders = 0;

  get size(): number {
    return this.#items.length;
  }

  get first(): T | undefined {
    return this.#items[0];
  }

  has(item: T): boolean {
    return this.#items[item.at] === item;
  }

  push(item: T): void {
    item.order = this.#orders++;
    this.#items.push(item);
    this.#up(item, this.#items.length - 1);
  }

  pop(): T | undefined {
    const first = this.#items[0];
    if (first !== undefined) this.remove(first);
    return first;
  }

  remove(item: T): void {
    if (!this.has(item)) return;
    const { at } = item;
    const last = this.#items.pop() as T;
    item.at = -1;
    if (last === item) return;
    this.#up(last, at);
    this.#down(last, last.at);
  }

  #up(item: T, from: number): void {
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = this.#items[above] as T;
      if (before(parent, item)) break;
      this.#set(parent, at);
      at = above;
    }
    this.#set(item, at);
  }

  #down(item: T, from: number): void {
    let at = from;
    for (;;) {
      const left = this.#items[at * 2 + 1];
      const right = this.#items[at * 2 + 2];
      const child = right !== undefined && left !== undefined && before(right, left) ? right : left;
      if (child === undefined || before(item, child)) break;
      const place = child.at;
      this.#set(child, at);
      at = place;
    }
    this.#set(item, at);
  }

  #set(item: T, at: number): void {
    this.#items[at] = item;
    item.at = at;
  }
}

function before(a: HeapItem, b: HeapItem): boolean {
  return a.key < b.key || (a.key === b.key && a.order < b.order);
}
