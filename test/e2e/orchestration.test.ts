import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { installFakeClaude } from '../helpers/fake-claude.ts';
import { startFakeMessagesApi } from '../helpers/fake-messages-api.ts';
import type { FakeMessagesApi } from '../helpers/fake-messages-api.ts';
import { askJson, until } from './answers.ts';
import type { ErrorAnswer, RunsAnswer } from './answers.ts';
import { createModelPlace, eventsOf, isJudging, modelEnvironment, reviewer, run, SECRET, stepsOf } from './model-place.ts';
import type { ThinkingRun } from './model-place.ts';
import { skillflow, startSkillflow } from './product.ts';
import type { Place } from './product.ts';

const PAID = ['1-work-design-reviewer', '2-judge-design-reviewer'];

let api: FakeMessagesApi;
let place: Place;
let env: NodeJS.ProcessEnv;
beforeEach(async () => {
  api = await startFakeMessagesApi();
  api.fallback(reviewer);
  place = createModelPlace();
  env = modelEnvironment(api);
});
afterEach(async () => {
  place.remove();
  await api[Symbol.asyncDispose]();
});

const report = (id: string, name: string): string => readFileSync(join(place.dir, '.skillflow', 'runs', id, name), 'utf8');
const runs = async (): Promise<RunsAnswer> => (await askJson<RunsAnswer>(['runs'], { cwd: place.dir })).body;
const replay = (id: string) =>
  askJson<{ identical: boolean; files: readonly unknown[] }>(['replay', id], {
    cwd: place.dir,
    env: { ...env, ANTHROPIC_API_KEY: '' },
  });
const resume = (id: string, ...flags: readonly string[]) =>
  askJson<ThinkingRun>(['resume', id, ...flags], { cwd: place.dir, env });

/** Starts a run in the background; resolves with its id once the model has been asked `requests` times. */
async function startRun(requests: number) {
  const child = startSkillflow(['run', 'code-review-swarm', '--last', '2', '--provider', 'anthropic', '--json'], {
    cwd: place.dir,
    env,
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  const closed = new Promise<{ code: number | null; stdout: string }>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout }));
  });
  await until(() => (api.requests.length >= requests ? true : undefined), 'the model to be asked');
  const id = (await runs()).runs[0]?.runId ?? '';
  return { child, closed, id };
}

describe('a model reviews', () => {
  test('it uses its tools, reports, and votes; the answers count as those of the analyzers do', async () => {
    const { code, body } = await run(place, env, '--provider', 'anthropic');
    expect({ code, status: body.status, provider: body.provider }).toEqual({
      code: 0,
      status: 'completed',
      provider: 'anthropic',
    });
    const injection = body.topFindings.find(({ rule }) => rule === 'security/js-command-injection');
    expect(injection).toMatchObject({
      reportedBy: ['security-analyst'],
      confirmedBy: expect.arrayContaining(['design-reviewer']),
    });
    expect(body.topFindings.find(({ rule }) => rule === 'model/mixed-duties')).toMatchObject({ reportedBy: ['design-reviewer'] });
    expect(body.spending).toMatchObject({ tokens: 360, budgetUsd: 1, possiblyBilledTwice: 0 });
    const events = await eventsOf(place, body.runId);
    const called = events.filter(({ type }) => type === 'tool_called').map(({ tool, outcome }) => [tool, outcome]);
    expect(called).toEqual([
      ['read_file', 'ok'],
      ['grep', 'ok'],
      ['read_file', 'refused'],
      ['report_finding', 'ok'],
    ]);
    expect(await replay(body.runId)).toMatchObject({ code: 0, body: { identical: true, files: { length: 3 } } });
    expect(api.requests).toHaveLength(3);
    expect(report(body.runId, 'report.md')).toMatch(/3 requests with 360 tokens cost \\\$/);
  });

  test('what it may cost is said before the first request, no file leads it astray, and no secret gets out', async () => {
    const { body, stderr } = await run(place, env, '--provider', 'anthropic');
    const events = await eventsOf(place, body.runId);
    const at = (type: string, provider: string): number =>
      events.findIndex((event) => event.type === type && event['provider'] === provider);
    expect(at('spending_announced', 'anthropic')).toBeGreaterThan(0);
    expect(at('spending_announced', 'anthropic')).toBeLessThan(at('step_started', 'anthropic'));
    expect(events.find(({ type }) => type === 'spending_announced')).toMatchObject({ budgetUsd: 1, costUsd: expect.any(Number) });
    expect(stderr, 'also where no terminal is').toMatch(/anthropic may cost up to about \$[\d.]+; it pauses at \$1/);

    // A text in a file that asks for another file gets nothing, and is reported.
    expect(body.topFindings.find(({ rule }) => rule === 'agent/forbidden-access')).toMatchObject({ place: 'src/settings.js:2' });
    for (const { text } of api.requests) expect(text).not.toMatch(/root:x:0/);

    expect(body.topFindings.some(({ rule }) => rule.startsWith('secrets/'))).toBe(true);
    expect(api.requests.some(({ text }) => text.includes('awsKey'))).toBe(true);
    const everything = [
      ...api.requests.map(({ text }) => text),
      JSON.stringify(events),
      ...['report.md', 'report.json', 'report.sarif'].map((name) => report(body.runId, name)),
    ];
    for (const text of everything) {
      expect(text).not.toContain(SECRET);
      expect(text).not.toContain('sk-ant-fake');
    }
  });
});

