import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import { createRuntime } from '../../src/runtime.ts';
import { FAKE_API_KEY, startFakeMessagesApi } from '../helpers/fake-messages-api.ts';
import { createToolCalls } from './tool-calls.ts';
import type { Output, ToolCalls } from './tool-calls.ts';

const ANSWER = { findings: [], text: 'fine', confidence: 0.9, notes: [] };

interface Step {
  readonly claimId: string;
  readonly runId: string;
  readonly stepId: string;
  readonly agentId: string;
  readonly agentName: string | null;
  readonly kind: string;
  readonly system: string;
  readonly prompt: string;
}

let calls: ToolCalls;
let swarmId: string;
let bob: string;
let eve: string;
beforeEach(async () => {
  calls = await createToolCalls();
  swarmId = String((await calls.output('swarm_create', { topology: 'ring' }))['swarmId']);
  bob = await spawn('coder', 'bob');
  eve = await spawn('reviewer', 'eve');
});
afterEach(() => calls[Symbol.asyncDispose]());

async function spawn(type: string, name: string): Promise<string> {
  return String((await calls.output('agent_spawn', { type, name, swarmId }))['agentId']);
}
async function submit(input: object = {}): Promise<{ readonly taskId: string; readonly runId: string }> {
  const { taskId, runId } = await calls.output('task_submit', { description: 'find it', strategy: 'sequential', ...input });
  return { taskId: String(taskId), runId: String(runId) };
}
async function claim(input: object = {}): Promise<Step> {
  calls.now += 10;
  const { step, reason } = await calls.output('task_claim', input);
  if (step === null) throw new Error(String(reason));
  return Object(step);
}
const complete = ({ claimId }: Step, answer: object = ANSWER): Promise<Output> => {
  calls.now += 100;
  return calls.output('task_complete', { claimId, answer });
};
const send = (to: string, message: string, more: object = {}): Promise<Output> =>
  calls.output('agent_message', { to, message, ...more });
const inbox = (agentId: string, more: object = {}): Promise<Output> => calls.output('agent_inbox', { agentId, ...more });
async function metrics(agentId: string): Promise<Output> {
  return Object([(await calls.output('agent_metrics', { agentId }))['agents']].flat()[0]);
}

