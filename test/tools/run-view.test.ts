import { describe, expect, test } from 'vitest';
import type { EventBody, RunEvent } from '../../src/events.ts';
import { eventWords } from '../../src/tools/event-words.ts';
import { createRunViewer } from '../../src/tools/run-view.ts';

const usage = {
  provider: 'anthropic',
  model: 'm',
  inputTokens: 900,
  outputTokens: 100,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  requests: 1,
  costUsd: 0.25,
};
const step = (id: string, agentId: string, kind: 'work' | 'judge', sees: readonly string[] = []) => ({
  id,
  agentId,
  kind,
  round: kind === 'work' ? 1 : 2,
  sees,
});

const STARTED: EventBody = {
  type: 'run_started',
  skill: 'review',
  skillVersion: null,
  version: '0.0.0',
  task: '',
  provider: 'anthropic',
  topology: 'mesh',
  strategy: 'plan',
  agents: [
    { id: 'a', type: 'tester', capabilities: [] },
    { id: 'b', type: 'tester', capabilities: [] },
  ],
  steps: [step('1-work-a', 'a', 'work'), step('1-work-b', 'b', 'work'), step('2-judge-a', 'a', 'judge', ['1-work-b'])],
  formats: ['json'],
  scope: { mode: 'tree', base: null, git: null, files: [], skipped: [], notes: [] },
};

function placed(...bodies: readonly EventBody[]): readonly RunEvent[] {
  return bodies.map((body, at) => ({ ...body, runId: 'run_1', seq: at + 1, at: 1000 * (at + 1) }));
}

const begun = (stepId: string, agentId: string, attempt = 1): EventBody => ({
  type: 'step_started',
  stepId,
  agentId,
  attempt,
  epoch: attempt,
  owner: 'o',
  provider: 'anthropic',
});
const done = (stepId: string, agentId: string): EventBody => ({
  type: 'step_completed',
  stepId,
  agentId,
  epoch: 1,
  durationMs: 10,
  findings: 0,
  ballots: 1,
  output: { findingIds: [], stats: {} },
  usage,
});
const decision = (subject: string, outcome: 'confirmed' | 'tie'): EventBody => ({
  type: 'decision_made',
  decision: { subject, rule: 'majority', outcome, confirms: 1, rejects: 0, abstains: 0, quorum: 1, eligible: 2 },
});

const EVENTS = placed(
  STARTED,
  { type: 'spending_announced', provider: 'anthropic', costUsd: 1.5, budgetUsd: 5 },
  begun('1-work-a', 'a'),
  { type: 'ballot_cast', stepId: '1-work-a', agentId: 'a', ballot: { subject: 'x', voter: 'a', vote: 'confirm', reason: 'r' } },
  done('1-work-a', 'a'),
  begun('1-work-b', 'b'),
  { type: 'step_failed', stepId: '1-work-b', agentId: 'b', attempt: 1, code: 'http', reason: 'a 529', willRetry: true },
  begun('1-work-b', 'b', 2),
);

describe('the view of a run', () => {
  test('is empty before the first event', () => {
    expect(createRunViewer().view()).toMatchObject({ runId: '', agents: [], startedAt: null, last: '', tokens: 0 });
  });

  test('says who works on what, what it cost and what the limit is', () => {
    const viewer = createRunViewer();
    viewer.apply(EVENTS);
    const view = viewer.view();
    expect(view).toMatchObject({
      runId: 'run_1',
      status: 'running',
      waiting: null,
      steps: { completed: 1, running: 1, waiting: 1, failed: 0, skipped: 0 },
      ballots: 1,
      tokens: 1000,
      costUsd: 0.25,
      budgetUsd: 5,
      last: 'b: 1-work-b, attempt 2',
    });
    expect(view.agents.map(({ id, state, doing, since }) => [id, state, doing, since])).toEqual([
      ['b', 'running', 'work, attempt 2', 8000],
      ['a', 'waiting', '', null],
    ]);
  });

  test('says what a run waits for, and takes a raised budget in', () => {
    const viewer = createRunViewer();
    const more = placed(
      ...EVENTS,
      { type: 'run_paused', budget: { scope: 'run', what: 'costUsd', limit: 5, used: 5 }, done: [], remaining: [] },
      { type: 'budget_raised', what: 'costUsd', from: 5, to: 9 },
    );
    viewer.apply(more);
    expect(viewer.view()).toMatchObject({ waiting: "paused: the run's budget of $5.00 is used up", budgetUsd: 9 });
    viewer.apply(
      placed(...more, { type: 'run_resumed', owner: 'o' }, { type: 'approval_asked', gate: 'writing', question: '?' }),
    );
    expect(viewer.view().waiting).toBe('waits for the approval "writing"');
  });
});

describe('words for events', () => {
  test('tell votes and findings with the end of their step, and decisions together', () => {
    expect(eventWords(EVENTS).map(({ text }) => text)).toEqual([
      'run_1: review began, 2 agents, 3 steps',
      'anthropic may cost up to about $1.50; it pauses at $5.00',
      'a: 1-work-a',
      'a: done, 1 vote, $0.25',
      'b: 1-work-b',
      'b: failed, to be tried again: a 529',
      'b: 1-work-b, attempt 2',
    ]);
    const reason = 'Layer 1 came to 0.00: a further layer needs a gain of at least 0.05.';
    expect(eventWords(placed({ type: 'growth_stopped', why: 'no_gain', reason }))).toEqual([
      { text: `no further layer: ${reason}`, isMinor: false },
    ]);
    expect(eventWords(placed(decision('x', 'confirmed'), decision('y', 'tie'), decision('z', 'confirmed')))).toEqual([
      { text: 'the vote: 2 confirmed, 1 tie', isMinor: false },
    ]);
  });
});
