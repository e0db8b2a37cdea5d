import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { askPerson } from '../../src/cli/ask-person.ts';

function terminal(...typed: readonly (string | null)[]) {
  const written: string[] = [];
  const lines = [...typed];
  return {
    written,
    write: (text: string) => void written.push(text),
    readLine: async () => lines.shift() ?? null,
    dropTyped: async () => undefined,
  };
}
const quiet = new AbortController().signal;

test.each([
  ['y', true],
  [' YES ', true],
  ['n', false],
  ['no', false],
  ['', false],
  [null, null],
])('%j is %j', async (typed, answer) => {
  expect(await askPerson('Go on?', { ...terminal(typed), signal: quiet, withdrawn: quiet })).toBe(answer);
});

test('asks again when it does not understand, and shows no control characters of the question', async () => {
  const { written, ...tty } = terminal('perhaps', 'y');
  expect(await askPerson('Write \u001B[31mx?\nnow', { ...tty, signal: quiet, withdrawn: quiet })).toBe(true);
  expect(written).toEqual([String.raw`Write \x1b[31mx? now [y/N] `, 'Answer y or n.\n', String.raw`Write \x1b[31mx? now [y/N] `]);
});

test('an interrupt is a no', async () => {
  const stop = new AbortController();
  const asking = askPerson('Go on?', {
    write: () => undefined,
    signal: stop.signal,
    withdrawn: quiet,
    dropTyped: async () => undefined,
    readLine: (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(null))),
  });
  await setImmediate();
  stop.abort();
  expect(await asking).toBe(false);
});

test('a question that is withdrawn has no answer, and says so', async () => {
  const withdraw = new AbortController();
  const written: string[] = [];
  const asking = askPerson('Go on?', {
    write: (text) => void written.push(text),
    signal: quiet,
    withdrawn: withdraw.signal,
    dropTyped: async () => undefined,
    readLine: (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(null))),
  });
  await setImmediate();
  withdraw.abort();
  expect(await asking).toBe(null);
  expect(written).toEqual(['Go on? [y/N] ', '\nNo answer is needed any more.\n']);
});

test('what was typed before the question was seen is no answer to it', async () => {
  const lines = ['y', 'n'];
  const written: string[] = [];
  const answer = await askPerson('Go on?', {
    write: (text) => void written.push(text),
    readLine: async () => lines.shift() ?? null,
    dropTyped: async () => {
      expect(written).toEqual([]);
      lines.shift();
    },
    signal: quiet,
    withdrawn: quiet,
  });
  expect(answer).toBe(false);
});
