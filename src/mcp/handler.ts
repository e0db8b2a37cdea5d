import { errorBody, toSkillflowError } from '../errors.ts';
import type { CallResult, Caller } from '../executor/executor.ts';
import { legacyText } from '../legacy/translate.ts';
import type { LegacyAnswer } from '../legacy/translate.ts';
import { formatData } from '../tools/format-data.ts';
import type { DataFormat } from '../tools/format-data.ts';
import type { Progress } from './progress.ts';
import type { McpAnswer, McpHandler } from './serve.ts';

/** Messages of one batch of events. */
const MOST_NEWS = 20;

/** What answers calls; the composed app has it. */
export interface Callables extends AsyncDisposable {
  readonly app: {
    readonly config: { readonly output: DataFormat };
    readonly runtime: { id(prefix: string): string };
  };
  readonly tools: readonly {
    readonly name: string;
    readonly annotations: { readonly readOnly: boolean };
    readonly timeoutMs: number;
  }[];
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

/** Callers without structured content read the text, so the text says all of it. */
async function toAnswer(result: CallResult, format: DataFormat): Promise<McpAnswer> {
  const data = result.ok ? result.output : { error: result.error };
  return { text: await formatData(data, format), structured: asRecord(data), isError: !result.ok };
}

async function answer(app: Callables, name: string, input: unknown, caller: Caller): Promise<McpAnswer | undefined> {
  const { supported, unsupported } = app.legacy.names;
  if (supported.includes(name) || unsupported.includes(name)) {
    const answered = await app.legacy.call(name, input, caller);
    return { text: legacyText(answered), structured: asRecord(answered.structured), isError: answered.isError };
  }
  if (!app.tools.some((tool) => tool.name === name)) return undefined;
  return toAnswer(await app.call(name, input, caller), app.app.config.output);
}

/** Has a client hear how far a call is, and what happens in a run that it drives. */
async function following({ report }: Progress): Promise<Pick<Caller, 'onProgress' | 'onEvents'>> {
  const { eventWords } = await import('../tools/event-words.ts');
  const { printableProse } = await import('../printable.ts');
  let latest = 0;
  return {
    onProgress: (done, what) => {
      latest = Math.max(latest, done);
      report(done, what, 'advance');
    },
    onEvents: (events) => {
      // A run that goes on hands out all that happened before at once: the end of it tells how it stands.
      for (const { text, isMinor } of eventWords(events).slice(-MOST_NEWS)) {
        report(latest, printableProse(text), isMinor ? 'minor' : 'news');
      }
    },
  };
}

/** Whether later calls wait for this one: it writes, and does not take its own time. */
function holdsUpLater(app: Callables, name: string): boolean {
  const tool = app.tools.find((one) => one.name === name);
  return tool === undefined || (!tool.annotations.readOnly && tool.timeoutMs !== 0);
}

/**
 * Answers MCP tool calls. Calls that arrive together see each other's writes in the order in which they came. A name
 * that is a legacy name is answered in the legacy shape, with our own output as structured content where the name is
 * ours as well. The project is opened by the first call; where that fails (a settings file that is wrong, say) each call
 * says so, and tries again. All calls belong to one session: a client starts a server for each of its own.
 */
export function createMcpHandler(open: () => Promise<Callables>): McpHandler {
  let opened: Promise<Callables> | undefined;
  let writes: Promise<unknown> = Promise.resolve();
  let session: string | undefined;
  return {
    call: async (name, input, { signal, progress, isFollowed, askPerson }) => {
      try {
        opened ??= open();
        const app = await opened;
        session ??= app.app.runtime.id('session');
        const caller: Caller = { surface: 'mcp', session, signal, askPerson, ...(isFollowed ? await following(progress) : {}) };
        const answering = writes.then(() => answer(app, name, input, caller));
        if (holdsUpLater(app, name)) writes = answering.catch(() => undefined);
        return await answering;
      } catch (thrown) {
        opened = undefined;
        return toAnswer({ ok: false, error: errorBody(toSkillflowError(thrown)) }, 'json');
      }
    },
    [Symbol.asyncDispose]: async () => {
      await (await opened)?.[Symbol.asyncDispose]();
    },
  };
}
