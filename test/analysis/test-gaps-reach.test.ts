import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAnalysis } from '../../src/analysis/pool.ts';
import type { TreeResult } from '../../src/analysis/analyzer.ts';
import { collectChanges } from '../../src/analysis/collect.ts';
import type { Finding } from '../../src/finding.ts';
import { createRuntime } from '../../src/runtime.ts';
import { createTempProject, type TempProject } from './temp-project.ts';

const runtime = createRuntime('silent');
const { signal } = new AbortController();
let project: TempProject;
beforeEach(() => {
  project = createTempProject();
});
afterEach(() => project.remove());

/** Commits the files, then changes those of `changed`: in each a 1 becomes a 2. */
function change(files: Readonly<Record<string, string>>, changed: readonly string[]): void {
  for (const [path, text] of Object.entries(files)) project.write(path, `${text}\n`);
  project.commit();
  for (const path of changed) project.write(path, `${files[path]?.replace('1', '2') ?? ''}\n`);
}
async function gaps(): Promise<TreeResult> {
  await using analysis = createAnalysis({ runtime });
  return await analysis.analyze('test-gaps', await collectChanges({}, { root: project.root, runtime }), { signal });
}
const brief = ({ findings }: TreeResult): string[] =>
  findings.map((each) => `${each.severity} ${each.rule.replace('test-gaps/', '')} ${each.file}`);

const fn = (name: string): string => `export function ${name}() { return 1; }`;

describe('what tests reach through other modules', () => {
  it('in JavaScript and TypeScript', async () => {
    change(
      {
        'src/outer.ts': `export * from './inner.js';\n${fn('outer')}`,
        'src/inner.ts': `import type { Other } from './other.ts';\n${fn('innerThing')}`,
        'src/other.ts': `${fn('otherThing')}\nexport type Other = 1;`,
        'src/outer.test.js': "const { outer } = require('./outer');",
      },
      ['src/inner.ts', 'src/other.ts'],
    );
    const result = await gaps();
    expect(brief(result)).toEqual(['info tests-unchanged src/inner.ts', 'medium untested-change src/other.ts']);
    expect(result.findings[0]?.evidence).toBe(
      'changed: innerThing; tested through others only, none of which changed, nor any test: src/outer.test.js → src/outer.ts → src/inner.ts',
    );
  });
  it('in Python', async () => {
    change(
      {
        'pkg/__init__.py': '',
        'pkg/outer.py': 'from . import inner\n\ndef outer():\n    return 1',
        'pkg/inner.py': 'def inner_thing():\n    return 1',
        'pkg/other.py': 'def other_thing():\n    return 1',
        'tests/test_all.py': 'from pkg.outer import outer',
      },
      ['pkg/inner.py', 'pkg/other.py'],
    );
    const result = await gaps();
    expect(brief(result)).toEqual(['info tests-unchanged pkg/inner.py', 'medium untested-change pkg/other.py']);
    expect(result.findings[0]?.evidence).toContain('tests/test_all.py → pkg/outer.py → pkg/inner.py');
  });
  it('in packages of the project, by programs that tests start, through helpers and components', async () => {
    change(
      {
        'packages/core/package.json': '{ "name": "@scope/core", "main": "dist/entry.js" }',
        'packages/core/src/entry.ts': fn('coreThing'),
        'packages/web/src/cli.ts': "import { coreThing } from '@scope/core';",
        'packages/web/src/View.vue': "<script>\nimport './shown';\n</script>",
        'packages/web/src/shown.ts': fn('shownThing'),
        'packages/web/test/helpers/start.ts': "export const BIN = join(here, '..', 'dist', 'cli.cjs');",
        'packages/web/test/view.test.ts': "import './helpers/start.ts';\nimport View from '../src/View.vue';",
      },
      ['packages/core/src/entry.ts', 'packages/web/src/shown.ts'],
    );
    const { findings } = await gaps();
    expect(findings.map((finding) => finding.evidence.slice(finding.evidence.indexOf('test: ') + 6))).toEqual([
      'packages/web/test/view.test.ts → packages/web/test/helpers/start.ts → packages/web/src/cli.ts → packages/core/src/entry.ts',
      'packages/web/test/view.test.ts → packages/web/src/View.vue → packages/web/src/shown.ts',
    ]);
  });
});

it('says when there are more files than it reads, and is less sure then', async () => {
  const many = Array.from({ length: 3001 }, (_, i) => [`test/n${i}.test.ts`, ''] as const);
  change({ ...Object.fromEntries(many), 'src/a.ts': fn('lonelyThing') }, ['src/a.ts']);
  const { findings, notes, stats } = await gaps();
  expect([stats['tests'], findings[0]?.severity, findings[0]?.confidence]).toEqual([3000, 'medium', 'low']);
  expect(notes).toMatchObject([{ code: 'tests_bounded', count: 1 }]);
});

