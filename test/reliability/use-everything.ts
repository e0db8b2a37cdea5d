import { dirname, join } from 'node:path';
import { toSkillflowError } from '../../src/errors.ts';
import { createMailbox, type Mailbox } from '../../src/mail/mailbox.ts';
import { createCare } from '../../src/memory/care/create-care.ts';
import { createEmbeddings } from '../../src/memory/embed/create-embeddings.ts';
import type { Embeddings } from '../../src/memory/embed/embeddings.ts';
import { createLexicalEmbedder } from '../../src/memory/embed/lexical-embedder.ts';
import { createMemory, type Memory } from '../../src/memory/memory.ts';
import { createSearch } from '../../src/memory/search/search.ts';
import { createVectorSearch } from '../../src/memory/vector/create-vector-search.ts';
import { readAgentMetrics } from '../../src/run/agent-metrics.ts';
import { createJournal } from '../../src/run/journal.ts';
import { createPolls, type Polls } from '../../src/run/polls.ts';
import { createRunLog } from '../../src/run/run-log.ts';
import { createRuns, type Runs } from '../../src/run/runs.ts';
import { createSwarms, type Swarms } from '../../src/run/swarms.ts';
import { createTasks, type Tasks } from '../../src/run/tasks.ts';
import type { SwarmSpec } from '../../src/skill/skill.ts';
import type { Runtime } from '../../src/runtime.ts';
import type { Database } from '../../src/store/database.ts';
import { textColumns, textOf } from '../../src/store/row.ts';
import { NO_SUMMARY } from '../run/run-samples.ts';

/** All that reads and writes a project's database. */
interface Parts extends AsyncDisposable {
  readonly db: Database;
  readonly memory: Memory;
  readonly embeddings: Embeddings;
  readonly care: ReturnType<typeof createCare>;
  readonly runs: Runs;
  readonly swarms: Swarms;
  readonly tasks: Tasks;
  readonly polls: Polls;
  readonly mail: Mailbox;
}

const never = new AbortController().signal;

function partsOf(db: Database, path: string, runtime: Runtime): Parts {
  const open = async (): Promise<Database> => db;
  const embeddings = createEmbeddings({ open, runtime, embedder: createLexicalEmbedder() });
  const vectors = createVectorSearch({ open, runtime, embeddings, folder: join(dirname(path), 'index'), workerUrl: null });
  const search = createSearch({ open, runtime, vectors: { semantic: true, search: async () => vectors } });
  const runs = createRuns({ db, journal: createJournal({ db, runtime }), runtime });
  return {
    db,
    memory: createMemory({ open, runtime, search: (input) => search.search(input) }),
    embeddings,
    care: createCare({ open, runtime, projectRoot: dirname(path), databasePath: path }),
    runs,
    swarms: createSwarms({ db, runtime }),
    tasks: createTasks({ db, runs }),
    polls: createPolls({ db, runtime }),
    mail: createMailbox({ db, runtime }),
    [Symbol.asyncDispose]: async () => {
      await vectors.settled().catch(() => undefined);
      await vectors[Symbol.asyncDispose]();
      await embeddings[Symbol.asyncDispose]();
    },
  };
}

const name = (n: number): { namespace: string; key: string } => ({ namespace: 'kept', key: `key-${n}` });

const STEP = { id: '1-work-a', agentId: 'a', kind: 'work', round: 1, sees: [] } as const;
const NO_LIMITS = { tokens: null, costUsd: null, wallMs: null, steps: null };
const SWARM_SPEC: SwarmSpec = {
  agents: [{ type: 'a', count: 1, capabilities: [] }],
  topology: 'star',
  strategy: 'plan',
  span: 4,
  maxRounds: 0,
  decision: { rule: 'majority', quorum: 1, judge: null },
  timeoutMs: 1_000,
  execution: { parallel: true, maxConcurrent: 1, retry: { maxAttempts: 1, backoff: 'fixed', delayMs: 0 } },
  provider: null,
  budget: { run: NO_LIMITS, agent: NO_LIMITS },
  supervision: { strategy: 'one_for_one', intensity: 1, periodMs: 1_000 },
  approvals: [],
  memory: { persistence: false, vectorSearch: false, ttlMs: null },
  outputs: [],
};

