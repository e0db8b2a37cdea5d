import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAnalysis } from '../../src/analysis/pool.ts';
import type { TreeResult } from '../../src/analysis/analyzer.ts';
import { createFileRunner } from '../../src/analysis/file-runner.ts';
import { batchRanges } from '../../src/analysis/worker-threads.ts';
import { findingId } from '../../src/analysis/finding-id.ts';
import { parseSource } from '../../src/analysis/syntax.ts';
import { touchesChange } from '../../src/analysis/touches-change.ts';
import { CancelledError, NotSupportedError, UnavailableError } from '../../src/errors.ts';
import { createRuntime } from '../../src/runtime.ts';
import { textChanges, textFile } from './source-file.ts';

const runtime = createRuntime('silent');
const { signal } = new AbortController();
let folder: string;
let workerUrl: URL;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'skillflow-worker-'));
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
  const outfile = join(folder, 'analysis-worker.mjs');
  await build({
    entryPoints: ['src/analysis/worker.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'silent',
  });
  workerUrl = pathToFileURL(outfile);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Files large enough to be sent to workers, some of them copies of each other. */
function manyFiles(count: number): ReturnType<typeof textFile>[] {
  return Array.from({ length: count }, (_, i) => {
    const fn = (name: string, seed: number): string =>
      `export function ${name}(list: number[]) {\n${Array.from({ length: 45 }, (_, k) => `  if (list[${k}] === ${seed}) return name${(k * 7 + seed) % 97}(list, 'x');`).join('\n')}\n}\n`;
    return textFile(`src/f${i}.${i % 5 === 0 ? 'tsx' : 'ts'}`, fn(`one${i}`, i) + fn(`two${i % 10}`, i % 10));
  });
}

/** A worker module that does what `body` says; `request` is the batch. */
function workerOf(name: string, body: string): URL {
  const path = join(folder, name);
  writeFileSync(path, `export default async function (request) {\n${body}\n}\n`);
  return pathToFileURL(path);
}

describe('the pool', () => {
  it('gives the same answers in this thread and with 1 or 2 others', async () => {
    const changes = textChanges(folder, manyFiles(60), 'tree');
    const results: TreeResult[][] = [];
    for (const deps of [{ workerUrl: null }, { workerUrl, threads: 1 }, { workerUrl, threads: 2 }]) {
      await using analysis = createAnalysis({ runtime, ...deps });
      results.push(
        await Promise.all(['hotspots', 'clones'].map((capability) => analysis.analyze(capability, changes, { signal }))),
      );
    }
    const [inline, ...pooled] = results;
    expect(inline?.[0]?.findings.length).toBe(120);
    expect(inline?.[1]?.findings.length).toBeGreaterThan(5);
    for (const result of pooled) expect(result).toEqual(inline);
  });
  it('loses only the file that kills its worker', async () => {
    const url = workerOf(
      'deadly.mjs',
      "if (request.files.some((file) => file.path === 'src/f7.ts')) process.exit(3);\nreturn request.files.map((file) => ({ ok: true, value: file.path }));",
    );
    await using runner = createFileRunner({ runtime, workerUrl: url, threads: 2 });
    const files = manyFiles(60);
    const outcomes = await runner.run('complexity', null, files, { signal });
    expect(outcomes.length).toBe(60);
    expect(outcomes.flatMap((outcome, i) => (outcome.ok ? [] : [files[i]?.path]))).toEqual(['src/f7.ts']);
    expect(outcomes[7]).toMatchObject({ ok: false, reason: expect.stringContaining('worker died') });
    expect(outcomes[8]).toEqual({ ok: true, value: 'src/f8.ts' });
  });
  it('survives a worker that runs out of memory', async () => {
    const url = workerOf(
      'greedy.mjs',
      "if (request.files.some((file) => file.path === 'src/f3.ts')) { const all = []; for (;;) all.push(new Array(1e6).fill(1.5)); }\nreturn request.files.map((file) => ({ ok: true, value: file.path }));",
    );
    await using runner = createFileRunner({ runtime, workerUrl: url, threads: 1 });
    const outcomes = await runner.run('complexity', null, manyFiles(60), { signal });
    expect(outcomes.filter((outcome) => !outcome.ok).length).toBe(1);
  });
  it('says that no worker runs', async () => {
    await using runner = createFileRunner({ runtime, workerUrl: pathToFileURL(join(folder, 'missing.mjs')), threads: 2 });
    await expect(runner.run('complexity', null, manyFiles(60), { signal })).rejects.toBeInstanceOf(UnavailableError);
  });
  it('stops within a second, in threads and in this one', async () => {
    const url = workerOf('endless.mjs', 'for (;;);');
    const files = manyFiles(2000);
    for (const deps of [{ workerUrl: url }, { workerUrl: null }]) {
      await using runner = createFileRunner({ runtime, threads: 2, ...deps });
      const controller = new AbortController();
      const running = runner.run('complexity', null, files, { signal: controller.signal });
      const timer = setTimeout(() => controller.abort(), 300);
      await expect(running).rejects.toBeInstanceOf(CancelledError);
      clearTimeout(timer);
    }
    await using analysis = createAnalysis({ runtime });
    await expect(analysis.analyze('clones', textChanges(folder, []), { signal: AbortSignal.abort() })).rejects.toBeInstanceOf(
      CancelledError,
    );
  });
  it('leaves no thread behind', async () => {
    const before = process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length;
    {
      await using runner = createFileRunner({ runtime, workerUrl, threads: 2 });
      await runner.run('fingerprints', null, manyFiles(60), { signal });
    }
    await new Promise((done) => setTimeout(done, 100));
    expect(process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length).toBeLessThanOrEqual(before);
  });
  it('turns files that cannot be read into notes', async () => {
    const { text: _text, ...gone } = textFile('gone.ts', 'x');
    await using analysis = createAnalysis({ runtime });
    const changes = textChanges(folder, [gone, textFile('here.ts', 'const a = 1;')], 'tree');
    const { notes, stats } = await analysis.analyze('clones', changes, { signal });
    expect(notes).toEqual([{ code: 'analyzer_failed', message: expect.stringContaining('gone.ts: ENOENT'), count: 1 }]);
    expect(stats['files']).toBe(2);
    const failed = textChanges(
      folder,
      Array.from({ length: 30 }, (_, i) => ({ ...gone, path: `g${i}.ts` })),
      'tree',
    );
    const many = await analysis.analyze('clones', failed, { signal });
    expect([many.notes.length, many.notes.at(-1)?.count]).toEqual([21, 10]);
  });
  it('refuses unknown capabilities, naming those it has', async () => {
    await using analysis = createAnalysis({ runtime });
    const changes = textChanges(folder, []);
    await expect(analysis.analyze('nope', changes, { signal })).rejects.toBeInstanceOf(NotSupportedError);
    await expect(analysis.examine('nope', [], changes, { signal })).rejects.toMatchObject({
      hint: expect.stringContaining('hotspots'),
    });
    expect(analysis.capabilities()).toEqual(['clones', 'code-context', 'hotspots', 'secrets', 'security-patterns', 'test-gaps']);
    expect(analysis.can('code-context')).toEqual({ analyze: false, examine: true });
    expect(analysis.can('clones')).toEqual({ analyze: true, examine: false });
    expect(analysis.can('nope')).toEqual({ analyze: false, examine: false });
  });
});

describe('batches', () => {
  it('cover every file once, in order', () => {
    const files = manyFiles(50).map((file, i) => ({ ...file, bytes: i === 10 ? 900_000 : file.bytes }));
    const ranges = batchRanges(files);
    expect(ranges.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i))).toEqual(
      files.map((_, i) => i),
    );
    expect(Math.max(...ranges.map(({ from, to }) => to - from))).toBeLessThanOrEqual(16);
    expect(batchRanges([])).toEqual([]);
  });
});

