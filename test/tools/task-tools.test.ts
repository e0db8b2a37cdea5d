import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createApp } from '../../src/app.ts';
import type { Skillflow } from '../../src/app.ts';
import { CALLER } from '../helpers/test-app.ts';
import { HUGE, testBadCalls } from './bad-calls.ts';
import type { BadCall } from './bad-calls.ts';
import { createToolCalls } from './tool-calls.ts';
import type { Output, ToolCalls } from './tool-calls.ts';

const ANSWER = { findings: [], text: 'The answer is 42.', confidence: 0.9, notes: [] };
const HOSTILE = "x'); DROP TABLE task; --";

interface Step {
  readonly claimId: string;
  readonly runId: string;
  readonly stepId: string;
  readonly agentId: string;
  readonly agentName: string | null;
  readonly kind: 'work' | 'judge' | 'merge';
  readonly attempt: number;
  readonly prompt: string;
  readonly answerSchema: { readonly required?: readonly string[] };
}

let calls: ToolCalls;
let others: Skillflow[];
beforeEach(async () => {
  others = [];
  calls = await createToolCalls();
});
afterEach(async () => {
  for (const other of others) await other[Symbol.asyncDispose]();
  await calls[Symbol.asyncDispose]();
});

/** The product once more on the same project, as another process has it. */
function another(): Skillflow {
  const { config, runtime } = calls.app.skillflow.app;
  const packageDir = join(calls.app.dir, 'no-skills');
  const other = createApp({ config, runtime, version: '0.0.0', packageDir, workerUrl: null, vectorWorkerUrl: null });
  others.push(other);
  return other;
}

const submit = (input: object): Promise<Output> => calls.output('task_submit', { description: 'find the answer', ...input });
async function claim(input: object = {}): Promise<Step> {
  const { step, reason } = await calls.output('task_claim', input);
  if (step === null) throw new Error(String(reason));
  return Object(step);
}
const complete = (claimId: string, answer: unknown = ANSWER) => calls.app.call('task_complete', { claimId, answer });

/** Answers whatever waits for the host until nothing does. */
async function work(taskId: string): Promise<readonly Step[]> {
  const done: Step[] = [];
  for (;;) {
    const { step } = await calls.output('task_claim', { taskId });
    if (step === null) return done;
    const claimed: Step = Object(step);
    done.push(claimed);
    const ids = new Set([...claimed.prompt.matchAll(/^(f_[0-9a-f]{16}) /gmu)].map(([, id]) => id));
    const ballots = [...ids].map((subject) => ({ subject, vote: 'confirm', reason: 'seen' }));
    const answer = claimed.kind === 'judge' ? { ballots, text: '' } : { ...ANSWER, text: `by ${claimed.agentId}` };
    expect(await complete(claimed.claimId, answer)).toMatchObject({ ok: true });
  }
}

/** Every row that a call could change. */
const everything = (): Promise<unknown> =>
  calls.raw(`SELECT (SELECT json_group_array(id || status || epoch || attempt) FROM step) AS steps,
    (SELECT json_group_array(id || status || coalesce(waiting, '')) FROM run) AS runs,
    (SELECT json_group_array(id || coalesce(run_id, '')) FROM task) AS tasks, (SELECT count(*) FROM event) AS events`);

