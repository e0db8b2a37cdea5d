import { NotFoundError } from '../errors.ts';
import type { Database, Row } from '../store/database.ts';
import { numberOf, numberOnly, numberOrNull, textBytes, textOf } from '../store/row.ts';
import type { VoterRecord } from '../swarm/consensus/voter-weights.ts';
import { voterRecords } from './close-poll.ts';
import { rolesOf } from './poll-records.ts';
import { AGENT, toAgent } from './swarm-records.ts';
import type { AgentRecord } from './swarm-records.ts';

/** What a model was paid for. */
export interface AgentUsage {
  readonly requests: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
  /** Of the attempts whose model has a known price. */
  readonly costUsd: number;
  /** Attempts whose model has none. */
  readonly unpricedAttempts: number;
}

/** What is recorded of one agent: of a swarm, or of runs, where ids are `<type>` or `<type>-<n>`. */
export interface AgentMetrics {
  readonly agentId: string;
  readonly role: string;
  /** `null`: an agent of runs, on no record of its own. */
  readonly swarmId: string | null;
  readonly status: AgentRecord['status'] | null;
  /** Its steps in runs, counted by status. */
  readonly steps: Readonly<Record<string, number>>;
  /** Attempts at steps beyond the first. */
  readonly retries: number;
  /** Of steps that ended; `null` when none has. */
  readonly durationMs: { readonly total: number; readonly mean: number; readonly max: number } | null;
  /** `null` when no model was used. */
  readonly usage: AgentUsage | null;
  /** Ballots in runs and votes. */
  readonly ballots: number;
  /** How its role voted, where it was said what was right; `null` where it never was. */
  readonly accuracy: VoterRecord | null;
  /** Messages to it that it did not acknowledge. */
  readonly openMessages: number;
  /** Milliseconds since the epoch; `null` when it did nothing yet. */
  readonly lastActivityAt: number | null;
}

export interface MetricsFilter {
  readonly agentId?: string | undefined;
  readonly role?: string | undefined;
  /** Only what happened in this run; agents of swarms that did nothing in it are left out. */
  readonly runId?: string | undefined;
  readonly limit: number;
  readonly offset: number;
}

export interface MetricsPage {
  /** By id. */
  readonly agents: readonly AgentMetrics[];
  readonly total: number;
}

interface Tally {
  steps: Record<string, number>;
  retries: number;
  timed: number;
  totalMs: number;
  maxMs: number;
  usage: AgentUsage | null;
  ballots: number;
  openMessages: number;
  lastActivityAt: number | null;
}

const LAST = (expression: string): string => `${numberOnly(`max(${expression})`)} AS last`;
const SUM = (column: string): string => `total(${column}) AS ${column}`;

/** Facts by agent, each with the conditions `agent` and `run`; a sum of what is no number is 0. */
const STEPS = `SELECT ${textBytes('agent_id')} AS agent, ${textBytes('status')} AS status, count(*) AS n,
  total(max(attempt - 1, 0)) AS retries, count(ended_at - started_at) AS timed, total(ended_at - started_at) AS total_ms,
  coalesce(max(ended_at - started_at), 0) AS max_ms, ${LAST('coalesce(ended_at, started_at)')} FROM step
  WHERE (?1 IS NULL OR agent_id = ?1) AND (?2 IS NULL OR run_id = ?2) GROUP BY step.agent_id, step.status`;
const TOKENS = ['input_tokens', 'output_tokens', 'cache_read_tokens', 'cache_write_tokens', 'requests', 'cost_usd'] as const;
const SPENT = `SELECT ${textBytes('agent_id')} AS agent, ${TOKENS.map(SUM).join(', ')}, count(*) - count(cost_usd) AS unpriced,
  ${LAST('at')} FROM spend WHERE (?1 IS NULL OR agent_id = ?1) AND (?2 IS NULL OR run_id = ?2) GROUP BY spend.agent_id`;
const VOTER = `json_extract(body, '$.ballot.voter')`;
const RUN_BALLOTS = `SELECT ${textBytes(VOTER)} AS agent, count(*) AS n, ${LAST('at')} FROM event
  WHERE type = 'ballot_cast' AND (?1 IS NULL OR ${VOTER} = ?1) AND (?2 IS NULL OR run_id = ?2) GROUP BY ${VOTER}`;
const POLL_BALLOTS = `SELECT ${textBytes('voter')} AS agent, count(*) AS n, ${LAST('poll_ballot.at')} FROM poll_ballot
  JOIN poll ON poll.id = poll_ballot.poll_id
  WHERE (?1 IS NULL OR voter = ?1) AND (?2 IS NULL OR poll.place = ?2) GROUP BY poll_ballot.voter`;
