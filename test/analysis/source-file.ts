import { languageOf } from '../../src/analysis/language.ts';
import type { ChangeSet, SourceFile } from '../../src/changes.ts';

/** A file whose text is given, as a staged one has it. */
export function textFile(path: string, text: string, changed: SourceFile['changed'] = 'all'): SourceFile {
  return {
    path,
    absolutePath: `/nowhere/${path}`,
    language: languageOf(path),
    bytes: Buffer.byteLength(text),
    status: 'modified',
    changed,
    text,
  };
}

/** A change set of texts, outside any repository. */
export function textChanges(root: string, files: readonly SourceFile[], mode: ChangeSet['mode'] = 'staged'): ChangeSet {
  return { root, mode, base: null, git: null, files, skipped: [], notes: [] };
}
