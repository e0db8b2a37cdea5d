import { existsSync } from 'node:fs';
import { claudeFlow2 } from '../compat/claude-flow-2.ts';
import type { Config } from './config.ts';
import { InvalidInputError, NotFoundError, StorageError } from './errors.ts';
import { createExecutor } from './executor/executor.ts';
import type { CallResult, Caller } from './executor/executor.ts';
import { createLegacy } from './legacy/translate.ts';
import type { Legacy } from './legacy/translate.ts';
import type { Runtime } from './runtime.ts';
import type { Skill } from './skill/skill.ts';
import type { Database } from './store/database.ts';
import { allTools } from './tools/all-tools.ts';
import type { Access, AnyTool, App, TextStyle } from './tools/tool.ts';

export interface CreateAppOptions {
  readonly config: Config;
  readonly runtime: Runtime;
  readonly version: string;
  /** Folder of the package; its `skills` are the last resort. */
  readonly packageDir: string;
  /** The bundled analysis worker; `null` analyzes in this thread. */
  readonly workerUrl: URL | null;
}

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

interface Closing {
  add<T extends AsyncDisposable>(resource: T): T;
  all(): Promise<void>;
}

function createClosing(): Closing {
  const resources: AsyncDisposable[] = [];
  return {
    add: (resource) => {
      resources.push(resource);
      return resource;
    },
    all: async () => {
      for (const resource of resources.splice(0).reverse()) await resource[Symbol.asyncDispose]();
    },
  };
}

