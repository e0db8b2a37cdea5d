import { setImmediate } from 'node:timers/promises';
import type { Runtime } from '../../runtime.ts';
import type { Database } from '../../store/database.ts';
import { numberOf, numberOnly } from '../../store/row.ts';
import { VISIBLE } from '../entry.ts';

/** How many different contents there are, and how many of them have a vector in a space. */
export interface Coverage {
  readonly total: number;
  readonly embedded: number;
}

export interface CoverageReader {
  /** @param spaceId `null`: there is no space yet. `exact`: never older than the call. */
  read(db: Database, spaceId: number | null, exact: boolean): Promise<Coverage>;
}

/** Entries counted without giving way to other work: about 4 ms. */
const SLICE = 8_000;
const MOST_SLICES = 128;
/** Up to here a count is made anew whenever something changed; above, at most once a second and in 2 % of the time. */
const SMALL = 5_000;
const LIFE_MS = 1_000;
const LIFE_BY_COST = 50;

const HAS_VECTOR = 'EXISTS (SELECT 1 FROM embedding e WHERE e.space_id = ? AND e.hash = m.hash)';

/** By the index of hashes alone: it does not tell which entries are visible. */
const ALL = `SELECT count(*) AS total, coalesce(sum(has), 0) AS embedded FROM (
  SELECT ${HAS_VECTOR} AS has FROM memory_entry m WHERE m.hash >= ? AND m.hash < ? GROUP BY m.hash)`;
/** Those of which no visible entry is left, found by the small indexes of what is deleted or expires. */
const GONE = `SELECT count(*) AS total, coalesce(sum(${HAS_VECTOR}), 0) AS embedded FROM (
    SELECT hash FROM memory_entry WHERE deleted_at IS NOT NULL UNION SELECT hash FROM memory_entry WHERE expires_at <= ?) m
  WHERE NOT EXISTS (SELECT 1 FROM memory_entry v WHERE v.hash = m.hash AND ${VISIBLE})`;

/** The 16-bit prefixes at which the hashes, which are evenly spread, are cut into slices. */
function bounds(slices: number): readonly Uint8Array[] {
  const cuts = Array.from({ length: slices }, (_, slice) => Math.floor((slice * 65_536) / slices));
  return [...cuts.map((cut) => Uint8Array.of(cut >> 8, cut & 255)), new Uint8Array(17).fill(255)];
}

async function count(db: Database, runtime: Runtime, spaceId: number): Promise<Coverage> {
  const newest = await db.get('SELECT coalesce(max(id), 0) AS id FROM memory_entry');
  const slices = Math.min(Math.ceil((numberOf(newest ?? {}, 'id') + 1) / SLICE), MOST_SLICES);
  let total = 0;
  let embedded = 0;
  const cuts = bounds(slices);
  for (let slice = 0; slice < slices; slice += 1) {
    const row = (await db.get(ALL, [spaceId, cuts[slice] ?? null, cuts[slice + 1] ?? null])) ?? {};
    total += numberOf(row, 'total');
    embedded += numberOf(row, 'embedded');
    if (slices > 1) await setImmediate();
  }
  const now = runtime.now();
  const gone = (await db.get(GONE, [spaceId, now, now])) ?? {};
  return { total: total - numberOf(gone, 'total'), embedded: embedded - numberOf(gone, 'embedded') };
}

interface Counted {
  /** Tells one state of the tables from another. */
  readonly key: string;
  readonly spaceId: number;
  readonly coverage: Coverage;
  readonly at: number;
  readonly costMs: number;
}

async function stateOf(db: Database, runtime: Runtime, spaceId: number): Promise<string> {
  const row = await db.get(
    `SELECT coalesce((SELECT ${numberOnly('seq')} FROM sqlite_sequence WHERE name = 'chg'), 0) AS seq,
      coalesce((SELECT ${numberOnly('seq')} FROM sqlite_sequence WHERE name = 'embedding'), 0) AS vector,
      coalesce((SELECT ${numberOnly('min(expires_at)')} FROM memory_entry WHERE expires_at > ?), 0) AS expires`,
    [runtime.now()],
  );
  return [spaceId, ...['seq', 'vector', 'expires'].map((column) => numberOf(row ?? {}, column))].join(' ');
}

/** Counts contents, seldom when there are many: a count is kept while nothing changed, and some seconds longer. */
export function createCoverageReader(runtime: Runtime): CoverageReader {
  let last: Counted | undefined;
  const isYoung = ({ coverage, at, costMs }: Counted): boolean =>
    coverage.total > SMALL && runtime.ticks() - at < Math.max(LIFE_MS, costMs * LIFE_BY_COST);
  return {
    read: async (db, space, exact) => {
      const spaceId = space ?? 0;
      const key = await stateOf(db, runtime, spaceId);
      if (last?.spaceId === spaceId && !exact && (last.key === key || isYoung(last))) return last.coverage;
      const begun = runtime.ticks();
      const coverage = await count(db, runtime, spaceId);
      last = { key, spaceId, coverage, at: runtime.ticks(), costMs: runtime.ticks() - begun };
      return coverage;
    },
  };
}
