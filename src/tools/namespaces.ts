import * as z from 'zod';
import { iso } from './entry-output.ts';
import { READS } from './memory-input.ts';
import { fields, table } from './table.ts';
import { defineTool } from './tool.ts';

export const memoryNamespacesOutput = z.object({
  namespaces: z.array(
    z.object({
      namespace: z.string(),
      entries: z.number(),
      /** UTF-8 bytes of the stored values. */
      bytes: z.number(),
      updatedAt: z.string(),
    }),
  ),
});

const memoryNamespaces = defineTool({
  name: 'memory_namespaces',
  description: 'Lists the namespaces that have entries. One is there from its first entry on.',
  input: z.strictObject({}),
  output: memoryNamespacesOutput,
  annotations: READS,
  listed: false,
  cli: { command: ['memory', 'namespaces'] },
  handler: async (_input, { app }) => {
    const namespaces = await (await app.memory('read')).namespaces();
    return { namespaces: namespaces.map(({ updatedAt, ...one }) => ({ ...one, updatedAt: iso(updatedAt) })) };
  },
  text: ({ namespaces }, style) => {
    if (namespaces.length === 0) return 'No entries.';
    const rows = namespaces.map((one) => [one.namespace, String(one.entries), String(one.bytes), one.updatedAt.slice(0, 16)]);
    return table(['namespace', 'entries', 'bytes', 'updated (UTC)'], rows, style);
  },
});

export const memoryClearOutput = z.object({
  namespace: z.string(),
  deleted: z.number(),
  /** With undo. */
  broughtBack: z.number().exactOptional(),
});

const memoryClear = defineTool({
  name: 'memory_clear',
  description: 'Deletes all entries of a namespace. They can be brought back, one by one or with undo, until they are purged.',
  input: z.strictObject({
    namespace: z.string().describe('group of keys'),
    undo: z.boolean().default(false).describe('bring back all that is deleted in it instead'),
  }),
  output: memoryClearOutput,
  annotations: { readOnly: false, destructive: true, idempotent: true },
  listed: false,
  cli: { command: ['memory', 'clear'], positional: ['namespace'] },
  handler: async ({ namespace, undo }, { app }) => {
    const memory = await app.memory('write');
    if (undo) return { namespace, deleted: 0, broughtBack: await memory.undeleteNamespace(namespace) };
    return { namespace, deleted: await memory.deleteNamespace(namespace) };
  },
  text: ({ namespace, deleted, broughtBack }, style) =>
    fields(
      broughtBack === undefined ? { 'entries deleted': deleted, namespace } : { 'entries brought back': broughtBack, namespace },
      style,
    ),
});

/** Groups of keys. */
export const namespaceTools = [memoryNamespaces, memoryClear] as const;
