import { readFile, stat } from 'node:fs/promises';
import { contentMark } from '../analysis/content-mark.ts';
import type { ChangeSet, SourceFile } from '../changes.ts';
import type { Note } from '../finding.ts';

const PARALLEL_READS = 16;
/** Paths that stand for all. */
const EXAMPLES = 5;

function named(paths: readonly string[]): string {
  const more = paths.length > EXAMPLES ? ` and ${paths.length - EXAMPLES} more` : '';
  return `${paths.slice(0, EXAMPLES).join(', ')}${more}`;
}

/** How a file stands that had this mark. */
async function stateOf({ absolutePath, bytes, mark }: SourceFile): Promise<'same' | 'changed' | 'gone'> {
  try {
    const found = await stat(absolutePath);
    if (!found.isFile()) return 'gone';
    return found.size === bytes && contentMark(await readFile(absolutePath)) === mark ? 'same' : 'changed';
  } catch {
    return 'gone'; // or not readable any more: nobody who looks at it now will read what was there
  }
}

/**
 * What to say of a run's input when its steps go on later: files are read when a step looks at them, and may have changed
 * since the run began. Empty where all of them are as they were, and for runs of earlier versions, which kept no marks.
 */
export async function changedInputs({ files }: Pick<ChangeSet, 'files'>): Promise<readonly Note[]> {
  const changed: string[] = [];
  const gone: string[] = [];
  const queue = files.filter(({ mark }) => mark !== undefined).values();
  const drain = async (): Promise<void> => {
    for (const file of queue) {
      const state = await stateOf(file);
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
