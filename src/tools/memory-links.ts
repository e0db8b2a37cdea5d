import * as z from 'zod';
import { iso, shownKey } from './entry-output.ts';
import { rare } from './input.ts';
import { ADDS, READS, key, namespace } from './memory-input.ts';
import { fields, table } from './table.ts';
import { defineTool } from './tool.ts';

const other = z.string().describe('name of the other entry');
const otherNamespace = z.string().optional().describe("default: the entry's own");
const kind = z.string().default('related').describe('one word, which reads from the entry to the other: new supersedes old');
const reason = z.string().optional().describe('why');
const end = z.object({ namespace: z.string(), key: z.string() });
type End = z.output<typeof end>;

const memoryLink = defineTool({
  name: 'memory_link',
  description:
    'Links an entry to another one, or removes such a link. Search follows links. Superseding is undone by removing the link of the kind supersedes from the new entry to the old one.',
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
    from: end,
    to: end,
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
  description: 'Lists the links from and to an entry, each as it reads: from, kind, to.',
  input: z.strictObject({ key, namespace }),
  output: z.object({
    namespace: z.string(),
    key: z.string(),
    links: z.array(
      z.object({
        direction: z.enum(['from', 'to']).describe('from: this entry links to the other; to: the other links to it'),
        kind: z.string().describe('reads from the entry at from to the one at to: new supersedes old'),
        namespace: z.string().describe('of the other'),
        key: z.string().describe('of the other'),
        from: end,
        to: end,
        reason: z.string().nullable(),
        createdAt: z.string(),
        holds: z.boolean().describe('false: what was superseded was stored anew since, and holds again'),
      }),
    ),
  }),
  annotations: READS,
  listed: false,
  cli: { command: ['memory', 'links'], positional: ['key'] },
  handler: async (input, { app }) => {
    const links = await (await app.memory('read')).links(input);
    return {
      ...input,
      links: links.map(({ id: _id, createdAt, ...link }) => {
        const there = { namespace: link.namespace, key: link.key };
        const ends = link.direction === 'from' ? { from: input, to: there } : { from: there, to: input };
        return { ...link, ...ends, createdAt: iso(createdAt) };
      }),
    };
  },
  text: ({ namespace: here, links }, style) => {
    if (links.length === 0) return 'No links.';
    const named = ({ namespace: where, key: name }: End): string => shownKey(where === here ? name : `${where}: ${name}`, style);
    const rows = links.map(({ from, kind: sort, to, holds, reason: why }) => [
      named(from),
      holds ? sort : `${sort} (before it was stored anew)`,
      named(to),
      why ?? '',
    ]);
    return table(['from', 'kind', 'to', 'reason'], rows, style);
  },
});

function undoOf(superseded: End, by: End): string {
  const where = by.namespace === 'default' ? {} : { namespace: by.namespace };
  const elsewhere = superseded.namespace === by.namespace ? {} : { toNamespace: superseded.namespace };
  const input = { key: by.key, to: superseded.key, ...where, ...elsewhere, kind: 'supersedes', remove: true };
  return `memory_link ${JSON.stringify(input)}`;
}

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
    superseded: end,
    by: end,
    reason: z.string().nullable(),
    /** The call that takes it back. */
    undo: z.string(),
  }),
  annotations: ADDS,
  cli: { command: ['memory', 'supersede'], positional: ['key', 'by'] },
  handler: async ({ key: name, by, namespace: where, byNamespace, reason: why }, { app }) => {
    const superseded = { namespace: where, key: name };
    const next = { namespace: byNamespace ?? where, key: by };
    await (await app.memory('write')).supersede(superseded, next, why);
    return { superseded, by: next, reason: why ?? null, undo: undoOf(superseded, next) };
  },
  text: ({ superseded, by, reason: why }, style) =>
    fields(
      {
        superseded: superseded.key,
        by: by.key,
        reason: why,
        'to undo': 'skillflow memory link <by> <superseded> --kind supersedes --remove',
      },
      style,
    ),
});

/** What entries say of each other. */
export const linkTools = [memoryLink, memoryLinks, memorySupersede] as const;
