import { InvalidInputError } from '../../errors.ts';
import { contentHash } from '../../store/content-hash.ts';
import type { SearchInput } from './answer.ts';
import { createByteReader, createByteWriter } from './number-bytes.ts';
import type { Tail } from './tail.ts';
import type { Weighed } from './weights.ts';

/** Results that an offset reaches; cursors reach all. */
export const MAX_OFFSET = 10_000;

/**
 * Where an answer ended. Within the head, whose scores change with every write, it is known by what was given; beyond it
 * by the last result, in an order that only a change of that very entry changes. What was stored since the first page is
 * left out: a walk through all pages would else never end while others write.
 */
export type Place =
  | { readonly at: 'head'; readonly given: readonly number[]; readonly newest: number }
  | { readonly at: 'tail'; readonly tail: Tail; readonly after: Weighed }
  | { readonly at: 'substring'; readonly after: number };

const VERSION = 1;
const KINDS = ['head', 'tail', 'substring'] as const;
const HASH_BYTES = 8;
/** Steps in which a score is kept. */
const SCORE_STEPS = 65_535;

/** What a cursor belongs to: all that decides which results come in which order, so not the size of a page. */
function fingerprint(input: SearchInput, place: Buffer): Buffer {
  const { limit: _limit, offset: _offset, cursor: _cursor, maxTokens: _maxTokens, explain: _explain, ...question } = input;
  const members = Object.entries(question).filter(([, value]) => value !== undefined);
  const text = JSON.stringify([place.toString('hex'), members.sort(([a], [b]) => (a < b ? -1 : 1))]);
  return Buffer.from(contentHash(text)).subarray(0, HASH_BYTES);
}

function encode(place: Place): Buffer {
  const writer = createByteWriter();
  writer.number(VERSION);
  writer.number(KINDS.indexOf(place.at));
  if (place.at === 'head') {
    writer.number(place.newest);
    writer.ids(place.given);
  } else if (place.at === 'substring') writer.number(place.after);
  else {
    const { newest, head, top, asked, similar } = place.tail;
    writer.number(newest);
    writer.number(place.after.id);
    writer.number(place.after.weight);
    writer.number(Math.floor(top * SCORE_STEPS));
    writer.ids(head);
    for (const some of [asked, similar]) {
      writer.number(some.length);
      for (const { weight, listed } of some) writer.number(2 * weight + (listed ? 1 : 0));
    }
    for (const { word } of similar) writer.text(word);
  }
  return writer.bytes();
}

function decode(bytes: Buffer): Place | undefined {
  const reader = createByteReader(bytes);
  if (reader.number() !== VERSION) return undefined;
  const kind = KINDS[reader.number()];
  if (kind === 'head') return { at: 'head', newest: reader.number(), given: reader.ids() };
  if (kind === 'substring') return { at: 'substring', after: reader.number() };
  if (kind === undefined) return undefined;
  const newest = reader.number();
  const after = { id: reader.number(), weight: reader.number() };
  const top = reader.number() / SCORE_STEPS;
  const head = reader.ids();
  const terms = (): { weight: number; listed: boolean }[] =>
    Array.from({ length: Math.min(reader.number(), bytes.length) }, () => {
      const both = reader.number();
      return { weight: Math.floor(both / 2), listed: both % 2 === 1 };
    });
  const asked = terms();
  const similar = terms().map((term) => ({ ...term, word: reader.text() }));
  return { at: 'tail', tail: { newest, head, top, asked, similar }, after };
}

/** Where to go on: opaque to callers. */
export function toCursor(input: SearchInput, place: Place): string {
  const bytes = encode(place);
  return Buffer.concat([fingerprint(input, bytes), bytes]).toString('base64url');
}

/** The place in a cursor of {@link toCursor}. Throws `InvalidInputError` when it is none, or of another question. */
export function fromCursor(input: SearchInput, cursor: string): Place {
  const bytes = typeof cursor === 'string' && /^[\w-]+$/.test(cursor) ? Buffer.from(cursor, 'base64url') : Buffer.alloc(0);
  const rest = bytes.subarray(HASH_BYTES);
  const isOurs = bytes.toString('base64url') === cursor && bytes.subarray(0, HASH_BYTES).equals(fingerprint(input, rest));
  const place = isOurs ? decode(rest) : undefined;
  if (place !== undefined) return place;
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
