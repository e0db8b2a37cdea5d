import { z } from 'zod';
import { NotFoundError } from '../errors.ts';
import type { RunEvent } from '../events.ts';
import type { Runtime } from '../runtime.ts';
import type { Database, Row } from '../store/database.ts';
import type { Journal } from './journal.ts';

/** `interrupted`: its process ended before the run did. */
export type RunState = 'running' | 'interrupted' | 'completed' | 'failed' | 'cancelled';
export const RUN_STATES = ['running', 'interrupted', 'completed', 'failed', 'cancelled'] as const satisfies readonly RunState[];

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
  /** Why it failed or was cancelled. */
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
}

/** Reading what runs there were. */
export interface Runs {
  /** Newest first. */
  list(options: { readonly limit: number; readonly offset: number }): Promise<readonly RunRecord[]>;
  count(): Promise<number>;
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

export function createRuns({ db, journal, runtime }: RunsDeps): Runs {
  // A running row whose process is gone, or whose lease ran out, was interrupted: nobody is left to write that down.
  const stateOf = (row: Row): RunState => {
    const status = STATUS.parse(row['status']);
    if (status !== 'running') return status;
    const gone = row['owner_host'] === runtime.host && !runtime.alive(Number(row['owner_pid']));
    return gone || Number(row['lease_until']) < runtime.now() ? 'interrupted' : 'running';
  };

  const toRecord = (row: Row): RunRecord => ({
    runId: String(row['id']),
    skill: String(row['skill']),
    task: String(row['task']),
    status: stateOf(row),
    provider: String(row['provider']),
    startedAt: Number(row['created_at']),
    endedAt: row['ended_at'] === null ? null : Number(row['ended_at']),
    summary: typeof row['summary'] === 'string' ? runSummarySchema.parse(JSON.parse(row['summary'])) : null,
  });

  const find = async (runId: string): Promise<Row> => {
    const exact = await db.get('SELECT * FROM run WHERE id = ?', [runId]);
    if (exact !== undefined) return exact;
    const near =
      runId.length < 6 ? [] : await db.all('SELECT * FROM run WHERE substr(id, 1, ?) = ? LIMIT 2', [runId.length, runId]);
    const [only, other] = near;
    if (only !== undefined && other === undefined) return only;
    throw new NotFoundError(`there is no run ${JSON.stringify(runId)}${other === undefined ? '' : ': several begin so'}`, {
      hint: 'List the runs with `skillflow runs`.',
    });
  };

  return {
    list: async ({ limit, offset }) => {
      const rows = await db.all('SELECT * FROM run ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?', [limit, offset]);
      return rows.map(toRecord);
    },
    count: async () => Number((await db.get('SELECT count(*) AS n FROM run'))?.['n'] ?? 0),
    get: async (runId) => toRecord(await find(runId)),
    steps: async (runId) => {
      const rows = await db.all('SELECT * FROM step WHERE run_id = ? ORDER BY round, id', [runId]);
      return rows.map((row) => ({
        stepId: String(row['id']),
        agentId: String(row['agent_id']),
        kind: String(row['kind']),
        round: Number(row['round']),
        status: String(row['status']),
        attempt: Number(row['attempt']),
        durationMs:
          row['ended_at'] === null || row['started_at'] === null ? null : Number(row['ended_at']) - Number(row['started_at']),
        reason: typeof row['reason'] === 'string' ? row['reason'] : null,
      }));
    },
    events: (runId, options) => journal.read(runId, options),
  };
}
