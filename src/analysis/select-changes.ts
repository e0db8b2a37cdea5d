import type { GitState, SkippedFile } from '../changes.ts';
import { InvalidInputError } from '../errors.ts';
import { blobSizes, readBlobs } from './git-blobs.ts';
import { type DiffEntry, readDiff } from './git-diff.ts';
import type { CollectNote } from './git-state.ts';
import { type Git, gitComplaint, gitOutput } from './git.ts';
import { type Candidate, MAX_FILE_BYTES } from './inspect.ts';
import { listUntracked } from './list-files.ts';
import type { Selected } from './selected.ts';

/** A repository to ask, and for which project root. */
export interface GitScope {
  readonly git: Git;
  readonly state: GitState;
  readonly root: string;
  readonly signal: AbortSignal | undefined;
}

const SUBMODULE_MODE = '160000';
const SYMLINK_MODE = '120000';
const MAX_LAST = 10_000;

/** Splits a diff into what may be looked at and what cannot. */
function fromDiff(entries: readonly DiffEntry[]): { candidates: Candidate[]; skipped: SkippedFile[] } {
  const candidates: Candidate[] = [];
  const skipped: SkippedFile[] = [];
  for (const { path, letter, mode, lines, binary } of entries) {
    if (letter === 'D') skipped.push({ path, reason: 'deleted' });
    else if (mode === SUBMODULE_MODE) skipped.push({ path, reason: 'submodule' });
    else if (mode === SYMLINK_MODE) skipped.push({ path, reason: 'symlink' });
    else {
      // An attribute can call any text binary; then the changed lines are unknown, which must not hide them.
      const whole = letter === 'A' || letter === 'T' || binary;
      const status = letter === 'A' ? 'added' : letter === 'R' ? 'renamed' : 'modified';
      candidates.push({ path, status, changed: whole ? 'all' : lines });
    }
  }
  return { candidates, skipped };
}

async function untracked(git: Git): Promise<Candidate[]> {
  const paths = await listUntracked(git);
  return paths.map((path) => ({ path, status: 'untracked', changed: 'all' }));
}

function requireCommits(state: GitState): string {
  if (state.head !== null) return state.head;
  throw new InvalidInputError('the repository has no commits yet, so there is nothing to compare with', {
    hint: 'Commit first, or select the staged files or the whole tree.',
  });
}

