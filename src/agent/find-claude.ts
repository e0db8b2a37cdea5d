import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { toSkillflowError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';

/** The user's Claude Code, or why there is none to use. */
export type FoundClaude =
  | { readonly found: true; readonly path: string; readonly version: string }
  | { readonly found: false; readonly reason: string; readonly hint: string };

/** The first version that has every flag that is used here; one that lacks some of them ends with `unknown option`. */
const OLDEST = [2, 1, 0] as const;
/** Milliseconds; it answers in some hundred. */
const VERSION_DEADLINE_MS = 15_000;
const INSTALL_HINT =
  'Install Claude Code (https://code.claude.com) so that `claude` is on PATH, run it once to log in, or choose another provider.';
export const UPDATE_HINT = 'Run `claude update`, or choose another provider.';

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false; // absent or not ours to run: the next folder of PATH may have it
  }
}

/**
 * The path of `claude`, which is not started. Relative entries of PATH are left out: a `claude` in the folder under review
 * is not the user's.
 */
export async function claudeOnPath(runtime: Runtime): Promise<string | undefined> {
  const name = process.platform === 'win32' ? 'claude.exe' : 'claude';
  for (const folder of (runtime.env['PATH'] ?? '').split(delimiter)) {
    if (isAbsolute(folder) && (await isProgram(join(folder, name)))) return join(folder, name);
  }
  return undefined;
}

function isOld(version: readonly number[]): boolean {
  for (const [index, least] of OLDEST.entries()) {
    const part = version[index] ?? 0;
    if (part !== least) return part < least;
  }
  return false;
}

/**
 * Looks for `claude` on PATH and asks its version. Costs nothing but a short process; never rejects, except with
 * `CancelledError` when the signal aborts.
 */
export async function findClaude(runtime: Runtime, signal?: AbortSignal): Promise<FoundClaude> {
  const path = await claudeOnPath(runtime);
  if (path === undefined) return { found: false, reason: 'there is no `claude` on PATH', hint: INSTALL_HINT };
  try {
    const { code, stdout } = await runtime.exec(path, ['--version'], {
      cwd: join(path, '..'),
      timeoutMs: VERSION_DEADLINE_MS,
      maxBytes: 65_536,
      group: true,
      signal,
      env: { DISABLE_AUTOUPDATER: '1' },
    });
    const version = /(\d+)\.(\d+)\.(\d+)/u.exec(stdout.toString('utf8'));
    if (code !== 0 || version === null) {
      return { found: false, reason: `${path} --version does not say its version (exit code ${code})`, hint: INSTALL_HINT };
    }
    if (isOld(version.slice(1).map(Number))) {
      const reason = `${path} is version ${version[0]}; ${OLDEST.join('.')} or newer is needed`;
      return { found: false, reason, hint: UPDATE_HINT };
    }
    return { found: true, path, version: version[0] };
  } catch (thrown) {
    const error = toSkillflowError(thrown);
    if (error.code === 'cancelled') throw error;
    return { found: false, reason: error.message, hint: INSTALL_HINT };
  }
}
