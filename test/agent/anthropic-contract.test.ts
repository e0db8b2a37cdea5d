import { createAnthropicProvider } from '../../src/agent/anthropic.ts';
import { DEFAULT_MODELS } from '../../src/agent/anthropic-models.ts';
import { type FakeTurn, startFakeMessagesApi } from '../helpers/fake-messages-api.ts';
import { testRuntime } from '../store/scratch.ts';
import { ANSWER_DEPS, NOTHING_FOUND } from './ask-request.ts';
import { CONTRACT_KEY, describeProvider, type Scenario } from './provider-contract.ts';

const TURNS: Readonly<Record<Scenario, FakeTurn>> = {
  answers: { type: 'answer', answer: NOTHING_FOUND },
  judges: {
    type: 'answer',
    answer: { ballots: [{ subject: 'f1', vote: 'confirm', reason: 'seen', voter: 'somebody' }], text: '' },
  },
  wrong_shape: { type: 'answer', answer: { findings: 'many' } },
  hangs: { type: 'cut', how: 'hang' },
  floods: { type: 'flood', bytes: 100 * 1024 * 1024 },
  fails: { type: 'status', status: 400, message: `the key ${CONTRACT_KEY} is of no use` },
};

describeProvider('anthropic', async (scenario, { onCleanUp }) => {
  const api = await startFakeMessagesApi(CONTRACT_KEY);
  onCleanUp(async () => api[Symbol.asyncDispose]());
  api.fallback(() => TURNS[scenario]);
  const provider = createAnthropicProvider({
    ...ANSWER_DEPS,
    // The key must stay out of what comes back even where nothing else takes it out.
    redact: (text) => text,
    apiKey: CONTRACT_KEY,
    baseUrl: api.url,
    models: DEFAULT_MODELS,
    runtime: testRuntime(),
  });
  return { provider, isAsked: () => api.requests.length > 0 };
});
