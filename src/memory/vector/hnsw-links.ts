import { open, writeFile, type FileHandle } from 'node:fs/promises';
import { fill } from './data-file.ts';

/**
 * The neighbours of a graph's points, without its vectors, as 32-bit numbers: the entry point, its level, the most
 * neighbours on level 0 and above it; then for each point how many it has on level 0 and, padded, which; then for each
 * point that is on higher levels too its number, how many these are, and for each of them the same as for level 0.
 */
export type HnswLinks = Int32Array<SharedArrayBuffer>;

/** Room for so many numbers. */
export function newLinks(length: number): HnswLinks {
  return new Int32Array(new SharedArrayBuffer(length * Int32Array.BYTES_PER_ELEMENT));
}

/** Numbers before the first point. */
export const LINKS_HEAD = 4;

/** The head of a file of hnswlib (`saveIndex` in hnswalg.h): 8-byte numbers but for two of 4 bytes, little endian. */
const FILE_HEAD_BYTES = 96;
const LABEL_BYTES = 8;
const NUMBER_BYTES = 4;
/** Points read at once. */
const PART = 1_024;

interface FileHead {
  readonly pointBytes: number;
  readonly level: number;
  readonly entry: number;
  readonly most: number;
  readonly mostAbove: number;
}

async function readBytes(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  await fill(file, bytes, position);
  return bytes;
}

/** Rejects a file that is laid out otherwise, as another version or another sort of machine may do. */
function headOf(bytes: Buffer, count: number, dimensions: number): FileHead {
  const at = (position: number): number => Number(bytes.readBigUInt64LE(position));
  const [most, mostAbove, pointBytes] = [at(64), at(56), at(24)];
  const expected = NUMBER_BYTES * (1 + most + dimensions) + LABEL_BYTES;
  if (at(0) !== 0 || at(16) !== count || pointBytes !== expected) throw new Error('hnswlib writes its graph in an unknown way');
  return { pointBytes, level: bytes.readInt32LE(48), entry: bytes.readUInt32LE(52), most, mostAbove };
}

/** Copies how many neighbours a point has, and which, to a place that is zeroed. */
function copyList(from: Buffer, position: number, to: HnswLinks, at: number): void {
  const length = from.readUInt16LE(position);
  to[at] = length;
  for (let i = 1; i <= length; i += 1) to[at + i] = from.readUInt32LE(position + NUMBER_BYTES * i);
}

/** The lists above level 0: for each point their size in bytes, and then they themselves. */
function copyAbove(from: Buffer, count: number, { mostAbove }: FileHead, to: HnswLinks, start: number): number {
  const listNumbers = 1 + mostAbove;
  let at = start;
  let position = 0;
  for (let point = 0; point < count; point += 1) {
    const levels = from.readUInt32LE(position) / (NUMBER_BYTES * listNumbers);
    position += NUMBER_BYTES;
    if (levels === 0) continue;
    to[at] = point;
    to[at + 1] = levels;
    at += 2;
    for (let level = 0; level < levels; level += 1) {
      copyList(from, position, to, at);
      position += NUMBER_BYTES * listNumbers;
      at += listNumbers;
    }
  }
  return at;
}

/** Reads the neighbours from a file that hnswlib wrote. Rejects when it is laid out in an unknown way. */
async function readLinks(path: string, count: number, dimensions: number): Promise<HnswLinks> {
  const file = await open(path, 'r');
  try {
    const head = headOf(await readBytes(file, 0, FILE_HEAD_BYTES), count, dimensions);
    const { pointBytes, most } = head;
    const aboveAt = FILE_HEAD_BYTES + count * pointBytes;
    const above = await readBytes(file, aboveAt, (await file.stat()).size - aboveAt);
    const aboveStart = LINKS_HEAD + count * (1 + most);
    // Of a point above level 0 the file has a size, of which the links make two numbers.
    const links = newLinks(aboveStart + 2 * (above.length / NUMBER_BYTES));
    links.set([head.entry, head.level, most, head.mostAbove]);
    for (let point = 0; point < count; point += PART) {
      const length = Math.min(PART, count - point);
      const bytes = await readBytes(file, FILE_HEAD_BYTES + point * pointBytes, length * pointBytes);
      for (let i = 0; i < length; i += 1) copyList(bytes, i * pointBytes, links, LINKS_HEAD + (point + i) * (1 + most));
    }
    return links.subarray(0, copyAbove(above, count, head, links, aboveStart));
  } finally {
    await file.close();
  }
}

/**
 * Puts the links of a graph, which it returns, in the place of the file that hnswlib wrote it to. Rejects one of an unknown
 * layout.
 */
export async function replaceByLinks(path: string, count: number, dimensions: number): Promise<HnswLinks> {
  const links = await readLinks(path, count, dimensions);
  await writeFile(path, links);
  return links;
}
