import { InvalidInputError } from '../../errors.ts';
import { contentHash } from '../../store/content-hash.ts';
import type { SearchInput } from './answer.ts';

/** Results that paging reaches. */
export const MAX_OFFSET = 10_000;

/** What a cursor belongs to: a place, and all that decides which results come in which order, so not the size of a page. */
function fingerprint(input: SearchInput, offset: number): Buffer {
  const { limit: _limit, offset: _offset, cursor: _cursor, maxTokens: _maxTokens, explain: _explain, ...question } = input;
  const members = Object.entries(question).filter(([, value]) => value !== undefined);
  return Buffer.from(contentHash(JSON.stringify([offset, members.sort(([a], [b]) => (a < b ? -1 : 1))]))).subarray(0, 8);
}

/** Where to go on: opaque to callers. */
export function toCursor(input: SearchInput, offset: number): string {
  const place = Buffer.alloc(4);
  place.writeUInt32BE(offset);
  return Buffer.concat([fingerprint(input, offset), place]).toString('base64url');
}

/** The offset in a cursor of {@link toCursor}. Throws `InvalidInputError` when it is none, or of another question. */
export function fromCursor(input: SearchInput, cursor: string): number {
  const bytes = typeof cursor === 'string' && /^[\w-]{16}$/.test(cursor) ? Buffer.from(cursor, 'base64url') : undefined;
  const offset = bytes?.length === 12 ? bytes.readUInt32BE(8) : -1;
  if (bytes !== undefined && offset >= 0 && offset <= MAX_OFFSET && bytes.subarray(0, 8).equals(fingerprint(input, offset)))
    return offset;
  throw new InvalidInputError('cursor is not one of an earlier answer to this question', {
    hint: 'Pass the cursor of the last answer together with the same query and filters, or leave it out to start over.',
    details: { parameter: 'cursor' },
  });
}

/** Throws `InvalidInputError` unless it is a score, 0 to 1. */
export function checkScore(minScore: number): void {
  if (typeof minScore === 'number' && minScore >= 0 && minScore <= 1) return;
  throw new InvalidInputError(`minScore is ${minScore}; expected 0 to 1`, {
    hint: 'Pass minScore within that range, or leave it out.',
    details: { parameter: 'minScore' },
  });
}
