import type { Language } from '../changes.ts';

const LANGUAGES: Readonly<Record<string, Language>> = {
  js: 'javascript',
  mjs: 'javascript',
  cjs: 'javascript',
  jsx: 'jsx',
  ts: 'typescript',
  mts: 'typescript',
  cts: 'typescript',
  tsx: 'tsx',
  py: 'python',
  pyi: 'python',
  pyw: 'python',
};

/** The language by the file name's last extension, in any case; `text` for all that analyzers do not parse. */
export function languageOf(path: string): Language {
  const extension = /\.(?<extension>[^./]+)$/u.exec(path)?.groups?.['extension'];
  return (extension === undefined ? undefined : LANGUAGES[extension.toLowerCase()]) ?? 'text';
}

/** Languages that share a syntax, so that code can be compared between them. */
export type LanguageFamily = 'javascript' | 'python';

/** The family of a language; `null` for plain text. */
export function familyOf(language: Language): LanguageFamily | null {
  if (language === 'text') return null;
  return language === 'python' ? 'python' : 'javascript';
}
