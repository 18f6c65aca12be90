/**
 * The SQLite file: the objects and the log of changes. WAL with synchronous=FULL: what is committed is on the disk. Only `store.ts` calls this; the file's content is its own contract with later versions (user_version).
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { messageOf } from '#kit';
import { apiError } from '../errors.ts';

const SCHEMA_VERSION = 1;
const SCHEMA = `
  CREATE TABLE objects (
    storage TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    revision INTEGER NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (storage, namespace, name)
  ) WITHOUT ROWID;
  CREATE TABLE log (
    revision INTEGER PRIMARY KEY, type TEXT NOT NULL,
    storage TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    data TEXT NOT NULL, previous TEXT
  );
  CREATE TABLE state (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO state VALUES ('revision', 0), ('compacted', 0);
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED';

export interface ObjectRow {
  readonly storage: string;
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  readonly data: string;
}

export interface LogRow extends ObjectRow {
  readonly type: ChangeType;
  readonly previous: string | null;
}

export class Database {
  readonly #db: DatabaseSync;
  readonly #put: StatementSync;
  readonly #remove: StatementSync;
  readonly #append: StatementSync;
  readonly #forget: StatementSync;
  readonly #state: StatementSync;

  constructor(path: string) {
    this.#db = open(path);
    this.#put = this.#db.prepare('INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)');
    this.#remove = this.#db.prepare('DELETE FROM objects WHERE storage = ? AND namespace = ? AND name = ?');
    this.#append = this.#db.prepare('INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?)');
    this.#forget = this.#db.prepare('DELETE FROM log WHERE revision <= ?');
    this.#state = this.#db.prepare('UPDATE state SET value = ? WHERE key = ?');
  }

  revision(): number {
    return this.#number('revision');
  }

  compacted(): number {
    return this.#number('compacted');
  }

  *objects(): Iterable<ObjectRow> {
    yield* this.#db.prepare('SELECT * FROM objects ORDER BY storage, namespace, name').iterate() as Iterable<never>;
  }

  *log(): Iterable<LogRow> {
    yield* this.#db.prepare('SELECT * FROM log ORDER BY revision').iterate() as Iterable<never>;
  }

  begin(): void {
    this.#guard(() => this.#db.exec('BEGIN IMMEDIATE'));
  }

  /** One change, in the transaction that is open. */
  write(row: LogRow): void {
    this.#guard(() => {
      const { storage, namespace, name, revision, data } = row;
      if (row.type === 'DELETED') this.#remove.run(storage, namespace, name);
      else this.#put.run(storage, namespace, name, revision, data);
      this.#append.run(revision, row.type, storage, namespace, name, data, row.previous);
    });
  }

  /** All or nothing, and on the disk when it returns. Forgets the log up to `compacted` when that is given. */
  commit(revision: number, compacted?: number): void {
    this.#guard(() => {
      this.#state.run(revision, 'revision');
      if (compacted !== undefined) {
        this.#forget.run(compacted);
        this.#state.run(compacted, 'compacted');
      }
      this.#db.exec('COMMIT');
    });
  }

  close(): void {
    this.#db.close();
  }

  #number(key: string): number {
    const row = this.#db.prepare('SELECT value FROM state WHERE key = ?').get(key) as { value: number } | undefined;
    return row?.value ?? 0;
  }

  /** What fails ends the transaction with all that is in it. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (cause) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw apiError('API_STATE_UNUSABLE', `Cannot write the API's state: ${messageOf(cause)}`, {
        hint: 'Look whether the disk of the data directory is full or read-only.',
        cause,
      });
    }
  }
}

function open(path: string): DatabaseSync {
  try {
    const db = new DatabaseSync(path);
    db.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 2000; PRAGMA locking_mode = EXCLUSIVE;',
    );
    prepareSchema(db);
    return db;
  } catch (cause) {
    throw apiError('API_STATE_UNUSABLE', `Cannot open the API's state '${path}': ${messageOf(cause)}`, {
      hint: "Another node may hold it; 'wasmlet reset' starts over with an empty one.",
      cause,
    });
  }
}

function prepareSchema(db: DatabaseSync): void {
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
  if (version === SCHEMA_VERSION) return;
  if (version !== 0) throw new Error(`it was written by a newer version (schema ${version})`);
  db.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT;`);
}