describe('finding ids and ranges', () => {
  it('depend on rule, file, text and occurrence, not on layout', () => {
    const base = { rule: 'a/b', file: 'x.ts', anchor: 'foo( 1 )', occurrence: 0 };
    expect(findingId(base)).toMatch(/^f_[0-9a-f]{16}$/u);
    expect(findingId({ ...base, anchor: '  foo(\n\t1 )' })).toBe(findingId(base));
    const others = [{ rule: 'a/c' }, { file: 'y.ts' }, { anchor: 'bar' }, { occurrence: 1 }];
    expect(new Set([base, ...others.map((change) => ({ ...base, ...change }))].map(findingId)).size).toBe(5);
  });
  it('touch the change when a line is shared', () => {
    const range = (startLine: number, endLine: number, endColumn = 5): Parameters<typeof touchesChange>[0] => ({
      startLine,
      startColumn: 1,
      endLine,
      endColumn,
    });
    const changed = [{ start: 3, end: 4 }];
    expect(
      [range(1, 2), range(1, 3), range(4, 9), range(5, 5), range(1, 3, 1)].map((one) => touchesChange(one, changed)),
    ).toEqual([false, true, true, false, false]);
    expect([touchesChange(range(1, 1), 'all'), touchesChange(range(1, 1), [])]).toEqual([true, false]);
  });
});

describe('parsing', () => {
  it('knows its languages and says why there is no tree', () => {
    for (const language of ['javascript', 'jsx', 'typescript', 'tsx', 'python'] as const) {
      expect(parseSource(language, 'f(1)').tree?.root().find('f(1)')?.text()).toBe('f(1)');
    }
    expect(parseSource('text', 'x')).toEqual({ tree: null, reason: expect.stringContaining('plain text') });
  });
});
