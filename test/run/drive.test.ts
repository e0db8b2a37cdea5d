import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { AskRequest, AskResult } from '../../src/agent/provider.ts';
import { ConflictError, NotFoundError, UnavailableError } from '../../src/errors.ts';
import type { RunEvent } from '../../src/events.ts';
import { fold } from '../../src/run/fold.ts';
import { replay } from '../../src/run/replay.ts';
import type { SwarmSpec } from '../../src/skill/skill.ts';
import { useScratch } from '../store/scratch.ts';
import { createRunPlace } from './run-place.ts';
import type { RunPlace } from './run-place.ts';
import { EMPTY, finding, reviewing, scripted } from './run-samples.ts';

const { folder, onCleanUp } = useScratch();
const setup = async (): Promise<RunPlace> => createRunPlace(await folder(), onCleanUp);
const STEPS = ['finder', 'judge', 'critic'].flatMap((type) => [`1-work-${type}`, `2-judge-${type}`]).toSorted();
const DONE: AskResult = { status: 'completed', output: EMPTY };
const BUSY: AskResult = { status: 'failed', code: 'busy', reason: 'later', retryable: true };

const stepsOf = (events: readonly RunEvent[], type: RunEvent['type']): readonly string[] =>
  events.flatMap((event) => (event.type === type && 'stepId' in event ? [String(event.stepId)] : []));

const untilStopped = ({ signal }: AskRequest): Promise<AskResult> =>
  new Promise((resolve) => {
    const stop = (): void => resolve({ status: 'failed', code: 'cancelled', reason: 'stopped', retryable: false });
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
  });

describe('several processes', () => {
  test('share the steps of one run, each done once, and it ends once', async () => {
    const place = await setup();
    const other = await createRunPlace(place.dir, onCleanUp);
    const agents = ['finder', 'judge', 'critic'].map((type) => ({ type, count: 8, capabilities: [] }));
    const answer = async (request: AskRequest): Promise<AskResult> => {
      await new Promise((resolve) => void setTimeout(resolve, 10));
      return reviewing(request);
    };
    const [one, two] = [scripted(answer), scripted(answer)];
    const running = place.run(one, { agents, execution: { ...EXECUTION, maxConcurrent: 2 } });
    while (one.asked.length === 0) await new Promise((resolve) => void setTimeout(resolve, 2));
    const [{ runId } = { runId: '' }] = await place.runs.list({ limit: 1, offset: 0 });
    await Promise.all([running, other.resume(two, runId)]);
    expect([...one.asked, ...two.asked]).toHaveLength(48);
    expect(new Set([...one.asked, ...two.asked]).size).toBe(48);
    expect(Math.min(one.asked.length, two.asked.length)).toBeGreaterThan(0);
    const events = await place.events(runId);
    expect(events.filter(({ type }) => type === 'run_completed')).toHaveLength(1);
    expect((await replay(place.journal, place.dir, runId)).files.map(({ state }) => state)).toEqual(['same', 'same', 'same']);
  });

  test('what is under way when another has the run wait comes to its end, and nothing begins', async () => {
    const place = await setup();
    const other = await createRunPlace(place.dir, onCleanUp);
    let goOn: () => void = () => undefined;
    const mayGoOn = new Promise<void>((resolve) => (goOn = resolve));
    const provider = scripted(async (request) => {
      await mayGoOn;
      return request.signal.aborted ? untilStopped(request) : DONE;
    });
    const running = place.run(provider, { execution: { ...EXECUTION, parallel: false } });
    while (provider.asked.length === 0) await new Promise((resolve) => void setTimeout(resolve, 2));
    const [{ runId } = { runId: '' }] = await place.runs.list({ limit: 1, offset: 0 });
    const { log } = other.process(provider).store;
    await log.wait(runId, 'approval', [{ type: 'approval_asked', gate: 'spending', question: 'q' }]);
    await new Promise((resolve) => void setTimeout(resolve, 400)); // long enough to hear of it
    goOn();
    await running;
    const { state } = await place.control.look(runId);
    expect(state).toMatchObject({ status: 'running', waiting: 'approval' });
    expect(
      [...state.steps.values()]
        .map(({ status }) => status)
        .toSorted()
        .slice(0, 2),
    ).toEqual(['completed', 'waiting']);
    expect(provider.asked).toHaveLength(1);
  });

  test('a run that has ended is not resumed', async () => {
    const place = await setup();
    const runId = await place.run(scripted(reviewing));
    await expect(place.resume(scripted(reviewing), runId)).rejects.toThrow(ConflictError);
  });
});

const EXECUTION: SwarmSpec['execution'] = {
  parallel: true,
  maxConcurrent: 3,
  retry: { maxAttempts: 3, backoff: 'fixed', delayMs: 1 },
};

