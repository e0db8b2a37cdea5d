/** Not `a-spec.ts`: outside of a folder of tests that is as often a source about specifications. */
const TEST_NAME = /(?:^|\/)(?:[^/]+[._](?:test|spec|tests)\.[cm]?[jt]sx?|test_[^/]+\.py|[^/]+_tests?\.py|conftest\.py)$/iu;
const TEST_FOLDER = /(?:^|\/)(?:__tests__|tests?|specs?|e2e|__mocks__|fixtures|testdata)\//iu;

/** Whether a file's name says that a test runner starts it; `conftest.py` is one that it loads. */
export function isTestName(path: string): boolean {
  return TEST_NAME.test(path);
}

/** Whether a path belongs to the tests: a test by its name, or anything below a folder of tests (helpers, fixtures). */
export function isTestPath(path: string): boolean {
  return TEST_NAME.test(path) || TEST_FOLDER.test(path);
}

/** The name that a test file's name says it tests: `foo` for `foo.test.ts`, `test_foo.py`, `foo_test.py`; else `null`. */
export function testedName(path: string): string | null {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const match = /^(?:(?<js>.+?)[._-](?:test|spec|tests)\.[cm]?[jt]sx?|test_(?<py>.+)\.py|(?<suffixed>.+)_tests?\.py)$/iu.exec(
    name,
  )?.groups;
  return match?.['js'] ?? match?.['py'] ?? match?.['suffixed'] ?? null;
}
