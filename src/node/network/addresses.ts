/** Which pod has which address of a data directory's: not given again while its pod lives. */
import { podError } from '../pod/errors.ts';
import type { Subnet } from './subnet.ts';

type Plan = Pick<Subnet, 'address' | 'hostOf' | 'ranges'>;

interface Range {
  readonly first: number;
  readonly last: number;
  next: number;
  used: number;
}

export class Addresses {
  readonly #plan: Plan;
  /** A range is used when all before it are full. */
  readonly #ranges: readonly Range[];
  readonly #byPod = new Map<string, number>();
  readonly #taken = new Set<number>();

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#ranges = plan.ranges.map(([first, last]) => ({ first, last, next: first, used: 0 }));
  }

  /** `preferred` when it is one of ours and free; else the next that was not used for longest. */
  allocate(podUid: string, preferred?: string): string {
    const known = this.#byPod.get(podUid);
    if (known !== undefined) return this.#plan.address(known);
    const wanted = preferred === undefined ? undefined : this.#plan.hostOf(preferred);
    const host = wanted !== undefined && this.#isFree(wanted) ? wanted : this.#free();
    this.#byPod.set(podUid, host);
    this.#taken.add(host);
    this.#count(host, 1);
    return this.#plan.address(host);
  }

  release(podUid: string): void {
    const host = this.#byPod.get(podUid);
    if (host === undefined) return;
    this.#byPod.delete(podUid);
    this.#taken.delete(host);
    this.#count(host, -1);
  }

  #isFree(host: number): boolean {
    return this.#rangeOf(host) !== undefined && !this.#taken.has(host);
  }

  #rangeOf(host: number): Range | undefined {
    return this.#ranges.find(({ first, last }) => host >= first && host <= last);
  }

  #count(host: number, change: number): void {
    const range = this.#rangeOf(host);
    if (range !== undefined) range.used += change;
  }

  #free(): number {
    const range = this.#ranges.find(({ first, last, used }) => used < last - first + 1);
    if (range === undefined) {
      const all = this.#taken.size;
      throw podError('NODE_ADDRESSES_EXHAUSTED', `Cannot give the pod an address: all ${all} are in use`, {
        hint: 'Delete pods that are done; each keeps its address until it is deleted or ends',
      });
    }
    for (;;) {
      const host = range.next;
      range.next = host === range.last ? range.first : host + 1;
      if (!this.#taken.has(host)) return host;
    }
  }
}
