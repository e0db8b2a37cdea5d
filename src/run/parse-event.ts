import { z } from 'zod';
import type { EventBody, RunEvent } from '../events.ts';
import type { Row } from '../store/database.ts';
import { numberOf, textOf } from '../store/row.ts';
import { storedJson, storedValue } from './stored-json.ts';

const sourceRange = z.strictObject({
  startLine: z.int().min(1),
  startColumn: z.int().min(1),
  endLine: z.int().min(1),
  endColumn: z.int().min(1),
});

/** A finding as the journal and the reports hold it. */
const findingSchema = z.object({
  id: z.string(),
  rule: z.string(),
  severity: z.enum(['critical', 'high', 'medium', 'low', 'info']),
  confidence: z.enum(['high', 'medium', 'low']),
  capability: z.string(),
  file: z.string(),
  range: sourceRange,
  message: z.string(),
  evidence: z.string(),
  advice: z.string().exactOptional(),
  cwe: z.array(z.string()).exactOptional(),
  related: z.array(z.object({ file: z.string(), range: sourceRange })).exactOptional(),
});

const note = z.object({ code: z.string(), message: z.string(), count: z.number().exactOptional() });

/** A ballot as the journal holds it. */
const ballotSchema = z.object({
  subject: z.string(),
  voter: z.string(),
  vote: z.enum(['confirm', 'reject', 'abstain']),
  reason: z.string(),
});

const decision = z.object({
  subject: z.string(),
  rule: z.enum(['majority', 'quorum']),
  outcome: z.enum(['confirmed', 'rejected', 'tie', 'no_quorum']),
  confirms: z.number(),
  rejects: z.number(),
  abstains: z.number(),
  quorum: z.number(),
  eligible: z.number(),
});

const step = { stepId: z.string(), agentId: z.string() };
const agent = z.object({ id: z.string(), type: z.string(), capabilities: z.array(z.string()) });

const eventBody = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('run_started'),
    skill: z.string(),
    task: z.string(),
    provider: z.string(),
    topology: z.string(),
    agents: z.array(agent),
    steps: z.array(z.string()),
    files: z.number(),
    skipped: z.number(),
  }),
  z.object({ type: z.literal('step_started'), ...step, attempt: z.number() }),
  z.object({ type: z.literal('step_completed'), ...step, durationMs: z.number(), findings: z.number(), ballots: z.number() }),
  z.object({ type: z.literal('step_skipped'), ...step, code: z.string(), reason: z.string() }),
  z.object({
    type: z.literal('step_failed'),
    ...step,
    attempt: z.number(),
    code: z.string(),
    reason: z.string(),
    willRetry: z.boolean(),
  }),
  z.object({ type: z.literal('finding_reported'), agentId: z.string(), finding: findingSchema }),
  z.object({ type: z.literal('note_added'), agentId: z.string().nullable(), note }),
  z.object({ type: z.literal('ballot_cast'), ballot: ballotSchema }),
  z.object({ type: z.literal('decision_made'), decision }),
  z.object({
    type: z.literal('run_completed'),
    durationMs: z.number(),
    confirmed: z.number(),
    rejected: z.number(),
    undecided: z.number(),
    outputs: z.array(z.string()),
  }),
  z.object({ type: z.literal('run_failed'), code: z.string(), reason: z.string() }),
  z.object({ type: z.literal('run_cancelled'), reason: z.string() }),
]) satisfies z.ZodType<EventBody>;

const stored = z.record(z.string(), z.unknown());
const WHAT = 'an event of a run';

/** A row of the journal as an event. Throws `DatabaseDamagedError` on a row that no Skillflow wrote. */
export function parseEvent(row: Row): RunEvent {
  const rest = storedJson(stored, textOf(row, 'body'), WHAT);
  const body = storedValue(eventBody, { ...rest, type: textOf(row, 'type') }, WHAT);
  return { ...body, runId: textOf(row, 'run_id'), seq: numberOf(row, 'seq'), at: numberOf(row, 'at') };
}
