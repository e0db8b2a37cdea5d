import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRuntime } from '../../src/runtime.ts';
import { allTools } from '../../src/tools/all-tools.ts';
import { openLocation } from '../helpers/open-location.ts';
import { createTestApp } from '../helpers/test-app.ts';
import { HUGE, testBadCalls } from './bad-calls.ts';
import type { BadCall } from './bad-calls.ts';
import { createToolCalls } from './tool-calls.ts';
import type { ToolCalls } from './tool-calls.ts';

const HOSTILE = "x'); DROP TABLE agent; --";
let calls: ToolCalls;
let swarmId: string;
beforeEach(async () => {
  calls = await createToolCalls();
  swarmId = String((await calls.output('swarm_create', { maxAgents: 5 }))['swarmId']);
});
afterEach(() => calls[Symbol.asyncDispose]());

const spawn = async (type: string): Promise<string> => String((await calls.output('agent_spawn', { type }))['agentId']);
const agents = (): Promise<unknown> => calls.raw('SELECT type, name, status FROM agent ORDER BY rowid');
const everything = async (): Promise<unknown> => {
  await using db = await openLocation(calls.app.location, { runtime: createRuntime('silent') });
  return await db.all(
    `SELECT (SELECT group_concat(id || status || topology) FROM swarm) AS swarms, (SELECT group_concat(id || status) FROM agent) AS agents,
      (SELECT count(*) FROM message) AS messages, (SELECT group_concat(message_id || ifnull(acked_at, '-')) FROM delivery) AS mail,
      (SELECT group_concat(id || status) FROM poll) AS polls, (SELECT count(*) FROM poll_ballot) AS ballots, (SELECT count(*) FROM voter_record) AS records`,
  );
};

describe('size', () => {
  test('swarm_scale spawns up to the size and stops the newest down to it', async () => {
    const grown = await calls.output('swarm_scale', { targetSize: 3, type: 'coder' });
    expect(grown).toMatchObject({ swarmId, before: 0, after: 3, spawned: [{}, {}, {}], stopped: [] });
    expect(await agents()).toMatchObject([
      { type: 'coder', name: 'coder-1', status: 'registered' },
      { name: 'coder-2' },
      { name: 'coder-3' },
    ]);
    await spawn('tester');
    expect(await calls.output('swarm_scale', { targetSize: 5 })).toMatchObject({
      before: 4,
      spawned: [{ type: 'tester', name: 'tester-5' }],
    });
    expect(await calls.output('swarm_scale', { targetSize: 1, type: 'coder' })).toMatchObject({
      before: 3,
      after: 1,
      stopped: [{ name: 'coder-2', status: 'stopped' }, { name: 'coder-3' }],
    });
    expect(await calls.output('swarm_scale', { targetSize: 0 })).toMatchObject({ after: 0 });
    expect(await calls.raw("SELECT count(*) AS n FROM agent WHERE status = 'stopped'")).toMatchObject([{ n: 5 }]);
    expect(await calls.output('swarm_status', {})).toMatchObject({ agents: { stopped: 5 } });
    expect(await calls.output('swarm_scale', { targetSize: 5, type: 'analyst' })).toMatchObject({ after: 5 });
  });

  test('agent_spawn_many is all or none', async () => {
    const made = await calls.output('agent_spawn_many', {
      agents: [{ type: 'coder', name: 'Ada', capabilities: ['x'] }, { type: 'tester' }],
    });
    expect(made).toMatchObject({ swarmId, agents: [{ name: 'Ada', capabilities: ['x'] }, { name: 'tester-2' }] });
    const many = Array.from({ length: 4 }, () => ({ type: 'coder' }));
    expect(await calls.app.call('agent_spawn_many', { agents: many })).toMatchObject({ ok: false, error: { code: 'conflict' } });
    expect(await agents()).toHaveLength(2);
  });

  test('agent_stop frees a place, agent_start takes one', async () => {
    const first = await spawn('coder');
    for (let n = 1; n < 5; n += 1) await spawn('coder');
    expect(await calls.output('agent_stop', { agentId: first })).toMatchObject({
      status: 'stopped',
      previousStatus: 'registered',
    });
    expect(await calls.output('agent_stop', { agentId: first })).toMatchObject({ status: 'stopped', previousStatus: 'stopped' });
    expect(await calls.raw("SELECT id FROM agent WHERE status = 'stopped'")).toMatchObject([{ id: first }]);
    const other = await spawn('tester');
    expect(await calls.app.call('agent_start', { agentId: first })).toMatchObject({ ok: false, error: { code: 'conflict' } });
    await calls.output('agent_stop', { agentId: other });
    expect(await calls.output('agent_start', { agentId: first })).toMatchObject({
      status: 'registered',
      previousStatus: 'stopped',
    });
  });
});

