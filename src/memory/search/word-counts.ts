import type { Queries } from '../../store/database.ts';
import { textOf } from '../../store/row.ts';
import type { Statistics } from './statistics.ts';

/** Words counted at most; more are forgotten all at once. */
const MAX_COUNTED = 20_000;
/** Ids kept, of 4 bytes each; of more those that were not used for the longest time are forgotten. */
const MAX_IDS = 500_000;
/** To read which so few entries have a word costs little more than to count them; and they are wanted next, as a rule. */
const FEW_ENTRIES = 20_000;
/** Of a word that was not asked for it is enough to know about how many have it: how many is told by where so many stand. */
const SAMPLED = 2_000;

interface Counted {
  readonly frequency: number;
  readonly revision: number;
  readonly folded: number;
}

interface Listed {
  readonly ids: Uint32Array;
  readonly revision: number;
  readonly folded: number;
}

/**
 * How many entries have a word, and which, as the index has it. Counts are remembered while few entries have changed,
 * lists until the next change, be it that entries which were stored before are taken into the index.
 */
export interface WordCounts {
  /**
   * Exact up to 20,000; of a word that more have, about how many.
   * @param expressions what each word is in the full-text index
   */
  of(queries: Queries, statistics: Statistics, expressions: readonly string[]): Promise<readonly number[]>;
  /** Exact below 2,000, about so many from there on: enough for words that nobody asked for. */
  about(queries: Queries, statistics: Statistics, expressions: readonly string[]): Promise<readonly number[]>;
  /** Ids of the entries that have each word. */
  lists(queries: Queries, statistics: Statistics, expressions: readonly string[]): Promise<readonly Uint32Array[]>;
  /** Forgets everything. */
  clear(): void;
}

const UNLIMITED = Number.MAX_SAFE_INTEGER;
const EMPTY = new Uint32Array();
const ZERO = 48;
const NINE = 57;

/** Where the numbers of a list are put that is not too long, before it is known how many there are. */
const SCRATCH = new Uint32Array(32_768);

/** The numbers of a JSON list, without a large array on the way. */
export function numbersIn(json: string): Uint32Array {
  const most = json.length >> 1; // a number and what follows it are two characters at least
  const numbers = most > SCRATCH.length ? new Uint32Array(most) : SCRATCH;
  let size = 0;
  let value = -1;
  for (let at = 0; at < json.length; at += 1) {
    const code = json.charCodeAt(at);
    if (code >= ZERO && code <= NINE) value = (value < 0 ? 0 : value * 10) + code - ZERO;
    else if (value >= 0) {
      numbers[size] = value;
      size += 1;
      value = -1;
    }
  }
  return numbers.slice(0, size);
}

/** About how many there are when the first `count` reach up to the id `last`, with ids up to `newest`. */
function projected(count: number, last: number, newest: number): number {
  return Math.max(count, Math.round((count * newest) / Math.max(1, last)));
}

/** How many entries have each word; where there are more than a sample, about how many. */
async function sample(queries: Queries, expressions: readonly string[], newest: number): Promise<readonly number[]> {
  const rows = await queries.all(
    `SELECT (SELECT json_array(count(*), max(id)) FROM (SELECT rowid AS id FROM memory_fts WHERE memory_fts MATCH word.value LIMIT ?)) AS found
    FROM json_each(?) word ORDER BY word.key`,
    [SAMPLED, JSON.stringify(expressions)],
  );
  return rows.map((row) => {
    const [count = 0, last = 0] = numbersIn(textOf(row, 'found'));
    return count < SAMPLED ? count : projected(count, last, newest);
  });
}

/** Ids of the first entries, at most so many, that have each word. */
async function list(queries: Queries, expressions: readonly string[], most: number): Promise<readonly Uint32Array[]> {
  const rows = await queries.all(
    `SELECT (SELECT json_group_array(id) FROM (SELECT rowid AS id FROM memory_fts WHERE memory_fts MATCH word.value LIMIT ?)) AS ids
    FROM json_each(?) word ORDER BY word.key`,
    [most, JSON.stringify(expressions)],
  );
  return rows.map((row) => numbersIn(textOf(row, 'ids')));
}

