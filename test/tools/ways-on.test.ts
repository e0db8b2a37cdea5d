import { expect, test } from 'vitest';
import { budgetWays } from '../../src/tools/ways-on.ts';

const RUN = { unpriced: false, tokens: 0, swarm: null };
const resumed = (words: string): unknown => JSON.parse(/run_resume (\{.*?\})/u.exec(words)?.[1] ?? 'null');

test.each([
  ['tokens', 0, 0, { maxTokens: 1_000_000 }],
  ['costUsd', 0, 0, { maxCostUsd: 1 }],
  ['wallMs', 0, 0, { maxSeconds: 60 }],
  ['steps', 0, 0, { maxSteps: 10 }],
  ['tokens', 10, 40_000, { maxTokens: 80_000 }],
  ['wallMs', 1, 730, { maxSeconds: 2 }],
  ['costUsd', 0.000_02, 0.000_03, { maxCostUsd: 0.01 }],
  ['tokens', 9e11, 9e11, { maxTokens: 1e12 }],
] as const)('a limit of %s %d of which %d was used is raised to what is taken', (what, limit, used, parameter) => {
  expect(resumed(budgetWays('run_x', { scope: 'run', what, limit, used }, RUN))).toEqual({ runId: 'run_x', ...parameter });
});

test('where no higher one is taken, none is offered', () => {
  expect(budgetWays('run_x', { scope: 'run', what: 'tokens', limit: 1e12, used: 1e12 }, RUN)).toBe(
    'The limit cannot be higher; to end it: run_cancel {"runId":"run_x"}.',
  );
});

test('tokens instead of dollars are more than were used', () => {
  const words = budgetWays(
    'run_x',
    { scope: 'run', what: 'costUsd', limit: 1, used: 0 },
    { ...RUN, unpriced: true, tokens: 3e6 },
  );
  expect(resumed(words)).toEqual({ runId: 'run_x', maxTokens: 6e6 });
});
