import { z } from 'zod';
import { NotFoundError } from '../errors.ts';
import type { EntryHead } from '../memory/entry.ts';
import type { Memory } from '../memory/memory.ts';
import type { JsonValue } from '../memory/value.ts';
import { nearest } from '../nearest.ts';
import { printableLines } from '../printable.ts';
import { limit, offset } from './input.ts';
import { fields, moreLine, table } from './table.ts';
import { defineTool } from './tool.ts';

const READS = { readOnly: true, destructive: false, idempotent: true } as const;
const REPLACES = { readOnly: false, destructive: true, idempotent: true } as const;

// Lengths, NUL, depth and the like are checked by the memory itself, for every caller.
const key = z.string().describe('name of the entry');
const namespace = z.string().default('default').describe('group of keys');
const anyNamespace = z.string().optional().describe('default: all');
const values = z.boolean().default(false).describe('whole values, not excerpts');
/** Whatever JSON holds; not looked into here, since the memory does that. */
const json = z.custom<JsonValue>((value) => value !== undefined, 'expected text or any JSON');

const iso = (ms: number): string => new Date(ms).toISOString();

const head = z.object({
  namespace: z.string(),
  key: z.string(),
  id: z.number(),
  /** UTF-8 bytes of the stored value. */
  bytes: z.number(),
  tags: z.array(z.string()),
  createdAt: z.string(),
  updatedAt: z.string(),
  /** From then on the entry is gone; `null`: it stays. */
  expiresAt: z.string().nullable(),
});
/** Times in ISO 8601, here and below. */
export const memoryStoreOutput = z.object({
  namespace: z.string(),
  key: z.string(),
  id: z.number(),
  /** `false` when an entry of that name was replaced. */
  created: z.boolean(),
  bytes: z.number(),
  updatedAt: z.string(),
  expiresAt: z.string().nullable(),
});
export const memoryGetOutput = head.extend({ value: json });
export const memorySearchOutput = z.object({
  query: z.string(),
  /** `null`: all were searched. */
  namespace: z.string().nullable(),
  results: z.array(
    z.object({
      namespace: z.string(),
      key: z.string(),
      /** Higher is better, within one answer only. */
      score: z.number(),
      snippet: z.string(),
      value: json.exactOptional(),
      tags: z.array(z.string()),
      updatedAt: z.string(),
    }),
  ),
  total: z.number(),
  offset: z.number(),
  matchedBy: z.enum(['words', 'substring']),
});
export const memoryListOutput = z.object({
  namespace: z.string().nullable(),
  /** `preview`: the first 200 characters of the stored value. */
  entries: z.array(head.extend({ preview: z.string(), value: json.exactOptional() })),
  total: z.number(),
  offset: z.number(),
});
export const memoryDeleteOutput = z.object({ namespace: z.string(), key: z.string(), deleted: z.boolean() });

const shownHead = (entry: EntryHead): z.output<typeof head> => ({
  namespace: entry.namespace,
  key: entry.key,
  id: entry.id,
  bytes: entry.bytes,
  tags: [...entry.tags],
  createdAt: iso(entry.createdAt),
  updatedAt: iso(entry.updatedAt),
  expiresAt: entry.expiresAt === null ? null : iso(entry.expiresAt),
});

async function missing(memory: Memory, wanted: { readonly namespace: string; readonly key: string }): Promise<NotFoundError> {
  const { entries } = await memory.list({ namespace: wanted.namespace, limit: 1000 });
  const near = nearest(
    wanted.key,
    entries.map((entry) => entry.key),
  );
  return new NotFoundError(
    `there is no entry ${JSON.stringify(wanted.key)} in the namespace ${JSON.stringify(wanted.namespace)}`,
    {
      hint:
        near.length > 0
          ? `Did you mean ${near.map((found) => JSON.stringify(found)).join(' or ')}?`
          : 'Look for it with memory_search, or list what is there with memory_list.',
    },
  );
}

const memoryStore = defineTool({
  name: 'memory_store',
  description: 'Stores a value for later sessions of this project; replaces what the key held.',
  input: z.strictObject({
    key,
    value: json.describe('text or any JSON, at most 1 MiB'),
    namespace,
    ttlSeconds: z.number().optional().describe('default: it stays'),
    tags: z.array(z.string()).default([]).describe('words to find it by'),
  }),
  output: memoryStoreOutput,
  annotations: REPLACES,
  cli: { command: ['memory', 'store'], positional: ['key', 'value'] },
  handler: async (input, { app }) => {
    const { expiresAt, updatedAt, ...stored } = await (await app.memory('write')).store(input);
    return { ...stored, updatedAt: iso(updatedAt), expiresAt: expiresAt === null ? null : iso(expiresAt) };
  },
  text: ({ namespace: where, key: stored, bytes, created, expiresAt }, style) =>
    fields({ [created ? 'stored' : 'replaced']: stored, namespace: where, bytes, expires: expiresAt }, style),
});

