import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createExecutor } from '../../src/executor/executor.ts';
import type { Callable } from '../../src/executor/executor.ts';
import { defineLegacy, legacyListing } from '../../src/legacy/row.ts';
import { sameArgument } from '../../src/legacy/same-argument.ts';
import { createLegacy, legacyText } from '../../src/legacy/translate.ts';
import type { Legacy } from '../../src/legacy/translate.ts';
import { createRuntime } from '../../src/runtime.ts';

const NOW = 1_700_000_000_000;
const TIMESTAMP = '2023-11-14T22:13:20.000Z';
const runtime = { ...createRuntime('silent'), now: () => NOW };
const number = z.strictObject({ n: z.int().min(0) });

/** A tool that halves a number, and finds no half of 13. */
const halve: Callable = {
  name: 'halve',
  annotations: { readOnly: true },
  timeoutMs: 1000,
  bind: (input) => {
    const parsed = number.safeParse(input);
    if (!parsed.success) return { ok: false, issues: parsed.error.issues };
    return {
      ok: true,
      run: async () => {
        const { NotFoundError } = await import('../../src/errors.ts');
        if (parsed.data.n === 13) throw new NotFoundError('no half of 13', { hint: 'Take 14.' });
        return { half: parsed.data.n / 2 };
      },
    };
  },
};

const rows = [
  defineLegacy({
    name: 'half_of',
    family: 'test',
    description: 'Half.',
    tools: ['halve'],
    args: z.object({ number: z.int().describe('whole'), soft: z.boolean().optional() }),
    plan: ({ number: n, soft }) => ({
      tool: 'halve',
      input: { n },
      body: (output, timestamp) => ({ success: true, result: z.object({ half: z.number() }).parse(output).half, timestamp }),
      recover: (error, timestamp) =>
        soft === true && error.code === 'not_found' ? { success: true, result: null, timestamp } : undefined,
    }),
  }),
  defineLegacy({
    name: 'halve',
    family: 'test',
    description: 'Half.',
    tools: ['halve'],
    args: z.looseObject({}),
    plan: (args) => ({
      tool: 'halve',
      input: sameArgument(args, 'n', 'number'),
      body: (_output, timestamp) => ({ success: true, done: true, timestamp }),
    }),
  }),
  defineLegacy({
    name: 'broken',
    family: 'test',
    description: 'Reads an output that does not come.',
    tools: ['halve'],
    args: z.object({}),
    plan: () => ({ tool: 'halve', input: { n: 2 }, body: (output) => ({ text: z.string().parse(output) }) }),
  }),
];

function legacy(): Legacy {
  const executor = createExecutor({ tools: [halve], runtime, readOnly: false, record: async () => undefined });
  const unsupported = [{ subject: 'thirds', names: ['third_of'], hint: 'Take halves.' }];
  return createLegacy({ rows, unsupported, call: (tool, input, caller) => executor.call(tool, input, caller), runtime });
}
const call = (name: string, args: unknown) => legacy().call(name, args, { surface: 'mcp' });