describe('what is said of files that tests reach through others', () => {
  const files = {
    'src/a.ts': `import './b.ts';\n${fn('firstThing')}`,
    'src/b.ts': `import './c.ts';\nimport './a.ts';\n${fn('secondThing')}`,
    'src/c.ts': fn('thirdThing'),
    'test/a.test.ts': "import '../src/a.ts';\n// 1",
  };

  it.each([
    ['nothing on the way and no test changed', ['src/c.ts'], ['info tests-unchanged src/c.ts']],
    ['a file on the way changed', ['src/b.ts', 'src/c.ts'], ['info tests-unchanged src/b.ts']],
    ['the way leads over the file itself', ['src/b.ts'], ['info tests-unchanged src/b.ts']],
    ['the first file changed: its tests are its own', ['src/a.ts', 'src/c.ts'], ['low tests-unchanged src/a.ts']],
    ['a test changed', ['src/c.ts', 'test/a.test.ts'], []],
  ])('%s', async (_when, changed, expected) => {
    change(files, changed);
    expect(brief(await gaps())).toEqual(expected);
  });

  it('is nothing where a test names what changed', async () => {
    change({ ...files, 'test/a.test.ts': "import { thirdThing } from '../src/a.ts';" }, ['src/c.ts']);
    expect(brief(await gaps())).toEqual([]);
  });
});

describe('what a test by its name tells', () => {
  const untested = ['medium untested-change src/one/parse.ts'];
  it.each([
    ['a file of this name that it imports', { 'test/parse.test.ts': "import '../src/two/parse.ts';" }, untested],
    ['another place', { 'test/two/parse.test.ts': "import '../../src/other.ts';" }, untested],
    ['the like place', { 'test/one/parse.test.ts': "import '../../src/other.ts';" }, ['low tests-unchanged src/one/parse.ts']],
    ['nothing of the project', { 'test/parse.test.ts': "import 'vitest';" }, ['low tests-unchanged src/one/parse.ts']],
  ])('when it means %s', async (_what, test, expected) => {
    const sources = { 'src/one/parse.ts': fn('parseOne'), 'src/two/parse.ts': fn('parseTwo'), 'src/other.ts': fn('other') };
    change({ ...sources, ...test }, ['src/one/parse.ts']);
    expect(brief(await gaps())).toEqual(expected);
  });
});

describe('files that need no test of their own', () => {
  const tested = { 'src/tested.ts': fn('tested'), 'test/tested.test.ts': "import '../src/tested.ts';" };

  it('are passed over', async () => {
    const passed = {
      'src/types.ts': 'export interface A { one: 1 }',
      'src/table.js': 'module.exports = [{ a: 1 }];',
      'src/limits.py': 'LIMIT = 1',
      'vite.config.ts': 'export default defineConfig(() => ({ a: 1 }));',
    };
    change({ ...tested, ...passed }, Object.keys(passed));
    expect(brief(await gaps())).toEqual([]);
  });
  it('and less so where nothing can be called from outside', async () => {
    change({ ...tested, 'src/x.ts': 'run(1);', 'src/y.py': 'for i in range(1):\n    print(i)' }, ['src/x.ts', 'src/y.py']);
    expect(brief(await gaps())).toEqual(['low untested-change src/x.ts', 'low untested-change src/y.py']);
  });

  it('tells scripts from the product', async () => {
    const scripts = {
      '.ci/step.js': fn('stepIt'),
      'bench/speed.ts': fn('speedIt'),
      'release.mjs': fn('releaseIt'),
      'tools/gen.py': 'def gen_it():\n    return 1',
    };
    change({ ...tested, ...scripts }, Object.keys(scripts));
    const result = await gaps();
    expect(brief(result)).toEqual(Object.keys(scripts).map((path) => `info untested-change ${path}`));
    expect(result.findings[0]?.message).toMatch(/outside the source folders, and no source imports it\.$/u);
  });
  it('takes what a source imports for a source, wherever it lies, and Python packages and tested folders for source folders', async () => {
    change(
      {
        ...tested,
        'src/lonely.ts': "import '../scripts/shared.ts';\nexport const a = 1;",
        'scripts/shared.ts': fn('sharedThing'),
        'handlers/one.ts': fn('handlerOne'),
        'handlers/two.ts': fn('handlerTwo'),
        'test/one.test.ts': "import '../handlers/one.ts';",
        'pkg/__init__.py': '',
        'pkg/mod.py': 'def mod_thing():\n    return 1',
      },
      ['scripts/shared.ts', 'handlers/two.ts', 'pkg/mod.py'],
    );
    expect(brief(await gaps())).toEqual([
      'medium untested-change handlers/two.ts',
      'medium untested-change pkg/mod.py',
      'medium untested-change scripts/shared.ts',
    ]);
  });
});

describe('the examiner', () => {
  it('abstains where tests reach a hotspot through others, with the way, and confirms where none does', async () => {
    change(
      {
        'src/a.ts': "import './b.ts';",
        'src/b.ts': fn('b'),
        'src/c.ts': fn('c'),
        'test/a.test.ts': "import '../src/a.ts';",
        'package.json': '{ broken',
      },
      [],
    );
    const changes = await collectChanges({ tree: true }, { root: project.root, runtime });
    const finding = (file: string): Finding => ({
      id: file,
      rule: 'hotspots/x',
      severity: 'low',
      confidence: 'low',
      capability: 'hotspots',
      file,
      range: { startLine: 1, startColumn: 1, endLine: 1, endColumn: 2 },
      message: '',
      evidence: '',
    });
    await using analysis = createAnalysis({ runtime });
    const votes = await analysis.examine('test-gaps', [finding('src/b.ts'), finding('src/c.ts')], changes, { signal });
    expect(votes).toMatchObject([
      { vote: 'abstain', reason: 'tests reach it through other files: test/a.test.ts → src/a.ts → src/b.ts' },
      { vote: 'confirm', reason: 'no test catches a mistake here: none of 1 test file reaches the file' },
    ]);
  });
});
