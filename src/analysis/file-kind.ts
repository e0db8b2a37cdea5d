/** What a file is for, as far as its path tells. */
export type FileKind = 'test' | 'fixture' | 'benchmark' | 'example' | 'documentation' | 'source';

const KINDS: readonly (readonly [kind: FileKind, path: RegExp])[] = [
  ['fixture', /(?:^|\/)(?:__fixtures__|fixtures?|testdata|test-data|__mocks__|mocks?|__snapshots__|cassettes)\//iu],
  ['benchmark', /(?:^|\/)(?:bench|benches|benchmarks?|perf)\/|[._-]bench(?:mark)?\.[cm]?[jt]sx?$/iu],
  [
    'test',
    /(?:^|\/)(?:__tests__|tests?|specs?|e2e|cypress|playwright)\/|[._](?:test|spec|tests|cy|e2e)\.[cm]?[jt]sx?$|(?:^|\/)(?:test_[^/]+|[^/]+_tests?|conftest)\.py$/iu,
  ],
  [
    'example',
    /(?:^|\/)(?:examples?|samples?|demos?|tutorials?|playground|sandbox)\/|(?:^|\/)\.env\.(?:example|sample|template|dist)$|\.(?:example|sample|template|tmpl)$/iu,
  ],
  ['documentation', /(?:^|\/)docs?\/|\.(?:md|mdx|rst|adoc|txt)$|(?:^|\/)(?:readme|changelog|contributing|license)[^/]*$/iu],
];

/** What a file is for; `source` where its path says nothing else. */
export function fileKind(path: string): FileKind {
  return KINDS.find(([, pattern]) => pattern.test(path))?.[0] ?? 'source';
}

/** The kind as part of a sentence: «a test», «an example». */
export function describeKind(kind: FileKind): string {
  if (kind === 'source') return 'production code';
  if (kind === 'documentation') return 'documentation';
  return `${/^[aeiou]/u.test(kind) ? 'an' : 'a'} ${kind}`;
}
