import type { DecisionRule } from '../ballot.ts';

/** `adaptive`: chosen from the task's shape; the plan says which and why. */
export type Topology = 'star' | 'mesh' | 'ring' | 'hierarchy' | 'adaptive';

/** How rounds of work follow each other; see `swarm/strategy`. `plan`: as the topology says, once. */
export type Strategy = 'plan' | 'cascade' | 'fusion' | 'neuro-divergent' | 'adaptive';

/** Members of one kind in a swarm. */
export interface AgentSpec {
  /** Of one agent that is on record already, and its name; `count` is 1 then. Absent: ids are made of the type. */
  readonly id?: string;
  readonly name?: string;
  /** Role name, kebab-case, e.g. `security-analyst`. */
  readonly type: string;
  /** 1–64. */
  readonly count: number;
  /** What it can do: names of analyzers for the local provider, prose for a model. */
  readonly capabilities: readonly string[];
  /** What a model is told beyond the task; absent for analyzers only. */
  readonly prompt?: string;
  /** A model's name; absent: by the role's class. */
  readonly model?: string;
}

/** What a run may use; `null` where there is no limit. Reaching one pauses the run. */
export interface Budgets {
  /** Input and output tokens together. */
  readonly tokens: number | null;
  readonly costUsd: number | null;
  /** Milliseconds of work, waiting for people or hosts not counted. */
  readonly wallMs: number | null;
  /** Attempts at steps. */
  readonly steps: number | null;
}

/** OTP's strategies (source: erlang.org/doc/system/sup_princ): who is started again with an agent that failed. */
export interface Supervision {
  readonly strategy: 'one_for_one' | 'one_for_all' | 'rest_for_one';
  /** Restarts allowed within the period, ≥ 0; one more ends the run as failed. */
  readonly intensity: number;
  readonly periodMs: number;
}

/** Where a person must agree before a run goes on. */
export type Gate = 'spending' | 'writing' | 'low_agreement';
export const GATES = ['spending', 'writing', 'low_agreement'] as const satisfies readonly Gate[];

/** What a swarm that runs the skill is made of; defaults filled in. Times in milliseconds. */
export interface SwarmSpec {
  readonly agents: readonly AgentSpec[];
  readonly topology: Topology;
  readonly strategy: Strategy;
  /** Hierarchy only: how many agents report to one, 1–64. */
  readonly span: number;
  /** Rounds that a growing strategy may add, 0–16. */
  readonly maxRounds: number;
  readonly decision: {
    readonly rule: DecisionRule;
    /** Ballots that must not abstain, ≥ 1. */
    readonly quorum: number;
    /** `judge` only: the type of the agent that decides. */
    readonly judge: string | null;
  };
  readonly timeoutMs: number;
  readonly execution: {
    readonly parallel: boolean;
    readonly maxConcurrent: number;
    readonly retry: {
      readonly maxAttempts: number;
      readonly backoff: 'fixed' | 'linear' | 'exponential';
      readonly delayMs: number;
    };
  };
  /** Who thinks where no analyzer can; `null`: not said. */
  readonly provider: 'local' | 'anthropic' | 'claude-cli' | 'host' | null;
  readonly budget: { readonly run: Budgets; readonly agent: Budgets };
  readonly supervision: Supervision;
  readonly approvals: readonly Gate[];
  readonly memory: { readonly persistence: boolean; readonly vectorSearch: boolean; readonly ttlMs: number | null };
  readonly outputs: readonly { readonly type: string; readonly format: 'markdown' | 'json' | 'sarif' }[];
}

export type SkillSource = 'project' | 'user' | 'package';

/** A skill as read from its folder. */
export interface Skill {
  readonly name: string;
  readonly description: string;
  readonly version: string | null;
  readonly triggers: readonly string[];
  /** Absolute path of its folder. */
  readonly dir: string;
  /** Absolute path of the file with the frontmatter. */
  readonly file: string;
  /** The markdown below the frontmatter. */
  readonly body: string;
  readonly license: string | null;
  readonly compatibility: string | null;
  readonly allowedTools: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  /** `null` when no swarm can run it. */
  readonly swarm: SwarmSpec | null;
}

/** What is wrong with a skill's files, at which place. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  /** e.g. `yaml_syntax`, `unknown_key`, `name_mismatch`, `too_large`. */
  readonly code: string;
  readonly message: string;
  /** Absolute path. */
  readonly file: string;
  /** From 1; 1:1 where the whole file is meant. */
  readonly line: number;
  readonly column: number;
  readonly hint?: string;
}

/** A skill that was found, where, and which others of the same name it hides. */
export interface FoundSkill {
  readonly name: string;
  readonly source: SkillSource;
  readonly dir: string;
  /** `null` when its files have errors. */
  readonly skill: Skill | null;
  readonly diagnostics: readonly Diagnostic[];
  /** Folders of the same name further down the search order. */
  readonly shadows: readonly { readonly source: SkillSource; readonly dir: string }[];
}
