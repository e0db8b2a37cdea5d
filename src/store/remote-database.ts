import type { Client, InValue, ResultSet, Transaction } from '@libsql/client/http';
import { ForbiddenError, InternalError, InvalidInputError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import { NOT_CHECKED, type Database, type Queries, type Row, type SqlValue } from './database.ts';
import { READS } from './local-database.ts';
import { createLock } from './lock.ts';
import { parameter } from './parameter.ts';
import { textOf } from './row.ts';
import { commitFailure, outcomeUnknown, serverFailure, type ServerFailure } from './server-failure.ts';
import { givenUp } from './server-request.ts';
import { inTime, retryAttempts, type Attempt } from './server-retry.ts';

/** Milliseconds that a write waits for those of this process before it: each takes several round trips. */
const TURN_MS = 60_000;
/** Milliseconds after which a transaction goes on only with a server that is brisk: work may be long, waiting may not. */
const TRANSACTION_MS = 20_000;
/** Milliseconds that an answer may take from then on. */
const BRISK_MS = 2_000;
/** Milliseconds that closing leaves to what is under way. */
const CLOSE_MS = 500;

export interface RemoteDatabaseOptions {
  readonly client: Client;
  /** The server's URL, for messages. */
  readonly href: string;
  readonly runtime: Runtime;
  readonly readOnly: boolean;
  /** Milliseconds that a call keeps trying while the server cannot be reached or is busy. */
  readonly patienceMs: number;
  /** Its signal is what the client's requests follow; aborted when the database is closed. */
  readonly stop: AbortController;
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

/** Waits for one answer within a transaction. */
type Brisk = <T>(answer: Promise<T>) => Promise<T>;

function createBrisk(runtime: Runtime, href: string): Brisk {
  const begun = runtime.ticks();
  return (answer) => (runtime.ticks() - begun < TRANSACTION_MS ? answer : inTime(runtime, href, BRISK_MS, answer));
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
function statementsOf(transaction: Transaction, href: string, brisk: Brisk): OpenTransaction {
  let over = false;
  let lost: ServerFailure | undefined;
  let last: Promise<unknown> = Promise.resolve();
  const send = async (sql: string, args: InValue[]): Promise<ResultSet> => {
    if (lost !== undefined) throw lost.error;
    try {
      return await brisk(transaction.execute({ sql, args }));
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
export function createRemoteDatabase(options: RemoteDatabaseOptions): Database {
  const { client, href, runtime, readOnly, stop } = options;
  const patience = { runtime, patienceMs: options.patienceMs, signal: stop.signal };
  const lock = createLock(runtime, TURN_MS);
  const underWay = new Set<Promise<unknown>>();
  let closed = false;
  let versions = 0;
  let commits = 0;

  const checkGoesOn = (): void => {
    if (stop.signal.aborted) throw givenUp(href);
  };
  /** Lets closing wait for an operation, and refuses one that comes after. */
  const tracked = async <T>(work: () => Promise<T>): Promise<T> => {
    checkGoesOn();
    if (closed) throw new InternalError(`the database ${href} is closed`);
    const working = work();
    underWay.add(working);
    try {
      return await working;
    } finally {
      underWay.delete(working);
    }
  };
  const rollback = async (transaction: Transaction, brisk: Brisk): Promise<void> => {
    try {
      await brisk(transaction.rollback());
    } catch (error) {
      // The server does it by itself when the stream is gone.
      runtime.log('debug', `no rollback on ${href}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      transaction.close();
    }
  };
  const attempt = async <T>(body: (queries: Queries) => Promise<T>): Promise<Attempt<T>> => {
    checkGoesOn();
    const brisk = createBrisk(runtime, href);
    const transaction = await client.transaction('write');
    const statements = statementsOf(transaction, href, brisk);
    let value: T;
    try {
      value = await body(statements.queries);
      await statements.finish();
    } catch (error) {
      await statements.finish();
      await rollback(transaction, brisk);
      const failure = statements.lost();
      if (failure === undefined) throw error;
      return { ok: false, failure, again: failure.passing };
    }
    const failure = statements.lost();
    if (failure !== undefined) {
      await rollback(transaction, brisk);
      return { ok: false, failure, again: failure.passing };
    }
    try {
      await brisk(transaction.commit());
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
  const write: Database['write'] = (body) => tracked(() => inTurn(() => retryAttempts(patience, () => attempt(body))));
  /** One statement by itself; @param changes whether it may change something, and must not be sent twice */
  const send = (sql: string, params: readonly SqlValue[], changes: boolean): Promise<ResultSet> =>
    retryAttempts(patience, async () => {
      checkGoesOn();
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
    tracked(() => (READS.test(sql) ? send(sql, params, false) : inTurn(() => send(sql, params, true)))),
  );
  const writing = queriesOver((sql, params) => tracked(() => inTurn(() => send(sql, params, true))));
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    const timer = new AbortController();
    const grace = runtime.sleep(CLOSE_MS, timer.signal).then(
      () => stop.abort(),
      () => undefined, // all was done before
    );
    await Promise.race([Promise.allSettled(underWay), grace]);
    timer.abort();
    await Promise.allSettled(underWay);
    client.close();
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
    dataVersion: () =>
      tracked(async () => {
        versions += 1;
        return versions;
      }),
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
