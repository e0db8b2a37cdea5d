import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { seeded } from '../helpers/seeded.ts';
import { rawSql } from '../helpers/raw-sql.ts';
import { askJson, completedIds, reportFaults, until } from './answers.ts';
import type { ErrorAnswer, EventAnswer, RunAnswer, RunsAnswer } from './answers.ts';
import { createLargeRepository } from './large-repository.ts';
import { createPlace, createReviewedRepository, skillflow, startSkillflow } from './product.ts';
import type { Place } from './product.ts';

const REVIEW = ['run', 'code-review-swarm', '--base', 'HEAD~1', '--json'];

interface HealthAnswer {
  readonly ok: boolean;
  readonly checks: readonly { readonly name: string; readonly status: string; readonly detail: string }[];
}

async function expectSound(dir: string): Promise<void> {
  const { code, body } = await askJson<HealthAnswer>(['health'], { cwd: dir });
  expect(body.checks.find(({ name }) => name === 'database')).toEqual({
    name: 'database',
    status: 'ok',
    detail: `${join(dir, '.skillflow', 'skillflow.db')} (local file, not encrypted)`,
  });
  expect({ code, ok: body.ok }).toEqual({ code: 0, ok: true });
}

async function runsOf(dir: string): Promise<RunsAnswer> {
  return (await askJson<RunsAnswer>(['runs', '--limit', '500'], { cwd: dir })).body;
}

async function eventsOf(dir: string, runId: string): Promise<readonly EventAnswer[]> {
  const events: EventAnswer[] = [];
  for (;;) {
    const args = ['events', runId, '--limit', '1000', '--after', String(events.length)];
    const { body } = await askJson<{ events: readonly EventAnswer[]; more: boolean }>(args, { cwd: dir });
    events.push(...body.events);
    if (!body.more) return events;
  }
}

/** The newest run's id, once it is not `before`; read in this process, so that it is known long before the run ends. */
async function nextRun(dir: string, before: string): Promise<string> {
  const db = new Database(join(dir, '.skillflow', 'skillflow.db'), { readonly: true });
  try {
    const newest = db.prepare('SELECT id FROM run ORDER BY created_at DESC, id DESC LIMIT 1');
    return await until(() => {
      const { id } = z.object({ id: z.string() }).parse(newest.get() ?? { id: before });
      return id === before ? undefined : id;
    }, 'the run to begin');
  } finally {
    db.close();
  }
}

