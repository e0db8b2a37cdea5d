import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import { createRuntime } from '../../src/runtime.ts';
import { FAKE_API_KEY, startFakeMessagesApi } from '../helpers/fake-messages-api.ts';
import { HUGE, testBadCalls } from './bad-calls.ts';
import type { BadCall } from './bad-calls.ts';
import { createToolCalls } from './tool-calls.ts';
import type { Output, ToolCalls } from './tool-calls.ts';

const ANSWER = { findings: [], text: 'fine', confidence: 0.9, notes: [] };
const HOSTILE = "x'; DROP TABLE run; --";

let calls: ToolCalls;
beforeEach(async () => {
  calls = await createToolCalls();
  await addSkill('pair', '');
});
afterEach(() => calls[Symbol.asyncDispose]());

/** A skill of two agents that need a model, and one that has an analyzer. */
async function addSkill(name: string, more: string, agents = 'researcher reviewer'): Promise<void> {
  const folder = join(calls.app.dir, '.claude', 'skills', name);
  await mkdir(folder, { recursive: true });
  await writeFile(
    join(folder, 'SKILL.md'),
    `---\nname: ${name}\ndescription: A skill of the tests, for when they need one.\n---\nDo it.\n`,
  );
  const thinking = agents.split(' ').map((type) => `  - { type: ${type}, count: 1, capabilities: [reasoning] }`);
  const analyzing = '  - { type: security-analyst, count: 1, capabilities: [secrets] }';
  const coordination = 'coordination: { topology: mesh, decision: { rule: majority, quorum: 1 } }';
  await writeFile(join(folder, 'swarm.yaml'), `agents:\n${[...thinking, analyzing].join('\n')}\n${coordination}\n${more}\n`);
  await writeFile(join(calls.app.dir, 'a.js'), 'eval(x);\n');
}

const run = (input: object = {}): Promise<Output> =>
  calls.output('skill_run', { skill: 'pair', files: ['a.js'], provider: 'host', ...input });
const call = (tool: string, input: unknown) => calls.app.call(tool, input);
const claim = async (runId: unknown): Promise<Record<string, string>> =>
  Object((await calls.output('task_claim', { taskId: runId }))['step']);

async function answerAll(runId: unknown): Promise<number> {
  for (let done = 0; ; done += 1) {
    const { step } = await calls.output('task_claim', { taskId: runId });
    if (step === null) return done;
    const { claimId, kind } = Object(step);
    await calls.output('task_complete', { claimId, answer: kind === 'judge' ? { ballots: [], text: '' } : ANSWER });
  }
}

const everything = (): Promise<unknown> =>
  calls.raw(`SELECT (SELECT json_group_array(id || status || epoch || attempt) FROM step) AS steps,
    (SELECT json_group_array(id || status || coalesce(waiting, '') || spec) FROM run) AS runs, (SELECT count(*) FROM event) AS events`);
const types = async (runId: unknown): Promise<readonly unknown[]> => {
  const { events } = await calls.output('run_events', { runId, limit: 1000 });
  return [events].flat().map((event): unknown => Object(event).type);
};

