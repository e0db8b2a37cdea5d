import { dirname, join } from 'node:path';
import { toSkillflowError } from '../../src/errors.ts';
import { createCare } from '../../src/memory/care/create-care.ts';
import { createEmbeddings } from '../../src/memory/embed/create-embeddings.ts';
import type { Embeddings } from '../../src/memory/embed/embeddings.ts';
import { createLexicalEmbedder } from '../../src/memory/embed/lexical-embedder.ts';
import { createMemory, type Memory } from '../../src/memory/memory.ts';
import { createSearch } from '../../src/memory/search/search.ts';
import { createVectorSearch } from '../../src/memory/vector/create-vector-search.ts';
import { createJournal } from '../../src/run/journal.ts';
import { createRunLog } from '../../src/run/run-log.ts';
import { createRuns, type Runs } from '../../src/run/runs.ts';
import { createSwarms, type Swarms } from '../../src/run/swarms.ts';
import type { Runtime } from '../../src/runtime.ts';
import type { Database } from '../../src/store/database.ts';

/** All that reads and writes a project's database. */
interface Parts extends AsyncDisposable {
  readonly memory: Memory;
  readonly embeddings: Embeddings;
  readonly care: ReturnType<typeof createCare>;
  readonly runs: Runs;
  readonly swarms: Swarms;
}

const never = new AbortController().signal;
const SUMMARY = {
  files: 1,
  skipped: 0,
  findings: 0,
  confirmed: 0,
  rejected: 0,
  undecided: 0,
  bySeverity: {},
  outputs: [],
  reason: null,
};

function partsOf(db: Database, path: string, runtime: Runtime): Parts {
  const open = async (): Promise<Database> => db;
  const embeddings = createEmbeddings({ open, runtime, embedder: createLexicalEmbedder() });
  const vectors = createVectorSearch({ open, runtime, embeddings, folder: join(dirname(path), 'index'), workerUrl: null });
  const search = createSearch({ open, runtime, vectors: { semantic: true, search: async () => vectors } });
  return {
    memory: createMemory({ open, runtime, search: (input) => search.search(input) }),
    embeddings,
    care: createCare({ open, runtime, projectRoot: dirname(path), databasePath: path }),
    runs: createRuns({ db, journal: createJournal({ db, runtime }), runtime }),
    swarms: createSwarms({ db, runtime }),
    [Symbol.asyncDispose]: async () => {
      await vectors.settled().catch(() => undefined);
      await vectors[Symbol.asyncDispose]();
      await embeddings[Symbol.asyncDispose]();
    },
  };
}

const name = (n: number): { namespace: string; key: string } => ({ namespace: 'kept', key: `key-${n}` });

async function addRun(db: Database, runtime: Runtime): Promise<void> {
  const log = createRunLog({ db, journal: createJournal({ db, runtime }), runtime });
  const runId = await log.begin({
    skill: 'review',
    task: 'look',
    provider: 'local',
    selection: { tree: true },
    changes: { root: '/', mode: 'tree', base: null, git: null, files: [], skipped: [], notes: [] },
    plan: {
      topology: 'star',
      agents: [],
      steps: [{ id: '1-work-a', agentId: 'a', kind: 'work', round: 1, sees: [] }],
      messages: 0,
    },
    startedAt: runtime.now(),
  });
  const end = { type: 'run_completed', durationMs: 1, confirmed: 0, rejected: 0, undecided: 0, outputs: [] } as const;
  await log.finish(runId, 'completed', SUMMARY, end);
}

/** Puts rows into all tables. */
export async function fillEverything(db: Database, path: string, runtime: Runtime): Promise<void> {
  await using parts = partsOf(db, path, runtime);
  const { memory, embeddings, swarms } = parts;
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
}

function reads({ memory, embeddings, care, runs, swarms }: Parts): readonly (() => Promise<unknown>)[] {
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
  ];
}

function writes({ memory, embeddings, care, swarms }: Parts): readonly (() => Promise<unknown>)[] {
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
