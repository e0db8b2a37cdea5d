import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askJson } from './answers.ts';
import type { ErrorAnswer, EventAnswer, JsonAnswer, RunAnswer } from './answers.ts';
import { createPlace, createReviewedRepository, skillflow } from './product.ts';
import type { Place } from './product.ts';

interface Report {
  readonly scope: { readonly mode: string; readonly files: readonly { readonly path: string }[]; readonly skipped: number };
  readonly findings: readonly { readonly id: string; readonly rule: string; readonly file: string }[];
  readonly omissions: {
    readonly files: readonly { readonly reason: string; readonly count: number; readonly examples: readonly string[] }[];
    readonly changes: readonly { readonly code: string; readonly message: string }[];
  };
}

const INJECTION =
  "import { exec } from 'node:child_process';\n\nexport const run = (request) => exec(`ls ${request.query.folder}`);\n";

const review = <T = RunAnswer>(dir: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<JsonAnswer<T>> =>
  askJson<T>(['run', 'code-review-swarm', ...args], { cwd: dir, env });

/** A review that has to complete; its report. */
async function reportOf(dir: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Report> {
  const { code, body, stderr } = await review(dir, args, env);
  expect({ code, status: body.status, stderr }, args.join(' ')).toEqual({ code: 0, status: 'completed', stderr: '' });
  const report: Report = JSON.parse(readFileSync(join(dir, '.skillflow', 'runs', body.runId, 'report.json'), 'utf8'));
  return report;
}

const paths = ({ scope }: Report): readonly string[] => scope.files.map(({ path }) => path);
const notes = ({ omissions }: Report): readonly string[] => omissions.changes.map(({ code }) => code);

describe.concurrent('without the git that one hopes for', { timeout: 60_000 }, () => {
  test('not a repository: the tree is reviewed, changes are refused with what to do', async () => {
    const place = createPlace();
    place.write('src/run.js', INJECTION);
    const report = await reportOf(place.dir, []);
    expect(report.scope.mode).toBe('tree');
    expect(paths(report)).toEqual(['src/run.js']);
    expect(notes(report)).toContain('no_git');
    expect(report.findings.map(({ file }) => file)).toContain('src/run.js');
    expect(paths(await reportOf(place.dir, ['--tree'])), 'the own files are no part of it').toEqual(['src/run.js']);
    for (const args of [['--base', 'main'], ['--last', '3'], ['--staged']]) {
      const { code, body } = await review<ErrorAnswer>(place.dir, args);
      expect({ code, error: body.error.code }).toEqual({ code: 1, error: 'unavailable' });
      expect(body.error.message).toContain('not in a git repository');
      expect(body.error.hint).toContain('whole tree');
    }
    place.remove();
  });

  test('git is not installed: said, and the tree is reviewed', async () => {
    const place = createReviewedRepository();
    const PATH = join(place.dir, '..', 'no-programs');
    mkdirSync(PATH);
    const refused = await review<ErrorAnswer>(place.dir, ['--base', 'HEAD~1'], { PATH });
    expect(refused).toMatchObject({ code: 1, stderr: '', body: { error: { code: 'unavailable' } } });
    expect(refused.body.error.message).toContain('git is not installed');
    const report = await reportOf(place.dir, ['--tree'], { PATH });
    expect(paths(report)).toEqual(['README.md', 'src/list.js', 'src/run.js']);
    const health = await askJson<{ checks: readonly { name: string; hint?: string }[] }>(['health'], {
      cwd: place.dir,
      env: { PATH },
    });
    expect(health.code).toBe(1);
    expect(
      health.body.checks.find(({ name }) => name === 'git')?.hint ?? health.body.checks.find(({ name }) => name === 'git'),
    ).toContain('Install git');
    place.remove();
  });

  test('no commits yet: what is there is reviewed, staged files too', async () => {
    const place = createPlace();
    place.git('init', '--quiet', '--initial-branch=main');
    expect(paths(await reportOf(place.dir, []))).toEqual([]);
    place.write('run.js', INJECTION);
    expect(paths(await reportOf(place.dir, []))).toEqual(['run.js']);
    place.git('add', 'run.js');
    const staged = await reportOf(place.dir, ['--staged']);
    expect({ paths: paths(staged), notes: notes(staged) }).toEqual({ paths: ['run.js'], notes: ['no_commits'] });
    const { code, body } = await review<ErrorAnswer>(place.dir, ['--base', 'main']);
    expect(code).toBe(2);
    expect(body.error.message).toContain('no commits');
    place.remove();
  });
});

describe.concurrent('kinds of checkouts', { timeout: 60_000 }, () => {
  let place: Place;
  const beside = (name: string): string => join(place.dir, '..', name);
  beforeAll(() => {
    place = createReviewedRepository();
  });
  afterAll(() => place.remove());

  test('a shallow clone says that history ends early', async () => {
    place.git('clone', '--quiet', '--depth', '1', `file://${place.dir}`, beside('shallow'));
    const report = await reportOf(beside('shallow'), ['--last', '5']);
    expect(notes(report)).toEqual(expect.arrayContaining(['shallow_clone', 'history_cut']));
    const { code, body } = await review<ErrorAnswer>(beside('shallow'), ['--base', 'HEAD~1']);
    expect({ code, said: body.error.message.includes('HEAD~1') }).toEqual({ code: 2, said: true });
    expect(paths(await reportOf(beside('shallow'), []))).toContain('src/run.js');
  });

  test('a detached HEAD and a worktree are reviewed as any other', async () => {
    place.git('worktree', 'add', '--quiet', '--detach', beside('worktree'), 'HEAD');
    const report = await reportOf(beside('worktree'), ['--base', 'main~1']);
    expect({ paths: paths(report), notes: notes(report) }).toEqual({ paths: ['src/run.js'], notes: ['detached_head'] });
    expect(existsSync(join(beside('worktree'), '.skillflow', 'skillflow.db'))).toBe(true);
    expect(existsSync(join(place.dir, '.skillflow'))).toBe(false);
  });

  test('a submodule is not entered, and said so; inside it is a project of its own', async () => {
    const outer = createReviewedRepository();
    outer.git('submodule', '--quiet', 'add', `file://${place.dir}`, 'sub module');
    outer.commit('a submodule');
    const report = await reportOf(outer.dir, ['--base', 'HEAD~1']);
    expect(paths(report)).toEqual(['.gitmodules']);
    expect(report.omissions.files).toEqual([{ reason: 'submodule', count: 1, examples: ['sub module'] }]);
    expect(notes(report)).toContain('submodules_not_entered');
    const inside = await reportOf(outer.dir, ['--last', '1'], { CLAUDE_PROJECT_DIR: 'sub module' }).catch(() => null);
    expect(inside).toBeNull(); // the report lies in the submodule
    expect(existsSync(join(outer.dir, 'sub module', '.skillflow', 'runs'))).toBe(true);
    outer.remove();
  });

  test('a project in a subfolder of the repository sees its own files only', async () => {
    const outer = createReviewedRepository();
    outer.write('packages/app/run.js', INJECTION);
    outer.write('packages/other/run.js', INJECTION);
    outer.commit('packages');
    const dir = join(outer.dir, 'packages', 'app');
    mkdirSync(join(dir, '.skillflow'));
    for (const args of [['--base', 'HEAD~1'], ['--tree'], ['--last', '1']])
      expect(paths(await reportOf(dir, args))).toEqual(['run.js']);
    expect(outer.git('status', '--porcelain')).toBe('');
    outer.remove();
  });

  test('revisions that are unknown, ranges or look like options are refused by name', async () => {
    const harm = beside('harm');
    for (const revision of [
      'no-such-branch',
      'HEAD~99',
      'main..HEAD',
      `--output=${harm}`,
      '-p',
      '',
      'HEAD:README.md',
      ':/first text',
    ]) {
      const { code, body } = await review<ErrorAnswer>(place.dir, [`--base=${revision}`]);
      expect({ code, named: body.error.message.includes('base') }, revision).toEqual({ code: 2, named: true });
    }
    expect(existsSync(harm)).toBe(false);
  });

  test('files outside of the root are refused, also through links', async () => {
    symlinkSync('/etc', join(place.dir, 'link'));
    for (const file of ['/etc/passwd', '../', 'link/passwd', 'src/../../']) {
      const { code, body } = await review<ErrorAnswer>(place.dir, ['--files', file]);
      expect({ code, error: body.error.code }, file).toEqual({ code: 1, error: 'forbidden' });
      expect(body.error.message).toContain('outside the project root');
    }
    const missing = await review<ErrorAnswer>(place.dir, ['--files', 'no/such.js']);
    expect(missing).toMatchObject({ code: 2, body: { error: { code: 'not_found' } } });
  });
});

describe.concurrent('names', { timeout: 60_000 }, () => {
  const FOLDERS = [
    'with  spaces',
    `it's "quoted" $HOME \`id\``,
    'ünïcode 日本',
    'de\u0301compose\u0301',
    'line\nbreak',
    '-dash;&|',
  ];

  test('projects in folders of any name', async () => {
    const places = FOLDERS.map((name) => createReviewedRepository(name));
    for (let at = 0; at < places.length; at += 2) {
      await Promise.all(
        places.slice(at, at + 2).map(async ({ dir }) => {
          expect(paths(await reportOf(dir, ['--base', 'HEAD~1'])), dir).toEqual(['src/run.js']);
        }),
      );
    }
    for (const place of places) place.remove();
  });

  test('files of any name are read, and named as they are', async () => {
    const place = createReviewedRepository();
    const names = [
      'a b.js',
      'q"uo\'te.js',
      'line\nbreak.js',
      'tab\t.js',
      '-dash.js',
      'back\\slash.js',
      ':(glob)*.js',
      'ü 日本.js',
      'e\u0301.js',
      'd i r/[x].js',
    ];
    for (const name of names) place.write(name, INJECTION);
    place.commit('odd names');
    for (const args of [
      ['--base', 'HEAD~1'],
      ['--last', '1'],
    ]) {
      const report = await reportOf(place.dir, args);
      expect([...paths(report)].sort()).toEqual([...names].sort());
      const flagged = report.findings.filter(({ rule }) => rule.startsWith('security/')).map(({ file }) => file);
      expect([...new Set(flagged)].sort()).toEqual([...names].sort());
    }
    const composed = await reportOf(place.dir, ['--files', '\u00E9.js', '--files', './-dash.js']);
    expect([...paths(composed)].sort()).toEqual(['-dash.js', 'e\u0301.js']);
    const { stdout } = await skillflow(['run', 'code-review-swarm', '--base', 'HEAD~1'], { cwd: place.dir });
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000B-\u001F]/u);
    place.remove();
  });
});

