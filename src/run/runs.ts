import * as z from 'zod';
import { NotFoundError } from '../errors.ts';
import type { RunEvent } from '../events.ts';
import type { Runtime } from '../runtime.ts';
import type { Database, Row } from '../store/database.ts';
import { numberColumns, numberOf, numberOrNull, textColumns, textOf, textOrNull } from '../store/row.ts';
import type { Journal } from './journal.ts';
import { storedJson, storedValue } from './stored-json.ts';

/**
 * `interrupted`: its process ended before the run did. `awaiting_host`: steps are ready for the calling host to claim.
 * `paused`: a budget is used up. `awaiting_approval`: a person must agree first.
 */
export type RunState =
  | 'running'
  | 'interrupted'
  | 'awaiting_host'
  | 'paused'
  | 'awaiting_approval'
  | 'completed'
  | 'failed'
  | 'cancelled';
export const RUN_STATES = [
  'running',
  'interrupted',
  'awaiting_host',
  'paused',
  'awaiting_approval',
  'completed',
  'failed',
  'cancelled',
] as const satisfies readonly RunState[];

export const runSummarySchema = z.object({
  files: z.number(),
  skipped: z.number(),
  findings: z.number(),
  confirmed: z.number(),
  rejected: z.number(),
  undecided: z.number(),
  /** Findings that were not rejected, by severity. */
  bySeverity: z.record(z.string(), z.number()),
  /** Paths from the project root. */
  outputs: z.array(z.string()),
  /** Why it failed or was cancelled, or wrote no files. */
  reason: z.string().nullable(),
});
/** What came of a run, in figures. */
export type RunSummary = z.infer<typeof runSummarySchema>;

export interface RunRecord {
  readonly runId: string;
  readonly skill: string;
  readonly task: string;
  readonly status: RunState;
  readonly provider: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly summary: RunSummary | null;
}

export interface StepRecord {
  readonly stepId: string;
  readonly agentId: string;
  readonly kind: string;
  readonly round: number;
  readonly status: string;
  readonly attempt: number;
  readonly durationMs: number | null;
  readonly reason: string | null;
  /** Until when whoever works on it holds it, ms since the epoch; `null` where nobody does. */
  readonly heldUntil: number | null;
}

/** Reading what runs there were. */
export interface Runs {
  /** Newest first. */
  list(options: { readonly limit: number; readonly offset: number }): Promise<readonly RunRecord[]>;
  count(): Promise<number>;
  /** Those whose steps the host does and that have not ended, the oldest first. */
  forHost(limit: number): Promise<readonly RunRecord[]>;
  /** Throws `NotFoundError`. A prefix of the id is enough where it is unique. */
  get(runId: string): Promise<RunRecord>;
  steps(runId: string): Promise<readonly StepRecord[]>;
  events(runId: string, options: { readonly after: number; readonly limit: number }): Promise<readonly RunEvent[]>;
}

export interface RunsDeps {
  readonly db: Database;
  readonly journal: Journal;
  readonly runtime: Runtime;
}

const STATUS = z.enum(['running', 'completed', 'failed', 'cancelled']);

const WAITING = z.enum(['host', 'budget', 'approval']);
const WAITING_STATES = { host: 'awaiting_host', budget: 'paused', approval: 'awaiting_approval' } as const;

const RUN = `SELECT ${textColumns(['id', 'skill', 'task', 'status', 'waiting', 'provider', 'owner_host', 'summary'])},
  ${numberColumns(['owner_pid', 'lease_until', 'created_at', 'ended_at'])} FROM run`;
const STEP = `SELECT ${textColumns(['id', 'agent_id', 'kind', 'status', 'reason'])},
  ${numberColumns(['round', 'attempt', 'started_at', 'ended_at', 'lease_until'])} FROM step`;

function toSummary(json: string | null): RunSummary | null {
  return json === null ? null : storedJson(runSummarySchema, json, 'the summary of a run');
}

function toStep(row: Row): StepRecord {
  const [started, ended] = [numberOrNull(row, 'started_at'), numberOrNull(row, 'ended_at')];
  return {
    stepId: textOf(row, 'id'),
    agentId: textOf(row, 'agent_id'),
    kind: textOf(row, 'kind'),
    round: numberOf(row, 'round'),
    status: textOf(row, 'status'),
    attempt: numberOf(row, 'attempt'),
    durationMs: started === null || ended === null ? null : ended - started,
    reason: textOrNull(row, 'reason'),
    heldUntil: numberOrNull(row, 'lease_until'),
  };
}

export function createRuns({ db, journal, runtime }: RunsDeps): Runs {
  // A running row whose process is gone, or whose lease ran out, was interrupted: nobody is left to write that down.
  const stateOf = (row: Row): RunState => {
    const status = storedValue(STATUS, textOf(row, 'status'), 'the status of a run');
    if (status !== 'running') return status;
    const waiting = textOrNull(row, 'waiting');
    if (waiting !== null) return WAITING_STATES[storedValue(WAITING, waiting, 'what a run waits for')];
    const gone = textOrNull(row, 'owner_host') === runtime.host && !runtime.alive(numberOrNull(row, 'owner_pid') ?? 0);
    return gone || (numberOrNull(row, 'lease_until') ?? 0) < runtime.now() ? 'interrupted' : 'running';
  };

  const toRecord = (row: Row): RunRecord => ({
    runId: textOf(row, 'id'),
    skill: textOf(row, 'skill'),
    task: textOf(row, 'task'),
    status: stateOf(row),
    provider: textOf(row, 'provider'),
    startedAt: numberOf(row, 'created_at'),
    endedAt: numberOrNull(row, 'ended_at'),
    summary: toSummary(textOrNull(row, 'summary')),
  });

  const find = async (runId: string): Promise<Row> => {
    const exact = await db.get(`${RUN} WHERE id = ?`, [runId]);
    if (exact !== undefined) return exact;
    const near = runId.length < 6 ? [] : await db.all(`${RUN} WHERE substr(id, 1, ?) = ? LIMIT 2`, [runId.length, runId]);
    const [only, other] = near;
    if (only !== undefined && other === undefined) return only;
    throw new NotFoundError(`there is no run ${JSON.stringify(runId)}${other === undefined ? '' : ': several begin so'}`, {
      hint: 'List the runs with `skillflow runs`.',
    });
  };

  return {
    list: async ({ limit, offset }) => {
      const rows = await db.all(`${RUN} ORDER BY run.created_at DESC, run.id DESC LIMIT ? OFFSET ?`, [limit, offset]);
      return rows.map(toRecord);
    },
    count: async () => numberOf((await db.get('SELECT count(*) AS n FROM run')) ?? {}, 'n'),
    forHost: async (limit) => {
      const rows = await db.all(
        `${RUN} WHERE run.status = 'running' AND run.provider = 'host' ORDER BY run.created_at, run.id LIMIT ?`,
        [limit],
      );
      return rows.map(toRecord);
    },
    get: async (runId) => toRecord(await find(runId)),
    steps: async (runId) => {
      const rows = await db.all(`${STEP} WHERE run_id = ? ORDER BY step.round, step.id`, [runId]);
      return rows.map(toStep);
    },
    events: (runId, options) => journal.read(runId, options),
  };
}