const memoryGet = defineTool({
  name: 'memory_get',
  description: 'Reads one value, exactly as it was stored.',
  input: z.strictObject({ key, namespace }),
  output: memoryGetOutput,
  annotations: READS,
  cli: { command: ['memory', 'get'], positional: ['key'] },
  handler: async (input, { app }) => {
    const memory = await app.memory('read');
    const entry = await memory.get(input);
    if (entry === undefined) throw await missing(memory, input);
    return { ...shownHead(entry), value: entry.value };
  },
  text: ({ value }) => printableLines(typeof value === 'string' ? value : JSON.stringify(value, null, 2)).join('\n'),
});

const memorySearch = defineTool({
  name: 'memory_search',
  description: 'Finds entries by words in keys, values and tags, best first.',
  input: z.strictObject({
    query: z.string().describe('plain language'),
    namespace: anyNamespace,
    values,
    limit: limit(10, 100),
    offset,
  }),
  output: memorySearchOutput,
  annotations: READS,
  cli: { command: ['memory', 'search'], positional: ['query'] },
  handler: async ({ values: whole, ...input }, { app }) => {
    const { results, total, matchedBy } = await (await app.memory('read')).search(input);
    return {
      query: input.query,
      namespace: input.namespace ?? null,
      results: results.map(({ value, tags, updatedAt, ...found }) => ({
        ...found,
        ...(whole ? { value } : {}),
        tags: [...tags],
        updatedAt: iso(updatedAt),
      })),
      total,
      offset: input.offset,
      matchedBy,
    };
  },
  text: ({ results, total, offset: skipped }, style) => {
    if (total === 0) return 'Nothing found.';
    const rows = results.map((found) => [found.namespace, found.key, found.snippet]);
    return table(['namespace', 'key', 'match'], rows, style) + moreLine(rows.length, total, skipped);
  },
});

const memoryList = defineTool({
  name: 'memory_list',
  description: 'Lists entries by namespace and key.',
  input: z.strictObject({
    namespace: anyNamespace,
    prefix: z.string().default('').describe('how keys begin'),
    values,
    limit: limit(50, 1000),
    offset,
  }),
  output: memoryListOutput,
  annotations: READS,
  cli: { command: ['memory', 'list'] },
  handler: async ({ values: whole, ...input }, { app }) => {
    const memory = await app.memory('read');
    const { entries, total } = await memory.list(input);
    const shown = entries.map(async (entry) => {
      const { preview } = entry;
      if (!whole) return [{ ...shownHead(entry), preview }];
      const full = await memory.get(entry);
      // Another process may have removed it since.
      return full === undefined ? [] : [{ ...shownHead(full), preview, value: full.value }];
    });
    return { namespace: input.namespace ?? null, entries: (await Promise.all(shown)).flat(), total, offset: input.offset };
  },
  text: ({ entries, total, offset: skipped }, style) => {
    if (total === 0) return 'No entries.';
    const rows = entries.map((entry) => [
      entry.namespace,
      entry.key,
      String(entry.bytes),
      entry.updatedAt.slice(0, 16),
      entry.preview,
    ]);
    return table(['namespace', 'key', 'bytes', 'updated (UTC)', 'value'], rows, style) + moreLine(rows.length, total, skipped);
  },
});

const memoryDelete = defineTool({
  name: 'memory_delete',
  description: 'Removes one entry; deleted is false when there was none.',
  input: z.strictObject({ key, namespace }),
  output: memoryDeleteOutput,
  annotations: REPLACES,
  cli: { command: ['memory', 'delete'], positional: ['key'] },
  handler: async (input, { app }) => ({ ...input, deleted: await (await app.memory('write')).delete(input) }),
  text: ({ namespace: where, key: gone, deleted }, style) =>
    deleted ? fields({ deleted: gone, namespace: where }, style) : fields({ 'no such entry': gone, namespace: where }, style),
});

/** Memory that the sessions of a project share. */
export const memoryTools = [memoryStore, memoryGet, memorySearch, memoryList, memoryDelete] as const;
