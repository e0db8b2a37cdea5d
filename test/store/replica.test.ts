import { existsSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ForbiddenError, UnavailableError } from '../../src/errors.ts';
import type { Runtime } from '../../src/runtime.ts';
import type { Database, Queries } from '../../src/store/database.ts';
import { openRemoteDatabase } from '../../src/store/open-remote.ts';
import { openReplicaDatabase, type OpenReplicaOptions } from '../../src/store/open-replica.ts';
import { startFaultProxy, type Fault, type FaultProxy } from '../helpers/fault-proxy.ts';
import { createServerTemplate, type ServerTemplate } from '../helpers/server-template.ts';
import { hasSqld, startSqld, type Sqld } from '../helpers/sqld.ts';
import { testRuntime, useScratch } from './scratch.ts';

const insert = (queries: Queries, tool: string): Promise<unknown> =>
  queries.run("INSERT INTO call (at, tool, surface, ok, duration_ms) VALUES (1, ?, 'cli', 1, 0.5)", [tool]);
const tools = async (queries: Queries): Promise<readonly unknown[]> =>
  (await queries.all('SELECT tool FROM call ORDER BY id')).map((row) => row['tool']);

/** Milliseconds that a read waits for the server: the shortest wait for an answer, longer than the waits for anything else. */
const SHORTEST_LIMIT_MS = 250;

