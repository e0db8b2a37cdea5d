import { afterEach, beforeEach } from 'vitest';
import { collectChanges } from '../../src/analysis/collect.ts';
import type { ChangeSet, Selection } from '../../src/changes.ts';
import { createRuntime } from '../../src/runtime.ts';
import { createTempProject, type TempProject } from './temp-project.ts';

const runtime = createRuntime('silent');

interface Collecting {
  /** The project of the test that runs. */
  readonly project: () => TempProject;
  /** Another one, removed after the test as well. */
  readonly other: () => TempProject;
  /** One without git, removed after the test as well. */
  readonly plain: () => TempProject;
  readonly collect: (selection?: Selection, root?: string) => Promise<ChangeSet>;
}

/** A new project with git for each test of a file. */
export function useCollecting(): Collecting {
  let made: TempProject[] = [];
  const add = (project: TempProject): TempProject => {
    made.push(project);
    return project;
  };
  let project: TempProject;
  beforeEach(() => {
    made = [];
    project = add(createTempProject());
  });
  afterEach(() => {
    for (const each of made) each.remove();
  });
  return {
    project: () => project,
    other: () => add(createTempProject()),
    plain: () => add(createTempProject({ git: false })),
    collect: (selection = {}, root = project.root) => collectChanges(selection, { root, runtime }),
  };
}

/** The changed lines of each file. */
export function brief(changes: ChangeSet): Record<string, unknown> {
  return Object.fromEntries(changes.files.map((file) => [file.path, file.changed]));
}

export const codes = (changes: ChangeSet): string[] => changes.notes.map((note) => note.code);
