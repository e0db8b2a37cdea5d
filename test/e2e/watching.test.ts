import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createGatedRepository } from './gated-skill.ts';
import { createLargeRepository } from './large-repository.ts';
import { BIN, plainEnvironment, skillflow } from './product.ts';
import type { Place } from './product.ts';

// `script` gives the program a terminal.
const hasTerminal = spawnSync('script', ['-qec', 'exit 7', '/dev/null'], { stdio: 'ignore' }).status === 7;

interface Typed {
  /** What the terminal shows when the keys are pressed. */
  readonly after: RegExp;
  readonly keys: string;
}

/** Runs the program in a terminal of 100 × 24, types what is asked for, and resolves with all that was shown. */
function inTerminal(
  place: Place,
  args: readonly string[],
  { typed, env = {} }: { readonly typed?: Typed; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<{ readonly code: number | null; readonly shown: string }> {
  const quoted = [process.execPath, BIN, ...args].map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['-qefc', `stty cols 100 rows 24; exec ${quoted}`, '/dev/null'], {
    cwd: place.dir,
    env: plainEnvironment(place.dir, { TERM: 'xterm', ...env }),
    stdio: 'pipe',
  });
  let shown = '';
  let isTyped = false;
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    shown += chunk;
    if (isTyped || typed === undefined || !typed.after.test(shown)) return;
    isTyped = true;
    child.stdin.write(typed.keys);
  });
  child.stderr.resume();
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, shown }));
  });
}

/** Whether the run that the terminal speaks of has written its report. */
function hasReport(place: Place, shown: string): boolean {
  const [runId = 'none'] = /run_[0-9a-z]{26}/.exec(shown) ?? [];
  return existsSync(join(place.dir, '.skillflow', 'runs', runId, 'report.json'));
}

const RUN = ['run', 'gated', '--tree'];
const ASKED = /Write \.skillflow\/runs\/run_[0-9a-z]+\/report\.json\? \[y\/N\] $/;

