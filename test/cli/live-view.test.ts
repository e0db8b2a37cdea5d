import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { renderRunView } from '../../src/cli/live-view.ts';
import { displayWidth } from '../../src/printable.ts';
import type { AgentView, RunView } from '../../src/tools/run-view.ts';

const steps = { waiting: 0, running: 0, completed: 0, skipped: 0, failed: 0 };
const agent = (id: string, state: AgentView['state'], more: Partial<AgentView> = {}): AgentView => ({
  id,
  state,
  doing: '',
  since: null,
  steps: { ...steps, [state]: 1 },
  tokens: 0,
  costUsd: 0,
  ...more,
});
const VIEW: RunView = {
  runId: 'run_1',
  skill: 'review',
  provider: 'anthropic',
  topology: 'mesh',
  status: 'running',
  waiting: null,
  steps: { waiting: 2, running: 1, completed: 5, skipped: 1, failed: 1 },
  agents: [
    agent('security', 'running', { doing: 'work, attempt 2', since: 58_000, tokens: 12_345, costUsd: 0.1234 }),
    agent('tester', 'failed', { doing: 'a 529' }),
    agent('reviewer', 'completed'),
  ],
  findings: 4,
  ballots: 6,
  decisions: { confirmed: 2, rejected: 1, open: 0 },
  tokens: 45_000,
  costUsd: 1.5,
  unpriced: 0,
  budgetUsd: 5,
  startedAt: 0,
  endedAt: null,
  last: 'reviewer: done',
};
const render = (view: Partial<RunView> = {}, style: Partial<Parameters<typeof renderRunView>[1]> = {}): readonly string[] =>
  renderRunView({ ...VIEW, ...view }, { width: 100, height: 24, color: false, nowMs: 65_000, ...style });

describe('a run on a terminal', () => {
  test('shows agents, steps, votes, cost and time', () => {
    expect(render()).toEqual([
      'review run_1 (mesh, anthropic), 1m 5s',
      '[==============      ] 7 of 10 steps ended, 1 running, 2 waiting, 1 failed, 1 skipped',
      '> security  running    work, attempt 2  7s  12.3k tokens  $0.1234',
      'x tester    failed     a 529',
      '+ reviewer  completed',
      'findings 4, votes 6; decided: 2 confirmed, 1 rejected, 0 open',
      'cost $1.50 of $5.00, 45.0k tokens',
      'reviewer: done',
    ]);
  });

  test('says what it waits for, and that it is over', () => {
    expect(render({ waiting: 'waits for the approval "writing"' }).at(-1)).toBe('waits for the approval "writing"');
    expect(render({ status: 'failed', endedAt: 5000 })).toEqual(
      expect.arrayContaining(['failed', 'review run_1 (mesh, anthropic), 5s']),
    );
  });

  test('leaves out agents that have no room, and counts them', () => {
    const agents = Array.from({ length: 40 }, (_, at) => agent(`agent-${at}`, at < 3 ? 'running' : 'waiting'));
    const lines = render({ agents }, { height: 10 });
    expect(lines).toHaveLength(10);
    expect(lines[6]).toBe('… 36 more: 36 waiting');
    expect(render({ agents }, { height: 3 })).toHaveLength(3);
    expect(render({ agents }, { height: 1 })).toHaveLength(1);
  });

  test('has colours only when asked for', () => {
    expect(render().join('')).not.toContain('\u001B');
    const coloured = render({}, { color: true });
    expect(coloured[2]).toMatch(/^\u001B\[36m> security.*\u001B\[0m$/);
  });

  test('fits whatever the data is, and shows no control character of it', () => {
    const text = fc.string({ unit: 'binary', maxLength: 80 });
    fc.assert(
      fc.property(
        text,
        text,
        text,
        fc.integer({ min: 1, max: 120 }),
        fc.integer({ min: 1, max: 40 }),
        (a, b, c, width, height) => {
          const agents = [agent(a, 'running', { doing: b, since: 0 }), agent(c, 'failed', { doing: a })];
          const lines = render({ skill: a, runId: b, topology: c, agents, last: c, waiting: null }, { width, height });
          expect(lines.length).toBeLessThanOrEqual(height);
          for (const line of lines) {
            expect(displayWidth(line)).toBeLessThanOrEqual(width);
            expect(line).not.toMatch(/[\p{Cc}\u2028\u2029\u202E]/u);
          }
        },
      ),
      { seed: 20, numRuns: 300 },
    );
  });
});
