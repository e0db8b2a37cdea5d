import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { askJson, completedIds, reportFaults } from './answers.ts';
import type { ErrorAnswer, RunAnswer, RunsAnswer } from './answers.ts';
import { BIN, createPlace, plainEnvironment } from './product.ts';
import type { Place } from './product.ts';

const FAULT = 'export function run(request) {\n  return eval(request.query.text);\n}\n';
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

/** A test that fails leaves its mounts to the end of the file. */
const mounts: Place[] = [];
afterAll(() => {
  for (const place of mounts) place.remove();
});

/** A place on a small file system of its own, in memory. */
function mountPlace(size: string): Place {
  const place = createPlace();
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=755`, 'tmpfs', place.dir], {
    encoding: 'utf8',
  });
  if (status !== 0) {
    place.remove();
    throw new Error(`cannot mount: ${stderr}`);
  }
  const mounted: Place = {
    ...place,
    remove: () => {
      spawnSync('umount', ['--lazy', place.dir], { stdio: 'ignore' });
      place.remove();
    },
  };
  mounts.push(mounted);
  return mounted;
}

const canMount = ((): boolean => {
  if (process.platform !== 'linux' || !isRoot) return false;
  try {
    mountPlace('64k').remove();
    return true;
  } catch {
    return false;
  }
})();

/** Runs the program as a user who owns nothing; as ourselves where we are no root. */
function asNobody(
  args: readonly string[],
  cwd: string,
): { readonly code: number | null; readonly body: unknown; readonly stderr: string } {
  // `stdout` is missing where the program could not be started: Node itself may lie where others cannot look.
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, '--json', ...args], {
    cwd,
    env: plainEnvironment(cwd),
    encoding: 'utf8',
    ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
  });
  return { code: status, body: (stdout ?? '') === '' ? null : JSON.parse(stdout), stderr };
}

/** All files below a folder with their contents. */
function snapshot(dir: string): ReadonlyMap<string, string> {
  const entries = readdirSync(dir, { withFileTypes: true, recursive: true });
  return new Map(
    entries.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path, entry.isFile() ? readFileSync(path, 'base64') : ''];
    }),
  );
}

const WRITERS = [
  ['memory', 'store', 'k', 'v'],
  ['swarm', 'create'],
  ['run', 'code-review-swarm', '--tree'],
];

function expectRefused(
  answer: { readonly code: number | null; readonly body: unknown },
  dir: string,
  args: readonly string[],
): void {
  expect(answer, args.join(' ')).toMatchObject({
    code: 1,
    body: { error: { code: 'storage', message: expect.stringContaining(dir) } },
  });
}

// Where the program cannot even be read by that user, there is nothing to test.
const nobodyRuns = process.platform !== 'win32' && asNobody(['--version'], '/').code === 0;

describe('a project folder that cannot be written to', () => {
  test.skipIf(!nobodyRuns)('for lack of permission: writers say so and write nothing, readers read', async () => {
    const place = createPlace();
    place.write('run.js', FAULT);
    chmodSync(join(place.dir, '..'), 0o755);
    chmodSync(place.dir, 0o555);
    for (const args of WRITERS) expectRefused(asNobody(args, place.dir), place.dir, args);
    expect(asNobody(['runs'], place.dir)).toMatchObject({ code: 0, body: { total: 0 } });
    expect(readdirSync(place.dir)).toEqual(['run.js']);

    chmodSync(place.dir, 0o755);
    expect((await askJson(['memory', 'store', 'k', 'v'], { cwd: place.dir })).code).toBe(0);
    for (const folder of ['.skillflow', '.']) chmodSync(join(place.dir, folder), 0o555);
    chmodSync(join(place.dir, '.skillflow', 'skillflow.db'), 0o444);
    const before = snapshot(place.dir);
    for (const args of WRITERS) expectRefused(asNobody(args, place.dir), place.dir, args);
    expect(asNobody(['--read-only', 'memory', 'get', 'k'], place.dir)).toMatchObject({ code: 0, body: { value: 'v' } });
    expect(asNobody(['memory', 'get', 'k'], place.dir), 'also without being told').toMatchObject({
      code: 0,
      body: { value: 'v' },
    });
    expect(snapshot(place.dir)).toEqual(before);
    for (const folder of ['.', '.skillflow']) chmodSync(join(place.dir, folder), 0o755);
    place.remove();
  });

  test.skipIf(!canMount)('on a read-only file system: the same', async () => {
    const place = mountPlace('2m');
    const remount = (mode: string) => expect(spawnSync('mount', ['-o', `remount,${mode}`, place.dir]).status).toBe(0);
    place.write('run.js', FAULT);
    remount('ro');
    const ask = (args: readonly string[]) => askJson<ErrorAnswer>(args, { cwd: place.dir });
    for (const args of WRITERS) expectRefused(await ask(args), place.dir, args);
    remount('rw');
    expect(readdirSync(place.dir)).toEqual(['run.js']);
    expect((await ask(['memory', 'store', 'k', 'v'])).code).toBe(0);
    const before = snapshot(place.dir);
    remount('ro');
    for (const args of WRITERS) expectRefused(await ask(args), place.dir, args);
    expect(await ask(['memory', 'get', 'k'])).toMatchObject({ code: 0, body: { value: 'v' } });
    remount('rw');
    expect(snapshot(place.dir)).toEqual(before);
    place.remove();
  });
});

describe.skipIf(!canMount)('a full disk', () => {
  /** Fills the file system of a folder but for so many bytes. */
  function fill(dir: string, leave: number): void {
    const { bavail, bsize } = statfsSync(dir);
    writeFileSync(join(dir, 'filler'), Buffer.alloc(Math.max(0, bavail * bsize - leave)));
  }

  test('however full it is, a run says so or completes, and nothing is left half written', async () => {
    const place = mountPlace('4m');
    const { dir } = place;
    mkdirSync(join(dir, 'src'));
    for (let at = 0; at < 20; at += 1) place.write(`src/run-${at}.js`, FAULT.replaceAll('run', `run${at}`));
    const review = ['run', 'code-review-swarm', '--files', 'src'];
    fill(dir, 0);
    const refused = await askJson<ErrorAnswer>(review, { cwd: dir });
    expectRefused(refused, dir, review);
    rmSync(join(dir, 'filler'));
    expect((await askJson<RunAnswer>(review, { cwd: dir })).body.status).toBe('completed');

    const outcomes = new Set<string>();
    for (const leave of [0, 60_000, 150_000, 400_000, 1_000_000]) {
      fill(dir, leave);
      const { code, body } = await askJson<RunAnswer & Partial<ErrorAnswer>>(review, { cwd: dir });
      const outcome = body.error?.code ?? body.status;
      outcomes.add(outcome);
      expect({ outcome, code }).toEqual({ outcome, code: outcome === 'completed' ? 0 : 1 });
      expect(['completed', 'failed', 'storage'], `${leave}`).toContain(outcome);
      expect(body.error?.message ?? body.reason ?? 'no complaint').toMatch(/^cannot|^no complaint$/);
      rmSync(join(dir, 'filler'));
      const { body: health } = await askJson<{ checks: readonly { name: string; status: string }[] }>(['health'], { cwd: dir });
      expect(health.checks.find(({ name }) => name === 'database')).toMatchObject({ status: 'ok' });
      const { body: list } = await askJson<RunsAnswer>(['runs', '--limit', '100'], { cwd: dir });
      expect(list.runs.filter(({ status }) => status === 'running')).toEqual([]);
      expect(reportFaults(dir, completedIds(list))).toEqual([]);
    }
    expect(outcomes.has('completed')).toBe(true);
    expect(outcomes.has('storage')).toBe(true);
    expect(existsSync(join(dir, '.skillflow', 'skillflow.db'))).toBe(true);
    place.remove();
  }, 60_000);
});
