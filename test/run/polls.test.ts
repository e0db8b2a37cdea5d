import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConflictError, InvalidInputError, NotFoundError } from '../../src/errors.ts';
import { createPolls } from '../../src/run/polls.ts';
import type { NewPoll, Polls } from '../../src/run/polls.ts';
import { createSwarms } from '../../src/run/swarms.ts';
import { createRuntime } from '../../src/runtime.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../helpers/databases.ts';

const clock = { now: 1_700_000_000_000 };
const runtime = { ...createRuntime('silent'), now: () => clock.now };
const THREE: NewPoll = { question: 'ship it?', options: ['yes', 'no'], rule: 'majority', voters: ['ada', 'bob', 'cy'] };

let dir: string;
let db: Database;
/** A second connection, as another process has one. */
let other: Database;
let polls: Polls;

beforeEach(async () => {
  clock.now = 1_700_000_000_000;
  dir = await mkdtemp(join(tmpdir(), 'skillflow-polls-'));
  db = await openTestDatabase(join(dir, 'a.db'), { runtime });
  other = await openTestDatabase(join(dir, 'a.db'), { runtime });
  polls = createPolls({ db, runtime });
});
afterEach(async () => {
  await db.close();
  await other.close();
  await rm(dir, { recursive: true });
});

const rows = async (table: string): Promise<number> => Number((await other.get(`SELECT count(*) AS n FROM ${table}`))?.['n']);
const vote = (pollId: string, voter: string, choice: string) => polls.cast({ pollId, voter, choice, reason: 'so' });

