import * as z from 'zod';

export const READS = { readOnly: true, destructive: false, idempotent: true } as const;
export const ADDS = { readOnly: false, destructive: false, idempotent: true } as const;
export const REPLACES = { readOnly: false, destructive: true, idempotent: true } as const;

/** Minutes of work are possible on a large memory; nothing is left half done when it takes longer. */
export const LONG_MS = 600_000;

// Lengths, NUL, depth and the like are checked by the memory itself, for every caller.
export const key = z.string().describe('name of the entry');
export const namespace = z.string().default('default').describe('group of keys');
export const anyNamespace = z.string().optional().describe('default: all');
export const values = z.boolean().default(false).describe('whole values, not excerpts');

const isTime = (text: string): boolean =>
  z.iso.date().safeParse(text).success || z.iso.datetime({ offset: true }).safeParse(text).success;

const EXPECTED_TIME = 'expected a time in ISO 8601, like 2026-01-31 or 2026-01-31T12:00:00Z';

/** A point in time, in milliseconds since the epoch; a date alone is its midnight in UTC. */
export const time = z
  .string()
  .refine(isTime, EXPECTED_TIME)
  .transform((text) => Date.parse(text));

/** As {@link time}, or `any`, which becomes `null`. */
export const timeOrAny = z
  .string()
  .refine((text) => text === 'any' || isTime(text), `${EXPECTED_TIME}, or any`)
  .transform((text) => (text === 'any' ? null : Date.parse(text)));
