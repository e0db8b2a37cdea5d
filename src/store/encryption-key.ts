import { scryptSync } from 'node:crypto';
import { checkDatabaseKey } from '../config/database-key.ts';

/** The driver's cipher reads 32 bytes of a key and ignores the rest: 24 bytes in base64 are exactly as many. */
const DERIVED_BYTES = 24;
/** Fixed, since the file has no room for a salt: keys should be random, not words. */
const SALT = 'skillflow database key';

const derived = new Map<string, string>();

/**
 * The key that the driver is given, derived with scrypt so that all of a long key counts; 192 bits, about 50 ms once.
 * The cipher is AES-256 in CBC mode (SQLite3 Multiple Ciphers, `aes256cbc`). It hides what the file says; it does not
 * authenticate it, and equal pages of two files with one key are equal in the files too.
 * Errors: `InvalidInputError` for a key of fewer than 16 bytes.
 */
export function encryptionKey(key: string): string {
  const known = derived.get(key);
  if (known !== undefined) return known;
  checkDatabaseKey(key, 'the database key');
  const result = scryptSync(key, SALT, DERIVED_BYTES).toString('base64url');
  derived.set(key, result);
  return result;
}
