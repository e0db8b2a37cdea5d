import { z } from 'zod';
import { iso } from './entry-output.ts';
import { rare } from './input.ts';
import { ADDS, READS, key, namespace } from './memory-input.ts';
import { fields, table } from './table.ts';
import { defineTool } from './tool.ts';

const other = z.string().describe('name of the other entry');
const otherNamespace = z.string().optional().describe("default: the entry's own");
const kind = z.string().default('related').describe('one word');
const reason = z.string().optional().describe('why');

const memoryLink = defineTool({
  name: 'memory_link',
  description: 'Links an entry to another one, or removes such a link. Search follows links.',
  input: z.strictObject({
    key,
    to: other,
    namespace,
    toNamespace: otherNamespace,
    kind,
    reason,
    remove: z.boolean().default(false).describe('remove the link instead'),
  }),
  output: z.object({
    from: z.object({ namespace: z.string(), key: z.string() }),
    to: z.object({ namespace: z.string(), key: z.string() }),
    kind: z.string(),
    linked: z.boolean(),
    /** Whether the call changed something: the link is new, or was there to be removed. */
    changed: z.boolean(),
  }),
  annotations: ADDS,
  listed: false,
  cli: { command: ['memory', 'link'], positional: ['key', 'to'] },
  handler: async ({ key: name, to, namespace: where, toNamespace, kind: sort, reason: why, remove }, { app }) => {
    const memory = await app.memory('write');
    const ends = { from: { namespace: where, key: name }, to: { namespace: toNamespace ?? where, key: to } };
    const changed = await (remove ? memory.unlink(ends.from, ends.to, sort) : memory.link(ends.from, ends.to, sort, why));
    return { ...ends, kind: sort, linked: !remove, changed };
  },
  text: ({ from, to, kind: sort, linked, changed }, style) => {
    const what = linked ? (changed ? 'linked' : 'was linked already') : changed ? 'link removed' : 'no such link';
    return fields({ [what]: `${from.key} → ${to.key}`, kind: sort }, style);
  },
});

const memoryLinks = defineTool({
  name: 'memory_links',
  description: 'Lists the links from and to an entry.',
  input: z.strictObject({ key, namespace }),
  output: z.object({
    namespace: z.string(),
    key: z.string(),
    /** `from`: the entry links to the other one; `to`: it is linked from it. */
    links: z.array(
      z.object({
        direction: z.enum(['from', 'to']),
        kind: z.string(),
        namespace: z.string(),
        key: z.string(),
        reason: z.string().nullable(),
        createdAt: z.string(),
      }),
    ),
  }),
  annotations: READS,
  listed: false,
  cli: { command: ['memory', 'links'], positional: ['key'] },
  handler: async (input, { app }) => {
    const links = await (await app.memory('read')).links(input);
    return { ...input, links: links.map(({ id: _id, createdAt, ...link }) => ({ ...link, createdAt: iso(createdAt) })) };
  },
  text: ({ links }, style) => {
    if (links.length === 0) return 'No links.';
    const rows = links.map((link) => [
      link.direction === 'from' ? '→' : '←',
      link.kind,
      link.namespace,
      link.key,
      link.reason ?? '',
    ]);
    return table(['', 'kind', 'namespace', 'key', 'reason'], rows, style);
  },
});

const memorySupersede = defineTool({
  name: 'memory_supersede',
  description: 'Says that another entry holds now instead: search then leaves this one out.',
  input: z.strictObject({
    key,
    by: z.string().describe('key of the other'),
    namespace: z.string().default('default'),
    byNamespace: rare(z.string().optional(), "default: the entry's own"),
    reason: rare(reason, 'why'),
  }),
  output: z.object({
    superseded: z.object({ namespace: z.string(), key: z.string() }),
    by: z.object({ namespace: z.string(), key: z.string() }),
    reason: z.string().nullable(),
  }),
  annotations: ADDS,
  cli: { command: ['memory', 'supersede'], positional: ['key', 'by'] },
  handler: async ({ key: name, by, namespace: where, byNamespace, reason: why }, { app }) => {
    const superseded = { namespace: where, key: name };
    const next = { namespace: byNamespace ?? where, key: by };
    await (await app.memory('write')).supersede(superseded, next, why);
    return { superseded, by: next, reason: why ?? null };
  },
  text: ({ superseded, by, reason: why }, style) => fields({ superseded: superseded.key, by: by.key, reason: why }, style),
});

/** What entries say of each other. */
export const linkTools = [memoryLink, memoryLinks, memorySupersede] as const;
