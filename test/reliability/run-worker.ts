import type { AskResult, Provider } from '../../src/agent/provider.ts';
import { ConflictError } from '../../src/errors.ts';
import { createJournal } from '../../src/run/journal.ts';
import { createRunStore } from '../../src/run/run-store.ts';
import { createRunner } from '../../src/run/runner.ts';
import { createRuntime } from '../../src/runtime.ts';
import { openDatabase } from '../../src/store/open-database.ts';
import { EMPTY, ROLE, finding, following, skill } from '../run/run-samples.ts';
import type { PaidCall, RunTask } from './run-task.ts';

/** A process that drives a run as its one argument says (JSON of `RunTask`); its provider asks a server that counts. */

const task: RunTask = JSON.parse(process.argv[2] ?? '{}');
const runtime = { ...createRuntime('warn'), ...(task.host === null ? {} : { host: task.host }) };

async function pay(call: PaidCall): Promise<void> {
  const answer = await fetch(task.url, { method: 'POST', body: JSON.stringify(call) });
  await answer.text();
}

const provider: Provider = {
  name: 'anthropic',
  paid: true,
  ask: async ({ runId, stepId, attempt, agent, kind, onCall }): Promise<AskResult> => {
    await onCall?.();
    await pay({ runId, stepId, attempt, pid: process.pid });
    const isFinder = agent.id.endsWith('-1');
    const ballots = ['finder-1', 'judge-1', 'critic-1'].map((subject, index) => ({
      subject,
      voter: agent.id,
      vote: (agent.id.length + index) % 2 === 0 ? ('confirm' as const) : ('reject' as const),
      reason: 'r',
    }));
    const output =
      kind === 'judge' ? { ...EMPTY, ballots } : isFinder ? { ...EMPTY, findings: [finding(agent.id)], text: 'found' } : EMPTY;
    const usage = { inputTokens: 8, outputTokens: 2, cacheReadTokens: 0, cacheWriteTokens: 0, requests: 1, costUsd: 0.25 };
    return { status: 'completed', output, usage: { model: 'm', ...usage } };
  },
  [Symbol.asyncDispose]: async () => undefined,
};

await using db = await openDatabase(task.path, { runtime });
const store = createRunStore({
  db,
  journal: createJournal({ db, runtime }),
  runtime,
  thinkersOf: async () => ({ serves: () => provider }),
  rolesOf: () => async () => ROLE,
  mailOf: async () => [],
  dayLimits: { tokens: null, costUsd: null },
  leaseMs: task.leaseMs,
});
const root = task.projectRoot;
const runner = createRunner({
  openStore: async () => store,
  runtime,
  projectRoot: root,
  version: '0.0.0',
  collect: async () => ({ root, mode: 'tree', base: null, git: null, files: [], skipped: [], notes: [] }),
  estimate: async () => ({ costUsd: 1, provider: 'anthropic' }),
});
if (task.runId === null) {
  const spec = skill({
    agents: ['finder', 'judge', 'critic'].map((type) => ({ type, count: task.agentsOfType, capabilities: [] })),
    timeoutMs: 300_000,
    execution: { parallel: false, maxConcurrent: 1, retry: { maxAttempts: 2, backoff: 'fixed', delayMs: 1 } },
  });
  await runner.run({ skill: spec, task: 'pay', selection: { tree: true }, provider: 'anthropic' }, following());
} else {
  await runner.resume(task.runId, following()).catch((error: unknown) => {
    if (!(error instanceof ConflictError)) throw error; // it ended while this process started
  });
}
