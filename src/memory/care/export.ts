import { existsSync } from 'node:fs';
import { open as openFile, rename, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseDamagedError, InvalidInputError, SkillflowError } from '../../errors.ts';
import { syncFolder } from '../../store/atomic-file.ts';
import { connect, endReading } from '../../store/connection.ts';
import type { Database, Row, SqlValue } from '../../store/database.ts';
import { numberOf, numberOrNull, textOf, textOrNull } from '../../store/row.ts';
import { storageError } from '../../store/storage-error.ts';
import { withTemporary } from '../../store/temporary.ts';
import { isRemembered } from '../cached.ts';
import { isTagList } from '../entry.ts';
import { checkName } from '../limits.ts';
import type { EntryVersionName, ExportOptions, ExportResult } from './care.ts';
import type { CareDeps } from './care-deps.ts';
import { targetPath } from './care-path.ts';
import { place } from './copy.ts';
import { contentLine, FIRST_BYTES, FORMAT } from './export-line.ts';
import { READ_CONTENT, READ_LINK, READ_NAMES } from './incoming.ts';
import { createBreath, stopWhenCancelled, tell } from './watch.ts';

type Read = (sql: string, params: readonly SqlValue[]) => Promise<readonly Row[]>;

/** Entries read at once; each may have 1 MiB. */
const PAGE = 32;
const LINKS_PAGE = 500;
/** Characters gathered before they are written. */
const GATHERED = 256 * 1024;

/** Tells how far the export is, of so many entries; rejects when it was cancelled. */
type Breathe = (size: number) => Promise<void>;

interface Tally {
  entries: number;
  versions: number;
  links: number;
}

/** Names of damaged entries and versions in the result at most. */
const MOST_NAMED = 100;

/** What could not be written as it was stored. */
interface Damaged {
  /** Entries and versions that are not in the file. */
  leftOut: number;
  readonly names: EntryVersionName[];
}

/** What an export is about. */
interface Extent {
  readonly namespace: string | undefined;
  readonly now: number;
  /** How many entries there are, for those who watch. */
  readonly size: number;
  /** The last id: entries that come while a remote database is read are left out, and so are their links. */
  readonly lastId: number;
  readonly damaged: Damaged;
}

/** The line of an entry or a version; `null` when damage has made it unreadable: it must not keep the others back. */
function lineOf(
  type: 'entry' | 'version',
  row: Row,
  names: readonly [string, string],
  more: object,
  damaged: Damaged,
): string | null {
  const note = (): void => {
    const [namespace, key] = names;
    if (damaged.names.length < MOST_NAMED) damaged.names.push({ namespace, key, version: Number(row['version']) });
  };
  try {
    const line = contentLine(type, row, names, more);
    if (!isTagList(textOf(row, 'tags'))) note();
    return line;
  } catch (error) {
    if (!(error instanceof DatabaseDamagedError)) throw error;
    damaged.leftOut += 1;
    note();
    return null;
  }
}

async function* entryLines(read: Read, { namespace, now, lastId, damaged }: Extent, tally: Tally): AsyncGenerator<string> {
  const scope = namespace === undefined ? `AND ${isRemembered()}` : 'AND namespace = ?';
  const sql = `SELECT id, ${READ_NAMES}, ${READ_CONTENT} FROM memory_entry
    WHERE id > ? AND id <= ? AND (expires_at IS NULL OR expires_at > ?) ${scope} ORDER BY id LIMIT ${PAGE}`;
  for (let after = 0; ;) {
    const page = await read(sql, [after, lastId, now, ...(namespace === undefined ? [] : [namespace])]);
    for (const row of page) {
      after = numberOf(row, 'id');
      const names = [textOf(row, 'namespace'), textOf(row, 'key')] as const;
      const more = { createdAt: numberOf(row, 'created_at'), deletedAt: numberOrNull(row, 'deleted_at') };
      const line = lineOf('entry', row, names, more, damaged);
      if (line === null) continue;
      tally.entries += 1;
      yield line;
      const versions = `SELECT version, ${READ_CONTENT} FROM memory_version WHERE entry_id = ? AND version < ? ORDER BY version`;
      for (const version of await read(versions, [after, numberOf(row, 'version')])) {
        const earlier = lineOf('version', version, names, {}, damaged);
        if (earlier === null) continue;
        tally.versions += 1;
        yield earlier;
      }
    }
    if (page.length < PAGE) return;
  }
}

function linkLine(row: Row): string {
  const line = {
    type: 'link',
    from: { namespace: textOf(row, 'from_namespace'), key: textOf(row, 'from_key') },
    to: { namespace: textOf(row, 'to_namespace'), key: textOf(row, 'to_key') },
    kind: textOf(row, 'kind'),
    reason: textOrNull(row, 'reason'),
    createdAt: numberOf(row, 'created_at'),
  };
  return `${JSON.stringify(line)}\n`;
}

