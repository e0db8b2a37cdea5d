import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAnalysis } from '../../src/analysis/pool.ts';
import type { TreeResult } from '../../src/analysis/analyzer.ts';
import { collectChanges } from '../../src/analysis/collect.ts';
import { tokenize } from '../../src/analysis/tokens.ts';
import { GUARANTEED_TOKENS, winnow } from '../../src/analysis/winnow.ts';
import type { ChangeSet, Selection } from '../../src/changes.ts';
import { createRuntime } from '../../src/runtime.ts';
import { textChanges, textFile } from './source-file.ts';
import { createTempProject, type TempProject } from './temp-project.ts';

const runtime = createRuntime('silent');
const { signal } = new AbortController();
let project: TempProject;
beforeEach(() => {
  project = createTempProject();
});
afterEach(() => project.remove());

async function analyze(changes: ChangeSet): Promise<TreeResult> {
  await using analysis = createAnalysis({ runtime });
  return await analysis.analyze('clones', changes, { signal });
}
async function clones(selection: Selection): Promise<TreeResult> {
  return analyze(await collectChanges(selection, { root: project.root, runtime }));
}
const BODY = `export function total(items) {
  let sum = 0;
  for (const item of items) {
    if (item.price > 10 && item.kind === 'book') {
      sum += item.price * item.count;
    } else if (item.kind === 'pen') {
      sum += item.price / 2;
    }
  }
  return Math.round(sum * 100) / 100;
}
`;
const places = (result: TreeResult): string[] =>
  result.findings.map((finding) =>
    [finding, ...(finding.related ?? [])].map((at) => `${at.file}:${at.range.startLine}-${at.range.endLine}`).join(' '),
  );

describe('clones', () => {
  it('reports each class of copies once, at the changed copy', async () => {
    project.write('src/a.ts', `import { x } from './x';\n\n${BODY}`);
    project.write('src/z/c.ts', `/* licence */\nconst other = 1;\n${BODY.replace("'book'", '"BOOK"')}const end = other;\n`);
    project.commit();
    project.write('src/b.ts', `// new\n${BODY.replaceAll('  ', '\t')}`);
    const result = await clones({});
    expect(places(result)).toEqual(['src/b.ts:2-12 src/a.ts:3-13 src/z/c.ts:3-13']);
    expect(result.findings[0]).toMatchObject({ rule: 'clones/duplicate-code', severity: 'low', confidence: 'high' });
    expect(result.findings[0]?.evidence).toMatch(/equal tokens on 11 lines; also at src\/a\.ts:3-13/u);
    const [again] = (await clones({})).findings;
    expect(again).toEqual(result.findings[0]);
    project.write('src/b.ts', `// new\n\n\n${BODY.replaceAll('  ', '\t')}`);
    expect((await clones({})).findings[0]?.id).toBe(again?.id);
  });
  it('stays silent when no changed line lies in a copy', async () => {
    project.write('a.ts', BODY);
    project.write('b.ts', BODY);
    project.commit();
    project.write('b.ts', `${BODY}const more = 1;\n`);
    expect((await clones({})).findings).toEqual([]);
    expect(places(await clones({ tree: true }))).toEqual(['a.ts:1-11 b.ts:1-11']);
  });
  it('finds two copies in one file', async () => {
    const result = await analyze(textChanges(project.root, [textFile('a.py', pythonBody('f') + pythonBody('f'))]));
    expect(places(result)).toEqual(['a.py:1-10 a.py:11-20']);
  });
  it('leaves out tables, imports, short code and other languages', async () => {
    const table = Array.from({ length: 80 }, (_, i) => `  { id: ${i}, name: 'n${i}', on: true },`).join('\n');
    const imports = Array.from({ length: 40 }, (_, i) => `import { a${i}, b${i} } from './m${i}';`).join('\n');
    const pyImports = `from a import (\n${Array.from({ length: 60 }, (_, i) => `  n${i},`).join('\n')}\n)\nimport b, c\n`;
    const result = await analyze(
      textChanges(project.root, [
        textFile('t1.ts', `export const t = [\n${table}\n];\n`),
        textFile('t2.ts', `export const u = [\n${table}\n];\n`),
        textFile('i1.ts', imports),
        textFile('i2.ts', imports),
        textFile('p1.py', pyImports),
        textFile('p2.py', pyImports),
        textFile('one-line-1.ts', BODY.replaceAll('\n', ' ')),
        textFile('one-line-2.ts', BODY.replaceAll('\n', ' ')),
        textFile('x.txt', BODY),
        textFile('y.txt', BODY),
      ]),
    );
    expect(result.findings).toEqual([]);
  });
  it('rates by size, tests as information', async () => {
    const long = [1, 2, 3].map((n) => BODY.replace('total', `total${n}`)).join('');
    const result = await analyze(
      textChanges(project.root, [
        textFile('a.ts', long),
        textFile('b.ts', long),
        textFile('t/a.test.ts', pad(BODY)),
        textFile('t/b.test.ts', pad(BODY)),
      ]),
    );
    expect(result.findings.map((finding) => [finding.file, finding.severity])).toContainEqual(['a.ts', 'medium']);
  });
  it('is linear on hostile text', async () => {
    const lines = (unit: string): string => `${unit}\n`.repeat(Math.floor(400_000 / (unit.length + 1)));
    const hostile = ['/*', '`\\`', '"\\', "'''", '/[', 'f(', 'if (a) { b(); }', '"""', '\\"'].map((unit) => lines(unit));
    const started = performance.now();
    const files = hostile.flatMap((text, i) => [textFile(`h${i}.ts`, text), textFile(`h${i}.py`, text)]);
    files.push(
      textFile('line.js', `x = ${'/['.repeat(100_000)}`),
      textFile('quote.js', '\\"'.repeat(100_000)),
      textFile('c.js', '/* '.repeat(100_000)),
    );
    await analyze(textChanges(project.root, files));
    expect(performance.now() - started).toBeLessThan(15_000);
  });
});

