import * as z from 'zod';
import type { ErrorBody } from '../errors.ts';
import type { CallResult } from '../executor/executor.ts';

/** The object that a legacy caller reads. */
export type LegacyBody = Readonly<Record<string, unknown>>;

/** Calls a tool of ours. */
export type CallTool = (tool: string, input: LegacyBody) => Promise<CallResult>;

/** A legacy call as the call of a tool of ours, and the way back. */
export interface LegacyCall {
  readonly tool: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** Makes the answer of `tool` out of several calls; default: one call with `input`. */
  readonly ask?: ((call: CallTool) => Promise<CallResult>) | undefined;
  /** Parameters of the tools by how the legacy caller spells them, where that differs: errors are told in that spelling. */
  readonly spelling?: Readonly<Record<string, string>> | undefined;
  /** Whether the caller counts what it reads: the text is without line breaks and spaces then. Default `false`. */
  readonly isTerse?: boolean;
  /** What the legacy caller reads when the tool answered; `timestamp` is now, in ISO 8601. */
  readonly body: (output: unknown, timestamp: string) => LegacyBody;
  /** What it reads when the tool failed in a way that the legacy contract takes for an answer; `undefined` for a failure. */
  readonly recover?: (error: ErrorBody, timestamp: string) => LegacyBody | undefined;
}

/** How one legacy name is spoken. Pure: rows have no effects. */
export interface LegacySpec<A extends z.ZodObject> {
  readonly name: string;
  /** Whose name it is, e.g. `claude-flow 2.7`. */
  readonly family: string;
  /** One short sentence for lists of tools. */
  readonly description: string;
  /** Whether the default `tools/list` of MCP shows it; default `false`. Shared names are shown as our tools are. */
  readonly listed?: boolean;
  /** Every tool of ours that it may call. When its own name is among them, both contracts share the name. */
  readonly tools: readonly string[];
  /** Its arguments in legacy spelling. Unknown ones are dropped, or passed on where the schema is loose. */
  readonly args: A;
  /** Throws `InvalidInputError` for what the schema cannot say. */
  readonly plan: (args: z.output<A>) => LegacyCall;
}

/** A {@link LegacySpec} whose argument types are erased, as tables hold it: {@link defineLegacy} makes it. */
export interface LegacyRow {
  readonly name: string;
  readonly family: string;
  readonly description: string;
  readonly listed: boolean;
  readonly tools: readonly string[];
  readonly args: z.ZodObject;
  prepare(
    args: unknown,
  ): { readonly ok: false; readonly issues: readonly z.core.$ZodIssue[] } | { readonly ok: true; readonly call: LegacyCall };
}

/** Closes over a row's types. */
export function defineLegacy<A extends z.ZodObject>({ plan, ...spec }: LegacySpec<A>): LegacyRow {
  return {
    ...spec,
    listed: spec.listed ?? false,
    prepare: (args) => {
      const parsed = spec.args.safeParse(args);
      return parsed.success ? { ok: true, call: plan(parsed.data) } : { ok: false, issues: parsed.error.issues };
    },
  };
}

/** Legacy names that nothing here does, and what to do instead. */
export interface UnsupportedNames {
  /** What they are about, e.g. `neural networks`. */
  readonly subject: string;
  readonly names: readonly string[];
  /** One sentence that is true of each of them. */
  readonly hint: string;
}

/** A legacy name as lists of tools show it. */
export interface LegacyListing {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
  readonly listed: boolean;
}

/** The rows whose name no tool of ours has, in the rows' order. */
export function legacyListing(rows: readonly LegacyRow[]): readonly LegacyListing[] {
  return rows
    .filter((row) => !row.tools.includes(row.name))
    .map(({ name, description, args, listed }) => {
      const { $schema: _dialect, ...inputSchema } = z.toJSONSchema(args, { io: 'input' });
      return { name, description, inputSchema, listed };
    });
}
