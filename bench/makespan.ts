// How long each topology's plan takes from its first step to its last, beside the plan's critical path.
// First real runs: the runner on a database on disk, an agent that sleeps for seeded times. Then what the driver's rule (a
// step starts when all that it sees, and what its agent does before, have ended) comes to on a virtual clock, beside a plain
// driver that waits for whole rounds: there the overhead is nothing, and slots are what counts. Exits with 1 where a makespan
// without a limit of slots is more than 1.1 times its critical path.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AskResult, Provider } from '../src/agent/provider.ts';
import { createJournal } from '../src/run/journal.ts';
import { createRunStore } from '../src/run/run-store.ts';
import { createRunner } from '../src/run/runner.ts';
import { createRuntime } from '../src/runtime.ts';
import type { SwarmSpec } from '../src/skill/skill.ts';
import { openDatabase } from '../src/store/open-database.ts';
import { makePlan } from '../src/swarm/make-plan.ts';
import type { PlanInput } from '../src/swarm/make-plan.ts';
import type { Plan, PlanStep } from '../src/swarm/plan.ts';
import { seeded } from '../test/helpers/seeded.ts';
import { machine } from './child.ts';

const PLANS = 200;
const SIZES = [3, 5, 16, 64];
const REAL_SIZES = [3, 5, 16];
/** Real steps are shorter than a model's by this factor, so the overhead weighs as many times more. */
const SPEED_UP = 20;
const TOPOLOGIES = ['star', 'hierarchy', 'ring', 'mesh'] as const;
type FixedTopology = (typeof TOPOLOGIES)[number];
const SLOTS = [Number.POSITIVE_INFINITY, 4];
const LIMIT = 1.1;

type Durations = ReadonlyMap<string, number>;

/** Milliseconds of each step: most take some seconds, a few ten times as long (log-normal, median 4 s). */
function drawDurations({ steps }: Plan, random: () => number): Durations {
  return new Map(
    steps.map(({ id }) => {
      const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
      return [id, 4000 * Math.exp(0.8 * normal)];
    }),
  );
}

/** What each step waits for: what it sees, and what its agent does before. */
function waitsOf({ steps }: Plan): ReadonlyMap<string, readonly string[]> {
  const lastOf = new Map<string, string>();
  return new Map(
    steps.map(({ id, agentId, sees }) => {
      const before = lastOf.get(agentId);
      lastOf.set(agentId, id);
      return [id, before === undefined ? sees : [...sees, before]];
    }),
  );
}

/** The longest chain of steps each of which waits for the one before. */
function criticalPathMs(plan: Plan, durations: Durations): number {
  const ends = new Map<string, number>();
  for (const [id, waits] of waitsOf(plan))
    ends.set(id, Math.max(0, ...waits.map((before) => ends.get(before) ?? 0)) + (durations.get(id) ?? 0));
  return Math.max(...ends.values());
}

/** Carries out the steps on a virtual clock; `isReady` is the driver's rule. */
function makespanMs(
  { steps }: Plan,
  durations: Durations,
  slots: number,
  isReady: (step: PlanStep, ended: ReadonlySet<string>) => boolean,
): number {
  const waiting = new Set(steps);
  const underWay = new Map<string, number>();
  const ended = new Set<string>();
  let now = 0;
  while (waiting.size > 0 || underWay.size > 0) {
    for (const step of waiting) {
      if (underWay.size >= slots) break;
      if (!isReady(step, ended)) continue;
      waiting.delete(step);
      underWay.set(step.id, now + (durations.get(step.id) ?? 0));
    }
    const next = [...underWay].reduce((first, entry) => (entry[1] < first[1] ? entry : first), ['', Number.POSITIVE_INFINITY]);
    if (next[0] === '') throw new Error('no step can start');
    now = next[1];
    underWay.delete(next[0]);
    ended.add(next[0]);
  }
  return now;
}

/** The driver's rule. */
function waitsEnded(plan: Plan): (step: PlanStep, ended: ReadonlySet<string>) => boolean {
  const waits = waitsOf(plan);
  return ({ id }, ended) => (waits.get(id) ?? []).every((before) => ended.has(before));
}

