import { InvalidInputError } from '../errors.ts';

/** Bytes of UTF-8 that a key must have. */
const MIN_KEY_BYTES = 16;

/**
 * Refuses a key that is too short to keep anything secret.
 * @param what what to call it in the error, such as `the environment variable SKILLFLOW_DB_KEY`
 * Errors: `InvalidInputError` for a key of fewer than 16 bytes; it never repeats the key.
 */
export function checkDatabaseKey(key: string, what: string): void {
  if (Buffer.byteLength(key) >= MIN_KEY_BYTES) return;
  throw new InvalidInputError(`${what} has fewer than ${MIN_KEY_BYTES} bytes`, {
    hint: 'Use a long random one, such as `openssl rand -hex 32` prints.',
  });
}
