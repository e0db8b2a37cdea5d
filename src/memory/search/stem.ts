import { stemmer } from 'stemmer';
import { IRREGULAR_FORMS } from './irregular-forms.ts';

/** What the index's tokenizer takes for a word: letters, digits, private use, with their marks (sqlite.org/fts5.html). */
const WORD = /[\p{L}\p{N}\p{Co}][\p{L}\p{N}\p{M}\p{Co}]*/gu;
/** The accents of Latin, Greek and Cyrillic; marks of other scripts tell words apart. */
const ACCENTS = /[\u0300-\u036f]/g;

function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length;
}

/** The words of a text in order, in lower case. */
export function spelledWordsOf(text: string): readonly string[] {
  const lower = text.toLowerCase();
  return lower.match(isAscii(lower) ? /[a-z0-9]+/g : WORD) ?? [];
}

/** A word in lower case without accents. */
export function plainWord(word: string): string {
  return isAscii(word) ? word : word.normalize('NFD').replace(ACCENTS, '').normalize('NFC');
}

/** The words of a text in order, in lower case and without accents. */
export function wordsOf(text: string): readonly string[] {
  const words = spelledWordsOf(text);
  return isAscii(text) ? words : words.map(plainWord);
}

/** The stem that the index holds: Porter's, of words of 3 to 63 bytes (sqlite/ext/fts5/fts5_tokenize.c). */
function indexed(word: string): string {
  const bytes = Buffer.byteLength(word);
  return bytes < 3 || bytes > 63 ? word : stemmer(word);
}

interface Irregular {
  /** Base form by the stem of any form. */
  readonly baseOf: ReadonlyMap<string, string>;
  /** All forms by base form. */
  readonly formsOf: ReadonlyMap<string, readonly string[]>;
}

let irregular: Irregular | undefined;

function irregularForms(): Irregular {
  if (irregular !== undefined) return irregular;
  const baseOf = new Map<string, string>();
  const formsOf = new Map<string, readonly string[]>();
  for (const entry of IRREGULAR_FORMS.split(/\s+/)) {
    const [base = '', forms = ''] = entry.split(':');
    const all = [base, ...forms.split(',')];
    for (const form of all) baseOf.set(indexed(form), indexed(base));
    formsOf.set(indexed(base), all);
  }
  irregular = { baseOf, formsOf };
  return irregular;
}

/** What all forms of a word share: the index's stem, and for irregular words (`went`, `children`) that of their base form. */
export function stemOf(word: string): string {
  const stem = indexed(word);
  return irregularForms().baseOf.get(stem) ?? stem;
}

/** Words that together find all forms of a stem in the index, given one word of that stem. */
export function formsOf(stem: string, word: string): readonly string[] {
  return irregularForms().formsOf.get(stem) ?? [word];
}
