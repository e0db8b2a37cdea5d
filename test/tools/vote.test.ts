import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { bundleProgram } from '../helpers/bundle-program.ts';
import type { BundledProgram } from '../helpers/bundle-program.ts';
import { start } from '../store/scratch.ts';
import { createToolCalls } from './tool-calls.ts';
import type { ToolCalls } from './tool-calls.ts';

let voter: BundledProgram;
let calls: ToolCalls;
beforeAll(async () => {
  voter = await bundleProgram(new URL('voting-process.ts', import.meta.url).pathname);
});
afterAll(() => voter.remove());
beforeEach(async () => {
  calls = await createToolCalls();
});
afterEach(() => calls[Symbol.asyncDispose]());

const open = (input: object): Promise<Readonly<Record<string, unknown>>> =>
  calls.output('vote_open', { question: 'ship it?', ...input });

test('ballots are secret until the vote closes; then dissent comes first', async () => {
  const { pollId } = await open({ voters: ['ada', 'bob', 'cy'] });
  await calls.output('vote_cast', { pollId, voter: 'ada', choice: 'yes', reason: 'good' });
  const seen = await calls.output('vote_cast', { pollId, voter: 'bob', choice: 'no', reason: 'SECRET' });
  expect(seen).toMatchObject({ status: 'open', voted: 2, eligible: 3, result: null, ballots: null });
  expect(JSON.stringify([seen, await calls.output('decision_status', { pollId })])).not.toMatch(/SECRET|good/);
  await calls.app.restart();
  await calls.output('vote_cast', { pollId, voter: 'cy', choice: 'yes', reason: 'fine' });
  const closed = await calls.output('decision_status', { pollId });
  expect(closed).toMatchObject({
    status: 'closed',
    result: { outcome: 'decided', winner: 'yes' },
    ballots: [
      { voter: 'bob', choices: ['no'], reason: 'SECRET', dissents: true },
      { voter: 'ada', dissents: false },
      { voter: 'cy', dissents: false },
    ],
  });
  expect(await calls.raw('SELECT status FROM poll')).toMatchObject([{ status: 'closed' }]);
  expect(await calls.output('decision_status', { pollId, limit: 1 })).toMatchObject({ voted: 3, ballots: [{ voter: 'bob' }] });
  expect(await calls.text('decision_status', { pollId })).toMatch(/winner +yes[\s\S]*bob +no +dissents +SECRET/);
});

test('late, duplicate, foreign ballots and no option are refused', async () => {
  const { pollId } = await open({ voters: ['ada', 'bob'], closesInMs: 1000 });
  const cast = (input: object) => calls.app.call('vote_cast', { pollId, voter: 'ada', choice: 'yes', reason: 'r', ...input });
  expect(await cast({ choice: 'maybe' })).toMatchObject({
    ok: false,
    error: { code: 'invalid_input', message: expect.stringMatching(/maybe/) },
  });
  expect(await cast({ voter: 'eve' })).toMatchObject({ ok: false, error: { code: 'invalid_input' } });
  expect(await cast({})).toMatchObject({ ok: true });
  expect(await cast({ choice: 'no' })).toMatchObject({ ok: false, error: { code: 'conflict' } });
  calls.now += 1000;
  expect(await cast({ voter: 'bob' })).toMatchObject({ ok: false, error: { code: 'conflict' } });
  expect(await calls.raw('SELECT voter, ballot FROM poll_ballot')).toStrictEqual([
    { voter: 'ada', ballot: '{"choices":["yes"],"reason":"r"}' },
  ]);
});

test('vote_close decides with what is there; vote_settle counts who was right, once', async () => {
  const { pollId } = await open({ voters: ['coder-1', 'coder-2', 'tester'] });
  await calls.output('vote_cast', { pollId, voter: 'coder-1', choice: 'no', reason: 'r' });
  await calls.output('vote_cast', { pollId, voter: 'coder-2', abstain: true, reason: 'r' });
  expect(await calls.output('vote_close', { pollId })).toMatchObject({ result: { winner: 'no', abstains: 1 } });
  expect(await calls.output('vote_settle', { pollId, right: 'no' })).toMatchObject({ result: { right: 'no' } });
  expect(await calls.app.call('vote_settle', { pollId, right: 'no' })).toMatchObject({ ok: false, error: { code: 'conflict' } });
  expect(await calls.raw('SELECT voter, votes, correct FROM voter_record')).toStrictEqual([
    { voter: 'coder', votes: 1, correct: 1 },
  ]);
});

