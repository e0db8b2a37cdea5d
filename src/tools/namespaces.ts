import { z } from 'zod';
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

export const memoryClearOutput = z.object({ namespace: z.string(), deleted: z.number() });

const memoryClear = defineTool({
  name: 'memory_clear',
  description: 'Deletes all entries of a namespace. Each can be brought back until it is purged.',
  input: z.strictObject({ namespace: z.string().describe('group of keys') }),
  output: memoryClearOutput,
  annotations: { readOnly: false, destructive: true, idempotent: true },
  listed: false,
  cli: { command: ['memory', 'clear'], positional: ['namespace'] },
  handler: async ({ namespace }, { app }) => ({
    namespace,
    deleted: await (await app.memory('write')).deleteNamespace(namespace),
  }),
  text: ({ namespace, deleted }, style) => fields({ 'entries deleted': deleted, namespace }, style),
});

/** Groups of keys. */
export const namespaceTools = [memoryNamespaces, memoryClear] as const;
