import type { ChangeSet, SkippedFile } from '../changes.ts';
import type { CollectNote } from './git-state.ts';
import type { Candidate } from './inspect.ts';

/** What a selection picked, before the files are looked at. */
export interface Selected {
  readonly mode: ChangeSet['mode'];
  /** See `ChangeSet.base`. */
  readonly base: string | null;
  readonly candidates: readonly Candidate[];
  readonly skipped: readonly SkippedFile[];
  readonly notes: readonly CollectNote[];
}
