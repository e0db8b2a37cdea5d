import { InvalidInputError } from '../errors.ts';
import { checkBytes, MAX_QUERY_BYTES, storable } from './limits.ts';

/** English words so frequent that they find everything and rank nothing. */
const STOP_WORDS: ReadonlySet<string> = new Set(
  `a about all also an and any are as at be been but by can could did do does for from had has have he her his how i if
  in into is it its just me more my no not of on or our she should so some than that the their them then there these
  they this those to us was we were what when where which who why will with would you your`.split(/\s+/),
);

/** What the index's tokenizer takes for a word: letters, digits, private use, with their marks (sqlite.org/fts5.html). */
const WORD = /[\p{L}\p{N}\p{Co}][\p{L}\p{N}\p{M}\p{Co}]*/gu;

export interface Query {
  /** The query as it is looked for as a substring. */
  readonly text: string;
  /** An FTS5 expression that matches any of the words; `undefined` when there is no word. */
  readonly match: string | undefined;
  /** Whether the words have letters outside ASCII; scripts without spaces are indexed a whole run at a time. */
  readonly foreign: boolean;
}

/**
 * A query in plain language: no character has a special meaning. Words count once; stop words are dropped unless
 * nothing else is there. Throws `InvalidInputError` when the query is blank or longer than 4,096 bytes.
 */
export function parseQuery(query: string): Query {
  if (typeof query !== 'string') throw new InvalidInputError(`query is a ${typeof query}, not text`, { hint: 'Pass text.' });
  checkBytes('query', query, MAX_QUERY_BYTES);
  const text = storable(query).trim();
  if (text === '') {
    throw new InvalidInputError('query is empty', { hint: 'Say what to look for.', details: { parameter: 'query' } });
  }
  const words = [...new Set(text.toLowerCase().match(WORD))];
  const telling = words.filter((word) => !STOP_WORDS.has(word));
  const terms = telling.length === 0 ? words : telling;
  return {
    text,
    match: terms.length === 0 ? undefined : terms.map((term) => `"${term}"`).join(' OR '),
    foreign: terms.some((term) => /[^\p{ASCII}]/u.test(term)),
  };
}