describe('supervision', () => {
  const supervised = (strategy: SwarmSpec['supervision']['strategy'], intensity = 5): Partial<SwarmSpec> => ({
    supervision: { strategy, intensity, periodMs: 60_000 },
    execution: EXECUTION,
  });
  /** The agent fails once all three are at work; the others work until they are stopped, the first time. */
  const failing = (type: string, hangs: readonly string[]) => {
    const atWork: string[] = [];
    return scripted(async (request) => {
      if (request.kind !== 'work' || request.attempt > 1) return DONE;
      atWork.push(request.stepId);
      if (hangs.includes(request.agent.type)) return untilStopped(request);
      while (atWork.length < 3) await new Promise((resolve) => void setTimeout(resolve, 2));
      return request.agent.type === type ? BUSY : DONE;
    });
  };

  test('one for all: who works is stopped with the one that failed, and all begin again', async () => {
    const place = await setup();
    const provider = failing('judge', ['finder', 'critic']);
    const runId = await place.run(provider, supervised('one_for_all'));
    const events = await place.events(runId);
    expect(stepsOf(events, 'step_reset').toSorted()).toEqual(['1-work-critic', '1-work-finder']);
    expect(provider.asked.toSorted()).toEqual([...STEPS, '1-work-critic', '1-work-finder', '1-work-judge'].toSorted());
    expect(fold(events).status).toBe('completed');
  });

  test('rest for one: only who began after it', async () => {
    const place = await setup();
    const runId = await place.run(failing('judge', ['critic']), supervised('rest_for_one'));
    const events = await place.events(runId);
    expect(stepsOf(events, 'step_reset')).toEqual(['1-work-critic']);
    expect(fold(events).status).toBe('completed');
  });

  test('one for one: nobody else', async () => {
    const place = await setup();
    const runId = await place.run(failing('judge', []), supervised('one_for_one'));
    expect(stepsOf(await place.events(runId), 'step_reset')).toEqual([]);
  });

  test('more restarts than it allows end the run as failed', async () => {
    const place = await setup();
    const runId = await place.run(
      scripted(({ agent }) => (agent.type === 'judge' ? BUSY : DONE)),
      supervised('one_for_one', 1),
    );
    expect((await place.events(runId)).at(-1)).toMatchObject({ type: 'run_failed', code: 'restarts' });
    expect(await place.runs.get(runId)).toMatchObject({ status: 'failed' });
  });

  test('attempts that were stopped with others are no failures of their agent', async () => {
    const place = await setup();
    let stops = 0;
    const provider = scripted(async (request) => {
      if (request.kind !== 'work' || request.agent.type === 'critic') return DONE;
      if (request.agent.type === 'judge') {
        if (stops >= 3) return DONE;
        while (provider.asked.filter((id) => id === '1-work-finder').length <= stops) {
          await new Promise((resolve) => void setTimeout(resolve, 2));
        }
        stops += 1;
        return BUSY;
      }
      // Stopped three times, and then it is busy: that is its first failure of two that are allowed.
      return request.attempt <= 3 ? untilStopped(request) : request.attempt === 4 ? BUSY : DONE;
    });
    const retry = { maxAttempts: 4, backoff: 'fixed', delayMs: 1 } as const;
    const runId = await place.run(provider, { ...supervised('one_for_all'), execution: { ...EXECUTION, retry } });
    const { steps } = fold(await place.events(runId));
    expect(steps.get('1-work-finder')).toMatchObject({ status: 'completed', attempt: 5, failures: 1 });
  });
});

test('a provider that throws fails the run, which says so, and the error reaches the caller', async () => {
  const place = await setup();
  const provider = scripted(({ agent }) => {
    if (agent.type === 'judge') throw new Error('a defect');
    return DONE;
  });
  await expect(place.run(provider)).rejects.toThrow('a defect');
  const [run] = await place.runs.list({ limit: 1, offset: 0 });
  expect(run).toMatchObject({ status: 'failed', summary: { reason: expect.stringContaining('a defect') } });
  expect((await place.events(run?.runId ?? '')).at(-1)).toMatchObject({ type: 'run_failed', code: 'internal' });
});

/** Each layer finds one thing more, which the others confirm. */
function climbing({ stepId, kind, agent, sees }: AskRequest): AskResult {
  const round = Number(stepId.split('-')[0]);
  const seen = sees.flatMap(({ output }) => output.findings);
  if (kind !== 'judge') {
    const own = agent.type === 'finder' ? [finding(`f${round}`)] : [];
    return { status: 'completed', output: { ...EMPTY, findings: [...seen.filter(({ id }) => id !== `f${round}`), ...own] } };
  }
  const subjects = [...new Set(seen.map(({ id }) => id))];
  const ballots = subjects.map((subject) => ({ subject, voter: agent.id, vote: 'confirm' as const, reason: 'r' }));
  return { status: 'completed', output: { ...EMPTY, ballots } };
}

