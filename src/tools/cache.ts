import * as z from 'zod';
import { CACHE } from '../memory/cached.ts';
import type { MemoryEntry } from '../memory/entry.ts';
import type { Memory } from '../memory/memory.ts';
import { isoOrNull, json } from './entry-output.ts';
import { READS, REPLACES } from './memory-input.ts';
import { fields } from './table.ts';
import { defineTool } from './tool.ts';

const DEFAULT_TTL_SECONDS = 3600;
const PAGE = 1000;

const key = z.string().describe('name of the value');

/** A value of the cache. What somebody stored in its namespace to be remembered is none. */
async function cached(memory: Memory, name: string): Promise<MemoryEntry | undefined> {
  const entry = await memory.get({ namespace: CACHE.namespace, key: name });
  return entry?.kind === CACHE.kind ? entry : undefined;
}

export const cacheSetOutput = z.object({ key: z.string(), bytes: z.number(), expiresAt: z.string().nullable() });

const cacheSet = defineTool({
  name: 'cache_set',
  description: 'Keeps a value until it expires. All processes of the project share the cache; it has no history.',
  input: z.strictObject({
    key,
    value: json.describe('text or any JSON, at most 1 MiB'),
    ttlSeconds: z.number().default(DEFAULT_TTL_SECONDS).describe('seconds until it is gone'),
  }),
  output: cacheSetOutput,
  annotations: REPLACES,
  listed: false,
  cli: { command: ['cache', 'set'], positional: ['key', 'value'] },
  handler: async (input, { app }) => {
    const memory = await app.memory('write');
    const { bytes, expiresAt, version } = await memory.store({ ...CACHE, ...input });
    // What it held before is of no use: a cache that keeps versions only grows. Stored first, so that a value which is
    // refused leaves the old one.
    if (version > 1 && (await memory.purge({ ...CACHE, key: input.key }))) {
      const again = await memory.store({ ...CACHE, ...input });
      return { key: input.key, bytes: again.bytes, expiresAt: isoOrNull(again.expiresAt) };
    }
    return { key: input.key, bytes, expiresAt: isoOrNull(expiresAt) };
  },
  text: ({ key: name, bytes, expiresAt }, style) => fields({ cached: name, bytes, expires: expiresAt }, style),
});

export const cacheGetOutput = z.object({
  key: z.string(),
  hit: z.boolean(),
  /** `null` without a hit. */
  value: json,
  expiresAt: z.string().nullable(),
});

const cacheGet = defineTool({
  name: 'cache_get',
  description: 'Reads a cached value; hit is false when there is none or it has expired.',
  input: z.strictObject({ key }),
  output: cacheGetOutput,
  annotations: READS,
  listed: false,
  cli: { command: ['cache', 'get'], positional: ['key'] },
  handler: async ({ key: name }, { app }) => {
    const entry = await cached(await app.memory('read'), name);
    if (entry === undefined) return { key: name, hit: false, value: null, expiresAt: null };
    return { key: name, hit: true, value: entry.value, expiresAt: isoOrNull(entry.expiresAt) };
  },
});

export const cacheDeleteOutput = z.object({ key: z.string(), deleted: z.boolean() });

const cacheDelete = defineTool({
  name: 'cache_delete',
  description: 'Removes one cached value; deleted is false when there was none.',
  input: z.strictObject({ key }),
  output: cacheDeleteOutput,
  annotations: REPLACES,
  listed: false,
  cli: { command: ['cache', 'delete'], positional: ['key'] },
  handler: async ({ key: name }, { app }) => {
    const memory = await app.memory('write');
    const there = (await cached(memory, name)) !== undefined;
    return { key: name, deleted: (await memory.purge({ ...CACHE, key: name })) && there };
  },
  text: ({ key: name, deleted }, style) => fields({ [deleted ? 'deleted' : 'was not cached']: name }, style),
});

/** Keys of the cache, a page of them. */
async function cachedKeys(memory: Memory): Promise<readonly string[]> {
  const { entries } = await memory.list({ ...CACHE, limit: PAGE });
  return entries.map(({ key: name }) => name);
}

export const cacheClearOutput = z.object({ deleted: z.number() });

const cacheClear = defineTool({
  name: 'cache_clear',
  description: 'Removes all cached values.',
  input: z.strictObject({}),
  output: cacheClearOutput,
  annotations: REPLACES,
  listed: false,
  cli: { command: ['cache', 'clear'] },
  handler: async (_input, { app, signal }) => {
    const memory = await app.memory('write');
    let deleted = 0;
    for (let keys = await cachedKeys(memory); keys.length > 0; keys = await cachedKeys(memory)) {
      for (const name of keys) {
        signal.throwIfAborted();
        if (await memory.purge({ ...CACHE, key: name })) deleted += 1;
      }
    }
    return { deleted };
  },
  text: ({ deleted }, style) => fields({ 'values removed': deleted }, style),
});

export const cacheStatsOutput = z.object({
  /** Values that have not expired. */
  entries: z.number(),
  bytes: z.number(),
  nextExpiryAt: z.string().nullable(),
});

const cacheStats = defineTool({
  name: 'cache_stats',
  description: 'Counts what is cached.',
  input: z.strictObject({}),
  output: cacheStatsOutput,
  annotations: READS,
  listed: false,
  cli: { command: ['cache', 'stats'] },
  handler: async (_input, { app }) => {
    const memory = await app.memory('read');
    let bytes = 0;
    let next = Infinity;
    let seen = 0;
    for (;;) {
      const { entries } = await memory.list({ ...CACHE, limit: PAGE, offset: seen });
      for (const entry of entries) {
        bytes += entry.bytes;
        next = Math.min(next, entry.expiresAt ?? Infinity);
      }
      seen += entries.length;
      if (entries.length < PAGE) return { entries: seen, bytes, nextExpiryAt: isoOrNull(next === Infinity ? null : next) };
    }
  },
  text: ({ entries, bytes, nextExpiryAt }, style) => fields({ cached: entries, bytes, 'next to expire': nextExpiryAt }, style),
});

/** Values with a time to live. */
export const cacheTools = [cacheSet, cacheGet, cacheDelete, cacheClear, cacheStats] as const;