test('a vote in a run is among its agents', async () => {
  await calls.output('swarm_create', {});
  await calls.raw(
    "INSERT INTO run(id, skill, task, status, provider, created_at) VALUES ('run_abc', 's', 't', 'running', 'host', 1)",
  );
  await calls.raw(
    "INSERT INTO run(id, skill, task, status, provider, created_at) VALUES ('run_empty', 's', 't', 'running', 'host', 1)",
  );
  for (const agent of ['coder-1', 'coder-2', 'coder-1'].entries()) {
    await calls.raw("INSERT INTO step(run_id, id, agent_id, kind, status) VALUES ('run_abc', ?, ?, 'work', 'waiting')", [
      ...agent,
    ]);
  }
  expect(await open({ runId: 'run_abc' })).toMatchObject({ place: 'run_abc', eligible: 2 });
  expect(await open({ runId: 'run_abc', voters: ['coder-2'] })).toMatchObject({ eligible: 1 });
  expect(await calls.raw('SELECT DISTINCT place FROM poll')).toStrictEqual([{ place: 'run_abc' }]);
  for (const [input, message] of [
    [{ runId: 'run_nope' }, /run_nope/],
    [{ runId: 'run_empty' }, /no agents/],
    [{ runId: 'run_abc', voters: ['eve'] }, /eve/],
    [{ runId: 'run_abc', swarmId: 'swarm_x' }, /not in both/],
  ] as const) {
    const refused = await calls.app.call('vote_open', { question: 'q', ...input });
    expect(refused).toMatchObject({ ok: false, error: { message: expect.stringMatching(message) } });
  }
  expect(await calls.raw('SELECT count(*) AS n FROM poll')).toStrictEqual([{ n: 2 }]);
});

test('several processes vote at once: a ballot each, closed once, all see one result', { timeout: 60_000 }, async () => {
  const voters = Array.from({ length: 24 }, (_, at) => `v${at}`);
  const { pollId } = await open({ voters });
  const outcomes = await Promise.all(
    ['yes', 'no', 'yes'].map((choice) =>
      start(process.execPath, [voter.path, calls.app.location, String(pollId), choice, ...voters]),
    ),
  );
  expect(outcomes.map(({ code, stderr }) => ({ code, stderr }))).toStrictEqual(outcomes.map(() => ({ code: 0, stderr: '' })));
  const lines = outcomes.flatMap((one) => one.lines);
  expect(lines.filter((line) => line.startsWith('cast'))).toHaveLength(24);
  expect(lines.filter((line) => line === 'conflict')).toHaveLength(48);
  expect(lines.filter((line) => line === 'cast closed')).toHaveLength(1);
  expect(await calls.raw('SELECT count(*) AS n FROM poll_ballot')).toStrictEqual([{ n: 24 }]);
  expect(await calls.output('decision_status', { pollId })).toMatchObject({ status: 'closed', voted: 24 });
});

test('votes are listed, the newest first, without their ballots', async () => {
  expect(await calls.output('decision_status', {})).toEqual({ votes: [], total: 0 });
  const ids = [];
  for (const question of ['first?', 'second?']) {
    calls.now += 10;
    ids.push((await calls.output('vote_open', { question, voters: ['ann', 'bob'] }))['pollId']);
  }
  await calls.output('vote_cast', { pollId: ids[0], voter: 'ann', choice: 'yes', reason: 'SECRET' });
  await calls.output('vote_close', { pollId: ids[0] });
  const listed = await calls.output('decision_status', { limit: 1 });
  expect(listed).toMatchObject({ total: 2, votes: [{ pollId: ids[1], status: 'open', outcome: null, winner: null }] });
  expect(await calls.output('decision_status', {})).toMatchObject({ votes: [{}, { pollId: ids[0], winner: 'yes' }] });
  expect(await calls.text('decision_status', {})).toMatch(/second\?[\s\S]*first\?/);
});

test('a voter named twice is refused', async () => {
  const result = await calls.app.call('vote_open', { question: 'q?', voters: ['a', 'b', 'a'] });
  expect(result).toMatchObject({
    ok: false,
    error: { code: 'invalid_input', message: expect.stringMatching(/"a" stands in it twice/) },
  });
  expect(await calls.raw('SELECT id FROM poll')).toEqual([]);
});
