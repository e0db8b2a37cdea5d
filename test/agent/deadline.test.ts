import { expect, test } from 'vitest';
import { withDeadline } from '../../src/agent/deadline.ts';
import type { AskRequest, AskResult, Provider } from '../../src/agent/provider.ts';
import type { Usage } from '../../src/agent/usage.ts';
import { testRuntime } from '../store/scratch.ts';
import { askRequest } from './ask-request.ts';
import { noChanges, outputOf } from './seen-finding.ts';

function provider(ask: (request: AskRequest) => Promise<AskResult>, paid = false): Provider {
  return { name: 'anthropic', paid, ask, [Symbol.asyncDispose]: async () => undefined };
}
const guard = (inner: Provider, deadlineMs = 60_000): Provider => withDeadline(inner, deadlineMs, testRuntime());
const ask = (subject: Provider, parts: Partial<AskRequest> = {}): Promise<AskResult> =>
  subject.ask(askRequest(noChanges('/p'), parts));
const never = (): Promise<never> => new Promise(() => undefined);
const usage: Usage = {
  model: 'm',
  inputTokens: 1,
  outputTokens: 1,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  requests: 1,
  costUsd: 1,
};

/** Ends with this as soon as it is told to. */
const whenTold =
  (result: AskResult) =>
  (request: AskRequest): Promise<AskResult> =>
    new Promise((resolve) => request.signal.addEventListener('abort', () => resolve(result), { once: true }));

test('a provider that throws or rejects: its failure is an answer', async () => {
  const throws = provider(() => {
    throw new TypeError('defect');
  });
  expect(await ask(guard(throws))).toMatchObject({ status: 'failed', code: 'internal', reason: 'defect' });
  expect(await ask(guard(provider(() => Promise.reject(new Error('gone')))))).toMatchObject({ code: 'internal', reason: 'gone' });
});

test('one that never ends, whatever it is told', async () => {
  const late = { status: 'failed', code: 'deadline', reason: 'no answer within 20 ms', retryable: true };
  const calling = async ({ onCall }: AskRequest): Promise<never> => {
    await onCall?.();
    return never();
  };
  expect(await ask(guard(provider(calling, true), 20))).toEqual({ ...late, possiblyBilled: true });
  // It was cut off before it sent anything.
  expect(await ask(guard(provider(never, true), 20))).toEqual(late);
  const refused = ask(guard(provider(calling, true), 20), { onCall: () => Promise.reject(new Error('not written')) });
  expect(await refused).toEqual({ status: 'failed', code: 'internal', reason: 'not written', retryable: false });
  const controller = new AbortController();
  const free = ask(guard(provider(never)), { signal: controller.signal });
  controller.abort();
  expect(await free).toEqual({ status: 'failed', code: 'cancelled', reason: 'cancelled', retryable: false });
});

test('what it used is kept', async () => {
  const failed: AskResult = { status: 'failed', code: 'whatever', reason: 'r', retryable: true, possiblyBilled: true, usage };
  expect(await ask(guard(provider(whenTold(failed)), 20))).toMatchObject({ code: 'deadline', possiblyBilled: true, usage });
  const controller = new AbortController();
  const done = ask(guard(provider(whenTold({ status: 'completed', output: outputOf(), usage }))), { signal: controller.signal });
  controller.abort();
  expect(await done).toEqual({ status: 'failed', code: 'cancelled', reason: 'cancelled', retryable: false, usage });
});

test('an answer that comes when its time is over is an answer', async () => {
  expect(await ask(guard(provider(whenTold({ status: 'completed', output: outputOf('f'), usage })), 20))).toMatchObject({
    status: 'completed',
    usage,
  });
});

test('cancelled before: nothing is asked', async () => {
  let asked = 0;
  const counting = provider(async () => {
    asked += 1;
    return { status: 'completed', output: outputOf() };
  });
  expect(await ask(guard(counting), { signal: AbortSignal.abort() })).toMatchObject({ code: 'cancelled' });
  expect(asked).toBe(0);
});

test.each([
  ['many values', { ...outputOf(), stats: Object.fromEntries(Array.from({ length: 2_000_001 }, (_, i) => [String(i), i])) }],
  ['long texts', { ...outputOf(), text: 'x'.repeat(16_000_001) }],
])('an answer of %s is too large', async (_what, output) => {
  const result = await ask(guard(provider(async () => ({ status: 'completed', output, usage }))));
  expect(result).toMatchObject({ status: 'failed', code: 'bad_output', usage });
});

test('a large answer of analyzers is none too many', async () => {
  const output = outputOf(...Array.from({ length: 20_000 }, (_, i) => `f${i}`));
  expect((await ask(guard(provider(async () => ({ status: 'completed', output }))))).status).toBe('completed');
});

test('no listener and no timer stays', async () => {
  const controller = new AbortController();
  let listeners = 0;
  const { signal } = controller;
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
  signal.addEventListener = (type: string, listener: () => void) => {
    listeners += 1;
    add(type, listener);
  };
  signal.removeEventListener = (type: string, listener: () => void) => {
    listeners -= 1;
    remove(type, listener);
  };
  await ask(guard(provider(async () => ({ status: 'completed', output: outputOf() }))), { signal });
  expect(listeners).toBe(0);
  expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBeLessThanOrEqual(1); // the test's own
});
