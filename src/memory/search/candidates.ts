import type { Queries } from '../../store/database.ts';
import { numberOf, textOf } from '../../store/row.ts';
import type { Scope } from '../scope.ts';
import type { SearchScope } from './filter.ts';
import { differentIds, heaviest, type Weighed, type WeighedList } from './weights.ts';
import type { Membership } from './membership.ts';
import type { Statistics } from './statistics.ts';
import { numbersIn, type WordCounts } from './word-counts.ts';

/** A word of the question with what the index knows of it. */
export interface WeighedTerm {
  readonly stem: string;
  readonly word: string;
  readonly expression: string;
  readonly count: number;
  /** Entries that have it. */
  readonly frequency: number;
  readonly idf: number;
}

/** An entry in scope. */
export type Candidate = Weighed;

/** Ids that one question looks through. */
const LISTED = 20_000;
/** Rows that BM25 of SQLite is computed for, at about 1.5 µs each. */
const MAX_RANKED = 4_000;

/** What candidates are found with. */
export interface Lookup {
  readonly queries: Queries;
  readonly scope: SearchScope;
  readonly statistics: Statistics;
  readonly counts: WordCounts;
  readonly membership: Membership;
}

/** Words that are read in full: the rarest ones, as long as they fit. */
function affordable(terms: readonly WeighedTerm[]): readonly WeighedTerm[] {
  const rarestFirst = terms.filter((term) => term.frequency > 0).sort((a, b) => a.frequency - b.frequency);
  let read = 0;
  return rarestFirst.filter((term) => (read += term.frequency) <= LISTED);
}

async function listsOf({ queries, statistics, counts }: Lookup, terms: readonly WeighedTerm[]): Promise<readonly WeighedList[]> {
  const lists = await counts.lists(
    queries,
    statistics,
    terms.map((term) => term.expression),
  );
  return lists.map((ids, index) => ({ ids, weight: (terms[index]?.idf ?? 0) * (terms[index]?.count ?? 0) }));
}

/** What was found for a question. */
export interface Candidates {
  /** Heaviest first. */
  readonly best: readonly Candidate[];
  /** For each word that was read the entries, in scope or not, that have it. */
  readonly lists: readonly WeighedList[];
  /** Words whose entries are not among these, since they are too many. */
  readonly frequent: readonly WeighedTerm[];
}

async function inScope({ queries, membership, scope }: Lookup, weighed: readonly Weighed[]): Promise<readonly Candidate[]> {
  const ids = weighed.map(({ id }) => id);
  const inside = await membership.inScope(queries, ids, scope);
  if (inside.length === ids.length) return weighed;
  const known = new Set(inside);
  return weighed.filter(({ id }) => known.has(id));
}

/** The best `wanted` of the listed entries that are in scope, however many are not. */
async function bestInScope(lookup: Lookup, lists: readonly WeighedList[], wanted: number): Promise<readonly Candidate[]> {
  const found: Candidate[] = [];
  let seen = 0;
  for (let size = wanted; found.length < wanted; size *= 8) {
    const best = heaviest(lists, size);
    found.push(...(await inScope(lookup, best.slice(seen))));
    seen = best.length;
    if (seen < size) break;
  }
  return found.slice(0, wanted);
}

async function matching(
  queries: Queries,
  match: string,
  scope: Scope,
  wanted: number,
  order: string,
): Promise<readonly number[]> {
  const rows = await queries.all(
    `SELECT m.id FROM memory_fts CROSS JOIN memory_entry m ON m.id = memory_fts.rowid
    WHERE memory_fts MATCH ? AND ${scope.sql} ORDER BY ${order} LIMIT ?`,
    [match, ...scope.params, wanted],
  );
  return rows.map((row) => numberOf(row, 'id'));
}

/** Entries with one word, those that have it most often first. */
async function ofOneTerm({ queries, scope }: Lookup, term: WeighedTerm, wanted: number): Promise<readonly Candidate[]> {
  const ids = await matching(queries, term.expression, scope, wanted, 'memory_fts.rank, m.id DESC');
  const weight = term.idf * term.count;
  return ids.map((id) => ({ id, weight }));
}

