import type { Queries } from '../../store/database.ts';
import { numberOf, textOf } from '../../store/row.ts';
import type { Statistics } from './statistics.ts';

/** Words counted at most; more are forgotten all at once. */
const MAX_COUNTED = 20_000;
/** Ids kept, of 4 bytes each; more are forgotten all at once. */
const MAX_IDS = 500_000;
/** In a memory of so few entries reading who has a word costs little more than counting them. */
const FEW_ENTRIES = 10_000;

interface Counted {
  readonly frequency: number;
  readonly revision: number;
  readonly folded: number;
  /** The largest frequency that was counted for: this one may be lower than the true one when it equals it. */
  readonly limit: number;
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
   * @param expressions what each word is in the full-text index
   * @param limit count no further than this
   */
  of(queries: Queries, statistics: Statistics, expressions: readonly string[], limit?: number): Promise<readonly number[]>;
  /** Ids of the entries that have each word. */
  lists(queries: Queries, statistics: Statistics, expressions: readonly string[]): Promise<readonly Uint32Array[]>;
  /** Forgets everything. */
  clear(): void;
}

const EMPTY = new Uint32Array();
const ZERO = 48;
const NINE = 57;
const COMMA = 44;

/** The numbers of a JSON list, without a large array on the way. */
function numbersIn(json: string): Uint32Array {
  let size = json.length > 2 ? 1 : 0;
  for (let at = 0; at < json.length; at += 1) if (json.charCodeAt(at) === COMMA) size += 1;
  const numbers = new Uint32Array(size);
  let index = 0;
  let value = -1;
  for (let at = 0; at < json.length; at += 1) {
    const code = json.charCodeAt(at);
    if (code >= ZERO && code <= NINE) value = (value < 0 ? 0 : value * 10) + code - ZERO;
    else if (value >= 0) {
      numbers[index++] = value;
      value = -1;
    }
  }
  return numbers;
}

async function count(queries: Queries, expressions: readonly string[], limit: number): Promise<readonly number[]> {
  const rows = await queries.all(
    `SELECT (SELECT count(*) FROM (SELECT 1 FROM memory_fts WHERE memory_fts MATCH word.value LIMIT ?)) AS frequency
    FROM json_each(?) word ORDER BY word.key`,
    [limit, JSON.stringify(expressions)],
  );
  return rows.map((row) => numberOf(row, 'frequency'));
}

async function list(queries: Queries, expressions: readonly string[]): Promise<readonly Uint32Array[]> {
  const rows = await queries.all(
    `SELECT (SELECT json_group_array(rowid) FROM memory_fts WHERE memory_fts MATCH word.value) AS ids
    FROM json_each(?) word ORDER BY word.key`,
    [JSON.stringify(expressions)],
  );
  return rows.map((row) => numbersIn(textOf(row, 'ids')));
}

export function createWordCounts(): WordCounts {
  const counted = new Map<string, Counted>();
  const listed = new Map<string, Listed>();
  let ids = 0;
  const isFresh = (one: Counted | undefined, { entries, revision, folded }: Statistics, limit: number): boolean =>
    one !== undefined &&
    // A weight that is a little old ranks as well; a small memory is always counted anew.
    Math.max(Math.abs(revision - one.revision), Math.abs(folded - one.folded)) <= entries / 500 &&
    (one.frequency < one.limit || one.limit >= limit);
  const remember = (expression: string, frequency: number, { revision, folded }: Statistics, limit: number): void => {
    if (counted.size >= MAX_COUNTED) counted.clear();
    counted.set(expression, { frequency, revision, folded, limit });
  };
  const lists: WordCounts['lists'] = async (queries, statistics, expressions) => {
    const { revision, folded } = statistics;
    const found = expressions.map((expression) => {
      const known = listed.get(expression);
      return known?.revision === revision && known.folded === folded ? known.ids : undefined;
    });
    const missing = [...new Set(expressions.filter((_, index) => found[index] === undefined))];
    if (missing.length === 0) return found.map((one) => one ?? EMPTY);
    const read = await list(queries, missing);
    const fresh = new Map(missing.map((expression, index) => [expression, read[index] ?? EMPTY]));
    for (const [expression, some] of fresh) {
      if (ids + some.length > MAX_IDS || listed.size > MAX_COUNTED) {
        listed.clear();
        ids = 0;
      }
      ids += some.length - (listed.get(expression)?.ids.length ?? 0);
      listed.set(expression, { ids: some, revision, folded });
      remember(expression, some.length, statistics, Number.MAX_SAFE_INTEGER);
    }
    return expressions.map((expression, index) => found[index] ?? fresh.get(expression) ?? EMPTY);
  };
  return {
    of: async (queries, statistics, expressions, limit = Number.MAX_SAFE_INTEGER) => {
      const found = expressions.map((expression) => {
        const known = counted.get(expression);
        return isFresh(known, statistics, limit) ? known?.frequency : undefined;
      });
      const missing = [...new Set(expressions.filter((_, index) => found[index] === undefined))];
      if (missing.length === 0) return found.map((one) => one ?? 0);
      const few = statistics.entries <= FEW_ENTRIES && limit === Number.MAX_SAFE_INTEGER;
      const read = few
        ? (await lists(queries, statistics, missing)).map((one) => one.length)
        : await count(queries, missing, limit);
      const fresh = new Map(missing.map((expression, index) => [expression, read[index] ?? 0]));
      for (const [expression, frequency] of fresh) remember(expression, frequency, statistics, limit);
      return expressions.map((expression, index) => found[index] ?? fresh.get(expression) ?? 0);
    },
    lists,
    clear: () => {
      counted.clear();
      listed.clear();
      ids = 0;
    },
  };
}
