import { BusyError, ConflictError, DatabaseDamagedError, InternalError, InvalidInputError, SkillflowError } from '../errors.ts';
import { baseCode, codeOf, storageError } from './storage-error.ts';

/** The error for a file that cannot be read as a database; nothing has been written to it. */
export function damaged(path: string, reason: string, cause?: unknown): DatabaseDamagedError {
  return new DatabaseDamagedError(`the database ${path} is damaged: ${reason}`, {
    cause,
    hint: `Restore a backup of it, or move ${path} aside (with its -wal and -shm files) and start with an empty one; it was left as it is.`,
    details: { path },
  });
}

/** What marks an error as one of the full-text index alone. */
const FULL_TEXT = 'full-text index';

/** Whether an error says that the full-text index is damaged, which `memory doctor --repair` makes anew. */
export function isIndexDamage(error: unknown): error is DatabaseDamagedError {
  return error instanceof DatabaseDamagedError && error.details?.['part'] === FULL_TEXT;
}

/** A server's database has a URL. */
const isRemote = (path: string): boolean => /^\w+:\/\//.test(path);

const MEND = 'Run skillflow memory doctor --repair, which';
const MOVE =
  'Export the memory with skillflow memory export, and import it into a new database: one on a server is not repaired.';

/** The error for a full-text index that cannot be used. */
export function indexDamaged(path: string, reason: string, cause?: unknown): DatabaseDamagedError {
  return new DatabaseDamagedError(
    `the full-text index of the database ${path} is damaged, while the entries themselves are intact: ${reason}`,
    {
      cause,
      hint: isRemote(path)
        ? MOVE
        : `${MEND} makes the index anew from the entries after a backup; until then entries can be read.`,
      details: { path, part: FULL_TEXT },
    },
  );
}

/** Of a search, which reads both: the code does not say which of the two it was. */
function perhapsIndexDamaged(path: string, reason: string, cause: unknown): DatabaseDamagedError {
  const mend = `${MEND} makes the full-text index anew after a backup; if it finds that more is damaged, restore a backup.`;
  return new DatabaseDamagedError(`the database ${path} is damaged, perhaps in its full-text index alone: ${reason}`, {
    cause,
    hint: isRemote(path) ? MOVE : mend,
    details: { path },
  });
}

function tableMissing(path: string, table: string, cause: unknown): DatabaseDamagedError {
  return new DatabaseDamagedError(`the database ${path} is damaged: its table ${table} is missing`, {
    cause,
    hint: isRemote(path) ? MOVE : `${MEND} makes anew what follows from the rest after a backup, and says what does not.`,
    details: { path, table },
  });
}

function schemaDamaged(path: string, reason: string, cause: unknown): DatabaseDamagedError {
  return new DatabaseDamagedError(`the database ${path} is damaged: its schema asks for what there is not (${reason})`, {
    cause,
    hint: isRemote(path) ? MOVE : `${MEND} makes the schema anew after a backup.`,
    details: { path },
  });
}

/** What SQLite says with its general code when the index or what it is made of is not what it should be. */
const INDEX_SAYS = [
  /^no such table: (?:main\.)?(?:memory_fts|memory_text)/,
  /^vtable constructor failed: memory_fts/,
  /^invalid fts5 file format/,
  /^no such module: (?!fts5)/,
  /^table memory_fts has no column named /,
  /^cannot modify memory_fts(?:_folded)? because it is a view/,
  /^no such column: most_pending$/,
];
/** The same, where only the statement says what it is about. */
const SAYS_LITTLE = /^(?:SQL logic error$|no such column: )/;

/** What our triggers say when nobody knows which entries are in the index. */
const INDEX_MARK = /^memory_fts_folded does not say what is indexed$/;

/** Whether a failure is one of the full-text index: search reads it, and the triggers of an entry write to it. */
function isOfIndex(code: string, message: string, sql: string): boolean {
  if (code === 'SQLITE_CORRUPT_VTAB' || code === 'UNKNOWN_SQLITE_ERROR_267') return true; // it is our only virtual table
  if (INDEX_MARK.test(message)) return true;
  const readsIndex = sql.includes('memory_fts');
  if (baseCode(code) === 'SQLITE_CORRUPT') return readsIndex && !sql.includes('memory_entry');
  if (code !== 'SQLITE_ERROR') return false;
  if (INDEX_SAYS.some((saying) => saying.test(message))) return true;
  return SAYS_LITTLE.test(message) && (readsIndex || (message === 'SQL logic error' && sql.includes('memory_entry')));
}

