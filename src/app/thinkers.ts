import type { Provider, ProviderName } from '../agent/provider.ts';
import type { RoleFolder, Roles } from '../agent/roles/load-roles.ts';
import type { AgentMemory, SendMail } from '../agent/tools/agent-tool.ts';
import type { Analysis } from '../analysis/pool.ts';
import { InvalidInputError, NotFoundError, UnavailableError } from '../errors.ts';
import type { Journal } from '../run/journal.ts';
import type { StoredRun } from '../run/run-log.ts';
import type { Thinkers } from '../run/run-session.ts';
import type { App } from '../tools/tool.ts';
import { once } from './closing.ts';
import type { Closing } from './closing.ts';
import type { CreateAppOptions } from './options.ts';

const BREAKER = { failures: 5, coolDownMs: 10_000, maxCoolDownMs: 300_000 } as const;
/** Milliseconds that one attempt of a model may take. */
const ATTEMPT_MS = 15 * 60_000;
const MAX_FOUND_CHARACTERS = 4_000;

/** The host answers by `task_complete`: nothing in this process asks it. */
const HOST: Provider = {
  name: 'host',
  paid: false,
  ask: async () => ({ status: 'failed', code: 'host', reason: 'the host is not asked: it claims its steps', retryable: false }),
  [Symbol.asyncDispose]: async () => undefined,
};

/** Whether a provider can be used here, and what to do where it cannot; nothing is asked or paid. */
export type Readiness = { readonly ready: true; readonly how: string } | { readonly ready: false; readonly why: string };

/** What agents read and write of the project's memory: entries of a namespace of their own. */
function agentMemory(memory: App['memory']): AgentMemory {
  const NAMESPACE = 'agents';
  return {
    search: async (_scope, query, limit) => {
      const { results } = await (await memory('read')).search({ query, limit });
      return results.map(({ namespace, key, value, snippet }) => {
        const text = typeof value === 'string' ? value : value === undefined ? snippet : JSON.stringify(value);
        return { key: `${namespace}/${key}`, text: text.slice(0, MAX_FOUND_CHARACTERS) };
      });
    },
    store: async ({ runId, agentId }, key, text) => {
      await (await memory('write')).store({ namespace: NAMESPACE, key, value: text, agent: agentId, run: runId });
    },
  };
}

/** Mail between the members of a run, broadcasts along the edges of its plan only. */
function agentMail(app: Pick<App, 'database' | 'mail'>, journal: () => Promise<Journal>): SendMail {
  return async ({ runId, agentId }, to, body) => {
    const [first] = await (await journal()).read(runId, { after: 0, limit: 1 });
    if (first?.type !== 'run_started') throw new NotFoundError(`there is no run ${runId}`);
    const { mailPlace, runLetter } = await import('../run/run-mail.ts');
    const place = await mailPlace(await app.database('read'), runId);
    await (await app.mail('write')).send(runLetter(first, place, { from: agentId, to, body }));
  };
}

export interface ThinkerDeps extends Pick<App, 'database' | 'memory' | 'mail'> {
  readonly options: CreateAppOptions;
  readonly closing: Closing;
  readonly analysis: () => Promise<Analysis>;
  readonly journal: () => Promise<Journal>;
}

/** Makes providers, each once a process, and says which there are. */
export interface ThinkerShop {
  thinkersOf(run: Pick<StoredRun, 'spec'>): Promise<Thinkers>;
  readiness(name: ProviderName): Promise<Readiness>;
}

async function claudeReadiness({ runtime }: CreateAppOptions): Promise<Readiness> {
  const { findClaude } = await import('../agent/find-claude.ts');
  const found = await findClaude(runtime);
  if (found.found) return { ready: true, how: `${found.path} (${found.version})` };
  return { ready: false, why: `Claude Code: ${found.reason}. ${found.hint}` };
}

/** Which models were found, and the flags that use them; nothing is started or asked. */
async function modelHint({ config, runtime }: CreateAppOptions): Promise<string | null> {
  const { claudeOnPath } = await import('../agent/find-claude.ts');
  const found = [
    ...(config.anthropicKey === null ? [] : ['a key for Anthropic is set (--provider anthropic would use it)']),
    ...((await claudeOnPath(runtime)) === undefined ? [] : ['claude is on PATH (--provider claude-cli would use it)']),
  ];
  return found.length === 0 ? null : found.join(', and ');
}

