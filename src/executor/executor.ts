import type { z } from 'zod';
import {
  CancelledError,
  DeadlineError,
  ForbiddenError,
  InvalidInputError,
  NotFoundError,
  errorBody,
  toSkillflowError,
} from '../errors.ts';
import type { ErrorBody, SkillflowError } from '../errors.ts';
import type { RunEvent } from '../events.ts';
import type { Runtime } from '../runtime.ts';
import { nearest } from '../nearest.ts';
import { described, shownName } from '../printable.ts';
import { createCallWords } from './call-words.ts';
import type { NamedCall } from './call-words.ts';

/** Where a call came from. */
export interface Caller {
  readonly surface: 'cli' | 'mcp' | 'http' | 'api';
  /** The conversation it belongs to, where that is known; what is stored is marked with it. */
  readonly session?: string | null | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, what: string) => void) | undefined;
  /** Asks the person behind the call; `null` when nobody answers. `withdrawn`: no answer is needed any more. */
  readonly askPerson?: ((question: string, withdrawn: AbortSignal) => Promise<boolean | null>) | undefined;
  /** Hears the events of a run that the call drives. */
  readonly onEvents?: ((events: readonly RunEvent[]) => void) | undefined;
}

export type CallResult = { readonly ok: true; readonly output: unknown } | { readonly ok: false; readonly error: ErrorBody };

/** What the executor needs to know of a tool. */
export interface Callable extends NamedCall {
  readonly annotations: { readonly readOnly: boolean };
  /** 0 when the tool keeps its own deadline. */
  readonly timeoutMs: number;
  bind(input: unknown):
    | { readonly ok: false; readonly issues: readonly z.core.$ZodIssue[] }
    | {
        readonly ok: true;
        readonly run: Work;
        /** Whether this very call can change something; default: unless the tool only reads. */
        readonly changes?: boolean | undefined;
      };
}

/** A call with a valid input, ready to run. */
type Work = (context: {
  readonly signal: AbortSignal;
  readonly session: string | null;
  readonly surface: Caller['surface'];
  readonly askPerson?: Caller['askPerson'];
  readonly onEvents?: Caller['onEvents'];
  progress(done: number, what: string): void;
  callWords(text: string): string;
}) => Promise<unknown>;

export interface CallRecord {
  readonly at: number;
  readonly tool: string;
  readonly surface: string;
  readonly code: string | null;
  readonly durationMs: number;
}

export interface ExecutorDeps {
  readonly tools: readonly Callable[];
  readonly runtime: Runtime;
  readonly readOnly: boolean;
  /** Whether MCP clients see all tools; default: those that are listed. */
  readonly listsAll?: boolean;
  /** Journals a call of a tool that can change something. Its failure is logged and never changes the answer. */
  readonly record: (call: CallRecord) => Promise<void>;
}

/** The one path that every call takes. */
export interface Executor {
  /** Resolves, validates, authorizes, runs under a deadline, journals, answers. Never rejects. */
  call(name: string, input: unknown, caller: Caller): Promise<CallResult>;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Object.getOwnPropertyDescriptor(value, key)?.value;
  }
  return value;
}

function issueText(input: unknown, issue: z.core.$ZodIssue): string {
  const where = issue.path.length === 0 ? 'the input' : issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') return `${where}: unrecognized ${issue.keys.slice(0, 5).map(shownName).join(', ')}`;
  const came = valueAt(input, issue.path);
  if (came === undefined && issue.code === 'invalid_type') return `${where} is missing; expected ${issue.expected}`;
  return `${where}: ${issue.message}${came === undefined ? '' : `, got ${described(came)}`}`;
}

/**
 * The zod issues of a call as one error: which parameter, what was expected, what came. Values are described, not
 * shown: the error may be logged.
 */
export function inputError(tool: string, input: unknown, issues: readonly z.core.$ZodIssue[]): SkillflowError {
  const parts = issues.slice(0, 5).map((issue) => issueText(input, issue));
  return new InvalidInputError(`${tool}: ${parts.join('; ')}`, {
    hint: 'Correct the named parameters; nothing was changed.',
    details: { parameters: issues.slice(0, 20).map((issue) => issue.path.map(String).join('.')) },
  });
}

/** What to do after a deadline: what was given up may still be done, and a change must not be made twice unawares. */
function lateHint({ annotations }: Callable): string {
  return annotations.readOnly
    ? 'Ask for less, or try again.'
    : 'It may have been done, or may still be: look before you try again.';
}