test.concurrent('what cannot be reviewed is counted by reason, with examples', async () => {
  const place = createReviewedRepository();
  place.write('logo.png', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 1, 2]));
  place.write('package-lock.json', '{}\n');
  place.write('gen/client.js', '// @generated by a program\nexport const a = 1;\n');
  place.write('vendor/lib.js', INJECTION);
  place.write('huge.js', `export const huge = [\n${'  1234567890,\n'.repeat(400_000)}];\n`);
  place.write('latin1.js', Buffer.from([0x2f, 0x2f, 0x20, 0xe9, 0x0a]));
  symlinkSync('src/run.js', join(place.dir, 'alias.js'));
  place.git('rm', '--quiet', 'src/list.js');
  place.commit('all kinds');
  const report = await reportOf(place.dir, ['--base', 'HEAD~1']);
  expect(new Map(report.omissions.files.map(({ reason, examples }) => [reason, examples]))).toEqual(
    new Map([
      ['binary', ['logo.png']],
      ['deleted', ['src/list.js']],
      ['generated', ['gen/client.js', 'package-lock.json']],
      ['huge', ['huge.js']],
      ['invalid_utf8', ['latin1.js']],
      ['symlink', ['alias.js']],
      ['vendored', ['vendor/lib.js']],
    ]),
  );
  expect({ reviewed: paths(report), skipped: report.scope.skipped }).toEqual({ reviewed: [], skipped: 8 });
  place.remove();
});

