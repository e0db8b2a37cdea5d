import { homedir } from 'node:os';
import { createApp } from './app.ts';
import type { Skillflow } from './app.ts';
import { loadConfig } from './config.ts';
import { InvalidInputError } from './errors.ts';
import type { Runtime } from './runtime.ts';
import { findProjectRoot } from './store/project-root.ts';
import { realpath } from 'node:fs/promises';

export interface OpenAppOptions {
  readonly runtime: Runtime;
  readonly version: string;
  /** Where the user stands. */
  readonly cwd: string;
  readonly packageDir: string;
  readonly workerUrl: URL | null;
  readonly flags?: { readonly root?: string; readonly readOnly?: boolean; readonly threads?: string };
}

/** Finds the project, reads its settings and composes the app. Throws `InvalidInputError` when either is wrong. */
export async function openApp({ runtime, version, cwd, packageDir, workerUrl, flags = {} }: OpenAppOptions): Promise<Skillflow> {
  const { root: given, ...settings } = flags;
  const found =
    given === undefined ? await findProjectRoot({ cwd, env: runtime.env }) : { root: await realRoot(given), source: '--root' };
  const config = loadConfig({
    projectRoot: found.root,
    rootSource: found.source,
    home: runtime.env['HOME'] ?? homedir(),
    flags: settings,
    env: runtime.env,
  });
  return createApp({ config, runtime, version, packageDir, workerUrl });
}

async function realRoot(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    throw new InvalidInputError(`--root ${path} does not exist`, { hint: 'Give an existing folder.', cause: error });
  }
}
