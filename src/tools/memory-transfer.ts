import * as z from 'zod';
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
  /** Of those four, how many are deleted in the source. */
  deleted: z.number(),
  removed: z.number(),
  versions: z.number(),
  links: z.number(),
  /** `supersedes` of an entry that holds by ours, which is newer. */
  linksLeftOut: z.number(),
  conflicts: z.array(z.object({ namespace: z.string(), key: z.string(), kept: z.enum(['ours', 'theirs']) })),
});
const shown = (report: AbsorbReport): z.output<typeof absorbed> => ({
  ...report,
  conflicts: report.conflicts.map((conflict) => ({ ...conflict })),
});

/** When a link came that may have been removed here, which has no time that could tell. */
const LINKS_NOTE = 'a link that was removed here comes back with a copy that has it; see memory links';

function absorbedText({ conflicts, ...counts }: z.output<typeof absorbed>, style: TextStyle, note: string | null = null): string {
  const facts = fields(
    {
      added: counts.added,
      'updated, theirs is newer': counts.updated,
      'kept, ours is newer': counts.kept,
      unchanged: counts.unchanged,
      'of them deleted': counts.deleted === 0 ? null : counts.deleted,
      removed: counts.removed === 0 ? null : counts.removed,
      'earlier versions': counts.versions,
      links: counts.links,
      'links left out, they contradict what holds here': counts.linksLeftOut === 0 ? null : counts.linksLeftOut,
      note,
    },
    style,
  );
  if (conflicts.length === 0) return facts;
  const rows = conflicts.map((one) => [one.namespace, one.key, one.kept]);
  return `${facts}\n\n${table(['namespace', 'key that differed', 'now says'], rows, style)}`;
}

function broughtInText(how: string, file: string, report: z.output<typeof absorbed>, style: TextStyle): string {
  return `${fields({ [how]: file }, style)}\n\n${absorbedText(report, style, report.links === 0 ? null : LINKS_NOTE)}`;
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
  output: z.object({
    path: z.string(),
    entries: z.number(),
    versions: z.number(),
    bytes: z.number(),
    /** Entries and versions that damage has made unreadable: they are not in the file. */
    leftOut: z.number(),
    /** Those, and those whose tags are damaged; the first 100. */
    damaged: z.array(z.object({ namespace: z.string(), key: z.string(), version: z.number() })),
  }),
  annotations: WRITES_FILE,
  listed: false,
  timeoutMs: 0,
  cli: { command: ['memory', 'export'], positional: ['path'] },
  handler: async ({ path: file, ...options }, { app, signal, progress }) => {
    const { damaged, ...exported } = await (await app.care()).export(file, { ...options, signal, onProgress: progress });
    return { ...exported, damaged: [...damaged] };
  },
  text: ({ path: file, entries, versions, bytes, leftOut, damaged }, style) => {
    const facts = fields(
      {
        'exported to': file,
        entries,
        'earlier versions': versions,
        bytes,
        'damaged, left out': leftOut === 0 ? null : leftOut,
      },
      style,
    );
    if (damaged.length === 0) return facts;
    const rows = damaged.map((one) => [one.namespace, one.key, String(one.version)]);
    return `${facts}\n\n${table(['namespace', 'damaged key', 'version'], rows, style)}\n\nMend them with skillflow memory doctor --repair.`;
  },
});

export const memoryAbsorbOutput = z.object({ path: z.string(), ...absorbed.shape });

const memoryImport = defineTool({
  name: 'memory_import',
  description:
    'Brings in what memory_export wrote. What was written, deleted or brought back last wins, the other becomes history; a link removed here comes back. A wrong line is named before anything changes; stopped half-way, the same call again goes on.',
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
  text: ({ path: file, ...report }, style) => broughtInText('imported from', file, report, style),
});

const memoryMerge = defineTool({
  name: 'memory_merge',
  description:
    'Brings in the memory of another Skillflow database. What was written, deleted or brought back last wins, the other becomes history; a link removed here comes back. Stopped half-way, the same call again goes on.',
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
  text: ({ path: file, ...report }, style) => broughtInText('merged from', file, report, style),
});

/** Memory as files. */
export const transferTools = [memoryBackup, memoryRestore, memoryExport, memoryImport, memoryMerge] as const;