describe('the agents of a swarm are those who work', () => {
  test('the same id and name stand in steps, prompts, events, the report and the answers', async () => {
    const { taskId, runId } = await submit();
    const first = await claim({ taskId });
    expect(first).toMatchObject({ agentId: bob, agentName: 'bob', stepId: `1-work-${bob}` });
    expect(first.system).toContain(`You are "bob" (${bob}), a coder`);
    await complete(first);
    const second = await claim({ taskId });
    expect(second).toMatchObject({ agentId: eve, agentName: 'eve' });
    expect(second.prompt).toContain(`output of ${bob}`);
    expect(await complete(second)).toMatchObject({ status: 'completed' });
    const { events } = await calls.output('run_events', { runId });
    expect([events].flat()[0]).toMatchObject({
      agents: [
        { id: bob, name: 'bob' },
        { id: eve, name: 'eve' },
      ],
    });
    const report = await readFile(join(calls.app.dir, '.skillflow', 'runs', runId, 'report.md'), 'utf8');
    expect(report.replaceAll('\\', '')).toContain(`bob (${bob})`);
    expect(await calls.output('run_replay', { runId })).toMatchObject({ identical: true });
    expect(await calls.output('task_results', { taskId })).toMatchObject({
      answers: [
        { agentId: eve, agentName: 'eve', final: true },
        { agentId: bob, agentName: 'bob', final: false },
      ],
    });
  });

  test('what they did is counted for them, in all runs of the swarm', async () => {
    expect(await metrics(bob)).toMatchObject({ steps: {}, lastActivityAt: null });
    const [one, two] = [await submit(), await submit()];
    const step = await claim({ taskId: one.taskId });
    expect(await calls.output('swarm_status', {})).toMatchObject({ busyAgents: 1 });
    expect(await calls.output('agent_list', {})).toMatchObject({
      agents: [
        { agentId: bob, busy: true, openSteps: 2, steps: { running: 1, waiting: 1 } },
        { agentId: eve, busy: false, openSteps: 2 },
      ],
    });
    await complete(step);
    const failing = await claim({ taskId: two.taskId, agentId: 'bob' });
    await calls.output('task_fail', { claimId: failing.claimId, reason: 'no' });
    expect(await metrics(bob)).toMatchObject({
      steps: { completed: 1, failed: 1 },
      durationMs: { total: expect.any(Number) },
      lastActivityAt: new Date(calls.now).toISOString(),
      swarmId,
    });
    expect(await calls.output('swarm_status', {})).toMatchObject({ busyAgents: 0 });
    expect(await calls.text('agent_list', {})).toMatch(/bob.*1 completed, 1 failed/);
  });

  test('a claim whose time is over is nobody at work', async () => {
    const { taskId } = await submit();
    await claim({ taskId, leaseSeconds: 1 });
    calls.now += 5000;
    expect(await calls.output('swarm_status', {})).toMatchObject({ busyAgents: 0 });
  });

  test('a run keeps the members that it began with; a stopped agent gets no new one', async () => {
    const old = await submit();
    await calls.output('agent_stop', { agentId: bob });
    const ann = await spawn('tester', 'ann');
    const next = await submit();
    const agentsOf = async (runId: string): Promise<unknown> =>
      calls.raw('SELECT DISTINCT agent_id AS id FROM step WHERE run_id = ? ORDER BY round', [runId]);
    expect(await agentsOf(old.runId)).toEqual([{ id: bob }, { id: eve }]);
    expect(await agentsOf(next.runId)).toEqual([{ id: eve }, { id: ann }]);
    expect(await calls.app.call('agent_message', { to: bob, message: 'm' })).toMatchObject({ ok: false });
    expect(await send('bob', 'still there?', { runId: old.runId })).toMatchObject({ swarmId, recipients: [bob] });
    expect((await claim({ taskId: old.taskId })).prompt).toContain('still there?');
  });

  test('two tasks at once on the same agents: both count', async () => {
    const tasks = [await submit(), await submit()];
    await send('bob', 'mind both');
    for (const { taskId } of tasks) {
      const step = await claim({ taskId });
      expect(step).toMatchObject({ agentId: bob, prompt: expect.stringContaining('mind both') });
      await complete(step);
    }
    expect(await metrics(bob)).toMatchObject({ steps: { completed: 2 } });
  });

  test('a run of an earlier version, whose members were no agents on record, still reads', async () => {
    const { runId } = await submit();
    const rename = (column: string): string =>
      `replace(replace(replace(${column}, '${bob}', 'coder'), '${eve}', 'reviewer'), ',"name":"bob"', '')`;
    await calls.raw('DROP TRIGGER event_no_update');
    await calls.raw(`UPDATE step SET id = ${rename('id')}, agent_id = ${rename('agent_id')}`);
    await calls.raw(`UPDATE event SET body = ${rename('body')}`);
    await calls.raw(`UPDATE run SET spec = ${rename('spec')}`);
    expect(await send('coder', 'for the old run', { runId })).toMatchObject({ swarmId: null, runId, recipients: ['coder'] });
    const first = await claim({ taskId: runId });
    expect(first).toMatchObject({ agentId: 'coder', agentName: null, prompt: expect.stringContaining('for the old run') });
    await complete(first);
    expect(await complete(await claim({ taskId: runId }))).toMatchObject({ status: 'completed' });
    expect(await calls.output('run_replay', { runId })).toMatchObject({ identical: true });
    expect(await inbox('coder', { runId })).toMatchObject({ messages: [{ message: 'for the old run' }] });
  });
});

