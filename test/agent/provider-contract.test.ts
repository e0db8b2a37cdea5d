import { createClaudeCliProvider } from '../../src/agent/claude-cli.ts';
import { createLocalProvider, type LocalAnalysis } from '../../src/agent/local.ts';
import { installFakeClaude, type FakeMode } from '../helpers/fake-claude.ts';
import { testRuntime } from '../store/scratch.ts';
import { ANSWER_DEPS, NOTHING_FOUND } from './ask-request.ts';
import { CONTRACT_KEY, describeProvider, type Scenario } from './provider-contract.ts';
import { seenFinding } from './seen-finding.ts';

const VOTES = { ballots: [{ subject: 'f1', voter: 'somebody', vote: 'confirm', reason: 'Seen.' }], text: '' };

function fakeAnalysis(scenario: Scenario): LocalAnalysis {
  const never = (): Promise<never> => new Promise(() => undefined);
  const long = 'x'.repeat(1_000_000);
  return {
    can: () => ({ analyze: true, examine: true }),
    analyze: async () => {
      if (scenario === 'hangs') return never();
      if (scenario === 'fails') throw new Error('no access');
      const findings =
        scenario === 'floods' ? Array.from({ length: 20 }, (_, i) => ({ ...seenFinding(`f${i}`), message: long })) : [];
      return { findings: scenario === 'answers' ? [seenFinding('f1')] : findings, notes: [], stats: { files: 1 } };
    },
    examine: async (_capability, findings) => findings.map(({ id }) => ({ findingId: id, vote: 'confirm', reason: 'Seen.' })),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

// Analyzers are code of ours: what they give is checked by their types.
describeProvider('local', async (scenario) =>
  scenario === 'wrong_shape' ? null : { provider: createLocalProvider(fakeAnalysis(scenario)) },
);

const CLAUDE: Readonly<Record<Scenario, FakeMode>> = {
  answers: { mode: 'answer', answer: NOTHING_FOUND },
  judges: { mode: 'answer', answer: VOTES },
  wrong_shape: { mode: 'wrong' },
  hangs: { mode: 'hang' },
  floods: { mode: 'flood' },
  fails: { mode: 'crash', stderr: `Invalid API key ${CONTRACT_KEY}` },
};

describeProvider('claude-cli', async (scenario, { folder }) => {
  const fake = await installFakeClaude(folder, CLAUDE[scenario]);
  const runtime = testRuntime({ env: { PATH: fake.path, ANTHROPIC_API_KEY: CONTRACT_KEY } });
  const deps = { runtime, projectRoot: folder, ...ANSWER_DEPS, deadlineMs: 30_000 };
  return { provider: createClaudeCliProvider(deps), isAsked: fake.hangs, alive: fake.alive };
});