describe('a run that is stopped', () => {
  let place: Place;
  let wholeMs: number;
  beforeAll(async () => {
    place = createLargeRepository(16);
    const before = performance.now();
    expect((await skillflow(REVIEW, { cwd: place.dir })).code).toBe(0);
    wholeMs = performance.now() - before;
  }, 60_000);
  afterAll(() => place.remove());

  test('killed at any moment, it leaves a sound database and whole reports, and the next run works', async () => {
    const { dir } = place;
    const random = seeded(4711);
    const moments = Array.from({ length: 10 }, (_, at) => ((at + random()) / 10) * wholeMs);
    for (const moment of moments) {
      const child = startSkillflow(REVIEW, { cwd: dir });
      child.stdout.resume();
      child.stderr.resume();
      const closed = new Promise<void>((resolve) => void child.on('close', () => resolve()));
      await new Promise((resolve) => setTimeout(resolve, moment));
      child.kill('SIGKILL');
      await closed;
      await expectSound(dir);
    }
    const list = await runsOf(dir);
    for (const { status } of list.runs) expect(['completed', 'interrupted']).toContain(status);
    expect(reportFaults(dir, completedIds(list))).toEqual([]);
    const interrupted = list.runs.find(({ status }) => status === 'interrupted');
    expect(interrupted, 'some run was hit while it went on').toBeDefined();
    const events = await eventsOf(dir, interrupted?.runId ?? '');
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, at) => at + 1));
    expect((await skillflow(['show', interrupted?.runId ?? ''], { cwd: dir })).stdout).toContain('interrupted');
    const { code, stdout } = await skillflow(REVIEW, { cwd: dir });
    expect({ code, status: JSON.parse(stdout).status }).toEqual({ code: 0, status: 'completed' });
  }, 120_000);

  test.skipIf(process.platform === 'win32')(
    'interrupted by the user, it is cancelled and says so',
    async () => {
      const larger = createLargeRepository(60); // there is time to look for the run before it ends
      const { dir } = larger;
      expect((await skillflow(['memory', 'store', 'a-key', 'makes the database'], { cwd: dir })).code).toBe(0);
      for (const signal of ['SIGINT', 'SIGTERM'] as const) {
        const before = (await runsOf(dir)).runs[0]?.runId ?? '';
        const child = startSkillflow(REVIEW, { cwd: dir });
        let stdout = '';
        child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
          stdout += chunk;
        });
        const closed = new Promise<unknown>((resolve) => {
          child.on('close', (code, endedBy) => resolve({ code, endedBy }));
        });
        const runId = await nextRun(dir, before);
        const follower = startSkillflow(['events', runId, '--follow'], { cwd: dir });
        follower.stdout.resume();
        const followed = new Promise<number | null>((resolve) => void follower.on('close', resolve));
        child.kill(signal);
        expect(await closed, signal).toEqual({ code: 130, endedBy: null });
        expect(JSON.parse(stdout)).toMatchObject({ runId, status: 'cancelled', reason: 'the run was cancelled' });
        expect(await followed, 'who follows it ends with it').toBe(0);
        expect(await askJson(['show', runId], { cwd: dir })).toMatchObject({ body: { status: 'cancelled' } });
        expect((await eventsOf(dir, runId)).at(-1)).toMatchObject({ type: 'run_cancelled' });
        expect(existsSync(join(dir, '.skillflow', 'runs', runId))).toBe(false);
      }
      await expectSound(dir);
      larger.remove();
    },
    60_000,
  );

  test('out of time, it fails with "deadline", however early that is', async () => {
    const { dir } = place;
    for (const timeout of ['1ms', '100ms']) {
      place.write('.skillflow/skills/hasty/SKILL.md', '---\nname: hasty\ndescription: Use when testing.\n---\n# Hasty\n');
      place.write(
        '.skillflow/skills/hasty/swarm.yaml',
        `agents:\n  - type: reviewer\n    count: 2\n    capabilities: [security-patterns, clones]\ncoordination:\n  timeout: ${timeout}\n`,
      );
      const { code, body } = await askJson<RunAnswer>(['run', 'hasty', '--tree'], { cwd: dir });
      expect({ code, status: body.status }, timeout).toEqual({ code: 1, status: 'failed' });
      expect(body.reason).toContain(timeout.replace('ms', ' ms'));
      expect((await eventsOf(dir, body.runId)).at(-1)).toMatchObject({ type: 'run_failed', code: 'deadline' });
    }
  }, 60_000);

  test('two runs and their readers at once do not disturb each other', async () => {
    const { dir } = place;
    const before = (await runsOf(dir)).total;
    const store = (at: number) => skillflow(['memory', 'store', `key-${at}`, 'v'], { cwd: dir });
    const [first, second, ...stored] = await Promise.all([
      skillflow(REVIEW, { cwd: dir }),
      skillflow(REVIEW, { cwd: dir }),
      store(1),
      store(2),
    ]);
    for (const { code, stderr } of [first, second, ...stored]) expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const ids = [first, second].map(({ stdout }) => JSON.parse(stdout).runId);
    expect(new Set(ids).size).toBe(2);
    const { runs, total } = await runsOf(dir);
    expect(total).toBe(before + 2);
    expect(runs.slice(0, 2).map(({ runId }) => runId)).toEqual(expect.arrayContaining(ids));
    const told = await Promise.all(ids.map((id) => eventsOf(dir, id)));
    for (const events of told) {
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, at) => at + 1));
      expect(events.at(-1)?.type).toBe('run_completed');
    }
    expect(told[0]?.length).toBe(told[1]?.length);
    expect(reportFaults(dir, ids)).toEqual([]);
    await expectSound(dir);
  }, 60_000);
});

