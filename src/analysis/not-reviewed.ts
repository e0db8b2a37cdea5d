import type { Language } from '../changes.ts';

/** Folders of other people's code or of build results, by names that mean nothing else. `build` is not one of them. */
const VENDORED = new Set([
  'node_modules',
  'bower_components',
  'jspm_packages',
  'vendor',
  'third_party',
  'third-party',
  'site-packages',
  'dist',
  '.git',
  '.yarn',
  '.venv',
  'venv',
  '.tox',
  '__pycache__',
]);

const GENERATED_NAMES = new Set([
  'package-lock.json',
  'npm-shrinkwrap.json',
  'yarn.lock',
  'pnpm-lock.yaml',
  'bun.lock',
  'deno.lock',
  'cargo.lock',
  'poetry.lock',
  'pipfile.lock',
  'pdm.lock',
  'uv.lock',
  'composer.lock',
  'gemfile.lock',
  'flake.lock',
  'go.sum',
]);
const GENERATED_SUFFIX =
  /(?:\.min\.(?:js|mjs|cjs|css)|\.(?:js|mjs|cjs|css|ts)\.map|_pb2(?:_grpc)?\.pyi?|[._]pb\.(?:js|ts|go)|\.snap)$/iu;

/** A marker counts in a comment only: code that deals with markers is not generated. */
const MARKER =
  /^\s*(?:\/\/|\/?\*|#|<!--|--|;|"""|''').*(?:@generated\b|\bDO NOT EDIT\b|\bauto-?generated (?:file|by|from|code)\b)/iu;
const MARKER_LINES = 20;

/** Average line lengths from which on a text was written by a program, and the size below which nobody cares. */
const LONG_LINES: Readonly<Record<'code' | 'text', number>> = { code: 300, text: 2000 };
const LONG_LINES_MIN_BYTES = 5000;

/** Whether a folder holds code that is not the project's own. */
export function isVendoredFolder(name: string): boolean {
  return VENDORED.has(name.toLowerCase());
}

/** Whether a `/`-separated path lies below a vendored folder. */
export function isVendored(path: string): boolean {
  return path.split('/').slice(0, -1).some(isVendoredFolder);
}

/** Whether a file's name alone says that a program wrote it: lock files, minified code, source maps, snapshots. */
export function isGeneratedName(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase();
  return GENERATED_NAMES.has(name) || GENERATED_SUFFIX.test(name);
}

/** Whether a text says that it is generated (a marker in a comment of its first 20 lines) or is minified. */
export function isGeneratedText(text: string, language: Language): boolean {
  const head = text.slice(0, 4096).split('\n', MARKER_LINES);
  if (head.some((line) => MARKER.test(line.slice(0, 500)))) return true;
  if (text.length < LONG_LINES_MIN_BYTES) return false;
  let lines = 1;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines += 1;
  return text.length / lines > LONG_LINES[language === 'text' ? 'text' : 'code'];
}
