import type { ProviderName } from '../agent/provider.ts';
import type { Roles } from '../agent/roles/load-roles.ts';
import { ConflictError, InvalidInputError, toSkillflowError } from '../errors.ts';
import type { FoldedRun, FoldedStep } from '../run/fold.ts';
import type { Journal } from '../run/journal.ts';
import type { KeptRuns } from '../run/kept-runs.ts';
import type { Estimate, Runner, RunStore } from '../run/runner.ts';
import type { StoredRun } from '../run/run-log.ts';
import type { RunSession } from '../run/run-session.ts';
import type { SwarmSpec } from '../skill/skill.ts';
import type { Database } from '../store/database.ts';
import type { Access, App, StartRun } from '../tools/tool.ts';
import { once } from './closing.ts';
import type { Closing } from './closing.ts';
import type { CreateAppOptions } from './options.ts';
import { createRunNews } from './run-news.ts';
import { createThinkerShop, requireReady, requireRoles, rolesOf } from './thinkers.ts';
import type { ThinkerShop } from './thinkers.ts';
import type { Tracing } from './tracing.ts';

type RunParts = Pick<
  App,
  | 'runs'
  | 'awaitNews'
  | 'tasks'
  | 'startRun'
  | 'requireReady'
  | 'resumeRun'
  | 'runControl'
  | 'hostDesk'
  | 'replayRun'
  | 'providers'
  | 'report'
  | 'capabilities'
  | 'missingParsers'
>;

interface Parts {
  readonly options: CreateAppOptions;
  readonly database: (access: Access) => Promise<Database>;
  readonly journal: (db: Database) => Promise<Journal>;
  readonly kept: () => Promise<KeptRuns>;
  readonly shop: ThinkerShop;
  readonly mail: App['mail'];
}

/** What the paid steps that are left may cost; `null` when there are none. */
async function estimate(options: CreateAppOptions, session: RunSession): Promise<Estimate | null> {
  const [prices, { DEFAULT_MODELS }, { createPrompt }, { redactSecrets }, execute] = await Promise.all([
    import('../agent/prices.ts'),
    import('../agent/anthropic-models.ts'),
    import('../agent/prompt.ts'),
    import('../analysis/secrets-redact.ts'),
    import('../run/execute-step.ts'),
  ]);
  const planned: Parameters<typeof prices.estimateCost>[0][number][] = [];
  let provider: string | null = null;
  for (const step of session.fold.state.steps.values()) {
    const doer = execute.doerOf(session, step);
    if (!doer.provider.paid || (step.status !== 'waiting' && step.status !== 'running')) continue;
    provider = doer.provider.name;
    const request = await execute.requestOf(session, step, doer, { attempt: 1, mail: [] });
    const { system, user } = await createPrompt(request, { redact: redactSecrets });
    const { model: modelClass } = request.agent.role;
    const model = request.agent.model ?? options.config.models[modelClass] ?? DEFAULT_MODELS[modelClass];
    planned.push({ ...prices.TYPICAL_ASK, model, promptTokens: prices.estimateTokens(system + user) });
  }
  return provider === null ? null : { provider, costUsd: prices.estimateCost(planned).costUsd };
}

const isOpen = ({ status }: Pick<FoldedStep, 'status'>): boolean => status === 'waiting' || status === 'running';

/** Whether some step of a run is, or may be, still to be done: all that is left of others is to write down what came of them. */
function isLeft({ started, steps }: FoldedRun): boolean {
  return [...steps.values()].some(isOpen) || started?.strategy !== 'plan';
}

/** A paid run has a limit, also where its skill names none. */
function withBudget(swarm: SwarmSpec, name: ProviderName, runBudgetUsd: number | null): SwarmSpec {
  const isPaid = name === 'anthropic' || name === 'claude-cli';
  if (!isPaid || swarm.budget.run.costUsd !== null) return swarm;
  return { ...swarm, budget: { ...swarm.budget, run: { ...swarm.budget.run, costUsd: runBudgetUsd } } };
}

/** Limits of a call over those of the skill. */
function override(swarm: SwarmSpec, limits: NonNullable<StartRun['budget']>): SwarmSpec {
  const given = Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
  return { ...swarm, budget: { ...swarm.budget, run: { ...swarm.budget.run, ...given } } };
}

