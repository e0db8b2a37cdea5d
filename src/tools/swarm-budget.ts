import * as z from 'zod';
import { amountWords } from '../run/amount-words.ts';
import { InvalidInputError } from '../errors.ts';
import type { SwarmBudget } from '../run/swarm-budget.ts';
import type { Budgets } from '../skill/skill.ts';
import { words } from './input.ts';
import { fields } from './table.ts';
import { defineTool } from './tool.ts';

const limit = z.number().nullable();
const budgetsOutput = z.object({ tokens: limit, costUsd: limit, wallMs: limit, steps: limit });

/** The limits of a swarm's tasks, and what their runs used; the time in ISO 8601. */
export const swarmBudgetOutput = z.object({
  swarmId: z.string(),
  /** `null`: its tasks have no limits. */
  allocation: z
    .object({
      allocationId: z.string(),
      /** Of all runs together. */
      pool: budgetsOutput,
      /** Of each agent in a run. */
      share: budgetsOutput.nullable(),
      agents: z.array(z.string()),
      setAt: z.string(),
    })
    .nullable(),
  used: z.object({
    tokens: z.number(),
    costUsd: z.number(),
    /** Attempts whose model has no known price. */
    unpriced: z.number(),
    wallMs: z.number(),
    steps: z.number(),
  }),
  left: budgetsOutput,
});

const input = z.strictObject({
  tokens: z.int().min(1).max(1e12).optional(),
  costUsd: z.number().min(0).max(1e6).optional(),
  wallMs: z.int().min(1).max(86_400_000).optional().describe('time of steps, added up'),
  steps: z.int().min(1).max(100_000).optional().describe('attempts'),
  divide: z.boolean().default(false).describe('equal parts for all agents'),
  agents: z.array(words(100)).min(1).max(1000).optional().describe('equal parts for these, by id or name'),
  release: z.boolean().default(false).describe('take the limits away'),
  swarmId: words(64).optional().describe('default: newest'),
});
type Input = z.output<typeof input>;

const poolOf = ({ tokens, costUsd, wallMs, steps }: Input): Budgets => ({
  tokens: tokens ?? null,
  costUsd: costUsd ?? null,
  wallMs: wallMs ?? null,
  steps: steps ?? null,
});
const isSetting = (given: Input): boolean => Object.values(poolOf(given)).some((amount) => amount !== null);

function requireOneWish(given: Input): void {
  const { divide, agents, release } = given;
  const contradiction =
    divide && agents !== undefined
      ? 'divide and agents exclude each other'
      : release && (isSetting(given) || divide || agents !== undefined)
        ? 'release takes all limits away, and others are given'
        : !isSetting(given) && (divide || agents !== undefined)
          ? 'there is no limit to divide'
          : null;
  if (contradiction === null) return;
  throw new InvalidInputError(`swarm_budget: ${contradiction}`, {
    hint: 'Give limits (tokens, costUsd, wallMs, steps) with at most one of divide and agents, or release alone; nothing was changed.',
  });
}

const shown = ({ swarm, allocation, used, left }: SwarmBudget): z.output<typeof swarmBudgetOutput> => ({
  swarmId: swarm.swarmId,
  allocation:
    allocation === null
      ? null
      : {
          allocationId: allocation.allocationId,
          pool: { ...allocation.pool },
          share: allocation.share === null ? null : { ...allocation.share },
          agents: [...allocation.agents],
          setAt: new Date(allocation.setAt).toISOString(),
        },
  used: { ...used },
  left: { ...left },
});

const said = (budget: Budgets | null | undefined): string => {
  const amounts = (['tokens', 'costUsd', 'wallMs', 'steps'] as const).flatMap((what) => {
    const amount = budget?.[what] ?? null;
    return amount === null ? [] : amountWords(what, amount);
  });
  return amounts.join(', ') || 'no limit';
};

/** What the tasks of a swarm may use. */
export const swarmBudget = defineTool({
  name: 'swarm_budget',
  description:
    'Limits what the tasks of a swarm may use together, and each agent in a run, or shows it. A run that reaches it pauses.',
  input,
  output: swarmBudgetOutput,
  annotations: { readOnly: false, destructive: true, idempotent: true },
  listed: false,
  changes: (given) => given.release || isSetting(given),
  cli: { command: ['swarm', 'budget'], positional: ['swarmId'] },
  handler: async (given, { app }) => {
    requireOneWish(given);
    const { swarmId, divide, agents, release } = given;
    if (release) return shown(await (await app.swarms('write')).releaseBudget(swarmId));
    if (!isSetting(given)) return shown(await (await app.swarms('read')).budget(swarmId));
    const division = agents ?? (divide ? 'all' : 'none');
    return shown(await (await app.swarms('write')).setBudget(poolOf(given), division, swarmId));
  },
  text: ({ swarmId, allocation, used, left }, style) =>
    fields(
      {
        swarm: swarmId,
        pool: said(allocation?.pool),
        'each agent': allocation === null ? 'no limit' : said(allocation.share),
        'divided among': allocation?.share ? `${allocation.agents.length} agents` : null,
        used: said(used),
        left: said(left),
      },
      style,
    ),
});
