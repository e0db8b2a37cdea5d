import { setImmediate } from 'node:timers/promises';
import type { Runtime } from '../../runtime.ts';
import type { Database, Row, SqlValue } from '../../store/database.ts';
import { bytesOf, bytesOnly, numberOf, numberOnly, numberOrNull, textBytes, textOf } from '../../store/row.ts';
import { VISIBLE } from '../entry.ts';
import { MAX_TEXT_CHARACTERS } from './embedded-text.ts';

/** What is to be embedded. */
export interface Content {
  readonly hash: Uint8Array;
  readonly text: string;
}

/**
 * The contents that lack a vector in a space. Looks at every entry once, the newest first, and from then on only at
 * those that the change log names.
 */
export interface Backlog {
  /** Up to `count` contents; none at all when nothing is left. The same ones again until they are settled. */
  take(db: Database, spaceId: number | null, count: number): Promise<readonly Content[]>;
  /** The contents taken last need not be looked at again. */
  settle(): void;
  /** Goes on at any place among those that are known to lack a vector: another process embeds the same ones. */
  stray(): void;
  /** Leave out a content from now on. */
  refuse(hash: Uint8Array): void;
  /** Look at every entry again. */
  restart(): void;
}

/** Entries, or changes, looked at by one query: about 4 ms. */
const SLICE = 2_000;

const LACKING = 'NOT EXISTS (SELECT 1 FROM embedding e WHERE e.space_id = ? AND e.hash = m.hash)';
const HASH = `${bytesOnly('m.hash')} AS hash`;
const BY_ENTRY = `SELECT ${HASH} FROM memory_entry m WHERE m.id BETWEEN ? AND ? AND ${VISIBLE} AND ${LACKING} ORDER BY m.id DESC`;
const BY_CHANGE = `SELECT ${HASH} FROM chg c JOIN memory_entry m ON m.id = c.entry_id
  WHERE c.seq BETWEEN ? AND ? AND ${VISIBLE} AND ${LACKING} ORDER BY c.seq DESC`;

const hex = (hash: Uint8Array): string => Buffer.from(hash).toString('hex');

/** Changes that can still be read, and the last one that was made. */
async function changes(db: Database): Promise<{ readonly first: number; readonly last: number }> {
  const row = await db.get(
    `SELECT (SELECT min(seq) FROM chg) AS first, coalesce((SELECT ${numberOnly('seq')} FROM sqlite_sequence WHERE name = 'chg'), 0) AS last`,
  );
  const last = numberOf(row ?? {}, 'last');
  return { first: numberOrNull(row ?? {}, 'first') ?? last + 1, last };
}

/** The texts of contents that are still there and still lack a vector, in the order of the hashes. */
async function read(db: Database, spaceId: number, hashes: readonly Uint8Array[], now: number): Promise<readonly Content[]> {
  const places = hashes.map(() => '?').join(', ');
  const params: readonly SqlValue[] = [MAX_TEXT_CHARACTERS, ...hashes, now, spaceId];
  const rows = await db.all(
    `SELECT ${HASH}, ${textBytes('substr(coalesce(m.words, m.value), 1, ?)')} AS text FROM memory_entry m
    WHERE m.hash IN (${places}) AND ${VISIBLE} AND ${LACKING} GROUP BY m.hash`,
    params,
  );
  const texts = new Map(rows.map((row) => [hex(bytesOf(row, 'hash')), textOf(row, 'text')]));
  return hashes.flatMap((hash) => {
    const text = texts.get(hex(hash));
    return text === undefined ? [] : [{ hash, text }];
  });
}

/** A range of entries or changes, and what is known once its contents are embedded. */
interface Slice {
  readonly hashes: Uint8Array[];
  readonly whenDone: () => void;
}

export function createBacklog(runtime: Runtime): Backlog {
  /** Every change up to this one was looked at, or lies below `cursor`; `null`: start over. */
  let seen: number | null = null;
  /** Entries up to this id have not been looked at; `null`: all have. */
  let cursor: number | null = null;
  let space = 0;
  let slice: Slice | undefined;
  /** Those taken out of the slice, and not settled yet. */
  let inHand: readonly Uint8Array[] = [];
  const refused = new Set<string>();

  const unique = (rows: readonly Row[]): Uint8Array[] => {
    const hashes = new Map(rows.map((row) => [hex(bytesOf(row, 'hash')), bytesOf(row, 'hash')]));
    for (const known of refused) hashes.delete(known);
    return [...hashes.values()];
  };
  const restart = (): void => {
    seen = null;
    slice = undefined;
    inHand = [];
  };
  /** The next range; `undefined` when everything was looked at. */
  const nextSlice = async (db: Database): Promise<Slice | undefined> => {
    const { first, last } = await changes(db);
    if (seen === null || first > seen + 1 || last < seen) {
      seen = last;
      cursor = Number.MAX_SAFE_INTEGER;
    }
    const now = runtime.now();
    if (last > seen) {
      const to = Math.min(seen + SLICE, last);
      const rows = await db.all(BY_CHANGE, [seen + 1, to, now, space]);
      return { hashes: unique(rows), whenDone: () => void (seen = to) };
    }
    if (cursor === null) return undefined;
    const row = await db.get('SELECT max(id) AS id FROM memory_entry WHERE id <= ?', [cursor]);
    const to = numberOrNull(row ?? {}, 'id');
    if (to === null) return { hashes: [], whenDone: () => void (cursor = null) };
    const from = to - SLICE + 1;
    const rows = await db.all(BY_ENTRY, [from, to, now, space]);
    return { hashes: unique(rows), whenDone: () => void (cursor = from - 1) };
  };

  return {
    take: async (db, spaceId, count) => {
      if ((spaceId ?? 0) !== space) restart();
      space = spaceId ?? 0;
      slice?.hashes.unshift(...inHand); // what was taken before was not settled
      inHand = [];
      for (;;) {
        slice ??= await nextSlice(db);
        if (slice === undefined) return [];
        if (slice.hashes.length === 0) {
          slice.whenDone();
          slice = undefined;
          await setImmediate(); // a query does not give way to other work by itself
          continue;
        }
        inHand = slice.hashes.splice(0, count);
        const contents = await read(db, space, inHand, runtime.now());
        if (contents.length > 0) return contents;
        inHand = [];
      }
    },
    settle: () => {
      inHand = [];
    },
    stray: () => {
      if (slice === undefined) return;
      const { hashes } = slice;
      hashes.push(...hashes.splice(0, Math.floor(runtime.random() * hashes.length)));
    },
    refuse: (hash) => void refused.add(hex(hash)),
    restart,
  };
}