async function addRun(db: Database, runtime: Runtime): Promise<void> {
  const log = createRunLog({ db, journal: createJournal({ db, runtime }), runtime });
  const { runId, events } = await log.begin({
    spec: {
      skill: 'review',
      skillVersion: null,
      skillDir: null,
      task: 'look',
      provider: 'anthropic',
      selection: { tree: true },
      swarm: SWARM_SPEC,
      agents: [{ id: 'a', type: 'a', capabilities: [] }],
    },
    version: '0',
    changes: { root: '/', mode: 'tree', base: null, git: null, files: [], skipped: [], notes: [] },
    plan: { topology: 'star', strategy: 'plan', agents: [], steps: [STEP], messages: 0 },
    startedAt: runtime.now(),
    swarmId: null,
  });
  if (events.length === 0) throw new Error('the run did not begin');
  const claimed = await log.claim({ runId, step: STEP, owner: 'h/1/o', provider: 'anthropic', leaseMs: 1e9 });
  if (claimed === null) throw new Error('the step is not free');
  const usage = {
    model: 'm',
    inputTokens: 1,
    outputTokens: 1,
    cacheReadTokens: 0,
    cacheWriteTokens: 0,
    requests: 1,
    costUsd: 0.1,
  };
  const output = { findings: [], ballots: [], notes: [], stats: {}, text: 'words' };
  await log.complete(claimed.claim, { output, reported: [], durationMs: 1, provider: 'anthropic', usage });
  const end = { type: 'run_completed', durationMs: 1, confirmed: 0, rejected: 0, undecided: 0, outputs: [] } as const;
  await log.finish(runId, 'completed', NO_SUMMARY, end);
}

const MEMBERS = [
  { id: 'a', role: 'coder' },
  { id: 'b', role: 'tester' },
];
const PLACE = 'somewhere';

async function vote(polls: Polls): Promise<void> {
  const VOTERS = ['coder', 'tester'];
  const { pollId } = await polls.open({ question: 'which?', options: ['x', 'y'], rule: 'weighted', voters: VOTERS });
  for (const voter of VOTERS) await polls.cast({ pollId, voter, choice: 'x', reason: 'so' });
  await polls.settle(pollId, 'x');
  const open = await polls.open({ question: 'and now?', options: ['x', 'y'], rule: 'majority', voters: VOTERS, closesInMs: 1e9 });
  await polls.cast({ pollId: open.pollId, voter: 'coder', choice: 'y', reason: 'so' });
}

async function write(mail: Mailbox): Promise<void> {
  const send = (body: string) => mail.send({ place: PLACE, from: 'a', to: 'all', body, members: MEMBERS });
  const { messageId } = await send('one');
  await mail.read(PLACE, 'b');
  await mail.ack(PLACE, 'b', [messageId]);
  await send('two');
}

/** Puts rows into all tables. */
export async function fillEverything(db: Database, path: string, runtime: Runtime): Promise<void> {
  await using parts = partsOf(db, path, runtime);
  const { memory, embeddings, swarms, polls, mail } = parts;
  const own = {
    kind: 'note',
    tags: ['one', 'two'],
    agent: 'a',
    session: 's',
    run: 'r',
    ttlSeconds: 1e6,
    validFrom: 1,
    validTo: 1e14,
  };
  for (let n = 0; n < 12; n += 1) {
    await memory.store({ ...name(n), ...own, value: n % 3 === 0 ? { said: `words of entry ${n}` } : `words of entry ${n % 5}` });
  }
  for (let n = 0; n < 6; n += 1) await memory.store({ ...name(n), ...own, value: `other words of entry ${n}` });
  await memory.link(name(0), name(1), 'about', 'reason');
  await memory.supersede(name(2), name(3), 'newer');
  await memory.delete(name(4));
  await embeddings.catchUp({ signal: never });
  const swarm = await swarms.create({ topology: 'star', strategy: 'auto', maxAgents: 5, config: {} });
  await swarms.spawnAgent({ type: 'coder', swarmId: swarm.swarmId });
  await swarms.submitTask({ description: 'do', strategy: 'auto', priority: 'low', dependencies: [], swarmId: swarm.swarmId });
  await addRun(db, runtime);
  await vote(polls);
  await write(mail);
}

/** The ids of a table, as its owner reads them. */
async function idsOf(db: Database, table: 'poll' | 'task'): Promise<readonly string[]> {
  return (await db.all(`SELECT ${textColumns(['id'])} FROM ${table}`)).map((row) => textOf(row, 'id'));
}

