import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askJson, until } from './answers.ts';
import type { ErrorAnswer, EventAnswer, RunAnswer, RunsAnswer } from './answers.ts';
import { createReviewedRepository, skillflow } from './product.ts';
import type { Place } from './product.ts';

const REVIEW = ['run', 'code-review-swarm', '--base', 'HEAD~1'];

interface SkillAnswer {
  readonly name: string;
  readonly source: string;
  readonly runnable: boolean;
  readonly errors: number;
  readonly shadows: readonly { readonly source: string }[];
}

function readJson<T>(path: string): T {
  const value: T = JSON.parse(readFileSync(path, 'utf8'));
  return value;
}

/** A skill in one file, as the old blueprints had it. */
function blueprint(name: string, topology: string, more = ''): string {
  return `---
skill_name: ${name}
version: 1.0.0
description: Use when testing how a ${topology} works.
agents:
  - type: coordinator
    count: 1
    capabilities: [clones]
  - type: security-analyst
    count: 2
    capabilities: [security-patterns]
  - type: tester
    count: 1
    capabilities: [test-gaps]
coordination:
  topology: ${topology}
  consensus: majority
  timeout: 120s
${more}---
# ${name}

A text for people.
`;
}

describe('a review', { timeout: 60_000 }, () => {
  let place: Place;
  let run: RunAnswer;
  beforeAll(async () => {
    place = createReviewedRepository();
    const { code, body } = await askJson<RunAnswer>([...REVIEW, 'Look before the merge'], { cwd: place.dir });
    expect(code).toBe(0);
    run = body;
  });
  afterAll(() => place.remove());

  test('finds the injection, and says who found it and who did not run', () => {
    expect(run).toMatchObject({ status: 'completed', files: 1, reason: null });
    expect(run.topFindings).toContainEqual(
      expect.objectContaining({ place: 'src/run.js:4', reportedBy: ['security-analyst'], severity: 'critical' }),
    );
    expect(run.bySeverity['critical']).toBeGreaterThan(0);
    expect(run.notLookedAt.join('\n')).toContain('design-reviewer');
  });

  test('writes a report for people, for programs and for code scanners, each whole', () => {
    const folder = join(place.dir, '.skillflow', 'runs', run.runId);
    expect(readdirSync(folder).sort()).toEqual(['report.json', 'report.md', 'report.sarif']);
    expect(run.outputs.map((path) => join(place.dir, path)).sort()).toEqual(
      readdirSync(folder).map((name) => join(folder, name)),
    );
    const report = readJson<{ schema: string; findings: readonly { file: string }[] }>(join(folder, 'report.json'));
    expect(report.schema).toBe('skillflow.report/1');
    expect(report.findings.length).toBeGreaterThan(0);
    const sarif = readJson<{ version: string; runs: readonly { results: readonly unknown[] }[] }>(join(folder, 'report.sarif'));
    expect(sarif.version).toBe('2.1.0');
    expect(sarif.runs[0]?.results).toHaveLength(report.findings.length);
    const markdown = readFileSync(join(folder, 'report.md'), 'utf8');
    expect(markdown).toContain('src/run.js');
    expect(markdown.endsWith('\n')).toBe(true);
  });

  test('is listed, shown by its id or its beginning, and tells its events', async () => {
    const { dir } = place;
    const { body: list } = await askJson<RunsAnswer>(['runs'], { cwd: dir });
    expect(list).toMatchObject({ total: 1, runs: [{ runId: run.runId, status: 'completed', task: 'Look before the merge' }] });
    for (const id of [run.runId, run.runId.slice(0, 12)])
      expect(await askJson(['show', id], { cwd: dir })).toMatchObject({
        code: 0,
        body: { runId: run.runId, status: 'completed' },
      });
    const shown = await skillflow(['show', run.runId], { cwd: dir });
    expect(shown.stdout).toContain('src/run.js:4');
    expect(shown.stdout).toContain(`.skillflow/runs/${run.runId}/report.md`);
    const { body } = await askJson<{ events: readonly EventAnswer[]; next: number }>(['events', run.runId], { cwd: dir });
    expect(body.events.map(({ seq }) => seq)).toEqual(body.events.map((_event, at) => at + 1));
    expect(body.events.at(0)?.type).toBe('run_started');
    expect(body.events.at(-1)?.type).toBe('run_completed');
    const rest = await askJson<{ events: readonly EventAnswer[] }>(['events', run.runId, '--after', '2', '--limit', '3'], {
      cwd: dir,
    });
    expect(rest.body.events).toEqual(body.events.slice(2, 5));
    const text = await skillflow(['events', run.runId, '--limit', '3'], { cwd: dir });
    expect(text.stdout).toContain('run_started');
    expect(text.stdout).toContain('--after 3');
  });

  test('fails on what it is told to fail on, and on nothing else', async () => {
    const { dir } = place;
    expect((await skillflow([...REVIEW, '--fail-on', 'high'], { cwd: dir })).code).toBe(1);
    expect((await skillflow([...REVIEW, '--fail-on=info'], { cwd: dir })).code).toBe(1);
    const untested = createReviewedRepository();
    untested.write('src/list.js', 'export function add(a, b) {\n  return b + a;\n}\n');
    const failing = async (severity: string) =>
      (await skillflow(['run', 'code-review-swarm', '--fail-on', severity], { cwd: untested.dir })).code;
    expect(await failing('low')).toBe(1);
    expect(await failing('medium')).toBe(0);
    untested.remove();
  });

  test('whose report is gone or spoilt says so', async () => {
    const { dir } = place;
    const { body } = await askJson<RunAnswer>(REVIEW, { cwd: dir });
    place.write(`.skillflow/runs/${body.runId}/report.json`, '{"schema": "skillflow.rep');
    const spoilt = await askJson<ErrorAnswer>(['show', body.runId], { cwd: dir });
    expect(spoilt).toMatchObject({ code: 1, stderr: '', body: { error: { code: 'storage' } } });
    expect(spoilt.body.error.message).toContain(join('runs', body.runId, 'report.json'));
    rmSync(join(dir, '.skillflow', 'runs', body.runId), { recursive: true });
    const gone = await skillflow(['show', body.runId], { cwd: dir });
    expect(gone).toMatchObject({ code: 0, stdout: expect.stringContaining('report file is gone') });
  });

  test('another process sees every event once, in order, and ends with the run', async () => {
    const { dir } = place;
    const before = (await askJson<RunsAnswer>(['runs'], { cwd: dir })).body.total;
    const running = skillflow([...REVIEW, '--json'], { cwd: dir });
    const started = await until(async () => {
      const { body } = await askJson<RunsAnswer>(['runs', '--limit', '1'], { cwd: dir });
      return body.total > before ? body.runs[0]?.runId : undefined;
    }, 'the run to be listed');
    const follower = await skillflow(['events', started, '--follow', '--json'], { cwd: dir });
    const finished: RunAnswer = JSON.parse((await running).stdout);
    expect(finished).toMatchObject({ runId: started, status: 'completed' });
    expect(follower).toMatchObject({ code: 0, stderr: '' });
    const events: readonly EventAnswer[] = follower.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, at) => at + 1));
    expect(events.at(-1)?.type).toBe('run_completed');
    const { body } = await askJson<{ events: readonly EventAnswer[] }>(['events', started, '--limit', '1000'], { cwd: dir });
    expect(events).toEqual(body.events);
  });

  test('following a run that has ended prints it and ends', async () => {
    const { dir } = place;
    const { code, stdout } = await skillflow(['events', run.runId, '--follow'], { cwd: dir });
    expect(code).toBe(0);
    expect(stdout).toContain('run_completed');
    expect(stdout).not.toContain('--after');
  });
});

