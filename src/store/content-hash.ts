import { hash } from 'node:crypto';

const HASH_BYTES = 16;

/** Names a stored value by its content: the first 16 bytes of SHA-256 over its text. Equal texts have equal hashes. */
export function contentHash(text: string): Uint8Array {
  const digest = hash('sha256', text, 'buffer');
  return new Uint8Array(digest.buffer, digest.byteOffset, HASH_BYTES);
}
