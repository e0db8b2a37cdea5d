import { realpath, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import type { Skillflow } from './app.ts';
import { loadConfig } from './config.ts';
import type { Config } from './config.ts';
import { InvalidInputError } from './errors.ts';
import type { Runtime } from './runtime.ts';
import { findProjectRoot } from './store/project-root.ts';

// For the bin, which is a script of its own: errors are told apart by their classes, so all of them must come from here.
export { createRuntime } from './runtime.ts';

export interface OpenAppOptions {
  readonly runtime: Runtime;
  readonly version: string;
  /** Where the user stands. */
  readonly cwd: string;
  readonly packageDir: string;
  readonly workerUrl: URL | null;
  readonly vectorWorkerUrl: URL | null;
  readonly flags?: {
    readonly root?: string;
    readonly readOnly?: boolean;
    readonly threads?: string;
    readonly mcpTools?: string;
    readonly output?: string;
  };
}

/** Finds the project and reads its settings. Throws `InvalidInputError` when either is wrong. */
export async function readSettings({
  runtime,
  cwd,
  flags = {},
}: Pick<OpenAppOptions, 'runtime' | 'cwd' | 'flags'>): Promise<Config> {
  const { root: given, ...settings } = flags;
  const home = runtime.env['HOME'] ?? homedir();
  const realHome = await realpath(home).catch(() => home); // a user may have none
  const found =
    given === undefined
      ? await findProjectRoot({ cwd, env: runtime.env, home: realHome })
      : { root: await realRoot(given), source: '--root' };
  return loadConfig({
    projectRoot: found.root,
    rootSource: found.source,
    home,
    flags: settings,
    env: runtime.env,
  });
}

/** Composes the app of the project that `readSettings` finds. */
export async function openApp({ cwd, flags = {}, ...options }: OpenAppOptions): Promise<Skillflow> {
  const config = await readSettings({ runtime: options.runtime, cwd, flags });
  const { createApp } = await import('./app.ts'); // all tools and their schemas, which nobody needs to read settings
  return createApp({ config, ...options });
}

async function realRoot(path: string): Promise<string> {
  const hint = 'Give an existing folder.';
  let root: string;
  let isFolder: boolean;
  try {
    root = await realpath(path);
    isFolder = (await stat(root)).isDirectory();
  } catch (error) {
    throw new InvalidInputError(`--root ${path} does not exist`, { hint, cause: error });
  }
  if (!isFolder) throw new InvalidInputError(`--root ${path} is not a folder`, { hint });
  return root;
}
