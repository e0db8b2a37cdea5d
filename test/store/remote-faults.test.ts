import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  ForbiddenError,
  NotFoundError,
  OutcomeUnknownError,
  SkillflowError,
  UnavailableError,
  type SkillflowError as Failure,
} from '../../src/errors.ts';
import type { Runtime } from '../../src/runtime.ts';
import type { Database, Queries } from '../../src/store/database.ts';
import { openRemoteDatabase, type OpenRemoteOptions } from '../../src/store/open-remote.ts';
import { startFaultProxy, type Fault, type FaultProxy } from '../helpers/fault-proxy.ts';
import { seeded } from '../helpers/seeded.ts';
import { createServerTemplate, type ServerTemplate } from '../helpers/server-template.ts';
import { hasSqld, startSqld, type Sqld } from '../helpers/sqld.ts';
import { hurried, testRuntime } from './scratch.ts';

const INSERT = "INSERT INTO call (at, tool, surface, ok, duration_ms) VALUES (1, ?, 'cli', 1, 0.5)";
const insert = (queries: Queries, id: string): Promise<unknown> => queries.run(INSERT, [id]);

const isCommit = (body: string): boolean => body.includes('"COMMIT"');
const isInsideTransaction = (body: string): boolean => !isCommit(body) && (/BEGIN/.test(body) || /"baton":"/.test(body));
const BEFORE: readonly Fault[] = ['delay', 'dropBefore', 'garbage', 'html', 'status500'];
const AFTER: readonly Fault[] = ['dropAfter', 'cut', 'garbageAfter', 'status502After'];
/** Pauses are short, while the waiting for a server, which counts real time, is not. */
const SPEED = 20;

describe.skipIf(!hasSqld)('a network that fails', () => {
  let template: ServerTemplate;
  let server: Sqld;
  let direct: Database;
  let decide: (body: string, index: number) => Fault;
  /** Whether the proxy ends at once what the server would only give up after 5 s. */
  let endsLost: boolean;
  let proxy: FaultProxy;
  const open: Database[] = [];

  async function connect(options: Partial<OpenRemoteOptions> = {}): Promise<Database> {
    const db = await openRemoteDatabase({
      url: proxy.url,
      runtime: testRuntime(hurried(SPEED)),
      timeoutMs: 30_000 * SPEED,
      patienceMs: 20_000 * SPEED,
      ...options,
    });
    open.push(db);
    return db;
  }

  /** How often each id is stored, as the server itself says. */
  async function stored(): Promise<ReadonlyMap<string, number>> {
    const rows = await direct.all('SELECT tool, count(*) AS n FROM call GROUP BY tool');
    return new Map(rows.map((row) => [String(row['tool']), Number(row['n'])]));
  }

  beforeAll(async () => {
    template = await createServerTemplate();
  });
  afterAll(() => template.remove());

  beforeEach(async () => {
    server = await startSqld({}, template.folder);
    direct = await openRemoteDatabase({ url: server.url, runtime: testRuntime() });
    open.push(direct);
    decide = () => 'pass';
    endsLost = true;
    const decided = (body: string, index: number): Fault => decide(body, index);
    proxy = await startFaultProxy(server.port, decided, () => endsLost);
  });

  afterEach(async () => {
    for (const db of open.splice(0)) await db.close();
    await proxy.close();
    await server.stop();
  });

  test.each([1, 2, 3])('what is acknowledged is stored once, what is refused is not stored (seed %i)', async (seed) => {
    const db = await connect();
    const random = seeded(seed);
    const faults = [...BEFORE, ...AFTER];
    decide = () => (random() < 0.3 ? (faults[Math.floor(random() * faults.length)] ?? 'pass') : 'pass');
    const outcomes = new Map<string, 'stored' | 'unknown' | Failure>();
    const record = async (id: string, work: () => Promise<unknown>): Promise<void> => {
      try {
        await work();
        outcomes.set(id, 'stored');
      } catch (error) {
        if (!(error instanceof SkillflowError)) throw error;
        outcomes.set(id, error instanceof OutcomeUnknownError ? 'unknown' : error);
      }
    };
    for (let n = 0; n < 40; n += 1) {
      const twice = async (q: Queries): Promise<void> => {
        await insert(q, `t${n}`);
        await insert(q, `t${n}`);
      };
      await record(`t${n}`, () => db.write(twice));
      await record(`s${n}`, () => insert(db, `s${n}`));
      await record(`r${n}`, () => db.all(`${INSERT} RETURNING id`, [`r${n}`]));
      await db.all('SELECT count(*) FROM call'); // reads are repeated until they succeed
    }
    decide = () => 'pass';
    const rows = await stored();
    for (const [id, outcome] of outcomes) {
      const whole = id.startsWith('t') ? 2 : 1;
      const count = rows.get(id) ?? 0;
      const allowed = outcome === 'stored' ? [whole] : outcome === 'unknown' ? [0, whole] : [0];
      expect.soft(allowed, `${id}: ${outcome instanceof Error ? outcome.message : outcome}`).toContain(count);
    }
    const unknown = [...outcomes.values()].filter((outcome) => outcome === 'unknown').length;
    expect(unknown).toBeGreaterThan(0);
    expect([...outcomes.values()].filter((outcome) => outcome === 'stored').length).toBeGreaterThan(unknown);
    expect(proxy.faults.size).toBe(faults.length + 1);
  });

  test.each(['dropAfter', 'cut', 'garbageAfter', 'status502After', 'dropBefore', 'never'] as const)(
    'a commit that meets %s is unknown and not sent again',
    async (fault) => {
      endsLost = fault !== 'never'; // there the next write waits until the server itself gives the lost one up
      const db = await connect(fault === 'never' ? { timeoutMs: 5_000 } : {});
      decide = (body) => (isCommit(body) ? fault : 'pass');
      const commits = (): number => proxy.requests.filter(isCommit).length;
      const before = commits();
      await expect(db.write((q) => insert(q, 'a'))).rejects.toMatchObject({
        code: 'outcome_unknown',
        retryable: false,
        hint: expect.stringContaining('Look whether it is there'),
      });
      expect(commits()).toBe(before + 1);
      decide = () => 'pass';
      await direct.write((q) => insert(q, 'b'));
      expect((await stored()).get('b')).toBe(1);
    },
  );

  test.each([...BEFORE.filter((fault) => fault !== 'delay'), ...AFTER])(
    'a transaction that meets %s before its commit runs again from its start',
    async (fault) => {
      // With `cut` the server itself gives the lost one up, while the next one waits, for which the usual time is allowed.
      endsLost = fault !== 'cut';
      const db = await connect(endsLost ? {} : { runtime: testRuntime(), timeoutMs: 30_000, patienceMs: 20_000 });
      let faults = AFTER.includes(fault) ? 1 : 3;
      decide = (body) => {
        if (!isInsideTransaction(body) || faults === 0) return 'pass';
        faults -= 1;
        return fault;
      };
      let runs = 0;
      await db.write(async (q) => {
        runs += 1;
        await insert(q, 'a');
        await insert(q, 'b');
      });
      expect(runs).toBe(AFTER.includes(fault) ? 2 : 4);
      expect([...(await stored())]).toEqual([
        ['a', 1],
        ['b', 1],
      ]);
    },
  );

  test('a body that hides the loss of its connection is not committed half', async () => {
    const db = await connect();
    let fail = true;
    decide = (body) => {
      if (!body.includes('"b"') || !fail) return 'pass';
      fail = false;
      return 'dropAfter';
    };
    await db.write(async (q) => {
      await insert(q, 'a');
      await insert(q, 'b').catch(() => undefined);
      await insert(q, 'c').catch(() => undefined);
    });
    expect([...(await stored()).keys()]).toEqual(['a', 'b', 'c']);
  });

  test('statements that are not awaited do not follow one that ended the transaction', async () => {
    const once = await connect({ patienceMs: 0 });
    decide = (body) => (body.includes('"b"') ? 'dropAfter' : 'pass');
    const all = once.write(async (q) => {
      await insert(q, 'a');
      await Promise.all([insert(q, 'b'), insert(q, 'c'), insert(q, 'd')]);
    });
    await expect(all).rejects.toThrow(UnavailableError);
    expect([...(await stored())]).toEqual([]);
  });

  test('a server that does not answer ends in an error that names it, after the time allowed', async () => {
    const db = await connect({ timeoutMs: 4_000, patienceMs: 3_000 });
    decide = () => 'never';
    await expect(db.all('SELECT 1')).rejects.toThrow(/127\.0\.0\.1:\d+ cannot be reached: no answer within 4000 ms/);
  });

  test('after a request without an answer others fail at once, and soon it is asked again', async () => {
    const real = testRuntime();
    let speed = 1;
    const runtime: Runtime = { ...real, sleep: (ms, signal) => real.sleep(ms / speed, signal) };
    const db = await connect({ timeoutMs: 4_000, patienceMs: 0, runtime });
    decide = () => 'never';
    speed = SPEED;
    await expect(db.all('SELECT 1')).rejects.toThrow(UnavailableError);
    const asked = proxy.requests.length;
    await expect(insert(db, 'a')).rejects.toThrow(/left a request without an answer/);
    expect(proxy.requests).toHaveLength(asked);
    decide = () => 'pass';
    speed = 1;
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await insert(db, 'b');
    expect([...(await stored())]).toEqual([['b', 1]]);
  });

  test.each(['INSERT', 'COMMIT'])('closing gives up what waits for %s, and says whether it may be stored', async (word) => {
    const db = await connect();
    decide = (body) => (body.includes(word) ? 'never' : 'pass');
    const asked = new Promise<void>((resolve) => {
      const before = decide;
      decide = (body) => {
        if (body.includes(word)) resolve();
        return before(body, 0);
      };
    });
    const first = db.write((q) => insert(q, 'a'));
    const queued = db.write((q) => insert(q, 'b'));
    const outcomes = Promise.allSettled([first, queued]);
    await asked;
    await db.close();
    const code = word === 'COMMIT' ? 'outcome_unknown' : 'unavailable';
    expect(await outcomes).toMatchObject([{ reason: { code } }, { reason: { code: 'unavailable' } }]);
    decide = () => 'pass';
    expect((await stored()).has('b')).toBe(false);
  });

  test('closing lets a write that is under way end', async () => {
    const db = await connect({ runtime: testRuntime() });
    const writing = db.write((q) => insert(q, 'a'));
    await db.close();
    await writing;
    expect([...(await stored())]).toEqual([['a', 1]]);
  });

  test.each([
    ['status401', ForbiddenError, /refuses the token/],
    ['status404', NotFoundError, /there is no database at/],
    ['html', UnavailableError, /is no database server/],
    ['status500', UnavailableError, /HTTP 500/],
  ] as const)('opening through %s', async (fault, type, message) => {
    decide = () => fault;
    const opening = openRemoteDatabase({ url: proxy.url, authToken: 'sesame-7', runtime: testRuntime(hurried(200)) });
    const error: unknown = await opening.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(type);
    expect(error).toMatchObject({ message: expect.stringMatching(message), hint: expect.any(String) });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('sesame-7');
  });

  test('nothing listens: unavailable, with what to check', async () => {
    const db = await connect({ url: server.url, patienceMs: 10_000 });
    await server.crash();
    await expect(insert(db, 'a')).rejects.toMatchObject({
      code: 'unavailable',
      hint: expect.stringContaining('SKILLFLOW_DB_URL'),
    });
  }, 30_000);

  test('a server killed while it writes loses nothing that was acknowledged', async () => {
    const acknowledged: string[] = [];
    const refused: string[] = [];
    const random = seeded(5);
    const stop = new AbortController();
    const writers = Array.from({ length: 3 }, async (_, writer) => {
      const db = await connect();
      for (let n = 0; !stop.signal.aborted; n += 1) {
        const id = `${writer}-${n}`;
        await db
          .write(async (q) => {
            await insert(q, id);
            await insert(q, id);
          })
          .then(
            () => acknowledged.push(id),
            (error: unknown) => {
              if (!(error instanceof OutcomeUnknownError)) refused.push(id);
            },
          );
      }
    });
    for (let crash = 0; crash < 6; crash += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50 + random() * 150));
      await server.restart();
    }
    stop.abort();
    await Promise.all(writers);
    const rows = await stored();
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(acknowledged.filter((id) => rows.get(id) !== 2)).toEqual([]);
    expect(refused.filter((id) => rows.has(id))).toEqual([]);
    expect([...rows].filter(([, count]) => count !== 2)).toEqual([]);
    expect(await direct.integrity()).toBe('ok');
  });
});
