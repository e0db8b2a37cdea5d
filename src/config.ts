import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkDatabaseKey } from './config/database-key.ts';
import { parseDatabaseUrl } from './config/database-url.ts';
import { isElsewhere } from './config/loopback.ts';
import { SETTINGS, type Setting, type SettingRule } from './config/settings.ts';
import { createSecret, type Secret } from './config/secret.ts';
import { InvalidInputError } from './errors.ts';

export type { Setting } from './config/settings.ts';
export type { Secret } from './config/secret.ts';

export type ConfigSource = 'flag' | 'environment' | 'file' | 'default';

/** Settings, frozen. Flags > environment > `.skillflow/config.json` > defaults. */
export interface Config {
  /** Absolute, real path of the project. */
  readonly projectRoot: string;
  /** How the project root was found. */
  readonly rootSource: string;
  /** Absolute path of the project's database file; not used with a {@link Config.databaseUrl}. */
  readonly databasePath: string;
  /** Absolute path of the local copy of a server's database; used with {@link Config.databaseReplica}. */
  readonly replicaPath: string;
  /** The user's home folder. */
  readonly home: string;
  /** Refuse every tool that changes something. */
  readonly readOnly: boolean;
  /** Worker threads for analysis, 1–64; 0 = as many as fit the machine. */
  readonly threads: number;
  /** Who thinks for agents where a run does not say; `auto`: the host for a call through MCP, else local analyzers. */
  readonly provider: 'auto' | 'local' | 'host' | 'anthropic' | 'claude-cli';
  /** Of the Messages API; only from the environment. */
  readonly anthropicKey: Secret | null;
  /** Base URL of the Messages API; `null`: the vendor's. The project's file may only name this machine. */
  readonly anthropicUrl: string | null;
  /** Names of models by the class that a role asks for; `null`: the provider's default. */
  readonly models: { readonly small: string | null; readonly standard: string | null; readonly large: string | null };
  /** US dollars at which a run with a paid provider pauses, where its skill does not say; `null`: never. */
  readonly runBudgetUsd: number | null;
  /** US dollars, and tokens, of all runs of a day (UTC) at which paid calls pause; `null`: never. */
  readonly dayBudgetUsd: number | null;
  readonly dayBudgetTokens: number | null;
  /** A libSQL server that holds the data instead of the file, `http(s)://host[:port]`; `null`: the file. The project's file may only name this machine. */
  readonly databaseUrl: string | null;
  /** What the server asks for; only from the environment. */
  readonly databaseToken: Secret | null;
  /** Read from a local replica of the server. */
  readonly databaseReplica: boolean;
  /** Encrypts the database file at rest; only from the environment. */
  readonly databaseKey: Secret | null;
  /** What makes vectors of texts. */
  readonly embedding: 'off' | 'lexical' | 'openai' | 'transformers';
  /** Base URL of an OpenAI-compatible endpoint, or the local path of a model; `null`: the provider's default. The project's file may only name this machine. */
  readonly embeddingUrl: string | null;
  /** `null`: the provider's default. */
  readonly embeddingModel: string | null;
  /** Numbers a vector, 1–8,192; 0 = as many as the model gives. */
  readonly embeddingDimensions: number;
  /** The endpoint's key; only from the environment. */
  readonly embeddingKey: Secret | null;
  /** Whether an MCP client sees the tools that most need, or all. */
  readonly mcpTools: 'default' | 'all';
  /** How the MCP server writes what tools answer, in text; `auto`: the shorter of the two. */
  readonly output: 'json' | 'toon' | 'auto';
  /** Where each value came from. */
  readonly sources: Readonly<Record<Setting, ConfigSource>>;
}

export interface ConfigInput {
  readonly projectRoot: string;
  readonly rootSource: string;
  readonly home: string;
  /** Values given as flags; text or already typed. */
  readonly flags: Readonly<Record<string, string | boolean | number | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

interface Given {
  readonly value: unknown;
  readonly source: ConfigSource;
  readonly where: string;
}

function readConfigFile(path: string): Readonly<Record<string, unknown>> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return {};
    throw new InvalidInputError(`cannot read ${path}: ${String(error)}`, {
      hint: 'Make it readable, or remove it.',
      cause: error,
    });
  }
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    throw new InvalidInputError(`${path} is not JSON: ${String(error)}`, { hint: 'Correct it, or remove it.', cause: error });
  }
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    throw new InvalidInputError(`${path} must hold one JSON object`, { hint: 'For instance {"threads": 2}.' });
  }
  checkNames(Object.keys(data), path);
  checkAddresses(data, path);
  return Object.fromEntries(Object.entries(data));
}

function checkNames(names: readonly string[], path: string): void {
  const rules: Readonly<Record<string, SettingRule>> = SETTINGS;
  for (const name of names) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (rule?.kind !== 'secret') continue;
    throw new InvalidInputError(`${path} holds the secret "${name}"`, {
      hint: `Remove it there, and set the environment variable ${rule.env[0]}: files are copied and committed.`,
    });
  }
  const unknown = names.filter((name) => !Object.hasOwn(rules, name));
  if (unknown.length > 0) {
    const known = Object.keys(SETTINGS).filter((name) => rules[name]?.kind !== 'secret');
    throw new InvalidInputError(`${path} has unknown settings: ${unknown.join(', ')}`, {
      hint: `Known are ${known.join(', ')}.`,
    });
  }
}