describe('a vote', () => {
  test('is secret until the last ballot closes it, and keeps the dissent', async () => {
    const { pollId } = await polls.open(THREE);
    await vote(pollId, 'ada', 'yes');
    const open = await vote(pollId, 'bob', 'no');
    expect(open).toMatchObject({ status: 'open', voted: 2, ballots: null, result: null });
    expect(await createPolls({ db: other, runtime }).status(pollId)).toMatchObject({ voted: 2, ballots: null, result: null });
    const closed = await vote(pollId, 'cy', 'yes');
    expect(closed).toMatchObject({ status: 'closed', result: { outcome: 'decided', winner: 'yes', abstains: 0 } });
    expect(closed.result?.counts).toStrictEqual([
      { option: 'yes', count: 2 },
      { option: 'no', count: 1 },
    ]);
    const row = await other.get('SELECT status, result FROM poll WHERE id = ?', [pollId]);
    expect(JSON.parse(String(row?.['result']))).toStrictEqual(closed.result);
    const seen = await createPolls({ db: other, runtime }).status(pollId);
    expect(seen).toStrictEqual(closed);
    expect(seen.ballots?.map(({ voter, choices }) => [voter, choices])).toStrictEqual([
      ['ada', ['yes']],
      ['bob', ['no']],
      ['cy', ['yes']],
    ]);
  });

  test('a tie and a missing quorum are outcomes', async () => {
    const tie = await polls.open({ ...THREE, voters: ['ada', 'bob'] });
    await vote(tie.pollId, 'ada', 'yes');
    expect((await vote(tie.pollId, 'bob', 'no')).result).toMatchObject({ outcome: 'tie', winner: null });
    const few = await polls.open({ ...THREE, quorum: 2 });
    await vote(few.pollId, 'ada', 'yes');
    expect((await polls.close(few.pollId)).result).toMatchObject({ outcome: 'no_quorum', winner: null });
    const none = await polls.open(THREE);
    expect((await polls.close(none.pollId)).result).toMatchObject({ outcome: 'no_quorum', winner: null });
  });

  test('is decided once: closing it again changes nothing', async () => {
    const { pollId } = await polls.open(THREE);
    await vote(pollId, 'ada', 'yes');
    const closed = await polls.close(pollId);
    clock.now += 5000;
    expect(await createPolls({ db: other, runtime }).close(pollId)).toStrictEqual(closed);
  });

  test('ends at its time, also for who only reads', async () => {
    const { pollId } = await polls.open({ ...THREE, closesInMs: 1000 });
    await vote(pollId, 'ada', 'no');
    clock.now += 999;
    expect((await polls.status(pollId)).status).toBe('open');
    clock.now += 1;
    await expect(vote(pollId, 'bob', 'yes')).rejects.toThrow(/is closed/);
    const readOnly = createPolls({
      db: { ...other, readOnly: true, all: (...a) => other.all(...a), get: (...a) => other.get(...a) },
      runtime,
    });
    const seen = await readOnly.status(pollId);
    expect(seen).toMatchObject({ status: 'closed', result: { outcome: 'decided', winner: 'no' } });
    expect(await other.get('SELECT status FROM poll')).toMatchObject({ status: 'open' });
    clock.now += 60_000;
    expect(await polls.status(pollId)).toStrictEqual(seen);
    expect(await other.get('SELECT status FROM poll')).toMatchObject({ status: 'closed' });
  });

  test.each([
    [
      'unanimous',
      [
        ['ada', 'yes'],
        ['bob', 'yes'],
        ['cy', 'yes'],
      ],
      { outcome: 'decided', winner: 'yes' },
    ],
    [
      'unanimous',
      [
        ['ada', 'yes'],
        ['bob', 'no'],
        ['cy', 'yes'],
      ],
      { outcome: 'tie', winner: null },
    ],
    [
      'quorum',
      [
        ['ada', 'no'],
        ['bob', 'no'],
        ['cy', 'yes'],
      ],
      { outcome: 'decided', winner: 'no' },
    ],
    [
      'judge',
      [
        ['ada', 'yes'],
        ['bob', 'yes'],
        ['cy', 'no'],
      ],
      { outcome: 'decided', winner: 'no' },
    ],
  ] as const)('rule %s %j', async (rule, ballots, result) => {
    const extra = rule === 'judge' ? { judge: 'cy' } : rule === 'quorum' ? { quorum: 2 } : {};
    const { pollId } = await polls.open({ ...THREE, rule, ...extra });
    for (const [voter, choice] of ballots) await vote(pollId, voter, choice);
    expect((await polls.status(pollId)).result).toMatchObject(result);
  });

  test('byzantine says what it bears', async () => {
    const { pollId } = await polls.open({ ...THREE, rule: 'byzantine', voters: ['a', 'b', 'c', 'd'] });
    for (const voter of ['a', 'b', 'c']) await vote(pollId, voter, 'yes');
    expect((await vote(pollId, 'd', 'no')).result).toMatchObject({
      outcome: 'decided',
      winner: 'yes',
      note: expect.stringMatching(/bears 1 faulty of 4/),
    });
  });

  test('ranked choice keeps its rounds; an abstention is a ballot', async () => {
    const { pollId } = await polls.open({
      ...THREE,
      options: ['a', 'b', 'c'],
      rule: 'ranked',
      voters: ['1', '2', '3', '4', '5', '6'],
    });
    const rankings = [['a', 'b'], ['a'], ['b', 'a'], ['b'], ['c', 'b']];
    for (const [at, ranking] of rankings.entries()) await polls.cast({ pollId, voter: String(at + 1), ranking, reason: 'so' });
    const closed = await polls.cast({ pollId, voter: '6', abstain: true, reason: 'no idea' });
    expect(closed.result).toMatchObject({ outcome: 'decided', winner: 'b', abstains: 1 });
    expect(closed.result?.rounds).toHaveLength(2);
    expect((await createPolls({ db: other, runtime }).status(pollId)).result).toStrictEqual(closed.result);
  });

  test('weights come from what turned out right before', async () => {
    for (let round = 0; round < 6; round += 1) {
      const { pollId } = await polls.open({ ...THREE, voters: ['expert', 'novice-1', 'novice-2'] });
      await vote(pollId, 'expert', 'yes');
      await vote(pollId, 'novice-1', 'no');
      await vote(pollId, 'novice-2', 'no');
      expect((await polls.settle(pollId, 'yes')).result?.right).toBe('yes');
      await expect(polls.settle(pollId, 'no')).rejects.toThrow(ConflictError);
    }
    expect(await other.all('SELECT voter, votes, correct FROM voter_record ORDER BY voter')).toMatchObject([
      { voter: 'expert', votes: 6, correct: 6 },
      { voter: 'novice', votes: 12, correct: 0 },
    ]);
    const { pollId } = await polls.open({ ...THREE, rule: 'weighted', voters: ['expert', 'novice-1', 'novice-2'] });
    await vote(pollId, 'novice-1', 'no');
    await vote(pollId, 'novice-2', 'no');
    expect((await vote(pollId, 'expert', 'yes')).result).toMatchObject({ outcome: 'decided', winner: 'yes' });
  });
});

