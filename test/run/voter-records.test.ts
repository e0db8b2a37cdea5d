import { join } from 'node:path';
import { expect, test } from 'vitest';
import { roleNameOf } from '../../src/agent/roles/aliases.ts';
import { createFold } from '../../src/run/fold.ts';
import { createVoterRecords } from '../../src/run/voter-records.ts';
import { openTestDatabase } from '../helpers/databases.ts';
import { testRuntime, useScratch } from '../store/scratch.ts';

const { folder, onCleanUp } = useScratch();

test('what a type of another name earns counts for its role, as in votes that callers hold', async () => {
  const db = await openTestDatabase(join(await folder(), 'skillflow.db'), { runtime: testRuntime() });
  onCleanUp(() => db.close());
  const agents = ['system-architect', 'one', 'two'].map((type) => ({ id: type, type }));
  expect(roleNameOf('system-architect')).toBe('architect');
  const { state } = createFold();
  const ballots = agents.map(({ id }) => ({ subject: 'f', voter: id, vote: 'confirm' as const, reason: 'r' }));
  const step = {
    id: '2-judge',
    agentId: 'one',
    kind: 'judge',
    round: 2,
    sees: [],
    status: 'completed',
    attempt: 1,
    epoch: 1,
    failures: 0,
    owner: null,
    child: null,
    startedAt: 0,
    endedAt: 1,
    durationMs: 1,
    provider: 'local',
    code: null,
    reason: null,
    output: { findings: [], ballots, notes: [], stats: {} },
    possiblyBilledTwice: 0,
    startedOver: 0,
    costUsd: 0,
    called: false,
  } as const;
  const decision = {
    subject: 'f',
    rule: 'majority',
    outcome: 'confirmed',
    confirms: 3,
    rejects: 0,
    abstains: 0,
    quorum: 1,
    eligible: 3,
  } as const;
  const records = createVoterRecords(db);
  await db.write((queries) =>
    records.learn(queries, agents, { ...state, steps: new Map([[step.id, step]]), decisions: [decision] }),
  );
  expect([...(await records.read())]).toContainEqual(['architect', { votes: 1, correct: 1 }]);
});