describe('the end of a swarm', () => {
  test('stops agents, closes votes, asks runs to end', async () => {
    const agentId = await spawn('coder');
    const { pollId } = await calls.output('vote_open', { question: 'q' });
    const run = 'INSERT INTO run(id, skill, task, status, provider, created_at, swarm_id) VALUES (?, ?, ?, ?, ?, 1, ?)';
    await calls.raw(run, ['run_going', 's', 't', 'running', 'local', swarmId]);
    await calls.raw(run, ['run_done', 's', 't', 'completed', 'local', swarmId]);
    await calls.raw(run, ['run_other', 's', 't', 'running', 'local', 'swarm_other']);
    expect(await calls.output('swarm_destroy', { swarmId })).toMatchObject({
      status: 'destroyed',
      agentsStopped: [agentId],
      votesClosed: [pollId],
      runsCancelled: ['run_going'],
    });
    expect(await calls.raw('SELECT status FROM swarm')).toMatchObject([{ status: 'destroyed' }]);
    expect(await calls.raw('SELECT id FROM run WHERE cancel_asked_at IS NOT NULL')).toMatchObject([{ id: 'run_going' }]);
    expect(await calls.output('decision_status', { pollId })).toMatchObject({
      status: 'closed',
      result: { outcome: 'no_quorum' },
    });
    await calls.app.restart();
    expect(await calls.output('swarm_status', { swarmId })).toMatchObject({ status: 'destroyed', agents: { stopped: 1 } });
    for (const [tool, input] of [
      ['swarm_destroy', { swarmId }],
      ['agent_spawn', { type: 'coder', swarmId }],
      ['swarm_scale', { targetSize: 1, type: 'coder', swarmId }],
      ['agent_start', { agentId }],
      ['agent_message', { to: 'all', message: 'x', swarmId }],
    ] as const) {
      expect(await calls.app.call(tool, input), tool).toMatchObject({ ok: false, error: { code: 'not_found' } });
    }
  });
});

describe('looking at a swarm', () => {
  test('swarm_monitor samples real counters', async () => {
    const agentId = await spawn('coder');
    await calls.output('agent_message', { to: agentId, message: 'hello' });
    const seen = await calls.output('swarm_monitor', { samples: 2, intervalMs: 10 });
    expect(seen).toMatchObject({
      swarmId,
      status: 'active',
      samples: [{ agents: { registered: 1 }, tasks: {}, runs: {}, votes: {}, openMessages: 1 }, { openMessages: 1 }],
    });
  });

  test('swarm_topology compares plans, and sets one', async () => {
    for (const type of ['coder', 'tester', 'reviewer', 'coder']) await spawn(type);
    const compared = await calls.output('swarm_topology', {});
    expect(compared).toMatchObject({
      topology: 'star',
      agents: 4,
      changed: false,
      plans: [
        { topology: 'star', criticalPath: 2, messages: 3, steps: 4, widest: 3 },
        { topology: 'hierarchy', criticalPath: 2, messages: 3 },
        { topology: 'ring', criticalPath: 4, messages: 3, widest: 1 },
        { topology: 'mesh', criticalPath: 2, messages: 12, steps: 8 },
      ],
    });
    expect(compared['reason']).toMatch(/./);
    expect(await calls.output('swarm_topology', { set: 'mesh' })).toMatchObject({ topology: 'mesh', changed: true });
    expect(await calls.raw('SELECT topology FROM swarm')).toMatchObject([{ topology: 'mesh' }]);
  });

  test('swarm_sync decides what is due', async () => {
    const agentId = await spawn('coder');
    const { pollId } = await calls.output('vote_open', { question: 'q', closesInMs: 500 });
    await calls.output('agent_message', { to: agentId, message: 'hello' });
    expect(await calls.output('swarm_sync', {})).toMatchObject({ votesClosed: [], votes: { open: 1 }, openMessages: 1 });
    calls.now += 500;
    expect(await calls.output('swarm_sync', {})).toMatchObject({ votesClosed: [pollId], votes: { closed: 1 } });
    expect(await calls.raw('SELECT status FROM poll')).toMatchObject([{ status: 'closed' }]);
  });
});

