import { realpath } from 'node:fs/promises';
import type { ChangeSet, GitState } from '../changes.ts';
import { type Git, type GitDeps, gitComplaint, isMissingProgram, openGit } from './git.ts';

export type CollectNote = ChangeSet['notes'][number];

/** The project's repository, or why there is none to ask. */
export type Repository =
  | { readonly git: Git; readonly state: GitState; readonly notes: readonly CollectNote[] }
  | { readonly git: null; readonly reason: string };

function withoutNewline(output: Buffer): string {
  return output.toString('utf8').replace(/\r?\n$/u, '');
}

function reasonOf(stderr: string, root: string): string {
  if (stderr.includes('dubious ownership')) {
    return `git refuses ${root} because another user owns it; \`git config --global --add safe.directory ${root}\` trusts it`;
  }
  if (stderr.includes('not a git repository')) return `${root} is not in a git repository`;
  return `git cannot read ${root}: ${gitComplaint(stderr)}`;
}

function stateNotes(state: GitState): CollectNote[] {
  const notes: CollectNote[] = [];
  if (state.shallow) {
    notes.push({
      code: 'shallow_clone',
      message: 'This clone is shallow: history ends early, so a merge base may be wrong; `git fetch --unshallow` completes it.',
    });
  }
  if (state.head === null) notes.push({ code: 'no_commits', message: 'The repository has no commits yet.' });
  else if (state.branch === null) {
    notes.push({ code: 'detached_head', message: `HEAD is detached at ${state.head.slice(0, 12)}: no branch is checked out.` });
  }
  return notes;
}

/**
 * Asks git about the project root. No git on PATH, no repository, one that git refuses or a bare one is an answer
 * (`git: null` with the reason), not an error; a cancelled or timed-out git rejects.
 */
export async function openRepository(deps: GitDeps): Promise<Repository> {
  let git: Git;
  try {
    git = await openGit(deps);
  } catch (error) {
    if (!isMissingProgram(error)) throw error;
    return { git: null, reason: 'git is not installed or not on PATH' };
  }
  // The top folder comes last, because its name may hold a line break.
  const place = await git(['rev-parse', '--is-inside-work-tree', '--is-shallow-repository', '--show-toplevel']);
  const answer = /^(?<inside>true|false)\r?\n(?<shallow>true|false)\r?\n(?<top>.+)$/su.exec(withoutNewline(place.stdout))?.groups;
  const top = answer?.['top'];
  if (place.code !== 0 || top === undefined || answer?.['inside'] !== 'true') {
    return { git: null, reason: reasonOf(place.stderr, deps.root) };
  }
  const [head, branch] = await Promise.all([
    git(['rev-parse', '--verify', '--quiet', '--end-of-options', 'HEAD^{commit}']),
    git(['symbolic-ref', '--quiet', '--short', 'HEAD']),
  ]);
  const state: GitState = {
    top: await realpath(top),
    head: head.code === 0 ? withoutNewline(head.stdout) : null,
    branch: branch.code === 0 ? withoutNewline(branch.stdout) : null,
    shallow: answer['shallow'] === 'true',
  };
  return { git, state, notes: stateNotes(state) };
}
