import * as z from 'zod';
import { DECISION_RULES } from '../ballot.ts';
import type { EventBody, RunEvent } from '../events.ts';
import type { Row } from '../store/database.ts';
import { numberOf, textOf } from '../store/row.ts';
import { changeNote, fileStatus, selectionMode, skippedFile } from './stored-changes.ts';
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
  rule: z.enum(DECISION_RULES),
  outcome: z.enum(['confirmed', 'rejected', 'tie', 'no_quorum']),
  confirms: z.number(),
  rejects: z.number(),
  abstains: z.number(),
  quorum: z.number(),
  eligible: z.number(),
  note: z.string().exactOptional(),
});

const ref = { stepId: z.string(), agentId: z.string() };
const agent = z.object({
  id: z.string(),
  name: z.string().exactOptional(),
  type: z.string(),
  capabilities: z.array(z.string()),
});
const kind = z.enum(['work', 'judge', 'merge']);
const planStep = z.object({ id: z.string(), agentId: z.string(), kind, round: z.number(), sees: z.array(z.string()) });
/** Journals of earlier versions have ids only: `<round>-<kind>-<agentId>`, and nothing of who sees whom. */
const step = z.union([
  planStep,
  z.string().transform((id) => {
    const [, round = '1', name = 'work', agentId = id] = /^(\d+)-([a-z]+)-(.*)$/.exec(id) ?? [];
    return { id, agentId, kind: kind.catch('work').parse(name), round: Number(round), sees: [] };
  }),
]);
const figures = z.record(z.string(), z.number());
const output = z.object({
  findingIds: z.array(z.string()),
  stats: figures,
  text: z.string().exactOptional(),
  confidence: z.number().exactOptional(),
});
const usage = z.object({
  provider: z.string(),
  model: z.string(),
  inputTokens: z.number(),
  outputTokens: z.number(),
  cacheReadTokens: z.number(),
  cacheWriteTokens: z.number(),
  requests: z.number(),
  costUsd: z.number().nullable(),
});
const scope = z.object({
  mode: selectionMode,
  base: z.string().nullable(),
  git: z.object({ head: z.string().nullable(), branch: z.string().nullable(), shallow: z.boolean() }).nullable(),
  files: z.array(
    z.object({
      path: z.string(),
      status: fileStatus,
      changedLines: z.number().nullable(),
    }),
  ),
  skipped: z.array(skippedFile),
  notes: z.array(changeNote),
});
const NO_SCOPE = { mode: 'tree', base: null, git: null, files: [], skipped: [], notes: [] } as const;
const budget = z.object({
  scope: z.enum(['run', 'agent', 'day', 'swarm']),
  agentId: z.string().exactOptional(),
  swarmId: z.string().exactOptional(),
  what: z.enum(['tokens', 'costUsd', 'wallMs', 'steps']),
  limit: z.number(),
  used: z.number(),
});

// Defaults stand for what journals of earlier versions do not hold.
const eventBody = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('run_started'),
    skill: z.string(),
    skillVersion: z.string().nullable().default(null),
    version: z.string().default(''),
    task: z.string(),
    provider: z.string(),
    topology: z.string(),
    strategy: z.string().default('plan'),
    reason: z.string().exactOptional(),
    agents: z.array(agent),
    steps: z.array(step),
    formats: z.array(z.enum(['markdown', 'json', 'sarif'])).default([]),
    scope: scope.default({ ...NO_SCOPE, files: [], skipped: [], notes: [] }),
  }),
  z.object({ type: z.literal('plan_grown'), steps: z.array(step), reason: z.string() }),
  z.object({ type: z.literal('growth_stopped'), why: z.enum(['no_gain', 'no_result', 'bound']), reason: z.string() }),
  z.object({
    type: z.literal('spending_announced'),
    provider: z.string(),
    costUsd: z.number().nullable(),
    budgetUsd: z.number().nullable(),
  }),
  z.object({
    type: z.literal('step_started'),
    ...ref,
    attempt: z.number(),
    epoch: z.number().default(0),
    owner: z.string().default(''),
    provider: z.string().default('local'),
    possiblyBilledTwice: z.literal(true).exactOptional(),
    pool: z.object({ tokens: z.number().nullable(), costUsd: z.number().nullable() }).exactOptional(),
  }),
  z.object({
    type: z.literal('step_completed'),
    ...ref,
    epoch: z.number().default(0),
    durationMs: z.number(),
    findings: z.number(),
    ballots: z.number(),
    output: output.default({ findingIds: [], stats: {} }),
    usage: usage.exactOptional(),
  }),
  z.object({ type: z.literal('step_skipped'), ...ref, code: z.string(), reason: z.string() }),
  z.object({
    type: z.literal('step_failed'),
    ...ref,
    attempt: z.number(),
    code: z.string(),
    reason: z.string(),
    willRetry: z.boolean(),
    usage: usage.exactOptional(),
    possiblyBilled: z.literal(true).exactOptional(),
  }),
  z.object({ type: z.literal('step_reset'), ...ref, reason: z.string() }),
  z.object({
    type: z.literal('usage_recorded'),
    ...ref,
    epoch: z.number(),
    usage,
    possiblyBilled: z.literal(true).exactOptional(),
  }),
  z.object({ type: z.literal('call_started'), ...ref, epoch: z.number() }),
  z.object({
    type: z.literal('tool_called'),
    ...ref,
    tool: z.string(),
    input: z.string(),
    outcome: z.enum(['ok', 'error', 'refused']),
    detail: z.string(),
    durationMs: z.number(),
  }),
  z.object({ type: z.literal('child_started'), ...ref, host: z.string(), pid: z.int().min(2), startTime: z.string() }),
  z.object({ type: z.literal('request_retried'), ...ref, reason: z.string(), delayMs: z.number(), billed: z.boolean() }),
  z.object({ type: z.literal('finding_reported'), stepId: z.string().default(''), agentId: z.string(), finding: findingSchema }),
  z.object({ type: z.literal('note_added'), stepId: z.string().nullable().default(null), agentId: z.string().nullable(), note }),
  z.object({
    type: z.literal('ballot_cast'),
    stepId: z.string().default(''),
    agentId: z.string().default(''),
    ballot: ballotSchema,
  }),
  z.object({ type: z.literal('decision_made'), decision }),
  z.object({
    type: z.literal('run_waiting'),
    for: z.literal('host'),
    steps: z.array(z.string()),
    count: z.number().exactOptional(),
  }),
  z.object({ type: z.literal('run_paused'), budget, done: z.array(z.string()), remaining: z.array(z.string()) }),
  z.object({ type: z.literal('approval_asked'), gate: z.string(), question: z.string() }),
  z.object({ type: z.literal('approval_given'), gate: z.string(), approved: z.boolean(), note: z.string().nullable() }),
  z.object({ type: z.literal('budget_raised'), what: z.string(), from: z.number().nullable(), to: z.number().nullable() }),
  z.object({ type: z.literal('run_resumed'), owner: z.string() }),
  z.object({ type: z.literal('run_left'), owner: z.string() }),
  z.object({ type: z.literal('cancel_asked'), reason: z.string() }),
  z.object({
    type: z.literal('run_completed'),
    durationMs: z.number(),
    confirmed: z.number(),
    rejected: z.number(),
    undecided: z.number(),
    outputs: z.array(z.string()),
    asOf: z.number().exactOptional(),
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
