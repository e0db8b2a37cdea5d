import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';

/** A file that is known by its size and its hash. */
export interface DataFile {
  readonly path: string;
  readonly bytes: number;
  /** In hex. */
  readonly sha256: string;
}

const PART = 1 << 20;

/** Fills a place with a file's bytes from a position on. Rejects when it has not so many. */
export async function fill(file: FileHandle, place: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < place.length;) {
    const { bytesRead } = await file.read(place, done, place.length - done, position + done);
    if (bytesRead === 0) throw new Error('the file is shorter than it was');
    done += bytesRead;
  }
}

/**
 * Reads a file and rejects when its size or its hash are not as expected.
 * @param consume gets a function that fills one place after the other, which stay as they are; what it does not ask for is
 *   only hashed
 */
export async function readChecked(
  { path, bytes, sha256 }: DataFile,
  consume?: (fillNext: (place: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size !== bytes) throw new Error(`it has ${size} bytes instead of ${bytes}`);
    const hash = createHash('sha256');
    let position = 0;
    let unhashed: Uint8Array = new Uint8Array(0);
    const fillNext = async (place: Uint8Array): Promise<void> => {
      for (let at = 0; at < place.length; at += PART) {
        const part = place.subarray(at, at + PART);
        const reading = fill(file, part, position);
        position += part.length;
        hash.update(unhashed); // while the system reads
        unhashed = part;
        await reading;
      }
    };
    await consume?.(fillNext);
    const both = new Uint8Array(Math.min(2 * PART, bytes - position));
    for (let rest = bytes - position; rest > 0; rest -= both.length) await fillNext(both.subarray(0, rest));
    hash.update(unhashed);
    if (hash.digest('hex') !== sha256) throw new Error('its content is not what was written (sha256)');
  } finally {
    await file.close();
  }
}

/** Hashes and syncs a file, after writing it from `source` when there is one. */
export async function writeHashed(
  path: string,
  source?: { readonly bytes: number; read(start: number, length: number): Uint8Array<ArrayBuffer> },
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const file = await open(path, source === undefined ? 'r+' : 'wx');
  try {
    const bytes = source?.bytes ?? (await file.stat()).size;
    const hash = createHash('sha256');
    for (let at = 0; at < bytes;) {
      const part = source === undefined ? new Uint8Array(Math.min(PART, bytes - at)) : source.read(at, PART);
      if (source === undefined) await fill(file, part, at);
      else await file.writeFile(part);
      hash.update(part);
      at += part.length;
    }
    await file.sync();
    return { bytes, sha256: hash.digest('hex') };
  } finally {
    await file.close();
  }
}
