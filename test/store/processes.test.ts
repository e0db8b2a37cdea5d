import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../../src/store/open-database.ts';
import { textOf } from '../../src/store/row.ts';
import { bundleWorker, hasProgram, start, testRuntime, useScratch } from './scratch.ts';

const scratch = useScratch();
let worker: Awaited<ReturnType<typeof bundleWorker>>;

beforeAll(async () => {
  worker = await bundleWorker();
});
afterAll(() => worker.remove());

async function stored(path: string): Promise<{ integrity: string; runs: Set<string>; events: number; orphans: number }> {
  await using db = await openDatabase(path, { runtime: testRuntime() });
  const runs = await db.all('SELECT id FROM run');
  const events = await db.all('SELECT run_id FROM event');
  const orphans = await db.all('SELECT id FROM run WHERE NOT EXISTS (SELECT 1 FROM event WHERE run_id = run.id)');
  return {
    integrity: await db.integrity(),
    runs: new Set(runs.map((row) => textOf(row, 'id'))),
    events: events.length,
    orphans: orphans.length,
  };
}

describe('several processes on one file', () => {
  test('4 × 500 writes that create the file together: none lost, no errors', async () => {
    const path = join(await scratch.folder(), 'a/b/skillflow.db');
    const outcomes = await Promise.all(
      ['a', 'b', 'c', 'd'].map((name) => start(process.execPath, [worker.path, path, name, '500'])),
    );
    for (const { code, stderr, lines } of outcomes) {
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(lines).toHaveLength(500);
      expect(lines.filter((line) => line.startsWith('error'))).toEqual([]);
    }
    const { integrity, runs, events } = await stored(path);
    expect({ integrity, runs: runs.size, events }).toEqual({ integrity: 'ok', runs: 2000, events: 2000 });
  });

  test('kill -9 during writes, five times: every acknowledged write is there, every write is whole', async () => {
    const path = join(await scratch.folder(), 'skillflow.db');
    const acknowledged: string[] = [];
    for (const [round, after] of [1, 40, 90, 150, 220].entries()) {
      const { lines, stderr } = await start(process.execPath, [worker.path, path, `r${round}`, '100000'], (count, kill) => {
        if (count >= after) kill();
      });
      expect(stderr).toBe('');
      acknowledged.push(...lines);
      const { integrity, runs, events, orphans } = await stored(path);
      expect({ integrity, orphans }).toEqual({ integrity: 'ok', orphans: 0 });
      expect(acknowledged.filter((id) => !runs.has(id))).toEqual([]);
      expect(events).toBe(runs.size);
    }
    expect(acknowledged.length).toBeGreaterThan(400);
  });
});

describe('a limit on what the process may write', () => {
  test.skipIf(process.platform === 'win32' || !hasProgram('bash'))('is a StorageError; nothing half written', async () => {
    const path = join(await scratch.folder(), 'skillflow.db');
    const limited = ['-c', 'ulimit -f 600; exec "$0" "$@"', process.execPath, worker.path, path, 'a', '200', '20000'];
    const { lines, code, stderr } = await start('bash', limited);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const last = lines.at(-1) ?? '';
    expect(last).toMatch(/^error .*"code":"storage"/);
    expect(last).toMatch(/"hint":"The disk (?:is full|failed or is full)/);
    const written = lines.slice(0, -1);
    expect(written.length).toBeGreaterThan(0);
    const { integrity, runs, events } = await stored(path);
    expect(integrity).toBe('ok');
    expect([...runs].sort()).toEqual([...written].sort());
    expect(events).toBe(runs.size);
  });

  test.skipIf(process.platform === 'win32' || !hasProgram('bash'))('too low to create the database: a StorageError', async () => {
    const path = join(await scratch.folder(), 'skillflow.db');
    const limited = ['-c', 'ulimit -f 8; exec "$0" "$@"', process.execPath, worker.path, path, 'a', '1'];
    const { lines } = await start('bash', limited);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^error .*"code":"storage"/);
    expect(readdirSync(dirname(path))).toEqual([]);
    expect(await stored(path)).toMatchObject({ integrity: 'ok', events: 0 });
  });
});
