import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allTools } from '../../src/tools/all-tools.ts';
import { listTool } from '../../src/tools/listing.ts';
import type { JsonSchema } from '../../src/tools/listing.ts';
import { onServer } from '../helpers/databases.ts';
import { createToolCalls } from './tool-calls.ts';
import type { ToolCalls } from './tool-calls.ts';

const HOSTILE: readonly unknown[] = [
  '',
  ' ',
  "'; DROP TABLE memory_entry; --",
  '" OR 1=1 --',
  'NEAR(a b, 2) AND -c* ^d : {e}',
  '*?[a-z]%_\\',
  '\0',
  'a\0b',
  '\uD800',
  '👩‍👩‍👧 e\u0301 日本語 \u202E',
  '\u001B]0;title\u0007',
  '../..',
  '../../../../etc/passwd',
  '/etc/passwd',
  'C:\\Windows\\x',
  '.skillflow/skillflow.db-wal',
  '__proto__',
  'x'.repeat(1024 * 1024),
  -1,
  0,
  1e9,
  1.5,
  Number.NaN,
  Number.MAX_VALUE,
  null,
  true,
  [],
  ['x', null],
  { toString: 1 },
];
const KEPT = { namespace: 'kept', key: 'kept' };
/** What each tool takes when nothing about it is hostile. */
const PLAIN: Readonly<Record<string, unknown>> = {
  key: 'k',
  value: 'v',
  namespace: 'n',
  query: 'words',
  to: 'other',
  by: 'other',
  path: 'file.out',
  name: 'snap',
  version: 1,
};
const tools = allTools.map(listTool).filter(({ name }) => /^(?:memory|cache|snapshot)_/.test(name));
/** Those whose every field is tried: on a server the ones that bring it what they are given. */
const tried = onServer()
  ? tools.filter(({ name }) => /^(?:memory_(?:store|list|search|link|clear)|cache_set)$/.test(name))
  : tools;

const required = ({ required: names = [] }: JsonSchema): Record<string, unknown> =>
  Object.fromEntries(names.map((name) => [name, PLAIN[name]]));

/** A call answers, or refuses by naming what is wrong, shortly; it never fails by a defect. */
async function callHostile(calls: ToolCalls, tool: string, input: Readonly<Record<string, unknown>>): Promise<void> {
  const result = await calls.app.call(tool, input);
  const what = `${tool} ${JSON.stringify(input).slice(0, 200)}`;
  if (result.ok) return;
  const { code, message, hint } = result.error;
  expect(code, `${what}: ${message}`).not.toBe('internal');
  expect(message.length, what).toBeLessThan(2000);
  expect(hint, what).toMatch(/./);
}

async function unharmed(calls: ToolCalls): Promise<void> {
  expect(await calls.output('memory_get', KEPT)).toMatchObject({ value: 'as it was', version: 1 });
  expect(await calls.output('memory_doctor', {})).toMatchObject({ ok: true });
  const outside = await readdir(join(calls.app.dir, '..'));
  expect(outside.filter((name) => /^(?:file\.out|snap|passwd|x{3})/.test(name))).toEqual([]);
}

describe('hostile input', { timeout: 240_000 }, () => {
  test.each(tried.map(({ name, inputSchema }) => ({ name, inputSchema })))(
    '$name: in every field',
    async ({ name, inputSchema }) => {
      await using calls = await createToolCalls();
      await calls.output('memory_store', { ...KEPT, value: 'as it was' });
      const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
      for (const property of Object.keys(inputSchema.properties ?? {})) {
        for (const value of HOSTILE) await callHostile(calls, name, { ...required(inputSchema), [property]: value });
      }
      await unharmed(calls);
      expect(await readFile('/etc/passwd', 'utf8').catch(() => '')).toBe(passwd);
    },
  );

  test('any input at all, seeded', async () => {
    await using calls = await createToolCalls();
    await calls.output('memory_store', { ...KEPT, value: 'as it was' });
    expect(tools.length).toBeGreaterThan(30);
    const anyTool = fc.constantFrom(...tools.filter(({ name }) => !/restore|compact|clear|backup|export/.test(name)));
    const anyCall = anyTool.chain((tool) => {
      const names = Object.keys(tool.inputSchema.properties ?? {});
      const anyValue = fc.oneof(
        fc.constantFrom(...HOSTILE.filter((value) => typeof value !== 'string' || value.length < 1000)),
        fc.jsonValue(),
        fc.string(),
      );
      const some = fc.dictionary(fc.constantFrom(...names, 'unknown'), anyValue, { maxKeys: names.length });
      return some.map((input) => ({ tool: tool.name, input: { ...required(tool.inputSchema), ...input } }));
    });
    await fc.assert(
      fc.asyncProperty(anyCall, async ({ tool, input }) => {
        if (Object(input).namespace !== KEPT.namespace) await callHostile(calls, tool, input);
      }),
      { seed: 20_261_121, numRuns: onServer() ? 100 : 400 },
    );
    await unharmed(calls);
  });
});
