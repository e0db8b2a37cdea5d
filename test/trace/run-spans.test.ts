import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EventBody, RunEvent } from '../../src/events.ts';
import { createRunSpans } from '../../src/trace/run-spans.ts';
import type { Span } from '../../src/trace/span.ts';
import { createRunTracer } from '../../src/trace/trace-runs.ts';
import type { ReadEvents } from '../../src/trace/trace-runs.ts';
import { testRuntime } from '../store/scratch.ts';

const RUN = 'run_1';
const SECRET = 'hunter2';

/** Events of one run, 10 ms apart, from 1000 ms on. */
function journalOf(bodies: readonly EventBody[], runId = RUN): readonly RunEvent[] {
  return bodies.map((body, index) => ({ ...body, runId, seq: index + 1, at: 1_000 + index * 10 }));
}

function spansOf(events: readonly RunEvent[]): readonly Span[] {
  const spans = createRunSpans();
  return events.flatMap((event) => spans.take(event));
}

const STARTED: EventBody = {
  type: 'run_started',
  skill: 'demo',
  skillVersion: null,
  version: '1.2.3',
  task: SECRET,
  provider: 'anthropic',
  topology: 'star',
  strategy: 'plan',
  agents: [
    { id: 'a-1', type: 'analyst', capabilities: [] },
    { id: 'b', type: 'judge', capabilities: [] },
  ],
  steps: [
    { id: 's1', agentId: 'a-1', kind: 'work', round: 0, sees: [] },
    { id: 's2', agentId: 'b', kind: 'judge', round: 1, sees: ['s1'] },
  ],
  formats: ['json'],
  scope: {
    mode: 'tree',
    base: null,
    git: null,
    files: [{ path: SECRET, status: 'added', changedLines: 1 }],
    skipped: [],
    notes: [],
  },
};
const S1 = { stepId: 's1', agentId: 'a-1' } as const;
const S2 = { stepId: 's2', agentId: 'b' } as const;
const begin = (step: typeof S1 | typeof S2, attempt: number): EventBody => ({
  type: 'step_started',
  ...step,
  attempt,
  epoch: attempt,
  owner: `host/1/${SECRET}`,
  provider: 'claude-cli',
});
const USAGE = {
  provider: 'claude-cli',
  model: 'some-model',
  inputTokens: 10,
  outputTokens: 5,
  cacheReadTokens: 100,
  cacheWriteTokens: 1,
  requests: 2,
  costUsd: 0.25,
};
const completed = (
  step: typeof S1 | typeof S2,
  usage?: typeof USAGE | (Omit<typeof USAGE, 'costUsd'> & { costUsd: null }),
): EventBody => ({
  type: 'step_completed',
  ...step,
  epoch: 1,
  durationMs: 10,
  findings: 2,
  ballots: 1,
  output: { findingIds: [], stats: {}, text: SECRET },
  ...(usage === undefined ? {} : { usage }),
});
const failed = (step: typeof S1 | typeof S2, attempt: number): EventBody => ({
  type: 'step_failed',
  ...step,
  attempt,
  code: 'overloaded',
  reason: SECRET,
  willRetry: true,
});
const ENDED: EventBody = { type: 'run_completed', durationMs: 1, confirmed: 1, rejected: 0, undecided: 1, outputs: [SECRET] };
const tool = (name: string, outcome: 'ok' | 'error' | 'refused' = 'ok'): EventBody => ({
  type: 'tool_called',
  ...S1,
  tool: name,
  input: SECRET,
  outcome,
  detail: SECRET,
  durationMs: 7,
});
const RESUMED: EventBody = { type: 'run_resumed', owner: 'x' };

const WHOLE: readonly EventBody[] = [
  STARTED,
  begin(S1, 1),
  tool('read_file'),
  tool(`${SECRET} is no name`, 'refused'),
  failed(S1, 1),
  begin(S1, 2),
  completed(S1, USAGE),
  begin(S2, 1),
  RESUMED, // the owner is gone
  begin(S2, 2),
  completed(S2),
  ENDED,
];