describe('money', () => {
  test('a budget pauses the run, with what is done and what remains; a higher one goes on with the rest', async () => {
    api.fallback((request) => ({ ...reviewer(request), usage: { input: 100_000 } }));
    const paused = await run(place, env, '--provider', 'anthropic', '--max-cost-usd', '0.4');
    expect(paused.code).not.toBe(0);
    expect(paused.body).toMatchObject({ status: 'paused', waiting: { for: 'budget', budget: { what: 'costUsd', limit: 0.4 } } });
    const { runId } = paused.body;
    const before = await eventsOf(place, runId);
    const stop = before.find(({ type }) => type === 'run_paused');
    const [done, remaining] = [[stop?.['done']].flat().map(String), [stop?.['remaining']].flat().map(String)];
    expect(done.toSorted()).toEqual(stepsOf(before, 'step_completed').toSorted());
    expect([...done, ...remaining].toSorted()).toEqual(paused.body.steps.map(({ stepId }) => stepId).toSorted());
    expect(remaining).toContain('1-work-design-reviewer');
    const asked = api.requests.length;
    expect(await resume(runId, '--max-cost-usd', '0.1')).toMatchObject({
      code: 2,
      body: { error: { code: 'invalid_input' } },
    });
    expect(api.requests).toHaveLength(asked);
    const { code, body } = await resume(runId, '--max-cost-usd', '50');
    expect({ code, status: body.status }).toEqual({ code: 0, status: 'completed' });
    const after = await eventsOf(place, runId);
    const completed = stepsOf(after, 'step_completed');
    expect(new Set(completed).size).toBe(completed.length);
    const begunAgain = stepsOf(after.slice(before.length), 'step_started').filter((id) => done.includes(id));
    expect(begunAgain).toEqual([]);
    expect(await replay(runId)).toMatchObject({ code: 0, body: { identical: true } });
  });

  test('a budget that is too small for one request pauses before the first', async () => {
    const { code, body } = await run(place, env, '--provider', 'anthropic', '--max-cost-usd', '0.0001');
    expect({ code, status: body.status, spending: body.spending }).toEqual({ code: 3, status: 'paused', spending: null });
    expect(api.requests).toHaveLength(0);
    expect(body.waiting?.next).toMatch(/skillflow resume/);
  });

  test('without a key nothing is begun, and it says what to do', async () => {
    const { code, body } = await askJson<ErrorAnswer>(['run', 'code-review-swarm', '--last', '1', '--provider', 'anthropic'], {
      cwd: place.dir,
      env: { ...env, ANTHROPIC_API_KEY: '' },
    });
    expect({ code, error: body.error }).toMatchObject({
      code: 1,
      error: {
        code: 'unavailable',
        message: expect.stringMatching(/nothing was begun or spent/),
        hint: expect.stringMatching(/ANTHROPIC_API_KEY/),
      },
    });
    expect(api.requests).toHaveLength(0);
    expect(existsSync(join(place.dir, '.skillflow'))).toBe(false);
  });

  test('a wrong key is said clearly, costs nothing, and the other agents go on', async () => {
    const { body } = await run(place, modelEnvironment(api, 'sk-ant-wrong-key-0123456789'), '--provider', 'anthropic');
    expect(body.status).toBe('completed');
    expect(body.steps.filter(({ agentId }) => agentId === 'design-reviewer').map(({ status }) => status)).toEqual([
      'failed',
      'failed',
    ]);
    expect(body.notLookedAt.join()).toMatch(/design-reviewer failed: .*(?:key|authentic)/i);
    expect(body.spending).toMatchObject({ tokens: 0, costUsd: 0 });
    expect(JSON.stringify([body, await eventsOf(place, body.runId)])).not.toContain('sk-ant-wrong');
  });

  test('an answer that had to be cut off may have cost more than is counted, which is said', async () => {
    api.fallback(() => ({ type: 'flood', bytes: 16 * 1024 * 1024 }));
    const { body } = await run(place, env, '--provider', 'anthropic');
    expect(body.status).toBe('completed');
    expect(body.spending).toMatchObject({ possiblyBilledTwice: 2 });
    expect(body.notLookedAt.join()).toMatch(/design-reviewer failed: .*cut off; it may have cost more than what is counted/);
    expect(report(body.runId, 'report.md')).toMatch(/2 attempts were cut off in mid-call/);
  });

  test('a key that is set is not used unasked, but named with the flag that uses it', async () => {
    const { code, body } = await run(place, env);
    expect({ code, provider: body.provider }).toEqual({ code: 0, provider: 'local' });
    expect(api.requests).toHaveLength(0);
    expect(body.notLookedAt.join()).toMatch(/design-reviewer skipped: .*--provider anthropic would use it/);
    expect(report(body.runId, 'report.md')).toMatch(/--provider anthropic would use it/);
    expect(await replay(body.runId)).toMatchObject({ body: { identical: true } });
    const { body: health } = await askJson<{ checks: unknown[] }>(['health'], { cwd: place.dir, env });
    expect(health.checks).toContainEqual(
      expect.objectContaining({ name: 'model provider', detail: expect.stringMatching(/--provider anthropic/) }),
    );
    expect(JSON.stringify(health)).not.toContain('sk-ant');
  });
});

