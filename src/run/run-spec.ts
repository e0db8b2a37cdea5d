import { gunzipSync, gzipSync } from 'node:zlib';
import * as z from 'zod';
import { PROVIDER_NAMES } from '../agent/provider.ts';
import type { ProviderName } from '../agent/provider.ts';
import { COGNITIVE_STYLES } from '../agent/role.ts';
import { DECISION_RULES } from '../ballot.ts';
import type { ChangeSet, Selection } from '../changes.ts';
import { DatabaseDamagedError } from '../errors.ts';
import { GATES } from '../skill/skill.ts';
import type { SwarmSpec } from '../skill/skill.ts';
import { changeNote, fileStatus, selectionMode, skippedFile } from './stored-changes.ts';
import { storedJson } from './stored-json.ts';

/** What a run was started with, and what any process needs to go on with it, besides the plan, which is in the journal. */
export interface RunSpec {
  readonly skill: string;
  readonly skillVersion: string | null;
  /** Absolute path of the skill's folder; `null` for a task without a skill. */
  readonly skillDir: string | null;
  readonly task: string;
  /** Who thinks where no analyzer can. */
  readonly provider: ProviderName;
  readonly selection: Selection;
  readonly swarm: SwarmSpec;
  /** The members with all that the plan says of them. */
  readonly agents: readonly {
    readonly id: string;
    readonly name?: string;
    readonly type: string;
    readonly capabilities: readonly string[];
    readonly prompt?: string;
    readonly model?: string;
    readonly style?: 'convergent' | 'divergent' | 'lateral' | 'systems';
  }[];
}

const limit = z.number().nullable();
const budgets = z.object({ tokens: limit, costUsd: limit, wallMs: limit, steps: limit });
const swarm = z.object({
  agents: z.array(
    z.object({
      id: z.string().exactOptional(),
      name: z.string().exactOptional(),
      type: z.string(),
      count: z.number(),
      capabilities: z.array(z.string()),
      prompt: z.string().exactOptional(),
      model: z.string().exactOptional(),
    }),
  ),
  topology: z.enum(['star', 'mesh', 'ring', 'hierarchy', 'adaptive']),
  strategy: z.enum(['plan', 'cascade', 'fusion', 'neuro-divergent', 'adaptive']),
  span: z.number(),
  maxRounds: z.number(),
  decision: z.object({ rule: z.enum(DECISION_RULES), quorum: z.number(), judge: z.string().nullable() }),
  timeoutMs: z.number(),
  execution: z.object({
    parallel: z.boolean(),
    maxConcurrent: z.number(),
    retry: z.object({ maxAttempts: z.number(), backoff: z.enum(['fixed', 'linear', 'exponential']), delayMs: z.number() }),
  }),
  provider: z.enum(PROVIDER_NAMES).nullable(),
  budget: z.object({ run: budgets, agent: budgets }),
  supervision: z.object({
    strategy: z.enum(['one_for_one', 'one_for_all', 'rest_for_one']),
    intensity: z.number(),
    periodMs: z.number(),
  }),
  approvals: z.array(z.enum(GATES)),
  memory: z.object({ persistence: z.boolean(), vectorSearch: z.boolean(), ttlMs: z.number().nullable() }),
  outputs: z.array(z.object({ type: z.string(), format: z.enum(['markdown', 'json', 'sarif']) })),
}) satisfies z.ZodType<SwarmSpec>;

const spec = z.object({
  skill: z.string(),
  skillVersion: z.string().nullable(),
  skillDir: z.string().nullable(),
  task: z.string(),
  provider: z.enum(PROVIDER_NAMES),
  selection: z.object({
    base: z.string().exactOptional(),
    last: z.number().exactOptional(),
    staged: z.boolean().exactOptional(),
    files: z.array(z.string()).exactOptional(),
    tree: z.boolean().exactOptional(),
  }),
  swarm,
  agents: z.array(
    z.object({
      id: z.string(),
      name: z.string().exactOptional(),
      type: z.string(),
      capabilities: z.array(z.string()),
      prompt: z.string().exactOptional(),
      model: z.string().exactOptional(),
      style: z.enum(COGNITIVE_STYLES).exactOptional(),
    }),
  ),
}) satisfies z.ZodType<RunSpec>;

/** Reads a spec back. Throws `DatabaseDamagedError`. */
export function parseSpec(json: string): RunSpec {
  return storedJson(spec, json, 'what a run was started with');
}

const ranges = z.union([z.literal('all'), z.array(z.object({ start: z.number(), end: z.number() }))]);
const changeSet = z.object({
  root: z.string(),
  mode: selectionMode,
  base: z.string().nullable(),
  git: z.object({ top: z.string(), head: z.string().nullable(), branch: z.string().nullable(), shallow: z.boolean() }).nullable(),
  files: z.array(
    z.object({
      path: z.string(),
      absolutePath: z.string(),
      language: z.enum(['javascript', 'jsx', 'typescript', 'tsx', 'python', 'text']),
      bytes: z.number(),
      status: fileStatus,
      changed: ranges,
      text: z.string().exactOptional(),
      mark: z.string().exactOptional(),
    }),
  ),
  skipped: z.array(skippedFile),
  notes: z.array(changeNote),
}) satisfies z.ZodType<ChangeSet>;

/** A change set as a table keeps it: JSON, gzipped. */
export function packChanges(changes: ChangeSet): Uint8Array {
  return gzipSync(JSON.stringify(changes), { level: 1 });
}

/** The reverse of {@link packChanges}. Throws `DatabaseDamagedError`. */
export function unpackChanges(packed: Uint8Array): ChangeSet {
  let json: string;
  try {
    json = gunzipSync(packed, { maxOutputLength: 1024 ** 3 }).toString('utf8');
  } catch (error) {
    throw new DatabaseDamagedError('the database is damaged: what a run looks at cannot be unpacked', {
      cause: error,
      hint: 'Start the skill again; look at the damage with skillflow memory doctor.',
    });
  }
  return storedJson(changeSet, json, 'what a run looks at');
}