describe('the spans of a run', () => {
  test('are one for the run, one for each attempt, and one for each call of a tool', () => {
    const spans = spansOf(journalOf(WHOLE));
    const root = spans.at(-1);
    expect(spans.map(({ name, error, startMs, endMs }) => [name, error, startMs, endMs])).toEqual([
      ['execute_tool read_file', null, 1_013, 1_020],
      ['execute_tool _OTHER', 'refused', 1_023, 1_030],
      ['invoke_agent analyst', 'overloaded', 1_010, 1_040],
      ['invoke_agent analyst', null, 1_050, 1_060],
      ['invoke_agent judge', 'interrupted', 1_070, 1_090],
      ['invoke_agent judge', null, 1_090, 1_100],
      ['skillflow.run', null, 1_000, 1_110],
    ]);
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([root?.traceId]));
    expect(root?.traceId).toMatch(/^[0-9a-f]{32}$/);
    for (const { spanId } of spans) expect(spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(spans.length);
    const [readFile, , first, second] = spans;
    expect(readFile?.parentSpanId).toBe(first?.spanId);
    expect(second?.parentSpanId).toBe(root?.spanId);
    expect(second?.attributes).toEqual({
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.provider.name': 'anthropic',
      'gen_ai.system': 'anthropic',
      'gen_ai.agent.id': 'a-1',
      'gen_ai.agent.name': 'analyst',
      'gen_ai.request.model': 'some-model',
      'gen_ai.usage.input_tokens': 111,
      'gen_ai.usage.output_tokens': 5,
      'gen_ai.usage.cache_read.input_tokens': 100,
      'gen_ai.usage.cache_creation.input_tokens': 1,
      'skillflow.requests': 2,
      'skillflow.cost_usd': 0.25,
      'skillflow.run.id': RUN,
      'skillflow.provider': 'claude-cli',
      'skillflow.step.id': 's1',
      'skillflow.step.kind': 'work',
      'skillflow.step.round': 0,
      'skillflow.step.attempt': 2,
      'skillflow.step.epoch': 2,
      'skillflow.step.status': 'completed',
      'skillflow.step.findings': 2,
      'skillflow.step.ballots': 1,
    });
    expect(root?.attributes).toMatchObject({
      'skillflow.run.status': 'completed',
      'skillflow.run.attempts': 4,
      'skillflow.run.input_tokens': 111,
      'skillflow.run.cost_usd': 0.25,
      'skillflow.run.files': 1,
    });
  });

  test('have no texts, paths or owners', () => {
    const spans = spansOf(
      journalOf([
        ...WHOLE.slice(0, -1),
        { type: 'run_failed', code: 'deadline', reason: SECRET },
        { type: 'run_cancelled', reason: SECRET },
      ]),
    );
    expect(spans.at(-2)?.error).toBe('deadline');
    expect(JSON.stringify(spans)).not.toContain(SECRET);
  });

  test('a cost that is not known is not told as none', () => {
    const spans = spansOf(journalOf([STARTED, begin(S1, 1), completed(S1, { ...USAGE, costUsd: null }), ENDED]));
    for (const { attributes } of spans) expect(Object.keys(attributes).filter((key) => key.endsWith('cost_usd'))).toEqual([]);
  });

  test('attempts that nobody ended are ended with the run; one that was stopped is no failure', () => {
    const stopped: EventBody = { type: 'step_reset', ...S2, reason: SECRET };
    const spans = spansOf(journalOf([STARTED, begin(S1, 1), begin(S2, 1), stopped, { type: 'run_cancelled', reason: SECRET }]));
    expect(spans.map(({ name, error }) => [name, error])).toEqual([
      ['invoke_agent judge', null],
      ['invoke_agent analyst', 'cancelled'],
      ['skillflow.run', 'cancelled'],
    ]);
  });

  test('a run that is opened again after its end has a further span below the first', () => {
    const spans = spansOf(journalOf([STARTED, RESUMED, ENDED, RESUMED, begin(S1, 3), completed(S1), ENDED]));
    const [first, step, second] = spans;
    expect([first?.parentSpanId, step?.parentSpanId, second?.parentSpanId]).toEqual([null, second?.spanId, first?.spanId]);
    expect([second?.startMs, second?.endMs]).toEqual([1_030, 1_060]);
    expect(second?.spanId).not.toBe(first?.spanId);
  });
});

describe('several processes on several runs', () => {
  const journals = new Map(['run_1', 'run_2'].map((runId) => [runId, journalOf(WHOLE, runId)]));
  const expected = [...journals.values()]
    .flatMap(spansOf)
    .map(({ spanId }) => spanId)
    .sort();

  test('hand on each span once, whoever wrote what and however late they hear of it', async () => {
    const place = fc.record({ writer: fc.nat(2), heldBack: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(place, { minLength: 24, maxLength: 24 }), async (places) => {
        const handedOn: string[] = [];
        const lost: string[] = [];
        const runtime = testRuntime({ log: (_, message) => void lost.push(message) });
        const tracers = [0, 1, 2].map(() =>
          createRunTracer(runtime, (spans) => void handedOn.push(...spans.map(({ spanId }) => spanId))),
        );
        let committed = 0;
        const read: ReadEvents = async (runId, { after, limit }) =>
          (journals.get(runId) ?? []).filter(({ seq }) => seq > after && seq <= committed).slice(0, Math.min(limit, 3));
        const later: (() => void)[] = [];
        for (let index = 0; index < WHOLE.length; index += 1) {
          committed = index + 1;
          for (const [which, events] of [...journals.values()].entries()) {
            const { writer, heldBack } = places[index * 2 + which] ?? { writer: 0, heldBack: false };
            const event = events[index];
            const tell = (): void => event && tracers[writer]?.wrote([event], read);
            if (heldBack) later.push(tell);
            else tell();
          }
          await Promise.all(tracers.map((tracer) => tracer.settled()));
        }
        for (const tell of later) tell();
        await Promise.all(tracers.map((tracer) => tracer.settled()));
        expect(lost).toEqual([]);
        expect(handedOn.sort()).toEqual(expected);
      }),
      { seed: 7, numRuns: 200 },
    );
  });

  test('a journal that cannot be read costs spans, and nothing else', async () => {
    const lines: string[] = [];
    const handedOn: Span[] = [];
    const tracer = createRunTracer(testRuntime({ log: (level, message) => void lines.push(`${level}: ${message}`) }), (spans) =>
      handedOn.push(...spans),
    );
    const events = journals.get('run_1') ?? [];
    const broken: ReadEvents = async () => Promise.reject(new Error('closed'));
    tracer.wrote(events.slice(5, 7), broken);
    await tracer.settled();
    expect({ lines, handedOn }).toEqual({ lines: ['debug: spans of a run are lost: closed'], handedOn: [] });
    tracer.wrote(events.slice(10, 11), async (_, { after }) => events.filter(({ seq }) => seq > after));
    await tracer.settled();
    expect(handedOn.map(({ name }) => name)).toEqual(['invoke_agent judge']);
  });
});
