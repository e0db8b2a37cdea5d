import { CancelledError, DeadlineError, UnavailableError } from '../errors.ts';
import type { ExecResult, Runtime } from '../runtime.ts';

export interface GitOptions {
  /** Bytes written to git's stdin. */
  readonly input?: string;
}

/** Runs git in the project root. Resolves with any exit code; rejects as `Runtime.exec` does. */
export type Git = (args: readonly string[], options?: GitOptions) => Promise<ExecResult>;

export interface GitDeps {
  readonly runtime: Runtime;
  /** Where git runs: the project root, real path. */
  readonly root: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Settings that keep git from running programs or writing for the sake of a read: a repository's own configuration is
 * not trusted. Config that starts programs: githooks(5), git-config(1) `core.fsmonitor`, gitattributes(5) `filter`.
 */
const SAFE_CONFIG = [
  'core.quotepath=off',
  'core.fsmonitor=false',
  'core.hooksPath=/dev/null',
  'core.pager=cat',
  'diff.autoRefreshIndex=false',
  'log.showSignature=false',
  'submodule.recurse=false',
  'protocol.allow=never',
] as const;

const SAFE_ENV = {
  GIT_OPTIONAL_LOCKS: '0',
  GIT_TERMINAL_PROMPT: '0',
  GIT_NO_LAZY_FETCH: '1',
  GIT_ALLOW_PROTOCOL: 'none',
  LC_ALL: 'C',
  SKILLFLOW_GIT_EMPTY: '',
  SKILLFLOW_GIT_FALSE: 'false',
} as const;

const SAFE_ARGS: readonly string[] = ['--no-pager', ...SAFE_CONFIG.flatMap((setting) => ['-c', setting])];

/** Exit codes are data, but a git that was killed or cannot start is an error. */
function createBareGit({ runtime, root, signal }: GitDeps, extra: readonly string[]): Git {
  return (args, options = {}) =>
    runtime.exec('git', [...SAFE_ARGS, ...extra, ...args], {
      cwd: root,
      signal,
      env: SAFE_ENV,
      ...(options.input === undefined ? {} : { input: options.input }),
    });
}

/** Arguments that switch off the content filters which the repository itself (not the user) configures. */
function filterOverrides(listing: string): string[] {
  const fields = listing.split('\0');
  const names = new Set<string>();
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const scope = fields[i];
    const name = /^filter\.(?<name>.+)\.(?:clean|smudge|process|required)$/su.exec(fields[i + 1] ?? '')?.groups?.['name'];
    if (name !== undefined && (scope === 'local' || scope === 'worktree')) names.add(name);
  }
  // `--config-env` rather than `-c`: a name may hold an equals sign.
  return [...names].flatMap((name) => [
    `--config-env=filter.${name}.clean=SKILLFLOW_GIT_EMPTY`,
    `--config-env=filter.${name}.process=SKILLFLOW_GIT_EMPTY`,
    `--config-env=filter.${name}.required=SKILLFLOW_GIT_FALSE`,
  ]);
}

/**
 * A git that only reads: it takes no locks, runs no programs that the repository configures (hooks, file-system
 * monitor, filters, external diff; callers add `--no-ext-diff --no-textconv` to diffs) and fetches nothing. Path arguments are pathspecs:
 * callers pass none, or ones that begin with `./`.
 */
export async function openGit(deps: GitDeps): Promise<Git> {
  const listing = await createBareGit(deps, [])(['config', '--list', '--show-scope', '--name-only', '-z']);
  // Outside a repository there is nothing to neutralize; a broken configuration fails the next call with git's words.
  const overrides = listing.code === 0 ? filterOverrides(listing.stdout.toString('utf8')) : [];
  return createBareGit(deps, overrides);
}

/** First line of git's complaint, without its `fatal: `. */
export function gitComplaint(stderr: string): string {
  const line = stderr.split('\n').find((text) => /^(?:fatal|error): /u.test(text)) ?? stderr.split('\n')[0] ?? '';
  return line.replace(/^(?:fatal|error): /u, '').trim();
}

/** Runs git and returns its stdout; a failure is an {@link UnavailableError} with git's own words. */
export async function gitOutput(git: Git, args: readonly string[], options?: GitOptions): Promise<Buffer> {
  const result = await git(args, options);
  if (result.code === 0) return result.stdout;
  throw new UnavailableError(`git ${args[0] ?? ''} failed: ${gitComplaint(result.stderr)}`, {
    hint: 'Run the same git command in the project to see what is wrong with the repository.',
    details: { exitCode: result.code },
  });
}

/** Whether an error of `Runtime.exec` means that there is no git to run, rather than a cancelled or slow one. */
export function isMissingProgram(error: unknown): boolean {
  return error instanceof UnavailableError && !(error instanceof CancelledError) && !(error instanceof DeadlineError);
}
