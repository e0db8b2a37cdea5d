import { BusyError, InvalidInputError, OutcomeUnknownError, SkillflowError, UnavailableError } from '../errors.ts';
import { RequestFailure } from './server-request.ts';
import { sqliteFailure } from './sqlite-failure.ts';
import { baseCode, codeOf } from './storage-error.ts';

/** How a statement or a commit on a server failed. */
export interface ServerFailure {
  readonly error: SkillflowError;
  /** Whether the same from the start may succeed soon: the lock was busy, the connection or the transaction was lost. */
  readonly passing: boolean;
  /** Whether the transaction that it belonged to can go on; else nothing may follow, for it would stand alone. */
  readonly survived: boolean;
  /** Whether what was asked may have been done all the same. */
  readonly unknown: boolean;
}

/** The server gave the transaction up: it was idle, or it kept others from writing for too long. */
const GIVEN_UP: readonly string[] = ['STREAM_EXPIRED', 'TRANSACTION_TIMEOUT', 'TRANSACTION_BUSY', 'TRANSACTION_CLOSED'];
const NO_TRANSACTION = /no transaction is active/;
/** Kinds of results after which SQLite may have rolled back by itself (source: sqlite.org/lang_transaction.html). */
const ENDS_TRANSACTION: readonly string[] = ['SQLITE_FULL', 'SQLITE_IOERR', 'SQLITE_NOMEM', 'SQLITE_BUSY', 'SQLITE_INTERRUPT'];
/** Refused before anything was run. */
const NOT_RUN: readonly string[] = [
  'SQL_PARSE_ERROR',
  'SQL_NO_STATEMENT',
  'SQL_MANY_STATEMENTS',
  'ARGS_INVALID',
  'ARGS_BOTH_POSITIONAL_AND_NAMED',
];

/** Not what the protocol allows; the empty code is that of an error of the client itself. */
const NOT_UNDERSTOOD: readonly string[] = [
  '',
  'HRANA_PROTO_ERROR',
  'PROTOCOL_VERSION_ERROR',
  'SERVER_ERROR',
  'INTERNAL_ERROR',
  'UNKNOWN',
];

/** The innermost message: the client puts codes in front of what the server said. */
function messageOf(thrown: unknown): string {
  let message = String(thrown);
  for (let error = thrown; error instanceof Error; error = error.cause) message = error.message;
  return message.replace(/^(?:SQLite error|SQL string could not be parsed|Arguments do not match SQL parameters): /, '');
}

function errorOf(thrown: unknown, code: string, href: string, sql: string): SkillflowError {
  if (thrown instanceof SkillflowError) return thrown;
  const message = messageOf(thrown);
  if (GIVEN_UP.includes(code) || NO_TRANSACTION.test(message)) {
    return new BusyError(`the database server ${href} gave up a transaction: ${message}`, {
      cause: thrown,
      hint: 'Nothing of it was stored: try again.',
      details: { url: href, code },
    });
  }
  if (code === 'ARGS_INVALID') {
    return new InvalidInputError(`the database server ${href} refuses a value: ${message}`, { cause: thrown });
  }
  if (code === 'RESPONSE_TOO_LARGE') {
    return new InvalidInputError(`the answer is larger than the database server ${href} sends at once`, {
      cause: thrown,
      hint: 'Ask for less: a smaller limit, or single entries.',
    });
  }
  if (NOT_UNDERSTOOD.includes(code)) {
    return new UnavailableError(`the database server ${href} gave an answer that is not understood: ${message}`, {
      cause: thrown,
      hint: 'Check that SKILLFLOW_DB_URL is the address of a libSQL server, and its version.',
      details: { url: href, code },
    });
  }
  return sqliteFailure(Object.assign(new Error(message, { cause: thrown }), { code }), href, sql);
}

/** What the client threw, as a failure of a statement in a transaction or of one that only reads. */
export function serverFailure(thrown: unknown, href: string, sql: string): ServerFailure {
  if (thrown instanceof RequestFailure) {
    return { error: thrown.error, passing: thrown.passing, survived: false, unknown: thrown.reached === 'maybe' };
  }
  const code = codeOf(thrown);
  const error = errorOf(thrown, code, href, sql);
  const kind = baseCode(code);
  const ran = code.startsWith('SQLITE_') && kind !== 'SQLITE_IOERR'; // and was undone, being refused
  return {
    error,
    passing: error instanceof BusyError,
    survived: (code.startsWith('SQLITE_') && !ENDS_TRANSACTION.includes(kind)) || NOT_RUN.includes(code),
    unknown: !ran && !(error instanceof BusyError) && !NOT_RUN.includes(code),
  };
}

/** Kinds of results of a commit that say that nothing was stored. */
const NOT_COMMITTED: readonly string[] = ['SQLITE_CONSTRAINT', 'SQLITE_BUSY', 'SQLITE_LOCKED', 'SQLITE_FULL'];

/** What the client threw, as a failure of a commit: unless the server said so, nobody knows whether it happened. */
export function commitFailure(thrown: unknown, href: string): ServerFailure {
  const failure = serverFailure(thrown, href, 'COMMIT');
  if (thrown instanceof RequestFailure) return failure;
  const said = failure.error instanceof BusyError || NOT_COMMITTED.includes(baseCode(codeOf(thrown)));
  return { ...failure, unknown: !said };
}

/** The error for a write of which no answer came. */
export function outcomeUnknown(href: string, { error }: ServerFailure): OutcomeUnknownError {
  return new OutcomeUnknownError(`it is unknown whether a write was stored: ${error.message}`, {
    cause: error,
    hint: 'It was not sent again. Look whether it is there, and repeat it only if it is not.',
    details: { url: href },
  });
}
