import { describe, expect, test } from 'vitest';
import { createLocalProvider } from '../../src/agent/local.ts';
import type { LocalAnalysis } from '../../src/agent/local.ts';
import type { AskRequest } from '../../src/agent/provider.ts';
import type { Vote } from '../../src/ballot.ts';
import { BusyError } from '../../src/errors.ts';
import { askRequest, testRole } from './ask-request.ts';
import { noChanges, outputOf, seenFinding } from './seen-finding.ts';

function analysis(overrides: Partial<LocalAnalysis> = {}): LocalAnalysis {
  return {
    can: (capability) => ({ analyze: capability === 'lint', examine: capability === 'lint' || capability === 'judge' }),
    analyze: async (capability) => ({
      findings: capability === 'lint' ? [seenFinding('f1'), seenFinding('f1'), seenFinding('f2')] : [],
      notes: [],
      stats: { files: 3 },
    }),
    examine: async (_capability, findings) =>
      findings.map(({ id }) => ({ findingId: id, vote: 'abstain', reason: 'no evidence' })),
    [Symbol.asyncDispose]: async () => undefined,
    ...overrides,
  };
}

const request = (parts: Partial<AskRequest> = {}): AskRequest =>
  askRequest(noChanges('/p'), { agent: { id: 'me', type: 'reviewer', capabilities: ['lint'], role: testRole() }, ...parts });

test('work: one finding an id, figures by capability', async () => {
  const result = await createLocalProvider(analysis()).ask(request());
  expect(result).toMatchObject({
    status: 'completed',
    output: { findings: [{ id: 'f1' }, { id: 'f2' }], stats: { 'lint.files': 3 } },
  });
});

test('an agent none of whose capabilities is local is skipped, with what it would need', async () => {
  const result = await createLocalProvider(analysis()).ask(
    request({ agent: { id: 'me', type: 'x', capabilities: ['reasoning'], role: testRole() } }),
  );
  expect(result).toMatchObject({ status: 'skipped', code: 'no_provider', reason: expect.stringContaining('reasoning') });
});

test('where a model was found, what it would need says how to use it', async () => {
  const provider = createLocalProvider(analysis(), async () => 'say --provider x');
  const ask = (capabilities: readonly string[]) =>
    provider.ask(request({ agent: { id: 'me', type: 'x', capabilities, role: testRole() } }));
  expect(await ask(['reasoning'])).toMatchObject({ reason: expect.stringMatching(/this run has none; say --provider x$/) });
  expect(await ask(['lint', 'reasoning'])).toMatchObject({
    output: { notes: [{ message: expect.stringMatching(/did not run; say --provider x$/) }] },
  });
});

test('one that has some runs these, and notes the others', async () => {
  const result = await createLocalProvider(analysis()).ask(
    request({ agent: { id: 'me', type: 'x', capabilities: ['lint', 'reasoning'], role: testRole() } }),
  );
  expect(result).toMatchObject({ status: 'completed', output: { notes: [{ code: 'no_provider' }] } });
});

test('one that only judges works without findings of its own', async () => {
  const result = await createLocalProvider(analysis()).ask(
    request({ agent: { id: 'me', type: 'x', capabilities: ['judge'], role: testRole() } }),
  );
  expect(result).toMatchObject({ status: 'completed', output: { findings: [], notes: [] } });
});

describe('judging', () => {
  const sees = [
    { stepId: 'a', agentId: 'other', output: outputOf('f1', 'f2') },
    { stepId: 'b', agentId: 'me', output: outputOf('f3') },
  ];
  const judge = (votes: readonly Vote[]): Promise<unknown> => {
    let call = 0;
    const examine: LocalAnalysis['examine'] = async (_capability, findings) => {
      const vote = votes[call] ?? 'abstain';
      call += 1;
      return findings.map(({ id }) => ({ findingId: id, vote, reason: `because ${vote}` }));
    };
    return createLocalProvider(analysis({ examine })).ask(
      request({ kind: 'judge', sees, agent: { id: 'me', type: 'x', capabilities: ['lint', 'judge'], role: testRole() } }),
    );
  };

  test.each<[readonly Vote[], Vote]>([
    [['confirm', 'abstain'], 'confirm'],
    [['abstain', 'reject'], 'reject'],
    [['confirm', 'reject'], 'abstain'],
    [['abstain', 'abstain'], 'abstain'],
  ])('opinions %j make one ballot: %s', async (votes, vote) => {
    expect(await judge(votes)).toMatchObject({
      status: 'completed',
      output: {
        ballots: [
          { subject: 'f1', voter: 'me', vote },
          { subject: 'f2', voter: 'me', vote },
        ],
        findings: [],
      },
    });
  });

  test('opinions on what it was not asked about are dropped', async () => {
    const examine: LocalAnalysis['examine'] = async () => [{ findingId: 'invented', vote: 'confirm', reason: 'x' }];
    const result = await createLocalProvider(analysis({ examine })).ask(request({ kind: 'judge', sees }));
    expect(JSON.stringify(result)).not.toContain('invented');
  });
});

test('merging unites what was seen, even without a capability', async () => {
  const sees = [
    { stepId: 'a', agentId: 'x', output: outputOf('f1', 'f2') },
    { stepId: 'b', agentId: 'y', output: outputOf('f2', 'f3') },
  ];
  const result = await createLocalProvider(analysis()).ask(
    request({ kind: 'merge', sees, agent: { id: 'hub', type: 'coordinator', capabilities: [], role: testRole() } }),
  );
  expect(result).toMatchObject({ status: 'completed', output: { findings: [{ id: 'f1' }, { id: 'f2' }, { id: 'f3' }] } });
});

test('a failure is data, and says whether to try again', async () => {
  const broken = (error: Error): LocalAnalysis => analysis({ analyze: () => Promise.reject(error) });
  expect(await createLocalProvider(broken(new BusyError('locked'))).ask(request())).toMatchObject({
    status: 'failed',
    code: 'busy',
    retryable: true,
  });
  expect(await createLocalProvider(broken(new TypeError('defect'))).ask(request())).toMatchObject({
    status: 'failed',
    code: 'internal',
    retryable: false,
  });
});
