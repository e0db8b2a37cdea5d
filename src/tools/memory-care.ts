import * as z from 'zod';
import { printable } from '../printable.ts';
import { isoOrNull } from './entry-output.ts';
import { words } from './input.ts';
import { LONG_MS, READS, anyNamespace } from './memory-input.ts';
import { fields, table } from './table.ts';
import type { ModelVectors } from '../memory/care/care.ts';
import { defineTool, type App, type TextStyle } from './tool.ts';

export const memoryCompactOutput = z.object({
  /** Expired entries, purged ones, old versions, repeated values, vectors (unused, or of the model named) that were removed. */
  expired: z.number(),
  purged: z.number(),
  versions: z.number(),
  duplicates: z.number(),
  /** The first 20 of the repeated values, each with the key that is kept. */
  repeated: z.array(z.object({ namespace: z.string(), key: z.string(), kept: z.string() })),
  vectors: z.number(),
  /** Of the database; `null` when it is remote. */
  bytesBefore: z.number().nullable(),
  bytesAfter: z.number().nullable(),
});

const memoryCompact = defineTool({
  name: 'memory_compact',
  description: 'Removes what is expired, long deleted or an old version for good, and gives the space back.',
  input: z.strictObject({
    namespace: anyNamespace,
    deletedDays: z.number().min(0).optional().describe('purge what has been deleted for longer; default 30'),
    keepVersions: z.int().min(0).optional().describe('earlier versions to keep of each entry; default 100'),
    dedupe: z
      .boolean()
      .default(false)
      .describe('delete entries that repeat the value of another one which holds as long; they can be brought back'),
    dropModel: words(500).optional().describe('remove the vectors of this model, as memory stats names it'),
  }),
  output: memoryCompactOutput,
  annotations: { readOnly: false, destructive: true, idempotent: true },
  listed: false,
  timeoutMs: LONG_MS,
  cli: { command: ['memory', 'compact'] },
  handler: async ({ namespace, deletedDays, keepVersions, dedupe, dropModel }, { app, progress }) => {
    progress(0.05, 'removing what is not needed');
    const { repeated, ...report } = await (
      await app.care()
    ).compact({
      dedupe,
      ...(namespace === undefined ? {} : { namespace }),
      ...(deletedDays === undefined ? {} : { deletedDays }),
      ...(keepVersions === undefined ? {} : { keepVersions }),
      ...(dropModel === undefined ? {} : { dropModel }),
    });
    return { ...report, repeated: [...repeated] };
  },
  text: ({ bytesBefore, bytesAfter, repeated, ...removed }, style) => {
    const counts = fields(
      {
        'expired entries removed': removed.expired,
        'deleted entries purged': removed.purged,
        'old versions removed': removed.versions,
        'repeated values deleted': removed.duplicates,
        'vectors removed': removed.vectors,
        bytes: bytesBefore === null || bytesAfter === null ? null : `${bytesBefore} → ${bytesAfter}`,
      },
      style,
    );
    if (repeated.length === 0) return counts;
    const rows = repeated.map(({ namespace, key, kept }) => [namespace, key, kept]);
    return `${counts}\n\n${table(['namespace', 'deleted key', 'kept key'], rows, style)}`;
  },
});

export const memoryStatsOutput = z.object({
  namespace: z.string().nullable(),
  entries: z.number(),
  namespaces: z.number(),
  versions: z.number(),
  links: z.number(),
  deleted: z.number(),
  expired: z.number(),
  valueBytes: z.number(),
  /** Of the database with its log; `null` when it is remote. */
  fileBytes: z.number().nullable(),
  byNamespace: z.array(z.object({ namespace: z.string(), entries: z.number(), bytes: z.number() })),
  byKind: z.array(z.object({ kind: z.string(), entries: z.number() })),
  /** By when they were last written. */
  byAge: z.object({ day: z.number(), week: z.number(), month: z.number(), older: z.number() }),
  oldestAt: z.string().nullable(),
  newestAt: z.string().nullable(),
  largest: z.array(z.object({ namespace: z.string(), key: z.string(), bytes: z.number() })),
  /** By model; those not in use are of one that is no longer configured, and stay until memory_compact drops them. */
  vectors: z.array(
    z.object({
      provider: z.string(),
      model: z.string(),
      dimensions: z.number(),
      vectors: z.number(),
      bytes: z.number(),
      inUse: z.boolean(),
    }),
  ),
  /** Memory of the answering process, in bytes. */
  process: z.object({
    rss: z.number(),
    heapTotal: z.number(),
    heapUsed: z.number(),
    external: z.number(),
    arrayBuffers: z.number(),
  }),
});

type Vectors = z.output<typeof memoryStatsOutput>['vectors'];

/** Says which model is the configured one. */
async function withUse(app: App, models: readonly ModelVectors[]): Promise<Vectors> {
  if (models.length === 0) return [];
  const used = await (await app.embeddings()).status();
  return models.map((one) => ({
    ...one,
    inUse: one.provider === used.provider && one.model === used.model && one.dimensions === used.dimensions,
  }));
}