async function* linkLines(read: Read, { namespace, now, lastId }: Extent, tally: Tally): AsyncGenerator<string> {
  const scope =
    namespace === undefined ? `AND ${isRemembered('f.')} AND ${isRemembered('t.')}` : 'AND f.namespace = ? AND t.namespace = ?';
  const there = (entry: string): string => `${entry}.id <= ? AND (${entry}.expires_at IS NULL OR ${entry}.expires_at > ?)`;
  const sql = `SELECT ${READ_LINK}
    FROM memory_link l JOIN memory_entry f ON f.id = from_id JOIN memory_entry t ON t.id = to_id
    WHERE (from_id, to_id, l.kind) > (?, ?, ?) AND ${there('f')} AND ${there('t')} ${scope}
    ORDER BY from_id, to_id, l.kind LIMIT ${LINKS_PAGE}`;
  const limits = [lastId, now, lastId, now, ...(namespace === undefined ? [] : [namespace, namespace])];
  for (let after: readonly SqlValue[] = [0, 0, '']; ;) {
    const page: readonly Row[] = await read(sql, [...after, ...limits]);
    for (const row of page) {
      after = [numberOf(row, 'from_id'), numberOf(row, 'to_id'), textOf(row, 'kind')];
      tally.links += 1;
      yield linkLine(row);
    }
    if (page.length < LINKS_PAGE) return;
  }
}

async function* exportLines(
  read: Read,
  namespace: string | undefined,
  now: number,
  tally: Tally,
  damaged: Damaged,
  breathe: Breathe,
): AsyncGenerator<string> {
  const scope = namespace === undefined ? [] : [namespace];
  const sql = `SELECT coalesce(max(id), 0) AS lastId, count(*) AS size FROM memory_entry ${scope.length === 0 ? '' : 'WHERE namespace = ?'}`;
  const row = (await read(sql, scope))[0] ?? {};
  const extent: Extent = { namespace, now, size: numberOf(row, 'size'), lastId: numberOf(row, 'lastId'), damaged };
  yield `${JSON.stringify({ type: 'skillflow-memory', format: FORMAT, exportedAt: now, namespace: namespace ?? null })}\n`;
  for await (const line of entryLines(read, extent, tally)) {
    yield line;
    await breathe(extent.size);
  }
  yield* linkLines(read, extent, tally);
  yield `${JSON.stringify({ type: 'end', ...tally })}\n`;
}

/** Reads a local database as of one moment, on a connection of its own; a remote one page by page. */
async function withReader<T>(db: Database, key: string | undefined, work: (read: Read) => Promise<T>): Promise<T> {
  if (db.kind !== 'file') return work((sql, params) => db.all(sql, params));
  const connection = await connect(db.path, 'read', key);
  try {
    connection.exec('BEGIN');
    return await work(async (sql, params) => connection.all(sql, params));
  } finally {
    endReading(connection);
  }
}

/** @returns bytes written */
async function writeLines(file: FileHandle, lines: AsyncGenerator<string>): Promise<number> {
  let bytes = 0;
  let gathered = '';
  const flush = async (): Promise<void> => {
    const buffer = Buffer.from(gathered);
    await file.writeFile(buffer);
    bytes += buffer.length;
    gathered = '';
  };
  for await (const line of lines) {
    gathered += line;
    if (gathered.length >= GATHERED) await flush();
  }
  await flush();
  await file.sync();
  return bytes;
}

/** A file is only replaced when it is an export itself. */
async function isExport(path: string): Promise<boolean> {
  const file = await openFile(path, 'r');
  try {
    const start = Buffer.alloc(FIRST_BYTES.length);
    await file.read(start, 0, start.length, 0);
    return start.toString('latin1') === FIRST_BYTES;
  } finally {
    await file.close();
  }
}

async function finish(temporary: string, path: string, replaces: boolean): Promise<void> {
  if (!replaces) {
    await place(temporary, path);
    return;
  }
  await rename(temporary, path);
  await syncFolder(dirname(path));
}

/** Whether a file is to be replaced. Errors: `InvalidInputError` when it is there and must not be. */
async function replaces(target: string, overwrite: boolean): Promise<boolean> {
  if (!existsSync(target)) return false;
  const details = { parameter: 'path', path: target };
  if (!overwrite) {
    throw new InvalidInputError(`path: ${target} exists already`, {
      hint: 'Give the path of a new file, or overwrite: true (--overwrite) to replace an older export.',
      details,
    });
  }
  if (await isExport(target)) return true;
  throw new InvalidInputError(`path: ${target} exists and is no export`, {
    hint: 'Give another path; nothing but an older export is overwritten.',
    details,
  });
}

/** See `Care.export`. */
export async function exportMemory(deps: CareDeps, path: string, options: ExportOptions = {}): Promise<ExportResult> {
  const { namespace, overwrite = false, ...watch } = options;
  if (namespace !== undefined) checkName('namespace', namespace);
  const target = targetPath(deps.projectRoot, path, deps.databasePath);
  const isReplaced = await replaces(target, overwrite);
  const db = await deps.open('read');
  const tally: Tally = { entries: 0, versions: 0, links: 0 };
  const damaged: Damaged = { leftOut: 0, names: [] };
  return withTemporary(dirname(target), deps.runtime, async (temporary) => {
    try {
      const file = await openFile(temporary, 'wx');
      try {
        const now = deps.runtime.now();
        const breathe = createBreath(deps.runtime, watch, 'the export');
        stopWhenCancelled(watch, 'the export');
        const bytes = await withReader(db, deps.key, (read) =>
          writeLines(
            file,
            exportLines(read, namespace, now, tally, damaged, (size) => breathe(() => tell(watch, tally.entries, size))),
          ),
        );
        stopWhenCancelled(watch, 'the export');
        await finish(temporary, target, isReplaced);
        return { path: target, ...tally, bytes, leftOut: damaged.leftOut, damaged: damaged.names };
      } finally {
        await file.close();
      }
    } catch (error) {
      throw error instanceof SkillflowError ? error : storageError(error, 'write', target);
    }
  });
}
