import { z } from 'zod';
import type { AbsorbReport } from '../memory/care/care.ts';
import { iso } from './entry-output.ts';
import { words } from './input.ts';
import { LONG_MS } from './memory-input.ts';
import { fields, table } from './table.ts';
import { defineTool } from './tool.ts';
import type { TextStyle } from './tool.ts';

const WRITES_FILE = { readOnly: false, destructive: false, idempotent: false } as const;
const BRINGS_IN = { readOnly: false, destructive: true, idempotent: true } as const;

/** What bringing in entries did; see `AbsorbReport`. */
const absorbed = z.object({
  added: z.number(),
  updated: z.number(),
  kept: z.number(),
  unchanged: z.number(),
  removed: z.number(),
  versions: z.number(),
  links: z.number(),
  conflicts: z.array(z.object({ namespace: z.string(), key: z.string(), kept: z.enum(['ours', 'theirs']) })),
});
const shown = (report: AbsorbReport): z.output<typeof absorbed> => ({
  ...report,
  conflicts: report.conflicts.map((conflict) => ({ ...conflict })),
});

function absorbedText({ conflicts, ...counts }: z.output<typeof absorbed>, style: TextStyle): string {
  const facts = fields(
    {
      added: counts.added,
      'updated, theirs is newer': counts.updated,
      'kept, ours is newer': counts.kept,
      unchanged: counts.unchanged,
      removed: counts.removed === 0 ? null : counts.removed,
      'earlier versions': counts.versions,
      links: counts.links,
    },
    style,
  );
  if (conflicts.length === 0) return facts;
  const rows = conflicts.map((one) => [one.namespace, one.key, one.kept]);
  return `${facts}\n\n${table(['namespace', 'key that differed', 'now says'], rows, style)}`;
}

const path = words(4096).describe('file, from the project root');

export const memoryBackupOutput = z.object({
  path: z.string(),
  manifestPath: z.string(),
  bytes: z.number(),
  sha256: z.string(),
  schemaVersion: z.number(),
  entries: z.number(),
  versions: z.number(),
  createdAt: z.string(),
});

const memoryBackup = defineTool({
  name: 'memory_backup',
  description: 'Copies the database while it is in use, checks the copy, and writes a manifest beside it.',
  input: z.strictObject({ path: words(4096).optional().describe('new file; default: .skillflow/backups/<time>.db') }),
  output: memoryBackupOutput,
  annotations: WRITES_FILE,
  listed: false,
  timeoutMs: LONG_MS,
  cli: { command: ['memory', 'backup'], positional: ['path'] },
  handler: async (input, { app, progress }) => {
    progress(0.05, 'copying the database');
    const { createdAt, ...backup } = await (await app.care()).backup(input.path);
    return { ...backup, createdAt: iso(createdAt) };
  },
  text: ({ path: file, bytes, sha256, entries, versions }, style) =>
    fields({ backup: file, bytes, entries, 'earlier versions': versions, sha256 }, style),
});

export const memoryRestoreOutput = z.object({ path: z.string(), ...absorbed.shape, safetyBackup: z.string() });

const memoryRestore = defineTool({
  name: 'memory_restore',
  description: 'Replaces the memory by what a backup holds, after making a backup of what is there.',
  input: z.strictObject({ path }),
  output: memoryRestoreOutput,
  annotations: BRINGS_IN,
  listed: false,
  timeoutMs: 0,
  cli: { command: ['memory', 'restore'], positional: ['path'] },
  handler: async (input, { app, signal, progress }) => {
    progress(0, 'checking the backup');
    const { report, safety } = await (await app.care()).restore(input.path, { signal, onProgress: progress });
    return { path: input.path, ...shown(report), safetyBackup: safety };
  },
  text: ({ path: file, safetyBackup, ...report }, style) =>
    `${fields({ 'restored from': file, 'what was there': safetyBackup }, style)}\n\n${absorbedText(report, style)}`,
});

const memoryExport = defineTool({
  name: 'memory_export',
  description: 'Writes all entries, with versions and links, as JSON lines.',
  input: z.strictObject({
    path: path.describe('new file, from the project root'),
    namespace: z.string().optional().describe('default: all but the cache'),
    overwrite: z.boolean().default(false).describe('replace an older export'),
  }),
  output: z.object({ path: z.string(), entries: z.number(), versions: z.number(), bytes: z.number() }),
  annotations: WRITES_FILE,
  listed: false,
  timeoutMs: 0,
  cli: { command: ['memory', 'export'], positional: ['path'] },
  handler: async ({ path: file, ...options }, { app, signal, progress }) =>
    (await app.care()).export(file, { ...options, signal, onProgress: progress }),
  text: ({ path: file, entries, versions, bytes }, style) =>
    fields({ 'exported to': file, entries, 'earlier versions': versions, bytes }, style),
});

export const memoryAbsorbOutput = z.object({ path: z.string(), ...absorbed.shape });

const memoryImport = defineTool({
  name: 'memory_import',
  description:
    'Brings in what memory_export wrote. The newer version of an entry wins, the other becomes history. A wrong line is named before anything changes; stopped half-way, the same call again goes on.',
  input: z.strictObject({ path, namespace: z.string().optional().describe('only entries of this one; default: all') }),
  output: memoryAbsorbOutput,
  annotations: BRINGS_IN,
  listed: false,
  timeoutMs: 0,
  cli: { command: ['memory', 'import'], positional: ['path'] },
  handler: async ({ path: file, namespace }, { app, signal, progress }) => ({
    path: file,
    ...shown(await (await app.care()).import(file, { namespace, signal, onProgress: progress })),
  }),
  text: ({ path: file, ...report }, style) => `${fields({ 'imported from': file }, style)}\n\n${absorbedText(report, style)}`,
});

const memoryMerge = defineTool({
  name: 'memory_merge',
  description:
    'Brings in the memory of another Skillflow database. The newer version of an entry wins, the other becomes history. Stopped half-way, the same call again goes on.',
  input: z.strictObject({ path: path.describe('database file, from the project root') }),
  output: memoryAbsorbOutput,
  annotations: BRINGS_IN,
  listed: false,
  timeoutMs: 0,
  cli: { command: ['memory', 'merge'], positional: ['path'] },
  handler: async (input, { app, signal, progress }) => {
    progress(0, 'checking the other database');
    return { path: input.path, ...shown(await (await app.care()).merge(input.path, { signal, onProgress: progress })) };
  },
  text: ({ path: file, ...report }, style) => `${fields({ 'merged from': file }, style)}\n\n${absorbedText(report, style)}`,
});

/** Memory as files. */
export const transferTools = [memoryBackup, memoryRestore, memoryExport, memoryImport, memoryMerge] as const;