describe('the host does a task', () => {
  test('submitted, it waits; claimed, it says who to be; answered, its answer and report are there', async () => {
    const task = await submit({});
    expect(task).toMatchObject({ status: 'awaiting_host', runId: expect.stringMatching(/^run_/) });
    const taskId = String(task['taskId']);
    const step = await claim({ taskId });
    expect(step).toMatchObject({ runId: task['runId'], kind: 'work', attempt: 1, agentId: 'generalist' });
    expect(step.prompt).toMatch(/find the answer/);
    expect(step.answerSchema.required).toEqual(['findings', 'text', 'confidence', 'notes']);
    expect(await calls.raw('SELECT status, owner FROM step')).toMatchObject([{ status: 'running', owner: 'host:host' }]);
    expect(await complete(step.claimId)).toMatchObject({ ok: true, output: { status: 'completed', waiting: [], started: [] } });
    expect(await another().call('task_results', { taskId }, CALLER)).toMatchObject({
      ok: true,
      output: { status: 'completed', answers: [{ agentId: 'generalist', text: 'The answer is 42.', confidence: 0.9 }] },
    });
    expect(await calls.output('task_status', { taskId })).toMatchObject({ status: 'completed', reason: null });
    const path = join(calls.app.dir, '.skillflow', 'runs', step.runId, 'report.md');
    expect(await readFile(path, 'utf8')).toMatch(/The answer is 42\./);
    expect(await calls.output('run_replay', { runId: step.runId })).toMatchObject({ identical: true });
    expect(await calls.text('task_results', { taskId })).toMatch(/status +completed[\s\S]*The answer is 42/);
  });

  test('an answer may come as text, also in a fence', async () => {
    await submit({});
    const { claimId } = await claim();
    const answer = `\`\`\`json\n${JSON.stringify(ANSWER)}\n\`\`\``;
    expect(await complete(claimId, answer)).toMatchObject({ ok: true, output: { status: 'completed' } });
  });

  test.each([
    { strategy: 'parallel', agents: ['researcher', 'coder', 'reviewer'] },
    { strategy: 'sequential', agents: ['researcher', 'coder'] },
    { strategy: 'adaptive', agents: ['architect', 'coder', 'tester', 'reviewer'] },
  ])('$strategy, by all agents of its swarm', async ({ strategy, agents }) => {
    const { swarmId } = await calls.output('swarm_create', { topology: 'mesh' });
    const spawned = [];
    for (const type of agents) spawned.push((await calls.output('agent_spawn', { type, swarmId }))['agentId']);
    const { taskId } = await submit({ strategy });
    const steps = await work(String(taskId));
    expect(new Set(steps.map(({ agentId }) => agentId))).toEqual(new Set(spawned));
    expect(await calls.output('task_status', { taskId })).toMatchObject({ status: 'completed', swarmId });
    const { answers, leftOut } = await calls.output('task_results', { taskId });
    const spoken = steps.filter(({ kind }) => kind !== 'judge');
    expect(new Set([answers].flat().map((answer): unknown => Object(answer).stepId))).toEqual(
      new Set(spoken.map(({ stepId }) => stepId)),
    );
    expect([answers].flat()[0]).toMatchObject({ final: true, text: expect.stringMatching(/^by agent_/) });
    expect(leftOut).toBe(0);
  });

  test('findings are judged by the others, and their ballots count', async () => {
    await calls.output('swarm_create', { topology: 'mesh' });
    for (const type of ['reviewer', 'tester', 'analyst']) await calls.output('agent_spawn', { type });
    await writeFile(join(calls.app.dir, 'a.js'), 'eval(x);\n');
    const { taskId } = await submit({ strategy: 'balanced' });
    const first = await claim({ taskId });
    const place = { file: 'a.js', startLine: 1, endLine: 1, message: 'it evaluates', evidence: 'eval(x)' };
    const findings = [
      { rule: 'eval', severity: 'high', confidence: 'high', ...place },
      { rule: 'outside', severity: 'high', confidence: 'high', ...place, file: '../../etc/passwd' },
    ];
    expect(await complete(first.claimId, { ...ANSWER, findings })).toMatchObject({ ok: true });
    const steps = await work(String(taskId));
    expect(steps.filter(({ kind }) => kind === 'judge').length).toBeGreaterThan(0);
    expect(await calls.output('task_results', { taskId })).toMatchObject({
      findings: { confirmed: 1, undecided: 0, rejected: 0 },
    });
    const { topFindings, notLookedAt } = await calls.output('run_status', { runId: first.runId });
    expect(topFindings).toMatchObject([{ rule: 'model/eval', place: 'a.js:1', outcome: 'confirmed' }]);
    expect(String(notLookedAt)).toMatch(/refused/);
  });
});