describe('a legacy call', () => {
  test('answers through the tool; unknown arguments of a legacy-only name are dropped', async () => {
    const body = { success: true, result: 2, timestamp: TIMESTAMP };
    expect(await call('half_of', { number: 4, extra: 1 })).toStrictEqual({ body, isError: false, structured: body });
  });

  test('carries the own output where the name is shared, and native validation applies', async () => {
    expect(await call('halve', { n: 4 })).toStrictEqual({
      body: { success: true, done: true, timestamp: TIMESTAMP },
      isError: false,
      structured: { half: 2 },
    });
    expect((await call('halve', { number: 4 })).structured).toStrictEqual({ half: 2 });
    expect((await call('halve', { n: 4, number: 4 })).isError).toBe(false);
    expect((await call('halve', { n: 4, other: 1 })).body).toMatchObject({ success: false, code: 'invalid_input' });
    expect((await call('halve', { n: 4, number: 6 })).body).toMatchObject({
      success: false,
      error: expect.stringMatching(/n and number/),
    });
  });

  test('a bad argument is named, with what was expected and what came', async () => {
    const { body, isError } = await call('half_of', { number: 'four' });
    expect(isError).toBe(true);
    expect(body).toMatchObject({ success: false, code: 'invalid_input', timestamp: TIMESTAMP });
    expect(body['error']).toMatch(/half_of: number: .*expected.*got "four"/);
    expect((await call('half_of', undefined)).body).toMatchObject({ error: expect.stringMatching(/number/) });
    expect((await call('half_of', [1])).body).toMatchObject({ success: false, code: 'invalid_input' });
    expect((await call('half_of', 'text')).body).toMatchObject({ success: false, code: 'invalid_input' });
    expect((await call('half_of', { number: -2 })).body).toMatchObject({ success: false, code: 'invalid_input' });
  });

  test('a failure is a failure unless the row takes it for an answer', async () => {
    const body = { success: false, error: 'no half of 13', hint: 'Take 14.', code: 'not_found', timestamp: TIMESTAMP };
    expect(await call('half_of', { number: 13 })).toMatchObject({ body, isError: true, structured: body });
    expect(await call('half_of', { number: 13, soft: true })).toMatchObject({ isError: false, body: { result: null } });
  });

  test('an error of a tool of ours is told in legacy names, and nothing in quotes changes', async () => {
    const executor = createExecutor({ tools: [halve], runtime, readOnly: false, record: async () => undefined });
    const row = defineLegacy({
      name: 'half_of',
      family: 'test',
      description: 'Half.',
      tools: ['halve'],
      args: z.object({ number: z.unknown().optional(), message: z.string().optional() }),
      plan: ({ number: n, message = '' }) => ({
        tool: 'halve',
        input: { n },
        spelling: { n: 'number' },
        ask: (ask) =>
          message === ''
            ? ask('halve', { n })
            : Promise.resolve({ ok: false, error: { code: 'conflict', message, hint: 'Give n.', retryable: false } }),
        body: () => ({}),
      }),
    });
    const { call: told } = createLegacy({
      rows: [row],
      unsupported: [],
      call: (tool, input, caller) => executor.call(tool, input, caller),
      runtime,
    });
    const errorOf = async (args: unknown): Promise<unknown> => (await told('half_of', args, { surface: 'mcp' })).body['error'];
    expect(await errorOf({ number: -1 })).toMatch(/^half_of: number: /);
    expect(await errorOf({ message: 'n: "n" in /n/n.txt, ./n, a-n and x.n; n is n' })).toBe(
      'number: "n" in /n/n.txt, ./n, a-n and x.n; number is number',
    );
    expect((await told('half_of', { message: 'x' }, { surface: 'mcp' })).body['hint']).toBe('Give number.');
  });

  test('a refused name says what to do instead, an unknown one which names are near', async () => {
    expect(await call('third_of', {})).toMatchObject({
      isError: true,
      body: { success: false, code: 'not_supported', error: 'third_of (thirds) is not supported', hint: 'Take halves.' },
    });
    expect(await call('half_off', {})).toMatchObject({
      isError: true,
      body: { code: 'not_found', hint: 'Did you mean half_of?' },
    });
    for (const name of ['', '__proto__', 'constructor', 'x'.repeat(100_000)]) {
      const { body, isError } = await call(name, {});
      expect(isError).toBe(true);
      expect(body['code']).toBe('not_found');
      expect(String(body['error']).length).toBeLessThan(200);
    }
  });

  test('a row that cannot read an output is a defect, not a success', async () => {
    expect(await call('broken', {})).toMatchObject({ isError: true, body: { success: false, code: 'internal' } });
  });
});

test('the text is JSON with two spaces, or none for callers that count', () => {
  const body = { success: true, a: [1] };
  expect(legacyText({ body })).toBe('{\n  "success": true,\n  "a": [\n    1\n  ]\n}');
  expect(legacyText({ body, isTerse: true })).toBe('{"success":true,"a":[1]}');
});

test('the listing holds the names that no tool has', () => {
  expect(legacyListing(rows).map(({ name }) => name)).toStrictEqual(['half_of', 'broken']);
  expect(legacyListing(rows)[0]).toStrictEqual({
    name: 'half_of',
    description: 'Half.',
    inputSchema: {
      type: 'object',
      properties: {
        number: { type: 'integer', minimum: -9007199254740991, maximum: 9007199254740991, description: 'whole' },
        soft: { type: 'boolean' },
      },
      required: ['number'],
    },
    listed: false,
  });
});
