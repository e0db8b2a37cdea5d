import type { z } from 'zod';
import type { ProviderName } from '../agent/provider.ts';
import type { Selection } from '../changes.ts';
import type { Config } from '../config.ts';
import type { RunEvent } from '../events.ts';
import type { Note } from '../finding.ts';
import type { Mailbox } from '../mail/mailbox.ts';
import type { Care } from '../memory/care/care.ts';
import type { Embeddings } from '../memory/embed/embeddings.ts';
import type { Memory } from '../memory/memory.ts';
import type { VectorSearch } from '../memory/vector/vector-search.ts';
import type { HostDesk } from '../run/host-desk.ts';
import type { Polls } from '../run/polls.ts';
import type { Replay } from '../run/replay.ts';
import type { Report } from '../run/report/report.ts';
import type { RunControl } from '../run/run-control.ts';
import type { Runs } from '../run/runs.ts';
import type { Swarms } from '../run/swarms.ts';
import type { Tasks } from '../run/tasks.ts';
import type { Runtime } from '../runtime.ts';
import type { Budgets, FoundSkill, Skill } from '../skill/skill.ts';
import type { Database } from '../store/database.ts';

/** Whether a call may create the project's database: readers of an absent one see an empty one. */
export type Access = 'read' | 'write';

/** Asks the person in front of the caller; `null` when nobody is there to answer. `withdrawn`: no answer is needed any more. */
export type AskPerson = (question: string, withdrawn: AbortSignal) => Promise<boolean | null>;

/** Hears events of a run. */
export type OnEvents = (events: readonly RunEvent[]) => void;

/** Who follows a run; see `run/runner.ts`. */
export interface FollowRun {
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, what: string) => void;
  readonly askPerson?: AskPerson | undefined;
  /** Hears the run's events in order, in batches, once they are in the journal; of a run that goes on the earlier ones first. */
  readonly onEvents?: OnEvents | undefined;
}

/** What starts a run; see `run/runner.ts`. */
export interface StartRun extends FollowRun {
  readonly skill: Pick<Skill, 'name' | 'version' | 'swarm'> & { readonly dir: string | null };
  readonly task: string;
  readonly selection: Selection;
  readonly provider: ProviderName;
  /** Limits instead of the skill's own. */
  readonly budget?: { readonly [K in keyof Budgets]?: number | undefined } | undefined;
  readonly swarmId?: string | undefined;
  /** What is to be said of the run from the beginning. */
  readonly notes?: readonly Note[] | undefined;
  /** Hears of the run's id when it is on record, before any step. */
  readonly onBegun?: ((runId: string) => Promise<void>) | undefined;
}

/** A provider, and whether it can be used here: how, or what to do. */
export type ProviderState = { readonly name: ProviderName } & (
  | { readonly ready: true; readonly how: string }
  | { readonly ready: false; readonly why: string }
);

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
  /** Resolves when this process has written to a run's journal, and after `ms` in any case: others write too. */
  awaitNews(runId: string, ms: number, signal: AbortSignal): Promise<void>;
  swarms(access: Access): Promise<Swarms>;
  tasks(access: Access): Promise<Tasks>;
  polls(access: Access): Promise<Polls>;
  mail(access: Access): Promise<Mailbox>;
  findSkills(): Promise<readonly FoundSkill[]>;
  /** With what is wrong with its files and those of its roles. Throws `NotFoundError` with near names. */
  findSkill(name: string): Promise<FoundSkill>;
  /** As {@link App.findSkill}, with what in its swarm is not heeded; throws `InvalidInputError` when its files have errors. */
  loadSkill(name: string): Promise<Skill & Pick<FoundSkill, 'source'> & { readonly unheeded: readonly Note[] }>;
  /** Capabilities that the local provider has. */
  capabilities(): Promise<readonly string[]>;
  /** Languages whose parser does not load here, each with the reason; empty when all load. */
  missingParsers(): Promise<readonly string[]>;
  /**
   * Runs a skill's swarm until it ends or waits; resolves with the run's id then, whatever its outcome. Throws
   * `UnavailableError` when its provider cannot be used here; nothing is begun then.
   */
  startRun(start: StartRun): Promise<string>;
  /**
   * Throws before anything of a run is changed: `UnavailableError` when somebody has still to think for it who cannot be
   * asked here, `NotFoundError`, and, `to` resume, `ConflictError` when it has ended.
   */
  requireReady(runId: string, to: 'resume' | 'repeat'): Promise<void>;
  /** Goes on with a run that waits or was interrupted. Throws as {@link App.requireReady} does. */
  resumeRun(runId: string, follow: FollowRun): Promise<void>;
  /** `access`: default to write; to read for its {@link RunControl.look}. */
  runControl(access?: Access): Promise<RunControl>;
  /** As {@link App.runControl}; to read for its {@link HostDesk.ready}. */
  hostDesk(access?: Access): Promise<HostDesk>;
  /** Makes a run's report again from its journal; see `run/replay.ts`. */
  replayRun(runId: string): Promise<Replay>;
  /** Who could think here. Nothing is asked or paid. */
  providers(): Promise<readonly ProviderState[]>;
  /** A completed run's report; `null` when the run has none. */
  report(runId: string): Promise<Report | null>;
}

/** One call's surroundings. */
export interface ToolContext {
  readonly app: App;
  readonly signal: AbortSignal;
  /** The conversation that the call belongs to; `null` where that is not known. */
  readonly session: string | null;
  readonly surface: 'cli' | 'mcp' | 'http' | 'api';
  readonly askPerson?: AskPerson | undefined;
  /** For {@link FollowRun}, and for events that a call hands out. */
  readonly onEvents?: OnEvents | undefined;
  /** 0–1 and a few words for people. */
  readonly progress: (done: number, what: string) => void;
  /** A text that names calls, as the caller can make them; see `executor/call-words.ts`. */
  readonly callWords: (text: string) => string;
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