describe('claims', () => {
  const two = async (): Promise<string> => {
    await calls.output('swarm_create', { topology: 'mesh' });
    for (const type of ['coder', 'tester']) await calls.output('agent_spawn', { type });
    return String((await submit({ strategy: 'balanced' }))['taskId']);
  };

  test('two hosts that claim at once get different steps, and a third nothing', async () => {
    const taskId = await two();
    const other = another();
    const claimed = await Promise.all([
      calls.app.call('task_claim', { taskId, claimant: 'one' }),
      other.call('task_claim', { taskId, claimant: 'two' }, CALLER),
      other.call('task_claim', { taskId, claimant: 'three' }, CALLER),
    ]);
    const ids = claimed.map((result): unknown => (result.ok ? Object(Object(result.output).step).stepId : result.error));
    expect(new Set(ids.filter((id) => id !== undefined)).size).toBe(2);
    expect(ids.filter((id) => id === undefined)).toHaveLength(1);
    expect(await calls.raw("SELECT count(*) AS n FROM step WHERE status = 'running'")).toMatchObject([{ n: 2 }]);
  });

  test('two hosts that answer at once both count, and the run goes on', async () => {
    const taskId = await two();
    const other = another();
    for (;;) {
      const [one, next] = [await calls.output('task_claim', { taskId }), await calls.output('task_claim', { taskId })];
      const steps: Step[] = [one['step'], next['step']].filter((step) => step !== null).map((step) => Object(step));
      if (steps.length === 0) break;
      const results = await Promise.all(
        steps.map(({ claimId, kind }, index) => {
          const input = { claimId, answer: kind === 'judge' ? { ballots: [], text: '' } : ANSWER };
          return index === 0 ? calls.app.call('task_complete', input) : other.call('task_complete', input, CALLER);
        }),
      );
      expect(results.every(({ ok }) => ok)).toBe(true);
    }
    expect(await calls.output('task_status', { taskId })).toMatchObject({ status: 'completed' });
  });

  test('one whose time is over can be claimed by another; the late answer is refused and changes nothing', async () => {
    const { taskId } = await submit({});
    const late = await claim({ taskId, leaseSeconds: 60 });
    expect(await calls.output('task_claim', { taskId })).toMatchObject({
      step: null,
      reason: expect.stringMatching(/is awaiting_host/),
    });
    calls.now += 60_001;
    const next = await claim({ taskId, claimant: 'two' });
    expect(next).toMatchObject({ stepId: late.stepId, attempt: 2 });
    const before = await everything();
    for (const tool of ['task_complete', 'task_fail'] as const) {
      const rest = tool === 'task_complete' ? { answer: ANSWER } : { reason: 'late' };
      expect(await calls.app.call(tool, { claimId: late.claimId, ...rest })).toMatchObject({
        ok: false,
        error: { code: 'conflict' },
      });
    }
    expect(await everything()).toStrictEqual(before);
    expect(await complete(next.claimId)).toMatchObject({ ok: true, output: { status: 'completed' } });
    expect(await complete(next.claimId)).toMatchObject({ ok: false, error: { code: 'conflict' } });
  });

  test('survives a restart; a claim whose time is over may still be answered while nobody else has it', async () => {
    const { taskId } = await submit({});
    const { claimId } = await claim({ leaseSeconds: 1 });
    calls.now += 5000;
    await calls.app.restart();
    expect(await complete(claimId)).toMatchObject({ ok: true, output: { status: 'completed' } });
    expect(await calls.output('task_status', { taskId })).toMatchObject({ status: 'completed' });
  });

  test('killed between an answer and what comes next, the run goes on with the next claim', async () => {
    const taskId = await two();
    const { app } = calls.app.skillflow;
    for (const agentId of ['coder-1', 'tester-2']) {
      const { runId, claimId, stepId } = await claim({ taskId, agentId });
      const epoch = Number(claimId.split('/')[2]);
      await (await app.hostDesk()).complete({ runId, stepId, epoch }, ANSWER);
    }
    expect(await calls.output('task_status', { taskId })).toMatchObject({ status: 'awaiting_host', next: expect.any(String) });
    const judging = await work(taskId);
    expect(judging.map(({ kind }) => kind)).toEqual(['judge', 'judge']);
    const single = await submit({ strategy: 'parallel' });
    for (;;) {
      const { step } = await calls.output('task_claim', { taskId: single['taskId'] });
      if (step === null) break;
      const { runId, stepId, claimId } = Object(step);
      await (await app.hostDesk()).complete({ runId, stepId, epoch: Number(String(claimId).split('/')[2]) }, ANSWER);
    }
    expect(await calls.output('task_status', { taskId: single['taskId'] })).toMatchObject({ status: 'completed' });
  });

  test('by step and by agent', async () => {
    const taskId = await two();
    const { agentId, ...tester } = await claim({ taskId, agentId: 'tester-2' });
    expect(tester).toMatchObject({ agentName: 'tester-2', stepId: `1-work-${agentId}` });
    expect(await calls.output('task_claim', { taskId, agentId })).toMatchObject({ step: null });
    expect(await calls.app.call('task_claim', { taskId, stepId: 'nope' })).toMatchObject({
      ok: false,
      error: { code: 'not_found' },
    });
    const [coder] = [await calls.raw("SELECT id FROM step WHERE agent_id <> ? AND kind = 'work'", [agentId])].flat();
    const { id: stepId } = Object(coder);
    expect(await claim({ taskId, stepId })).toMatchObject({ stepId, agentName: 'coder-1' });
  });

  test('a step that a process drives cannot be answered from outside', async () => {
    const { runId } = await submit({});
    const { claimId, stepId } = await claim();
    await calls.raw(
      `INSERT INTO event(run_id, seq, type, at, body) SELECT run_id, seq + 1, type, at, replace(body, 'host:host', 'vm/1/o_1')
       FROM event WHERE run_id = ? AND type = 'step_started'`,
      [String(runId)],
    );
    await calls.raw(`UPDATE step SET owner = 'vm/1/o_1' WHERE id = ?`, [stepId]);
    expect(await complete(claimId)).toMatchObject({ ok: false, error: { code: 'conflict' } });
  });

  test('a wrong-shaped answer names what is wrong, and keeps the claim', async () => {
    await submit({});
    const { claimId } = await claim();
    const before = await everything();
    for (const [answer, message] of [
      [{}, /findings/],
      [{ ...ANSWER, confidence: 7 }, /confidence/],
      [{ ...ANSWER, findings: [{ file: 'a' }] }, /findings\.0/],
      [{ ballots: [], text: '' }, /findings/],
      ['no json', /not JSON/],
      ['[]', /shape/],
      [{ ...ANSWER, text: 'x'.repeat(1024 * 1024) }, /text/],
      [JSON.stringify({ ...ANSWER, text: 'x'.repeat(1024 * 1024 - 200) }), /text/],
    ] as const) {
      const result = await complete(claimId, answer);
      expect(result).toMatchObject({ ok: false, error: { code: 'invalid_input', message: expect.stringMatching(message) } });
      expect(JSON.stringify(result).length).toBeLessThan(2000);
    }
    expect(await everything()).toStrictEqual(before);
    expect(await complete(claimId)).toMatchObject({ ok: true });
  });
});

