import * as z from 'zod';
import type { ChangeSet, SkippedFile, SourceFile } from '../changes.ts';

/** Parts of a change set as the journal and the tables hold them. */
export const selectionMode = z.enum(['base', 'last', 'staged', 'uncommitted', 'files', 'tree']) satisfies z.ZodType<
  ChangeSet['mode']
>;

export const fileStatus = z.enum(['added', 'modified', 'renamed', 'untracked', 'whole']) satisfies z.ZodType<
  SourceFile['status']
>;

export const skippedFile = z.object({
  path: z.string(),
  reason: z.enum([
    'binary',
    'generated',
    'vendored',
    'huge',
    'deleted',
    'submodule',
    'symlink',
    'outside_root',
    'invalid_utf8',
    'unreadable',
  ]),
}) satisfies z.ZodType<SkippedFile>;

export const changeNote = z.object({ code: z.string(), message: z.string() });
