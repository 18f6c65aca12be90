/** Which pod has which address of a subnet: not given again while its pod lives. */
import { podError } from '../pod/errors.ts';

const FIRST = 2;
const LAST = 253;

export class Addresses {
  readonly #address: (host: number) => string;
  readonly #byPod = new Map<string, number>();
  readonly #taken = new Set<number>();
  #next = FIRST;

  constructor(address: (host: number) => string) {
    this.#address = address;
  }

  /** `preferred` when it is one of ours and free; else the next that was not used for longest. */
  allocate(podUid: string, preferred?: string): string {
    const host = this.#byPod.get(podUid) ?? this.#free(preferred);
    this.#byPod.set(podUid, host);
    this.#taken.add(host);
    return this.#address(host);
  }

  release(podUid: string): void {
    const host = this.#byPod.get(podUid);
    if (host === undefined) return;
    this.#byPod.delete(podUid);
    this.#taken.delete(host);
  }

  #free(preferred: string | undefined): number {
    const wanted = Number(preferred?.split('.').at(-1));
    if (wanted >= FIRST && wanted <= LAST && preferred === this.#address(wanted) && !this.#taken.has(wanted))
      return wanted;
    for (let tried = FIRST; tried <= LAST; tried++) {
      const host = this.#next;
      this.#next = host === LAST ? FIRST : host + 1;
      if (!this.#taken.has(host)) return host;
    }
    throw podError('NODE_ADDRESSES_EXHAUSTED', `Cannot give the pod an address: all ${LAST - FIRST + 1} are in use`, {
      hint: 'Delete pods that are done; each keeps its address until it is deleted or ends',
    });
  }
}
