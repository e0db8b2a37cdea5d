import { NotFoundError, NotSupportedError, errorBody, toSkillflowError } from '../errors.ts';
import type { ErrorBody, SkillflowError } from '../errors.ts';
import { inputError } from '../executor/executor.ts';
import type { CallResult, Caller } from '../executor/executor.ts';
import { nearest } from '../nearest.ts';
import type { Runtime } from '../runtime.ts';
import type { LegacyBody, LegacyRow, UnsupportedNames } from './row.ts';

/** An answer to a legacy call. */
export interface LegacyAnswer {
  /** What the legacy caller parses out of the text; a failure is `{success: false, error, hint, code, timestamp}`. */
  readonly body: LegacyBody;
  readonly isError: boolean;
  /** The tool's own output where the name is also a tool of ours and the call went well, else the body. */
  readonly structured: unknown;
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
export function legacyText(body: LegacyBody): string {
  return JSON.stringify(body, null, 2);
}

function failure(error: ErrorBody, timestamp: string): LegacyAnswer {
  const { message, hint, code } = error;
  const body = { success: false, error: message, ...(hint === undefined ? {} : { hint }), code, timestamp };
  return { body, isError: true, structured: body };
}

const shown = (name: string): string => JSON.stringify(name.length > 64 ? `${name.slice(0, 64)}…` : name);

export function createLegacy({ rows, unsupported, call, runtime }: LegacyDeps): Legacy {
  const byName = new Map(rows.map((row) => [row.name, row]));
  const refused = new Map(unsupported.flatMap((group) => group.names.map((name) => [name, group])));

  const refusal = (name: string): SkillflowError => {
    const group = refused.get(name);
    if (group !== undefined) return new NotSupportedError(`${name} (${group.subject}) is not supported`, { hint: group.hint });
    const near = nearest(name, [...byName.keys(), ...refused.keys()]);
    return new NotFoundError(`there is no tool named ${shown(name)}`, {
      hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : 'List the tools with `skillflow tools`.',
    });
  };

  const answer = async (name: string, args: unknown, caller: Caller): Promise<LegacyAnswer> => {
    const row = byName.get(name);
    if (row === undefined) throw refusal(name);
    const prepared = row.prepare(args ?? {});
    if (!prepared.ok) throw inputError(name, args, prepared.issues);
    const { tool, input, body, recover } = prepared.call;
    const result = await call(tool, input, caller);
    const timestamp = new Date(runtime.now()).toISOString();
    if (result.ok) {
      const answered = body(result.output, timestamp);
      return { body: answered, isError: false, structured: tool === name ? result.output : answered };
    }
    const recovered = recover?.(result.error, timestamp);
    return recovered === undefined
      ? failure(result.error, timestamp)
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
