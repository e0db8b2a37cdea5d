import type { Embedder } from './embedder.ts';
import { embeddedText } from './embedded-text.ts';
import { unitVector } from './unit-vector.ts';

const DIMENSIONS = 384;
/** Contents embedded without giving way to other work: about 10 ms. */
const BATCH = 64;
/** How much one part of a word counts beside the whole word; long words, which tend to be rare, so count for more. */
const PART_WEIGHT = 0.6;
const MOST_PARTS = 24;

/** Words so frequent that sharing them says nothing. A change of them, as of anything here, needs a new model name. */
const STOP_WORDS: ReadonlySet<string> = new Set(
  `a an and are as at be but by for from had has have he her his i if in into is it its me my no not of on or our she so
  that the their them then there they this to us was we were what when where which who will with you your`.split(/\s+/),
);

const WORD = /[\p{L}\p{N}]+/gu;
/** Scripts that put no space between words: each two neighbouring letters count as a word. */
const UNSPACED =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const MARKS = /\p{M}+/gu;
const ASCII = /^[\0-\x7f]*$/;

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** FNV-1a over the UTF-16 units from `from` to before `to`, then mixed as in MurmurHash3 so that low bits are even. */
function hash(text: string, from: number, to: number, seed: number): number {
  let state = FNV_OFFSET ^ seed;
  for (let at = from; at < to; at += 1) state = Math.imul(state ^ text.charCodeAt(at), FNV_PRIME);
  state ^= state >>> 16;
  state = Math.imul(state, 0x85ebca6b);
  state ^= state >>> 13;
  return state >>> 0;
}

/** Adds a feature: its hash chooses the dimension and the sign, so that features which share one cancel out on average. */
function add(sums: Float64Array, feature: number, weight: number): void {
  const at = feature % DIMENSIONS;
  sums[at] = (sums[at] ?? 0) + (feature & 0x40000000 ? weight : -weight);
}

/** The features of one word: itself and its parts of 3 and 4 letters, borders included, so `token` is near `tokens`. */
function addWord(sums: Float64Array, word: string, weight: number): void {
  add(sums, hash(word, 0, word.length, 1), weight);
  const bordered = `<${word}>`;
  let left = MOST_PARTS;
  for (const size of [3, 4]) {
    for (let at = 0; at + size <= bordered.length && left > 0; at += 1) {
      add(sums, hash(bordered, at, at + size, size), weight * PART_WEIGHT);
      left -= 1;
    }
  }
}

/** Words with how often they occur. Case, accents and forms of the same character do not count. */
function wordsOf(text: string): ReadonlyMap<string, number> {
  const folded = ASCII.test(text) ? text.toLowerCase() : text.normalize('NFKD').replace(MARKS, '').toLowerCase();
  const counts = new Map<string, number>();
  const count = (word: string): void => void counts.set(word, (counts.get(word) ?? 0) + 1);
  for (const [word] of folded.matchAll(WORD)) {
    if (!UNSPACED.test(word)) count(word);
    else for (let at = 0; at < Math.max(word.length - 1, 1); at += 1) count(word.slice(at, at + 2));
  }
  if (counts.size === 0) for (const character of folded) if (character.trim() !== '') count(character);
  return counts;
}

function vectorOf(text: string): Float32Array {
  const words = wordsOf(embeddedText(text));
  const telling = [...words].filter(([word]) => !STOP_WORDS.has(word));
  const sums = new Float64Array(DIMENSIONS);
  for (const [word, times] of telling.length === 0 ? words : telling) addWord(sums, word, Math.sqrt(times));
  const vector = unitVector(sums);
  if (typeof vector !== 'string') return vector;
  // The features cancelled out exactly: any fixed direction will do.
  return new Float32Array(DIMENSIONS).fill(1 / Math.sqrt(DIMENSIONS));
}

/**
 * The built-in embedder: words and parts of words hashed into 384 dimensions (feature hashing, Weinberger et al. 2009).
 * Texts are near when they share words, forms of words, or misspelt words; it knows nothing of meanings. Gives the same
 * vectors on every machine, needs no model and no network, and never fails.
 */
export function createLexicalEmbedder(): Embedder {
  return {
    provider: 'lexical',
    model: `hashed-ngrams-${DIMENSIONS}`,
    dimensions: DIMENSIONS,
    semantic: false,
    batchSize: BATCH,
    embed: async (texts) => texts.map(vectorOf),
    [Symbol.asyncDispose]: async () => undefined,
  };
}