describe.skipIf(!hasTerminal)('a run on a terminal', { timeout: 120_000 }, () => {
  let place: Place;
  beforeAll(() => {
    place = createGatedRepository();
  });
  afterAll(() => place.remove());

  test('asks before a gate: yes lets it go on', async () => {
    const { code, shown } = await inTerminal(place, RUN, { typed: { after: ASKED, keys: 'y\n' } });
    expect(code, shown).toBe(0);
    expect(hasReport(place, shown)).toBe(true);
  });

  test.each(['\n', 'n\n'])('no (%j) keeps what was found, and writes no file', async (keys) => {
    const { code, shown } = await inTerminal(place, RUN, { typed: { after: ASKED, keys } });
    expect(code, shown).toBe(0);
    expect(hasReport(place, shown)).toBe(false);
    expect(shown).toContain('1 finding');
    expect(shown.replaceAll(/\s+/gu, ' ')).toContain('were not written: the approval "writing" was refused');
  });

  test('an interrupt cancels it', async () => {
    const { code, shown } = await inTerminal(place, RUN, { typed: { after: ASKED, keys: '\u0003' } });
    expect(code, shown).toBe(130);
    expect(hasReport(place, shown)).toBe(false);
    expect(shown).toContain('cancelled');
  });

  test.each([
    ['approve', 0],
    ['cancel', 130],
  ])('%s from elsewhere takes the question back', async (verb, expected) => {
    const own = createGatedRepository();
    const running = inTerminal(own, RUN);
    const waiting = async (): Promise<string> => {
      const { stdout } = await skillflow(['runs', '--limit', '1', '--json'], { cwd: own.dir });
      const [run] = JSON.parse(stdout).runs;
      return run?.status === 'awaiting_approval' ? run.runId : '';
    };
    await expect.poll(waiting, { timeout: 60_000, interval: 200 }).not.toBe('');
    const flags = verb === 'approve' ? ['--approved'] : [];
    const elsewhere = await skillflow([verb, await waiting(), ...flags], { cwd: own.dir });
    expect(elsewhere.code, elsewhere.stderr).toBe(0);
    const { code, shown } = await running;
    expect(shown).toContain('No answer is needed any more.');
    expect(code, shown).toBe(expected);
    expect(hasReport(own, shown)).toBe(verb === 'approve');
    own.remove();
  });

  test('the end of what is typed leaves it waiting', async () => {
    const { code, shown } = await inTerminal(place, RUN, { typed: { after: ASKED, keys: '\u0004' } });
    expect(code, shown).toBe(3);
    expect(hasReport(place, shown)).toBe(false);
  });

  test('--yes asks nothing', async () => {
    const { code, shown } = await inTerminal(place, [...RUN, '--yes']);
    expect(code, shown).toBe(0);
    expect(shown).not.toContain('[y/N]');
    expect(hasReport(place, shown)).toBe(true);
  });

  test('watch shows how a run stands that waits, without colours when nobody wants them', async () => {
    const { shown: asked } = await inTerminal(place, RUN, { typed: { after: ASKED, keys: '\u0004' } });
    const [runId = ''] = /run_[0-9a-z]{26}/.exec(asked) ?? [];
    const watched = await inTerminal(place, ['watch', runId], { env: { NO_COLOR: '1' } });
    expect(watched.code).toBe(0);
    expect(watched.shown).toContain('awaiting_approval');
    expect(watched.shown).not.toMatch(/\u001B\[[0-9;]*m/);
  });

  describe('that takes a while', () => {
    let large: Place;
    beforeAll(() => {
      large = createLargeRepository(150);
    });
    afterAll(() => large.remove());
    const LONG = ['run', 'code-review-swarm', '--tree', '--threads', '1'];
    const VIEW = /code-review-swarm run_[0-9a-z]{26} \(mesh, local\)/;

    test('draws it in place, and takes the drawing away', async () => {
      const { code, shown } = await inTerminal(large, LONG, { env: { NO_COLOR: '1' } });
      expect(code, shown.slice(-2000)).toBe(0);
      expect(shown).toMatch(VIEW);
      expect(shown).toMatch(/\[=* *\] \d+ of 10 steps ended, \d running/);
      expect(shown).toMatch(/> security-analyst +running +work/);
      const frames = [...shown.matchAll(/\u001B\[(\d+)A\r\u001B\[J/g)];
      expect(frames.length).toBeGreaterThan(0);
      expect(Math.max(...frames.map(([, rows]) => Number(rows)))).toBeLessThan(24);
      // Nothing of it is left above the report.
      expect(shown.slice((frames.at(-1)?.index ?? 0) + 1)).not.toMatch(VIEW);
      expect(shown).not.toMatch(/\u001B\[(?:\?25l|[0-9;]*m)/);
    });

    test('is cancelled by an interrupt', async () => {
      const { code, shown } = await inTerminal(large, LONG, { typed: { after: VIEW, keys: '\u0003' } });
      expect(code, shown.slice(-2000)).toBe(130);
      expect(shown.replaceAll(/\u001B\[[0-9;]*m/g, '')).toMatch(/status +cancelled/);
    });

    test('is watched from elsewhere, and an interrupt there ends the watching alone', async () => {
      const running = skillflow(LONG, { cwd: large.dir });
      const newest = async (): Promise<{ readonly runId: string; readonly status: string }> =>
        JSON.parse((await skillflow(['runs', '--json', '--limit', '1'], { cwd: large.dir })).stdout).runs[0];
      await expect.poll(async () => (await newest()).status, { timeout: 20_000 }).toBe('running');
      const { runId } = await newest();
      const { code, shown } = await inTerminal(large, ['watch', runId], { typed: { after: VIEW, keys: '\u0003' } });
      expect(code, shown.slice(-2000)).toBe(130);
      const ran = await running;
      expect(ran.code, `${ran.stdout.slice(-3000)}${ran.stderr}`).toBe(0);
      expect(await newest()).toMatchObject({ runId, status: 'completed' });
    });
  });
});

test('without a terminal a run asks nobody, draws nothing and waits', { timeout: 60_000 }, async () => {
  const place = createGatedRepository();
  const { code, stdout, stderr } = await skillflow([...RUN, '--json'], { cwd: place.dir, input: 'y\n' });
  expect({ code, stderr }).toEqual({ code: 3, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject({ status: 'awaiting_approval' });
  const { runId } = JSON.parse(stdout);
  const watched = await skillflow(['watch', runId], { cwd: place.dir });
  expect(watched.code).toBe(2);
  expect(watched.stderr).toContain(`skillflow events ${runId} --follow`);
  const yes = await skillflow([...RUN, '--yes', '--json'], { cwd: place.dir });
  expect(yes.code).toBe(0);
  place.remove();
});