describe('skill_run', () => {
  test('with the host: analyzers have done their part, and the rest is named', async () => {
    const output = await run();
    expect(output).toMatchObject({ status: 'awaiting_host', provider: 'host', spending: null });
    expect(output['waiting']).toMatchObject({
      for: 'host',
      steps: ['1-work-researcher', '1-work-reviewer'],
      budget: null,
      next: expect.stringMatching(/task_claim.*task_complete/),
    });
    expect(await calls.raw("SELECT agent_id FROM step WHERE status = 'completed'")).toEqual([{ agent_id: 'security-analyst' }]);
    expect(await calls.raw('SELECT status, waiting FROM run')).toEqual([{ status: 'running', waiting: 'host' }]);
    await calls.app.restart();
    expect(await calls.output('run_status', { runId: output['runId'] })).toMatchObject({
      status: 'awaiting_host',
      waiting: output['waiting'],
    });
    expect(await answerAll(output['runId'])).toBe(4);
    expect(await calls.output('run_status', { runId: output['runId'] })).toMatchObject({ status: 'completed', waiting: null });
    expect(await calls.output('run_replay', { runId: output['runId'] })).toMatchObject({ identical: true });
  });

  test('without a provider: what the user configured, then what the skill asks for, then no model', async () => {
    expect(await run({ provider: undefined }).catch(String)).toMatch(/provider/);
    const input = { skill: 'pair', files: ['a.js'] };
    expect(await calls.output('skill_run', input)).toMatchObject({ status: 'completed', provider: 'local' });
    await addSkill('hosted', 'provider: host');
    expect(await calls.output('skill_run', { ...input, skill: 'hosted' })).toMatchObject({ provider: 'host' });
    await addSkill('paid', 'provider: anthropic');
    expect(await call('skill_run', { ...input, skill: 'paid' })).toMatchObject({ ok: false, error: { code: 'unavailable' } });
    await using configured = await createToolCalls({ flags: { provider: 'local' } });
    const { config, runtime } = configured.app.skillflow.app;
    await using app = createApp({
      config: { ...config, projectRoot: calls.app.dir },
      runtime,
      version: '0',
      packageDir: calls.app.dir,
      workerUrl: null,
      vectorWorkerUrl: null,
    });
    expect(await app.call('skill_run', { ...input, skill: 'paid' }, { surface: 'mcp' })).toMatchObject({
      ok: true,
      output: { provider: 'local' },
    });
    const shown = await calls.app.skillflow.call('skill_run', input, { surface: 'mcp' });
    expect(shown).toMatchObject({ ok: true, output: { provider: 'host', status: 'awaiting_host' } });
  });

  test('an attempt budget stops the host as well, until it is raised', async () => {
    const { runId } = await run({ maxSteps: 2 });
    const { claimId } = await claim(runId);
    const refused = await call('task_claim', { taskId: runId });
    expect(refused).toMatchObject({
      ok: false,
      error: { code: 'conflict', message: expect.stringMatching(/budget.*2 attempts/) },
    });
    expect(await calls.output('task_claim', {})).toMatchObject({ step: null });
    await calls.output('task_complete', { claimId, answer: ANSWER });
    const raised = await calls.output('run_resume', { runId, maxSteps: 100 });
    expect(raised).toMatchObject({ status: 'awaiting_host' });
    expect(await answerAll(runId)).toBe(3);
    expect(await types(runId)).toContain('budget_raised');
  });

  test('a plan that cannot be is refused before anything is begun', async () => {
    await addSkill('crowd', '', 'researcher');
    await run();
    const yaml = join(calls.app.dir, '.claude', 'skills', 'crowd', 'swarm.yaml');
    const before = await everything();
    for (const [agents, message] of [
      ['agents: []', /agents/],
      ['agents:\n  - { type: coder, count: 10000 }', /count/],
      [`agents:\n${Array.from({ length: 10_000 }, (_, i) => `  - { type: coder-${i}, count: 1 }`).join('\n')}`, /256 KB/],
      ['agents:\n  - { type: coder, count: 1 }\ncoordination: { decision: { rule: judge, judge: nobody } }', /nobody|judge/],
    ] as const) {
      await writeFile(yaml, `${agents}\n`);
      const result = await call('skill_run', { skill: 'crowd', files: ['a.js'], provider: 'host' });
      expect(result).toMatchObject({ ok: false, error: { code: 'invalid_input', message: expect.stringMatching(message) } });
    }
    expect(await everything()).toStrictEqual(before);
  });
});