function createStore({ options, database, journal, kept, shop, mail }: Parts): (access?: Access) => Promise<RunStore> {
  const { config, runtime } = options;
  return async (access = 'write') => {
    const db = await database(access);
    const { createRunStore } = await import('../run/run-store.ts');
    const known = new WeakMap<StoredRun, Promise<Roles>>();
    const rolesFor = (run: StoredRun): Promise<Roles> => {
      const roles = known.get(run) ?? rolesOf(options, run.spec.skillDir);
      known.set(run, roles);
      return roles;
    };
    return createRunStore({
      db,
      journal: await journal(db),
      runtime,
      thinkersOf: (run) => shop.thinkersOf(run),
      rolesOf: (run) => async (type) => (await rolesFor(run)).find(type),
      checkRole: async (run, type) => requireRoles(await rolesFor(run), [type]),
      mailOf: async (runId, agentId) => {
        const { openMail } = await import('../run/run-mail.ts');
        return openMail(db, () => mail('write'), { runId, agentId });
      },
      dayLimits: { tokens: config.dayBudgetTokens, costUsd: config.dayBudgetUsd },
      kept: await kept(),
    });
  };
}

function createDriver(parts: Parts, openStore: () => Promise<RunStore>): () => Promise<Runner> {
  const { options } = parts;
  const { config, runtime, version } = options;
  return once(async () => {
    const [{ createRunner }, { collectChanges }] = await Promise.all([
      import('../run/runner.ts'),
      import('../analysis/collect.ts'),
    ]);
    return createRunner({
      openStore,
      runtime,
      projectRoot: config.projectRoot,
      version,
      collect: async (chosen, stop) => {
        const root = config.projectRoot;
        // A task in words looks at nothing by itself.
        if (chosen.files?.length === 0) return { root, mode: 'files', base: null, git: null, files: [], skipped: [], notes: [] };
        return collectChanges(chosen, { root, runtime, signal: stop });
      },
      estimate: (session) => estimate(options, session),
    });
  });
}

