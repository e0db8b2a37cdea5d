import type { AskRequest, AskResult, Provider } from '../../src/agent/provider.ts';
import type { Role } from '../../src/agent/role.ts';
import type { Finding } from '../../src/finding.ts';
import type { Following } from '../../src/run/runner.ts';
import type { RunSummary } from '../../src/run/runs.ts';
import type { Skill, SwarmSpec } from '../../src/skill/skill.ts';
import { makePlan } from '../../src/swarm/make-plan.ts';

export function finding(id: string): Finding {
  const range = { startLine: 3, startColumn: 1, endLine: 3, endColumn: 9 };
  return {
    id,
    rule: 'security/x',
    severity: 'high',
    confidence: 'high',
    capability: 'c',
    file: 'a.js',
    range,
    message: 'm',
    evidence: 'e',
  };
}

export function skill(overrides: Partial<SwarmSpec> = {}): Skill & { readonly swarm: SwarmSpec } {
  return {
    name: 'test-skill',
    description: 'd',
    version: null,
    triggers: [],
    dir: '/nowhere',
    file: '/nowhere/SKILL.md',
    body: '',
    license: null,
    compatibility: null,
    allowedTools: [],
    metadata: {},
    swarm: {
      agents: ['finder', 'judge', 'critic'].map((type) => ({ type, count: 1, capabilities: [] })),
      topology: 'mesh',
      strategy: 'plan',
      span: 4,
      maxRounds: 3,
      provider: null,
      budget: { run: NO_LIMITS, agent: NO_LIMITS },
      supervision: { strategy: 'one_for_one', intensity: 100, periodMs: 60_000 },
      approvals: [],
      decision: { rule: 'majority', quorum: 1, judge: null },
      timeoutMs: 20_000,
      execution: { parallel: true, maxConcurrent: 4, retry: { maxAttempts: 3, backoff: 'fixed', delayMs: 1 } },
      memory: { persistence: false, vectorSearch: false, ttlMs: null },
      outputs: [
        { type: 'report', format: 'markdown' },
        { type: 'report', format: 'sarif' },
      ],
      ...overrides,
    },
  };
}

const NO_LIMITS = { tokens: null, costUsd: null, wallMs: null, steps: null };
export const EMPTY = { findings: [], ballots: [], notes: [], stats: {} };

/** A provider that answers as a script says. */
export function scripted(
  answer: (request: AskRequest) => AskResult | Promise<AskResult>,
  { name = 'local', paid = false }: { readonly name?: Provider['name']; readonly paid?: boolean } = {},
): Provider & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    name,
    paid,
    asked,
    ask: async (request) => {
      asked.push(request.stepId);
      return answer(request);
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** `finder` finds f1 and f2; `judge` confirms f1 and rejects f2; `critic` rejects f1 and abstains on f2. */
export function reviewing({ kind, agent }: AskRequest): AskResult {
  if (kind === 'work')
    return {
      status: 'completed',
      output: agent.type === 'finder' ? { ...EMPTY, findings: [finding('f1'), finding('f2')] } : EMPTY,
    };
  const votes = { finder: [], judge: ['confirm', 'reject'], critic: ['reject', 'abstain'] } as const;
  const mine = agent.type === 'judge' || agent.type === 'critic' ? votes[agent.type] : [];
  return {
    status: 'completed',
    output: {
      ...EMPTY,
      ballots: mine.map((vote, index) => ({ subject: `f${index + 1}`, voter: agent.id, vote, reason: `says ${vote}` })),
    },
  };
}

export const ROLE: Role = { name: 'any', description: 'd', style: 'convergent', model: 'small', tools: [], prompt: 'p' };

export function following(signal: AbortSignal = new AbortController().signal): Following {
  return { signal, onProgress: () => undefined };
}

/** Of a run that found nothing. */
export const NO_SUMMARY: RunSummary = {
  files: 0,
  skipped: 0,
  findings: 0,
  confirmed: 0,
  rejected: 0,
  undecided: 0,
  bySeverity: {},
  outputs: [],
  reason: null,
};

/** What a run begins with, but for when it begins. */
export function beginning(root: string) {
  const { swarm } = skill();
  const plan = makePlan({ ...swarm, judge: null, task: 't' });
  const changes = { root, mode: 'tree', base: null, git: null, files: [], skipped: [], notes: [] } as const;
  const spec = {
    skill: 's',
    skillVersion: null,
    skillDir: null,
    task: 't',
    provider: 'anthropic',
    selection: { tree: true },
    swarm,
    agents: plan.agents,
  } as const;
  return { spec, version: '0', changes, plan, swarmId: null };
}