function pad(text: string): string {
  return `const own = 1;\n${text.replaceAll('item', 'thing')}`;
}
function pythonBody(name: string): string {
  return `def ${name}(items):\n    total = 0\n    for item in items:\n        if item.price > 10 and item.kind == 'book':\n            total += item.price * item.count\n        elif item.kind == 'pen':\n            total += item.price / 2\n        else:\n            log(item, total, name=item.name)\n    return round(total * 100) / 100\n`;
}

describe('tokens', () => {
  it('drops comments and layout and keeps lines', () => {
    const tokens = tokenize('typescript', "// c\na = /[/]'/.test(b) // d\n/* e\n*/ + 'x' + `y${1}`;\n");
    expect([...tokens.lines]).toEqual([2, 2, 2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4]);
    expect(tokenize('text', 'a b c').hashes.length).toBe(0);
    expect(tokenize('typescript', 'a="x"').hashes).toEqual(tokenize('typescript', "a = 'y'").hashes);
  });
  it('keeps dynamic imports', () => {
    expect(tokenize('typescript', "import('a')").hashes.length).toBe(4);
    expect(tokenize('typescript', "import a from 'a';\nimport 'b'\nx").hashes.length).toBe(1);
  });
});

describe('winnow', () => {
  it('shares a fingerprint wherever 50 tokens are equal', () => {
    const token = fc.integer({ min: 0, max: 0xffff_ffff });
    const check = (): void =>
      fc.assert(
        fc.property(
          fc.array(token, { minLength: GUARANTEED_TOKENS, maxLength: 120 }),
          fc.array(token, { maxLength: 80 }),
          fc.array(token, { maxLength: 80 }),
          (shared, before, after) => {
            const hashes = (tokens: number[]): Set<number> =>
              new Set(winnow(Uint32Array.from(tokens)).filter((_, i) => i % 2 === 0));
            const left = hashes([...before, ...shared]);
            const right = hashes([...shared, ...after]);
            return [...left].some((hash) => right.has(hash));
          },
        ),
        { seed: 7, numRuns: 200 },
      );
    expect(check).not.toThrow();
  });
});
