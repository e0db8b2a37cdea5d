import { InternalError } from '../../errors.ts';
import type { Runtime } from '../../runtime.ts';
import type { Database, Queries, Row, SqlValue } from '../../store/database.ts';
import { numberColumns, numberOf, textColumns, textOf } from '../../store/row.ts';
import type { Embedder, EmbeddingSpace } from './embedder.ts';

export interface StoredSpace extends EmbeddingSpace {
  readonly id: number;
}

/** The vector of a content, which its hash names. */
export interface ContentVector {
  readonly hash: Uint8Array;
  readonly vector: Float32Array;
}

const COLUMNS = `id, ${textColumns(['provider', 'model'])}, ${numberColumns(['dimensions'])}`;
/** Rows of one INSERT: few statements, of few different texts. */
const ROWS = 32;

/** As the table holds it: float32 in the machine's order, which is little endian wherever the database driver runs. */
function toBlob({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function toSpace(row: Row): StoredSpace {
  return {
    id: numberOf(row, 'id'),
    provider: textOf(row, 'provider'),
    model: textOf(row, 'model'),
    dimensions: numberOf(row, 'dimensions'),
  };
}

/** The space of an embedder, of these dimensions or else the newest; `undefined` when nothing is embedded in it yet. */
export async function findSpace(
  queries: Queries,
  { provider, model }: Embedder,
  dimensions: number | undefined,
): Promise<StoredSpace | undefined> {
  const row = await (dimensions === undefined
    ? queries.get(`SELECT ${COLUMNS} FROM embedding_space WHERE provider = ? AND model = ? ORDER BY id DESC LIMIT 1`, [
        provider,
        model,
      ])
    : queries.get(`SELECT ${COLUMNS} FROM embedding_space WHERE provider = ? AND model = ? AND dimensions = ?`, [
        provider,
        model,
        dimensions,
      ]));
  return row === undefined ? undefined : toSpace(row);
}

async function insertVectors(queries: Queries, spaceId: number, vectors: readonly ContentVector[]): Promise<number> {
  let added = 0;
  for (let at = 0; at < vectors.length; at += ROWS) {
    const some = vectors.slice(at, at + ROWS);
    const params = some.flatMap(({ hash, vector }): readonly SqlValue[] => [spaceId, hash, toBlob(vector)]);
    const places = some.map(() => '(?, ?, ?)').join(', ');
    const { changes } = await queries.run(`INSERT OR IGNORE INTO embedding (space_id, hash, vector) VALUES ${places}`, params);
    added += changes;
  }
  return added;
}

/**
 * Keeps vectors, all of the same dimensions and at least one, in the embedder's space of these dimensions, which is
 * made when it is absent; in one transaction. Those that another process has kept meanwhile are left as they are.
 */
export async function keepVectors(
  db: Database,
  runtime: Runtime,
  embedder: Embedder,
  vectors: readonly ContentVector[],
): Promise<{ readonly space: StoredSpace; readonly added: number }> {
  const dimensions = vectors[0]?.vector.length ?? 0;
  if (dimensions === 0 || vectors.some(({ vector }) => vector.length !== dimensions)) {
    throw new InternalError('vectors of different dimensions were about to be kept together');
  }
  const { provider, model } = embedder;
  return db.write(async (queries) => {
    if ((await findSpace(queries, embedder, dimensions)) === undefined) {
      await queries.run('INSERT INTO embedding_space (uid, provider, model, dimensions, created_at) VALUES (?, ?, ?, ?, ?)', [
        runtime.id('space'),
        provider,
        model,
        dimensions,
        runtime.now(),
      ]);
    }
    const space = await findSpace(queries, embedder, dimensions);
    if (space === undefined) throw new InternalError('an embedding space vanished while it was made');
    return { space, added: await insertVectors(queries, space.id, vectors) };
  });
}