describe.skipIf(!hasSqld)('a local replica', () => {
  const scratch = useScratch();
  let template: ServerTemplate;
  let server: Sqld;
  let direct: Database;
  let path: string;
  let log: string[];
  let runtime: Runtime;
  /** Whether the server gets more time for its answers than in use: a loaded machine may need it. */
  let patient: boolean;
  const opened: Database[] = [];

  async function open(options: Partial<OpenReplicaOptions> = {}): Promise<Database> {
    const db = await openReplicaDatabase({ url: server.url, path, runtime, ...options });
    opened.push(db);
    return db;
  }

  async function until(what: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await what())) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  const caughtUp = (db: Database): Promise<void> => until(() => db.replica?.().behindOwnWrites === false);

  beforeAll(async () => {
    template = await createServerTemplate();
  });
  afterAll(() => template.remove());

  beforeEach(async () => {
    server = await startSqld({}, template.folder);
    path = join(await scratch.folder(), '.skillflow', 'replica.db');
    log = [];
    patient = true;
    const real = testRuntime({ log: (level, message) => void log.push(`${level}: ${message}`) });
    runtime = { ...real, sleep: (ms, signal) => real.sleep(patient && ms >= SHORTEST_LIMIT_MS ? ms * 20 : ms, signal) };
    direct = await openRemoteDatabase({ url: server.url, runtime: testRuntime() });
    opened.push(direct);
  });

  afterEach(async () => {
    for (const db of opened.splice(0)) await db.close();
    await server.stop();
  });

  test('reads what the server has, and its own writes at once', async () => {
    await insert(direct, 'before');
    const db = await open();
    expect(db.kind).toBe('replica');
    expect(existsSync(path)).toBe(true);
    expect(await tools(db)).toEqual(['before']);
    for (let n = 0; n < 5; n += 1) {
      await insert(db, `run${n}`);
      await db.write(async (q) => {
        await insert(q, `write${n}`);
      });
      expect((await tools(db)).slice(-2)).toEqual([`run${n}`, `write${n}`]);
    }
    await caughtUp(db);
    expect(await tools(db)).toEqual(await tools(direct));
    expect(await db.integrity()).toBe('ok');
    expect(log).toEqual([]);
  });

  test('is read, not the server, once it has everything', async () => {
    const db = await open({ intervalMs: 3_600_000 });
    await insert(db, 'a');
    await caughtUp(db);
    patient = false;
    server.pause();
    try {
      expect(await tools(db)).toEqual(['a']);
      expect(await db.get('SELECT 1 AS one')).toEqual({ one: 1 });
    } finally {
      server.resume();
    }
  });

  test('follows the writes of others, and its version tells', async () => {
    const db = await open({ intervalMs: 50 });
    const before = await db.dataVersion();
    expect(await db.dataVersion()).toBe(before);
    await insert(direct, 'other');
    await until(async () => (await tools(db)).includes('other'));
    expect(await db.dataVersion()).not.toBe(before);
  });

  test('what another connection stored is seen by the next read, whatever the interval', async () => {
    const db = await open({ intervalMs: 3_600_000 });
    const reader = await open({ intervalMs: 3_600_000, readOnly: true });
    for (let n = 0; n < 10; n += 1) {
      const version = await db.dataVersion();
      await insert(n % 2 === 0 ? direct : db, `n${n}`);
      expect((await tools(db)).at(-1)).toBe(`n${n}`);
      expect((await tools(reader)).at(-1)).toBe(`n${n}`);
      expect(await db.dataVersion()).not.toBe(version);
    }
    await until(async () => (await reader.dataVersion()) === (await reader.dataVersion()));
    patient = false;
    server.pause(); // what is read now is the copy
    try {
      expect((await tools(reader)).at(-1)).toBe('n9');
      expect(reader.replica?.()).toMatchObject({ problem: expect.stringContaining('did not answer within 250 ms') });
    } finally {
      server.resume();
    }
    expect(log.filter((line) => line.startsWith('warn'))).toHaveLength(1);
  });

  test('a server that is gone and back is told, and so is what was stored meanwhile', async () => {
    const db = await open({ intervalMs: 3_600_000 });
    expect(db.replica?.().problem).toBeNull();
    await server.crash();
    expect(await tools(db)).toEqual([]);
    expect(db.replica?.()).toMatchObject({ problem: expect.stringContaining('cannot be reached') });
    await server.restart();
    await insert(direct, 'later');
    expect(await tools(db)).toEqual(['later']);
    expect(db.replica?.().problem).toBeNull();
  });

  test('without the server: reads go on and say how old they are, writes fail clearly, and it recovers', async () => {
    const first = await open();
    await insert(first, 'a');
    await caughtUp(first);
    await first.close();
    await server.crash();
    const later = Date.now() + 180_000;
    runtime = { ...runtime, now: () => later };
    const db = await open({ intervalMs: 100, patienceMs: 200 });
    expect(await tools(db)).toEqual(['a']);
    expect(log.join('\n')).toMatch(/warn: .*reading the replica .*which is 3 minutes old/);
    await expect(insert(db, 'b')).rejects.toThrow(UnavailableError);
    await expect(db.write((q) => insert(q, 'b'))).rejects.toThrow(/cannot be reached/);
    expect(await tools(db)).toEqual(['a']);
    await server.restart();
    await insert(db, 'c');
    expect(await tools(db)).toEqual(['a', 'c']);
    await caughtUp(db);
    expect(await tools(direct)).toEqual(['a', 'c']);
  });

  test('a server that does not answer does not stop this process', async () => {
    await (await open()).close();
    server.pause();
    const later = Date.now() + 60_000;
    runtime = { ...runtime, now: () => later, sleep: (ms, signal) => testRuntime().sleep(ms / 10, signal) };
    try {
      let turns = 0;
      const clock = setInterval(() => (turns += 1), 5);
      const db = await open();
      clearInterval(clock);
      expect(turns).toBeGreaterThan(10);
      expect(await tools(db)).toEqual([]);
      expect(log.join('\n')).toMatch(/did not answer within/);
      await db.close();
    } finally {
      server.resume();
    }
  });

  test('a server that falls silent after a write is not waited for long: the replica is read, and says so', async () => {
    const db = await open({ intervalMs: 3_600_000 });
    await until(async () => {
      await insert(db, 'own');
      server.pause();
      if (db.replica?.().behindOwnWrites === true) return true;
      server.resume();
      return false;
    });
    patient = false;
    try {
      const waited: number[] = [];
      const { sleep } = runtime;
      runtime.sleep = async (ms, signal) => {
        await sleep(ms, signal);
        waited.push(ms);
      };
      await expect(tools(db)).resolves.not.toContain('never');
      expect(waited.filter((ms) => ms > 2_000)).toEqual([]);
      expect(db.replica?.()).toMatchObject({ problem: expect.stringMatching(/did not answer within/), behindOwnWrites: true });
      expect(log.join('\n')).toMatch(/did not answer within 2000 ms; reading the replica, which lacks the last writes/);
      await tools(db);
      expect(log.filter((line) => line.includes('2000 ms'))).toHaveLength(1);
    } finally {
      server.resume();
    }
  });

  test('without the server and without a copy there is nothing to open', async () => {
    await server.crash();
    await expect(open({ patienceMs: 100 })).rejects.toThrow(UnavailableError);
  });

  test('is shared: several at once, one of them synchronizes', async () => {
    const dbs = await Promise.all([open(), open(), open()]);
    expect(dbs.map((db) => db.kind)).toEqual(['replica', 'replica', 'replica']);
    await Promise.all(dbs.flatMap((db, i) => Array.from({ length: 10 }, (_, n) => insert(db, `${i}-${n}`))));
    for (const db of dbs) await caughtUp(db);
    const all = await tools(direct);
    expect(all).toHaveLength(30);
    for (const db of dbs) await until(async () => (await tools(db)).length === 30);
    expect(readdirSync(join(path, '..')).filter((name) => name.endsWith('-lock'))).toEqual([]);
  });

  test('of another server is fetched anew', async () => {
    const first = await open();
    await insert(first, 'old');
    await caughtUp(first);
    await first.close();
    const other = await startSqld();
    try {
      const db = await open({ url: other.url });
      expect(await tools(db)).toEqual([]);
      await db.close();
    } finally {
      await other.stop();
    }
  });

  test('a new database at the same address takes the place of the old', async () => {
    const first = await open();
    await insert(first, 'old');
    await caughtUp(first);
    await first.close();
    await server.restart({ empty: true });
    await insert(await open({ path: `${path}.other` }), 'other');
    const later = Date.now() + 60_000;
    runtime = { ...runtime, now: () => later };
    const db = await open({ intervalMs: 50 });
    expect(await tools(db)).toEqual(['other']);
    await insert(db, 'new');
    expect(await tools(db)).toEqual(['other', 'new']);
    await caughtUp(db);
    expect(await tools(db)).toEqual(['other', 'new']);
  });

  test.each([
    ['cut off', (file: string) => truncateSync(file, 5_000)],
    ['garbled', (file: string) => writeFileSync(file, 'x'.repeat(20_000))],
    ['without what the driver remembers', (file: string) => truncateSync(`${file}-client_wal_index`, 7)],
  ])('a copy that was %s is fetched anew', async (_, damage) => {
    const first = await open();
    await insert(first, 'a');
    await caughtUp(first);
    await first.close();
    damage(path);
    const later = Date.now() + 60_000;
    runtime = { ...runtime, now: () => later };
    const db = await open({ intervalMs: 50 });
    expect(await tools(db)).toEqual(['a']);
    expect(await db.integrity()).toBe('ok');
    await insert(db, 'b');
    await caughtUp(db);
    expect(await tools(db)).toEqual(['a', 'b']);
  });

  test('processes killed while they synchronize leave a copy that can be used', async () => {
    await (await open()).close();
    for (let n = 0; n < 12; n += 1) {
      await direct.write(async (q) => {
        for (let i = 0; i < 20; i += 1) await insert(q, `${n}-${i}-${'x'.repeat(2_000)}`);
      });
      const db = await open({ intervalMs: 0 });
      await tools(db); // begins one in the background
      await new Promise((resolve) => setTimeout(resolve, n * 15));
      await db.close(); // kills it
    }
    const db = await open({ intervalMs: 50 });
    await until(async () => (await tools(db)).length === 240);
    expect(await db.integrity()).toBe('ok');
    expect(log.filter((line) => !line.startsWith('debug'))).toEqual([]);
  });

  test('read-only: reads, and refuses writes', async () => {
    await insert(direct, 'a');
    const db = await open({ readOnly: true });
    expect(await tools(db)).toEqual(['a']);
    await expect(insert(db, 'b')).rejects.toThrow(ForbiddenError);
    await expect(db.all('DELETE FROM call RETURNING id')).rejects.toThrow(ForbiddenError);
  });

  test('a server that does not replicate is read directly, and the log says so', async () => {
    const decide = (body: string): Fault => (body.startsWith('{') ? 'pass' : 'status404'); // the protocol of replicas is binary
    const proxy: FaultProxy = await startFaultProxy(server.port, decide);
    try {
      const db = await open({ url: proxy.url });
      expect(db.kind).toBe('remote');
      await insert(db, 'a');
      expect(await tools(db)).toEqual(['a']);
      expect(log.join('\n')).toMatch(/warn: the replica cannot be synchronized .*; reading the server directly/);
      await db.close();
    } finally {
      await proxy.close();
    }
  });
});
