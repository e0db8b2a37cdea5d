import { expect, test } from 'vitest';
import { z } from 'zod';
import { InvalidInputError } from '../../src/errors.ts';
import { createExecutor } from '../../src/executor/executor.ts';
import type { CallRecord, Callable, Executor } from '../../src/executor/executor.ts';
import { createRuntime } from '../../src/runtime.ts';

const CALLER = { surface: 'api' } as const;
const schema = z.strictObject({ text: z.string().max(5), times: z.int().default(1) });

interface Made {
  readonly executor: Executor;
  readonly ran: unknown[];
  readonly sessions: (string | null)[];
  readonly records: CallRecord[];
}

function make(
  options: Partial<Pick<Callable, 'timeoutMs' | 'annotations'>> & {
    readonly readOnly?: boolean;
    readonly work?: (signal: AbortSignal) => Promise<unknown>;
    readonly recordFails?: boolean;
    readonly changes?: boolean;
  } = {},
): Made {
  const ran: unknown[] = [];
  const sessions: (string | null)[] = [];
  const records: CallRecord[] = [];
  const tool: Callable = {
    name: 'say',
    annotations: options.annotations ?? { readOnly: false },
    timeoutMs: options.timeoutMs ?? 1000,
    bind: (input) => {
      const parsed = schema.safeParse(input);
      if (!parsed.success) return { ok: false, issues: parsed.error.issues };
      return {
        ok: true,
        changes: options.changes,
        run: async ({ signal, session }) => {
          ran.push(parsed.data);
          sessions.push(session);
          return options.work === undefined ? parsed.data : options.work(signal);
        },
      };
    },
  };
  const executor = createExecutor({
    tools: [tool],
    runtime: createRuntime('silent'),
    readOnly: options.readOnly ?? false,
    record: async (call) => {
      if (options.recordFails === true) throw new Error('no disk');
      records.push(call);
    },
  });
  return { executor, ran, sessions, records };
}

test('a valid call runs once, with defaults, and is journaled', async () => {
  const { executor, ran, records } = make();
  expect(await executor.call('say', { text: 'hi' }, CALLER)).toEqual({ ok: true, output: { text: 'hi', times: 1 } });
  expect(ran).toHaveLength(1);
  expect(records).toMatchObject([{ tool: 'say', surface: 'api', code: null }]);
});

test.each([
  [undefined, 'text'],
  [{ text: 7 }, 'text: .*got 7'],
  [{ text: 'too long' }, 'text: .*got text t…\\(8 characters\\)$'],
  [{ text: 'a', times: 'x' }, 'times'],
  [{ text: 'a', other: 1 }, 'other'],
  [[], 'the input'],
  ['text', 'the input'],
])('a bad input %j names the parameter and runs nothing', async (input, message) => {
  const { executor, ran, records } = make();
  const result = await executor.call('say', input, CALLER);
  expect(result).toMatchObject({
    ok: false,
    error: { code: 'invalid_input', message: expect.stringMatching(message), hint: expect.any(String) },
  });
  expect(ran).toEqual([]);
  expect(records).toEqual([]);
});

test('a value nested thousands of levels deep is refused like any other', async () => {
  let deep: unknown = 0;
  for (let level = 0; level < 50_000; level += 1) deep = [deep];
  const result = await make().executor.call('say', { text: deep }, CALLER);
  expect(result).toMatchObject({
    ok: false,
    error: { code: 'invalid_input', message: expect.stringMatching(/got a list of 1$/) },
  });
});

test('what came is described, not shown, in any place', async () => {
  const secret = 'sk-live-0123456789abcdef';
  const inputs = [
    { text: secret },
    { text: [secret] },
    { text: { [secret]: 1 } },
    { text: 'a', other: secret },
    secret,
    [secret],
  ];
  for (const input of inputs) {
    const result = await make().executor.call('say', input, CALLER);
    expect(result).toMatchObject({ ok: false, error: { code: 'invalid_input' } });
    expect(JSON.stringify(result)).not.toContain('0123456789');
  }
  const long = { text: 'short', ['k'.repeat(10_000)]: 1 };
  expect(await make().executor.call('say', long, CALLER)).toMatchObject({
    error: { message: expect.stringMatching(/^say: the input: unrecognized "k{64}…"$/) },
  });
});