/** Whoever wrote the project's file is not to choose where the user's keys and data are sent. */
function checkAddresses(data: object, path: string): void {
  const rules: Readonly<Record<string, SettingRule>> = SETTINGS;
  for (const [name, value] of Object.entries(data)) {
    const rule = rules[name];
    if (rule?.kind !== 'address' || typeof value !== 'string' || !isElsewhere(value)) continue;
    throw new InvalidInputError(`"${name}" in ${path} names another machine, to which your keys or data would be sent`, {
      hint: `If you trust it, remove it there and set the environment variable ${rule.env[0]}: files come with a project, from whoever wrote it.`,
    });
  }
}

function bad(given: Given, expected: string): InvalidInputError {
  return new InvalidInputError(`${given.where} is ${JSON.stringify(given.value)}; expected ${expected}`, {
    hint: 'Correct or remove it.',
  });
}

function toBoolean(given: Given): boolean {
  const { value } = given;
  if (typeof value === 'boolean') return value;
  if (value === '1' || value === 'true') return true;
  if (value === '0' || value === 'false' || value === '') return false;
  throw bad(given, 'true or false');
}

function toInteger(given: Given, { min, max }: { readonly min: number; readonly max: number }): number {
  const { value } = given;
  const number = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value;
  if (typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max) return number;
  throw bad(given, `a whole number from ${min} to ${max}`);
}

function toChoice<const T extends string>(given: Given, { among }: { readonly among: readonly T[] }): T {
  const chosen = among.find((choice) => choice === given.value);
  if (chosen !== undefined) return chosen;
  throw bad(given, `one of ${among.join(', ')}`);
}

function toText(given: Given): string | null {
  const { value } = given;
  if (value === null || value === '') return null;
  if (typeof value === 'string') return value;
  throw bad(given, 'text');
}

function toDatabaseUrl(given: Given): string | null {
  if (given.value !== null && typeof given.value !== 'string') throw bad(given, 'the URL of a database server');
  const text = toText(given);
  return text === null ? null : parseDatabaseUrl(text, given.where).href;
}

function toHttpUrl(given: Given, keyVariable: string): string | null {
  const text = toText(given);
  if (text === null) return null;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw bad(given, 'the base URL of an endpoint, such as http://localhost:11434/v1');
  }
  if (url.username !== '' || url.password !== '') {
    throw new InvalidInputError(`${given.where} holds a secret`, {
      hint: `Put the key in the environment variable ${keyVariable}, and only the address here.`,
    });
  }
  return text;
}

/** A number, or none: `null`, `off` or `none`. */
function toNumber(given: Given, { min, max }: { readonly min: number; readonly max: number }): number | null {
  const { value } = given;
  if (value === null || value === 'off' || value === 'none') return null;
  const number = typeof value === 'string' && /^\d{1,12}(?:\.\d{1,6})?$/.test(value) ? Number(value) : value;
  if (typeof number === 'number' && Number.isFinite(number) && number >= min && number <= max) return number;
  throw bad(given, `a number from ${min} to ${max}, or off`);
}

function toSecret({ value }: Given): Secret | null {
  return typeof value === 'string' && value !== '' ? createSecret(value) : null;
}

function toDatabaseKey(given: Given): Secret | null {
  const key = toSecret(given);
  if (key !== null) checkDatabaseKey(key.reveal(), given.where);
  return key;
}

/** The variable that sets a setting; an empty one counts as not set, except where it means `false`. */
function variableOf({ kind, env: names, foreign }: SettingRule, env: ConfigInput['env']): string | undefined {
  const own = names.find((name) => env[name] !== undefined && (env[name] !== '' || kind === 'boolean'));
  if (own !== undefined || foreign === undefined) return own;
  return env[foreign.env] === foreign.value ? foreign.env : undefined;
}

function finder(input: ConfigInput, file: Readonly<Record<string, unknown>>, path: string): (name: Setting) => Given {
  return (name) => {
    const rule: SettingRule = SETTINGS[name];
    if (rule.kind !== 'secret' && input.flags[name] !== undefined) {
      return { value: input.flags[name], source: 'flag', where: `the flag for ${name}` };
    }
    const variable = variableOf(rule, input.env);
    if (variable !== undefined) {
      return { value: input.env[variable], source: 'environment', where: `the environment variable ${variable}` };
    }
    if (file[name] !== undefined) return { value: file[name], source: 'file', where: `"${name}" in ${path}` };
    return { value: rule.fallback, source: 'default', where: 'the default' };
  };
}

type All<T> = Readonly<Record<Setting, T>>;

