/** What a column can hold. Integers are returned as numbers. */
export type SqlValue = string | number | bigint | Uint8Array | null;
export type Row = Readonly<Record<string, SqlValue>>;

/** Statements against one connection, positional `?` parameters. */
export interface Queries {
  /** All rows; an empty array when there are none. */
  all(sql: string, params?: readonly SqlValue[]): Promise<readonly Row[]>;
  /** The first row, or `undefined`. */
  get(sql: string, params?: readonly SqlValue[]): Promise<Row | undefined>;
  /** Runs a statement that changes data. */
  run(sql: string, params?: readonly SqlValue[]): Promise<{ readonly changes: number; readonly lastId: number }>;
}

/** What `Database.integrity` answers when a server does not allow the check. */
export const NOT_CHECKED = 'not checked: the database server does not allow it';

/** What a local replica knows of its server. */
export interface ReplicaState {
  /** When the last complete synchronization began, ms since the epoch; `null` before the first. */
  readonly syncedAtMs: number | null;
  /** Why the last attempt failed; `null` when it did not. */
  readonly problem: string | null;
  /** Whether writes of this process are not in the replica yet; reads then ask the server. */
  readonly behindOwnWrites: boolean;
}

/**
 * Where a database is: a file, the memory of this process, a libSQL server, or a server with a local replica that is
 * read. A server is not asked for what belongs to a file: its path, its pages, its log.
 */
export type DatabaseKind = 'file' | 'memory' | 'remote' | 'replica';

/**
 * A project's database. One connection a process; every write is atomic by itself or inside {@link Database.write}.
 * Errors: `BusyError` when another process holds the lock for longer than the time allowed, `StorageError` when the
 * disk refuses, `DatabaseDamagedError` when the file is not readable as a database. Of a server also:
 * `UnavailableError` when it cannot be reached, and nothing was changed; `OutcomeUnknownError` when the answer to a
 * commit was lost; `ForbiddenError` when it refuses the token.
 */
export interface Database extends Queries, AsyncDisposable {
  readonly kind: DatabaseKind;
  /** The file's; of a server its URL without secrets. */
  readonly path: string;
  readonly readOnly: boolean;
  /**
   * Runs `body` in one immediate transaction: committed when it resolves, rolled back when it rejects, run again from
   * its start when the lock was busy or the connection to a server was lost before the commit was sent. `body` awaits
   * nothing but the given queries.
   */
  write<T>(body: (queries: Queries) => Promise<T>): Promise<T>;
  /** Transactions that this object has committed: with {@link dataVersion} it tells whether anything can have changed. */
  readonly commits: number;
  /** Changes whenever another connection has committed (`PRAGMA data_version`); of a server, with every call. */
  dataVersion(): Promise<number>;
  /** `ok`, or what `PRAGMA integrity_check` printed; {@link NOT_CHECKED} when a server refuses to check. */
  integrity(): Promise<string>;
  /** How old a replica is; only where `kind` is `replica`. */
  replica?(): ReplicaState;
  close(): Promise<void>;
}