test('an unknown tool names the near ones', async () => {
  const result = await make().executor.call('sya', {}, CALLER);
  expect(result).toMatchObject({ ok: false, error: { code: 'not_found', hint: 'Did you mean say?' } });
  for (const name of ['__proto__', 'constructor', '', 'x'.repeat(100_000)]) {
    expect(await make().executor.call(name, {}, CALLER)).toMatchObject({ ok: false, error: { code: 'not_found' } });
  }
});

test('read-only mode refuses writers, lets readers, journals nothing', async () => {
  const writer = make({ readOnly: true });
  expect(await writer.executor.call('say', { text: 'a' }, CALLER)).toMatchObject({ ok: false, error: { code: 'forbidden' } });
  expect(writer.ran).toEqual([]);
  expect(writer.records).toEqual([]);
  const reader = make({ readOnly: true, annotations: { readOnly: true } });
  expect(await reader.executor.call('say', { text: 'a' }, CALLER)).toMatchObject({ ok: true });
  expect(reader.records).toEqual([]);
});

test('a call that changes nothing of a tool that can: read-only mode lets it, and it is not journaled', async () => {
  const looking = make({ readOnly: true, changes: false });
  expect(await looking.executor.call('say', { text: 'a' }, CALLER)).toMatchObject({ ok: true });
  const writable = make({ changes: false });
  expect(await writable.executor.call('say', { text: 'a' }, CALLER)).toMatchObject({ ok: true });
  expect([...looking.records, ...writable.records]).toEqual([]);
  const changing = make({ readOnly: true, changes: true, annotations: { readOnly: true } });
  expect(await changing.executor.call('say', { text: 'a' }, CALLER)).toMatchObject({ ok: false, error: { code: 'forbidden' } });
});

test('a call knows its session, where its caller has one', async () => {
  const { executor, sessions } = make();
  await executor.call('say', { text: 'a' }, CALLER);
  await executor.call('say', { text: 'a' }, { ...CALLER, session: 'session_1' });
  await executor.call('say', { text: 'a' }, { ...CALLER, session: null });
  expect(sessions).toEqual([null, 'session_1', null]);
});

test('a handler that hangs is answered with deadline, and its signal is aborted', async () => {
  let aborted = false;
  const { executor, records } = make({
    timeoutMs: 20,
    work: (signal) =>
      new Promise(() => {
        signal.addEventListener('abort', () => {
          aborted = true;
        });
      }),
  });
  expect(await executor.call('say', { text: 'a' }, CALLER)).toMatchObject({
    ok: false,
    error: { code: 'deadline', retryable: true },
  });
  expect(aborted).toBe(true);
  expect(records).toMatchObject([{ code: 'deadline' }]);
});

test('a caller that cancels is answered at once, before the call and during it', async () => {
  const stop = new AbortController();
  const hanging = make({ work: () => new Promise(() => undefined) }).executor.call(
    'say',
    { text: 'a' },
    { ...CALLER, signal: stop.signal },
  );
  stop.abort();
  expect(await hanging).toMatchObject({ ok: false, error: { code: 'cancelled' } });
  expect(
    await make({ work: () => new Promise(() => undefined) }).executor.call(
      'say',
      { text: 'a' },
      { ...CALLER, signal: stop.signal },
    ),
  ).toMatchObject({
    ok: false,
    error: { code: 'cancelled' },
  });
});

test('errors keep their code; what is thrown by defect is internal; none carries a stack', async () => {
  const known = make({ work: () => Promise.reject(new InvalidInputError('no such colour', { hint: 'Use red.' })) });
  expect(await known.executor.call('say', { text: 'a' }, CALLER)).toEqual({
    ok: false,
    error: { code: 'invalid_input', message: 'no such colour', hint: 'Use red.', retryable: false },
  });
  const defect = make({ work: () => Promise.reject(new TypeError('x is undefined')) });
  const result = await defect.executor.call('say', { text: 'a' }, CALLER);
  expect(result).toMatchObject({ ok: false, error: { code: 'internal', message: 'x is undefined' } });
  expect(JSON.stringify(result)).not.toMatch(/\bat .*\.ts/);
});

test('a journal that cannot be written does not change the answer', async () => {
  expect(await make({ recordFails: true }).executor.call('say', { text: 'a' }, CALLER)).toMatchObject({ ok: true });
});
