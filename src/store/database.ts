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

/**
 * A project's database. One connection a process; every write is atomic by itself or inside {@link Database.write}.
 * Errors: `BusyError` when another process holds the lock for longer than the time allowed, `StorageError` when the
 * disk refuses, `DatabaseDamagedError` when the file is not readable as a database.
 */
export interface Database extends Queries, AsyncDisposable {
  readonly path: string;
  readonly readOnly: boolean;
  /**
   * Runs `body` in one immediate transaction: committed when it resolves, rolled back when it rejects, run again from
   * its start when the lock was busy. `body` awaits nothing but the given queries.
   */
  write<T>(body: (queries: Queries) => Promise<T>): Promise<T>;
  /** Changes whenever another connection has committed (`PRAGMA data_version`). */
  dataVersion(): Promise<number>;
  /** `ok`, or what `PRAGMA integrity_check` printed. */
  integrity(): Promise<string>;
  close(): Promise<void>;
}
