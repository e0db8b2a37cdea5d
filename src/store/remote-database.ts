import type { Client, InValue, ResultSet, Transaction } from '@libsql/client/http';
import { ForbiddenError, InternalError, InvalidInputError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import { NOT_CHECKED, type Database, type Queries, type Row, type SqlValue } from './database.ts';
import { READS } from './local-database.ts';
import { createLock } from './lock.ts';
import { parameter } from './parameter.ts';
import { textOf } from './row.ts';
import { commitFailure, outcomeUnknown, serverFailure, type ServerFailure } from './server-failure.ts';
import { retryAttempts, type Attempt } from './server-retry.ts';

/** Milliseconds that a write waits for those of this process before it: each takes several round trips. */
const TURN_MS = 60_000;

export interface RemoteDatabaseOptions {
  readonly client: Client;
  /** The server's URL, for messages. */
  readonly href: string;
  readonly runtime: Runtime;
  readonly readOnly: boolean;
  /** Milliseconds that a call keeps trying while the server cannot be reached or is busy. */
  readonly patienceMs: number;
}

/** A parameter as the protocol carries it: JSON, which has no infinities. */
function argument(value: SqlValue, index: number): InValue {
  if (value === Infinity || value === -Infinity) {
    throw new InvalidInputError(`SQL parameter ${index + 1} is ${value}, which cannot be sent to a server`, {
      hint: 'Pass null or a finite number.',
      details: { index },
    });
  }
  return parameter(value, index);
}

function column(value: unknown): SqlValue {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'string' || typeof value === 'number' || value === null) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  throw new InternalError(`the database client returned a column of type ${typeof value}`);
}

function rowsOf({ columns, rows }: ResultSet): readonly Row[] {
  return rows.map((row) => Object.fromEntries(columns.map((name, index) => [name, column(row[index])])));
}

type Execute = (sql: string, params: readonly SqlValue[]) => Promise<ResultSet>;

function queriesOver(execute: Execute): Queries {
  return {
    all: async (sql, params = []) => rowsOf(await execute(sql, params)),
    get: async (sql, params = []) => rowsOf(await execute(sql, params))[0],
    run: async (sql, params = []) => {
      const { rowsAffected, lastInsertRowid } = await execute(sql, params);
      return { changes: rowsAffected, lastId: Number(lastInsertRowid ?? 0) };
    },
  };
}

interface OpenTransaction {
  readonly queries: Queries;
  /** What ended it before its time. */
  lost(): ServerFailure | undefined;
  /** Resolves when no statement is on its way any more, and refuses further ones. */
  finish(): Promise<void>;
}

/**
 * The statements of one transaction, one after the other: once one of them has ended the transaction, the next would be
 * run, and stored, by itself.
 */
function statementsOf(transaction: Transaction, href: string): OpenTransaction {
  let over = false;
  let lost: ServerFailure | undefined;
  let last: Promise<unknown> = Promise.resolve();
  const send = async (sql: string, args: InValue[]): Promise<ResultSet> => {
    if (lost !== undefined) throw lost.error;
    try {
      return await transaction.execute({ sql, args });
    } catch (thrown) {
      const failure = serverFailure(thrown, href, sql);
      if (!failure.survived) lost = failure;
      throw failure.error;
    }
  };
  return {
    queries: queriesOver(async (sql, params) => {
      if (over)
        throw new InternalError('a query was sent to a transaction that is over', { hint: 'Await every query inside it.' });
      const args = params.map(argument);
      const turn = last.then(() => send(sql, args));
      last = turn.catch(() => undefined); // its own caller is told
      return turn;
    }),
    lost: () => lost,
    finish: async () => {
      over = true;
      await last;
    },
  };
}

/**
 * The {@link Database} on a libSQL server. A connection that is lost before a commit was sent has stored nothing: the
 * transaction runs again from its start. When the answer to a commit, or to a write of one statement, is lost, nothing
 * is sent again, and the error is `OutcomeUnknownError`.
 */
export function createRemoteDatabase({ client, href, runtime, readOnly, patienceMs }: RemoteDatabaseOptions): Database {
  const lock = createLock(runtime, TURN_MS);
  let closed = false;
  let versions = 0;
  let commits = 0;

  const checkOpen = (): void => {
    if (closed) throw new InternalError(`the database ${href} is closed`);
  };
  const rollback = async (transaction: Transaction): Promise<void> => {
    try {
      await transaction.rollback();
    } catch (error) {
      // The server does it by itself when the stream is gone.
      runtime.log('debug', `no rollback on ${href}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      transaction.close();
    }
  };
  const attempt = async <T>(body: (queries: Queries) => Promise<T>): Promise<Attempt<T>> => {
    checkOpen();
    const transaction = await client.transaction('write');
    const statements = statementsOf(transaction, href);
    let value: T;
    try {
      value = await body(statements.queries);
      await statements.finish();
    } catch (error) {
      await statements.finish();
      await rollback(transaction);
      const failure = statements.lost();
      if (failure === undefined) throw error;
      return { ok: false, failure, again: failure.passing };
    }
    const failure = statements.lost();
    if (failure !== undefined) {
      await rollback(transaction);
      return { ok: false, failure, again: failure.passing };
    }
    try {
      await transaction.commit();
      commits += 1;
      return { ok: true, value };
    } catch (thrown) {
      const failed = commitFailure(thrown, href);
      if (failed.unknown) {
        commits += 1; // it may have been
        throw outcomeUnknown(href, failed);
      }
      return { ok: false, failure: failed, again: failed.passing };
    }
  };
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    if (readOnly) throw new ForbiddenError(`the database ${href} is open read-only`, { hint: 'Open it writable to change it.' });
    const release = await lock.acquire();
    try {
      return await work();
    } finally {
      release();
    }
  };
  const write: Database['write'] = (body) => inTurn(() => retryAttempts(runtime, patienceMs, () => attempt(body)));
  /** One statement by itself; @param changes whether it may change something, and must not be sent twice */
  const send = (sql: string, params: readonly SqlValue[], changes: boolean): Promise<ResultSet> =>
    retryAttempts(runtime, patienceMs, async () => {
      checkOpen();
      const args = params.map(argument);
      try {
        const value = await client.execute({ sql, args });
        if (changes) commits += 1;
        return { ok: true, value };
      } catch (thrown) {
        const failure = serverFailure(thrown, href, sql);
        if (changes && failure.unknown) {
          commits += 1; // it may have been
          throw outcomeUnknown(href, failure);
        }
        return { ok: false, failure, again: failure.passing };
      }
    });
  const reading = queriesOver((sql, params) =>
    READS.test(sql) ? send(sql, params, false) : inTurn(() => send(sql, params, true)),
  );
  const writing = queriesOver((sql, params) => inTurn(() => send(sql, params, true)));
  const close = async (): Promise<void> => {
    if (closed) return;
    const release = await lock.acquire();
    closed = true;
    client.close();
    release();
  };
  return {
    kind: 'remote',
    path: href,
    readOnly,
    all: (sql, params) => reading.all(sql, params),
    get: (sql, params) => reading.get(sql, params),
    run: (sql, params) => writing.run(sql, params),
    write,
    get commits() {
      return commits;
    },
    dataVersion: async () => {
      checkOpen();
      versions += 1;
      return versions;
    },
    integrity: async () => {
      try {
        const rows = await reading.all('PRAGMA integrity_check');
        return rows.map((row) => textOf(row, 'integrity_check')).join('\n');
      } catch (error) {
        if (!(error instanceof InternalError) || error.details?.['code'] !== 'SQL_PARSE_ERROR') throw error;
        return NOT_CHECKED;
      }
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