/** The rule of a plain driver: a round starts when the one before has ended. */
function roundEnded({ steps }: Plan): (step: PlanStep, ended: ReadonlySet<string>) => boolean {
  const rounds = new Map<number, string[]>();
  for (const { id, round } of steps) rounds.set(round, [...(rounds.get(round) ?? []), id]);
  return ({ round }, ended) => (rounds.get(round - 1) ?? []).every((id) => ended.has(id));
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

interface Case {
  readonly input: PlanInput;
  readonly slots: number;
}

function measureCase({ input, slots }: Case, seed: number): { readonly ratios: readonly number[]; readonly plain: number } {
  const plan = makePlan(input);
  const random = seeded(seed);
  const runs = Array.from({ length: PLANS }, () => {
    const durations = drawDurations(plan, random);
    const work = [...durations.values()].reduce((sum, value) => sum + value, 0);
    // With few slots nothing can be faster than all work spread over them.
    const bound = Math.max(criticalPathMs(plan, durations), work / slots);
    const ours = makespanMs(plan, durations, slots, waitsEnded(plan)) / bound;
    return { ours, plain: makespanMs(plan, durations, slots, roundEnded(plan)) / bound };
  });
  return { ratios: runs.map(({ ours }) => ours), plain: mean(runs.map(({ plain }) => plain)) };
}

const NO_LIMITS = { tokens: null, costUsd: null, wallMs: null, steps: null } as const;

function specOf(topology: FixedTopology, count: number): SwarmSpec {
  return {
    agents: [{ type: 'worker', count, capabilities: [] }],
    topology,
    strategy: 'plan',
    span: 4,
    maxRounds: 0,
    decision: { rule: 'majority', quorum: 1, judge: null },
    timeoutMs: 300_000,
    execution: { parallel: true, maxConcurrent: 64, retry: { maxAttempts: 1, backoff: 'fixed', delayMs: 0 } },
    provider: null,
    budget: { run: NO_LIMITS, agent: NO_LIMITS },
    supervision: { strategy: 'one_for_one', intensity: 0, periodMs: 1000 },
    approvals: [],
    memory: { persistence: false, vectorSearch: false, ttlMs: null },
    outputs: [{ type: 'report', format: 'json' }],
  };
}

/** From the start of the first call of the agent to the end of the last, over the critical path of the sleeps. */
async function realRatio(topology: FixedTopology, count: number, folder: string): Promise<number> {
  const runtime = createRuntime();
  const swarm = specOf(topology, count);
  const plan = makePlan(swarm);
  const drawn = drawDurations(plan, seeded(count));
  const durations = new Map([...drawn].map(([id, ms]) => [id, ms / SPEED_UP]));
  const at: number[] = [];
  const provider: Provider = {
    name: 'local',
    paid: false,
    ask: async ({ stepId, signal }): Promise<AskResult> => {
      at.push(runtime.ticks());
      await runtime.sleep(durations.get(stepId) ?? 0, signal);
      at.push(runtime.ticks());
      return { status: 'completed', output: { findings: [], ballots: [], notes: [], stats: {} } };
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  const role = { name: 'worker', description: 'd', style: 'convergent', model: 'small', tools: [], prompt: 'p' } as const;
  const db = await openDatabase(join(folder, 'skillflow.db'), { runtime });
  try {
    const store = createRunStore({
      db,
      journal: createJournal({ db, runtime }),
      runtime,
      thinkersOf: async () => ({ serves: () => provider }),
      rolesOf: () => async () => role,
      mailOf: async () => [],
      dayLimits: { tokens: null, costUsd: null },
    });
    const runner = createRunner({
      openStore: async () => store,
      runtime,
      projectRoot: folder,
      version: '0.0.0',
      collect: async () => ({ root: folder, mode: 'tree', base: null, git: null, files: [], skipped: [], notes: [] }),
      estimate: async () => null,
    });
    const request = { skill: { name: 'sleep', version: null, dir: null, swarm }, task: 'sleep', provider: 'local' } as const;
    await runner.run(
      { ...request, selection: { tree: true } },
      { signal: AbortSignal.timeout(120_000), onProgress: () => undefined },
    );
  } finally {
    await db.close();
  }
  if (at.length !== 2 * plan.steps.length) throw new Error(`${plan.steps.length} steps, but ${at.length / 2} calls`);
  return (Math.max(...at) - Math.min(...at)) / criticalPathMs(plan, durations);
}

async function driveForReal(): Promise<number> {
  console.log(`\nReal runs, journal on disk, median step ${4000 / SPEED_UP} ms: makespan over the critical path`);
  let over = 0;
  for (const topology of TOPOLOGIES) {
    for (const count of REAL_SIZES) {
      const folder = mkdtempSync(join(tmpdir(), 'skillflow-makespan-'));
      try {
        const ratio = await realRatio(topology, count, folder);
        console.log(`  ${topology.padEnd(9)} n = ${String(count).padStart(2)}: ${ratio.toFixed(3)}`);
        if (ratio > LIMIT) over += 1;
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }
  }
  return over;
}

console.log(machine());
let failures = await driveForReal();
console.log(`\nOn a virtual clock, ${PLANS} draws each`);
for (const slots of SLOTS) {
  const bound = slots === Number.POSITIVE_INFINITY ? 'the critical path' : `the longer of critical path and work / ${slots}`;
  console.log(`\n${slots === Number.POSITIVE_INFINITY ? 'As many at once as can' : `${slots} at once`}: makespan over ${bound}`);
  for (const topology of TOPOLOGIES) {
    for (const count of SIZES) {
      const input = { topology, agents: [{ type: 'worker', count, capabilities: [] }] } as const;
      const { ratios, plain } = measureCase({ input, slots }, count);
      const worst = Math.max(...ratios);
      const figures = `mean ${mean(ratios).toFixed(3)}, worst ${worst.toFixed(3)}; round by round: mean ${plain.toFixed(3)}`;
      console.log(`  ${topology.padEnd(9)} n = ${String(count).padStart(2)}: ${figures}`);
      if (slots === Number.POSITIVE_INFINITY && worst > LIMIT) failures += 1;
    }
  }
}
console.log(failures === 0 ? `\nholds: never more than ${LIMIT} × the critical path` : `\nFAILS in ${failures} cases`);
process.exitCode = failures === 0 ? 0 : 1;