const OPEN_MAIL = `SELECT ${textBytes('agent')} AS agent, count(*) AS n FROM delivery
  WHERE acked_at IS NULL AND (?1 IS NULL OR agent = ?1) AND (?2 IS NULL OR place = ?2
    OR place = (SELECT swarm_id FROM run WHERE id = ?2) AND agent IN (SELECT agent_id FROM step WHERE run_id = ?2))
  GROUP BY delivery.agent`;

const empty = (): Tally => ({
  steps: {},
  retries: 0,
  timed: 0,
  totalMs: 0,
  maxMs: 0,
  usage: null,
  ballots: 0,
  openMessages: 0,
  lastActivityAt: null,
});

function addStep(tally: Tally, row: Row): void {
  tally.steps[textOf(row, 'status')] = numberOf(row, 'n');
  tally.retries += numberOf(row, 'retries');
  tally.timed += numberOf(row, 'timed');
  tally.totalMs += numberOf(row, 'total_ms');
  tally.maxMs = Math.max(tally.maxMs, numberOf(row, 'max_ms'));
}

function addUsage(tally: Tally, row: Row): void {
  tally.usage = {
    requests: numberOf(row, 'requests'),
    inputTokens: numberOf(row, 'input_tokens'),
    outputTokens: numberOf(row, 'output_tokens'),
    cacheReadTokens: numberOf(row, 'cache_read_tokens'),
    cacheWriteTokens: numberOf(row, 'cache_write_tokens'),
    costUsd: numberOf(row, 'cost_usd'),
    unpricedAttempts: numberOf(row, 'unpriced'),
  };
}

const SOURCES: readonly (readonly [sql: string, add: (tally: Tally, row: Row) => void])[] = [
  [STEPS, addStep],
  [SPENT, addUsage],
  [RUN_BALLOTS, (tally, row) => void (tally.ballots += numberOf(row, 'n'))],
  [POLL_BALLOTS, (tally, row) => void (tally.ballots += numberOf(row, 'n'))],
  [OPEN_MAIL, (tally, row) => void (tally.openMessages += numberOf(row, 'n'))],
];

async function tallies(db: Database, { agentId, runId }: MetricsFilter): Promise<ReadonlyMap<string, Tally>> {
  const byAgent = new Map<string, Tally>();
  for (const [sql, add] of SOURCES) {
    for (const row of await db.all(sql, [agentId ?? null, runId ?? null])) {
      const id = textOf(row, 'agent');
      const tally = byAgent.get(id) ?? empty();
      add(tally, row);
      const last = row['last'] === undefined ? null : numberOrNull(row, 'last');
      if (last !== null) tally.lastActivityAt = Math.max(last, tally.lastActivityAt ?? 0);
      byAgent.set(id, tally);
    }
  }
  return byAgent;
}

/** Of all agents, of one, or of a role. Throws `NotFoundError` for an agent of which nothing is recorded. */
export async function readAgentMetrics(db: Database, filter: MetricsFilter): Promise<MetricsPage> {
  const { agentId, role, runId, limit, offset } = filter;
  const byAgent = await tallies(db, filter);
  const rows = await db.all(`${AGENT} WHERE ?1 IS NULL OR id = ?1`, [agentId ?? null]);
  const records = new Map(rows.map(toAgent).map((agent) => [agent.agentId, agent]));
  const known = [...new Set([...byAgent.keys(), ...(runId === undefined ? records.keys() : [])])].sort();
  const roles = await rolesOf(db, known);
  const ids = known.filter((id) => role === undefined || roles.get(id) === role);
  if (agentId !== undefined && ids.length === 0) {
    throw new NotFoundError(`nothing is recorded of an agent ${JSON.stringify(agentId)}`, {
      hint: 'Give an agentId of agent_list or of the steps of run_status, and no role or run that is not its own.',
    });
  }
  const page = ids.slice(offset, offset + limit);
  const accuracies = await voterRecords(db, [...new Set(page.map((id) => roles.get(id) ?? id))]);
  const agents = page.map((id): AgentMetrics => {
    const { timed, totalMs, maxMs, ...tally } = byAgent.get(id) ?? empty();
    const record = records.get(id);
    return {
      agentId: id,
      role: roles.get(id) ?? id,
      swarmId: record?.swarmId ?? null,
      status: record?.status ?? null,
      ...tally,
      durationMs: timed === 0 ? null : { total: totalMs, mean: totalMs / timed, max: maxMs },
      accuracy: accuracies.get(roles.get(id) ?? id) ?? null,
    };
  });
  return { agents, total: ids.length };
}