describe('voters', () => {
  test('by default are the registered agents of the swarm', async () => {
    const swarms = createSwarms({ db, runtime });
    const { swarmId } = await swarms.create({ topology: 'star', strategy: 'auto', maxAgents: 8, config: {} });
    const agents = await swarms.spawnAgents([{ type: 'coder' }, { type: 'tester' }, { type: 'coder' }]);
    await swarms.setAgent(agents[2]?.agentId ?? '', 'stopped');
    const { voters: _none, ...rest } = THREE;
    const poll = await polls.open(rest);
    expect(poll).toMatchObject({ place: swarmId, eligible: agents.slice(0, 2).map(({ agentId }) => agentId) });
    await expect(polls.open({ ...THREE, voters: [agents[2]?.agentId ?? ''] })).rejects.toThrow(NotFoundError);
    await swarms.destroy(swarmId);
    expect(await polls.status(poll.pollId)).toMatchObject({
      status: 'closed',
      result: { outcome: 'no_quorum', note: expect.stringMatching(/destroyed/) },
    });
    await expect(polls.open({ ...rest, swarmId })).rejects.toThrow(/was destroyed/);
    await expect(polls.open(rest)).rejects.toThrow(/voters/);
  });

  test('of two connections at once: one ballot each, one result', async () => {
    const voters = Array.from({ length: 12 }, (_, at) => `v${at}`);
    const { pollId } = await polls.open({ ...THREE, voters });
    const elsewhere = createPolls({ db: other, runtime });
    const cast = voters.flatMap((voter, at) => [
      polls.cast({ pollId, voter, choice: at < 7 ? 'yes' : 'no', reason: 'one' }),
      elsewhere.cast({ pollId, voter, choice: at < 7 ? 'yes' : 'no', reason: 'two' }),
    ]);
    const settled = await Promise.allSettled(cast);
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(12);
    const reasons = settled.flatMap((one): unknown[] => (one.status === 'rejected' ? [one.reason] : []));
    for (const reason of reasons) expect(reason).toBeInstanceOf(ConflictError);
    expect(await rows('poll_ballot')).toBe(12);
    expect(await polls.status(pollId)).toMatchObject({ status: 'closed', result: { winner: 'yes' } });
  });
});

describe('refused, with nothing changed', () => {
  const open: readonly (readonly [what: string, poll: Partial<NewPoll>, error: RegExp])[] = [
    ['one option', { options: ['yes'] }, /options/],
    ['an option twice', { options: ['yes', 'yes'] }, /options/],
    ['a quorum that cannot be reached', { quorum: 4 }, /quorum/],
    ['no quorum', { rule: 'quorum' }, /quorum: is missing/],
    ['no judge', { rule: 'judge' }, /judge/],
    ['a judge elsewhere', { judge: 'ada' }, /judge/],
    ['a judge who may not vote', { rule: 'judge', judge: 'eve' }, /judge.*eve/],
    ['an unknown agent', { voters: ['agent_nope'] }, /agent_nope/],
    ['an unknown swarm', { swarmId: "x'; DROP TABLE poll; --" }, /DROP TABLE/],
  ];
  test.each(open.map(([what, poll, error]) => ({ what, poll, error })))('open: $what', async ({ poll, error }) => {
    await expect(polls.open({ ...THREE, ...poll })).rejects.toThrow(error);
    expect(await rows('poll')).toBe(0);
  });

  test('cast', async () => {
    const { pollId } = await polls.open(THREE);
    const base = { pollId, voter: 'ada', reason: 'so' };
    const bad: readonly (readonly [ballot: object, type: abstract new (...args: never) => Error])[] = [
      [{ choice: 'maybe' }, InvalidInputError],
      [{}, InvalidInputError],
      [{ choice: 'yes', abstain: true }, InvalidInputError],
      [{ ranking: ['yes'] }, InvalidInputError],
      [{ choice: 'yes', ranking: ['yes'] }, InvalidInputError],
      [{ choice: 'yes', voter: 'eve' }, InvalidInputError],
      [{ choice: 'yes', pollId: 'poll_nope' }, NotFoundError],
    ];
    for (const [ballot, type] of bad) await expect(polls.cast({ ...base, ...ballot })).rejects.toThrow(type);
    expect(await rows('poll_ballot')).toBe(0);
    await polls.cast({ ...base, choice: 'yes' });
    await expect(polls.cast({ ...base, choice: 'no' })).rejects.toThrow(/has voted/);
    expect(await other.get('SELECT ballot FROM poll_ballot')).toMatchObject({ ballot: '{"choices":["yes"],"reason":"so"}' });
    await polls.close(pollId);
    await expect(polls.cast({ ...base, voter: 'bob', choice: 'yes' })).rejects.toThrow(ConflictError);
    expect(await rows('poll_ballot')).toBe(1);
    await expect(polls.settle(pollId, 'maybe')).rejects.toThrow(/right/);
  });

  test('ranked: an option twice', async () => {
    const { pollId } = await polls.open({ ...THREE, rule: 'ranked' });
    for (const ranking of [['yes', 'yes'], ['yes', 'x'], []]) {
      await expect(polls.cast({ pollId, voter: 'ada', ranking, reason: 'so' })).rejects.toThrow(/ranking/);
    }
    await expect(polls.settle(pollId, 'yes')).rejects.toThrow(/is open/);
    expect(await rows('poll_ballot')).toBe(0);
  });
});
