import { readFile, stat } from 'node:fs/promises';
import { contentMark } from '../analysis/content-mark.ts';
import type { ChangeSet, SourceFile } from '../changes.ts';
import type { EventBody } from '../events.ts';
import type { Note } from '../finding.ts';
import type { FoldedRun } from './fold.ts';

const PARALLEL_READS = 16;
/** Paths that stand for all. */
const EXAMPLES = 5;

function named(paths: readonly string[]): string {
  const more = paths.length > EXAMPLES ? ` and ${paths.length - EXAMPLES} more` : '';
  return `${paths.slice(0, EXAMPLES).join(', ')}${more}`;
}

async function look(path: string) {
  const found = await stat(path);
  const { size, mtimeMs, ctimeMs } = found;
  return { size, mtimeMs, ctimeMs, isFile: found.isFile() };
}

/** By how many milliseconds the times of a file system may lie behind the clock: some have steps of two seconds. */
const SLACK_MS = 4_000;

/** How a file stands that had this mark at a time (ms since the epoch). One that nobody has touched since is not read. */
async function stateOf({ absolutePath, bytes, mark }: SourceFile, at: number): Promise<'same' | 'changed' | 'gone'> {
  try {
    const { size, mtimeMs, ctimeMs, isFile } = await look(absolutePath);
    if (!isFile) return 'gone';
    if (size !== bytes) return 'changed';
    // What restores the time of a file's content cannot restore that of its last change.
    if (Math.max(mtimeMs, ctimeMs) < at - SLACK_MS) return 'same';
    return contentMark(await readFile(absolutePath)) === mark ? 'same' : 'changed';
  } catch {
    return 'gone'; // or not readable any more: nobody who looks at it now will read what was there
  }
}

/**
 * What to say of a run's input when its steps go on later: files are read when a step looks at them, and may have changed
 * since the run began. Empty where all of them are as they were, and for runs of earlier versions, which kept no marks.
 * @param startedAt when the run began, before it read them; ms since the epoch
 */
export async function changedInputs({ files }: Pick<ChangeSet, 'files'>, startedAt: number): Promise<readonly Note[]> {
  const changed: string[] = [];
  const gone: string[] = [];
  const queue = files.filter(({ mark }) => mark !== undefined).values();
  const drain = async (): Promise<void> => {
    for (const file of queue) {
      const state = await stateOf(file, startedAt);
      if (state !== 'same') (state === 'gone' ? gone : changed).push(file.path);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_READS }, drain));
  const notes: Note[] = [];
  if (changed.length > 0) {
    notes.push({ code: 'input_changed', message: `Read anew, changed since the run began: ${named(changed.sort())}.` });
  }
  if (gone.length > 0) notes.push({ code: 'input_gone', message: `Gone since the run began: ${named(gone.sort())}.` });
  return notes;
}

/** Of what is to be said of a run, what its journal does not say yet. */
export function newNotes({ notes: told }: Pick<FoldedRun, 'notes'>, notes: readonly Note[]): readonly EventBody[] {
  const known = new Set(told.map(({ message }) => message));
  return notes
    .filter(({ message }) => !known.has(message))
    .map((note) => ({ type: 'note_added', stepId: null, agentId: null, note }));
}
