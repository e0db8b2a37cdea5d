import type { z } from 'zod';
import type { Selection } from '../changes.ts';
import type { Config } from '../config.ts';
import type { Care } from '../memory/care/care.ts';
import type { Embeddings } from '../memory/embed/embeddings.ts';
import type { Memory } from '../memory/memory.ts';
import type { VectorSearch } from '../memory/vector/vector-search.ts';
import type { Report } from '../run/report/report.ts';
import type { Runs } from '../run/runs.ts';
import type { Swarms } from '../run/swarms.ts';
import type { Runtime } from '../runtime.ts';
import type { FoundSkill, Skill } from '../skill/skill.ts';
import type { Database } from '../store/database.ts';

/** Whether a call may create the project's database: readers of an absent one see an empty one. */
export type Access = 'read' | 'write';

/** What starts a run; see `run/runner.ts`. */
export interface StartRun {
  readonly skill: Skill;
  readonly task: string;
  readonly selection: Selection;
  readonly provider: string;
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, what: string) => void;
}

/** What tools can reach. Everything is opened on first use. */
export interface App {
  readonly config: Config;
  readonly runtime: Runtime;
  readonly version: string;
  database(access: Access): Promise<Database>;
  memory(access: Access): Promise<Memory>;
  care(): Promise<Care>;
  embeddings(): Promise<Embeddings>;
  /** Has the configured embedder make one vector. Rejects with `UnavailableError` when it does not, within 5 s. */
  probeEmbedder(signal: AbortSignal): Promise<void>;
  vectors(): Promise<VectorSearch>;
  runs(access: Access): Promise<Runs>;
  swarms(access: Access): Promise<Swarms>;
  findSkills(): Promise<readonly FoundSkill[]>;
  /** Throws `NotFoundError` with near names. */
  findSkill(name: string): Promise<FoundSkill>;
  /** As {@link App.findSkill}, and throws `InvalidInputError` when its files have errors. */
  loadSkill(name: string): Promise<Skill>;
  /** Capabilities that the local provider has. */
  capabilities(): Promise<readonly string[]>;
  /** Languages whose parser does not load here, each with the reason; empty when all load. */
  missingParsers(): Promise<readonly string[]>;
  /** Runs a skill's swarm to its end; resolves with the run's id once the run has ended, whatever its outcome. */
  startRun(start: StartRun): Promise<string>;
  /** A completed run's report; `null` when the run has none. */
  report(runId: string): Promise<Report | null>;
}

/** One call's surroundings. */
export interface ToolContext {
  readonly app: App;
  readonly signal: AbortSignal;
  /** The conversation that the call belongs to; `null` where that is not known. */
  readonly session: string | null;
  /** 0–1 and a few words for people. */
  readonly progress: (done: number, what: string) => void;
}

/** How a tool's text looks. */
export interface TextStyle {
  readonly color: boolean;
  /** Columns. */
  readonly width: number;
}

/** How the shell calls a tool; flags follow from the input schema (`maxAgents` → `--max-agents`). */
export interface CliShape {
  /** The words after `skillflow`. */
  readonly command: readonly string[];
  /** Input fields that are given by position, in order; the last takes the rest where it is an array. */
  readonly positional?: readonly string[];
}

export interface ToolAnnotations {
  /** Changes nothing that lasts. */
  readonly readOnly: boolean;
  /** Removes or overwrites something. */
  readonly destructive: boolean;
  /** The same call again changes nothing more. */
  readonly idempotent: boolean;
}

/**
 * One typed callable. The same definition feeds MCP, the CLI, HTTP and the docs; JSON Schemas are generated from it at
 * build time.
 */
export interface Tool<I extends z.ZodObject = z.ZodObject, O extends z.ZodType = z.ZodType> {
  readonly name: string;
  /** One or two sentences for a model and for `--help`. */
  readonly description: string;
  readonly input: I;
  readonly output: O;
  readonly annotations: ToolAnnotations;
  /** Milliseconds a call may take; default 30,000; 0 when the handler keeps its own deadline. */
  readonly timeoutMs?: number;
  readonly cli: CliShape;
  /**
   * Whether the default `tools/list` of MCP shows it; default `true`. What is not shown can be called all the same, and
   * has its command: every shown tool costs every session its bytes.
   */
  readonly listed?: boolean;
  /** Whether a call with this input changes something; default: unless the tool only reads. */
  changes?(input: z.output<I>): boolean;
  handler(input: z.output<I>, context: ToolContext): Promise<z.output<O>>;
  /** What people read instead of JSON; without it they get the JSON. */
  text?(output: z.output<O>, style: TextStyle, app: App): string | Promise<string>;
}

/** An input that a schema refused, or the call it makes. */
export type Bound =
  | { readonly ok: false; readonly issues: readonly z.core.$ZodIssue[] }
  | { readonly ok: true; readonly changes: boolean; run(context: ToolContext): Promise<unknown> };

/** A tool whose types are erased, as registries hold it: {@link defineTool} makes it. */
export interface AnyTool {
  readonly name: string;
  readonly description: string;
  readonly input: z.ZodObject;
  readonly output: z.ZodType;
  readonly annotations: ToolAnnotations;
  readonly timeoutMs: number;
  readonly cli: CliShape;
  readonly listed: boolean;
  /** Validates an input and holds it ready; the run's output has passed the output schema. */
  bind(input: unknown): Bound;
  /** Text of an output that passed the output schema; `undefined` where JSON is the form. */
  render(output: unknown, style: TextStyle, app: App): Promise<string | undefined>;
}

/** Closes over a tool's types, so that a registry can hold tools of all shapes without a cast. */
export function defineTool<I extends z.ZodObject, O extends z.ZodType>(tool: Tool<I, O>): AnyTool {
  return {
    name: tool.name,
    description: tool.description,
    input: tool.input,
    output: tool.output,
    annotations: tool.annotations,
    timeoutMs: tool.timeoutMs ?? 30_000,
    cli: tool.cli,
    listed: tool.listed ?? true,
    bind: (input) => {
      const parsed = tool.input.safeParse(input);
      if (!parsed.success) return { ok: false, issues: parsed.error.issues };
      return {
        ok: true,
        changes: tool.changes?.(parsed.data) ?? !tool.annotations.readOnly,
        run: async (context) => tool.output.parse(await tool.handler(parsed.data, context)),
      };
    },
    render: async (output, style, app) =>
      tool.text === undefined ? undefined : tool.text(tool.output.parse(output), style, app),
  };
}
