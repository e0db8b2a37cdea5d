import { plainWord } from './stem.ts';
import type { Vocabulary } from './vocabulary.ts';

const MAX_CHARACTERS = 300;
/** Characters of a text in which the best part is looked for. */
const SEARCHED_CHARACTERS = 100_000;
/** Characters shown before the first match. */
const LEAD = 80;
const WORD = /[\p{L}\p{N}\p{Co}][\p{L}\p{N}\p{M}\p{Co}]*/gu;

/** At most 300 characters of a text, with an ellipsis when it has more. */
export function shorten(text: string, characters: number = MAX_CHARACTERS): string {
  const all = Array.from(text.slice(0, 2 * characters + 2));
  return all.length <= characters ? text : `${all.slice(0, characters - 1).join('')}…`;
}

/** The part of a text that begins a little before a place, without half a surrogate pair. */
function from(text: string, start: number): string {
  if (start <= 0) return shorten(text);
  const word = text.slice(start, start + LEAD).search(/(?<=\s)\S/u);
  const at = word > 0 && word < LEAD / 2 ? start + word : start;
  const splitsPair = /^[\uDC00-\uDFFF]/.test(text.slice(at, at + 1));
  return shorten(`…${text.slice(splitsPair ? at + 1 : at)}`);
}

/** The surroundings of the first place where `needle` stands; the start of the text when it stands elsewhere. */
export function around(text: string, needle: string): string {
  const found = text.indexOf(needle);
  return found <= LEAD ? shorten(text) : from(text, found - LEAD);
}

/**
 * The part of a text, at most 300 characters, that has most of what was asked for.
 * @param weights of stems by their numbers; a stem counts once in a part
 */
export function snippetOf(text: string, vocabulary: Vocabulary, weights: ReadonlyMap<number, number>): string {
  if (text.length <= MAX_CHARACTERS) return text;
  const places: { readonly at: number; readonly stem: number; readonly weight: number }[] = [];
  for (const match of text.slice(0, SEARCHED_CHARACTERS).matchAll(WORD)) {
    const stem = vocabulary.of(plainWord(match[0].toLowerCase()));
    const weight = weights.get(stem);
    if (weight !== undefined) places.push({ at: match.index, stem, weight });
  }
  let best = { at: 0, weight: -1 };
  for (const [index, { at }] of places.entries()) {
    const seen = new Set<number>();
    let weight = 0;
    for (let next = index; next < places.length; next += 1) {
      const place = places[next];
      if (place === undefined || place.at - at > MAX_CHARACTERS - LEAD - 20) break;
      if (!seen.has(place.stem)) weight += place.weight;
      seen.add(place.stem);
    }
    if (weight > best.weight) best = { at, weight };
  }
  return from(text, best.at - LEAD);
}
