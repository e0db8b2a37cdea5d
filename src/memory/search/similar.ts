import type { Queries } from '../../store/database.ts';
import { textOf } from '../../store/row.ts';
import type { WeighedTerm } from './candidates.ts';
import type { SearchScope } from './filter.ts';
import type { Passage, Reader } from './passages.ts';
import { expressionOf, quoted } from './question.ts';
import { idf, type Statistics } from './statistics.ts';
import { beginningOf, type Vocabulary } from './vocabulary.ts';
import { numbersIn, type WordCounts } from './word-counts.ts';

/** A word that so few entries have may be misspelt, or stand there in a form that no stemmer knows: `educaton`, `painter`. */
const RARE = 10;
const SHORTEST = 4;
/** Of two similar words one has as many letters; in shorter ones chance is enough. */
const LONGER = 5;
/** Rare words of one question that are looked after. */
const MAX_RARE = 4;
/** Entries that are read to find words like a rare one, the newest. */
const READ = 48;
/** Similar words have at least this share of their letter triples in common (Dice). */
const SIMILAR = 0.5;
const WEIGHT = 0.5;
const OF_EACH = 3;
/** Entries up to which similar words must share three letters at their beginning; four beyond it, for speed. */
const FEW_ENTRIES = 2_000;

function triples(word: string): ReadonlySet<string> {
  const padded = `<${word}>`;
  const found = new Set<string>();
  for (let start = 0; start + 3 <= padded.length; start += 1) found.add(padded.slice(start, start + 3));
  return found;
}

function similarity(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  let common = 0;
  for (const triple of a) if (b.has(triple)) common += 1;
  return (2 * common) / (a.size + b.size);
}

export interface SimilarDeps {
  readonly queries: Queries;
  readonly reader: Reader;
  readonly scope: SearchScope;
  readonly statistics: Statistics;
  readonly counts: WordCounts;
}

/** By beginning of a word, the newest entries that have one with it. */
async function entriesWith(queries: Queries, beginnings: readonly string[]): Promise<readonly (readonly number[])[]> {
  const rows = await queries.all(
    `SELECT (SELECT json_group_array(id) FROM (SELECT rowid AS id FROM memory_fts WHERE memory_fts MATCH word.value
      ORDER BY rowid DESC LIMIT ${READ})) AS ids FROM json_each(?) word ORDER BY word.key`,
    [JSON.stringify(beginnings.map((beginning) => `${quoted(beginning)} *`))],
  );
  return rows.map((row) => [...numbersIn(textOf(row, 'ids'))]);
}

/** Stems in entries that begin like a rare one, by the share of letter triples that they have in common. */
function likenesses(
  { stem: mine }: WeighedTerm,
  beginning: string,
  passages: Iterable<Passage>,
  vocabulary: Vocabulary,
): ReadonlyMap<number, number> {
  const first = beginningOf(beginning);
  const own = triples(mine);
  const found = new Map<number, number>();
  for (const { terms } of passages) {
    for (let index = 0; index < terms.length; index += 1) {
      const id = terms[index] ?? -1;
      if (id < 0 || vocabulary.beginning(id) !== first) continue;
      const stem = vocabulary.stem(id);
      if (!stem.startsWith(beginning)) continue;
      if (stem === mine || found.has(id)) continue;
      if (stem.length < SHORTEST || Math.max(stem.length, mine.length) < LONGER) continue;
      const share = similarity(own, triples(stem));
      if (share >= SIMILAR) found.set(id, share);
    }
  }
  return found;
}

/** Words in the index that are spelt like words of the question which few entries have, as terms of lower weight. */
export async function similarTerms(terms: readonly WeighedTerm[], deps: SimilarDeps): Promise<readonly WeighedTerm[]> {
  const { queries, reader, statistics } = deps;
  const letters = statistics.entries <= FEW_ENTRIES ? 3 : 4;
  const rare = terms
    .filter((term) => term.frequency <= RARE && Array.from(term.stem).length >= SHORTEST)
    .slice(0, MAX_RARE)
    .map((term) => ({ term, beginning: Array.from(term.stem).slice(0, letters).join('') }));
  if (rare.length === 0) return [];
  const lists = await entriesWith(
    queries,
    rare.map(({ beginning }) => beginning),
  );
  const weights = new Map<number, number>();
  for (const [index, { term, beginning }] of rare.entries()) {
    const passages = await reader.read(queries, lists[index] ?? [], deps.scope);
    const like = likenesses(term, beginning, passages.values(), reader.vocabulary);
    const closest = [...like].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, OF_EACH);
    for (const [id, share] of closest) weights.set(id, Math.max(weights.get(id) ?? 0, share * WEIGHT));
  }
  const asked = new Set(terms.map((term) => term.stem));
  const found = [...weights].flatMap(([id, count]) => {
    const [stem, word] = [reader.vocabulary.stem(id), reader.vocabulary.word(id)];
    return asked.has(stem) ? [] : [{ stem, word, expression: expressionOf(stem, word), count }];
  });
  const counts = await deps.counts.of(
    queries,
    statistics,
    found.map((term) => term.expression),
  );
  return found.map((term, index) => ({ ...term, frequency: counts[index] ?? 0, idf: idf(counts[index] ?? 0, statistics) }));
}
