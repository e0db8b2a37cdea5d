import type { z } from 'zod';
import type { ChangeSet } from '../../changes.ts';
import type { ExecResult, Runtime } from '../../runtime.ts';
import type { AgentToolName } from '../role.ts';
import type { ReportedFinding } from '../answer-schema.ts';

/** Whose memory and mail it is. */
export interface AgentScope {
  readonly runId: string;
  readonly stepId: string;
  readonly agentId: string;
}

/** The memory that agents share; `memory/` has it. */
export interface AgentMemory {
  search(scope: AgentScope, query: string, limit: number): Promise<readonly { readonly key: string; readonly text: string }[]>;
  store(scope: AgentScope, key: string, text: string): Promise<void>;
}

/** Puts a message into another agent's mailbox; rejects when there is no such agent. `mail/` has it. */
export type SendMail = (scope: AgentScope, to: string, body: string) => Promise<void>;

/** A git that only reads, in a project root; `analysis/` has it. */
export type AgentGit = (root: string, args: readonly string[], signal: AbortSignal) => Promise<ExecResult>;

/** What the tools need of the rest. What is absent makes its tools say that it is not available. */
export interface AgentToolDeps {
  readonly runtime: Runtime;
  /** A text without its secrets. */
  readonly redact: (text: string) => string;
  readonly git?: AgentGit | undefined;
  readonly memory?: AgentMemory | undefined;
  readonly mail?: SendMail | undefined;
}

/** What a call of a tool sees. */
export interface ToolContext extends AgentToolDeps {
  readonly scope: AgentScope;
  readonly changes: ChangeSet;
  readonly signal: AbortSignal;
  /** Takes a finding that the agent reports before its answer. */
  readonly report: (finding: ReportedFinding) => void;
  /** Hears of each file of which the agent is shown lines. */
  readonly saw: (path: string) => void;
}

/** One thing an agent may do. `call` gives the text that the model reads; it throws errors of ours. */
export interface AgentTool {
  readonly name: AgentToolName;
  readonly description: string;
  readonly input: z.ZodObject;
  call(input: unknown, context: ToolContext): Promise<string>;
}

/** Ties a schema to a function of what it gives. */
export function agentTool<Schema extends z.ZodObject>(definition: {
  readonly name: AgentToolName;
  readonly description: string;
  readonly input: Schema;
  readonly call: (input: z.output<Schema>, context: ToolContext) => Promise<string>;
}): AgentTool {
  const { name, description, input, call } = definition;
  return { name, description, input, call: async (given, context) => call(input.parse(given), context) };
}