describe('failing', () => {
  test('for good: the run goes on without it, or ends when nobody did anything', async () => {
    const { taskId } = await submit({});
    const { claimId } = await claim();
    const failed = await calls.app.call('task_fail', { claimId, reason: 'no idea' });
    expect(failed).toMatchObject({ ok: true, output: { status: 'failed' } });
    expect(await calls.output('task_status', { taskId })).toMatchObject({ status: 'failed', reason: 'no idea' });
    expect(await calls.raw('SELECT status, reason FROM step')).toMatchObject([{ status: 'failed', reason: 'no idea' }]);
  });

  test('for now: it may be claimed again, as often as the task allows', async () => {
    const { taskId } = await submit({});
    for (const attempt of [1, 2, 3]) {
      const step = await claim({ taskId });
      expect(step.attempt).toBe(attempt);
      const { status } = await calls.output('task_fail', { claimId: step.claimId, reason: 'busy', retryable: true });
      expect(status).toBe(attempt < 3 ? 'awaiting_host' : 'failed');
    }
  });

  test('claims whose time was over do not count as failures', async () => {
    const { taskId } = await submit({});
    for (let index = 0; index < 4; index += 1) {
      await claim({ taskId, leaseSeconds: 1 });
      calls.now += 2000;
    }
    const { claimId } = await claim({ taskId });
    expect(await calls.output('task_fail', { claimId, reason: 'busy', retryable: true })).toMatchObject({
      status: 'awaiting_host',
    });
    expect(await complete((await claim({ taskId })).claimId)).toMatchObject({ ok: true, output: { status: 'completed' } });
  });
});