describe('time', () => {
  test('a wall budget pauses a run whose model says nothing; more of it goes on', async () => {
    api.fallback(() => ({ type: 'silence' }));
    const { code, body } = await run(place, env, '--provider', 'anthropic', '--max-seconds', '3');
    expect({ code, status: body.status }).toEqual({ code: 3, status: 'paused' });
    expect(body.waiting).toMatchObject({ for: 'budget', budget: { what: 'wallMs', limit: 3_000 } });
    expect(body.steps.find(({ stepId }) => stepId === PAID[0])).toMatchObject({ status: 'waiting' });
    // It judges the others once its own work has ended: no more than one call was in flight.
    expect(body.spending).toMatchObject({ possiblyBilledTwice: 1 });
    await until(() => (api.underWay() === 0 ? true : undefined), 'the call to be given up');
    api.fallback(reviewer);
    const again = await resume(body.runId, '--max-seconds', '300');
    expect({ code: again.code, status: again.body.status }).toEqual({ code: 0, status: 'completed' });
    expect(await replay(body.runId)).toMatchObject({ code: 0, body: { identical: true } });
  });

  test('a model that asks to wait for an hour is not waited for', async () => {
    api.fallback(() => ({ type: 'status', status: 429, headers: { 'retry-after': '3600' } }));
    const { code, body } = await run(place, env, '--provider', 'anthropic');
    expect({ code, status: body.status }).toEqual({ code: 0, status: 'completed' });
    expect(body.notLookedAt.join()).toMatch(/design-reviewer failed: .*less time left/);
    expect(body.topFindings.length).toBeGreaterThan(0);
  });
});

