import type { Database, Row, SqlValue } from '../../store/database.ts';
import { bytesOnly, numberColumns, numberOf, numberOnly, textColumns, textOf } from '../../store/row.ts';
import type { Scope } from '../scope.ts';
import type { VectorRows } from './rows.ts';

/** What finds the vectors of a row of `embedding_space`. */
export interface SpaceKey {
  readonly id: number;
  readonly dimensions: number;
}

export interface Space extends SpaceKey {
  readonly uid: string;
}

/** A row of `embedding` by which a state of the database is recognised. */
export interface Witness {
  readonly id: number;
  /** In hex. */
  readonly hash: string;
}

/** What tells whether an index still belongs to the database, and what it lacks. */
export interface Probe {
  readonly uid: string;
  readonly dimensions: number;
  /** The largest id that `embedding` has given away; all rows up to it are committed. */
  readonly newest: number;
  /** Hash in hex of the row that was asked for; `null`: it is not there. */
  readonly hash: string | null;
}

/** Of `embedding e`. */
const HASH = bytesOnly('e.hash');
const VECTOR = bytesOnly('e.vector');

function bytesOf(row: Row, column: string): Uint8Array | null {
  const value: SqlValue | undefined = row[column];
  return value instanceof Uint8Array ? value : null;
}

function hexOf(row: Row, column: string): string | null {
  const bytes = bytesOf(row, column);
  return bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** The vector in a column; `undefined` when it is none of that many dimensions. */
function vectorOf(row: Row, dimensions: number): Float32Array | undefined {
  const bytes = bytesOf(row, 'vector');
  if (bytes?.byteLength !== 4 * dimensions) return undefined;
  // Copied only where the bytes do not lie where 32-bit numbers may.
  const { buffer, byteOffset } = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  return new Float32Array(buffer, byteOffset, dimensions);
}

/** @param id of the row whose hash is wanted */
export async function probeSpace(db: Database, spaceId: number, id: number): Promise<Probe | undefined> {
  const row = await db.get(
    `SELECT ${textColumns(['uid'])}, ${numberColumns(['dimensions'])}, (SELECT ${HASH} FROM embedding e WHERE id = ?) AS hash,
      coalesce((SELECT ${numberOnly('seq')} FROM sqlite_sequence WHERE name = 'embedding'), 0) AS newest
    FROM embedding_space WHERE id = ?`,
    [id, spaceId],
  );
  if (row === undefined) return undefined;
  const newest = numberOf(row, 'newest');
  return { uid: textOf(row, 'uid'), dimensions: numberOf(row, 'dimensions'), newest, hash: hexOf(row, 'hash') };
}

/** The id of the space that vectors of a sort are in, if there is one yet. */
export async function findSpace(db: Database, provider: string, model: string, dimensions: number): Promise<number | undefined> {
  const row = await db.get('SELECT id FROM embedding_space WHERE provider = ? AND model = ? AND dimensions = ?', [
    provider,
    model,
    dimensions,
  ]);
  return row === undefined ? undefined : numberOf(row, 'id');
}

/** The largest id that `embedding` has given away; 0 before the first. */
export async function newestId(db: Database): Promise<number> {
  const row = await db.get(
    `SELECT ${numberOnly('coalesce(max(seq), 0)')} AS newest FROM sqlite_sequence WHERE name = 'embedding'`,
  );
  return numberOf(row ?? {}, 'newest');
}

export async function spaceUids(db: Database): Promise<readonly string[]> {
  return (await db.all(`SELECT ${textColumns(['uid'])} FROM embedding_space`)).map((row) => textOf(row, 'uid'));
}

/** Vectors of a space with ids up to `throughId`, counted up to `most`. */
export async function countVectors(
  db: Database,
  spaceId: number,
  most = Number.MAX_SAFE_INTEGER,
  throughId = Number.MAX_SAFE_INTEGER,
): Promise<number> {
  // `+id`: the index on (space_id, hash) holds the ids too, and is a hundred times smaller than the table.
  const row = await db.get('SELECT count(*) AS n FROM (SELECT 1 FROM embedding WHERE space_id = ? AND +id <= ? LIMIT ?)', [
    spaceId,
    throughId,
    most,
  ]);
  return numberOf(row ?? {}, 'n');
}

export interface Page {
  readonly rows: VectorRows;
  /** All rows of the space up to this id are in this page or before it. */
  readonly throughId: number;
  /** The last row; `null` when there is none. */
  readonly last: Witness | null;
}

/** The next `limit` rows of a space after one id and up to another. */
export async function readPage(db: Database, space: SpaceKey, afterId: number, upToId: number, limit: number): Promise<Page> {
  const found = await db.all(
    `SELECT id, ${HASH} AS hash, ${VECTOR} AS vector FROM embedding e NOT INDEXED
    WHERE space_id = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?`,
    [space.id, afterId, upToId, limit],
  );
  const ids = new Float64Array(found.length);
  const vectors = new Float32Array(found.length * space.dimensions);
  const bytes = new Uint8Array(vectors.buffer);
  let count = 0;
  for (const row of found) {
    const vector = bytesOf(row, 'vector');
    if (vector?.byteLength !== 4 * space.dimensions) continue; // not written by us; `doctor` finds it
    bytes.set(vector, count * 4 * space.dimensions);
    ids[count] = numberOf(row, 'id');
    count += 1;
  }
  const last = found.at(-1);
  return {
    rows: { ids: ids.slice(0, count), vectors: vectors.slice(0, count * space.dimensions) },
    throughId: last === undefined || found.length < limit ? upToId : numberOf(last, 'id'),
    last: last === undefined ? null : { id: numberOf(last, 'id'), hash: hexOf(last, 'hash') ?? '' },
  };
}

/** The last `count` rows of a space up to an id. */
export async function witnesses(db: Database, spaceId: number, throughId: number, count: number): Promise<readonly Witness[]> {
  const rows = await db.all(
    `SELECT id, ${HASH} AS hash FROM embedding e NOT INDEXED WHERE space_id = ? AND id <= ? ORDER BY id DESC LIMIT ?`,
    [spaceId, throughId, count],
  );
  return rows.map((row) => ({ id: numberOf(row, 'id'), hash: hexOf(row, 'hash') ?? '' }));
}

/** Those of the witnesses that are there, in this space or another, as they are now. */
export async function presentWitnesses(
  db: Database,
  ids: readonly number[],
): Promise<readonly (Witness & { readonly spaceId: number })[]> {
  const rows = await db.all(
    `SELECT e.id, ${HASH} AS hash, ${numberColumns(['space_id'], 'e.')} FROM json_each(?) AS j CROSS JOIN embedding e ON e.id = j.value`,
    [JSON.stringify(ids)],
  );
  return rows.map((row) => ({ id: numberOf(row, 'id'), hash: hexOf(row, 'hash') ?? '', spaceId: numberOf(row, 'space_id') }));
}

/** The vectors of some rows; those that are gone are left out. */
export async function readVectors(
  db: Database,
  space: SpaceKey,
  ids: readonly number[],
): Promise<readonly { readonly id: number; readonly vector: Float32Array }[]> {
  const rows = await db.all(
    `SELECT e.id, ${VECTOR} AS vector FROM json_each(?) AS j CROSS JOIN embedding e ON e.id = j.value AND e.space_id = ?`,
    [JSON.stringify(ids), space.id],
  );
  return rows.flatMap((row) => {
    const vector = vectorOf(row, space.dimensions);
    return vector === undefined ? [] : [{ id: numberOf(row, 'id'), vector }];
  });
}

/** An entry with its vector. */
export interface EntryVector {
  readonly entryId: number;
  readonly vector: Float32Array;
  /** Where its row stands in the list that was asked for. */
  readonly position: number;
}

/**
 * The first `limit` entries in `scope` of the given rows of `embedding`, in the order of these. It needs no sorting: CROSS
 * JOIN fixes the nesting of the loops (sqlite.org/optoverview.html), the outer one walks the list, the inner one an index.
 */
export async function entriesOf(
  db: Database,
  space: SpaceKey,
  ids: readonly number[],
  scope: Scope,
  limit: number,
): Promise<readonly EntryVector[]> {
  const rows = await db.all(
    `SELECT m.id AS entry_id, j.key AS position, ${VECTOR} AS vector FROM json_each(?) AS j
      CROSS JOIN embedding e ON e.id = j.value AND e.space_id = ?
      CROSS JOIN memory_entry m ON m.hash = e.hash
    WHERE (${scope.sql}) LIMIT ?`,
    [JSON.stringify(ids), space.id, ...scope.params, limit],
  );
  return rows.flatMap((row) => {
    const vector = vectorOf(row, space.dimensions);
    return vector === undefined ? [] : [{ entryId: numberOf(row, 'entry_id'), position: numberOf(row, 'position'), vector }];
  });
}

/** Entries in a scope, counted up to `most`. */
export async function countEntries(db: Database, scope: Scope, most: number): Promise<number> {
  const row = await db.get(`SELECT count(*) AS n FROM (SELECT 1 FROM memory_entry m WHERE (${scope.sql}) LIMIT ?)`, [
    ...scope.params,
    most,
  ]);
  return numberOf(row ?? {}, 'n');
}

/** The next `limit` entries in `scope` that have a vector, after an entry's id, in the order of their ids. */
export async function scopePage(
  db: Database,
  space: SpaceKey,
  scope: Scope,
  afterEntryId: number,
  limit: number,
): Promise<{ readonly entries: readonly EntryVector[]; readonly lastEntryId: number | null }> {
  const rows = await db.all(
    `SELECT m.id AS entry_id, ${VECTOR} AS vector FROM memory_entry m
      CROSS JOIN embedding e ON e.space_id = ? AND e.hash = m.hash
    WHERE m.id > ? AND (${scope.sql}) ORDER BY m.id LIMIT ?`,
    [space.id, afterEntryId, ...scope.params, limit],
  );
  const entries = rows.flatMap((row) => {
    const vector = vectorOf(row, space.dimensions);
    return vector === undefined ? [] : [{ entryId: numberOf(row, 'entry_id'), position: 0, vector }];
  });
  const last = rows.at(-1);
  return { entries, lastEntryId: last === undefined || rows.length < limit ? null : numberOf(last, 'entry_id') };
}