type Counts = Map<string, Counted>;

/** Asks for what is not known, and remembers it. */
async function throughMemory(
  known: Counts,
  { entries, revision, folded }: Statistics,
  expressions: readonly string[],
  count: (missing: readonly string[]) => Promise<readonly number[]>,
): Promise<readonly number[]> {
  // A weight that is a little old ranks as well; a small memory is always counted anew.
  const isFresh = (one: Counted): boolean =>
    Math.max(Math.abs(revision - one.revision), Math.abs(folded - one.folded)) <= entries / 500;
  const found = new Map<string, number>();
  for (const expression of expressions) {
    const one = known.get(expression);
    if (one !== undefined && isFresh(one)) found.set(expression, one.frequency);
  }
  const missing = [...new Set(expressions)].filter((expression) => !found.has(expression));
  const counted = missing.length === 0 ? [] : await count(missing);
  for (const [index, expression] of missing.entries()) {
    const frequency = counted[index] ?? 0;
    found.set(expression, frequency);
    if (known.size >= MAX_COUNTED) known.clear();
    known.set(expression, { frequency, revision, folded });
  }
  return expressions.map((expression) => found.get(expression) ?? 0);
}

export function createWordCounts(): WordCounts {
  const counted: Counts = new Map();
  const sampled: Counts = new Map();
  const listed = new Map<string, Listed>();
  let ids = 0;
  const keep = (expression: string, some: Uint32Array, statistics: Statistics): void => {
    const { revision, folded } = statistics;
    ids += some.length - (listed.get(expression)?.ids.length ?? 0);
    listed.delete(expression);
    listed.set(expression, { ids: some, revision, folded });
    for (const [oldest, { ids: its }] of listed) {
      if (ids <= MAX_IDS && listed.size <= MAX_COUNTED) break;
      listed.delete(oldest);
      ids -= its.length;
    }
  };
  const lists: WordCounts['lists'] = async (queries, statistics, expressions) => {
    const { revision, folded } = statistics;
    const found = expressions.map((expression) => {
      const known = listed.get(expression);
      if (known?.revision !== revision || known.folded !== folded) return undefined;
      listed.delete(expression); // so that it is the latest
      listed.set(expression, known);
      return known.ids;
    });
    const missing = [...new Set(expressions.filter((_, index) => found[index] === undefined))];
    if (missing.length === 0) return found.map((one) => one ?? EMPTY);
    const read = await list(queries, missing, UNLIMITED);
    const fresh = new Map(missing.map((expression, index) => [expression, read[index] ?? EMPTY]));
    for (const [expression, some] of fresh) keep(expression, some, statistics);
    return expressions.map((expression, index) => found[index] ?? fresh.get(expression) ?? EMPTY);
  };
  /** Counts, and keeps what is read on the way. */
  const countAll = async (
    queries: Queries,
    statistics: Statistics,
    expressions: readonly string[],
  ): Promise<readonly number[]> => {
    const some = await list(queries, expressions, FEW_ENTRIES + 1);
    return expressions.map((expression, index) => {
      const its = some[index] ?? EMPTY;
      if (its.length > FEW_ENTRIES) return projected(its.length, its.at(-1) ?? 0, statistics.newest);
      keep(expression, its, statistics);
      return its.length;
    });
  };
  return {
    of: (queries, statistics, expressions) =>
      throughMemory(counted, statistics, expressions, (missing) => countAll(queries, statistics, missing)),
    about: (queries, statistics, expressions) =>
      throughMemory(sampled, statistics, expressions, (missing) => sample(queries, missing, statistics.newest)),
    lists,
    clear: () => {
      counted.clear();
      sampled.clear();
      listed.clear();
      ids = 0;
    },
  };
}
