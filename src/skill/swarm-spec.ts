import { nearest } from '../nearest.ts';
import { problem } from './source-document.ts';
import type { Problem, SourceDocument, ValuePath } from './source-document.ts';
import type { Budgets, Supervision, SwarmSpec } from './skill.ts';
import { MAX_AGENTS } from './swarm-schema.ts';
import type { BudgetFile, SwarmFile } from './swarm-schema.ts';

const DEFAULT_OUTPUTS: SwarmSpec['outputs'] = [
  { type: 'report', format: 'markdown' },
  { type: 'report', format: 'json' },
  { type: 'report', format: 'sarif' },
];

function toBudgets(limits: BudgetFile | null | undefined): Budgets {
  return {
    tokens: limits?.tokens ?? null,
    costUsd: limits?.cost_usd ?? null,
    wallMs: limits?.wall ?? null,
    steps: limits?.steps ?? null,
  };
}

/** Steps that one agent can have: it works or merges, and judges, in the first layer and in each that may be added. */
function stepsOfAgent({ strategy, maxRounds }: Pick<SwarmSpec, 'strategy' | 'maxRounds'>): number {
  const layers = strategy === 'cascade' || strategy === 'adaptive' ? 1 + maxRounds : 1;
  // A fusion's hub works and merges and may judge.
  return 3 * layers;
}

/**
 * By default every attempt of every step may fail within the time that the run has: then the retry policy alone says when
 * to give up a step, and supervision never ends a run that it would have let go on.
 */
function toSupervision({ supervision }: SwarmFile, spec: Omit<SwarmSpec, 'supervision'>): Supervision {
  const agents = spec.agents.reduce((sum, { count }) => sum + count, 0);
  return {
    strategy: supervision?.strategy ?? 'one_for_one',
    intensity: supervision?.intensity ?? agents * stepsOfAgent(spec) * spec.execution.retry.maxAttempts,
    periodMs: supervision?.period ?? spec.timeoutMs,
  };
}

function toAgents(agents: SwarmFile['agents']): SwarmSpec['agents'] {
  return agents.map(({ type, count, capabilities, prompt, model }) => ({
    type,
    count: count ?? 1,
    capabilities: capabilities ?? [],
    ...(typeof prompt === 'string' ? { prompt } : {}),
    ...(typeof model === 'string' ? { model } : {}),
  }));
}

function toExecution(execution: SwarmFile['execution']): SwarmSpec['execution'] {
  const retry = execution?.retry_policy;
  return {
    parallel: execution?.parallel ?? true,
    maxConcurrent: execution?.max_concurrent ?? 4,
    retry: {
      maxAttempts: retry?.max_attempts ?? 2,
      backoff: retry?.backoff ?? 'exponential',
      delayMs: retry?.delay ?? 500,
    },
  };
}

function fillDefaults(file: SwarmFile): SwarmSpec {
  const { agents, coordination, memory, execution, outputs } = file;
  const decision = coordination?.decision;
  const spec = {
    agents: toAgents(agents),
    topology: coordination?.topology ?? 'star',
    strategy: coordination?.strategy ?? 'plan',
    span: coordination?.span ?? 4,
    maxRounds: coordination?.max_rounds ?? 3,
    decision: {
      rule: decision?.rule ?? coordination?.consensus ?? 'majority',
      quorum: decision?.quorum ?? 1,
      judge: decision?.judge ?? null,
    },
    timeoutMs: coordination?.timeout ?? 300_000,
    execution: toExecution(execution),
    provider: file.provider ?? null,
    budget: { run: toBudgets(file.budget), agent: toBudgets(file.budget?.agent) },
    approvals: file.approvals ?? [],
    memory: {
      persistence: memory?.persistence ?? false,
      vectorSearch: memory?.vector_search ?? false,
      ttlMs: memory?.ttl ?? null,
    },
    outputs: outputs ?? DEFAULT_OUTPUTS,
  } as const satisfies Omit<SwarmSpec, 'supervision'>;
  return { ...spec, supervision: toSupervision(file, spec) };
}

