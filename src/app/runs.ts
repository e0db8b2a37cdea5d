import { InvalidInputError, NotFoundError } from '../errors.ts';
import type { Database } from '../store/database.ts';
import type { Access, App } from '../tools/tool.ts';
import { once } from './closing.ts';
import type { Closing } from './closing.ts';
import type { CreateAppOptions } from './options.ts';

/** How the app starts and reads runs. */
export function runs(
  options: CreateAppOptions,
  database: (access: Access) => Promise<Database>,
  closing: Closing,
): Pick<App, 'runs' | 'startRun' | 'report' | 'capabilities' | 'missingParsers'> {
  const { config, runtime, version, workerUrl } = options;
  const analysis = once(async () => {
    const { createAnalysis } = await import('../analysis/pool.ts');
    return closing.add(createAnalysis({ runtime, workerUrl, ...(config.threads === 0 ? {} : { threads: config.threads }) }));
  });
  const journal = async (db: Database) => (await import('../run/journal.ts')).createJournal({ db, runtime });
  return {
    runs: async (access) => {
      const db = await database(access);
      const { createRuns } = await import('../run/runs.ts');
      return createRuns({ db, journal: await journal(db), runtime });
    },
    startRun: async ({ skill, task, selection, provider: name, signal, onProgress }) => {
      const { swarm } = skill;
      if (swarm === null) throw new InvalidInputError(`the skill ${skill.name} has no swarm to run`);
      if (name !== 'local') throw new NotFoundError(`there is no provider ${name}`, { hint: 'Use local.' });
      const [{ createRunner }, { createRunLog }, { collectChanges }, { createLocalProvider }] = await Promise.all([
        import('../run/runner.ts'),
        import('../run/run-log.ts'),
        import('../analysis/collect.ts'),
        import('../agent/local.ts'),
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
    report: async (runId) => (await import('../run/write-outputs.ts')).readReport(config.projectRoot, runId),
    capabilities: async () => (await analysis()).capabilities(),
    missingParsers: async () => {
      const { parseSource } = await import('../analysis/syntax.ts');
      return (['typescript', 'python'] as const).flatMap((language) => {
        const parsed = parseSource(language, '');
        return parsed.tree === null ? [parsed.reason] : [];
      });
    },
  };
}
