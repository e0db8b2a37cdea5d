import * as z from 'zod';
import { ConflictError } from '../errors.ts';
import { printableLines } from '../printable.ts';
import { entryHead, missingEntry, shownHead, source } from './entry-output.ts';
import { memoryStoreOutput, shownStored } from './memory-entries.ts';
import { READS, key, namespace } from './memory-input.ts';
import { fields, table } from './table.ts';
import { defineTool } from './tool.ts';

const version = z.int().min(1);

function supersession(by: { readonly key: string; readonly reason: string | null } | undefined): string {
  if (by === undefined) return '';
  return `(superseded by ${by.key}${by.reason === null ? '' : `: ${by.reason}`}) `;
}

const memoryHistory = defineTool({
  name: 'memory_history',
  description: 'Lists the versions of an entry, newest first. At most 100 earlier ones are kept.',
  input: z.strictObject({ key, namespace }),
  output: z.object({
    namespace: z.string(),
    key: z.string(),
    /** `preview`: the first 200 characters of the stored value. */
    versions: z.array(
      entryHead.omit({ namespace: true, key: true, id: true, createdAt: true }).extend({
        preview: z.string(),
        current: z.boolean(),
        /** What ended its validity; absent where nothing did. */
        supersededBy: z.object({ namespace: z.string(), key: z.string(), reason: z.string().nullable() }).exactOptional(),
      }),
    ),
  }),
  annotations: READS,
  listed: false,
  cli: { command: ['memory', 'history'], positional: ['key'] },
  handler: async (input, { app }) => {
    const versions = await (await app.memory('read')).history(input);
    return {
      ...input,
      versions: versions.map(({ preview, current, supersededBy, ...head }) => {
        const {
          namespace: _namespace,
          key: _key,
          id: _id,
          createdAt: _createdAt,
          ...shown
        } = shownHead({ ...head, createdAt: 0 });
        return { ...shown, preview, current, ...(supersededBy === null ? {} : { supersededBy }) };
      }),
    };
  },
  text: ({ versions }, style) =>
    table(
      ['version', 'written (UTC)', 'bytes', 'from', 'value'],
      versions.map((one) => [
        `${one.version}${one.current ? ' (now)' : ''}`,
        one.updatedAt.slice(0, 19),
        String(one.bytes),
        source(one),
        supersession(one.supersededBy) + one.preview,
      ]),
      style,
    ),
});

const memoryDiff = defineTool({
  name: 'memory_diff',
  description: 'Compares two versions of an entry line by line; without versions, the last change.',
  input: z.strictObject({
    key,
    namespace,
    from: version.optional().describe('default: the one before'),
    to: version.optional().describe('default: the current one'),
  }),
  output: z.object({
    namespace: z.string(),
    key: z.string(),
    from: z.number(),
    to: z.number(),
    /** Names of the fields that differ, `value` first. */
    changed: z.array(z.string()),
    /** Unified diff of the values; empty when they are the same. */
    value: z.string(),
  }),
  annotations: READS,
  listed: false,
  cli: { command: ['memory', 'diff'], positional: ['key', 'from', 'to'] },
  handler: async ({ from, to, ...name }, { app }) => {
    const memory = await app.memory('read');
    const entry = await memory.get(name);
    if (entry === undefined) throw await missingEntry(memory, name);
    const last = to ?? entry.version;
    const first = from ?? last - 1;
    if (first < 1) {
      throw new ConflictError(`the entry ${JSON.stringify(name.key)} has no version before ${last}`, {
        hint: 'There is nothing to compare it with until it is stored again.',
      });
    }
    const diff = await memory.diff(name, first, last);
    return { ...name, ...diff, changed: [...diff.changed] };
  },
  text: ({ key: name, from, to, changed, value }, style) => {
    const facts = fields(
      { entry: name, versions: `${from} → ${to}`, changed: changed.length === 0 ? 'nothing' : changed.join(', ') },
      style,
    );
    return value === '' ? facts : `${facts}\n\n${printableLines(value.trimEnd()).join('\n')}`;
  },
});

const memoryRevert = defineTool({
  name: 'memory_revert',
  description: 'Makes a new version of an entry that says what an earlier one said.',
  input: z.strictObject({ key, version: version.describe('see memory_history'), namespace }),
  output: memoryStoreOutput,
  annotations: { readOnly: false, destructive: false, idempotent: false },
  listed: false,
  cli: { command: ['memory', 'revert'], positional: ['key', 'version'] },
  handler: async ({ version: wanted, ...name }, { app }) => shownStored(await (await app.memory('write')).revert(name, wanted)),
  text: ({ namespace: where, key: name, version: made }, style) =>
    fields({ reverted: name, namespace: where, 'now version': made }, style),
});

/** Versions of entries. */
export const historyTools = [memoryHistory, memoryDiff, memoryRevert] as const;
