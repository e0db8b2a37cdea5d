import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';

/** The built program: what users run. */
export const BIN = join(import.meta.dirname, '..', '..', 'dist', 'bin.cjs');

if (!existsSync(BIN)) throw new Error('the product is not built; run npm test, which builds it first');

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProcessOptions {
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
}

/** The environment of a user without any settings of ours. */
export function plainEnvironment(cwd: string, extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(?:SKILLFLOW_|CLAUDE_|NO_COLOR$|FORCE_COLOR$|GIT_|VITEST|NODE_)/.test(name),
  );
  return {
    ...Object.fromEntries(kept),
    HOME: join(cwd, '..'),
    XDG_CACHE_HOME: join(tmpdir(), 'skillflow-e2e-cache'),
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    ...extra,
  };
}

/** Starts the program and leaves it running. */
export function startSkillflow(args: readonly string[], { cwd, env }: ProcessOptions): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [BIN, ...args], { cwd, env: plainEnvironment(cwd, env), stdio: 'pipe' });
}

/** Runs the program to its end. */
export function skillflow(args: readonly string[], options: ProcessOptions): Promise<Finished> {
  const child = startSkillflow(args, options);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** A temporary folder that holds a project folder; both go with {@link Place.remove}. */
export interface Place {
  /** The project; a real path. */
  readonly dir: string;
  write(path: string, text: string | Buffer): void;
  git(...args: readonly string[]): string;
  /** `git add` and `git commit` of everything. */
  commit(message?: string): void;
  remove(): void;
}

/** A test that fails leaves its places to the end of its file. */
const places: Place[] = [];
afterAll(() => {
  for (const place of places) place.remove();
});

export function createPlace(name = 'project'): Place {
  const outer = realpathSync(mkdtempSync(join(tmpdir(), 'skillflow-e2e-')));
  const dir = join(outer, name);
  mkdirSync(dir);
  const git = (...args: readonly string[]): string => {
    const identity = [
      '-c',
      'user.name=Tester',
      '-c',
      'user.email=tester@example.org',
      '-c',
      'commit.gpgsign=false',
      '-c',
      'protocol.file.allow=always',
    ];
    const { status, stdout, stderr } = spawnSync('git', [...identity, ...args], {
      cwd: dir,
      encoding: 'utf8',
      env: plainEnvironment(dir),
    });
    if (status !== 0) throw new Error(`git ${args.join(' ')} failed: ${stderr}`);
    return stdout;
  };
  const place: Place = {
    dir,
    write: (path, text) => {
      mkdirSync(dirname(join(dir, path)), { recursive: true });
      writeFileSync(join(dir, path), text);
    },
    git,
    commit: (message = 'change') => {
      git('add', '--all');
      git('commit', '--quiet', '--allow-empty', '--message', message);
    },
    remove: () => rmSync(outer, { recursive: true, force: true }),
  };
  places.push(place);
  return place;
}

/** A repository whose last commit holds an injection that any reviewer should see, and its first one nothing. */
export function createReviewedRepository(name?: string): Place {
  const place = createPlace(name);
  place.git('init', '--quiet', '--initial-branch=main');
  place.write('src/list.js', 'export function add(a, b) {\n  return a + b;\n}\n');
  place.write('README.md', '# A project\n');
  place.commit('first');
  place.write(
    'src/run.js',
    [
      "import { exec } from 'node:child_process';",
      '',
      'export function listFolder(request, response) {',
      '  exec(`ls ${request.query.folder}`, (error, stdout) => response.end(stdout));',
      '}',
      '',
    ].join('\n'),
  );
  place.commit('list a folder');
  return place;
}
