import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A temporary project, in a real git repository if asked for. */
export interface TempProject {
  readonly root: string;
  write(path: string, content: string | Buffer): void;
  /** Runs git in the root (or below it) and returns its stdout. */
  git(...args: string[]): string;
  /** Adds and commits everything. */
  commit(message?: string): void;
  remove(): void;
}

const GIT_ENV = {
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.com',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.com',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_SYSTEM: '/dev/null',
};

/** Runs git with a fixed identity and no user configuration. */
export function runGit(cwd: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  const all = ['-c', 'protocol.file.allow=always', '-c', 'init.defaultBranch=main', ...args];
  return execFileSync('git', all, {
    cwd,
    env: { ...process.env, ...GIT_ENV, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  }).toString();
}

export function createTempProject(options: { readonly git?: boolean } = {}): TempProject {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'skillflow-project-')));
  const git = (...args: string[]): string => runGit(root, args);
  if (options.git !== false) git('init', '-q');
  return {
    root,
    git,
    write(path, content) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), content);
    },
    commit(message = 'change') {
      git('add', '-A');
      git('commit', '-q', '--allow-empty', '-m', message);
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
