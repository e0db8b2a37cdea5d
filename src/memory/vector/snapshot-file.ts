import { createHash } from 'node:crypto';
import { readdir, readFile, rename, unlink } from 'node:fs/promises';
import { arch, endianness } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { writeFileAtomic } from '../../store/atomic-file.ts';
import { codeOf } from '../../store/storage-error.ts';
import type { DataFile } from './data-file.ts';
import type { IndexTier } from './index-host.ts';

/*
 * A snapshot is two files: `<space>.<tier>.<hash>.data`, never changed once it has its name, and `<space>.<tier>.index`,
 * which says what the other must be. The latter is MAGIC, the length of its head (32 bits, little endian), the head as
 * JSON, the ids of the rows (64-bit floats, little endian), and the SHA-256 of all that.
 */
const MAGIC = Buffer.from('SKFVEC1\n');
const HASH_BYTES = 32;
const ID_BYTES = Float64Array.BYTES_PER_ELEMENT;

const count = z.number().int().min(0);
const headShape = z.object({
  tier: z.enum(['hnsw', 'int8', 'links']),
  /** Of `embedding_space`. */
  uid: z.string(),
  dimensions: count,
  /** The data is written as the processor has it. */
  machine: z.string(),
  count,
  /** It has all rows up to this id. */
  throughId: count,
  /** The last of its rows, by which the database is recognised. */
  witnesses: z.array(z.object({ id: z.number(), hash: z.string() })),
  bytes: count,
  sha256: z.string(),
});
export type SnapshotHead = z.infer<typeof headShape>;

export interface Snapshot {
  readonly head: SnapshotHead;
  readonly ids: Float64Array<ArrayBuffer>;
  readonly data: DataFile;
}

const MACHINE = `${arch()} ${endianness()}`;

/** What the names of a space's files start with. A uid could be any text. */
export function stemOf(uid: string): string {
  return createHash('sha256').update(uid).digest('hex').slice(0, 16);
}

function indexPath(folder: string, uid: string, tier: IndexTier): string {
  return join(folder, `${stemOf(uid)}.${tier}.index`);
}

function dataName(uid: string, tier: IndexTier, sha256: string): string {
  return `${stemOf(uid)}.${tier}.${sha256.slice(0, 16)}.data`;
}

function decode(file: Buffer): { readonly head: SnapshotHead; readonly ids: Float64Array<ArrayBuffer> } {
  const start = MAGIC.length + 4;
  if (file.length < start + HASH_BYTES || !file.subarray(0, MAGIC.length).equals(MAGIC)) throw new Error('it is none');
  const body = file.subarray(0, -HASH_BYTES);
  const hash = createHash('sha256').update(body).digest();
  if (!hash.equals(file.subarray(-HASH_BYTES))) throw new Error('it is truncated or garbled (sha256)');
  const headEnd = start + body.readUInt32LE(MAGIC.length);
  const head = headShape.parse(JSON.parse(body.toString('utf8', start, headEnd)));
  const bytes = new Uint8Array(body.subarray(headEnd)); // copied, so that it is aligned
  if (bytes.length !== head.count * ID_BYTES) throw new Error('its head and its ids contradict each other');
  return { head, ids: new Float64Array(bytes.buffer) };
}

/**
 * The snapshot of a space, without its data; `undefined` when there is none. Rejects with what is wrong with it.
 * Whether the database is the one that it was made of is for the caller to find out.
 */
export async function readSnapshot(
  folder: string,
  space: { readonly uid: string; readonly dimensions: number },
  tier: IndexTier,
): Promise<Snapshot | undefined> {
  const file = await readFile(indexPath(folder, space.uid, tier)).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  const { head, ids } = decode(file);
  if (head.uid !== space.uid || head.dimensions !== space.dimensions || head.tier !== tier)
    throw new Error('it is of another space');
  if (head.machine !== MACHINE) throw new Error(`it is of another sort of machine (${head.machine})`);
  const path = join(folder, dataName(head.uid, tier, head.sha256));
  return { head, ids, data: { path, bytes: head.bytes, sha256: head.sha256 } };
}

async function removeOthers(folder: string, keep: (name: string) => boolean): Promise<void> {
  for (const name of await readdir(folder)) {
    // Best effort: a file that another process still reads stays on some systems, and goes the next time.
    if (!keep(name)) await unlink(join(folder, name)).catch(() => undefined);
  }
}

/**
 * Makes a data file, written under a temporary name, the snapshot of its space, and removes what it replaces, what
 * crashes left, and the snapshots of spaces that are no more. Errors: `StorageError`, what Node throws for the disk.
 * @param uids of all spaces of the database
 */
export async function writeSnapshot(
  folder: string,
  head: Omit<SnapshotHead, 'machine'>,
  ids: Float64Array,
  temporary: string,
  uids: readonly string[],
): Promise<void> {
  const { uid, tier, sha256 } = head;
  const data = dataName(uid, tier, sha256);
  await rename(temporary, join(folder, data));
  const text = Buffer.from(JSON.stringify({ ...head, machine: MACHINE }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  const body = Buffer.concat([MAGIC, length, text, new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength)]);
  const hash = createHash('sha256').update(body).digest();
  await writeFileAtomic(indexPath(folder, uid, tier), Buffer.concat([body, hash]));
  const stems = new Set(uids.map(stemOf));
  await removeOthers(folder, (name) => {
    const stem = /^\.?([0-9a-f]{16})\./.exec(name)?.[1];
    if (stem === undefined) return true; // not ours
    if (!stems.has(stem)) return false;
    if (stem !== stemOf(uid)) return true;
    if (name.endsWith('.tmp')) return false;
    return name === data || !(name.startsWith(`${stem}.${tier}.`) && name.endsWith('.data'));
  });
}

/** A name for data that is being written. */
export function temporaryData(folder: string, uid: string, unique: string): string {
  return join(folder, `${stemOf(uid)}.${unique}.tmp`);
}