describe('interruptions', () => {
  test('who joined a run leaves it alone when interrupted; the only one that drives it ends it', async () => {
    api.fallback(() => ({ type: 'silence' }));
    const { child, closed, id } = await startRun(1);
    const joined = startSkillflow(['resume', id], { cwd: place.dir, env });
    let said = '';
    joined.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
    });
    const left = new Promise((resolve) => void joined.on('close', resolve));
    const hasJoined = async () => ((await eventsOf(place, id)).some(({ type }) => type === 'run_resumed') ? true : undefined);
    await until(hasJoined, 'the other process to join');
    joined.kill('SIGINT');
    expect(await left).toBe(130);
    expect(said).toMatch(/stopped working on run_\w+; another one goes on with it/);
    expect((await runs()).runs).toMatchObject([{ status: 'running' }]);
    expect(api.underWay()).toBeGreaterThan(0);
    child.kill('SIGINT');
    const { code } = await closed;
    expect({ code, runs: (await runs()).runs }).toMatchObject({ code: 130, runs: [{ status: 'cancelled' }] });
  });

  test('who began a run leaves it to one that has joined it and has nothing to do at that moment', async () => {
    api.fallback(() => ({ type: 'silence' }));
    const { child, closed, id } = await startRun(1);
    const joined = askJson<ThinkingRun>(['resume', id], { cwd: place.dir, env });
    const hasJoined = async () => ((await eventsOf(place, id)).some(({ type }) => type === 'run_resumed') ? true : undefined);
    await until(hasJoined, 'the other process to join');
    api.fallback(reviewer);
    child.kill('SIGINT');
    expect(await closed).toMatchObject({ code: 130 });
    expect(await joined).toMatchObject({ code: 0, body: { status: 'completed', spending: { possiblyBilledTwice: 1 } } });
    expect((await eventsOf(place, id)).filter(({ type }) => type === 'run_left')).toHaveLength(1);
    expect(await replay(id)).toMatchObject({ code: 0, body: { identical: true } });
  });

  test('killed in mid-call and cancelled, it says that the call may be billed', async () => {
    api.fallback(() => ({ type: 'silence' }));
    const { child, closed, id } = await startRun(1);
    child.kill('SIGKILL');
    await closed;
    const { body } = await askJson<ThinkingRun>(['cancel', id], { cwd: place.dir, env });
    expect(body.status).toBe('cancelled');
    const shown = await askJson<ThinkingRun>(['show', id], { cwd: place.dir, env });
    expect(shown.body.spending?.possiblyBilledTwice).toBeGreaterThan(0);
    const { stdout } = await skillflow(['show', id], { cwd: place.dir, env });
    expect(stdout).toMatch(/calls? (?:was|were) in flight and may be billed/);
  });

  test('`cancel` in another process ends a call that hangs within a second', async () => {
    api.fallback(() => ({ type: 'silence' }));
    const { closed, id } = await startRun(1);
    expect(api.underWay()).toBeGreaterThan(0);
    const gone = until(() => (api.underWay() === 0 ? Date.now() : undefined), 'the call to be given up');
    const { body } = await askJson<{ status: string }>(['cancel', id, 'enough'], { cwd: place.dir });
    const asked = (await eventsOf(place, id)).find(({ type }) => type === 'cancel_asked');
    expect((await gone) - (asked?.at ?? 0)).toBeLessThan(1000);
    expect(body).toMatchObject({ status: 'cancelled', reason: 'enough' });
    const { code, stdout } = await closed;
    expect({ code, answer: JSON.parse(stdout) }).toMatchObject({ code: 130, answer: { status: 'cancelled' } });
    expect((await runs()).runs).toMatchObject([{ status: 'cancelled', reason: 'enough' }]);
    expect(await resume(id)).toMatchObject({ code: 1, body: { error: { code: 'conflict' } } });
  });

  test('killed in mid-call, only that call is repeated, and marked as possibly billed twice', async () => {
    api.fallback((request) => (isJudging(request) ? reviewer(request) : { type: 'silence' }));
    const { child, closed, id } = await startRun(1);
    const isAlone = async () => (stepsOf(await eventsOf(place, id), 'step_completed').length >= 4 ? true : undefined);
    await until(isAlone, 'all but the hanging call to end');
    child.kill('SIGKILL');
    await closed;
    const before = await eventsOf(place, id);
    expect((await runs()).runs).toMatchObject([{ status: 'interrupted' }]);
    api.fallback(reviewer);
    const { code, body } = await resume(id);
    expect({ code, status: body.status }).toEqual({ code: 0, status: 'completed' });
    expect(body.spending).toMatchObject({ possiblyBilledTwice: 1 });
    const after = await eventsOf(place, id);
    const twice = after.filter((event) => event['possiblyBilledTwice'] === true);
    expect(twice.map(({ stepId }) => stepId)).toEqual([PAID[0]]);
    const done = new Set(stepsOf(before, 'step_completed'));
    expect(stepsOf(after.slice(before.length), 'step_started').filter((step) => done.has(step))).toEqual([]);
    expect(report(id, 'report.md')).toMatch(/1 attempt .*possibly billed twice/);
    expect(await replay(id)).toMatchObject({ code: 0, body: { identical: true } });
  });

  test('a model that fails is asked again; one that goes on failing is reported, and the rest stands', async () => {
    api.fallback(() => ({ type: 'status', status: 400, message: 'no such model' }));
    const { code, body } = await run(place, env, '--provider', 'anthropic');
    expect({ code, status: body.status }).toEqual({ code: 0, status: 'completed' });
    expect(body.notLookedAt.join()).toMatch(/design-reviewer failed: .*no such model/);
    expect(body.topFindings.length).toBeGreaterThan(0);
  });

  test('steps are done again from one on, and what they reported before is gone', async () => {
    const { body: first } = await run(place, env, '--provider', 'anthropic');
    const asked = api.requests.length;
    api.fallback((request) =>
      isJudging(request) ? reviewer(request) : { type: 'answer', answer: { findings: [], text: '', confidence: 1, notes: [] } },
    );
    const { code, body } = await askJson<ThinkingRun>(['retry', first.runId, '--from', PAID[0] ?? ''], { cwd: place.dir, env });
    expect({ code, status: body.status }).toEqual({ code: 0, status: 'completed' });
    expect(api.requests.length).toBe(asked + 1); // who judges sees what others found
    expect(body.topFindings.map(({ rule }) => rule)).not.toContain('model/mixed-duties');
    expect(await replay(first.runId)).toMatchObject({ code: 0, body: { identical: true } });
  });
});

