import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import * as z from 'zod';
import { damaged } from '../../store/sqlite-failure.ts';
import { storageError } from '../../store/storage-error.ts';

const count = z.int().nonnegative();
const manifest = z.object({
  format: z.literal('skillflow-backup'),
  version: z.literal(1),
  schemaVersion: count,
  /** Neither deleted nor purged. */
  entries: count,
  /** Earlier versions of entries. */
  versions: count,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: count,
  createdAt: count,
  encrypted: z.boolean(),
});

/** What is written beside a copy of a database, to know it again. */
export type Manifest = Readonly<z.infer<typeof manifest>>;

export function manifestPath(path: string): string {
  return `${path}.json`;
}

/** SHA-256 of a file in hex. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** Makes a file's content survive a power cut; with `text`, a new file of that content. Errors: `StorageError`. */
export async function syncFile(path: string, text?: string): Promise<void> {
  try {
    const file = await open(path, text === undefined ? 'r+' : 'wx');
    try {
      if (text !== undefined) await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw storageError(error, 'write', path);
  }
}

/**
 * The manifest of a copy, or `undefined` where there is none.
 * Errors: `DatabaseDamagedError` when it cannot be understood.
 */
export async function readManifest(path: string): Promise<Manifest | undefined> {
  if (!existsSync(manifestPath(path))) return undefined;
  try {
    return manifest.parse(JSON.parse(await readFile(manifestPath(path), 'utf8')));
  } catch (error) {
    throw damaged(path, `its manifest ${manifestPath(path)} cannot be understood`, error);
  }
}

/**
 * Compares a copy with its manifest. Whether there was one.
 * Errors: `DatabaseDamagedError` when it is not the file that the manifest was written for.
 */
export async function checkManifest(path: string): Promise<boolean> {
  const expected = await readManifest(path);
  if (expected === undefined) return false;
  const { size } = await stat(path);
  if (size !== expected.bytes) throw damaged(path, `it has ${size} bytes; its manifest says ${expected.bytes}`);
  if ((await sha256(path)) !== expected.sha256) throw damaged(path, 'its SHA-256 is not the one that its manifest names');
  return true;
}
