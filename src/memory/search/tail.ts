import type { Queries } from '../../store/database.ts';
import { numberOf } from '../../store/row.ts';
import type { Lookup, WeighedTerm } from './candidates.ts';
import type { SearchScope } from './filter.ts';
import { scoreOf } from './fusion.ts';
import { expressionOf, type Question } from './question.ts';
import { plainWord, stemOf } from './stem.ts';
import { heaviest, type Weighed } from './weights.ts';

/** What a word counts in the tail: frozen when the first result of the tail is given, since every write changes it a little. */
export interface TailTerm {
  /** 1 to 127. */
  readonly weight: number;
  /** Whether all entries that have it are read; those of words beyond that come last. */
  readonly listed: boolean;
}

/**
 * The matches that are not in the head, by the weights of the words they have, of equals the latest: an order in which no
 * write moves an entry but its own.
 */
export interface Tail {
  /** The highest id that comes. */
  readonly newest: number;
  /** Ids that do not come again. */
  readonly head: readonly number[];
  /** The score that none in the tail exceeds, 0 to 1. */
  readonly top: number;
  /** In the order of the question's terms. */
  readonly asked: readonly TailTerm[];
  readonly similar: readonly (TailTerm & { readonly word: string })[];
}

const MAX_WEIGHT = 127;
/** Ids that are read for one page. */
const LISTED = 200_000;
const CHUNK = 1_000;

/** @param asked how many of the terms are the question's own */
export function createTail(terms: readonly WeighedTerm[], asked: number, bounds: Pick<Tail, 'newest' | 'head' | 'top'>): Tail {
  const heaviestTerm = terms.reduce((most, { idf, count }) => Math.max(most, idf * count), 0) || 1;
  const rarestFirst = [...terms].sort((a, b) => a.frequency - b.frequency);
  let read = 0;
  const listed = new Set(rarestFirst.filter(({ frequency }) => (read += frequency) <= LISTED));
  const all = terms.map((term) => ({
    word: term.word,
    weight: Math.max(1, Math.round((MAX_WEIGHT * term.idf * term.count) / heaviestTerm)),
    listed: listed.has(term),
  }));
  const plain = all.slice(0, asked).map(({ weight, listed: isListed }) => ({ weight, listed: isListed }));
  return { ...bounds, asked: plain, similar: all.slice(asked) };
}

interface FrozenTerm extends TailTerm {
  readonly expression: string;
}

function frozenTerms({ asked, similar }: Tail, question: Question): readonly FrozenTerm[] {
  return [
    ...asked.flatMap((term, index) => {
      const expression = question.terms[index]?.expression;
      return expression === undefined ? [] : [{ ...term, expression }];
    }),
    ...similar.map((term) => ({ ...term, expression: expressionOf(stemOf(plainWord(term.word)), term.word) })),
  ];
}

/** The score of an entry of average length with words of such a weight; none exceeds the head's. */
export function tailScore({ asked, top, similar }: Tail, weight: number): number {
  const full = asked.reduce((sum, term) => sum + term.weight, 0);
  const unlisted = [...asked, ...similar].filter((term) => !term.listed).map((term) => term.weight);
  return Math.min(top, scoreOf(weight === 0 ? Math.min(...unlisted) : weight, full));
}

/** Entries with none but words that too many have, the latest first; their weight is 0. */
async function readUnlisted(
  queries: Queries,
  terms: readonly FrozenTerm[],
  scope: SearchScope,
  page: { readonly before: number; readonly without: ReadonlySet<number>; readonly count: number },
): Promise<readonly Weighed[]> {
  const anyOf = (some: readonly FrozenTerm[]): string => some.map((term) => `(${term.expression})`).join(' OR ');
  const [listed, unlisted] = [terms.filter((term) => term.listed), terms.filter((term) => !term.listed)];
  if (unlisted.length === 0) return [];
  const match = listed.length === 0 ? anyOf(unlisted) : `(${anyOf(unlisted)}) NOT (${anyOf(listed)})`;
  const found: Weighed[] = [];
  let { before } = page;
  while (found.length < page.count) {
    const rows = await queries.all(
      `SELECT m.id FROM memory_fts CROSS JOIN memory_entry m ON m.id = memory_fts.rowid
      WHERE memory_fts MATCH ? AND memory_fts.rowid < ? AND ${scope.sql} ORDER BY memory_fts.rowid DESC LIMIT ?`,
      [match, before, ...scope.params, CHUNK],
    );
    for (const row of rows) {
      before = numberOf(row, 'id');
      if (!page.without.has(before)) found.push({ id: before, weight: 0 });
    }
    if (rows.length < CHUNK) break;
  }
  return found.slice(0, page.count);
}

/** Up to `count` entries of the tail that come after a place; from its beginning for `null`. */
export async function readTail(
  lookup: Lookup,
  question: Question,
  tail: Tail,
  page: { readonly after: Weighed | null; readonly count: number },
): Promise<readonly Weighed[]> {
  const { queries, statistics, counts, membership, scope } = lookup;
  const terms = frozenTerms(tail, question);
  const without = new Set(tail.head);
  const found: Weighed[] = [];
  let { after } = page;
  if (after === null || after.weight > 0) {
    const listed = terms.filter((term) => term.listed);
    const ids = await counts.lists(
      queries,
      statistics,
      listed.map((term) => term.expression),
    );
    const lists = ids.map((some, index) => ({ ids: some, weight: listed[index]?.weight ?? 0 }));
    while (found.length < page.count) {
      const chunk = heaviest(lists, CHUNK, after);
      const fresh = chunk.filter(({ id }) => id <= tail.newest && !without.has(id));
      const wanted = fresh.map(({ id }) => id);
      const inside = new Set(await membership.inScope(queries, wanted, scope));
      found.push(...fresh.filter(({ id }) => inside.has(id)));
      after = chunk.at(-1) ?? after;
      if (chunk.length < CHUNK) break;
    }
  }
  if (found.length >= page.count) return found.slice(0, page.count);
  const before = after !== null && after.weight === 0 ? after.id : tail.newest + 1;
  const rest = await readUnlisted(queries, terms, scope, { before, without, count: page.count - found.length });
  return [...found, ...rest];
}
