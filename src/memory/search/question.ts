import { InvalidInputError } from '../../errors.ts';
import { checkBytes, MAX_QUERY_BYTES, storable } from '../limits.ts';
import { formsOf, plainWord, spelledWordsOf, stemOf, wordsOf } from './stem.ts';
import { STOP_WORDS } from './stop-words.ts';

/** A word of a question in all its forms. */
export interface Term {
  readonly stem: string;
  /** As it was asked. */
  readonly word: string;
  /** What matches its forms in the full-text index. */
  readonly expression: string;
  /** How often the question has it. */
  readonly count: number;
}

export interface Question {
  /** The question as it is looked for as a substring; may be empty when there is a phrase. */
  readonly text: string;
  /** By first occurrence. Empty when it has no word. */
  readonly terms: readonly Term[];
  /** Stems in the order of the question. */
  readonly order: readonly string[];
  /** Words with a capital: an entry that begins with one of them speaks of it, or is said by it. */
  readonly names: ReadonlySet<string>;
  /** Whether words have letters outside ASCII; scripts without spaces are indexed a whole run at a time. */
  readonly foreign: boolean;
}

/** An FTS5 string: no character in it has a meaning of its own. */
export function quoted(words: string): string {
  return `"${words.replaceAll('"', '""')}"`;
}

/** What finds any form of a word in the full-text index. */
export function expressionOf(stem: string, word: string): string {
  return formsOf(stem, word).map(quoted).join(' OR ');
}

function namesIn(text: string): ReadonlySet<string> {
  const names = (text.match(/(?<![\p{L}\p{N}])\p{Lu}[\p{L}\p{M}]+/gu) ?? []).flatMap((name) => wordsOf(name));
  return new Set(names.filter((name) => !STOP_WORDS.has(name)));
}

function checked(parameter: 'query' | 'phrase', text: string): string {
  if (typeof text !== 'string') {
    throw new InvalidInputError(`${parameter} is ${text === null ? 'null' : `a ${typeof text}`}, not text`, {
      hint: 'Pass text.',
      details: { parameter },
    });
  }
  checkBytes(parameter, text, MAX_QUERY_BYTES);
  return storable(text).trim();
}

/**
 * A question in plain language: no character has a special meaning. Stop words are dropped unless nothing else is there;
 * the words of a phrase count as asked for. Throws `InvalidInputError` when it is blank without a phrase, or longer than
 * 4,096 bytes.
 */
export function parseQuestion(query: string, phrase?: string): Question {
  const text = checked('query', query);
  const exact = phrase === undefined ? '' : checked('phrase', phrase);
  if (phrase !== undefined && exact === '') {
    throw new InvalidInputError('phrase is empty', {
      hint: 'Leave phrase out, or say which words.',
      details: { parameter: 'phrase' },
    });
  }
  if (text === '' && exact === '') {
    throw new InvalidInputError('query is empty', { hint: 'Say what to look for.', details: { parameter: 'query' } });
  }
  const all = spelledWordsOf(`${text}\n${exact}`);
  const telling = all.filter((word) => !STOP_WORDS.has(word));
  const words = telling.length === 0 ? all : telling;
  const order = words.map((word) => stemOf(plainWord(word)));
  const terms = new Map<string, Term>();
  for (const [index, stem] of order.entries()) {
    const known = terms.get(stem);
    const word = words[index] ?? '';
    if (known === undefined) terms.set(stem, { stem, word, expression: expressionOf(stem, word), count: 1 });
    else terms.set(stem, { ...known, count: known.count + 1 });
  }
  return {
    text,
    terms: [...terms.values()],
    order,
    names: namesIn(text),
    foreign: words.some((word) => /[^\p{ASCII}]/u.test(word)),
  };
}