type Add = (code: string, path: ValuePath, message: string, hint: string) => void;

/** A judge must be there, be one of several agents, and be asked for by the rule. */
function checkJudge({ decision, agents }: SwarmSpec, add: Add): void {
  const { rule, judge } = decision;
  const path = ['coordination', 'decision', 'judge'];
  const types = [...new Set(agents.map(({ type }) => type))];
  if (rule !== 'judge') {
    if (judge !== null) add('contradiction', path, `a judge is named, but the rule is "${rule}"`, 'Set the rule to judge.');
  } else if (judge === null) {
    add('missing_judge', path, 'the rule is "judge", but no judge is named', `Add "judge" to decision: ${types.join(', ')}.`);
  } else if (!types.includes(judge)) {
    const [near] = nearest(judge, types);
    const hint = near === undefined ? `Name one of ${types.join(', ')}.` : `Did you mean "${near}"?`;
    add('unknown_judge', path, `the judge "${judge}" is not among the agents`, hint);
  } else if (types.length === 1) {
    add('judge_alone', path, `all agents are of the judge's type "${judge}"`, 'Add agents whose work it judges.');
  }
}

/** What each key by itself cannot tell: sums, contradictions, repetitions. */
function checkTogether(file: SwarmFile, spec: SwarmSpec, document: SourceDocument): Problem[] {
  const problems: Problem[] = [];
  const add: Add = (code, path, message, hint) => {
    problems.push(problem('error', code, message, { ...document.locateKey(path), hint }));
  };
  const total = spec.agents.reduce((sum, agent) => sum + agent.count, 0);
  if (total > MAX_AGENTS) {
    add(
      'too_many_agents',
      ['agents'],
      `the counts add up to ${total} agents; at most ${MAX_AGENTS} can run`,
      'Lower the counts.',
    );
  }
  const { rule, quorum } = spec.decision;
  if (quorum > total) {
    const message = `a quorum of ${quorum} cannot be reached by ${total} ${total === 1 ? 'agent' : 'agents'}`;
    add('quorum_unreachable', ['coordination', 'decision', 'quorum'], message, 'Lower the quorum or add agents.');
  }
  const consensus = file.coordination?.consensus ?? rule;
  if (consensus !== rule) {
    const message = `consensus is "${consensus}", decision.rule is "${rule}"`;
    add('contradiction', ['coordination', 'consensus'], message, 'Keep one of the two.');
  } else if (rule === 'quorum' && typeof file.coordination?.decision?.quorum !== 'number') {
    const message = 'the rule is "quorum", but how many votes a side needs is not said';
    const hint = `Add "quorum" to decision: a number from 1 to ${total}.`;
    add('missing_quorum', ['coordination', 'decision', 'quorum'], message, hint);
  }
  checkJudge(spec, add);
  for (const [i, gate] of spec.approvals.entries()) {
    if (spec.approvals.indexOf(gate) < i) add('duplicate_approval', ['approvals', i], `"${gate}" is there twice`, 'Remove one.');
  }
  const seen = new Set<string>();
  for (const [i, { type, format }] of spec.outputs.entries()) {
    const name = `${type} ${format}`;
    if (seen.has(name)) add('duplicate_output', ['outputs', i], `the output ${type} as ${format} is there twice`, 'Remove one.');
    seen.add(name);
  }
  return problems;
}

/**
 * The swarm that a validated file declares, defaults filled in: topology star with a span of 4, strategy plan, at most 3
 * rounds added, majority with a quorum of 1, 300 s, parallel with 4 at once, 2 attempts with exponential backoff from
 * 500 ms, one_for_one supervision that leaves giving up to the retry policy, no provider named, no budgets, no approvals,
 * no memory, a report as markdown, JSON and SARIF. `problems` tells what does not fit together; all of them are errors.
 */
export function toSwarmSpec(
  file: SwarmFile,
  document: SourceDocument,
): { readonly spec: SwarmSpec; readonly problems: Problem[] } {
  const spec = fillDefaults(file);
  return { spec, problems: checkTogether(file, spec, document) };
}
