import type { SeenMessage } from '../agent/provider.ts';
import type { Role } from '../agent/role.ts';
import type { Runtime } from '../runtime.ts';
import type { Database } from '../store/database.ts';
import { numberOf } from '../store/row.ts';
import type { DayBudget } from './budget.ts';
import type { Journal } from './journal.ts';
import { holdDurable } from './hold-durable.ts';
import { LEASE_MS } from './lease.ts';
import { createRunLog } from './run-log.ts';
import type { StoredRun } from './run-log.ts';
import type { Thinkers } from './run-session.ts';
import type { RunStore } from './runner.ts';
import { createVoterRecords } from './voter-records.ts';

export interface RunStoreDeps {
  readonly db: Database;
  readonly journal: Journal;
  readonly runtime: Runtime;
  readonly thinkersOf: (run: StoredRun) => Promise<Thinkers>;
  readonly rolesOf: (run: StoredRun) => (type: string) => Promise<Role>;
  /** Unread mail of an agent in a run; it is read by being asked for. */
  readonly mailOf: (runId: string, agentId: string) => Promise<readonly SeenMessage[]>;
  /** Of all runs of the project; `null` where there is no limit. */
  readonly dayLimits: { readonly tokens: number | null; readonly costUsd: number | null };
  /** Milliseconds for which what this process claims holds unless it is renewed; default 15,000. */
  readonly leaseMs?: number | undefined;
}

const EVENTS_AT_ONCE = 1_000;
const DAY_MS = 86_400_000;

/** What other runs used today (UTC). */
async function readDay({ db, runtime, dayLimits }: RunStoreDeps, runId: string): Promise<DayBudget> {
  const row = await db.get(
    `SELECT total(input_tokens + output_tokens + cache_read_tokens + cache_write_tokens) AS tokens, total(cost_usd) AS cost
     FROM spend WHERE at >= ? AND run_id <> ?`,
    [Math.floor(runtime.now() / DAY_MS) * DAY_MS, runId],
  );
  return { ...dayLimits, usedTokens: numberOf(row ?? {}, 'tokens'), usedCostUsd: numberOf(row ?? {}, 'cost') };
}

/** The runs of one database, ready to be driven. */
export function createRunStore(deps: RunStoreDeps): RunStore {
  const { db, journal, runtime, leaseMs = LEASE_MS } = deps;
  return {
    log: createRunLog({ db, journal, runtime, leaseMs }),
    voters: createVoterRecords(db),
    session: async (run) => ({
      thinkers: await deps.thinkersOf(run),
      roleOf: deps.rolesOf(run),
      mailOf: (agentId) => deps.mailOf(run.runId, agentId),
      day: await readDay(deps, run.runId),
      read: (after) => journal.read(run.runId, { after, limit: EVENTS_AT_ONCE }),
      version: async () => `${await db.dataVersion()}/${db.commits}`,
      leaseMs,
      holdDurable: () => holdDurable(db),
      owner: `${runtime.host}/${runtime.pid}/${runtime.id('o')}`,
    }),
  };
}
