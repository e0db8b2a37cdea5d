import * as z from 'zod';
import { NotFoundError } from '../errors.ts';
import type { StoreResult } from '../memory/memory.ts';
import { printable, printableLines } from '../printable.ts';
import { checkValuesFit, entryHead, iso, isoOrNull, json, missingEntry, shownHead, shownKey } from './entry-output.ts';
import { limit, offset, rare } from './input.ts';
import { READS, REPLACES, anyNamespace, key, namespace, time, values } from './memory-input.ts';
import { behind } from './replica-age.ts';
import { fields, moreLine, table } from './table.ts';
import { defineTool } from './tool.ts';

/** Times in ISO 8601, here and below. */
export const memoryStoreOutput = z.object({
  namespace: z.string(),
  key: z.string(),
  id: z.number(),
  /** 1 when created; the same content again makes no version. */
  version: z.number(),
  /** `false` when there was an entry of that name. */
  created: z.boolean(),
  bytes: z.number(),
  updatedAt: z.string(),
  expiresAt: z.string().nullable(),
  /** Keys of other entries of the namespace with the same value. */
  duplicates: z.array(z.string()),
});
/** Absent when the answer is of now; else why it may be old, and how old. */
const stale = z.string().exactOptional();
export const memoryGetOutput = entryHead.extend({ value: json, stale });
export const memoryListOutput = z.object({
  namespace: z.string().nullable(),
  /** `preview`: the first 200 characters of the stored value. */
  entries: z.array(entryHead.extend({ preview: z.string(), value: json.exactOptional() })),
  total: z.number(),
  offset: z.number(),
  stale,
});
/** `deleted`: whether there was one; `purged`: with all its versions, for good. */
export const memoryDeleteOutput = z.object({
  namespace: z.string(),
  key: z.string(),
  deleted: z.boolean(),
  purged: z.boolean(),
});

export const shownStored = ({
  duplicates,
  updatedAt,
  expiresAt,
  ...stored
}: StoreResult): z.output<typeof memoryStoreOutput> => ({
  ...stored,
  updatedAt: iso(updatedAt),
  expiresAt: isoOrNull(expiresAt),
  duplicates: [...duplicates],
});

const memoryStore = defineTool({
  name: 'memory_store',
  description: 'Stores a value for later sessions; the old becomes history, kind and tags stay unless given.',
  input: z.strictObject({
    key,
    value: json.describe('text or any JSON, at most 1 MiB'),
    namespace,
    kind: z.string().optional().describe('e.g. decision'),
    tags: z.array(z.string()).optional().describe('words to find it by'),
    importance: rare(z.number().optional(), '0 trivia to 1 vital; default: as it was, or 0.5'),
    ttlSeconds: z.number().optional().describe('then gone, history too'),
    agent: rare(z.string().optional(), 'who says it'),
    session: rare(z.string().optional(), 'conversation; default: of the caller'),
    run: rare(z.string().optional(), 'run that found it'),
    validFrom: rare(time.optional(), 'holds from this time on (ISO 8601)'),
    validTo: rare(time.optional(), 'holds until before this time (ISO 8601)'),
    ifVersion: rare(z.int().min(0).optional(), 'only if the entry has this version; 0: only if there is none'),
  }),
  output: memoryStoreOutput,
  annotations: REPLACES,
  cli: { command: ['memory', 'store'], positional: ['key', 'value'] },
  handler: async (input, { app, session }) =>
    shownStored(await (await app.memory('write')).store({ ...input, session: input.session ?? session ?? undefined })),
  text: ({ namespace: where, key: stored, version, bytes, created, expiresAt, duplicates }, style) =>
    fields(
      {
        [created ? 'stored' : 'updated']: stored,
        namespace: where,
        version,
        bytes,
        expires: expiresAt,
        'same value in': duplicates.length === 0 ? null : duplicates.join(', '),
      },
      style,
    ),
});

