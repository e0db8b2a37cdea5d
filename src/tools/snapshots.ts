import * as z from 'zod';
import type { SnapshotInfo } from '../memory/care/care.ts';
import { iso } from './entry-output.ts';
import { words } from './input.ts';
import { LONG_MS, READS } from './memory-input.ts';
import { fields, table } from './table.ts';
import { defineTool } from './tool.ts';

export const snapshotOutput = z.object({
  name: z.string(),
  path: z.string(),
  createdAt: z.string(),
  entries: z.number(),
  bytes: z.number(),
});
const shown = ({ createdAt, ...snapshot }: SnapshotInfo): z.output<typeof snapshotOutput> => ({
  ...snapshot,
  createdAt: iso(createdAt),
});

const snapshotCreate = defineTool({
  name: 'snapshot_create',
  description: 'Keeps the state of memory, swarms, agents and tasks under a name.',
  input: z.strictObject({ name: words(200).optional().describe('default: made from the time') }),
  output: snapshotOutput,
  annotations: { readOnly: false, destructive: false, idempotent: false },
  listed: false,
  timeoutMs: LONG_MS,
  cli: { command: ['snapshot', 'create'], positional: ['name'] },
  handler: async ({ name }, { app, progress }) => {
    progress(0.05, 'copying the state');
    return shown(await (await app.care()).snapshot(name));
  },
  text: ({ name, path, entries, bytes }, style) => fields({ snapshot: name, file: path, entries, bytes }, style),
});

const snapshotList = defineTool({
  name: 'snapshot_list',
  description: 'Lists the snapshots, newest first.',
  input: z.strictObject({}),
  output: z.object({ snapshots: z.array(snapshotOutput) }),
  annotations: READS,
  listed: false,
  cli: { command: ['snapshot', 'list'] },
  handler: async (_input, { app }) => ({ snapshots: (await (await app.care()).snapshots()).map(shown) }),
  text: ({ snapshots }, style) => {
    if (snapshots.length === 0) return 'There are no snapshots.';
    const rows = snapshots.map((one) => [one.name, one.createdAt.slice(0, 19), String(one.entries), String(one.bytes)]);
    return table(['snapshot', 'made (UTC)', 'entries', 'bytes'], rows, style);
  },
});

export const snapshotRestoreOutput = z.object({
  name: z.string(),
  differences: z.array(
    z.object({
      what: z.enum(['memory', 'swarms', 'agents', 'tasks']),
      added: z.number(),
      changed: z.number(),
      removed: z.number(),
    }),
  ),
  safetyBackup: z.string(),
});

const snapshotRestore = defineTool({
  name: 'snapshot_restore',
  description: 'Goes back to a snapshot, after making a backup of what is there; says what changed.',
  input: z.strictObject({ name: words(200).describe('see snapshot_list') }),
  output: snapshotRestoreOutput,
  annotations: { readOnly: false, destructive: true, idempotent: true },
  listed: false,
  timeoutMs: 0,
  cli: { command: ['snapshot', 'restore'], positional: ['name'] },
  handler: async ({ name }, { app, signal, progress }) => {
    progress(0, 'checking the snapshot');
    const { differences, safety } = await (await app.care()).restoreSnapshot(name, { signal, onProgress: progress });
    return { name, differences: [...differences], safetyBackup: safety };
  },
  text: ({ name, differences, safetyBackup }, style) => {
    const rows = differences.map((one) => [one.what, String(one.added), String(one.changed), String(one.removed)]);
    return `${fields({ 'went back to': name, 'what was there': safetyBackup }, style)}\n\n${table(
      ['', 'added', 'changed', 'removed'],
      rows,
      style,
    )}`;
  },
});

/** The project's state under a name. */
export const snapshotTools = [snapshotCreate, snapshotList, snapshotRestore] as const;