function vectorsText(models: Vectors, style: TextStyle): string {
  if (models.length === 0) return '';
  const rows = models.map((one) => [
    printable(`${one.provider} ${one.model}`),
    String(one.vectors),
    String(one.bytes),
    one.inUse ? 'in use' : 'not in use',
  ]);
  const unused = models.find(({ inUse }) => !inUse);
  const advice =
    unused === undefined ? '' : `\n\nRemove vectors with skillflow memory compact --drop-model ${printable(unused.model)}`;
  return `\n\n${table(['vectors of', 'vectors', 'bytes', ''], rows, style)}${advice}`;
}

const memoryStats = defineTool({
  name: 'memory_stats',
  description: 'Counts entries, versions and bytes by namespace, kind and age.',
  input: z.strictObject({ namespace: anyNamespace }),
  output: memoryStatsOutput,
  annotations: READS,
  listed: false,
  cli: { command: ['memory', 'stats'] },
  handler: async ({ namespace }, { app }) => {
    const { oldestAt, newestAt, byNamespace, byKind, largest, vectors, ...counts } = await (await app.care()).stats(namespace);
    return {
      namespace: namespace ?? null,
      ...counts,
      byNamespace: [...byNamespace],
      byKind: [...byKind],
      oldestAt: isoOrNull(oldestAt),
      newestAt: isoOrNull(newestAt),
      largest: [...largest],
      vectors: await withUse(app, vectors),
      process: app.runtime.memoryUsage(),
    };
  },
  text: (stats, style) => {
    const { day, week, month, older } = stats.byAge;
    const facts = fields(
      {
        entries: stats.entries,
        'earlier versions': stats.versions,
        links: stats.links,
        deleted: stats.deleted,
        'expired, not yet removed': stats.expired,
        'bytes of values': stats.valueBytes,
        'bytes of the database': stats.fileBytes,
        'last written': stats.entries === 0 ? null : `${day} today, ${week} this week, ${month} this month, ${older} before`,
        kinds: stats.byKind.length === 0 ? null : stats.byKind.map(({ kind, entries }) => `${kind} ${entries}`).join(', '),
      },
      style,
    );
    const vectors = vectorsText(stats.vectors, style);
    if (stats.byNamespace.length === 0) return facts + vectors;
    const rows = stats.byNamespace.map((one) => [one.namespace, String(one.entries), String(one.bytes)]);
    return `${facts}\n\n${table(['namespace', 'entries', 'bytes'], rows, style)}${vectors}`;
  },
});

const memoryDoctor = defineTool({
  name: 'memory_doctor',
  description: 'Checks the database, its full-text index, change log and vectors; with repair, mends them after a backup.',
  input: z.strictObject({ repair: z.boolean().default(false).describe('mend what is wrong') }),
  output: z.object({
    ok: z.boolean(),
    findings: z.array(
      z.object({
        check: z.string(),
        status: z.enum(['ok', 'wrong', 'repaired', 'not checked']),
        detail: z.string(),
        /** What is damaged, at most 100. */
        entries: z.array(z.object({ namespace: z.string(), key: z.string(), version: z.number() })).exactOptional(),
      }),
    ),
    /** The backup made before repairing. */
    backup: z.string().nullable(),
  }),
  annotations: { readOnly: false, destructive: false, idempotent: true },
  listed: false,
  timeoutMs: LONG_MS,
  cli: { command: ['memory', 'doctor'] },
  changes: ({ repair }) => repair,
  handler: async ({ repair }, { app, progress }) => {
    progress(0.05, 'checking');
    const { findings, ...report } = await (await app.care()).doctor({ repair });
    return {
      ...report,
      findings: findings.map(({ entries, ...finding }) =>
        entries === undefined ? finding : { ...finding, entries: [...entries] },
      ),
    };
  },
  text: ({ findings, backup }, style) => {
    const said: Record<string, string> = {};
    for (const { check, status, detail } of findings) {
      const before = said[check] === undefined ? '' : `${said[check]}; `;
      said[check] = `${before}${status}: ${detail}`;
    }
    const entries = findings.flatMap((finding) => finding.entries ?? []);
    const rows = entries.map(({ namespace, key, version }) => [namespace, String(version), key]);
    const named = rows.length === 0 ? '' : `\n\n${table(['namespace', 'version', 'damaged key'], rows, style)}`;
    const repairable = backup === null && findings.some(({ detail }) => detail.endsWith('--repair'));
    const after = backup === null ? '' : `\n\n${fields({ 'backup made before': backup }, style)}`;
    const hint = repairable ? '\n\nMend it with skillflow memory doctor --repair; a backup is made before.' : '';
    return `${fields(said, style)}${named}${after}${hint}`;
  },
});

export const memoryPersistOutput = z.object({ entries: z.number(), framesLeft: z.number(), bytes: z.number() });

const memoryPersist = defineTool({
  name: 'memory_persist',
  description:
    'Moves all that is committed from the log into the database file and syncs it. What a call has answered is durable without it.',
  input: z.strictObject({}),
  output: memoryPersistOutput,
  annotations: { readOnly: false, destructive: false, idempotent: true },
  listed: false,
  timeoutMs: LONG_MS,
  cli: { command: ['memory', 'persist'] },
  handler: async (_input, { app }) => (await app.care()).persist(),
  text: ({ entries, framesLeft, bytes }, style) => fields({ entries, 'log frames left': framesLeft, bytes }, style),
});

/** Care of the data where it lies. */
export const careTools = [memoryStats, memoryDoctor, memoryCompact, memoryPersist] as const;