test('a cascade grows in the journal, and another process goes on with the very same steps', async () => {
  const cascade: Partial<SwarmSpec> = { strategy: 'cascade', maxRounds: 2 };
  const whole = await setup();
  const planOf = async (place: RunPlace, runId: string) => [...(fold(await place.events(runId)).steps.values() ?? [])];
  const wholePlan = await planOf(whole, await whole.run(scripted(climbing), cascade));
  expect(wholePlan.length).toBeGreaterThan(STEPS.length);
  const shape = wholePlan.map(({ id, sees }) => ({ id, sees }));

  const place = await setup();
  const none = { tokens: null, costUsd: null, wallMs: null, steps: null };
  const budget = { run: { ...none, steps: 7 }, agent: none };
  const [first, second] = [scripted(climbing), scripted(climbing)];
  const runId = await place.run(first, { ...cascade, budget });
  expect((await place.control.look(runId)).state.waiting).toBe('budget');
  await place.control.raise(runId, { steps: 1000 });
  await (await createRunPlace(place.dir, onCleanUp)).resume(second, runId);
  const events = await place.events(runId);
  expect((await planOf(place, runId)).map(({ id, sees }) => ({ id, sees }))).toEqual(shape);
  expect([...first.asked, ...second.asked].toSorted()).toEqual(shape.map(({ id }) => id).toSorted());
  const grown = events.flatMap((event) => (event.type === 'plan_grown' ? event.steps.map(({ id }) => id) : []));
  expect(grown).toEqual(shape.slice(STEPS.length).map(({ id }) => id));
});

test('why a cascade grew no further is in its journal, its fold and its report, and is replayed', async () => {
  const stopped = (events: readonly RunEvent[]) => events.filter(({ type }) => type === 'growth_stopped');
  const place = await setup();
  const runId = await place.run(scripted(climbing), { strategy: 'cascade', maxRounds: 1, approvals: ['writing'] });
  const reason = expect.stringMatching(/^Layer 2 came to .*, up from .*: max_rounds, which is 1, allows no further layer\.$/);
  expect(stopped(await place.events(runId))).toMatchObject([{ why: 'bound', reason }]);
  await place.control.approve(runId, { approved: true, note: null });
  await (await createRunPlace(place.dir, onCleanUp)).resume(scripted(climbing), runId);
  const events = await place.events(runId);
  expect(stopped(events)).toHaveLength(1); // also when another process ends the run
  expect(fold(events)).toMatchObject({ status: 'completed', growthEnd: reason });
  expect(readFileSync(join(place.dir, '.skillflow', 'runs', runId, 'report.md'), 'utf8')).toMatch(
    /\*\*No further layer:\*\* Layer 2 came to/,
  );
  const again = await replay(place.journal, place.dir, runId);
  expect(again.report.run).toMatchObject({ growthEnd: reason });
  expect(again.files.map(({ state }) => state)).toEqual(['same', 'same', 'same']);

  await place.control.repeat(runId, '1-work-finder', false);
  await place.resume(scripted(reviewing), runId);
  await place.control.approve(runId, { approved: true, note: null });
  await place.resume(scripted(reviewing), runId);
  const last = stopped(await place.events(runId)).at(-1);
  expect(fold(await place.events(runId)).growthEnd).toBe(last?.type === 'growth_stopped' ? last.reason : null);
  expect((await replay(place.journal, place.dir, runId)).files.map(({ state }) => state)).toEqual(['same', 'same', 'same']);

  const plain = await setup();
  expect(stopped(await plain.events(await plain.run(scripted(climbing))))).toEqual([]);
});

