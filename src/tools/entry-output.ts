import * as z from 'zod';
import { InvalidInputError, NotFoundError } from '../errors.ts';
import type { EntryHead } from '../memory/entry.ts';
import { MAX_TIME_MS } from '../memory/limits.ts';
import type { Memory } from '../memory/memory.ts';
import type { JsonValue } from '../memory/value.ts';
import { nearest } from '../nearest.ts';
import { printable, truncate } from '../printable.ts';
import type { TextStyle } from './tool.ts';

/** Whatever JSON holds; not looked into here, since the memory does that. */
export const json = z.custom<JsonValue>((value) => value !== undefined, 'expected text or any JSON');

/** Also where damage has made something else of a time: one entry must not keep the others from being shown. */
export const iso = (ms: number): string => (Math.abs(ms) <= MAX_TIME_MS ? new Date(ms).toISOString() : 'no time');
export const isoOrNull = (ms: number | null): string | null => (ms === null ? null : iso(ms));

/** What is known of an entry besides its value; times in ISO 8601. */
export const entryHead = z.object({
  namespace: z.string(),
  key: z.string(),
  id: z.number(),
  version: z.number(),
  kind: z.string(),
  importance: z.number(),
  /** UTF-8 bytes of the stored value. */
  bytes: z.number(),
  tags: z.array(z.string()),
  agent: z.string().nullable(),
  session: z.string().nullable(),
  run: z.string().nullable(),
  createdAt: z.string(),
  updatedAt: z.string(),
  /** From then on the entry is gone; `null`: it stays. */
  expiresAt: z.string().nullable(),
  /** When what it says holds; `null`: without limit. */
  validFrom: z.string().nullable(),
  validTo: z.string().nullable(),
});
export type ShownHead = z.output<typeof entryHead>;

export const shownHead = (entry: EntryHead): ShownHead => ({
  namespace: entry.namespace,
  key: entry.key,
  id: entry.id,
  version: entry.version,
  kind: entry.kind,
  importance: entry.importance,
  bytes: entry.bytes,
  tags: [...entry.tags],
  agent: entry.agent,
  session: entry.session,
  run: entry.run,
  createdAt: iso(entry.createdAt),
  updatedAt: iso(entry.updatedAt),
  expiresAt: isoOrNull(entry.expiresAt),
  validFrom: isoOrNull(entry.validFrom),
  validTo: isoOrNull(entry.validTo),
});

/**
 * Bytes of values that one answer holds: escaped twice, as an answer over MCP may be, they still make a text that
 * JavaScript can hold (2^29 characters).
 */
const MOST_VALUE_BYTES = 32 * 1024 * 1024;

/** Throws `InvalidInputError` when the values of so many entries are too much for one answer. */
export function checkValuesFit(entries: readonly Pick<EntryHead, 'bytes'>[]): void {
  let bytes = 0;
  let fit = 0;
  for (const entry of entries) {
    bytes += entry.bytes;
    if (bytes <= MOST_VALUE_BYTES) fit += 1;
  }
  if (bytes <= MOST_VALUE_BYTES) return;
  throw new InvalidInputError(
    `the values of these ${entries.length} entries have ${bytes} bytes; at most ${MOST_VALUE_BYTES} fit into one answer`,
    {
      hint: `Pass a limit of at most ${fit}, and get the others with offset; or leave the values out.`,
      details: { parameter: 'limit', bytes, maximum: fit },
    },
  );
}

/** Columns that a key has at least before it is cut. */
const SHORTEST_KEY = 24;

/** A key as a cell of a table that others stand beside: of a terminal at most a third of its width. */
export const shownKey = (key: string, { width }: TextStyle): string =>
  truncate(printable(key), Math.max(SHORTEST_KEY, Math.floor(width / 3)));

/** Where an entry comes from, in few words; empty when nothing is known. */
export const source = ({ agent, session, run }: Pick<ShownHead, 'agent' | 'session' | 'run'>): string =>
  [agent ?? '', session === null ? '' : `in ${session}`, run === null ? '' : `by ${run}`].filter((part) => part !== '').join(' ');

/** The error for an entry that is not there; it names near keys. */
export async function missingEntry(
  memory: Memory,
  wanted: { readonly namespace: string; readonly key: string },
): Promise<NotFoundError> {
  // By key, so that the key itself comes before those that only begin with it.
  const { entries: gone } = await memory.list({ namespace: wanted.namespace, prefix: wanted.key, deleted: true, limit: 1 });
  const wasDeleted = gone[0]?.key === wanted.key;
  const { entries } = wasDeleted ? { entries: [] } : await memory.list({ namespace: wanted.namespace, limit: 1000 });
  const near = nearest(
    wanted.key,
    entries.map((entry) => entry.key),
  );
  return new NotFoundError(
    `there is no entry ${JSON.stringify(wanted.key)} in the namespace ${JSON.stringify(wanted.namespace)}`,
    {
      hint: wasDeleted
        ? 'It was deleted; memory_undelete brings it back.'
        : near.length > 0
          ? `Did you mean ${near.map((found) => JSON.stringify(found)).join(' or ')}?`
          : 'Look for it with memory_search, or list what is there with memory_list.',
    },
  );
}