describe.skipIf(process.platform === 'win32').concurrent('a hostile repository', { timeout: 60_000 }, () => {
  test('runs none of its programs', async () => {
    const place = createReviewedRepository();
    const sprung = join(place.dir, '..', 'sprung');
    const trap = join(place.dir, 'trap.sh');
    writeFileSync(trap, `#!/bin/sh\necho "$0 $@" >> '${sprung}'\ncat\n`);
    chmodSync(trap, 0o755);
    for (const hook of ['post-index-change', 'pre-commit', 'post-checkout', 'reference-transaction', 'fsmonitor-watchman']) {
      place.write(`.hooks/${hook}`, readFileSync(trap));
      chmodSync(join(place.dir, '.hooks', hook), 0o755);
    }
    place.write('.gitattributes', '*.js diff=trap filter=trap merge=trap\n*.md diff=trap\n');
    place.git('add', '--all');
    place.git('commit', '--quiet', '--message', 'trap');
    place.write('src/list.js', INJECTION);
    place.git('add', 'src/list.js');
    place.write('src/run.js', `${INJECTION}\n`);
    place.write('src/new.js', INJECTION);
    const settings = `core.fsmonitor core.pager pager.diff pager.log pager.ls-files diff.external diff.trap.textconv diff.trap.command
      filter.trap.clean filter.trap.smudge filter.trap.process core.editor core.sshCommand core.askPass gpg.program credential.helper
      core.alternateRefsCommand uploadpack.packObjectsHook interactive.diffFilter merge.trap.driver`;
    for (const setting of settings.split(/\s+/)) place.git('config', setting, trap);
    for (const alias of ['diff', 'log', 'ls-files', 'rev-parse', 'cat-file']) place.git('config', `alias.${alias}`, `!${trap}`);
    place.git('config', 'core.hooksPath', join(place.dir, '.hooks'));
    place.git('config', 'log.showSignature', 'true');
    place.git('config', 'diff.trap.cachetextconv', 'false');

    for (const args of [[], ['--base', 'HEAD~1'], ['--last', '3'], ['--staged'], ['--tree'], ['--files', 'src']]) {
      const report = await reportOf(place.dir, args);
      expect(
        paths(report).some((path) => path.endsWith('.js')),
        args.join(' '),
      ).toBe(true);
    }
    expect((await skillflow(['health'], { cwd: place.dir })).code).toBe(0);
    expect(existsSync(sprung) ? readFileSync(sprung, 'utf8') : '').toBe('');
    try {
      place.git('diff');
    } catch {
      // the trap is no good filter; whether it was sprung is what counts
    }
    expect(existsSync(sprung), 'the trap works').toBe(true);
    place.remove();
  });
});

