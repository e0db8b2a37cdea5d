import type { TreeContext } from './analyzer.ts';
import { gitComplaint } from './git.ts';

interface Commit {
  /** Author's e-mail address after `.mailmap`. */
  readonly author: string;
  /** Paths from the project root. */
  readonly files: readonly string[];
}

/** What the log says of the project root's files. */
export interface History {
  /** Commits without merges, newest first, at most 1,000, of the 12 months before HEAD. */
  readonly commits: readonly Commit[];
  churn(file: string): Churn;
  /** Commits that changed both files. */
  together(a: string, b: string): number;
}

export interface Churn {
  readonly commits: number;
  readonly authors: number;
}

/** Why there is no history to judge by. */
export interface NoHistory {
  readonly reason: string;
}

const MAX_COMMITS = 1000;
const WINDOW_SECONDS = 365 * 24 * 60 * 60;

/** Parses `--format=%x01%H%x02%aE --name-only -z`: each commit's header, then its paths, all NUL-terminated. */
function parseLog(output: string): Commit[] {
  const commits: { author: string; files: string[] }[] = [];
  let atHeader = false;
  for (const field of output.split('\0')) {
    if (field.startsWith('\u0001')) {
      commits.push({ author: field.slice(field.indexOf('\u0002') + 1), files: [] });
      atHeader = true;
    } else if (field !== '') {
      commits.at(-1)?.files.push(atHeader ? field.replace(/^\n/u, '') : field);
      atHeader = false;
    }
  }
  return commits;
}

function index(commits: readonly Commit[]): History {
  const byFile = new Map<string, number[]>();
  for (const [at, commit] of commits.entries()) {
    for (const file of commit.files) {
      const list = byFile.get(file);
      if (list === undefined) byFile.set(file, [at]);
      else list.push(at);
    }
  }
  return {
    commits,
    churn: (file) => {
      const touched = byFile.get(file) ?? [];
      return { commits: touched.length, authors: new Set(touched.map((at) => commits[at]?.author)).size };
    },
    together: (a, b) => {
      const other = new Set(byFile.get(b));
      return (byFile.get(a) ?? []).filter((at) => other.has(at)).length;
    },
  };
}

/**
 * The history of the project root: names of changed files only, so no file content is read (a partial clone works). A
 * rename starts a file's count anew. The window ends at HEAD's date, not today, so the same commit gives the same answer.
 */
export async function readHistory(context: TreeContext): Promise<History | NoHistory> {
  if (context.changes.git === null) return { reason: 'the project has no git history' };
  if (context.changes.git.head === null) return { reason: 'the repository has no commits yet' };
  const head = await context.git(['log', '-1', '--format=%ct']);
  const since = Number(head.stdout.toString('latin1').trim()) - WINDOW_SECONDS;
  const log = await context.git([
    'log',
    '--no-merges',
    '--name-only',
    '-z',
    '--no-renames',
    '--no-ext-diff',
    '--ignore-submodules=all',
    '--relative',
    `--max-count=${MAX_COMMITS}`,
    `--since=${Math.max(since, 0)}`,
    '--format=%x01%H%x02%aE',
    '--',
    './',
  ]);
  if (log.code !== 0) return { reason: `git log failed: ${gitComplaint(log.stderr)}` };
  return index(parseLog(log.stdout.toString('utf8')));
}