/** A revision's full hash. Names that git would take for an option are refused, as are ranges and missing revisions. */
async function resolveRevision(git: Git, revision: string): Promise<string> {
  const hint = '`git branch --all`, `git tag` and `git log --oneline` list revisions.';
  const shown = JSON.stringify(revision);
  if (revision === '' || revision.startsWith('-') || revision.includes('\0')) {
    throw new InvalidInputError(`base: ${shown} is not a revision`, { hint });
  }
  const found = await git(['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`]);
  const hash = found.stdout.toString('utf8').trim();
  if (found.code === 0 && /^[0-9a-f]{40,64}$/u.test(hash)) return hash;
  throw new InvalidInputError(`base: git knows no commit ${shown} in this repository`, {
    hint,
    details: { revision, git: gitComplaint(found.stderr) },
  });
}

/** Changes since the merge base of a revision and HEAD, as the working tree has them, untracked files included. */
export async function selectBase({ git, state }: GitScope, revision: string): Promise<Selected> {
  requireCommits(state);
  const commit = await resolveRevision(git, revision);
  const found = await git(['merge-base', commit, 'HEAD']);
  const mergeBase = found.stdout.toString('utf8').trim();
  const notes: CollectNote[] = [];
  if (mergeBase === '') {
    notes.push({
      code: 'no_merge_base',
      message: `${revision} and HEAD share no known history, so the comparison is with ${revision} itself.`,
    });
  }
  const base = mergeBase === '' ? commit : mergeBase;
  const { candidates, skipped } = fromDiff(await readDiff(git, [base]));
  return { mode: 'base', base, candidates: [...candidates, ...(await untracked(git))], skipped, notes };
}

/** Uncommitted changes: HEAD against the working tree, and untracked files. Needs a commit. */
export async function selectUncommitted({ git, state }: GitScope): Promise<Selected> {
  const base = requireCommits(state);
  const { candidates, skipped } = fromDiff(await readDiff(git, [base]));
  return { mode: 'uncommitted', base, candidates: [...candidates, ...(await untracked(git))], skipped, notes: [] };
}

interface Start {
  /** The commit or empty tree to compare with. */
  readonly base: string;
  readonly notes: readonly CollectNote[];
}

/** Where the last `count` commits begin, following first parents. */
async function startOfLast(git: Git, count: number): Promise<Start> {
  const listing = await gitOutput(git, ['rev-list', '--first-parent', `--max-count=${count + 1}`, 'HEAD']);
  const commits = listing.toString('latin1').trim().split('\n');
  const oldest = commits.at(-1) ?? '';
  if (commits.length > count) return { base: oldest, notes: [] };
  // A raw commit names its parents even where the clone does not hold them.
  const raw = await gitOutput(git, ['cat-file', 'commit', oldest]);
  if (/^parent /mu.test(raw.toString('latin1').split('\n\n', 1)[0] ?? '')) {
    const known = commits.length - 1;
    return {
      base: oldest,
      notes: [
        {
          code: 'history_cut',
          message: `This shallow clone shows the changes of ${known} commits, not of ${count}; \`git fetch --deepen=${count}\` gets more.`,
        },
      ],
    };
  }
  const emptyTree = await gitOutput(git, ['hash-object', '-t', 'tree', '--stdin'], { input: '' });
  const notes =
    commits.length < count
      ? [{ code: 'fewer_commits', message: `There are ${commits.length} commits, fewer than ${count}: all of them were taken.` }]
      : [];
  return { base: emptyTree.toString('latin1').trim(), notes };
}

/**
 * Files that the last commits changed, as the working tree has them; their changed lines are those that differ from
 * the state before these commits, so uncommitted edits of the same files count too.
 */
export async function selectLast({ git, state }: GitScope, count: number): Promise<Selected> {
  if (!Number.isInteger(count) || count < 1 || count > MAX_LAST) {
    throw new InvalidInputError(`last: ${count} is not a whole number from 1 to ${MAX_LAST}`, {
      hint: 'Give a number of commits.',
    });
  }
  const head = requireCommits(state);
  const { base, notes } = await startOfLast(git, count);
  const committed = new Set((await readDiff(git, [base, head])).map((entry) => entry.path));
  const entries = (await readDiff(git, [base])).filter((entry) => committed.has(entry.path));
  return { mode: 'last', base, notes, ...fromDiff(entries) };
}

/** What is staged: the text is the index's, whatever the working tree holds. */
export async function selectStaged({ git, state }: GitScope): Promise<Selected> {
  const entries = await readDiff(git, ['--cached']);
  const unmerged = entries.filter((entry) => entry.letter === 'U');
  const { candidates, skipped } = fromDiff(entries.filter((entry) => entry.letter !== 'U'));
  const blobs = new Map(entries.map((entry) => [entry.path, entry.blob]));
  const sizes = await blobSizes(git, [...new Set(candidates.map((file) => blobs.get(file.path) ?? ''))]);
  const small = new Map([...sizes].filter(([, size]) => size <= MAX_FILE_BYTES));
  const contents = await readBlobs(git, small);
  const staged: Candidate[] = [];
  for (const file of candidates) {
    const blob = blobs.get(file.path) ?? '';
    const content = contents.get(blob);
    if (content !== undefined) staged.push({ ...file, content });
    else skipped.push({ path: file.path, reason: sizes.has(blob) ? 'huge' : 'unreadable' });
  }
  const notes: CollectNote[] = unmerged.map(({ path }) => ({
    code: 'unmerged',
    message: `${path} has a merge conflict, so nothing of it is staged.`,
  }));
  return { mode: 'staged', base: state.head, candidates: staged, skipped, notes };
}
