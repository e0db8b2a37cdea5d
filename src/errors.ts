/**
 * Errors by the decision a caller can make. Every error carries a stable `code`, a `hint` (what to do next) and
 * whether the same call may succeed later. Surfaces map codes once: MCP `isError`, the exit code, the HTTP status.
 */
export interface ErrorOptions {
  /** What the caller can do next, one sentence. */
  readonly hint?: string | undefined;
  /** The error underneath, kept for logs. */
  readonly cause?: unknown;
  /** Machine-readable facts: the parameter, the path, the limit. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

export type ErrorCode =
  | 'invalid_input'
  | 'not_found'
  | 'not_supported'
  | 'unavailable'
  | 'forbidden'
  | 'conflict'
  | 'busy'
  | 'deadline'
  | 'cancelled'
  | 'database_damaged'
  | 'schema_too_new'
  | 'storage'
  | 'outcome_unknown'
  | 'internal';

/** Base of every error that Skillflow throws on purpose. */
export abstract class SkillflowError extends Error {
  abstract readonly code: ErrorCode;
  readonly retryable: boolean = false;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.hint = options.hint;
    this.details = options.details;
  }
}

/** The caller sent something wrong: fix the call. */
export class InvalidInputError extends SkillflowError {
  override readonly code = 'invalid_input';
}

/** The named thing does not exist: look it up. */
export class NotFoundError extends SkillflowError {
  override readonly code = 'not_found';
}

/** Skillflow does not do this: use what the hint names. */
export class NotSupportedError extends SkillflowError {
  override readonly code = 'not_supported';
}

export interface UnavailableOptions extends ErrorOptions {
  /** Whether it may be there later, as a server that is down; default `false`, as for what is not installed. */
  readonly retryable?: boolean | undefined;
}

/** A capability that this machine lacks (git, a model provider, a native module): provide it. */
export class UnavailableError extends SkillflowError {
  override readonly code = 'unavailable';
  override readonly retryable: boolean;

  constructor(message: string, options: UnavailableOptions = {}) {
    super(message, options);
    this.retryable = options.retryable ?? false;
  }
}

/** Policy refuses the call: read-only mode, a path outside the project. */
export class ForbiddenError extends SkillflowError {
  override readonly code = 'forbidden';
}

/** The call contradicts the present state: look, then decide. */
export class ConflictError extends SkillflowError {
  override readonly code = 'conflict';
}

/** Another process holds the resource: try again. */
export class BusyError extends SkillflowError {
  override readonly code = 'busy';
  override readonly retryable = true;
}

/** The time allowed ran out: allow more or ask for less. */
export class DeadlineError extends SkillflowError {
  override readonly code = 'deadline';
  override readonly retryable = true;
}

/** The caller cancelled. */
export class CancelledError extends SkillflowError {
  override readonly code = 'cancelled';
}

/** The database file cannot be read; it was left untouched. */
export class DatabaseDamagedError extends SkillflowError {
  override readonly code = 'database_damaged';
}

/** A newer Skillflow wrote this database: upgrade. */
export class SchemaTooNewError extends SkillflowError {
  override readonly code = 'schema_too_new';
}

/** The disk refused: full, read-only, no permission. */
export class StorageError extends SkillflowError {
  override readonly code = 'storage';
}

/**
 * A write was sent, and no answer came: it may be stored or not, and was not sent again. Look whether it is there; only
 * then repeat it.
 */
export class OutcomeUnknownError extends SkillflowError {
  override readonly code = 'outcome_unknown';
}

/** A defect of Skillflow's own. */
export class InternalError extends SkillflowError {
  override readonly code = 'internal';
}

/** What surfaces print and answers carry: never a stack, never a secret. */
export interface ErrorBody {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly retryable: boolean;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Any thrown value as an error of ours; an unknown one becomes `internal` with its message kept. */
export function toSkillflowError(thrown: unknown): SkillflowError {
  if (thrown instanceof SkillflowError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new InternalError(message, {
    cause: thrown,
    hint: 'This is a defect of Skillflow; please report it with the command that led here.',
  });
}

/** The printable form of an error. */
export function errorBody(error: SkillflowError): ErrorBody {
  return {
    code: error.code,
    message: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    retryable: error.retryable,
    ...(error.details === undefined ? {} : { details: error.details }),
  };
}