function reads({ db, memory, embeddings, care, runs, swarms, tasks, polls, mail }: Parts): readonly (() => Promise<unknown>)[] {
  const numbers = [0, 1, 2, 3, 4, 5, 11];
  return [
    ...numbers.flatMap((n) => [() => memory.get(name(n)), () => memory.links(name(n)), () => memory.history(name(n))]),
    ...numbers.flatMap((n) => [() => memory.getVersion(name(n), 1), () => memory.diff(name(n), 1, 2)]),
    () => memory.list({ limit: 100 }),
    () => memory.list({ tag: 'one', kind: 'note', prefix: 'key', namespace: 'kept' }),
    () => memory.list({ deleted: true }),
    () => memory.namespaces(),
    () => memory.search({ query: 'words of entry', explain: true }),
    () => memory.search({ query: 'other', phrase: 'other words', tags: ['one'], offset: 1, limit: 2 }),
    () => memory.search({ query: '☂' }),
    () => memory.search({ query: '', namespaces: ['kept'] }),
    () => embeddings.status(),
    () => care.stats(),
    () => care.stats('kept'),
    () => swarms.status(),
    () => swarms.listAgents({ limit: 10, offset: 0 }),
    async () => {
      for (const { runId } of await runs.list({ limit: 5, offset: 0 })) {
        await runs.get(runId.slice(0, 8));
        await runs.steps(runId);
        await runs.events(runId, { after: 0, limit: 10 });
      }
    },
    async () => {
      for (const id of await idsOf(db, 'task')) await tasks.view(id);
    },
    async () => {
      for (const id of await idsOf(db, 'poll')) await polls.status(id);
    },
    () => swarms.sample(),
    () => readAgentMetrics(db, { limit: 10, offset: 0 }),
    () => mail.read(PLACE, 'b'),
    () => mail.pending(PLACE),
  ];
}

function writes({ db, memory, embeddings, care, swarms, polls, mail }: Parts): readonly (() => Promise<unknown>)[] {
  return [
    () => memory.store({ ...name(1), value: 'a third version', ifVersion: 2 }),
    () => memory.storeMany([0, 1, 5, 20].map((n) => ({ ...name(n), value: 'words of entry 1' }))),
    () => memory.revert(name(3), 1),
    () => memory.undelete(name(4)),
    () => memory.supersede(name(3), name(2)),
    () => memory.link(name(1), name(5), 'about'),
    () => memory.unlink(name(0), name(1), 'about'),
    () => memory.delete(name(7)),
    () => memory.purge(name(7)),
    () => embeddings.catchUp({ signal: never }),
    () => swarms.spawnAgent({ type: 'coder' }),
    async () => {
      const task = await swarms.submitTask({ description: 'do', strategy: 'auto', priority: 'low', dependencies: [] });
      await swarms.taskStatus(task.taskId);
    },
    () => vote(polls),
    async () => {
      for (const id of await idsOf(db, 'poll')) await polls.close(id);
    },
    () => polls.closeDue(PLACE),
    () => write(mail),
    () => mail.ack(PLACE, 'b', [1, 2]),
    () => care.doctor(),
    () => care.export('export.jsonl'),
    () => care.backup('backup.db'),
    () => care.snapshot('one'),
    () => care.restoreSnapshot('one'),
    () => care.merge('backup.db'),
    () => care.doctor({ repair: true }),
    () => care.compact(),
    () => memory.deleteNamespace('kept'),
  ];
}

export interface Told {
  readonly what: string;
  readonly code: string;
  readonly message: string;
}

/**
 * Does everything with a database that a caller can do; what failed, and how.
 * @param onBegin hears of each call before it is made
 */
export async function useEverything(
  db: Database,
  path: string,
  runtime: Runtime,
  onBegin: (what: string) => void = () => undefined,
): Promise<readonly Told[]> {
  const told: Told[] = [];
  const attempt = async (work: () => Promise<unknown>): Promise<void> => {
    onBegin(String(work));
    try {
      await work();
    } catch (error) {
      const { code, message } = toSkillflowError(error);
      told.push({ what: String(work), code, message });
    }
  };
  {
    await using parts = partsOf(db, path, runtime);
    for (const work of [...reads(parts), ...writes(parts)]) await attempt(work);
  }
  // What was remembered from before the writes is read anew.
  await using parts = partsOf(db, path, runtime);
  for (const work of reads(parts)) await attempt(work);
  return told;
}