/** Entries with words that are too frequent to be looked at one by one: the newest with all of them, then with any. */
async function ofFrequent(
  queries: Queries,
  terms: readonly WeighedTerm[],
  scope: Scope,
  wanted: number,
): Promise<readonly Weighed[]> {
  const all = terms.map((term) => `(${term.expression})`);
  const total = terms.reduce((sum, term) => sum + term.idf * term.count, 0);
  const both = all.length > 1 ? await matching(queries, all.join(' AND '), scope, wanted, 'memory_fts.rowid DESC') : [];
  const any = both.length < wanted ? await matching(queries, all.join(' OR '), scope, wanted, 'memory_fts.rowid DESC') : [];
  const weak = Math.min(...terms.map((term) => term.idf * term.count));
  const known = new Set(both);
  return [
    ...both.map((id) => ({ id, weight: total })),
    ...any.filter((id) => !known.has(id)).map((id) => ({ id, weight: weak })),
  ];
}

/**
 * The entries in scope that are worth a closer look: at most `wanted`, and fewer only when there are no more. Words that
 * very many entries have only count when the others find too little.
 */
export async function findCandidates(lookup: Lookup, terms: readonly WeighedTerm[], wanted: number): Promise<Candidates> {
  const present = terms.filter((term) => term.frequency > 0);
  const [only] = present;
  if (only === undefined) return { best: [], lists: [], frequent: [] };
  if (present.length === 1 && only.frequency > wanted && only.frequency <= MAX_RANKED) {
    return { best: await ofOneTerm(lookup, only, wanted), lists: [], frequent: present };
  }
  const read = affordable(present);
  const lists = await listsOf(lookup, read);
  const found = await bestInScope(lookup, lists, wanted);
  const frequent = present.filter((term) => !read.includes(term));
  if (frequent.length === 0 || found.length >= wanted) return { best: found, lists, frequent };
  const known = new Set(found.map((candidate) => candidate.id));
  const more = (await ofFrequent(lookup.queries, frequent, lookup.scope, wanted)).filter(({ id }) => !known.has(id));
  return { best: [...found, ...more].slice(0, wanted), lists, frequent };
}

/** The first entries that have a word, in scope or not. */
async function someWith(queries: Queries, { expression }: WeighedTerm, most: number): Promise<Uint32Array> {
  const row = await queries.get(
    'SELECT json_group_array(id) AS ids FROM (SELECT rowid AS id FROM memory_fts WHERE memory_fts MATCH ? LIMIT ?)',
    [expression, most],
  );
  return numbersIn(textOf(row ?? {}, 'ids'));
}

/** Entries in scope that have any of the words, counted up to `limit`. */
export async function countMatches(
  lookup: Lookup,
  terms: readonly WeighedTerm[],
  { best, lists, frequent }: Candidates,
  limit: number,
): Promise<number> {
  const { queries, scope, membership } = lookup;
  const listed = differentIds(lists, limit);
  if (frequent.length === 0 && listed.length <= best.length) return best.length;
  // As a rule all are in scope, and there are either few of them or enough in any part.
  const [most] = [...frequent].sort((a, b) => b.frequency - a.frequency);
  const some = most === undefined || listed.length >= limit ? listed : await someWith(queries, most, limit);
  const counted = await membership.count(queries, some, scope);
  if (counted >= limit) return limit;
  if (frequent.length === 0) {
    if (listed.length < limit) return counted;
    return Math.min(limit, await membership.count(queries, differentIds(lists, Infinity), scope));
  }
  const present = terms.filter((term) => term.frequency > 0).sort((a, b) => b.frequency - a.frequency);
  const row = await queries.get(
    `SELECT count(*) AS total FROM (SELECT 1 FROM memory_fts CROSS JOIN memory_entry m ON m.id = memory_fts.rowid
    WHERE memory_fts MATCH ? AND ${scope.sql} LIMIT ?)`,
    [present.map((term) => term.expression).join(' OR '), ...scope.params, limit],
  );
  return numberOf(row ?? {}, 'total');
}
