/**
 * What the node keeps about a sandbox, in a folder that the sandbox cannot reach (but for `exits/`, which is all that it
 * writes there): so a node that was killed finds its sandboxes again, and no sandbox decides which process that is.
 *
 *     sandboxes/<id>/record.json   pid and start time, whose it is
 *     sandboxes/<id>/workloads     what was placed there: a line a change, `+key {limits}` (also for new limits) or `-key`
 *     sandboxes/<id>/exits/        written by the sandbox; see exits.ts
 *     sandboxes/<id>/lost/         exits that the node concluded after the sandbox had ended
 *     sandboxes/<id>/{c,d,log}     its two sockets; its own standard output
 */
import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { Tree } from '#kit/os';
import type { Limits } from '../../contract.ts';
import { limitsShape, workloadName } from '../protocol/messages.ts';
import { flag, integer, list, oneOf, optional, record, type Shaped, text } from '../protocol/shape.ts';

const MOST_LOG_BYTES = 1024 * 1024;
/** Four thousand characters, as `main.ts` writes them. */
const MOST_CRASH_BYTES = 16 * 1024;
const KEPT_LOG_BYTES = 64 * 1024;

const recordShape = record(
  {
    id: text({ max: 64, pattern: /^[a-z0-9-]+$/ }),
    pid: integer(1),
    startTime: integer(),
    /** Absent while the sandbox waits for its tenant. */
    tenant: optional(text({ max: 253 })),
    isolation: oneOf('tenant', 'pod'),
    podUid: optional(text({ max: 128 })),
    /** Which of several sandboxes that a tenant's pods share. */
    slot: optional(integer(1, 1024)),
    /** The user that it runs as, where that is not the node's own. */
    uid: optional(integer(1, 0xfffffffe)),
    /** What stands around it, as it said when it started. */
    walls: optional(list(text({ max: 32 }), 16)),
  },
  { open: true },
);
export type SandboxRecord = Shaped<typeof recordShape>;

const claimShape = record({ limits: limitsShape, plain: optional(flag) });

/** What a workload may take, as the node that placed it knew. */
export interface Claim {
  readonly limits: Limits;
  /** It runs without checks. */
  readonly plain?: boolean | undefined;
}

export class SandboxFolder {
  readonly id: string;
  readonly path: string;

  constructor(dataDir: string, id: string) {
    this.id = id;
    this.path = join(dataDir, 'sandboxes', id);
  }

  get control(): string {
    return join(this.path, 'c');
  }

  get descriptors(): string {
    return join(this.path, 'd');
  }

  get log(): string {
    return join(this.path, 'log');
  }

  get exits(): string {
    return join(this.path, 'exits');
  }

  get lost(): string {
    return join(this.path, 'lost');
  }

  /** For a sandbox of another user, who passes through this folder to its exits and can list nothing of it. */
  create(uid: number | undefined): void {
    const mode = uid === undefined ? 0o700 : 0o711;
    for (const folder of [this.path, this.exits, this.lost]) mkdirSync(folder, { recursive: true, mode });
    if (uid === undefined) return;
    chmodSync(this.lost, 0o700);
    chmodSync(this.exits, 0o700);
    chownSync(this.exits, uid, uid);
  }

  /** What the sandbox made in it may be of any size and depth. Its record goes first: without it there is no sandbox. */
  async remove(): Promise<void> {
    rmSync(join(this.path, 'record.json'), { force: true });
    await new Tree(dirname(this.path)).remove(this.path);
  }

  write(value: SandboxRecord): void {
    const path = join(this.path, 'record.json');
    writeFileSync(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  read(): SandboxRecord | undefined {
    try {
      return recordShape(JSON.parse(readFileSync(join(this.path, 'record.json'), 'utf8')), 'record');
    } catch {
      return undefined;
    }
  }

  /** Not synced: it must outlive the node, and a machine that stops takes the sandbox with it. */
  note(change: '+' | '-', key: string, claim?: Claim): void {
    const more = claim === undefined ? '' : ` ${JSON.stringify(claim)}`;
    appendFileSync(join(this.path, 'workloads'), `${change}${key}${more}\n`, { mode: 0o600 });
  }

  /** The sandbox's output goes on at the beginning (it appends); what it said last stays beside it. */
  boundLog(): void {
    try {
      const { size } = statSync(this.log);
      if (size <= MOST_LOG_BYTES) return;
      writeFileSync(`${this.log}.1`, tailOf(this.log, size), { mode: 0o600 });
      truncateSync(this.log, 0);
    } catch {
      // Removed at this moment, or a full disk: the next beat tries again.
    }
  }

  /** The end of the sandbox's own output: when it cannot be spoken with, it has often said why. */
  lastWords(): string {
    try {
      // A sandbox that was broken out of cuts and writes it as it likes.
      return tailOf(this.log, statSync(this.log).size).toString('utf8').replace(/^\0+/, '').slice(-500).trim();
    } catch {
      return '';
    }
  }

  /** What the process said of its own end, if it did: for people, since it decides nothing. */
  crashNote(): string | undefined {
    const file = new Tree(this.exits).read('crash', MOST_CRASH_BYTES);
    return file === undefined ? undefined : file.toString('utf8').slice(0, 1000);
  }

  /** With what each may take; undefined where that cannot be read. */
  placed(): Map<string, Claim | undefined> {
    const keys = new Map<string, Claim | undefined>();
    let lines: string[] = [];
    try {
      lines = readFileSync(join(this.path, 'workloads'), 'utf8').split('\n').slice(0, -1);
    } catch {
      return keys;
    }
    for (const line of lines) {
      const [name = '', ...claim] = line.slice(1).split(' ');
      const key = workloadName(name, 'workload');
      if (line.startsWith('+')) keys.set(key, claimOf(claim.join(' ')));
      else keys.delete(key);
    }
    return keys;
  }
}

function claimOf(json: string): Claim | undefined {
  try {
    return claimShape(JSON.parse(json), 'claim');
  } catch {
    return undefined;
  }
}

function tailOf(path: string, size: number): Buffer {
  const fd = openSync(path, 'r');
  try {
    const tail = Buffer.alloc(KEPT_LOG_BYTES);
    return tail.subarray(0, readSync(fd, tail, 0, KEPT_LOG_BYTES, Math.max(0, size - KEPT_LOG_BYTES)));
  } finally {
    closeSync(fd);
  }
}

/** Folders of the sandboxes that this data directory knows. */
export function foldersOf(dataDir: string): SandboxFolder[] {
  try {
    return readdirSync(join(dataDir, 'sandboxes')).map((id) => new SandboxFolder(dataDir, id));
  } catch {
    return [];
  }
}