function findAll(find: (name: Setting) => Given): All<Given> {
  return {
    readOnly: find('readOnly'),
    threads: find('threads'),
    provider: find('provider'),
    anthropicKey: find('anthropicKey'),
    anthropicUrl: find('anthropicUrl'),
    modelSmall: find('modelSmall'),
    modelStandard: find('modelStandard'),
    modelLarge: find('modelLarge'),
    runBudgetUsd: find('runBudgetUsd'),
    dayBudgetUsd: find('dayBudgetUsd'),
    dayBudgetTokens: find('dayBudgetTokens'),
    databaseUrl: find('databaseUrl'),
    databaseToken: find('databaseToken'),
    databaseReplica: find('databaseReplica'),
    databaseKey: find('databaseKey'),
    embedding: find('embedding'),
    embeddingUrl: find('embeddingUrl'),
    embeddingModel: find('embeddingModel'),
    embeddingDimensions: find('embeddingDimensions'),
    embeddingKey: find('embeddingKey'),
    mcpTools: find('mcpTools'),
    output: find('output'),
  };
}

function sourcesOf(given: All<Given>): All<ConfigSource> {
  return Object.freeze({
    readOnly: given.readOnly.source,
    threads: given.threads.source,
    provider: given.provider.source,
    anthropicKey: given.anthropicKey.source,
    anthropicUrl: given.anthropicUrl.source,
    modelSmall: given.modelSmall.source,
    modelStandard: given.modelStandard.source,
    modelLarge: given.modelLarge.source,
    runBudgetUsd: given.runBudgetUsd.source,
    dayBudgetUsd: given.dayBudgetUsd.source,
    dayBudgetTokens: given.dayBudgetTokens.source,
    databaseUrl: given.databaseUrl.source,
    databaseToken: given.databaseToken.source,
    databaseReplica: given.databaseReplica.source,
    databaseKey: given.databaseKey.source,
    embedding: given.embedding.source,
    embeddingUrl: given.embeddingUrl.source,
    embeddingModel: given.embeddingModel.source,
    embeddingDimensions: given.embeddingDimensions.source,
    embeddingKey: given.embeddingKey.source,
    mcpTools: given.mcpTools.source,
    output: given.output.source,
  });
}

function databaseOf(given: All<Given>): Pick<Config, 'databaseUrl' | 'databaseToken' | 'databaseReplica' | 'databaseKey'> {
  const databaseUrl = toDatabaseUrl(given.databaseUrl);
  const databaseReplica = toBoolean(given.databaseReplica);
  if (databaseReplica && databaseUrl === null) {
    throw new InvalidInputError(`${given.databaseReplica.where} asks for a replica, but there is no database server`, {
      hint: 'Set SKILLFLOW_DB_URL to the address of a libSQL server, or unset SKILLFLOW_DB_REPLICA.',
    });
  }
  return {
    databaseUrl,
    databaseReplica,
    databaseToken: toSecret(given.databaseToken),
    databaseKey: toDatabaseKey(given.databaseKey),
  };
}

function thinkingOf(
  given: All<Given>,
): Pick<Config, 'anthropicKey' | 'anthropicUrl' | 'models' | 'runBudgetUsd' | 'dayBudgetUsd' | 'dayBudgetTokens'> {
  return {
    anthropicKey: toSecret(given.anthropicKey),
    anthropicUrl: toHttpUrl(given.anthropicUrl, 'SKILLFLOW_ANTHROPIC_KEY'),
    models: {
      small: toText(given.modelSmall),
      standard: toText(given.modelStandard),
      large: toText(given.modelLarge),
    },
    runBudgetUsd: toNumber(given.runBudgetUsd, SETTINGS.runBudgetUsd),
    dayBudgetUsd: toNumber(given.dayBudgetUsd, SETTINGS.dayBudgetUsd),
    dayBudgetTokens: toNumber(given.dayBudgetTokens, SETTINGS.dayBudgetTokens),
  };
}

/** Reads the settings. Throws `InvalidInputError` that names the flag, variable or file and what it expected. */
export function loadConfig(input: ConfigInput): Config {
  const folder = join(input.projectRoot, '.skillflow');
  const path = join(folder, 'config.json');
  const given = findAll(finder(input, readConfigFile(path), path));
  const embedding = toChoice(given.embedding, SETTINGS.embedding);
  return Object.freeze({
    projectRoot: input.projectRoot,
    rootSource: input.rootSource,
    databasePath: join(folder, 'skillflow.db'),
    replicaPath: join(folder, 'replica.db'),
    home: input.home,
    readOnly: toBoolean(given.readOnly),
    threads: toInteger(given.threads, SETTINGS.threads),
    provider: toChoice(given.provider, SETTINGS.provider),
    ...thinkingOf(given),
    ...databaseOf(given),
    embedding,
    embeddingUrl: embedding === 'openai' ? toHttpUrl(given.embeddingUrl, 'SKILLFLOW_EMBEDDING_KEY') : toText(given.embeddingUrl),
    embeddingModel: toText(given.embeddingModel),
    embeddingDimensions: toInteger(given.embeddingDimensions, SETTINGS.embeddingDimensions),
    embeddingKey: toSecret(given.embeddingKey),
    mcpTools: toChoice(given.mcpTools, SETTINGS.mcpTools),
    output: toChoice(given.output, SETTINGS.output),
    sources: sourcesOf(given),
  });
}