async function runUnderDeadline(
  tool: Callable,
  run: Work,
  caller: Caller,
  callWords: (text: string) => string,
): Promise<unknown> {
  const { timeoutMs } = tool;
  const stop = new AbortController();
  const onAbort = (): void =>
    stop.abort(new CancelledError(`${tool.name} was cancelled`, { hint: 'Call it again when you want it.' }));
  caller.signal?.addEventListener('abort', onAbort, { once: true });
  if (caller.signal?.aborted === true) onAbort();
  const timer =
    timeoutMs === 0
      ? undefined
      : setTimeout(() => {
          stop.abort(new DeadlineError(`${tool.name} took longer than ${timeoutMs} ms`, { hint: lateHint(tool) }));
        }, timeoutMs);
  const aborted = new Promise<never>((_resolve, reject) => {
    const fail = (): void => reject(toSkillflowError(stop.signal.reason));
    if (stop.signal.aborted) fail();
    // A handler that keeps its own deadline also ends its own work when cancelled, and answers after that.
    else if (timeoutMs !== 0) stop.signal.addEventListener('abort', fail, { once: true });
  });
  try {
    const work = run({
      signal: stop.signal,
      session: caller.session ?? null,
      surface: caller.surface,
      askPerson: caller.askPerson,
      onEvents: caller.onEvents,
      progress: (done, what) => caller.onProgress?.(done, what),
      callWords,
    });
    return await Promise.race([work, aborted]);
  } finally {
    clearTimeout(timer);
    caller.signal?.removeEventListener('abort', onAbort);
  }
}

/** Builds the executor over a fixed set of tools. */
export function createExecutor({ tools, runtime, readOnly, listsAll = false, record }: ExecutorDeps): Executor {
  const callWords = createCallWords(tools, listsAll);
  const byName = new Map(tools.map((tool) => [tool.name, tool]));

  const resolve = (name: string): Callable => {
    const tool = byName.get(name);
    if (tool !== undefined) return tool;
    const near = nearest(name, [...byName.keys()]);
    throw new NotFoundError(`there is no tool named ${shownName(name)}`, {
      hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : 'List the tools with `skillflow tools`.',
    });
  };

  /** The work of a call that is valid and allowed, and whether it can change something. */
  const prepare = (name: string, input: unknown): { readonly tool: Callable; readonly run: Work; readonly changes: boolean } => {
    const tool = resolve(name);
    const bound = tool.bind(input ?? {});
    if (!bound.ok) throw inputError(name, input, bound.issues);
    const changes = bound.changes ?? !tool.annotations.readOnly;
    if (readOnly && changes) {
      throw new ForbiddenError(`${name} changes data, and Skillflow runs read-only`, {
        hint: 'Start it without --read-only and without SKILLFLOW_READ_ONLY, or use a tool that only reads.',
      });
    }
    return { tool, run: bound.run, changes };
  };

  const journal = async (name: string, caller: Caller, at: number, startedTicks: number, code: string | null): Promise<void> => {
    if (code === 'invalid_input') return;
    try {
      await record({ at, tool: name, surface: caller.surface, code, durationMs: runtime.ticks() - startedTicks });
    } catch (thrown) {
      const error = toSkillflowError(thrown);
      // What made the call fail makes this fail too, and is already told.
      if (error.code !== code) runtime.log('warn', `the call of ${name} could not be journaled: ${error.message}`);
    }
  };

  return {
    call: async (name, input, caller) => {
      const at = runtime.now();
      const startedTicks = runtime.ticks();
      let changes = false;
      try {
        const prepared = prepare(name, input);
        ({ changes } = prepared);
        const output = await runUnderDeadline(prepared.tool, prepared.run, caller, (text) => callWords(text, caller.surface));
        if (changes) await journal(name, caller, at, startedTicks, null);
        return { ok: true, output };
      } catch (thrown) {
        const error = toSkillflowError(thrown);
        if (changes) await journal(name, caller, at, startedTicks, error.code);
        if (error.code === 'internal') runtime.log('error', `${name}: ${error.stack ?? error.message}`);
        const body = errorBody(error);
        // Who called a tool that does not exist is told the names of tools.
        if (!byName.has(name)) return { ok: false, error: body };
        return { ok: false, error: body.hint === undefined ? body : { ...body, hint: callWords(body.hint, caller.surface) } };
      }
    },
  };
}
