import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createToolCalls } from './tool-calls.ts';
import type { Output, ToolCalls } from './tool-calls.ts';

const ANSWER = { findings: [], text: 'The answer is 42.', confidence: 0.9, notes: [] };

interface Step {
  readonly claimId: string;
  readonly stepId: string;
  readonly agentName: string | null;
  readonly kind: 'work' | 'judge' | 'merge';
  readonly prompt: string;
}

let calls: ToolCalls;
beforeEach(async () => {
  calls = await createToolCalls();
});
afterEach(() => calls[Symbol.asyncDispose]());

const submit = (): Promise<Output> => calls.output('task_submit', { description: 'find the answer', strategy: 'balanced' });
async function claim(input: object = {}): Promise<Step> {
  const { step, reason } = await calls.output('task_claim', input);
  if (step === null) throw new Error(String(reason));
  return Object(step);
}
const complete = (claimId: string, answer: unknown = ANSWER): Promise<Output> =>
  calls.output('task_complete', { claimId, answer });

test('what a judge says is secret until the run has ended, as its ballots are', async () => {
  await calls.output('swarm_create', { topology: 'mesh' });
  for (const type of ['reviewer', 'tester', 'analyst']) await calls.output('agent_spawn', { type });
  await writeFile(join(calls.app.dir, 'a.js'), 'eval(x);\n');
  const { taskId, runId } = await submit();
  const found = {
    rule: 'eval',
    severity: 'high',
    confidence: 'high',
    file: 'a.js',
    startLine: 1,
    endLine: 1,
    message: 'm',
    evidence: 'e',
  };
  const told = async (): Promise<string> => {
    const shown = [await calls.output('task_results', { taskId }), await calls.output('run_events', { runId, limit: 1000 })];
    return JSON.stringify([...shown, await calls.output('run_status', { runId })]);
  };
  const open: string[] = [];
  for (let status: unknown = 'awaiting_host'; status === 'awaiting_host';) {
    const { claimId, kind, prompt } = await claim({ taskId });
    const ids = [...new Set([...prompt.matchAll(/^(f_[0-9a-f]{16}) /gmu)].map(([, id]) => id))];
    const ballots = ids.map((subject) => ({ subject, vote: 'confirm', reason: 'SECRET' }));
    const answer = kind === 'judge' ? { ballots, text: 'SECRET: I confirmed it' } : { ...ANSWER, findings: [found] };
    ({ status } = await complete(claimId, answer));
    if (status === 'awaiting_host' && kind === 'judge') open.push(await told());
  }
  expect(open.length).toBeGreaterThan(0);
  expect(open.join(' ')).not.toContain('SECRET');
  expect(await told()).toContain('SECRET: I confirmed it');
});

test('of a wide swarm answers give counts and the first ids', async () => {
  await calls.output('swarm_create', { topology: 'mesh', maxAgents: 64 });
  const agents = Array.from({ length: 60 }, (_, at) => ({ type: 'coder', name: `a${at}` }));
  await calls.output('agent_spawn_many', { agents });
  const { taskId, runId } = await submit();
  const answered = await complete((await claim({ taskId })).claimId);
  expect(answered).toMatchObject({ status: 'awaiting_host', waitingCount: 59 });
  expect(answered['waiting']).toHaveLength(20);
  const { steps, stepCounts, waiting } = await calls.output('run_status', { runId });
  expect(steps).toHaveLength(50);
  expect(stepCounts).toEqual({ completed: 1, waiting: 119 });
  expect(waiting).toMatchObject({ stepCount: 59, steps: { length: 20 } });
  expect(await calls.text('run_status', { runId })).toMatch(
    /the host: 59 steps: 1-work-[^]*… and 70 more steps: 119 waiting, 1 completed in all/,
  );
  const { events } = await calls.output('run_events', { runId, after: 1 });
  expect([events].flat().findLast((event) => Object(event).type === 'run_waiting')).toMatchObject({
    steps: { length: 20 },
    count: 59,
  });
});

test('a step that was asked for by its id or agent and cannot be had says why', async () => {
  await calls.output('swarm_create', { topology: 'mesh' });
  for (const name of ['one', 'two']) await calls.output('agent_spawn', { type: 'analyst', name });
  const { taskId } = await submit();
  const { stepId, agentName } = await claim({ taskId });
  const other = agentName === 'one' ? 'two' : 'one';
  const reason = async (input: object): Promise<unknown> => (await calls.output('task_claim', { taskId, ...input }))['reason'];
  expect(await reason({ stepId })).toBe(`the step ${stepId} is claimed already`);
  expect(await reason({ stepId, agentId: other })).toBe(`the step ${stepId} is one of ${agentName}, not of ${other}`);
  const judging = stepId.replace('1-work', '2-judge');
  expect(await reason({ stepId: judging })).toMatch(`the step ${judging} is not ready: it waits for 1-work-`);
  expect(await calls.app.call('task_claim', { taskId, agentId: 'ghost' })).toMatchObject({
    ok: false,
    error: { code: 'not_found', message: expect.stringContaining('no agent "ghost"'), hint: 'Its agents: one, two.' },
  });
  expect((await calls.output('task_claim', { agentId: 'ghost' }))['reason']).toMatch(/, and is one of ghost$/);
});