describe('doing a step again', () => {
  test('it and what depends on it are done, all else stands; the report is made anew', async () => {
    const place = await setup();
    const runId = await place.run(scripted(reviewing));
    const before = fold(await place.events(runId));
    const learned = await place.db.all('SELECT voter, votes, correct FROM voter_record ORDER BY voter');
    expect(learned).not.toEqual([]);
    const again = scripted(reviewing);
    const steps = await place.control.repeat(runId, '1-work-judge', false);
    const expected = [...before.steps.values()].filter(({ id, sees }) => id === '1-work-judge' || sees.includes('1-work-judge'));
    expect(steps).toEqual(expected.map(({ id }) => id));
    expect(steps.length).toBeLessThan(before.steps.size);
    await place.resume(again, runId);
    expect(again.asked.toSorted()).toEqual([...steps].toSorted());
    const state = fold(await place.events(runId));
    expect(state).toMatchObject({ status: 'completed', decisions: before.decisions });
    for (const { id, attempt } of state.steps.values()) expect(attempt, id).toBe(steps.includes(id) ? 2 : 1);
    expect((await replay(place.journal, place.dir, runId)).files.map(({ state: file }) => file)).toEqual([
      'same',
      'same',
      'same',
    ]);
    expect(await place.db.all('SELECT voter, votes, correct FROM voter_record ORDER BY voter')).toEqual(learned);
    await expect(place.control.repeat(runId, 'no-such-step', false)).rejects.toThrow(NotFoundError);
    await expect(place.control.repeat(runId, '1-work-judge', true)).rejects.toThrow(ConflictError);
  });

  test('a refusal does not stand against it: the gate asks again', async () => {
    const place = await setup();
    const provider = scripted(reviewing);
    const runId = await place.run(provider, { approvals: ['writing'] });
    await place.control.approve(runId, { approved: false, note: null });
    await place.resume(provider, runId);
    expect(await place.runs.get(runId)).toMatchObject({ status: 'completed', summary: { outputs: [] } });
    await place.control.repeat(runId, '2-judge-critic', false);
    await place.resume(provider, runId);
    expect((await place.control.look(runId)).state).toMatchObject({ status: 'running', waiting: 'approval' });
  });
});

describe('replay', () => {
  test('makes the very same bytes again, and says which files are others or gone', async () => {
    const place = await setup();
    const runId = await place.run(scripted(reviewing));
    const file = (name: string): string => join(place.dir, '.skillflow', 'runs', runId, name);
    const first = await replay(place.journal, place.dir, runId);
    expect(first.files.map(({ state }) => state)).toEqual(['same', 'same', 'same']);
    for (const [name, text] of first.texts) expect(readFileSync(file(name), 'utf8')).toBe(text);
    writeFileSync(file('report.md'), `${readFileSync(file('report.md'), 'utf8')} `);
    rmSync(file('report.sarif'));
    const second = await replay(place.journal, place.dir, runId);
    expect(Object.fromEntries(second.files.map(({ path, state }) => [path.split('/').at(-1), state]))).toEqual({
      'report.md': 'different',
      'report.sarif': 'missing',
      'report.json': 'same',
    });
    expect(second.texts).toEqual(first.texts);
  });

  test('is refused without such a run, and for one that did not complete', async () => {
    const place = await setup();
    await expect(replay(place.journal, place.dir, 'run_none')).rejects.toThrow(NotFoundError);
    const runId = await place.run(scripted(() => ({ ...BUSY, retryable: false })));
    await expect(replay(place.journal, place.dir, runId)).rejects.toThrow(UnavailableError);
  });
});

test('the journal of an earlier version is read; it has no report to make again', async () => {
  const place = await setup();
  await place.db.run(
    `INSERT INTO run(id, skill, task, status, provider, created_at) VALUES ('run_old', 's', 't', 'completed', 'local', 1)`,
  );
  const ref = { stepId: '2-judge-code-critic', agentId: 'code-critic' };
  const decision = {
    subject: 'f',
    rule: 'majority',
    outcome: 'tie',
    confirms: 0,
    rejects: 0,
    abstains: 0,
    quorum: 1,
    eligible: 0,
  };
  const bodies: readonly (readonly [string, object])[] = [
    [
      'run_started',
      { skill: 's', task: 't', provider: 'local', topology: 'mesh', agents: [], steps: [ref.stepId], files: 1, skipped: 0 },
    ],
    ['step_started', { ...ref, attempt: 1 }],
    ['finding_reported', { agentId: 'code-critic', finding: finding('f') }],
    ['ballot_cast', { ballot: { subject: 'f', voter: 'code-critic', vote: 'abstain', reason: 'r' } }],
    ['note_added', { agentId: null, note: { code: 'c', message: 'm' } }],
    ['step_completed', { ...ref, durationMs: 5, findings: 1, ballots: 1 }],
    ['decision_made', { decision }],
    ['run_completed', { durationMs: 9, confirmed: 0, rejected: 0, undecided: 1, outputs: [] }],
  ];
  for (const [at, [type, body]] of bodies.entries()) {
    await place.db.run(`INSERT INTO event(run_id, seq, type, at, body) VALUES ('run_old', ?, ?, ?, ?)`, [
      at + 1,
      type,
      at,
      JSON.stringify(body),
    ]);
  }
  const state = fold(await place.events('run_old'));
  expect(state).toMatchObject({ status: 'completed', started: { strategy: 'plan' }, decisions: [decision] });
  expect(state.steps.get(ref.stepId)).toMatchObject({ agentId: 'code-critic', kind: 'judge', round: 2, status: 'completed' });
  await expect(replay(place.journal, place.dir, 'run_old')).rejects.toThrow(/earlier version|no report/);
  await expect(place.resume(scripted(reviewing), 'run_old')).rejects.toThrow(NotFoundError);
});
