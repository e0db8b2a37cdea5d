import type { SeenMessage } from '../agent/provider.ts';
import type { Role } from '../agent/role.ts';
import type { RunEvent } from '../events.ts';
import type { Runtime } from '../runtime.ts';
import type { Database } from '../store/database.ts';
import { numberOf } from '../store/row.ts';
import type { DayBudget } from './budget.ts';
import { spentOnDay } from './claim-room.ts';
import type { Amounts } from './claim-room.ts';
import type { Journal } from './journal.ts';
import { holdDurable } from './hold-durable.ts';
import { createKeptRuns } from './kept-runs.ts';
import type { KeptRuns } from './kept-runs.ts';
import { LEASE_MS } from './lease.ts';
import { createRunLog } from './run-log.ts';
import type { StoredRun } from './run-log.ts';
import type { Thinkers } from './run-session.ts';
import type { RunStore } from './runner.ts';
import { flagsOf } from './step-claims.ts';
import { readPool } from './swarm-pool.ts';
import { createVoterRecords } from './voter-records.ts';

export interface RunStoreDeps {
  readonly db: Database;
  readonly journal: Journal;
  readonly runtime: Runtime;
  readonly thinkersOf: (run: StoredRun) => Promise<Thinkers>;
  readonly rolesOf: (run: StoredRun) => (type: string) => Promise<Role>;
  /** Throws where the file of a role has errors; default: none has. */
  readonly checkRole?: ((run: StoredRun, type: string) => Promise<void>) | undefined;
  /** Mail of an agent in a run that is not acknowledged; it is read by being asked for. */
  readonly mailOf: (runId: string, agentId: string) => Promise<readonly SeenMessage[]>;
  /** Of all runs of the project; `null` where there is no limit. */
  readonly dayLimits: Amounts;
  /** Milliseconds for which what this process claims holds unless it is renewed; default 15,000. */
  readonly leaseMs?: number | undefined;
  /** Default: nothing is kept from one store to the next. */
  readonly kept?: KeptRuns | undefined;
}

const EVENTS_AT_ONCE = 1_000;
const OTHERS = `SELECT count(*) AS n FROM step JOIN run ON run.id = step.run_id
  WHERE step.status = 'running' AND run.status = 'running' AND run.provider IN ('anthropic', 'claude-cli') AND run.id <> ?`;

/** What is known of today (UTC); nothing is read where there is no limit. */
async function readDay({ db, runtime, dayLimits }: RunStoreDeps, runId: string): Promise<DayBudget> {
  const { tokens, costUsd } = dayLimits;
  if (tokens === null && costUsd === null) return { tokens, costUsd, usedTokens: 0, usedCostUsd: 0, others: 0 };
  const used = await spentOnDay(db, runtime.now());
  const others = numberOf((await db.get(OTHERS, [runId])) ?? {}, 'n');
  return { tokens, costUsd, usedTokens: used.tokens, usedCostUsd: used.costUsd, others };
}

/** The runs of one database, ready to be driven. */
export function createRunStore(deps: RunStoreDeps): RunStore {
  const { db, journal, runtime, leaseMs = LEASE_MS, kept = createKeptRuns() } = deps;
  const read = (runId: string, after: number): Promise<readonly RunEvent[]> =>
    journal.read(runId, { after, limit: EVENTS_AT_ONCE });
  return {
    log: createRunLog({ db, journal, runtime, leaseMs, kept }),
    fold: (runId) => kept.fold(runId, (after) => read(runId, after)),
    voters: createVoterRecords(db),
    session: async (run) => {
      const { swarmId } = await flagsOf(db, run.runId);
      return {
        thinkers: await deps.thinkersOf(run),
        roleOf: deps.rolesOf(run),
        checkRole: async (type) => deps.checkRole?.(run, type),
        mailOf: (agentId) => deps.mailOf(run.runId, agentId),
        readDay: () => readDay(deps, run.runId),
        readPool: () => readPool(db, { runId: run.runId, swarmId }, runtime.now()),
        read: (after) => read(run.runId, after),
        version: async () => `${await db.dataVersion()}/${db.commits}`,
        leaseMs,
        holdDurable: () => holdDurable(db),
        owner: `${runtime.host}/${runtime.pid}/${runtime.id('o')}`,
      };
    },
  };
}
