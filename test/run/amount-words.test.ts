import { expect, test } from 'vitest';
import type { RunEvent } from '../../src/events.ts';
import { amountWords, pausedWords, raisedWords } from '../../src/run/amount-words.ts';
import { spendingWords } from '../../src/run/spending-words.ts';
import { eventWords } from '../../src/tools/event-words.ts';

test.each([
  ['costUsd', 0.4, '$0.40'],
  ['costUsd', 0.38125, '$0.3812'],
  ['costUsd', 0.0012, '$0.0012'],
  ['costUsd', 0, '$0.00'],
  ['costUsd', 0.00005, '$0.0001'],
  ['costUsd', 0.00002, '$0.00002'],
  ['costUsd', 0.000_012_345, '$0.000012'],
  ['costUsd', 2e-9, '$0.000000002'],
  ['costUsd', 5, '$5.00'],
  ['costUsd', 12.345, '$12.35'],
  ['tokens', 400_000, '400,000 tokens'],
  ['tokens', 1, '1 token'],
  ['wallMs', 400, '400 ms of work'],
  ['wallMs', 1_800_000, '1800 s of work'],
  ['steps', 1, '1 attempt'],
  ['steps', 3, '3 attempts'],
] as const)('%s %d is said as %s', (what, amount, words) => {
  expect(amountWords(what, amount)).toBe(words);
});

test('people who watch a run read amounts, and no names of fields', () => {
  const budget = { scope: 'run', what: 'costUsd', limit: 0.4, used: 0.5 } as const;
  const base = { runId: 'run_1', at: 0 };
  const events: readonly RunEvent[] = [
    { ...base, seq: 1, type: 'spending_announced', provider: 'anthropic', costUsd: 0.1, budgetUsd: 0.4 },
    { ...base, seq: 2, type: 'run_paused', budget, done: [], remaining: [] },
    { ...base, seq: 3, type: 'budget_raised', what: 'costUsd', from: 0.4, to: 1.5 },
    { ...base, seq: 4, type: 'budget_raised', what: 'agent wallMs', from: 400, to: 60_000 },
    { ...base, seq: 5, type: 'budget_raised', what: 'tokens', from: 400, to: null },
  ];
  expect(eventWords(events).map(({ text }) => text)).toEqual([
    'anthropic may cost up to about $0.10; it pauses at $0.40',
    "paused: the run's budget of $0.40 is used up",
    'budget raised: to $1.50',
    'budget raised: each agent to 60 s of work',
    'budget raised: to no limit of tokens',
  ]);
  expect(pausedWords({ ...budget, scope: 'agent', agentId: 'coder-1', what: 'steps', limit: 2 })).toBe(
    "paused: coder-1's budget of 2 attempts is used up",
  );
  expect(raisedWords('something', 2)).toBe('budget raised: to 2 something');
  expect(spendingWords({ provider: 'p', costUsd: null, budgetUsd: null })).toContain('there is no limit');
});
