import { readFile } from 'node:fs/promises';
import type { SourceFile } from '../changes.ts';
import type { Finding } from '../finding.ts';
import { type ComplexityReport, functionComplexity } from './complexity.ts';
import { type ExportReport, exportedNames } from './exports.ts';
import { fileAnalyzers } from './file-analyzers.ts';
import { type References, referencesIn } from './references.ts';
import { type Tokens, tokenize } from './tokens.ts';
import { winnow } from './winnow.ts';

/** Tokens and their fingerprints (see `winnow`). */
export interface Fingerprinted extends Tokens {
  readonly prints: Uint32Array;
}

/** Work on one text that a worker can do: what it is told beside the text, and what it answers. All plain data. */
export interface FileTasks {
  findings: { input: { readonly capability: string }; output: readonly Finding[] };
  complexity: { input: null; output: ComplexityReport };
  fingerprints: { input: null; output: Fingerprinted };
  exports: { input: null; output: ExportReport };
  references: { input: { readonly names: readonly string[] }; output: References };
}
export type FileTaskName = keyof FileTasks;

const TASKS: {
  readonly [K in FileTaskName]: (input: FileTasks[K]['input'], file: SourceFile, text: string) => FileTasks[K]['output'];
} = {
  findings: ({ capability }, file, text) => {
    const analyzer = fileAnalyzers.find((each) => each.capability === capability);
    return analyzer === undefined ? [] : analyzer.analyze({ file, text });
  },
  complexity: (_input, file, text) => functionComplexity(file.language, text),
  fingerprints: (_input, file, text) => {
    const tokens = tokenize(file.language, text);
    return { ...tokens, prints: winnow(tokens.hashes) };
  },
  exports: (_input, file, text) => exportedNames(file.language, text),
  references: ({ names }, file, text) => referencesIn(file.language, text, names),
};

/** What came of one file: a value, or why there is none. */
export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

/** The text under review. */
export async function readText(file: SourceFile): Promise<string> {
  return file.text ?? (await readFile(file.absolutePath, 'utf8'));
}

/** Does a task for one file. Never rejects: a file that cannot be read and a task that throws are outcomes. */
export async function runFileTask<K extends FileTaskName>(
  task: K,
  input: FileTasks[K]['input'],
  file: SourceFile,
): Promise<Outcome<FileTasks[K]['output']>> {
  try {
    return { ok: true, value: TASKS[task](input, file, await readText(file)) };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
