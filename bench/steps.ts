// Steps of a run that do nothing: how many a second the durable core carries out, in memory and on a file, beside a plain
// libsql loop of the same two transactions a step in the same run; and what a run costs that waits for a slow provider.
// Rounds take turns, and the median of them counts. Per core: by the time that the processor worked.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Libsql from 'libsql';
import type { AskResult, Provider } from '../src/agent/provider.ts';
import { createJournal } from '../src/run/journal.ts';
import { createRunStore } from '../src/run/run-store.ts';
import { createRunner } from '../src/run/runner.ts';
import { createRuntime } from '../src/runtime.ts';
import type { SwarmSpec } from '../src/skill/skill.ts';
import { connect } from '../src/store/connection.ts';
import type { Database } from '../src/store/database.ts';
import { createLocalDatabase } from '../src/store/local-database.ts';
import { migrateTo } from '../src/store/migration.ts';
import { openDatabase } from '../src/store/open-database.ts';
import { machine, median } from './child.ts';

const ROUNDS = 5;
const STEPS = 500;
const AT_ONCE = 16;
const IDLE_MS = 5_000;
const NO_LIMITS = { tokens: null, costUsd: null, wallMs: null, steps: null };
const NOTHING: AskResult = { status: 'completed', output: { findings: [], ballots: [], notes: [], stats: {} } };

const runtime = createRuntime('warn');

function swarm(agents: number): SwarmSpec {
  return {
    agents: [{ type: 'idler', count: agents, capabilities: [] }],
    topology: 'star',
    strategy: 'plan',
    span: 4,
    maxRounds: 0,
    provider: 'local',
    budget: { run: NO_LIMITS, agent: NO_LIMITS },
    supervision: { strategy: 'one_for_one', intensity: 100, periodMs: 60_000 },
    approvals: [],
    decision: { rule: 'majority', quorum: 1, judge: null },
    timeoutMs: 600_000,
    execution: { parallel: true, maxConcurrent: AT_ONCE, retry: { maxAttempts: 1, backoff: 'fixed', delayMs: 1 } },
    memory: { persistence: false, vectorSearch: false, ttlMs: null },
    outputs: [],
  };
}

