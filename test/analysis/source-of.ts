import type { Language, SourceFile } from '../../src/changes.ts';

/** A file whose whole text is new; its text is given to the analyzer beside it. */
export function sourceOf(path: string, language: Language, text?: string): SourceFile {
  return {
    path,
    absolutePath: `/nowhere/${path}`,
    language,
    bytes: text?.length ?? 0,
    status: 'added',
    changed: 'all',
    ...(text === undefined ? {} : { text }),
  };
}