describe('mail', () => {
  test('stays until it is acknowledged, over a restart', async () => {
    const [ada, bob] = [await spawn('coder'), await spawn('tester')];
    const sent = await calls.output('agent_message', { to: bob, message: HOSTILE, from: ada });
    expect(sent).toMatchObject({ swarmId, from: ada, address: `agent:${bob}`, recipients: [bob] });
    expect(await calls.raw('SELECT body FROM message')).toMatchObject([{ body: HOSTILE }]);
    await calls.app.restart();
    const first = await calls.output('agent_inbox', { agentId: bob });
    expect(first).toMatchObject({ messages: [{ messageId: sent['messageId'], from: ada, message: HOSTILE, readAt: null }] });
    expect(await calls.output('agent_inbox', { agentId: bob, unreadOnly: true })).toMatchObject({ messages: [] });
    expect(await calls.output('agent_inbox', { agentId: ada })).toMatchObject({ messages: [] });
    expect(await calls.output('agent_inbox', { agentId: bob, ack: [sent['messageId']] })).toMatchObject({
      acked: 1,
      messages: [],
    });
    expect(await calls.raw('SELECT count(*) AS n FROM delivery WHERE acked_at IS NULL')).toMatchObject([{ n: 0 }]);
  });

  test('to a name, a role, all; a broadcast of an agent goes along the topology', async () => {
    const hub = await spawn('coordinator');
    const [one, two] = [await spawn('coder'), await spawn('coder')];
    const to = async (word: string, from = 'user'): Promise<unknown> =>
      (await calls.output('agent_message', { to: word, message: 'm', from }))['recipients'];
    expect(await to('coder-2')).toStrictEqual([one]);
    expect(await to('coder')).toStrictEqual([one, two]);
    expect([await to('coordinator'), await to('planner')]).toStrictEqual([[hub], [hub]]); // planners are coordinators
    expect(await to('all')).toStrictEqual([hub, one, two]);
    expect(await to('all', one)).toStrictEqual([hub]);
    expect(await to('all', hub)).toStrictEqual([one, two]);
    await calls.output('swarm_topology', { set: 'mesh' });
    expect(await to('all', one)).toStrictEqual([hub, two]);
  });
});

describe('agent_metrics', () => {
  test('is empty where nothing is recorded', async () => {
    expect(await calls.output('agent_metrics', {})).toStrictEqual({ agents: [], total: 0, offset: 0 });
    const agentId = await spawn('coder');
    expect(await calls.output('agent_metrics', { agentId })).toStrictEqual({
      agents: [
        {
          agentId,
          role: 'coder',
          swarmId,
          status: 'registered',
          steps: {},
          retries: 0,
          usage: null,
          ballots: 0,
          openMessages: 0,
          lastActivityAt: null,
          durationMs: null,
          accuracy: null,
        },
      ],
      total: 1,
      offset: 0,
    });
  });

  test('adds up steps, spending, ballots and mail', async () => {
    await calls.raw(
      "INSERT INTO run(id, skill, task, status, provider, created_at) VALUES ('run_1', 's', 't', 'completed', 'local', 1)",
    );
    const step = `INSERT INTO step(run_id, id, agent_id, kind, round, status, attempt, started_at, ended_at) VALUES ('run_1', ?, ?, 'work', 1, ?, ?, ?, ?)`;
    await calls.raw(step, ['a', 'reviewer-1', 'completed', 1, 1000, 1100]);
    await calls.raw(step, ['b', 'reviewer-1', 'completed', 3, 1000, 1300]);
    await calls.raw(step, ['c', 'reviewer-1', 'failed', 2, 1000, 1500]);
    await calls.raw(step, ['d', 'tester', 'completed', 1, 1000, 1010]);
    const spend = `INSERT INTO spend(run_id, step_id, agent_id, at, provider, model, input_tokens, output_tokens, cost_usd) VALUES ('run_1', 'a', 'reviewer-1', 2000, 'p', 'm', 100, 20, `;
    await calls.raw(`${spend}0.5)`);
    await calls.raw(`${spend}NULL)`);
    await calls.raw(
      `INSERT INTO event(run_id, seq, type, at, body) VALUES ('run_1', 1, 'ballot_cast', 3000, '{"ballot":{"voter":"reviewer-1","vote":"confirm"}}')`,
    );
    await calls.raw("INSERT INTO voter_record(voter, votes, correct) VALUES ('reviewer', 4, 3)");
    const reviewer = {
      agentId: 'reviewer-1',
      role: 'reviewer',
      swarmId: null,
      status: null,
      steps: { completed: 2, failed: 1 },
      retries: 3,
      durationMs: { total: 900, mean: 300, max: 500 },
      usage: { requests: 2, inputTokens: 200, outputTokens: 40, costUsd: 0.5, unpricedAttempts: 1 },
      ballots: 1,
      accuracy: { votes: 4, correct: 3 },
      lastActivityAt: new Date(3000).toISOString(),
    };
    expect(await calls.output('agent_metrics', {})).toMatchObject({
      total: 2,
      agents: [reviewer, { agentId: 'tester', usage: null }],
    });
    expect(await calls.output('agent_metrics', { role: 'reviewer', runId: 'run_1' })).toMatchObject({
      total: 1,
      agents: [reviewer],
    });
    expect(await calls.output('agent_metrics', { limit: 1, offset: 1 })).toMatchObject({
      total: 2,
      agents: [{ agentId: 'tester' }],
    });
    expect(await calls.text('agent_metrics', { agentId: 'reviewer-1' })).toMatch(/reviewer-1 .*2 completed, 1 failed/);
  });
});