describe('one mailbox in all runs of a swarm', () => {
  test('messages by id, name, role and to all are in the prompts, before and during the run', async () => {
    await send(bob, 'by id');
    await send('bob', 'by name');
    const { taskId, runId } = await submit();
    await send('coder', 'by role');
    await send('all', 'to all');
    await send('eve', 'in the run', { runId });
    const first = await claim({ taskId });
    for (const text of ['by id', 'by name', 'by role', 'to all']) expect(first.prompt).toContain(text);
    expect(first.prompt).not.toContain('in the run');
    await send('eve', 'while it goes on');
    await complete(first);
    const { prompt } = await claim({ taskId });
    for (const text of ['in the run', 'while it goes on', 'to all']) expect(prompt).toContain(text);
  });

  test('what was shown in a run that completed is acknowledged; what was not is shown in the next', async () => {
    await send('all', 'for this run');
    const { taskId } = await submit();
    const first = await claim({ taskId });
    await send('bob', 'too late for it');
    await complete(first);
    const second = await claim({ taskId });
    expect(await inbox(bob)).toMatchObject({ messages: [{ message: 'for this run' }, { message: 'too late for it' }] });
    expect(await complete(second)).toMatchObject({ status: 'completed' });
    expect(await inbox(bob)).toMatchObject({ messages: [{ message: 'too late for it' }] });
    expect(await inbox(eve)).toMatchObject({ messages: [] });
    expect(await metrics(eve)).toMatchObject({ openMessages: 0 });
    const next = await claim({ taskId: (await submit()).taskId });
    expect(next.prompt).toContain('too late for it');
    expect(next.prompt).not.toContain('for this run');
  });

  test('a run that failed acknowledges nothing', async () => {
    await send('all', 'to be done');
    const { taskId } = await submit();
    for (let n = 0; n < 2; n += 1) await calls.output('task_fail', { claimId: (await claim({ taskId })).claimId, reason: 'no' });
    expect(await calls.output('task_status', { taskId })).toMatchObject({ status: 'failed' });
    expect((await claim({ taskId: (await submit()).taskId })).prompt).toContain('to be done');
  });

  test('of more than a prompt shows, the older ones come in the next run', async () => {
    for (let n = 1; n <= 55; n += 1) await send('bob', `number ${n} of 55`);
    const { taskId } = await submit();
    const first = await claim({ taskId });
    expect(first.prompt).not.toContain('number 5 of 55');
    await complete(first);
    await complete(await claim({ taskId }));
    const { prompt } = await claim({ taskId: (await submit()).taskId });
    expect(prompt).toContain('number 5 of 55');
    expect(prompt).not.toContain('number 6 of 55');
  });

  test('a long one is cut in the prompt, and the sender is told', async () => {
    expect(await send('bob', 'x'.repeat(5000))).toMatchObject({ note: expect.stringMatching(/first 4000 characters/) });
    const { taskId } = await submit();
    expect((await claim({ taskId })).prompt).toContain('and 1000 more characters');
  });

  test('metrics of one run count the mail of its members only', async () => {
    const { runId } = await submit();
    const ann = await spawn('tester', 'ann');
    await send('all', 'm');
    const { agents } = await calls.output('agent_metrics', { runId });
    expect([agents].flat().map((agent): unknown => [Object(agent).agentId, Object(agent).openMessages])).toEqual(
      [bob, eve].sort().map((id) => [id, 1]),
    );
    expect(await metrics(ann)).toMatchObject({ openMessages: 1, steps: {} });
  });

  test('what a member sends by send_message lies in it, and the next agent sees it', async () => {
    const roles = join(calls.app.dir, '.skillflow', 'roles');
    await mkdir(roles, { recursive: true });
    const role = '---\ndescription: Writes.\nstyle: divergent\nmodel: small\ntools: [send_message]\n---\nWrite.\n';
    await writeFile(join(roles, 'coder.md'), role);
    await using api = await startFakeMessagesApi();
    api.script({ type: 'tools', calls: [{ name: 'send_message', input: { to: 'eve', body: 'mind line 1' } }] });
    api.fallback(() => ({ type: 'answer', answer: ANSWER }));
    const { dir } = calls.app;
    const env = { ANTHROPIC_API_KEY: FAKE_API_KEY, ANTHROPIC_BASE_URL: api.url };
    const config = loadConfig({ projectRoot: dir, rootSource: 'test', home: dir, flags: {}, env });
    const runtime = createRuntime('silent');
    await using app = createApp({ config, runtime, version: '0', packageDir: dir, workerUrl: null, vectorWorkerUrl: null });
    const input = { description: 'find it', strategy: 'sequential', provider: 'anthropic' };
    expect(await app.call('task_submit', input, { surface: 'api' })).toMatchObject({ ok: true, output: { status: 'completed' } });
    expect(api.requests.at(-1)?.text).toMatch(new RegExp(`message from ${bob}[^<]*mind line 1`));
    expect(await calls.raw('SELECT place, sender, address FROM message')).toEqual([
      { place: swarmId, sender: bob, address: `agent:${eve}` },
    ]);
  });
});

describe('tasks that wait', () => {
  test('a swarm that is destroyed ends the tasks that wait, also those of others that depend on them', async () => {
    const { taskId: first } = await submit({ swarmId });
    const { taskId } = await submit({ swarmId, dependencies: [first] });
    const { swarmId: elsewhere } = await calls.output('swarm_create', {});
    const { taskId: dependent } = await submit({ swarmId: elsewhere, dependencies: [taskId] });
    expect(await calls.output('swarm_destroy', { swarmId })).toMatchObject({ tasksCancelled: [taskId] });
    for (const [id, reason] of [
      [taskId, /was destroyed before it began/],
      [dependent, new RegExp(`${taskId} is cancelled`)],
    ] as const) {
      expect(await calls.output('task_status', { taskId: id })).toMatchObject({
        status: 'cancelled',
        reason: expect.stringMatching(reason),
      });
    }
    expect(await calls.output('swarm_status', { swarmId })).toMatchObject({ tasks: { cancelled: 2 } });
    expect(await calls.output('swarm_status', { swarmId: elsewhere })).toMatchObject({ tasks: { cancelled: 1 } });
  });

  test('a long chain and a wide net of tasks are read without delay', async () => {
    await submit();
    await calls.raw(
      `INSERT INTO task(id, swarm_id, description, strategy, priority, dependencies, status, created_at, updated_at)
       WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1999)
       SELECT 'task_' || i, ?, 'x', 'adaptive', 'medium',
         (SELECT json_group_array('task_' || o.i) FROM n AS o WHERE o.i BETWEEN n.i - 3 AND n.i - 1), 'recorded', 1, 1 FROM n`,
      [swarmId],
    );
    expect(await calls.output('task_status', { taskId: 'task_1999' })).toMatchObject({ status: 'blocked' });
    expect(await calls.output('swarm_status', {})).toMatchObject({ tasks: { awaiting_host: 1, blocked: 1999, not_started: 1 } });
  });
});
