import { fileHead } from './file-head.ts';
import { fileSize } from './file-size.ts';

/** Bytes of one copy of the header, of which there are two, and of both with the number of moved frames. */
const COPY_BYTES = 48;
const HEAD_BYTES = 100;
const SUMMED_BYTES = 40;

/** What the index of a log (`-shm`) says of the log. It stays behind when a process is killed. */
export interface LogIndex {
  /** Of the log that it belongs to, as hexadecimal digits. */
  readonly salts: string;
  /** Frames up to the end of the last committed transaction. */
  readonly frames: number;
  /** Frames that are in the database file already. */
  readonly moved: number;
}

/**
 * Reads the index of a log without SQLite (source: sqlite.org/walformat.html#the_wal_index_header); numbers are in the byte order
 * of the machine.
 * @returns `undefined` where there is none, or one that is being changed, from another machine or damaged: SQLite makes it anew
 * Errors: `StorageError`.
 */
export function readLogIndex(path: string): LogIndex | undefined {
  const file = `${path}-shm`;
  if (fileSize(file) < HEAD_BYTES) return undefined;
  const head = Buffer.from(fileHead(file, HEAD_BYTES));
  if (head.length < HEAD_BYTES || head.compare(head, COPY_BYTES, 2 * COPY_BYTES, 0, COPY_BYTES) !== 0) return undefined;
  const words = new Uint32Array(head.buffer, head.byteOffset, HEAD_BYTES / 4);
  const word = (at: number): number => words[at] ?? 0;
  let [s0, s1] = [0, 0];
  for (let at = 0; at < SUMMED_BYTES / 4; at += 2) {
    s0 = (s0 + word(at) + s1) >>> 0;
    s1 = (s1 + word(at + 1) + s0) >>> 0;
  }
  const isWhole = word(0) === 3_007_000 && head[12] === 1 && s0 === word(10) && s1 === word(11);
  return isWhole ? { salts: head.toString('hex', 32, 40), frames: word(4), moved: word(24) } : undefined;
}
