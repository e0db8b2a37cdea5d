import type { Queries } from '../store/database.ts';
import { numberOf, numberOnly, numberOrNull, textBytes, textOf } from '../store/row.ts';

/** What an agent of a swarm did in all runs of the swarm. */
export interface AgentWork {
  /** Its steps by status, all runs together. */
  readonly steps: Readonly<Record<string, number>>;
  /** Of them, those that are to be done, in runs that have not ended. */
  readonly openSteps: number;
  /** Whether somebody thinks for it now. */
  readonly busy: boolean;
  /** When a step of it last began or ended, ms since the epoch; `null`: none has. */
  readonly lastActivityAt: number | null;
}

export const NO_WORK: AgentWork = { steps: {}, openSteps: 0, busy: false, lastActivityAt: null };

/** A claim whose time is over is nobody's work. */
const BUSY = `run.status = 'running' AND step.status = 'running' AND step.lease_until >= ?2`;
const WORK = `SELECT ${textBytes('agent_id')} AS agent, ${textBytes('step.status')} AS status, count(*) AS n,
  total(run.status = 'running' AND step.status IN ('waiting', 'running')) AS open, total(${BUSY}) AS busy, ${numberOnly('max(coalesce(step.ended_at, step.started_at))')} AS last
  FROM run JOIN step ON step.run_id = run.id WHERE run.swarm_id = ?1 GROUP BY step.agent_id, step.status`;

/** By agents' ids; agents without a step are left out. `now`: ms since the epoch. */
export async function readAgentWork(queries: Queries, swarmId: string, now: number): Promise<ReadonlyMap<string, AgentWork>> {
  const found = new Map<string, AgentWork>();
  for (const row of await queries.all(WORK, [swarmId, now])) {
    const agent = textOf(row, 'agent');
    const before = found.get(agent) ?? NO_WORK;
    const last = numberOrNull(row, 'last');
    found.set(agent, {
      steps: { ...before.steps, [textOf(row, 'status')]: numberOf(row, 'n') },
      openSteps: before.openSteps + numberOf(row, 'open'),
      busy: before.busy || numberOf(row, 'busy') > 0,
      lastActivityAt: last === null ? before.lastActivityAt : Math.max(last, before.lastActivityAt ?? 0),
    });
  }
  return found;
}

/** Agents of a swarm that somebody thinks for now. */
export async function countBusyAgents(queries: Queries, swarmId: string, now: number): Promise<number> {
  const sql = `SELECT count(DISTINCT agent.id) AS n FROM step JOIN run ON run.id = step.run_id
    JOIN agent ON agent.id = step.agent_id AND agent.swarm_id = run.swarm_id WHERE run.swarm_id = ?1 AND ${BUSY}`;
  return numberOf((await queries.get(sql, [swarmId, now])) ?? {}, 'n');
}