/** How the app starts, reads and steers runs. */
export function runs(
  options: CreateAppOptions,
  database: (access: Access) => Promise<Database>,
  closing: Closing,
  { memory, mail, tracing }: Pick<App, 'memory' | 'mail'> & { readonly tracing: Tracing },
): RunParts {
  const { config, runtime, workerUrl } = options;
  const analysis = once(async () => {
    const { createAnalysis } = await import('../analysis/pool.ts');
    return closing.add(createAnalysis({ runtime, workerUrl, ...(config.threads === 0 ? {} : { threads: config.threads }) }));
  });
  const news = createRunNews(runtime);
  const journal = async (db: Database) =>
    tracing.journal(news.journal((await import('../run/journal.ts')).createJournal({ db, runtime })));
  const shop = createThinkerShop({
    options,
    closing,
    analysis,
    journal: async () => journal(await database('write')),
    database,
    memory,
    mail,
  });
  const kept = once(async () => (await import('../run/kept-runs.ts')).createKeptRuns());
  const parts: Parts = { options, database, journal, kept, shop, mail };
  const openStore = createStore(parts);
  const runner = createDriver(parts, openStore);
  const runControl: RunParts['runControl'] = async (access = 'write') => {
    const { createRunControl } = await import('../run/run-control.ts');
    const { log } = await openStore(access);
    const events = await journal(await database(access));
    return createRunControl({ log, journal: events, runtime, projectRoot: config.projectRoot, kept: await kept() });
  };
  const requireRolesOf = async ({ spec: { skillDir, provider, agents } }: StoredRun, { steps }: FoldedRun, all: boolean) => {
    if (provider === 'local') return;
    const open = new Set([...steps.values()].filter((step) => all || isOpen(step)).map(({ agentId }) => agentId));
    const asked = agents.filter(({ id }) => open.has(id));
    await requireRoles(
      await rolesOf(options, skillDir),
      asked.map(({ type }) => type),
    );
  };
  const requireFor: RunParts['requireReady'] = async (runId, to) => {
    const { run, state } = await (await runControl('read')).look(runId);
    if (to === 'resume' && state.status !== 'running') {
      throw new ConflictError(`the run ${runId} has ended: it is ${state.status}`, {
        hint: 'Do steps of it again with `skillflow retry <run> --from <step>`, or run the skill again.',
      });
    }
    if (to !== 'repeat' && !isLeft(state)) return;
    await requireReady(shop, run.spec.provider);
    // Hosts are told when they claim a step: what they bring before that is taken.
    if (to === 'repeat' || run.spec.provider !== 'host') await requireRolesOf(run, state, to === 'repeat');
  };
  /** A run whose mail cannot be acknowledged has ended all the same: the next one shows that mail again. */
  const mailDone = async (runId: string): Promise<void> => {
    const { acknowledgeShown } = await import('../run/run-mail.ts');
    try {
      await acknowledgeShown(await database('write'), () => mail('write'), runId);
    } catch (error) {
      runtime.log('warn', `the mail of the run ${runId} was not acknowledged: ${toSkillflowError(error).message}`);
    }
  };
  return {
    awaitNews: news.awaitNews,
    runs: async (access) => {
      const db = await database(access);
      const { createRuns } = await import('../run/runs.ts');
      return createRuns({ db, journal: await journal(db), runtime });
    },
    tasks: async (access) => {
      const db = await database(access);
      const [{ createTasks }, { createRuns }] = await Promise.all([import('../run/tasks.ts'), import('../run/runs.ts')]);
      return createTasks({ db, runs: createRuns({ db, journal: await journal(db), runtime }) });
    },
    startRun: async ({ skill, task, selection, provider, budget, swarmId, notes, onBegun, ...following }) => {
      if (skill.swarm === null) throw new InvalidInputError(`the skill ${skill.name} has no swarm to run`);
      await requireReady(shop, provider);
      const swarm = withBudget(override(skill.swarm, budget ?? {}), provider, config.runBudgetUsd);
      if (provider !== 'local')
        await requireRoles(
          await rolesOf(options, skill.dir),
          swarm.agents.map(({ type }) => type),
        );
      // A run that nobody wants after all must not stay behind.
      const begun = async (runId: string): Promise<void> => {
        try {
          await onBegun?.(runId);
        } catch (error) {
          await (await runControl()).cancel(runId, toSkillflowError(error).message, false);
          throw error;
        }
      };
      const place = { swarmId: swarmId ?? null, notes, onBegun: begun };
      const request = { skill: { ...skill, swarm }, task, selection, provider, ...place };
      const runId = await (await runner()).run(request, following);
      await mailDone(runId);
      return runId;
    },
    requireReady: requireFor,
    resumeRun: async (runId, following) => {
      await requireFor(runId, 'resume');
      await (await runner()).resume(runId, following);
      await mailDone(runId);
    },
    runControl,
    hostDesk: async (access = 'write') => {
      const [{ createHostDesk }, { createPrompt }, { answerJsonSchema }, { toStepOutput }, { redactSecrets }, { findingId }] =
        await Promise.all([
          import('../run/host-desk.ts'),
          import('../agent/prompt.ts'),
          import('../agent/answer-schema.ts'),
          import('../agent/answer.ts'),
          import('../analysis/secrets-redact.ts'),
          import('../analysis/finding-id.ts'),
        ]);
      return createHostDesk({
        db: await database(access),
        runtime,
        store: await openStore(access),
        prompt: (request) => createPrompt(request, { redact: redactSecrets, hasTools: false }),
        answerSchema: answerJsonSchema,
        parse: (request, answer) => toStepOutput(request, answer, { redact: redactSecrets, findingId }),
      });
    },
    replayRun: async (runId) => {
      const { replay } = await import('../run/replay.ts');
      return replay(await journal(await database('read')), config.projectRoot, runId);
    },
    providers: async () =>
      Promise.all(
        (['local', 'host', 'anthropic', 'claude-cli'] as const).map(async (name) => ({ name, ...(await shop.readiness(name)) })),
      ),
    report: async (runId) => {
      const db = await database('read');
      const [{ keptReport }, { createRuns }] = await Promise.all([import('../run/kept-report.ts'), import('../run/runs.ts')]);
      const events = await journal(db);
      return keptReport(createRuns({ db, journal: events, runtime }), events, config.projectRoot, runId);
    },
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