/** Remembers the first promise that did not reject. */
function once<T>(open: () => Promise<T>): () => Promise<T> {
  let opened: Promise<T> | undefined;
  return () => {
    opened ??= open().catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
}

function databases({ config, runtime }: CreateAppOptions, closing: Closing): (access: Access) => Promise<Database> {
  const real = once(async () => {
    const { openProjectDatabase } = await import('./store/project-database.ts');
    return closing.add(await openProjectDatabase(config.databasePath, { runtime, readOnly: config.readOnly }));
  });
  const empty = once(async () => {
    const { openEmptyDatabase } = await import('./store/project-database.ts');
    return closing.add(await openEmptyDatabase(runtime));
  });
  const unchanged = once(async () => {
    const { openProjectDatabase } = await import('./store/project-database.ts');
    return closing.add(await openProjectDatabase(config.databasePath, { runtime, readOnly: true }));
  });
  return async (access) => {
    if (access === 'write') return real();
    // Looking must not leave anything behind: a reader of a project that has no database yet sees an empty one.
    if (!existsSync(config.databasePath)) return empty();
    try {
      return await real().catch((error: unknown) => {
        if (!(error instanceof StorageError)) throw error;
        return unchanged(); // a place that cannot be written to can still be read
      });
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error;
      return empty(); // the file holds no database yet
    }
  };
}

function skills({ config, packageDir }: CreateAppOptions): Pick<App, 'findSkills' | 'findSkill' | 'loadSkill'> {
  const load = async () => {
    const loader = await import('./skill/load.ts');
    return {
      loader,
      roots: loader.skillRoots({ projectRoot: config.projectRoot, home: config.home, packageDir }),
    };
  };
  const findSkill: App['findSkill'] = async (name) => {
    const { loader, roots } = await load();
    return loader.loadSkill(name, roots);
  };
  return {
    findSkills: async () => {
      const { loader, roots } = await load();
      return loader.findSkills({ roots });
    },
    findSkill,
    loadSkill: async (name): Promise<Skill> => {
      const { skill, diagnostics, dir } = await findSkill(name);
      if (skill !== null) return skill;
      const first = diagnostics.find(({ severity }) => severity === 'error');
      const where = first === undefined ? dir : `${first.file}:${first.line}:${first.column}: ${first.message}`;
      throw new InvalidInputError(`the skill ${name} has errors: ${where}`, {
        hint: `See all of them with skillflow skill ${name}.`,
      });
    },
  };
}

function runs(
  options: CreateAppOptions,
  database: (access: Access) => Promise<Database>,
  closing: Closing,
): Pick<App, 'runs' | 'startRun' | 'report' | 'capabilities' | 'missingParsers'> {
  const { config, runtime, version, workerUrl } = options;
  const analysis = once(async () => {
    const { createAnalysis } = await import('./analysis/pool.ts');
    return closing.add(createAnalysis({ runtime, workerUrl, ...(config.threads === 0 ? {} : { threads: config.threads }) }));
  });
  const journal = async (db: Database) => (await import('./run/journal.ts')).createJournal({ db, runtime });
  return {
    runs: async (access) => {
      const db = await database(access);
      const { createRuns } = await import('./run/runs.ts');
      return createRuns({ db, journal: await journal(db), runtime });
    },
    startRun: async ({ skill, task, selection, provider: name, signal, onProgress }) => {
      const { swarm } = skill;
      if (swarm === null) throw new InvalidInputError(`the skill ${skill.name} has no swarm to run`);
      if (name !== 'local') throw new NotFoundError(`there is no provider ${name}`, { hint: 'Use local.' });
      const [{ createRunner }, { createRunLog }, { collectChanges }, { createLocalProvider }] = await Promise.all([
        import('./run/runner.ts'),
        import('./run/run-log.ts'),
        import('./analysis/collect.ts'),
        import('./agent/local.ts'),
      ]);
      const runner = createRunner({
        openLog: async () => {
          const db = await database('write');
          return createRunLog({ db, journal: await journal(db), runtime });
        },
        runtime,
        projectRoot: config.projectRoot,
        version,
        collect: (chosen, stop) => collectChanges(chosen, { root: config.projectRoot, runtime, signal: stop }),
      });
      return runner.run({
        skill: { ...skill, swarm },
        task,
        selection,
        provider: createLocalProvider(await analysis()),
        signal,
        onProgress,
      });
    },
    report: async (runId) => (await import('./run/write-outputs.ts')).readReport(config.projectRoot, runId),
    capabilities: async () => (await analysis()).capabilities(),
    missingParsers: async () => {
      const { parseSource } = await import('./analysis/syntax.ts');
      return (['typescript', 'python'] as const).flatMap((language) => {
        const parsed = parseSource(language, '');
        return parsed.tree === null ? [parsed.reason] : [];
      });
    },
  };
}

function createContext(options: CreateAppOptions, closing: Closing): App {
  const { config, runtime, version } = options;
  const database = databases(options, closing);
  return {
    config,
    runtime,
    version,
    database,
    memory: async (access) => (await import('./memory/memory.ts')).createMemory({ open: () => database(access), runtime }),
    swarms: async (access) => (await import('./run/swarms.ts')).createSwarms({ db: await database(access), runtime }),
    ...skills(options),
    ...runs(options, database, closing),
  };
}

/** The composition root: opens nothing until a call needs it. */
export function createApp(options: CreateAppOptions): Skillflow {
  const { config, runtime } = options;
  const closing = createClosing();
  const app = createContext(options, closing);
  const executor = createExecutor({
    tools: allTools.map((tool) => ({
      ...tool,
      bind: (input) => {
        const bound = tool.bind(input);
        return bound.ok ? { ok: true, run: (context) => bound.run({ app, ...context }) } : bound;
      },
    })),
    runtime,
    readOnly: config.readOnly,
    record: async ({ at, tool, surface, code, durationMs }) => {
      // A call that failed before there was a database changed nothing, and leaves nothing behind.
      if (code !== null && !existsSync(config.databasePath)) return;
      const db = await app.database('write');
      await db.run('INSERT INTO call(at, tool, surface, ok, code, duration_ms) VALUES (?, ?, ?, ?, ?, ?)', [
        at,
        tool,
        surface,
        code === null ? 1 : 0,
        code,
        durationMs,
      ]);
    },
  });
  const call: Skillflow['call'] = (tool, input, caller) => executor.call(tool, input, caller);
  return {
    app,
    tools: allTools,
    legacy: createLegacy({ ...claudeFlow2, call, runtime }),
    call,
    render: async (name, output, style) => {
      const text = await allTools.find((tool) => tool.name === name)?.render(output, style, app);
      return text ?? JSON.stringify(output, null, 2);
    },
    [Symbol.asyncDispose]: () => closing.all(),
  };
}