describe('run_cancel', () => {
  test('a run that waits ends at once; its claims are void, and it cannot go on', async () => {
    const { runId } = await run();
    const { claimId } = await claim(runId);
    expect(await calls.output('run_cancel', { runId, reason: 'enough' })).toEqual({
      runId,
      status: 'cancelled',
      reason: 'enough',
    });
    expect(await calls.raw('SELECT status, waiting FROM run')).toEqual([{ status: 'cancelled', waiting: null }]);
    expect((await types(runId)).slice(-2)).toEqual(['cancel_asked', 'run_cancelled']);
    const before = await everything();
    expect(await call('run_cancel', { runId })).toMatchObject({ ok: false, error: { code: 'conflict' } });
    expect(await call('run_resume', { runId })).toMatchObject({
      ok: false,
      error: { code: 'conflict', hint: expect.stringMatching(/retry/) },
    });
    expect(await calls.output('task_claim', { taskId: runId })).toMatchObject({
      step: null,
      reason: expect.stringMatching(/cancelled/),
    });
    expect(await everything()).toStrictEqual(before);
    expect(await call('task_complete', { claimId, answer: ANSWER })).toMatchObject({ ok: false, error: { code: 'conflict' } });
    expect(await everything()).toStrictEqual(before);
  });

  test('a run that another process drives stops there', async () => {
    await using api = await startFakeMessagesApi();
    api.fallback(() => ({ type: 'silence' }));
    const { dir } = calls.app;
    const config = loadConfig({
      projectRoot: dir,
      rootSource: 'test',
      home: dir,
      flags: {},
      env: { ANTHROPIC_API_KEY: FAKE_API_KEY, ANTHROPIC_BASE_URL: api.url },
    });
    const options = {
      config,
      runtime: createRuntime('silent'),
      version: '0',
      packageDir: dir,
      workerUrl: null,
      vectorWorkerUrl: null,
    };
    await using driving = createApp(options);
    await using other = createApp(options);
    const running = driving.call('skill_run', { skill: 'pair', files: ['a.js'], provider: 'anthropic' }, { surface: 'api' });
    while (api.underWay() < 2) await new Promise((resolve) => void setTimeout(resolve, 10));
    const [found] = [await calls.raw("SELECT id FROM run WHERE status = 'running'")].flat();
    const { id: runId } = Object(found);
    expect(await other.call('run_retry', { runId, from: '1-work-reviewer' }, { surface: 'api' })).toMatchObject({ ok: false });
    expect(await other.call('run_cancel', { runId }, { surface: 'api' })).toMatchObject({
      ok: true,
      output: { status: 'cancelled' },
    });
    expect(await running).toMatchObject({ ok: true, output: { status: 'cancelled', reason: 'cancelled by hand' } });
    while (api.underWay() > 0) await new Promise((resolve) => void setTimeout(resolve, 10));
  });
});

