/**
 * Work that several callers want at the same time and that is done once. It is aborted when the last of them has gone; one
 * that leaves does not disturb the others.
 */
interface Flight<Value> {
  readonly result: Promise<Value>;
  readonly stop: AbortController;
  waiting: number;
}

export class Flights<Value> {
  readonly #flights = new Map<string, Flight<Value>>();

  async run(
    key: string,
    work: (signal: AbortSignal) => Promise<Value>,
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<Value> {
    signal?.throwIfAborted();
    const flight = this.#flights.get(key) ?? this.#start(key, work);
    flight.waiting++;
    try {
      return await raceAbort(flight.result, signal);
    } finally {
      flight.waiting--;
      if (flight.waiting === 0) {
        // Nobody may join a flight that is being given up.
        if (this.#flights.get(key) === flight) this.#flights.delete(key);
        flight.stop.abort(new Error('nobody waits for it any more'));
      }
    }
  }

  #start(key: string, work: (signal: AbortSignal) => Promise<Value>): Flight<Value> {
    const stop = new AbortController();
    const flight: Flight<Value> = { result: work(stop.signal), stop, waiting: 0 };
    this.#flights.set(key, flight);
    const forget = (): void => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    flight.result.then(forget, forget);
    return flight;
  }
}

function raceAbort<Value>(result: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (signal === undefined) return result;
  return new Promise((resolve, reject) => {
    function abort(): void {
      reject(signal?.reason);
    }
    signal.addEventListener('abort', abort, { once: true });
    result.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