describe('dependencies', () => {
  test('a task waits for others, and starts with the answer that completes the last of them', async () => {
    const [one, two] = [await submit({}), await submit({})];
    const blocked = await submit({ dependencies: [one['taskId'], two['taskId']] });
    expect(blocked).toMatchObject({ status: 'blocked', runId: null, reason: expect.stringMatching(/depends on others/) });
    const taskId = String(blocked['taskId']);
    expect(await calls.output('task_claim', { taskId })).toMatchObject({
      step: null,
      reason: expect.stringMatching(/is blocked/),
    });
    const first = await claim({ taskId: one['taskId'] });
    expect(await complete(first.claimId)).toMatchObject({ ok: true, output: { started: [] } });
    const second = await claim({ taskId: two['taskId'] });
    expect(await complete(second.claimId)).toMatchObject({ ok: true, output: { status: 'completed', started: [taskId] } });
    expect(await calls.output('task_status', { taskId })).toMatchObject({ status: 'awaiting_host' });
    expect(await work(taskId)).toHaveLength(1);
  });

  test('one that failed ends what depends on it, also through others, and says how to go on', async () => {
    await calls.output('swarm_create', {});
    const { taskId: first, runId } = await submit({});
    const { taskId } = await submit({ dependencies: [first] });
    const { taskId: last } = await submit({ dependencies: [taskId] });
    const { claimId, stepId } = await claim();
    await calls.output('task_fail', { claimId, reason: 'no' });
    expect(await calls.output('task_status', { taskId })).toMatchObject({
      status: 'cancelled',
      reason: expect.stringMatching(new RegExp(`${String(first)} is failed; .*run_retry`)),
    });
    expect(await calls.output('task_status', { taskId: last })).toMatchObject({
      status: 'cancelled',
      reason: expect.stringMatching(new RegExp(`${String(taskId)} is cancelled`)),
    });
    expect(await calls.output('swarm_status', {})).toMatchObject({ tasks: { failed: 1, cancelled: 2 } });
    expect(await calls.output('task_claim', { taskId })).toMatchObject({
      step: null,
      reason: expect.stringMatching(/cancelled/),
    });
    await calls.output('run_retry', { runId, from: stepId });
    expect(await calls.output('task_status', { taskId })).toMatchObject({ status: 'blocked' });
    expect(await complete((await claim({ taskId: first })).claimId)).toMatchObject({ ok: true, output: { started: [taskId] } });
    expect(await calls.output('task_status', { taskId: last })).toMatchObject({ status: 'blocked' });
  });

  test('a task that was never begun, as its process was killed, begins with its claim', async () => {
    const { taskId, runId } = await submit({});
    await calls.raw('UPDATE task SET run_id = NULL');
    expect(await calls.output('task_status', { taskId })).toMatchObject({ status: 'not_started' });
    const step = await claim({ taskId });
    expect(step.runId).not.toBe(runId);
    expect(await complete(step.claimId)).toMatchObject({ ok: true, output: { status: 'completed' } });
  });

  test('two processes that complete the last ones at once start it once, and leave no other run', async () => {
    const [one, two] = [await submit({}), await submit({})];
    const { taskId } = await submit({ dependencies: [one['taskId'], two['taskId']] });
    const claims = [await claim({ taskId: one['taskId'] }), await claim({ taskId: two['taskId'] })];
    const other = another();
    const results = await Promise.all(
      claims.map(({ claimId }, index) => {
        const input = { claimId, answer: ANSWER };
        return index === 0 ? calls.app.call('task_complete', input) : other.call('task_complete', input, CALLER);
      }),
    );
    expect(results.map(({ ok }) => ok)).toEqual([true, true]);
    expect(await calls.output('task_status', { taskId })).toMatchObject({ status: 'awaiting_host' });
    expect(await calls.raw("SELECT count(*) AS n FROM run WHERE status = 'running'")).toMatchObject([{ n: 1 }]);
  });

  test('who costs money is not asked at a time that nobody knows', async () => {
    const { taskId } = await submit({});
    const before = await everything();
    for (const provider of ['anthropic', 'claude-cli']) {
      expect(await calls.app.call('task_submit', { description: 'x', provider, dependencies: [taskId] })).toMatchObject({
        ok: false,
      });
    }
    expect(await everything()).toStrictEqual(before);
  });
});

describe('a swarm that ends', () => {
  test('takes its runs along: nothing waits for the host any more', async () => {
    const { swarmId } = await calls.output('swarm_create', {});
    const { taskId, runId } = await submit({ swarmId });
    const { claimId } = await claim({ taskId });
    expect(await calls.output('swarm_destroy', { swarmId })).toMatchObject({ runsCancelled: [runId] });
    expect(await calls.output('task_status', { taskId })).toMatchObject({ status: 'cancelled' });
    expect(await calls.output('task_claim', {})).toMatchObject({ step: null });
    expect(await complete(claimId)).toMatchObject({ ok: false });
  });
});

