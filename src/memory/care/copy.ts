import { existsSync } from 'node:fs';
import { stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ConflictError } from '../../errors.ts';
import type { Runtime } from '../../runtime.ts';
import { placeFile } from '../../store/atomic-file.ts';
import { checkPages } from '../../store/check-pages.ts';
import type { OpenMode } from '../../store/connection.ts';
import type { Row } from '../../store/database.ts';
import { numberOf } from '../../store/row.ts';
import { runApart } from '../../store/run-apart.ts';
import { damaged } from '../../store/sqlite-failure.ts';
import { withTemporary } from '../../store/temporary.ts';
import { isRemembered } from '../cached.ts';
import type { CareDeps } from './care-deps.ts';
import { isTaken } from './care-path.ts';
import { manifestPath, sha256, syncFile, type Manifest } from './manifest.ts';

/** A database file to run a statement on. */
export interface DatabaseFile {
  readonly path: string;
  readonly mode: OpenMode;
  readonly key: string | undefined;
}

/**
 * What is wrong with a database file; empty when nothing is. The full-text index is left out: it is made from the
 * entries, and can be made anew.
 */
export async function damageOf(file: DatabaseFile): Promise<readonly string[]> {
  return (await checkPages('integrity_check', (sql, params) => runApart(file, sql, params))).damage;
}

/** What is in a copy; also in one without a history, which may be all that is left. */
async function factsOf(copy: DatabaseFile): Promise<Row> {
  const history = await runApart(copy, `SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'memory_version'`);
  const versions = history.length > 0 ? '(SELECT count(*) FROM memory_version)' : '0';
  const facts = `SELECT user_version AS schemaVersion,
    (SELECT count(*) FROM memory_entry WHERE deleted_at IS NULL) AS entries, ${versions} AS versions FROM pragma_user_version`;
  return (await runApart(copy, facts))[0] ?? {};
}

function taken(path: string, cause?: unknown): ConflictError {
  return new ConflictError(`${path} exists already`, {
    cause,
    hint: 'Give another path; nothing is overwritten.',
    details: { path },
  });
}

/** Gives a file its name. Errors: `ConflictError` when something has it, `StorageError`. */
export async function place(temporary: string, path: string): Promise<void> {
  if (!(await placeFile(temporary, path))) throw taken(path);
}

async function writeManifest(runtime: Runtime, path: string, manifest: Manifest): Promise<void> {
  await withTemporary(dirname(path), runtime, async (temporary) => {
    await syncFile(temporary, `${JSON.stringify(manifest, null, 2)}\n`);
    await place(temporary, manifestPath(path));
  });
}

/** Removes the cached values from a copy that nobody else has, with their traces in its free pages. */
async function dropCache(path: string, key: string | undefined): Promise<void> {
  const file: DatabaseFile = { path, mode: 'write', key };
  const dropped = await runApart(file, `DELETE FROM memory_entry WHERE NOT (${isRemembered()}) RETURNING id`);
  if (dropped.length > 0) await runApart(file, 'VACUUM');
}

/**
 * Copies a database that others may be writing to, as of one moment, encrypted when it is; checks the copy, then puts
 * it in its place with a manifest beside it. On failure nothing is left of it. @param options.cache whether the copy has
 * the cached values too; default: as the database is.
 * Errors: `ConflictError` when the place is taken, `DatabaseDamagedError`, `StorageError`, `BusyError`.
 */
export async function copyDatabase(
  { runtime, key }: CareDeps,
  from: string,
  path: string,
  { cache = true }: { readonly cache?: boolean } = {},
): Promise<Manifest> {
  if (isTaken(path)) throw taken(path);
  if (isTaken(manifestPath(path))) throw taken(manifestPath(path));
  return withTemporary(dirname(path), runtime, async (temporary) => {
    await runApart({ path: from, mode: 'read', key }, 'VACUUM INTO ?', [temporary]);
    if (!cache) await dropCache(temporary, key);
    const copy: DatabaseFile = { path: temporary, mode: 'frozen', key };
    const damage = await damageOf(copy);
    if (damage.length > 0) throw damaged(from, `a copy of it is: ${damage.slice(0, 3).join('; ')}`);
    const facts = await factsOf(copy);
    await syncFile(temporary);
    const manifest: Manifest = {
      format: 'skillflow-backup',
      version: 1,
      schemaVersion: numberOf(facts, 'schemaVersion'),
      entries: numberOf(facts, 'entries'),
      versions: numberOf(facts, 'versions'),
      sha256: await sha256(temporary),
      bytes: (await stat(temporary)).size,
      createdAt: runtime.now(),
      encrypted: key !== undefined,
    };
    await place(temporary, path);
    try {
      await writeManifest(runtime, path, manifest);
    } catch (error) {
      await unlink(path);
      throw error;
    }
    return manifest;
  });
}

/** A name that is free: `<folder>/<name>.db`, else `<name>-2.db` and so on. */
export function freeName(path: (suffix: string) => string): string {
  for (let n = 1; ; n += 1) {
    const candidate = path(n === 1 ? '' : `-${n}`);
    if (!existsSync(candidate) && !isTaken(candidate) && !isTaken(manifestPath(candidate))) return candidate;
  }
}

/** A moment as part of a file's name: `2025-01-31T23-59-59-999Z`. */
export function timeName(now: number): string {
  return new Date(now).toISOString().replaceAll(/[:.]/g, '-');
}
