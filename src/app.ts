import { claudeFlow2 } from '../compat/claude-flow-2.ts';
import type { Config } from './config.ts';
import { createClosing } from './app/closing.ts';
import { createDatabases } from './app/databases.ts';
import type { Databases } from './app/databases.ts';
import { createMemoryParts } from './app/memory.ts';
import type { CreateAppOptions } from './app/options.ts';
import { runs } from './app/runs.ts';
import { skills } from './app/skills.ts';
import { createTracing } from './app/tracing.ts';
import { createExecutor } from './executor/executor.ts';
import type { CallRecord, CallResult, Caller } from './executor/executor.ts';
import { createLegacy } from './legacy/translate.ts';
import type { Legacy } from './legacy/translate.ts';
import type { Mailbox } from './mail/mailbox.ts';
import type { Database } from './store/database.ts';
import { printableJson } from './printable.ts';
import { allTools } from './tools/all-tools.ts';
import type { AnyTool, App, TextStyle } from './tools/tool.ts';

export type { CreateAppOptions };

/** Everything composed. Dispose it to close what was opened. */
export interface Skillflow extends AsyncDisposable {
  readonly app: App;
  readonly tools: readonly AnyTool[];
  readonly legacy: Legacy;
  /** The one path that every call takes; never rejects. */
  call(tool: string, input: unknown, caller: Caller): Promise<CallResult>;
  /** An output of {@link Skillflow.call} as text for people; JSON where the tool has no text of its own. */
  render(tool: string, output: unknown, style: TextStyle): Promise<string>;
}

/** Codes of calls that a server has left without an answer. */
const SILENT_SERVER: ReadonlySet<string> = new Set(['unavailable', 'deadline', 'outcome_unknown']);

async function recordCall(
  { databaseUrl }: Config,
  databases: Databases,
  { at, tool, surface, code, durationMs }: CallRecord,
): Promise<void> {
  // A call that failed before there was a database changed nothing, and leaves nothing behind.
  if (code !== null && !databases.exists()) return;
  // A server that did not answer will not in a moment: waiting for it again would only make the answer late.
  if (databaseUrl !== null && code !== null && SILENT_SERVER.has(code)) return;
  const db = await databases.open('write');
  await db.run('INSERT INTO call(at, tool, surface, ok, code, duration_ms) VALUES (?, ?, ?, ?, ?, ?)', [
    at,
    tool,
    surface,
    code === null ? 1 : 0,
    code,
    durationMs,
  ]);
}

/** Calls after which a process that stays looks for contents without vectors. */
const WAKES = /^(?:memory_(?!embed|vectors)|snapshot_)/;

/** One mailbox for each database: calls that come together share their transactions. */
function mailboxes(databases: Databases, runtime: CreateAppOptions['runtime']): App['mail'] {
  const made = new WeakMap<Database, Mailbox>();
  return async (access) => {
    const [db, { createMailbox }] = await Promise.all([databases.open(access), import('./mail/mailbox.ts')]);
    const known = made.get(db) ?? createMailbox({ db, runtime });
    made.set(db, known);
    return known;
  };
}

/** The composition root: opens nothing until a call needs it. */
export function createApp(options: CreateAppOptions): Skillflow {
  const { config, runtime, version } = options;
  const stores = createClosing();
  const workers = createClosing();
  const tracing = workers.add(createTracing(options)); // the last to be closed: what the others do has spans
  const databases = createDatabases(options, stores);
  const { stored, ...memory } = createMemoryParts(options, databases, workers);
  const mail = mailboxes(databases, runtime);
  const app: App = {
    config,
    runtime,
    version,
    database: databases.open,
    ...memory,
    swarms: async (access) => (await import('./run/swarms.ts')).createSwarms({ db: await databases.open(access), runtime }),
    polls: async (access) => (await import('./run/polls.ts')).createPolls({ db: await databases.open(access), runtime }),
    mail,
    ...skills(options),
    ...runs(options, databases.open, workers, { memory: memory.memory, mail, tracing }),
  };
  const executor = createExecutor({
    tools: allTools.map((tool) => ({
      ...tool,
      bind: (input) => {
        const bound = tool.bind(input);
        return bound.ok ? { ...bound, run: (context) => bound.run({ app, ...context }) } : bound;
      },
    })),
    runtime,
    readOnly: config.readOnly,
    listsAll: config.mcpTools === 'all',
    record: (call) => recordCall(config, databases, call),
  });
  const traced = tracing.executor(executor);
  const call: Skillflow['call'] = async (name, input, caller) => {
    const result = await traced.call(name, input, caller);
    // A command ends with its call; a server stays, and has the time. Readers count too: what other processes stored
    // before, or a new model, has left contents without vectors.
    if (result.ok && caller.surface !== 'cli' && WAKES.test(name)) await stored();
    return result;
  };
  return {
    app,
    tools: allTools,
    legacy: createLegacy({ ...claudeFlow2, call, runtime }),
    call,
    render: async (name, output, style) => {
      const text = await allTools.find((tool) => tool.name === name)?.render(output, style, app);
      return text ?? printableJson(JSON.stringify(output, null, 2));
    },
    [Symbol.asyncDispose]: async () => {
      await workers.all(); // they use the databases
      await stores.all();
    },
  };
}