describe('a wrong call is refused and changes nothing', () => {
  const bad: readonly BadCall[] = [
    ['task_submit', {}, 'invalid_input', /description/],
    ['task_submit', { description: 7 }, 'invalid_input', /description/],
    ['task_submit', { description: HUGE }, 'invalid_input', /description/],
    ['task_submit', { description: 'x', strategy: 'psychic' }, 'invalid_input', /strategy/],
    ['task_submit', { description: 'x', provider: 'local' }, 'invalid_input', /provider/],
    ['task_submit', { description: 'x', provider: 'anthropic' }, 'unavailable', /anthropic cannot be used here/],
    ['task_submit', { description: 'x', dependencies: [HOSTILE] }, 'invalid_input', /DROP TABLE/],
    ['task_submit', { description: 'x', swarmId: 'swarm_nope' }, 'not_found', /swarm_nope/],
    ['task_claim', { taskId: 'task_nope' }, 'not_found', /task_nope/],
    ['task_claim', { taskId: 'run_nope' }, 'not_found', /run_nope/],
    ['task_claim', { taskId: HOSTILE }, 'not_found', /DROP TABLE/],
    ['task_claim', { taskId: '../../etc' }, 'not_found', /etc/],
    ['task_claim', { taskId: '%' }, 'not_found', /%/],
    ['task_claim', { taskId: HUGE }, 'invalid_input', /taskId/],
    ['task_claim', { claimant: 'a/b' }, 'invalid_input', /claimant/],
    ['task_claim', { leaseSeconds: 0 }, 'invalid_input', /leaseSeconds/],
    ['task_claim', { leaseSeconds: 1e9 }, 'invalid_input', /leaseSeconds/],
    ['task_complete', {}, 'invalid_input', /claimId/],
    ['task_complete', { claimId: 'run_x/step/1' }, 'invalid_input', /answer/],
    ['task_complete', { claimId: 'run_x', answer: {} }, 'invalid_input', /claimId/],
    ['task_complete', { claimId: 'run_x/step/-1', answer: {} }, 'invalid_input', /claimId/],
    ['task_complete', { claimId: 'run_nope/step/1', answer: {} }, 'not_found', /run_nope/],
    ['task_complete', { claimId: "'/--/1", answer: {} }, 'not_found', /'/],
    ['task_complete', { claimId: 'run_x/step/1', answer: HUGE }, 'invalid_input', /answer/],
    ['task_complete', { claimId: 'run_x/step/1', answer: [] }, 'invalid_input', /answer/],
    ['task_fail', { claimId: 'run_nope/step/1' }, 'invalid_input', /reason/],
    ['task_fail', { claimId: 'run_nope/step/1', reason: 'x' }, 'not_found', /run_nope/],
    ['task_status', { taskId: 'run_nope' }, 'not_found', /run_nope/],
    ['task_results', { taskId: 'task_nope' }, 'not_found', /task_nope/],
    ['task_results', { taskId: HOSTILE }, 'not_found', /DROP TABLE/],
  ];
  testBadCalls(bad, { call: (tool, input) => calls.app.call(tool, input), prepare: () => submit({}), everything });

  test('a claim of another run, step or time', async () => {
    const [one, two] = [await submit({}), await submit({})];
    const { claimId, runId, stepId } = await claim({ taskId: one['taskId'] });
    const before = await everything();
    for (const wrong of [
      `${String(two['runId'])}/${stepId}/1`,
      `${runId}/${stepId}/2`,
      `${runId}/nope/1`,
      `${runId}/${stepId}/0`,
    ]) {
      expect(await complete(wrong)).toMatchObject({ ok: false });
    }
    expect(await everything()).toStrictEqual(before);
    expect(await complete(claimId)).toMatchObject({ ok: true });
  });

  test('10,000 agents: the task takes what a plan can hold, or says why not', async () => {
    expect(await calls.app.call('swarm_create', { maxAgents: 10_000 })).toMatchObject({
      ok: false,
      error: { code: 'invalid_input' },
    });
    const { swarmId } = await calls.output('swarm_create', { maxAgents: 1000 });
    await calls.raw(
      `INSERT INTO agent(id, swarm_id, type, role, status, created_at, updated_at)
       WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
       SELECT 'agent_' || i, ?, 'coder', 'coder', 'registered', 1, 1 FROM n`,
      [String(swarmId)],
    );
    const result = await calls.app.call('task_submit', { description: 'x', swarmId });
    expect(result).toMatchObject({
      ok: false,
      error: { code: 'invalid_input', message: expect.stringMatching(/10000 agents.*512/) },
    });
    expect(await calls.raw('SELECT count(*) AS n FROM run')).toMatchObject([{ n: 0 }]);
    expect(await calls.raw('SELECT count(*) AS n FROM task')).toMatchObject([{ n: 0 }]);
  });
});
