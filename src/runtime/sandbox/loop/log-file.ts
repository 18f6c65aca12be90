/**
 * A container's log in the CRI format: `2026-01-01T00:00:00.000000001Z stdout F line`. Written, rotated and bounded here,
 * so that it goes on while the node is away. One write a call of the guest: nothing waits in a buffer that a crash loses.
 * Source: Kubernetes `docs/proposals/.../kubelet-cri-logging.md`; rotation's names as kubelet `pkg/kubelet/logs`.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '#kit';
import type { LogDescriptors } from './log-descriptors.ts';

export type StreamName = 'stdout' | 'stderr';

export interface LogBounds {
  /** A file that has reached this many bytes is rotated before the next write. */
  readonly fileBytes: number;
  /** The current file and the rotated ones together. */
  readonly files: number;
  /** A longer line is written in parts, tagged P, the last F. */
  readonly lineBytes: number;
}

/** The kubelet's defaults (containerLogMaxSize, containerLogMaxFiles) and containerd's line length. */
export const LOG_BOUNDS: LogBounds = { fileBytes: 10 * 1024 * 1024, files: 5, lineBytes: 16 * 1024 };

const NEWLINE = 10;
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;

export class LogFile {
  readonly path: string;
  readonly #clock: Clock;
  readonly #bounds: LogBounds;
  readonly #descriptors: LogDescriptors;
  readonly #partial: Record<StreamName, Uint8Array[]> = { stdout: [], stderr: [] };
  readonly #partialBytes: Record<StreamName, number> = { stdout: 0, stderr: 0 };
  #fd: number | undefined;
  #size = 0;
  #lastMs = 0;
  #sequence = 0;
  #dropped = 0;

  constructor(path: string, options: { clock: Clock; descriptors: LogDescriptors; bounds?: LogBounds }) {
    this.path = path;
    this.#clock = options.clock;
    this.#bounds = options.bounds ?? LOG_BOUNDS;
    this.#descriptors = options.descriptors;
  }

  /** Bytes of the guest's output that the disk did not take. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Makes the file, so that a follower finds it before the first line. Throws what the disk says. */
  create(): void {
    try {
      this.#open();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      mkdirSync(dirname(this.path), { recursive: true, mode: 0o755 });
      this.#open();
    }
  }

  /** Never throws: what cannot be written is counted. */
  write(stream: StreamName, bytes: Uint8Array): void {
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      this.#hold(stream, bytes.subarray(start, end), lines);
      this.#emit(stream, 'F', lines);
      start = end + 1;
    }
    this.#hold(stream, bytes.subarray(start), lines);
    this.#append(lines, bytes.byteLength);
  }

  /** Writes what is held of unfinished lines and closes. */
  end(): void {
    const lines: Buffer[] = [];
    let held = 0;
    for (const stream of ['stdout', 'stderr'] as const) {
      held += this.#partialBytes[stream];
      if (this.#partialBytes[stream] > 0) this.#emit(stream, 'F', lines);
    }
    this.#append(lines, held);
    this.closeDescriptor();
  }

  /** The next write opens it again. */
  closeDescriptor(): void {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    this.#fd = undefined;
    this.#descriptors.closed(this);
  }

  #hold(stream: StreamName, piece: Uint8Array, lines: Buffer[]): void {
    const { lineBytes } = this.#bounds;
    while (this.#partialBytes[stream] + piece.byteLength > lineBytes) {
      const room = lineBytes - this.#partialBytes[stream];
      this.#keep(stream, piece.subarray(0, room));
      piece = piece.subarray(room);
      this.#emit(stream, 'P', lines);
    }
    if (piece.byteLength > 0) this.#keep(stream, piece);
  }

  #keep(stream: StreamName, piece: Uint8Array): void {
    this.#partial[stream].push(piece.slice());
    this.#partialBytes[stream] += piece.byteLength;
  }

  #emit(stream: StreamName, tag: 'F' | 'P', lines: Buffer[]): void {
    lines.push(
      Buffer.from(`${this.#timestamp()} ${stream} ${tag} `),
      ...this.#partial[stream].map(Buffer.from),
      LINE_END,
    );
    this.#partial[stream] = [];
    this.#partialBytes[stream] = 0;
  }

  /** RFC 3339 with nanoseconds; within a millisecond the last digits only keep the order. */
  #timestamp(): string {
    const now = this.#clock.now();
    this.#sequence = now === this.#lastMs ? Math.min(this.#sequence + 1, 999_999) : 0;
    this.#lastMs = now;
    return `${new Date(now).toISOString().slice(0, -1)}${String(this.#sequence).padStart(6, '0')}Z`;
  }

  #append(lines: readonly Buffer[], guestBytes: number): void {
    if (lines.length === 0) return;
    const chunk = Buffer.concat(lines);
    try {
      if (this.#size >= this.#bounds.fileBytes) this.#rotate();
      const fd = this.#open();
      this.#descriptors.used(this);
      if (!this.#writeWhole(fd, chunk)) this.#dropped += guestBytes;
    } catch {
      this.#dropped += guestBytes;
    }
  }

  /** All or nothing: a torn line would make readers lose the one after it too. */
  #writeWhole(fd: number, chunk: Buffer): boolean {
    let written = 0;
    try {
      while (written < chunk.byteLength) written += writeSync(fd, chunk, written);
    } catch {
      if (written > 0) ftruncateSync(fd, this.#size);
      return false;
    }
    this.#size += written;
    return true;
  }

  #open(): number {
    if (this.#fd !== undefined) return this.#fd;
    this.#descriptors.makeRoom();
    const fd = openSync(this.path, FLAGS, 0o640);
    this.#fd = fd;
    this.#size = fstatSync(fd).size;
    this.#descriptors.opened(this);
    return fd;
  }

  #rotate(): void {
    this.closeDescriptor();
    this.#size = 0;
    const stamp = new Date(this.#clock.now())
      .toISOString()
      .replace(/[-:]|\..*/g, '')
      .replace('T', '-');
    let name = `${this.path}.${stamp}`;
    for (let more = 1; existsSync(name); more++) name = `${this.path}.${stamp}.${String(more).padStart(6, '0')}`;
    renameSync(this.path, name);
    const prefix = `${basename(this.path)}.`;
    const old = readdirSync(dirname(this.path))
      .filter((entry) => entry.startsWith(prefix))
      .sort();
    for (const entry of old.slice(0, Math.max(0, old.length - (this.#bounds.files - 1)))) {
      unlinkSync(join(dirname(this.path), entry));
    }
  }
}

const LINE_END = Buffer.from('\n');
