import type { CallResult, Caller } from '../executor/executor.ts';
import type { LegacyAnswer } from '../legacy/translate.ts';
import type { McpAnswer, McpHandler } from './serve.ts';

/** What answers calls; the composed app has it. */
export interface Callables extends AsyncDisposable {
  readonly tools: readonly { readonly name: string }[];
  readonly legacy: {
    readonly names: { readonly supported: readonly string[]; readonly unsupported: readonly string[] };
    call(name: string, args: unknown, caller: Caller): Promise<LegacyAnswer>;
  };
  call(tool: string, input: unknown, caller: Caller): Promise<CallResult>;
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : undefined;
}

function toAnswer(result: CallResult): McpAnswer {
  // Callers without structured content read the text, so the text says all of it.
  if (result.ok) return { text: JSON.stringify(result.output), structured: asRecord(result.output), isError: false };
  return { text: JSON.stringify({ error: result.error }), structured: { error: result.error }, isError: true };
}

/**
 * Answers MCP tool calls. A name that is a legacy name is answered in the legacy shape, with our own output as
 * structured content where the name is ours as well.
 */
export function createMcpHandler(app: Callables): McpHandler {
  const own = new Set(app.tools.map(({ name }) => name));
  const legacy = new Set([...app.legacy.names.supported, ...app.legacy.names.unsupported]);
  return {
    call: async (name, input, { signal, onProgress }) => {
      const caller: Caller = { surface: 'mcp', signal, onProgress };
      if (legacy.has(name)) {
        const { body, structured, isError } = await app.legacy.call(name, input, caller);
        return { text: JSON.stringify(body, null, 2), structured: asRecord(structured), isError };
      }
      return own.has(name) ? toAnswer(await app.call(name, input, caller)) : undefined;
    },
    [Symbol.asyncDispose]: () => app[Symbol.asyncDispose](),
  };
}