describe('run_approve', () => {
  test('a run waits at its gate, in every process, until a person has answered', async () => {
    await addSkill('gated', 'approvals: [writing]');
    const { runId } = await run({ skill: 'gated', provider: 'local' });
    expect(await calls.output('run_status', { runId })).toMatchObject({
      status: 'awaiting_approval',
      waiting: {
        for: 'approval',
        gate: 'writing',
        question: expect.stringMatching(/report\.md/),
        next: expect.stringMatching(/run_approve/),
      },
    });
    await calls.app.restart();
    const before = await everything();
    expect(await call('run_approve', { runId, approved: true, gate: 'spending' })).toMatchObject({
      ok: false,
      error: { code: 'conflict' },
    });
    expect(await call('run_approve', { runId })).toMatchObject({ ok: false, error: { code: 'invalid_input' } });
    expect(await call('run_approve', { runId, approved: 'yes' })).toMatchObject({ ok: false, error: { code: 'invalid_input' } });
    expect(await everything()).toStrictEqual(before);
    expect(await calls.output('run_approve', { runId, approved: true, note: 'fine' })).toMatchObject({
      status: 'completed',
      waiting: null,
    });
    expect(await call('run_approve', { runId, approved: true })).toMatchObject({ ok: false, error: { code: 'conflict' } });
  });

  test('refused to write, it completes: its result is kept and shown, and no file is there', async () => {
    await addSkill('gated', 'approvals: [writing]');
    const { runId } = await run({ skill: 'gated', provider: 'local' });
    const output = await calls.output('run_approve', { runId, approved: false, note: 'not now' });
    const kept = { status: 'completed', reason: expect.stringMatching(/"writing" was refused \(not now\)/), outputs: [] };
    expect(output).toMatchObject(kept);
    await calls.app.restart();
    expect(await calls.output('run_status', { runId })).toMatchObject({ ...kept, findings: { confirmed: expect.any(Number) } });
    expect(await calls.output('task_results', { taskId: runId })).toMatchObject({ ...kept, findings: expect.any(Object) });
    expect(await calls.output('run_replay', { runId })).toMatchObject({ identical: true, files: [] });
    expect(existsSync(join(calls.app.dir, '.skillflow', 'runs', String(runId)))).toBe(false);
  });

  test('a role that the swarm asks for and that has errors is no other role', async () => {
    const roles = join(calls.app.dir, '.claude', 'skills', 'pair', 'roles');
    await mkdir(roles, { recursive: true });
    const write = (name: string, model: string): Promise<void> =>
      writeFile(join(roles, name), `---\ndescription: Looks.\nstyle: convergent\nmodel: ${model}\ntools: []\n---\nLook.\n`);
    await write('unused.md', 'gigantic');
    expect(await run()).toMatchObject({ status: 'awaiting_host' });
    await write('researcher.md', 'gigantic');
    expect(await call('skill_run', { skill: 'pair', provider: 'host' })).toMatchObject({
      ok: false,
      error: { code: 'invalid_input', message: expect.stringMatching(/roles\/researcher\.md:\d+: model: /u) },
    });
    await write('researcher.md', 'small');
    expect(await run()).toMatchObject({ status: 'awaiting_host' });
  });

  test('a model without a known price: limited in dollars it is not asked, limited in tokens it is', async () => {
    await using api = await startFakeMessagesApi();
    api.fallback(() => ({ type: 'answer', answer: ANSWER }));
    const { dir } = calls.app;
    const models = Object.fromEntries(
      ['SMALL', 'STANDARD', 'LARGE'].map((size) => [`SKILLFLOW_MODEL_${size}`, 'claude-other-9']),
    );
    const env = { ANTHROPIC_API_KEY: FAKE_API_KEY, ANTHROPIC_BASE_URL: api.url, ...models };
    await using app = createApp({
      config: loadConfig({ projectRoot: dir, rootSource: 'test', home: dir, flags: {}, env }),
      runtime: createRuntime('silent'),
      version: '0',
      packageDir: dir,
      workerUrl: null,
      vectorWorkerUrl: null,
    });
    const input = { skill: 'pair', files: ['a.js'], provider: 'anthropic' };
    const paused = await app.call('skill_run', input, { surface: 'mcp' });
    expect(paused).toMatchObject({
      ok: true,
      output: { status: 'paused', waiting: { for: 'budget', next: expect.stringMatching(/run_resume .*"maxTokens":1000000/u) } },
    });
    expect(api.requests).toHaveLength(0);
    const { runId } = Object(Object(paused).output);
    const resumed = await app.call('run_resume', { runId, maxTokens: 1_000_000 }, { surface: 'mcp' });
    expect(resumed).toMatchObject({ ok: true, output: { status: 'completed' } });
    expect(api.requests.length).toBeGreaterThan(0);
  });

  test("a project's files alone spend nothing: a person agrees first", async () => {
    await using api = await startFakeMessagesApi();
    api.fallback(() => ({ type: 'silence' }));
    const { dir } = calls.app;
    const open = (env: Readonly<Record<string, string>> = {}) =>
      createApp({
        config: loadConfig({
          projectRoot: dir,
          rootSource: 'test',
          home: dir,
          flags: {},
          env: { ANTHROPIC_API_KEY: FAKE_API_KEY, ANTHROPIC_BASE_URL: api.url, ...env },
        }),
        runtime: createRuntime('silent'),
        version: '0',
        packageDir: dir,
        workerUrl: null,
        vectorWorkerUrl: null,
      });
    const waits = { ok: true, output: { status: 'awaiting_approval', waiting: { gate: 'spending' } } };
    const ask = { files: ['a.js'] };
    await addSkill('paid', 'provider: anthropic\nbudget: { cost_usd: 999 }');
    await using bySkill = open();
    for (const surface of ['cli', 'mcp', 'api'] as const)
      expect(await bySkill.call('skill_run', { ...ask, skill: 'paid' }, { surface })).toMatchObject(waits);
    await mkdir(join(dir, '.skillflow'), { recursive: true });
    await writeFile(join(dir, '.skillflow', 'config.json'), '{"provider": "anthropic", "runBudgetUsd": 500}');
    await using byFile = open();
    expect(await byFile.call('skill_run', { ...ask, skill: 'pair' }, { surface: 'mcp' })).toMatchObject(waits);
    expect(api.requests).toHaveLength(0);
    await using byUser = open({ SKILLFLOW_PROVIDER: 'anthropic' });
    const stop = new AbortController();
    const running = byUser.call('skill_run', { ...ask, skill: 'pair' }, { surface: 'mcp', signal: stop.signal });
    while (api.underWay() < 1) await new Promise((resolve) => void setTimeout(resolve, 10));
    stop.abort();
    expect(await running).toMatchObject({ ok: true, output: { status: 'cancelled' } });
  });

  test('two processes that approve at once: one ending, one event of it', async () => {
    await addSkill('gated', 'approvals: [writing]');
    const { runId } = await run({ skill: 'gated', provider: 'local' });
    await Promise.all([call('run_approve', { runId, approved: true }), call('run_approve', { runId, approved: true })]);
    expect(await calls.output('run_status', { runId })).toMatchObject({ status: 'completed' });
    expect((await types(runId)).filter((type) => type === 'run_completed')).toHaveLength(1);
  });
});