function provider(ask: Provider['ask'], paid: boolean): Provider {
  return {
    name: paid ? 'anthropic' : 'local',
    paid,
    ask: async (request) => {
      if (paid) await request.onCall?.(); // as whoever costs does before it sends anything
      return ask(request);
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Runs a swarm of so many agents from its beginning to its report. */
async function runSwarm(db: Database, root: string, agents: number, thinker: Provider): Promise<void> {
  const store = createRunStore({
    db,
    journal: createJournal({ db, runtime }),
    runtime,
    thinkersOf: async () => ({ serves: () => thinker }),
    rolesOf: () => async () => ({ name: 'idler', description: 'd', style: 'convergent', model: 'small', tools: [], prompt: 'p' }),
    mailOf: async () => [],
    dayLimits: { tokens: null, costUsd: null },
  });
  const runner = createRunner({
    openStore: async () => store,
    runtime,
    projectRoot: root,
    version: '0.0.0',
    collect: async () => ({ root, mode: 'tree', base: null, git: null, files: [], skipped: [], notes: [] }),
    estimate: async () => null,
  });
  await runner.run(
    {
      skill: { name: 'bench', version: null, dir: null, swarm: swarm(agents) },
      task: 'nothing',
      selection: { tree: true },
      provider: thinker.name,
    },
    { signal: new AbortController().signal, onProgress: () => undefined },
  );
}

interface Rate {
  readonly perSecond: number;
  readonly perCoreSecond: number;
}

async function rateOf(work: () => Promise<void>): Promise<Rate> {
  const [cpu, begun] = [process.cpuUsage(), performance.now()];
  await work();
  const wallS = (performance.now() - begun) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: STEPS / wallS, perCoreSecond: STEPS / ((user + system) / 1_000_000) };
}

/** The least that a durable step can be: it is marked as begun, and as ended, each with its event, each in a transaction. */
async function plainLoop(path: string, synchronous: string): Promise<void> {
  const db = new Libsql(path);
  db.exec('PRAGMA journal_mode = WAL');
  db.exec(`PRAGMA synchronous = ${synchronous}`);
  db.exec('PRAGMA wal_autocheckpoint = 8000');
  db.exec('CREATE TABLE step (id TEXT PRIMARY KEY, status TEXT, owner TEXT, at INTEGER)');
  db.exec(
    'CREATE TABLE event (run_id TEXT, seq INTEGER, type TEXT, at INTEGER, body TEXT, PRIMARY KEY (run_id, seq)) WITHOUT ROWID',
  );
  const add = db.prepare("INSERT INTO step VALUES (?, 'waiting', NULL, NULL)");
  db.exec('BEGIN IMMEDIATE');
  for (let n = 0; n < STEPS; n += 1) add.run([`1-work-idler-${n}`]);
  db.exec('COMMIT');
  const update = db.prepare('UPDATE step SET status = ?, owner = ?, at = ? WHERE id = ?');
  const event = db.prepare('INSERT INTO event VALUES (?, ?, ?, ?, ?)');
  for (let n = 0; n < STEPS; n += 1) {
    const id = `1-work-idler-${n}`;
    for (const [place, status] of ['running', 'completed'].entries()) {
      db.exec('BEGIN IMMEDIATE');
      update.run([status, 'host/1/o', Date.now(), id]);
      event.run(['run', n * 2 + place + 1, status, Date.now(), JSON.stringify({ stepId: id, agentId: id, durationMs: 0 })]);
      db.exec('COMMIT');
    }
  }
  db.close();
}

async function memoryDatabase(): Promise<Database> {
  const db = createLocalDatabase(await connect(':memory:', 'write'), runtime, false);
  await migrateTo(db);
  return db;
}

const idler = async (): Promise<AskResult> => NOTHING;

const WORKS: Readonly<Record<string, (folder: string) => Promise<Rate>>> = {
  'skillflow, in memory': async (folder) => {
    await using db = await memoryDatabase();
    return await rateOf(() => runSwarm(db, folder, STEPS, provider(idler, false)));
  },
  'plain loop, in memory': () => rateOf(() => plainLoop(':memory:', 'NORMAL')),
  'skillflow, on a file': async (folder) => {
    await using db = await openDatabase(join(folder, 'run.db'), { runtime });
    return await rateOf(() => runSwarm(db, folder, STEPS, provider(idler, false)));
  },
  'plain loop, on a file': (folder) => rateOf(() => plainLoop(join(folder, 'plain.db'), 'NORMAL')),
  'skillflow, paid steps on a file (each commit on the disk)': async (folder) => {
    await using db = await openDatabase(join(folder, 'paid.db'), { runtime });
    return await rateOf(() => runSwarm(db, folder, STEPS, provider(idler, true)));
  },
  'plain loop, each commit on the disk': (folder) => rateOf(() => plainLoop(join(folder, 'full.db'), 'FULL')),
};

/** Share of one core, in percent, that a run takes which waits for its provider. */
async function idleShare(folder: string): Promise<number> {
  await using db = await openDatabase(join(folder, 'idle.db'), { runtime });
  let share = Number.NaN;
  const slow = async (): Promise<AskResult> => {
    await runtime.sleep(500); // the beginning is no waiting
    const before = process.cpuUsage();
    await runtime.sleep(IDLE_MS);
    const { user, system } = process.cpuUsage(before);
    share = (user + system) / 10 / IDLE_MS;
    return NOTHING;
  };
  await runSwarm(db, folder, 1, provider(slow, false));
  return share;
}

const scratch = mkdtempSync(join(tmpdir(), 'skillflow-steps-'));
try {
  const rates = new Map<string, Rate[]>();
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [name, work] of Object.entries(WORKS)) {
      const folder = join(scratch, `${round}-${name.replaceAll(/[^a-z]+/g, '-')}`);
      mkdirSync(folder);
      const rate = await work(folder);
      if (round > 0) rates.set(name, [...(rates.get(name) ?? []), rate]); // the first one warms up
    }
  }
  console.log(machine());
  console.log(`${STEPS} steps that do nothing, ${AT_ONCE} at once, from the beginning to the report; median of ${ROUNDS}`);
  for (const [name, all] of rates) {
    const perSecond = median(all.map((rate) => rate.perSecond));
    const perCore = median(all.map((rate) => rate.perCoreSecond));
    console.log(`${name}: ${perSecond.toFixed(0)} steps/s, ${perCore.toFixed(0)} per second of one core`);
  }
  const ratio = (one: string, other: string): string => {
    const [a, b] = [one, other].map((name) => median((rates.get(name) ?? []).map(({ perCoreSecond }) => perCoreSecond)));
    return ((b ?? Number.NaN) / (a ?? Number.NaN)).toFixed(1);
  };
  console.log(`a step costs ${ratio('skillflow, in memory', 'plain loop, in memory')} times the plain loop's in memory,`);
  console.log(`${ratio('skillflow, on a file', 'plain loop, on a file')} times on a file (time of the processor)`);
  const idleFolder = join(scratch, 'idle');
  mkdirSync(idleFolder);
  console.log(`a run that waits for a slow provider: ${(await idleShare(idleFolder)).toFixed(2)} % of one core`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
