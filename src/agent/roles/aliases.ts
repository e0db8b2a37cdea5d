/** Roles of the package, each with the agent types of other tools whose work it does. */
const TYPES_BY_ROLE: Readonly<Record<string, readonly string[]>> = {
  researcher: ['research', 'research-specialist', 'scout', 'scout-explorer', 'requirements-engineer', 'specification'],
  coder: [
    'developer',
    'dev',
    'implementer',
    'implementation',
    'implementer-sparc-coder',
    'sparc-coder',
    'programmer',
    'debugger',
    'refactorer',
    'refinement',
    'pseudocode',
    'worker',
    'worker-specialist',
    'backend-dev',
    'backend-developer',
    'dev-backend-api',
    'frontend-dev',
    'frontend-developer',
    'fullstack-developer',
    'mobile-dev',
    'mobile-developer',
    'spec-mobile-react-native',
    'ml-developer',
    'ml-engineer',
    'data-ml-model',
    'devops',
    'devops-engineer',
    'cicd-engineer',
    'ops-cicd-github',
    'base-template-generator',
  ],
  reviewer: ['code-reviewer', 'code-review', 'code-review-swarm', 'production-validator', 'critic', 'judge'],
  tester: ['test-engineer', 'test-architect', 'qa', 'qa-engineer', 'qa-tester', 'testing', 'tdd-london-swarm'],
  analyst: ['analyzer', 'analysis', 'code-analyzer', 'data-analyst', 'business-analyst'],
  architect: [
    'system-architect',
    'specialist',
    'architecture',
    'arch-system-design',
    'core-architect',
    'design-architect',
    'api-architect',
    'repo-architect',
    'migration-plan',
    'migration-planner',
  ],
  optimizer: ['optimization', 'perf-analyzer', 'performance-optimizer', 'performance-engineer', 'topology-optimizer'],
  documenter: ['documentation', 'api-docs', 'docs-api-openapi', 'technical-writer', 'steering-author'],
  'security-analyst': ['security', 'security-specialist', 'security-auditor', 'security-architect', 'security-manager'],
  'performance-reviewer': [
    'monitor',
    'performance-benchmarker',
    'performance-analyzer',
    'performance-monitor',
    'benchmark-suite',
  ],
  'code-quality-reviewer': ['analyze-code-quality', 'quality-reviewer', 'maintainability-reviewer'],
  coordinator: [
    'coordination',
    'task-orchestrator',
    'orchestrator',
    'orchestrator-task',
    'planner',
    'task-planner',
    'goal-planner',
    'code-goal-planner',
    'queen',
    'queen-coordinator',
    'adaptive-coordinator',
    'hierarchical-coordinator',
    'mesh-coordinator',
    'collective-intelligence-coordinator',
    'coordinator-swarm-init',
    'sparc-coord',
    'sparc-coordinator',
    'sync-coordinator',
    'swarm',
    'swarm-coordinator',
    'consensus-builder',
    'quorum-manager',
    'byzantine-coordinator',
    'raft-manager',
    'gossip-coordinator',
  ],
};

const ROLE_BY_TYPE: ReadonlyMap<string, string> = new Map(
  Object.entries(TYPES_BY_ROLE).flatMap(([role, types]) => types.map((type) => [type, role] as const)),
);

/** Types that claude-flow 2.7 stores under another name (its `LEGACY_AGENT_MAPPING`). */
const CLAUDE_FLOW_NAMES: ReadonlyMap<string, string> = new Map([
  ['analyst', 'code-analyzer'],
  ['architect', 'system-architect'],
  ['coordinator', 'task-orchestrator'],
  ['documenter', 'api-docs'],
  ['monitor', 'performance-benchmarker'],
  ['optimizer', 'perf-analyzer'],
  ['specialist', 'system-architect'],
]);

/** Every type that stands for a role of another name. */
export const ALIASED_TYPES: readonly string[] = [...ROLE_BY_TYPE.keys()];

/** A type as roles are named: `Code_Analyzer` is `code-analyzer`. */
export function normalType(type: string): string {
  return type
    .trim()
    .toLowerCase()
    .replaceAll(/[\s_]+/g, '-');
}

/**
 * The name of the role that does an agent type's work: types of claude-flow 2.7 and 3 and of ruv-swarm have one here. A
 * type without one is a role's own name, or unknown: {@link normalType} of it.
 */
export function roleNameOf(type: string): string {
  const name = normalType(type);
  return ROLE_BY_TYPE.get(name) ?? name;
}

/** The name under which claude-flow 2.7 answers for a type; most types keep theirs. */
export function claudeFlowNameOf(type: string): string {
  return CLAUDE_FLOW_NAMES.get(type) ?? type;
}
