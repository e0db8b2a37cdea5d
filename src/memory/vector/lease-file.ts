import { readFile, stat, unlink, writeFile } from 'node:fs/promises';
import * as z from 'zod';
import type { Runtime } from '../../runtime.ts';
import { codeOf, storageError } from '../../store/storage-error.ts';

/** The right to do something that one process at a time should do. */
export interface Lease {
  /** Holds it for another minute, if half of one is over. */
  renew(): Promise<void>;
  release(): Promise<void>;
}

/** Milliseconds that a lease holds unless it is renewed. */
const TERM_MS = 60_000;

const shape = z.object({ token: z.string(), pid: z.number(), host: z.string(), until: z.number() });

async function read(path: string): Promise<z.infer<typeof shape> | undefined> {
  try {
    return shape.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined; // gone, or just being written
  }
}

async function isStale(path: string, runtime: Runtime): Promise<boolean> {
  const now = runtime.now();
  const holder = await read(path);
  if (holder === undefined) {
    const written = await stat(path).then(
      (stats) => stats.mtimeMs,
      () => now,
    );
    return Math.abs(now - written) > TERM_MS;
  }
  if (holder.host === runtime.host && !runtime.alive(holder.pid)) return true;
  return holder.until <= now || holder.until > now + 2 * TERM_MS; // the latter: the clock was set back
}

/**
 * Takes the lease that a file stands for; `undefined` while another holds it. One whose holder is dead or has not renewed
 * it is taken over. It saves work that would be done twice; what depends on it must stay right if two should ever hold it.
 * Errors: `StorageError`.
 */
export async function takeLease(path: string, runtime: Runtime): Promise<Lease | undefined> {
  const token = runtime.id('lease');
  const content = (): string => JSON.stringify({ token, pid: runtime.pid, host: runtime.host, until: runtime.now() + TERM_MS });
  for (let tries = 0; tries < 3; tries += 1) {
    try {
      await writeFile(path, content(), { flag: 'wx' });
      let renewAt = runtime.now() + TERM_MS / 2;
      return {
        renew: async () => {
          if (runtime.now() < renewAt) return;
          renewAt = runtime.now() + TERM_MS / 2;
          await writeFile(path, content());
        },
        release: async () => {
          if ((await read(path))?.token === token) await unlink(path).catch(() => undefined);
        },
      };
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw storageError(error, 'create', path);
    }
    if (!(await isStale(path, runtime))) return undefined;
    await unlink(path).catch(() => undefined);
  }
  return undefined;
}
