import type { DecisionRule } from '../ballot.ts';

export type Topology = 'star' | 'mesh' | 'ring' | 'hierarchy';

/** Members of one kind in a swarm. */
export interface AgentSpec {
  /** Role name, kebab-case, e.g. `security-analyst`. */
  readonly type: string;
  /** 1–64. */
  readonly count: number;
  /** What it can do: names of analyzers for the local provider, prose for a model. */
  readonly capabilities: readonly string[];
  /** What a model is told beyond the task; absent for analyzers only. */
  readonly prompt?: string;
}

/** What a swarm that runs the skill is made of; defaults filled in. Times in milliseconds. */
export interface SwarmSpec {
  readonly agents: readonly AgentSpec[];
  readonly topology: Topology;
  readonly decision: { readonly rule: DecisionRule; /** Ballots that must not abstain, ≥ 1. */ readonly quorum: number };
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
