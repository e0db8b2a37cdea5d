import { contentHash } from '../../../src/store/content-hash.ts';
import type { Database } from '../../../src/store/database.ts';
import { numberOf, textOf } from '../../../src/store/row.ts';

/** Stores entries by their keys, by SQL alone. */
export async function put(db: Database, entries: Readonly<Record<string, string>>): Promise<void> {
  await db.write(async (queries) => {
    for (const [key, value] of Object.entries(entries)) {
      await queries.run(
        `INSERT INTO memory_entry (namespace, key, value, format, hash, created_at, updated_at) VALUES ('n', ?, ?, 'text', ?, 1, 1)
        ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value, hash = excluded.hash, version = version + 1`,
        [key, value, contentHash(value)],
      );
    }
  });
}

export interface StoredVector {
  readonly model: string;
  readonly dimensions: number;
  readonly hash: string;
  readonly vector: readonly number[];
}

function bytesOf(value: unknown): Buffer {
  if (!(value instanceof Uint8Array)) throw new Error('no blob');
  return Buffer.from(value);
}

export async function storedVectors(db: Database): Promise<readonly StoredVector[]> {
  const rows = await db.all(
    'SELECT s.model, s.dimensions, e.hash, e.vector FROM embedding e JOIN embedding_space s ON s.id = e.space_id ORDER BY e.id',
  );
  return rows.map((row) => {
    const bytes = bytesOf(row['vector']);
    return {
      model: textOf(row, 'model'),
      dimensions: numberOf(row, 'dimensions'),
      hash: bytesOf(row['hash']).toString('hex'),
      vector: Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(at * 4)),
    };
  });
}

export const hashOf = (value: string): string => Buffer.from(contentHash(value)).toString('hex');
