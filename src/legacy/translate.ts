import { NotFoundError, NotSupportedError, errorBody, toSkillflowError } from '../errors.ts';
import type { ErrorBody, SkillflowError } from '../errors.ts';
import { inputError } from '../executor/executor.ts';
import type { CallResult, Caller } from '../executor/executor.ts';
import { nearest } from '../nearest.ts';
import { shownName } from '../printable.ts';
import type { Runtime } from '../runtime.ts';
import type { LegacyBody, LegacyCall, LegacyRow, UnsupportedNames } from './row.ts';

/** An answer to a legacy call. */
export interface LegacyAnswer {
  /** What the legacy caller parses out of the text; a failure is `{success: false, error, hint, code, timestamp}`. */
  readonly body: LegacyBody;
  readonly isError: boolean;
  /** The tool's own output where the name is also a tool of ours and the call went well, else the body. */
  readonly structured: unknown;
  /** Whether {@link legacyText} is to make it short. */
  readonly isTerse?: boolean;
  /** The failure as tools of ours tell it, in legacy spelling; only of one. */
  readonly error?: ErrorBody;
}

export interface LegacyDeps {
  readonly rows: readonly LegacyRow[];
  readonly unsupported: readonly UnsupportedNames[];
  /** The executor's. */
  readonly call: (tool: string, input: unknown, caller: Caller) => Promise<CallResult>;
  readonly runtime: Runtime;
}

/** The legacy names. */
export interface Legacy {
  /** Names that answer with an effect, then names that answer `not_supported`. */
  readonly names: { readonly supported: readonly string[]; readonly unsupported: readonly string[] };
  /**
   * Answers a legacy call through the tool that its row names. Never rejects: bad arguments, a refused name
   * (`not_supported`) and an unknown name (`not_found`) are failures in the body.
   */
  call(name: string, args: unknown, caller: Caller): Promise<LegacyAnswer>;
}

/** The text of an answer, as legacy callers parse it. */
export function legacyText({ body, isTerse = false }: Pick<LegacyAnswer, 'body' | 'isTerse'>): string {
  return JSON.stringify(body, null, isTerse ? undefined : 2);
}

/** A text with its words, where they are no part of a longer name, a path or a quotation, replaced. */
function respelled(text: string, words: ReadonlyMap<string, string>): string {
  const pattern = new RegExp(String.raw`"(?:[^"\\]|\\.)*"|(?<![\w./\\-])(?:${[...words.keys()].join('|')})(?![\w/\\-])`, 'g');
  return text.replace(pattern, (found) => words.get(found) ?? found);
}

/** An error of a tool of ours, told to whoever called it by a legacy name and with legacy parameters. */
function asLegacy(error: ErrorBody, { name, tools }: LegacyRow, { spelling = {} }: LegacyCall): ErrorBody {
  const words = new Map(Object.entries(spelling));
  const spelled = (text: string): string => (words.size === 0 ? text : respelled(text, words));
  const { message, hint, details } = error;
  const tool = tools.find((one) => message.startsWith(`${one}: `));
  const said = tool === undefined ? spelled(message) : `${name}: ${spelled(message.slice(tool.length + 2))}`;
  const at = details?.['parameter'];
  return {
    ...error,
    message: said,
    ...(hint === undefined ? {} : { hint: spelled(hint) }),
    ...(typeof at === 'string' ? { details: { ...details, parameter: words.get(at) ?? at } } : {}),
  };
}

function failure(error: ErrorBody, timestamp: string): LegacyAnswer & { readonly error: ErrorBody } {
  const { message, hint, code } = error;
  const body = { success: false, error: message, ...(hint === undefined ? {} : { hint }), code, timestamp };
  return { body, isError: true, structured: body, error };
}

export function createLegacy({ rows, unsupported, call, runtime }: LegacyDeps): Legacy {
  const byName = new Map(rows.map((row) => [row.name, row]));
  const refused = new Map(unsupported.flatMap((group) => group.names.map((name) => [name, group])));

  const refusal = (name: string): SkillflowError => {
    const group = refused.get(name);
    if (group !== undefined) return new NotSupportedError(`${name} (${group.subject}) is not supported`, { hint: group.hint });
    const near = nearest(name, [...byName.keys(), ...refused.keys()]);
    return new NotFoundError(`there is no tool named ${shownName(name)}`, {
      hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : 'List the tools with `skillflow tools`.',
    });
  };

  const answer = async (name: string, args: unknown, caller: Caller): Promise<LegacyAnswer> => {
    const row = byName.get(name);
    if (row === undefined) throw refusal(name);
    const prepared = row.prepare(args ?? {});
    if (!prepared.ok) throw inputError(name, args, prepared.issues);
    const { tool, input, ask, isTerse, body, recover } = prepared.call;
    const result = await (ask === undefined ? call(tool, input, caller) : ask((other, its) => call(other, its, caller)));
    const timestamp = new Date(runtime.now()).toISOString();
    if (result.ok) {
      const answered = body(result.output, timestamp);
      const structured = tool === name ? result.output : answered;
      return { body: answered, isError: false, structured, ...(isTerse === true ? { isTerse } : {}) };
    }
    const recovered = recover?.(result.error, timestamp);
    return recovered === undefined
      ? failure(asLegacy(result.error, row, prepared.call), timestamp)
      : { body: recovered, isError: false, structured: recovered };
  };

  return {
    names: { supported: [...byName.keys()], unsupported: [...refused.keys()] },
    call: async (name, args, caller) => {
      try {
        return await answer(name, args, caller);
      } catch (thrown) {
        const error = toSkillflowError(thrown);
        if (error.code === 'internal') runtime.log('error', `${name}: ${error.stack ?? error.message}`);
        return failure(errorBody(error), new Date(runtime.now()).toISOString());
      }
    },
  };
}