const memoryGet = defineTool({
  name: 'memory_get',
  description: 'Reads one value, exactly as it was stored.',
  input: z.strictObject({ key, namespace, version: rare(z.int().min(1).optional(), 'an earlier version, see memory_history') }),
  output: memoryGetOutput,
  annotations: READS,
  cli: { command: ['memory', 'get'], positional: ['key'] },
  handler: async ({ version, ...name }, { app }) => {
    const memory = await app.memory('read');
    const entry = await (version === undefined ? memory.get(name) : memory.getVersion(name, version));
    const lag = await behind(app);
    if (entry !== undefined) return { ...shownHead(entry), value: entry.value, ...(lag === undefined ? {} : { stale: lag }) };
    if (version === undefined || (await memory.get(name)) === undefined) throw await missingEntry(memory, name);
    throw new NotFoundError(`the entry ${JSON.stringify(name.key)} has no version ${version}`, {
      hint: 'See its versions with memory_history; at most 100 earlier ones are kept.',
    });
  },
  text: ({ value }) => printableLines(typeof value === 'string' ? value : JSON.stringify(value, null, 2)).join('\n'),
});

const memoryList = defineTool({
  name: 'memory_list',
  description: 'Lists entries by namespace and key.',
  input: z.strictObject({
    namespace: anyNamespace,
    prefix: z.string().optional().describe('how keys begin'),
    keys: rare(z.string().optional(), 'keys like this: auth*'),
    kind: rare(z.string().optional(), 'only of this kind'),
    tag: rare(z.string().optional(), 'only with this tag'),
    deleted: rare(z.boolean().default(false), 'those that are deleted and can be brought back'),
    values,
    limit: limit(50, 1000),
    offset,
  }),
  output: memoryListOutput,
  annotations: READS,
  listed: false,
  cli: { command: ['memory', 'list'] },
  handler: async ({ values: whole, ...input }, { app }) => {
    const memory = await app.memory('read');
    const { entries, total } = await memory.list(input);
    if (whole && !input.deleted) checkValuesFit(entries);
    const shown = entries.map(async (entry) => {
      const { preview } = entry;
      if (!whole || input.deleted) return [{ ...shownHead(entry), preview }];
      const full = await memory.get(entry);
      // Another process may have removed it since.
      return full === undefined ? [] : [{ ...shownHead(full), preview, value: full.value }];
    });
    const lag = await behind(app);
    return {
      namespace: input.namespace ?? null,
      entries: (await Promise.all(shown)).flat(),
      total,
      offset: input.offset,
      ...(lag === undefined ? {} : { stale: lag }),
    };
  },
  text: ({ entries, total, offset: skipped, stale: lag }, style) => {
    const note = lag === undefined ? '' : `\n${printable(lag)}`;
    if (total === 0) return `No entries.${note}`;
    const rows = entries.map((entry) => [
      entry.namespace,
      shownKey(entry.key, style),
      entry.kind,
      String(entry.bytes),
      entry.updatedAt.slice(0, 16),
      entry.preview,
    ]);
    const shown = table(['namespace', 'key', 'kind', 'bytes', 'updated (UTC)', 'value'], rows, style);
    return shown + moreLine(rows.length, total, skipped) + note;
  },
});

const memoryDelete = defineTool({
  name: 'memory_delete',
  description: 'Deletes one entry; deleted is false when there was none.',
  input: z.strictObject({ key, namespace, purge: rare(z.boolean().default(false), 'for good, with its versions and links') }),
  output: memoryDeleteOutput,
  annotations: REPLACES,
  cli: { command: ['memory', 'delete'], positional: ['key'] },
  handler: async ({ purge, ...name }, { app }) => {
    const memory = await app.memory('write');
    const deleted = await (purge ? memory.purge(name) : memory.delete(name));
    return { ...name, deleted, purged: purge && deleted };
  },
  text: ({ namespace: where, key: gone, deleted, purged }, style) =>
    fields({ [deleted ? (purged ? 'purged' : 'deleted') : 'no such entry']: gone, namespace: where }, style),
});

const memoryUndelete = defineTool({
  name: 'memory_undelete',
  description: 'Brings a deleted entry back, as it was. It can be until it is purged.',
  input: z.strictObject({ key, namespace }),
  output: memoryStoreOutput,
  annotations: { readOnly: false, destructive: false, idempotent: false },
  listed: false,
  cli: { command: ['memory', 'undelete'], positional: ['key'] },
  handler: async (input, { app }) => shownStored(await (await app.memory('write')).undelete(input)),
  text: ({ namespace: where, key: back, version }, style) => fields({ 'is back': back, namespace: where, version }, style),
});

/** Entries by their names. */
export const entryTools = [memoryStore, memoryGet, memoryList, memoryDelete, memoryUndelete] as const;
