import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidInputError } from './errors.ts';

export type ConfigSource = 'flag' | 'environment' | 'file' | 'default';

/** Settings, frozen. Flags > environment > `.skillflow/config.json` > defaults. */
export interface Config {
  /** Absolute, real path of the project. */
  readonly projectRoot: string;
  /** How the project root was found. */
  readonly rootSource: string;
  /** Absolute path of the project's database. */
  readonly databasePath: string;
  /** The user's home folder. */
  readonly home: string;
  /** Refuse every tool that changes something. */
  readonly readOnly: boolean;
  /** Worker threads for analysis, 1–64; 0 = as many as fit the machine. */
  readonly threads: number;
  /** Who thinks for agents. */
  readonly provider: string;
  /** Where each value came from. */
  readonly sources: Readonly<Record<Setting, ConfigSource>>;
}

const SETTINGS = {
  readOnly: { kind: 'boolean', env: 'SKILLFLOW_READ_ONLY', fallback: false },
  threads: { kind: 'integer', env: 'SKILLFLOW_THREADS', fallback: 0, min: 0, max: 64 },
  provider: { kind: 'string', env: 'SKILLFLOW_PROVIDER', fallback: 'local', among: ['local'] },
} as const;

export type Setting = keyof typeof SETTINGS;

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
  const known = Object.keys(SETTINGS);
  const unknown = Object.keys(data).filter((key) => !known.includes(key));
  if (unknown.length > 0) {
    throw new InvalidInputError(`${path} has unknown settings: ${unknown.join(', ')}`, {
      hint: `Known are ${known.join(', ')}.`,
    });
  }
  return Object.fromEntries(Object.entries(data));
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

function toInteger(given: Given, min: number, max: number): number {
  const { value } = given;
  const number = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value;
  if (typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max) return number;
  throw bad(given, `a whole number from ${min} to ${max}`);
}

function toChoice(given: Given, among: readonly string[]): string {
  if (typeof given.value === 'string' && among.includes(given.value)) return given.value;
  throw bad(given, `one of ${among.join(', ')}`);
}

/** Reads the settings. Throws `InvalidInputError` that names the flag, variable or file and what it expected. */
export function loadConfig(input: ConfigInput): Config {
  const path = join(input.projectRoot, '.skillflow', 'config.json');
  const file = readConfigFile(path);
  const pick = (name: Setting): Given => {
    const { env, fallback } = SETTINGS[name];
    if (input.flags[name] !== undefined) return { value: input.flags[name], source: 'flag', where: `the flag for ${name}` };
    if (input.env[env] !== undefined)
      return { value: input.env[env], source: 'environment', where: `the environment variable ${env}` };
    if (file[name] !== undefined) return { value: file[name], source: 'file', where: `"${name}" in ${path}` };
    return { value: fallback, source: 'default', where: 'the default' };
  };
  const given = { readOnly: pick('readOnly'), threads: pick('threads'), provider: pick('provider') };
  return Object.freeze({
    projectRoot: input.projectRoot,
    rootSource: input.rootSource,
    databasePath: join(input.projectRoot, '.skillflow', 'skillflow.db'),
    home: input.home,
    readOnly: toBoolean(given.readOnly),
    threads: toInteger(given.threads, SETTINGS.threads.min, SETTINGS.threads.max),
    provider: toChoice(given.provider, SETTINGS.provider.among),
    sources: Object.freeze({ readOnly: given.readOnly.source, threads: given.threads.source, provider: given.provider.source }),
  });
}
