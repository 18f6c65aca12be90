/**
 * Lines of a CRI log: `2026-01-01T00:00:00.000000000Z stdout F text`. A part of a line that was cut is tagged P.
 * Source: Kubernetes `cri-client/pkg/logs/logs.go` parseCRILog.
 */
export interface LogLine {
  /** As written: RFC 3339 with nanoseconds. */
  readonly time: string;
  readonly stream: 'stdout' | 'stderr';
  /** Whether the guest's line goes on in the next entry. */
  readonly partial: boolean;
  readonly text: Buffer;
}

/** Header, and one line of the most that is written; more is garbage. */
export const MAX_ENTRY = 64 * 1024;
const HEADER =
  /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([FP])(?::[^ ]{0,32})? ?/;
const HEADER_BYTES = 96;

/** undefined for what is not an entry: it is left out. */
export function parseLine(entry: Buffer): LogLine | undefined {
  const match = HEADER.exec(entry.toString('latin1', 0, Math.min(entry.length, HEADER_BYTES)));
  if (match === null) return undefined;
  const [header, time = '', stream, tag] = match;
  return {
    time,
    stream: stream === 'stderr' ? 'stderr' : 'stdout',
    partial: tag === 'P',
    text: entry.subarray(header.length),
  };
}

/** Cuts a stream of blocks into entries without their line ends; an endless entry is dropped up to its end. */
export class EntrySplitter {
  #rest: Buffer[] = [];
  #bytes = 0;
  #skipping = false;

  /** Bytes that wait for their line's end. */
  get pending(): number {
    return this.#bytes;
  }

  *push(block: Buffer): Generator<Buffer> {
    let start = 0;
    for (let end = block.indexOf(10); end !== -1; end = block.indexOf(10, start)) {
      const piece = block.subarray(start, end);
      start = end + 1;
      if (!this.#skipping) yield this.#bytes === 0 ? piece : Buffer.concat([...this.#rest, piece]);
      this.#clear();
    }
    const rest = block.subarray(start);
    if (this.#skipping || rest.length === 0) return;
    if (this.#bytes + rest.length > MAX_ENTRY) {
      this.#clear();
      this.#skipping = true;
      return;
    }
    this.#rest.push(Buffer.from(rest));
    this.#bytes += rest.length;
  }

  #clear(): void {
    this.#rest = [];
    this.#bytes = 0;
    this.#skipping = false;
  }
}