describe('run_retry', () => {
  test('a step is done again, and what saw it; the rest stands', async () => {
    const { runId } = await run();
    await answerAll(runId);
    const attempts = () => calls.raw('SELECT id, attempt FROM step ORDER BY id');
    expect(await calls.output('run_retry', { runId, from: '1-work-reviewer' })).toMatchObject({
      status: 'awaiting_host',
      waiting: { steps: ['1-work-reviewer'] },
    });
    await answerAll(runId);
    expect(await calls.output('run_status', { runId })).toMatchObject({ status: 'completed' });
    const again = [await attempts()].flat().filter((row) => Object(row).attempt === 2);
    expect(again.map((row): unknown => Object(row).id)).toEqual([
      '1-work-reviewer',
      '2-judge-researcher',
      '2-judge-security-analyst',
    ]);
    expect(await calls.output('run_replay', { runId })).toMatchObject({ identical: true });
  });

  test('a step that is not there names those that are; nothing is changed', async () => {
    const { runId } = await run();
    const before = await everything();
    expect(await call('run_retry', { runId, from: 'nope' })).toMatchObject({
      ok: false,
      error: { code: 'not_found', hint: expect.stringMatching(/1-work-reviewer/) },
    });
    expect(await everything()).toStrictEqual(before);
  });
});

describe('run_replay and run_events', () => {
  test('files that someone has changed or removed are named', async () => {
    const { runId, outputs } = await run({ provider: 'local' });
    const [path = ''] = [outputs].flat().map(String);
    await writeFile(join(calls.app.dir, path), 'changed');
    expect(await calls.output('run_replay', { runId })).toMatchObject({
      identical: false,
      files: expect.arrayContaining([{ path, state: 'different' }]),
    });
    const waiting = await run();
    expect(await call('run_replay', { runId: waiting['runId'] })).toMatchObject({ ok: false, error: { code: 'unavailable' } });
  });

  test('how others voted is told once the run has ended', async () => {
    const { runId } = await run();
    const finding = { severity: 'low', confidence: 'low', file: 'a.js', startLine: 1, endLine: 1, message: 'm', evidence: 'e' };
    let subject = '';
    const ballots = async (): Promise<readonly unknown[]> => {
      const events: readonly unknown[] = [(await calls.output('run_events', { runId, limit: 1000 }))['events']].flat();
      subject = events.map((event) => Object(event).finding?.id ?? '').find((id) => id !== '') ?? '';
      return events.flatMap((event) => (Object(event).type === 'ballot_cast' ? [Object(event).ballot] : []));
    };
    const answer = async (body: object): Promise<void> =>
      void (await calls.output('task_complete', { claimId: (await claim(runId))['claimId'], answer: body }));
    await answer({ ...ANSWER, findings: [finding] });
    await answer(ANSWER);
    await ballots();
    const judging = await claim(runId);
    const vote = { ballots: [{ subject, vote: 'confirm', reason: 'seen' }], text: '' };
    await calls.output('task_complete', {
      claimId: judging['claimId'],
      answer: judging['agentId'] === 'reviewer' ? vote : { ballots: [], text: '' },
    });
    const open = await ballots();
    expect(open.length).toBeGreaterThan(0);
    for (const ballot of open) expect(Object.keys(Object(ballot)).toSorted()).toEqual(['subject', 'voter']);
    await answer(judging['agentId'] === 'reviewer' ? { ballots: [], text: '' } : vote);
    const told = await ballots();
    expect(told.length).toBeGreaterThan(0);
    for (const ballot of told)
      expect(ballot).toMatchObject({ vote: expect.stringMatching(/./), reason: expect.stringMatching(/./) });
  });

  test('the first event has the plan, and of the files their number', async () => {
    const { runId } = await run({ provider: 'local' });
    const { events } = await calls.output('run_events', { runId, limit: 1 });
    expect(events).toMatchObject([
      { type: 'run_started', seq: 1, provider: 'local', topology: 'mesh', files: 1, skipped: 0, scope: { mode: 'files' } },
    ]);
    const [first] = [events].flat();
    expect(Object(first).steps).toContain('1-work-security-analyst');
    expect(await calls.output('run_status', { runId: String(runId).slice(0, 20) })).toMatchObject({ runId });
  });
});