describe('claude-cli', () => {
  const answer = { findings: [], text: 'fine', confidence: 1, notes: [], ballots: [] };

  test('the claude on PATH thinks, and its costs are counted', async () => {
    const claude = await installFakeClaude(join(place.dir, '..', 'claude'), { mode: 'answer', answer });
    const { code, body } = await run(place, { PATH: claude.path }, '--provider', 'claude-cli');
    expect({ code, status: body.status, provider: body.provider }).toEqual({
      code: 0,
      status: 'completed',
      provider: 'claude-cli',
    });
    expect(claude.calls()).toHaveLength(2);
    expect(body.spending).toMatchObject({ costUsd: 0.5 });
    for (const { input } of claude.calls()) expect(input).not.toContain(SECRET);
    expect(await replay(body.runId)).toMatchObject({ body: { identical: true } });
  });

  test('where it is found and not asked for, it is named and not started', async () => {
    const claude = await installFakeClaude(join(place.dir, '..', 'claude'), { mode: 'answer', answer });
    const { body } = await run(place, { PATH: claude.path });
    expect(body.notLookedAt.join()).toMatch(/claude is on PATH \(--provider claude-cli would use it\)/);
    expect(claude.calls()).toHaveLength(0);
  });

  test('one that is not there is refused at once', async () => {
    const { code, stderr } = await skillflow(['run', 'code-review-swarm', '--last', '1', '--provider', 'claude-cli'], {
      cwd: place.dir,
    });
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/claude-cli cannot be used here[\s\S]*Install Claude Code/),
    });
    expect((await runs()).total).toBe(0);
  });

  test('a cancelled run leaves no process of it behind', async () => {
    const claude = await installFakeClaude(join(place.dir, '..', 'claude'), { mode: 'hang' });
    const child = startSkillflow(['run', 'code-review-swarm', '--last', '1', '--provider', 'claude-cli', '--json'], {
      cwd: place.dir,
      env: { PATH: claude.path },
    });
    const closed = new Promise<number | null>((resolve) => void child.on('close', resolve));
    await until(() => (claude.hangs() ? true : undefined), 'claude to hang');
    const id = (await runs()).runs[0]?.runId ?? '';
    await askJson(['cancel', id], { cwd: place.dir });
    expect(await closed).toBe(130);
    await until(() => (claude.alive().length === 0 ? true : undefined), 'its processes to end');
  });

  test.each(['resume', 'cancel'])('one that outlived a killed Skillflow is ended by %s', async (verb) => {
    const claude = await installFakeClaude(join(place.dir, '..', 'claude'), { mode: 'hang' });
    const child = startSkillflow(['run', 'code-review-swarm', '--last', '1', '--provider', 'claude-cli', '--json'], {
      cwd: place.dir,
      env: { PATH: claude.path },
    });
    const closed = new Promise((resolve) => void child.on('close', resolve));
    await until(() => (claude.hangs() ? true : undefined), 'claude to hang');
    const id = (await runs()).runs[0]?.runId ?? '';
    const isKnown = async () => ((await eventsOf(place, id)).some(({ type }) => type === 'child_started') ? true : undefined);
    await until(isKnown, 'the journal to know of it');
    child.kill('SIGKILL');
    await closed;
    const orphans = claude.alive();
    expect(orphans.length).toBeGreaterThan(0);
    await claude.set({ mode: 'answer', answer });
    const { body } = await askJson<ThinkingRun>([verb, id], { cwd: place.dir, env: { PATH: claude.path } });
    expect(body.status).toBe(verb === 'resume' ? 'completed' : 'cancelled');
    await until(() => (claude.alive().length === 0 ? true : undefined), 'the orphans to end');
  });
});
