import { realpath } from 'node:fs/promises';
import type { ChangeSet, Selection } from '../changes.ts';
import { InvalidInputError, UnavailableError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import { type Repository, openRepository } from './git-state.ts';
import { type GitScope, selectBase, selectLast, selectStaged, selectUncommitted } from './select-changes.ts';
import { selectFiles, selectTree } from './select-files.ts';
import { comparePaths, inspectAll } from './inspect.ts';
import type { Selected } from './selected.ts';

export interface CollectDeps {
  /** The project root; a subfolder of a git repository is fine. */
  readonly root: string;
  readonly runtime: Runtime;
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_LAST = 10;
const MEMBERS = ['base', 'last', 'staged', 'files', 'tree'] as const;

function checkOne(selection: Selection): void {
  const given = MEMBERS.filter((name) => selection[name] !== undefined && selection[name] !== false);
  if (given.length > 1) {
    throw new InvalidInputError(`a selection takes one of ${MEMBERS.join(', ')}; given: ${given.join(', ')}`, {
      hint: 'Keep one of them.',
      details: { given },
    });
  }
}

function requireGit(repository: Repository, root: string, signal: AbortSignal | undefined): GitScope {
  if (repository.git === null) {
    throw new UnavailableError(`changes cannot be read: ${repository.reason}`, {
      hint: 'Select files or the whole tree instead, which need no git.',
    });
  }
  return { git: repository.git, state: repository.state, root, signal };
}

async function finish(root: string, repository: Repository, selected: Selected, signal?: AbortSignal): Promise<ChangeSet> {
  const { files, skipped } = await inspectAll(root, selected.candidates, signal);
  const allSkipped = [...selected.skipped, ...skipped].sort(comparePaths);
  const submodules = allSkipped.filter((file) => file.reason === 'submodule');
  const notes = [...(repository.git === null ? [] : repository.notes), ...selected.notes];
  if (submodules.length > 0) {
    const names = submodules.slice(0, 5).map((file) => file.path);
    notes.push({
      code: 'submodules_not_entered',
      message: `${submodules.length} repositories inside this one were not entered: ${names.join(', ')}${submodules.length > 5 ? ', …' : ''}.`,
    });
  }
  return {
    root,
    mode: selected.mode,
    base: selected.base,
    git: repository.git === null ? null : repository.state,
    files,
    skipped: allSkipped,
    notes,
  };
}

/** Nothing was asked for: uncommitted changes, else the last commits, else everything. */
async function collectDefault(root: string, repository: Repository, signal?: AbortSignal): Promise<ChangeSet> {
  if (repository.git === null || repository.state.head === null) {
    return finish(root, repository, await selectTree(root, repository, signal), signal);
  }
  const scope = requireGit(repository, root, signal);
  const uncommitted = await finish(root, repository, await selectUncommitted(scope), signal);
  if (uncommitted.files.length > 0) return uncommitted;
  const last = await selectLast(scope, DEFAULT_LAST);
  const notes = [...last.notes];
  if (uncommitted.skipped.length > 0) {
    notes.push({
      code: 'uncommitted_skipped',
      message: `${uncommitted.skipped.length} uncommitted changes cannot be reviewed (deleted, binary, generated…), so the last commits were taken.`,
    });
  }
  // A shallow clone of one commit cannot tell what that commit changed.
  if (last.base === repository.state.head) {
    const tree = await selectTree(root, repository, signal);
    return finish(root, repository, { ...tree, notes: [...notes, ...tree.notes] }, signal);
  }
  return finish(root, repository, { ...last, notes }, signal);
}

/**
 * Finds out what to look at. Reads only: no lock is taken, nothing that the repository configures is run. Files that
 * cannot be reviewed are in `skipped` with the reason, what limits the answer in `notes`; an empty `files` is a right
 * answer. Rejects with `InvalidInputError` (more than one member, a bad number, an unknown revision), `NotFoundError`
 * (a missing path), `ForbiddenError` (a path outside the root), `UnavailableError` (a selection of changes without a
 * usable git), `CancelledError`.
 */
export async function collectChanges(selection: Selection, deps: CollectDeps): Promise<ChangeSet> {
  checkOne(selection);
  const { runtime, signal } = deps;
  const root = await realpath(deps.root);
  const repository = await openRepository({ runtime, root, signal });
  const select = (): Promise<Selected> | null => {
    if (selection.base !== undefined) return selectBase(requireGit(repository, root, signal), selection.base);
    if (selection.last !== undefined) return selectLast(requireGit(repository, root, signal), selection.last);
    if (selection.staged === true) return selectStaged(requireGit(repository, root, signal));
    if (selection.files !== undefined) return selectFiles(root, repository, selection.files, signal);
    if (selection.tree === true) return selectTree(root, repository, signal);
    return null;
  };
  const selected = await select();
  return selected === null ? collectDefault(root, repository, signal) : finish(root, repository, selected, signal);
}