describe.concurrent('again and again', { timeout: 60_000 }, () => {
  test('what Skillflow keeps shows neither in git nor in the next review', async () => {
    const place = createReviewedRepository();
    expect(paths(await reportOf(place.dir, ['--base', 'HEAD~1']))).toEqual(['src/run.js']);
    expect(place.git('status', '--porcelain', '--untracked-files=all')).toBe('');
    expect(paths(await reportOf(place.dir, ['--base', 'HEAD~1']))).toEqual(['src/run.js']);
    expect(paths(await reportOf(place.dir, ['--tree']))).toEqual(['README.md', 'src/list.js', 'src/run.js']);
    place.write('.skillflow/config.json', '{"threads": 1}\n');
    place.write('.skillflow/skills/own/SKILL.md', '---\nname: own\ndescription: Use when testing.\n---\n# Own\n');
    expect(place.git('status', '--porcelain', '--untracked-files=all')).toBe(
      '?? .skillflow/config.json\n?? .skillflow/skills/own/SKILL.md\n',
    );
    place.commit('share');
    place.git('clone', '--quiet', place.dir, join(place.dir, '..', 'clone'));
    const clone = join(place.dir, '..', 'clone');
    await reportOf(clone, ['--base', 'HEAD~1']);
    const { stdout } = await skillflow(['config', '--json'], { cwd: clone });
    expect(JSON.parse(stdout)).toMatchObject({ threads: 1 });
    place.git('-C', clone, 'add', '--all');
    expect(place.git('-C', clone, 'status', '--porcelain')).toBe('');
    place.remove();
  });

  test('a finding keeps its id when lines above it come and go', async () => {
    const place = createReviewedRepository();
    const ids = async (): Promise<readonly string[]> =>
      (await reportOf(place.dir, ['--files', 'src/run.js'])).findings.map(({ id, rule }) => `${rule} ${id}`);
    const before = await ids();
    expect(before.length).toBeGreaterThan(0);
    const text = readFileSync(join(place.dir, 'src', 'run.js'), 'utf8');
    place.write('src/run.js', `// one\n\n// two\n${text.replace('export function', '// three\n\nexport function')}\n// four\n`);
    expect(await ids()).toEqual(before);
    place.remove();
  });

  test('the same input gives the same findings, ballots and decisions, byte for byte', async () => {
    const place = createReviewedRepository();
    for (let at = 0; at < 12; at += 1) place.write(`src/copy-${at}.js`, INJECTION.repeat(1 + (at % 3)));
    place.commit('copies');
    const once = async (args: readonly string[]): Promise<string> => {
      const { body } = await review(place.dir, ['--base', 'HEAD~2', ...args]);
      const { findings } = JSON.parse(readFileSync(join(place.dir, '.skillflow', 'runs', body.runId, 'report.json'), 'utf8'));
      const events = await askJson<{ events: readonly EventAnswer[] }>(['events', body.runId, '--limit', '1000'], {
        cwd: place.dir,
      });
      const told = ['finding_reported', 'ballot_cast', 'decision_made'].map((type) =>
        events.body.events
          .filter((event) => event.type === type)
          .map(({ runId: _run, seq: _seq, at: _at, ...event }) => JSON.stringify(event))
          .sort(),
      );
      expect(told.every((lines) => lines.length > 0)).toBe(true);
      return JSON.stringify({ findings, told });
    };
    const first = await once([]);
    expect(await once([])).toBe(first);
    expect(await once(['--threads', '1'])).toBe(first);
    place.remove();
  });
});
