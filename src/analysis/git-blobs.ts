import { type Git, gitOutput } from './git.ts';

/** Total bytes of blobs asked for in one call. */
const CALL_BYTES = 32 * 1024 * 1024;

/** Splits what `cat-file --batch` prints: `<hash> <type> <size>\n<content>\n` for each object, or `<hash> missing\n`. */
function parseBatch(output: Buffer, into: Map<string, Buffer>): void {
  let at = 0;
  while (at < output.length) {
    const lineEnd = output.indexOf(10, at);
    if (lineEnd === -1) return;
    const [hash = '', type = '', size] = output.toString('latin1', at, lineEnd).split(' ');
    at = lineEnd + 1;
    if (type === 'missing' || size === undefined) continue;
    into.set(hash, output.subarray(at, at + Number(size)));
    at += Number(size) + 1;
  }
}

/** Sizes in bytes of objects by hash; a missing object has none. */
export async function blobSizes(git: Git, hashes: readonly string[]): Promise<Map<string, number>> {
  if (hashes.length === 0) return new Map();
  const output = await gitOutput(git, ['cat-file', '--batch-check'], { input: `${hashes.join('\n')}\n` });
  const sizes = new Map<string, number>();
  for (const line of output.toString('latin1').split('\n')) {
    const [hash = '', , size] = line.split(' ');
    if (size !== undefined) sizes.set(hash, Number(size));
  }
  return sizes;
}

/** Contents of objects by hash, as git stores them (no line-end conversion, no filters), in calls of bounded size. */
export async function readBlobs(git: Git, sizes: ReadonlyMap<string, number>): Promise<Map<string, Buffer>> {
  const contents = new Map<string, Buffer>();
  let batch: string[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    parseBatch(await gitOutput(git, ['cat-file', '--batch'], { input: `${batch.join('\n')}\n` }), contents);
    batch = [];
    bytes = 0;
  };
  for (const [hash, size] of sizes) {
    if (bytes + size > CALL_BYTES) await flush();
    batch.push(hash);
    bytes += size;
  }
  await flush();
  return contents;
}