describe('a wrong call is refused and changes nothing', () => {
  const bad: readonly BadCall[] = [
    ['skill_run', {}, 'invalid_input', /skill/],
    ['skill_run', { skill: 'pair', provider: 'gpt' }, 'invalid_input', /provider/],
    ['skill_run', { skill: 'pair', provider: 'anthropic' }, 'unavailable', /nothing was begun or spent/],
    ['skill_run', { skill: 'pair', maxCostUsd: -1 }, 'invalid_input', /maxCostUsd/],
    ['skill_run', { skill: 'pair', maxCostUsd: '5' }, 'invalid_input', /maxCostUsd/],
    ['skill_run', { skill: 'pair', maxSteps: 0 }, 'invalid_input', /maxSteps/],
    ['skill_run', { skill: 'pair', maxTokens: 1.5 }, 'invalid_input', /maxTokens/],
    ['skill_run', { skill: 'pair', task: HUGE }, 'invalid_input', /task/],
    ['skill_run', { skill: 'pair', budget: {} }, 'invalid_input', /budget/],
    ['skill_run', { skill: HOSTILE }, 'invalid_input', /skill/],
    ['run_resume', {}, 'invalid_input', /runId/],
    ['run_resume', { runId: 7 }, 'invalid_input', /runId/],
    ['run_resume', { runId: 'run_nope' }, 'not_found', /run_nope/],
    ['run_resume', { runId: HOSTILE }, 'not_found', /DROP TABLE/],
    ['run_resume', { runId: 'run_', maxCostUsd: 0 }, 'invalid_input', /maxCostUsd/],
    ['run_cancel', { runId: '../..' }, 'not_found', /\.\./],
    ['run_cancel', { runId: HUGE }, 'invalid_input', /runId/],
    ['run_cancel', { runId: 'run_nope', reason: HUGE }, 'invalid_input', /reason/],
    ['run_approve', { runId: 'run_nope', approved: true }, 'not_found', /run_nope/],
    ['run_retry', { runId: 'run_nope' }, 'invalid_input', /from/],
    ['run_retry', { runId: 'run_nope', from: 'x' }, 'not_found', /run_nope/],
    ['run_replay', { runId: 'run_nope' }, 'not_found', /run_nope/],
    ['run_status', { runId: '%' }, 'not_found', /%/],
    ['run_events', { runId: 'run_nope', after: -1 }, 'invalid_input', /after/],
  ];
  testBadCalls(bad, { call: call, prepare: () => run(), everything });

  test('read-only, a run can be looked at and not be changed', async () => {
    const { runId } = await run();
    const { config, runtime } = calls.app.skillflow.app;
    await using reading = createApp({
      config: { ...config, readOnly: true },
      runtime,
      version: '0',
      packageDir: calls.app.dir,
      workerUrl: null,
      vectorWorkerUrl: null,
    });
    const caller = { surface: 'api' } as const;
    const before = await everything();
    expect(await reading.call('run_status', { runId }, caller)).toMatchObject({ ok: true, output: { waiting: { for: 'host' } } });
    expect(await reading.call('run_events', { runId }, caller)).toMatchObject({ ok: true });
    for (const [tool, input] of [
      ['run_resume', { runId }],
      ['run_cancel', { runId }],
      ['run_retry', { runId, from: '1-work-reviewer' }],
      ['run_approve', { runId, approved: true }],
      ['task_claim', { taskId: runId }],
      ['skill_run', { skill: 'pair' }],
    ] as const) {
      expect(await reading.call(tool, input, caller)).toMatchObject({ ok: false, error: { code: 'forbidden' } });
    }
    expect(await everything()).toStrictEqual(before);
  });
});