/** What JSON functions say of a column that damage has changed: all that is stored or passed to them is sound. */
const DAMAGED_JSON = /^(?:malformed JSON|JSON cannot hold BLOB values)$/;

/** Whether something is missing that the statement does not name: then a trigger or a view does, whose text has changed. */
function isOfSchema(message: string, sql: string): boolean {
  const missing = /^no such (?:function|column|collation sequence): (.+)$/.exec(message)?.[1];
  return missing !== undefined && !sql.includes(missing);
}

/** Kinds of failures by the low byte of SQLite's result code (source: sqlite.org/rescode.html). */
const KINDS: Readonly<Record<number, string>> = {
  3: 'SQLITE_PERM',
  5: 'SQLITE_BUSY',
  6: 'SQLITE_LOCKED',
  8: 'SQLITE_READONLY',
  10: 'SQLITE_IOERR',
  11: 'SQLITE_CORRUPT',
  13: 'SQLITE_FULL',
  14: 'SQLITE_CANTOPEN',
  18: 'SQLITE_TOOBIG',
  19: 'SQLITE_CONSTRAINT',
  26: 'SQLITE_NOTADB',
};

/** The driver does not know the names of all codes; of the others it gives the number. */
function sqliteCode(thrown: unknown): string {
  const code = codeOf(thrown);
  const number = /^UNKNOWN_SQLITE_ERROR_(\d+)$/.exec(code)?.[1];
  return number === undefined ? code : (KINDS[Number(number) & 0xff] ?? code);
}

/**
 * What the driver threw, as an error of ours, by SQLite's result code (source: sqlite.org/rescode.html).
 * A constraint becomes `ConflictError`, since it says that the write contradicts what is stored; damage of the full-text
 * index alone is told apart ({@link isIndexDamage}), since it can be mended.
 */
export function sqliteFailure(thrown: unknown, path: string, sql: string): SkillflowError {
  if (thrown instanceof SkillflowError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const code = sqliteCode(thrown);
  if (isOfIndex(codeOf(thrown), message, sql)) return indexDamaged(path, message, thrown);
  const missing = /^no such table: (?:main\.)?(\w+)$/.exec(message)?.[1];
  if (code === 'SQLITE_ERROR' && missing !== undefined) return tableMissing(path, missing, thrown);
  switch (baseCode(code)) {
    case 'SQLITE_BUSY':
    case 'SQLITE_LOCKED':
      return new BusyError(`the database ${path} is locked by another process`, {
        cause: thrown,
        hint: 'Try again in a moment; if it stays locked, look for a Skillflow process that hangs.',
        details: { path, code },
      });
    case 'SQLITE_CORRUPT':
      return sql.includes('memory_fts') ? perhapsIndexDamaged(path, message, thrown) : damaged(path, message, thrown);
    case 'SQLITE_NOTADB':
      return damaged(path, message, thrown);
    case 'SQLITE_FULL':
    case 'SQLITE_READONLY':
    case 'SQLITE_IOERR':
    case 'SQLITE_CANTOPEN':
    case 'SQLITE_PERM':
      return storageError(thrown, 'use the database', path, code);
    case 'SQLITE_CONSTRAINT':
      return new ConflictError(message, {
        cause: thrown,
        hint: 'The write contradicts what is stored: look it up, then decide.',
        details: { code },
      });
    case 'SQLITE_TOOBIG':
      return new InvalidInputError(`a value is too large for the database: ${message}`, { cause: thrown });
    default:
      if (DAMAGED_JSON.test(message)) return damaged(path, message, thrown);
      if (isOfSchema(message, sql)) return schemaDamaged(path, message, thrown);
      return new InternalError(`the database refused a statement: ${message}`, { cause: thrown, details: { path, sql, code } });
  }
}