/** The providers of one process. */
export function createThinkerShop(deps: ThinkerDeps): ThinkerShop {
  const { options, closing, analysis } = deps;
  const { config, runtime } = options;
  const made = new Map<ProviderName, () => Promise<Provider>>();
  const shared = async () => {
    const [{ redactSecrets }, { findingId }] = await Promise.all([
      import('../analysis/secrets-redact.ts'),
      import('../analysis/finding-id.ts'),
    ]);
    return { runtime, redact: redactSecrets, findingId };
  };
  const anthropic = async (): Promise<Provider> => {
    const [{ createAnthropicProvider }, { DEFAULT_MODELS }, { openGit }] = await Promise.all([
      import('../agent/anthropic.ts'),
      import('../agent/anthropic-models.ts'),
      import('../analysis/git.ts'),
    ]);
    const { small, standard, large } = config.models;
    return createAnthropicProvider({
      ...(await shared()),
      apiKey: config.anthropicKey?.reveal(),
      ...(config.anthropicUrl === null ? {} : { baseUrl: config.anthropicUrl }),
      models: {
        small: small ?? DEFAULT_MODELS.small,
        standard: standard ?? DEFAULT_MODELS.standard,
        large: large ?? DEFAULT_MODELS.large,
      },
      git: async (root, args, signal) => (await openGit({ runtime, root, signal }))(args),
      memory: agentMemory(deps.memory),
      mail: agentMail(deps, deps.journal),
    });
  };
  const claude = async (): Promise<Provider> => {
    const { createClaudeCliProvider } = await import('../agent/claude-cli.ts');
    return createClaudeCliProvider({ ...(await shared()), projectRoot: config.projectRoot, deadlineMs: ATTEMPT_MS });
  };
  const local = async (): Promise<Provider> => {
    const [{ createLocalProvider }, found] = await Promise.all([import('../agent/local.ts'), analysis()]);
    // The analyzers are closed with the app.
    const hint = once(() => modelHint(options));
    return { ...createLocalProvider(found, hint), [Symbol.asyncDispose]: async () => undefined };
  };
  const guarded = async (make: () => Promise<Provider>): Promise<Provider> => {
    const [{ createBreaker }, { withDeadline }] = await Promise.all([
      import('../agent/breaker.ts'),
      import('../agent/deadline.ts'),
    ]);
    return createBreaker(withDeadline(await make(), ATTEMPT_MS, runtime), runtime, BREAKER, ({ status }) => {
      runtime.log('warn', `the circuit of a model provider is ${status}`);
    });
  };
  const make = async (name: ProviderName): Promise<Provider> => {
    if (name === 'host') return HOST;
    if (name === 'local') return closing.add(await local());
    return closing.add(await guarded(name === 'anthropic' ? anthropic : claude));
  };
  const provider = (name: ProviderName): Promise<Provider> => {
    const known = made.get(name) ?? once(() => make(name));
    made.set(name, known);
    return known();
  };

  return {
    thinkersOf: async ({ spec }) => {
      const [own, found, thinker] = [await provider('local'), await analysis(), await provider(spec.provider)];
      const { createMixedProvider } = await import('../agent/mixed.ts');
      if (spec.provider === 'local') return { serves: () => own };
      return createMixedProvider(own, thinker, (capability) => Object.values(found.can(capability)).includes(true));
    },
    readiness: async (name) => {
      if (name === 'local') return { ready: true, how: 'deterministic analyzers, no model' };
      if (name === 'host') return { ready: true, how: 'the MCP client claims steps and answers them' };
      if (name === 'claude-cli') return claudeReadiness(options);
      if (config.anthropicKey !== null) return { ready: true, how: `a key is set (${config.sources.anthropicKey})` };
      return { ready: false, why: 'Set ANTHROPIC_API_KEY in the environment.' };
    },
  };
}

/** Throws `UnavailableError` when a run could not ask its provider at all. */
export async function requireReady(shop: ThinkerShop, name: ProviderName): Promise<void> {
  const readiness = await shop.readiness(name);
  if (readiness.ready) return;
  throw new UnavailableError(`the provider ${name} cannot be used here; nothing was begun or spent`, { hint: readiness.why });
}

/** The roles of some folders, read at the first call. */
export async function rolesIn(folders: readonly RoleFolder[]): Promise<Roles> {
  const [{ createRoles }, { readText }, { readFrontmatter }] = await Promise.all([
    import('../agent/roles/load-roles.ts'),
    import('../skill/read-text.ts'),
    import('../skill/frontmatter.ts'),
  ]);
  return createRoles({ folders, readText, readFrontmatter });
}

/** Throws `InvalidInputError` where the file of a role that one of some agent types asks for has errors. */
export async function requireRoles(roles: Roles, types: Iterable<string>): Promise<void> {
  for (const type of new Set(types)) {
    const damage = await roles.damage(type);
    if (damage === null) continue;
    const { file, line = 1, message, hint = 'Correct it.' } = damage;
    throw new InvalidInputError(`the role of ${type} has errors: ${file}:${line}: ${message}`, {
      hint: `${hint} No other role works in its stead; nothing was begun.`,
    });
  }
}

/** Folders of roles: the skill's own, the project's, the package's. */
export async function rolesOf({ config, packageDir }: CreateAppOptions, skillDir: string | null): Promise<Roles> {
  const { roleFolders } = await import('../agent/roles/load-roles.ts');
  return rolesIn(roleFolders({ skillDir, projectRoot: config.projectRoot, packageDir }));
}