describe('a wrong call is refused and changes nothing', () => {
  const bad: readonly BadCall[] = [
    ['swarm_scale', {}, 'invalid_input', /targetSize/],
    ['swarm_scale', { targetSize: -1 }, 'invalid_input', /targetSize/],
    ['swarm_scale', { targetSize: '3' }, 'invalid_input', /targetSize/],
    ['swarm_scale', { targetSize: 6, type: 'coder' }, 'conflict', /maxAgents is 5/],
    ['swarm_scale', { targetSize: 2, type: HOSTILE }, 'invalid_input', /type/],
    ['swarm_scale', { targetSize: 2, swarmId: 'swarm_nope' }, 'not_found', /swarm_nope/],
    ['swarm_destroy', {}, 'invalid_input', /swarmId/],
    ['swarm_destroy', { swarmId: 'swarm_nope' }, 'not_found', /swarm_nope/],
    ['swarm_destroy', { swarmId: HOSTILE }, 'not_found', /DROP TABLE/],
    ['swarm_destroy', { swarmId: 7 }, 'invalid_input', /swarmId/],
    ['swarm_monitor', { samples: 0 }, 'invalid_input', /samples/],
    ['swarm_monitor', { swarmId: 'swarm_nope' }, 'not_found', /swarm_nope/],
    ['swarm_topology', { set: 'tree' }, 'invalid_input', /set/],
    ['swarm_topology', { swarmId: 'swarm_nope', set: 'ring' }, 'not_found', /swarm_nope/],
    ['swarm_sync', { swarmId: 'swarm_nope' }, 'not_found', /swarm_nope/],
    ['agent_spawn_many', { agents: [] }, 'invalid_input', /agents/],
    ['agent_spawn_many', { agents: [{ type: 'coder' }, { type: 'Not Kebab' }] }, 'invalid_input', /agents\.1\.type/],
    ['agent_stop', { agentId: 'agent_nope' }, 'not_found', /agent_nope/],
    ['agent_stop', {}, 'invalid_input', /agentId/],
    ['agent_start', { agentId: HOSTILE }, 'not_found', /DROP TABLE/],
    ['agent_metrics', { agentId: 'agent_nope' }, 'not_found', /agent_nope/],
    ['agent_metrics', { runId: 'run_nope' }, 'not_found', /run_nope/],
    ['agent_metrics', { limit: -1 }, 'invalid_input', /limit/],
    ['agent_metrics', { limit: 1e9 }, 'invalid_input', /limit/],
    ['agent_message', { to: 'nobody', message: 'x' }, 'not_found', /nobody/],
    ['agent_message', { to: 'coder-1', message: 'x', from: 'agent_nope' }, 'not_found', /agent_nope/],
    ['agent_message', { to: 'coder-1' }, 'invalid_input', /message/],
    ['agent_message', { to: 'coder-1', message: '' }, 'invalid_input', /message/],
    ['agent_message', { to: 'coder-1', message: HUGE }, 'invalid_input', /message/],
    ['agent_message', { to: 'coder-1', message: 'a\0b' }, 'invalid_input', /message/],
    ['agent_message', { to: 'coder-1', message: '\uD800' }, 'invalid_input', /surrogate/],
    ['agent_inbox', { agentId: 'agent_nope' }, 'not_found', /agent_nope/],
    ['agent_inbox', { agentId: 'agent_nope', ack: [1] }, 'not_found', /agent_nope/],
    ['agent_inbox', { agentId: 'x', ack: ['1'] }, 'invalid_input', /ack/],
    ['agent_inbox', { agentId: 'x', limit: -1 }, 'invalid_input', /limit/],
    ['vote_open', {}, 'invalid_input', /question/],
    ['vote_open', { question: 'q', options: ['one'] }, 'invalid_input', /options/],
    ['vote_open', { question: 'q', rule: 'coin' }, 'invalid_input', /rule/],
    ['vote_open', { question: 'q', quorum: -1 }, 'invalid_input', /quorum/],
    ['vote_open', { question: 'q', voters: ['agent_nope'] }, 'not_found', /agent_nope/],
    ['vote_open', { question: HUGE }, 'invalid_input', /question/],
    ['vote_cast', { pollId: 'poll_nope', voter: 'a', choice: 'yes', reason: 'r' }, 'not_found', /poll_nope/],
    ['vote_cast', { pollId: HOSTILE, voter: 'a', choice: 'yes', reason: 'r' }, 'not_found', /DROP TABLE/],
    ['vote_cast', { pollId: 'p', choice: 'yes' }, 'invalid_input', /voter/],
    ['vote_close', { pollId: 'poll_nope' }, 'not_found', /poll_nope/],
    ['vote_settle', { pollId: 'poll_nope', right: 'yes' }, 'not_found', /poll_nope/],
    ['decision_status', { pollId: 'poll_nope' }, 'not_found', /poll_nope/],
    ['decision_status', { pollId: 'p', limit: -1 }, 'invalid_input', /limit/],
    ['decision_status', { pollId: '' }, 'invalid_input', /pollId/],
  ];
  testBadCalls(bad, { call: (tool, input) => calls.app.call(tool, input), prepare: () => spawn('coder'), everything });

  test('an empty swarm cannot grow without a type', async () => {
    expect(await calls.app.call('swarm_scale', { targetSize: 2 })).toMatchObject({ ok: false, error: { code: 'invalid_input' } });
    expect(await calls.app.call('swarm_topology', {})).toMatchObject({ ok: false, error: { code: 'invalid_input' } });
    expect(await agents()).toStrictEqual([]);
  });

  test('read-only mode', async () => {
    await using readOnly = await createTestApp({ flags: { readOnly: true } });
    for (const [tool, input] of [
      ['swarm_scale', { targetSize: 1, type: 'coder' }],
      ['swarm_destroy', { swarmId: 'x' }],
      ['swarm_topology', { set: 'mesh' }],
      ['swarm_sync', {}],
      ['agent_stop', { agentId: 'x' }],
      ['agent_message', { to: 'all', message: 'x' }],
      ['agent_inbox', { agentId: 'x' }],
      ['vote_open', { question: 'x' }],
    ] as const) {
      expect(await readOnly.call(tool, input), tool).toMatchObject({ ok: false, error: { code: 'forbidden' } });
    }
    expect(await readOnly.call('agent_metrics', {})).toMatchObject({ ok: true, output: { total: 0 } });
  });

  test('anything in any field: never a defect', { timeout: 60_000 }, async () => {
    const values = [
      '',
      ' ',
      HOSTILE,
      '\0',
      'a\0b',
      '\uD800',
      '../..',
      '__proto__',
      HUGE,
      -1,
      0,
      1e9,
      1.5,
      null,
      true,
      [],
      ['x', null],
      [HOSTILE],
      { toString: 1 },
    ];
    const ours = /^(?:swarm_(?:scale|destroy|monitor|topology|sync)|agent_|vote_|decision_)/;
    for (const tool of allTools.filter(({ name }) => ours.test(name))) {
      for (const field of Object.keys(tool.input.shape)) {
        for (const value of values) {
          const plain = {
            agentId: 'a',
            pollId: 'p',
            voter: 'v',
            reason: 'r',
            right: 'r',
            to: 't',
            message: 'm',
            question: 'q',
            type: 'coder',
            targetSize: 0,
            swarmId: 's',
          };
          const base = Object.fromEntries(Object.entries(plain).filter(([name]) => name in tool.input.shape));
          const result = await calls.app.call(tool.name, { ...base, [field]: value });
          if (result.ok) continue;
          expect(
            result.error.code,
            `${tool.name} ${field} ${JSON.stringify(value)?.slice(0, 50)}: ${result.error.message}`,
          ).not.toBe('internal');
          expect(result.error.message.length).toBeLessThan(2000);
        }
      }
    }
    expect(await calls.output('swarm_status', { swarmId })).toMatchObject({ status: 'active' });
  });
});