describe.concurrent('a database that cannot be used', { timeout: 60_000 }, () => {
  const commands = [['memory', 'store', 'k', 'v'], ['runs'], ['memory', 'list', '--read-only'], ['run', 'code-review-swarm']];

  /** What comes of using it. */
  async function attempt({ dir }: Place) {
    const path = join(dir, '.skillflow', 'skillflow.db');
    const before = readFileSync(path);
    const answers = await Promise.all(commands.map((args) => askJson<ErrorAnswer>(args, { cwd: dir })));
    const health = await askJson<HealthAnswer>(['health'], { cwd: dir });
    return {
      exits: [...answers, health].map(({ code }) => code),
      errors: answers.map(({ body }) => body.error.code),
      named: answers.every(({ body }) => body.error.message.includes(path) && body.error.hint !== undefined),
      untouched: readFileSync(path).equals(before),
      files: readdirSync(join(dir, '.skillflow')).filter((name) => name !== '.gitignore'),
    };
  }

  const refused = (code: string): Awaited<ReturnType<typeof attempt>> => ({
    exits: [1, 1, 1, 1, 1],
    errors: commands.map(() => code),
    named: true,
    untouched: true,
    files: ['skillflow.db'],
  });

  test('garbage is named and left as it is', async () => {
    const place = createReviewedRepository();
    const random = seeded(7);
    place.write('.skillflow/skillflow.db', Buffer.from(Array.from({ length: 20_000 }, () => Math.floor(random() * 256))));
    expect(await attempt(place)).toEqual(refused('database_damaged'));
    place.remove();
  });

  test('one that was cut off is named and left as it is', async () => {
    const place = createReviewedRepository();
    await skillflow(['memory', 'store', 'k', 'x'.repeat(50_000)], { cwd: place.dir });
    const path = join(place.dir, '.skillflow', 'skillflow.db');
    writeFileSync(path, readFileSync(path).subarray(0, 40_000));
    expect(await attempt(place)).toEqual(refused('database_damaged'));
    place.remove();
  });

  test('one of a newer version, or of another program, is named and left as it is', async () => {
    const place = createReviewedRepository();
    await skillflow(['memory', 'store', 'k', 'v'], { cwd: place.dir });
    const path = join(place.dir, '.skillflow', 'skillflow.db');
    await rawSql(path, 'PRAGMA journal_mode = DELETE');
    await rawSql(path, 'PRAGMA user_version = 9999');
    expect(await attempt(place)).toEqual(refused('schema_too_new'));
    place.remove();
    const other = createReviewedRepository();
    mkdirSync(join(other.dir, '.skillflow'));
    await rawSql(join(other.dir, '.skillflow', 'skillflow.db'), 'CREATE TABLE theirs(a)');
    expect(await attempt(other)).toEqual(refused('conflict'));
    other.remove();
  });

  test('a folder in its place, and a file in the place of its folder, are said', async () => {
    const place = createPlace();
    mkdirSync(join(place.dir, '.skillflow', 'skillflow.db'), { recursive: true });
    const folder = await askJson<ErrorAnswer>(['memory', 'store', 'k', 'v'], { cwd: place.dir });
    expect(folder).toMatchObject({
      code: 1,
      body: { error: { code: 'storage', message: expect.stringContaining('skillflow.db') } },
    });
    place.remove();
    const blocked = createPlace();
    writeFileSync(join(blocked.dir, '.skillflow'), 'mine');
    const file = await askJson<ErrorAnswer>(['memory', 'store', 'k', 'v'], { cwd: blocked.dir });
    expect(file).toMatchObject({ code: 1, body: { error: { code: 'storage', message: expect.stringContaining('.skillflow') } } });
    expect(readFileSync(join(blocked.dir, '.skillflow'), 'utf8')).toBe('mine');
    blocked.remove();
  });
});
