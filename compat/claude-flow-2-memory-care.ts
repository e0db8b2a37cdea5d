import * as z from 'zod';
import { NotSupportedError } from '../src/errors.ts';
import { defineLegacy } from '../src/legacy/row.ts';
import type { LegacyRow } from '../src/legacy/row.ts';
import { sameArgument } from '../src/legacy/same-argument.ts';
import { words } from '../src/tools/input.ts';
import { memoryCompactOutput, memoryPersistOutput } from '../src/tools/memory-care.ts';
import { memoryAbsorbOutput, memoryBackupOutput, memoryRestoreOutput } from '../src/tools/memory-transfer.ts';
import { snapshotOutput, snapshotRestoreOutput } from '../src/tools/snapshots.ts';
import { answered } from './answered.ts';

const FAMILY = 'claude-flow 2.7';

const memoryPersist = defineLegacy({
  name: 'memory_persist',
  family: FAMILY,
  description: 'claude-flow: sync memory to disk.',
  tools: ['memory_persist'],
  args: z.looseObject({ sessionId: z.string().optional() }),
  plan: ({ sessionId, ...input }) => ({
    tool: 'memory_persist',
    input,
    body: answered('memory_persist', { ...input, ...(sessionId === undefined ? {} : { sessionId }) }, (output) => {
      const result = memoryPersistOutput.parse(output);
      return { message: `${result.entries} entries are in the database file`, result: { persisted: true, ...result } };
    }),
  }),
});

const memoryBackup = defineLegacy({
  name: 'memory_backup',
  family: FAMILY,
  description: 'claude-flow: back up the database.',
  tools: ['memory_backup'],
  args: z.looseObject({}),
  plan: (args) => ({
    tool: 'memory_backup',
    input: args,
    body: answered('memory_backup', args, (output) => {
      const result = memoryBackupOutput.parse(output);
      return { message: `backup of ${result.entries} entries, checked`, result: { ...result, backupPath: result.path } };
    }),
  }),
});

const memoryRestore = defineLegacy({
  name: 'memory_restore',
  family: FAMILY,
  description: 'claude-flow: bring a backup back.',
  tools: ['memory_restore'],
  args: z.looseObject({}),
  plan: (args) => ({
    tool: 'memory_restore',
    input: sameArgument(args, 'path', 'backupPath'),
    spelling: args['backupPath'] === undefined ? {} : { path: 'backupPath' },
    body: answered('memory_restore', args, (output) => {
      const { path, ...result } = memoryRestoreOutput.parse(output);
      return { message: `the memory is what the backup holds`, result: { backupPath: path, ...result } };
    }),
  }),
});

const memoryCompress = defineLegacy({
  name: 'memory_compress',
  family: FAMILY,
  description: 'claude-flow: remove what is expired and give space back.',
  tools: ['memory_compact'],
  args: z.object({ namespace: z.string().optional() }),
  plan: (args) => ({
    tool: 'memory_compact',
    input: args,
    body: answered('memory_compress', args, (output) => {
      const result = memoryCompactOutput.parse(output);
      const removed = result.expired + result.purged + result.versions + result.duplicates;
      return { message: `${removed} rows removed`, result: { namespace: args.namespace ?? null, ...result } };
    }),
  }),
});

/** `libsql://host`, `https://host`; a Windows path has no slashes after its letter. */
const URL_LIKE = /^[a-z][a-z0-9+.-]*:\/\//i;

const memorySync = defineLegacy({
  name: 'memory_sync',
  family: FAMILY,
  description: 'claude-flow: merge another database of the project.',
  tools: ['memory_merge'],
  args: z.object({ target: words(4096) }),
  plan: (args) => {
    if (URL_LIKE.test(args.target)) {
      throw new NotSupportedError('memory_sync merges a database file; it does not reach servers', {
        hint: 'To share one database over the network, start all processes with SKILLFLOW_DB_URL set to it.',
        details: { parameter: 'target' },
      });
    }
    return {
      tool: 'memory_merge',
      input: { path: args.target },
      spelling: { path: 'target' },
      body: answered('memory_sync', args, (output) => {
        const { path, ...result } = memoryAbsorbOutput.parse(output);
        return { message: `${result.added} added, ${result.updated} updated`, result: { target: path, ...result } };
      }),
    };
  },
});

const stateSnapshot = defineLegacy({
  name: 'state_snapshot',
  family: FAMILY,
  description: 'claude-flow: keep the state under a name.',
  tools: ['snapshot_create'],
  args: z.object({ name: z.string().optional() }),
  plan: (args) => ({
    tool: 'snapshot_create',
    input: args,
    body: answered('state_snapshot', args, (output) => {
      const { name, ...result } = snapshotOutput.parse(output);
      return { message: `state of ${result.entries} entries kept`, result: { snapshotId: name, name, ...result } };
    }),
  }),
});

const contextRestore = defineLegacy({
  name: 'context_restore',
  family: FAMILY,
  description: 'claude-flow: go back to a kept state.',
  tools: ['snapshot_restore'],
  args: z.object({ snapshotId: z.string() }),
  plan: (args) => ({
    tool: 'snapshot_restore',
    input: { name: args.snapshotId },
    spelling: { name: 'snapshotId' },
    body: answered('context_restore', args, (output) => {
      const { name, ...result } = snapshotRestoreOutput.parse(output);
      const rows = result.differences.reduce((sum, one) => sum + one.added + one.changed + one.removed, 0);
      return { message: `${rows} rows changed`, result: { snapshotId: name, restored: true, ...result } };
    }),
  }),
});

/** Names of claude-flow 2.7 about keeping memory safe, small and portable. */
export const CLAUDE_FLOW_2_MEMORY_CARE: readonly LegacyRow[] = [
  memoryPersist,
  memoryBackup,
  memoryRestore,
  memoryCompress,
  memorySync,
  stateSnapshot,
  contextRestore,
];
