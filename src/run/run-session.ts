import type { AskRequest, Provider, SeenMessage } from '../agent/provider.ts';
import type { Role } from '../agent/role.ts';
import type { RunEvent } from '../events.ts';
import type { Runtime } from '../runtime.ts';
import type { DayBudget } from './budget.ts';
import type { Fold } from './fold.ts';
import { patientLog } from './patient-log.ts';
import type { RunLog, StoredRun } from './run-log.ts';
import type { Pool } from './swarm-pool.ts';

/** Who thinks for whom in a run. */
export interface Thinkers {
  serves(agent: Pick<AskRequest['agent'], 'capabilities'>): Provider;
}

/** What a process that drives a run has at hand. */
export interface SessionDeps {
  readonly log: RunLog;
  readonly runtime: Runtime;
  readonly thinkers: Thinkers;
  readonly roleOf: (type: string) => Promise<Role>;
  /** Throws `InvalidInputError` where the file of an agent type's role has errors: no other role is to work in its stead. */
  readonly checkRole: (type: string) => Promise<void>;
  readonly mailOf: (agentId: string) => Promise<readonly SeenMessage[]>;
  /** What all runs of the project may use today, and have used. */
  readonly readDay: () => Promise<DayBudget>;
  /** What all runs of its swarm may use together, and have used; `null` where there is no limit. */
  readonly readPool: () => Promise<Pool | null>;
  /** Events after a place. */
  readonly read: (after: number) => Promise<readonly RunEvent[]>;
  /** Changes whenever another process has committed. */
  readonly version: () => Promise<string>;
  /** The process and this session of it: `<host>/<pid>/<id>`. */
  readonly owner: string;
  /** Milliseconds for which a claim holds unless it is renewed. */
  readonly leaseMs: number;
  /** Has every commit reach the disk before it counts, until the returned function is called; for results that were paid for. */
  readonly holdDurable: () => Promise<() => Promise<void>>;
}

/** One process's view of a run under way: the fold of its events, kept up to date. */
export interface RunSession extends SessionDeps {
  /** Read again when its budgets are raised. */
  readonly run: StoredRun;
  readonly fold: Fold;
  /** As of the last {@link sync}. */
  readonly day: DayBudget;
  /** As of the last {@link sync}. */
  readonly pool: Pool | null;
  /** Takes in events that this process has just written, or reads what it lacks; `null` changes nothing. */
  take(events: readonly RunEvent[] | null): Promise<void>;
  /** Reads what other processes wrote, where they may have written. */
  sync(): Promise<void>;
  /** When this process last saw or wrote an event, ms since the epoch. */
  since(): number;
}

/** Opens a session on a run that is stored, with the events so far. */
export async function openSession(stored: StoredRun, fold: Fold, deps: SessionDeps): Promise<RunSession> {
  const { read, runtime } = deps;
  const log = patientLog(deps.log);
  let run = stored;
  let isOpen = false;
  let seen: string | null = null;
  let since = runtime.now();
  const readOn = async (): Promise<void> => {
    for (;;) {
      const events = await read(fold.state.seq);
      if (events.length === 0) return;
      fold.apply(events);
      since = runtime.now();
      if (isOpen && events.some(({ type }) => type === 'budget_raised')) run = await log.load(run.runId);
    }
  };
  await readOn();
  let day = await deps.readDay();
  let pool = await deps.readPool();
  isOpen = true;
  return {
    ...deps,
    log,
    get run() {
      return run;
    },
    get day() {
      return day;
    },
    get pool() {
      return pool;
    },
    fold,
    take: async (events) => {
      const [first] = events ?? [];
      if (events === null || first === undefined) return;
      since = runtime.now();
      if (first.seq === fold.state.seq + 1) fold.apply(events);
      else await readOn(); // another process wrote in between
    },
    sync: async () => {
      const version = await deps.version();
      if (version === seen) return;
      await readOn();
      day = await deps.readDay();
      pool = await deps.readPool();
      seen = version;
    },
    since: () => since,
  };
}