describe('skills', { timeout: 60_000 }, () => {
  let place: Place;
  beforeAll(() => {
    place = createReviewedRepository();
  });
  afterAll(() => place.remove());

  test('one without a swarm, one with errors and one that hides the package’s are told apart', async () => {
    const { dir } = place;
    place.write(
      '.claude/skills/plain/SKILL.md',
      '---\nname: plain\ndescription: Use when testing.\n---\n# Plain\n\nDo it well.\n',
    );
    place.write('.claude/skills/broken/SKILL.md', '---\nname: broken\ndescription: Use when testing.\n---\n# Broken\n');
    place.write(
      '.claude/skills/broken/swarm.yaml',
      'agents:\n  - type: Not Kebab\n    count: 99\ncoordination:\n  topology: torus\n',
    );
    place.write('.skillflow/skills/code-review-swarm/SKILL.md', blueprint('code-review-swarm', 'star'));
    const { code, body } = await askJson<{ skills: readonly SkillAnswer[] }>(['skills'], { cwd: dir });
    expect(code).toBe(0);
    const byName = new Map(body.skills.map((skill) => [skill.name, skill]));
    expect(byName.get('plain')).toMatchObject({ source: 'project', runnable: false, errors: 0 });
    expect(byName.get('broken')).toMatchObject({ source: 'project', runnable: false, errors: 3 });
    expect(byName.get('code-review-swarm')).toMatchObject({
      source: 'project',
      runnable: true,
      shadows: [{ source: 'package' }],
    });
    expect((await skillflow(['skills'], { cwd: dir })).stdout).toMatch(/code-review-swarm +project +.*hides package/);

    const plain = await askJson<ErrorAnswer>(['run', 'plain', '--tree'], { cwd: dir });
    expect(plain).toMatchObject({
      code: 1,
      body: { error: { code: 'unavailable', message: expect.stringContaining('no swarm') } },
    });
    const broken = await askJson<ErrorAnswer>(['run', 'broken', '--tree'], { cwd: dir });
    expect(broken).toMatchObject({ code: 2, body: { error: { message: expect.stringMatching(/swarm\.yaml:\d+:\d+: /) } } });
    const shown = await skillflow(['skill', 'broken'], { cwd: dir });
    expect(shown.code).toBe(0);
    expect(shown.stdout.match(/^error: .*swarm\.yaml:\d+:\d+: /gm)).toHaveLength(3);
    expect(shown.stdout).toContain('torus');
    const health = await askJson<{ ok: boolean }>(['health'], { cwd: dir });
    expect(health).toMatchObject({ code: 1, body: { ok: false } });

    const own = await askJson<RunAnswer>(['run', 'code-review-swarm', '--base', 'HEAD~1'], { cwd: dir });
    expect(own.body.steps.map(({ agentId }) => agentId)).not.toContain('context-reviewer');
  });

  test('a blueprint in one file runs as star, ring, hierarchy and mesh', async () => {
    const { dir } = place;
    const kinds = new Map([
      ['star', ['merge', 'work', 'work', 'work']],
      ['ring', ['work', 'work', 'work', 'work']],
      ['hierarchical', ['merge', 'work', 'work', 'work']],
      ['mesh', ['judge', 'judge', 'judge', 'judge', 'work', 'work', 'work', 'work']],
    ]);
    for (const [topology, expected] of kinds) {
      place.write(`.skillflow/skills/as-${topology}/SKILL.md`, blueprint(`as-${topology}`, topology));
      const { code, body } = await askJson<RunAnswer>(['run', `as-${topology}`, '--files', 'src'], { cwd: dir });
      expect({ code, status: body.status }, topology).toEqual({ code: 0, status: 'completed' });
      expect(body.steps.map(({ kind }) => kind).sort(), topology).toEqual(expected);
      expect(
        body.steps.every(({ status }) => status === 'completed'),
        topology,
      ).toBe(true);
      const found = body.topFindings.find(({ place: where }) => where === 'src/run.js:4');
      // Who was shown a finding before, as the next in a ring, does not count as one who found it.
      const finders = topology === 'ring' ? ['security-analyst-1'] : ['security-analyst-1', 'security-analyst-2'];
      expect(found?.reportedBy, topology).toEqual(finders);
      expect(body.outputs.length, topology).toBeGreaterThan(0);
    }
  });
});
