// How long code-review-swarm takes, and its memory: 50 changed files, and a tree of 100,000 lines of real code.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { machine, measure } from './child.ts';

const BIN = join(process.cwd(), 'dist', 'bin.cjs');
const TREE_LINES = 100_000;
const CHANGED_FILES = 50;

interface Sample {
  readonly text: string;
  readonly lines: number;
  readonly extension: string;
}

/** Real code from the development dependencies: files that a person wrote, by size. */
function samples(): readonly Sample[] {
  const folder = join(process.cwd(), 'node_modules');
  const found: Sample[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true }).sort((a, b) =>
    a.parentPath + a.name < b.parentPath + b.name ? -1 : 1,
  )) {
    const extension = /(?<!\.d|\.min)\.([cm]?[jt]sx?)$/.exec(entry.name)?.[1];
    if (!entry.isFile() || extension === undefined || /[\\/]\.(?:cache|vite)/.test(entry.parentPath)) continue;
    const text = readFileSync(join(entry.parentPath, entry.name), 'utf8');
    const lines = text.split('\n').length;
    if (lines < 40 || lines > 3000 || text.length / lines > 90 || /generated|do not edit/i.test(text.slice(0, 1000))) continue;
    found.push({ text, lines, extension });
    if (found.reduce((sum, sample) => sum + sample.lines, 0) > TREE_LINES * 1.2) break;
  }
  return found;
}

function git(cwd: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(
    'git',
    ['-c', 'user.name=bench', '-c', 'user.email=bench@example.org', '-c', 'commit.gpgsign=false', ...args],
    { cwd, encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`);
}

function project(build: (folder: string) => void): string {
  const folder = mkdtempSync(join(tmpdir(), 'skillflow-bench-'));
  git(folder, 'init', '--quiet', '--initial-branch=main');
  mkdirSync(join(folder, 'src'));
  build(folder);
  return folder;
}

function put(folder: string, from: readonly Sample[]): number {
  for (const [at, { text, extension }] of from.entries()) writeFileSync(join(folder, 'src', `module-${at}.${extension}`), text);
  git(folder, 'add', '.');
  git(folder, 'commit', '--quiet', '--message', 'code');
  return from.reduce((sum, { lines }) => sum + lines, 0);
}

async function review(name: string, folder: string, selection: readonly string[], limits: string): Promise<void> {
  try {
    const { wallMs, cpuMs, rssMb, stdout, code } = await measure(
      [BIN, 'run', 'code-review-swarm', '--json', ...selection],
      folder,
    );
    const run: { status: string; files: number; findings: object } = JSON.parse(stdout);
    if (code !== 0 || run.status !== 'completed') throw new Error(`the run ended as ${run.status}, exit code ${code}: ${stdout}`);
    console.log(
      `${name}: ${(wallMs / 1000).toFixed(1)} s wall, ${(cpuMs / 1000).toFixed(1)} s CPU, ${rssMb.toFixed(0)} MB (${limits}); ${run.files} files, findings ${JSON.stringify(run.findings)}`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const all = samples();
  console.log(machine());
  let changedLines = 0;
  const changed = project((folder) => {
    const some = all.slice(0, CHANGED_FILES);
    put(folder, some);
    for (const [at, { text, extension }] of some.entries()) {
      // Every fourth line is written anew, so that the change runs through the whole file.
      const lines = text
        .split('\n')
        .map((line, index) => (index % 4 === 0 && line.trim() !== '' && !line.includes('`') ? `${line} ` : line));
      changedLines += lines.length;
      writeFileSync(join(folder, 'src', `module-${at}.${extension}`), lines.join('\n'));
    }
  });
  await review(
    `${CHANGED_FILES} changed files of ${changedLines} lines together`,
    changed,
    ['--base', 'HEAD'],
    'at most 10 s, 600 MB',
  );
  let lines = 0;
  const tree = project((folder) => {
    let end = 0;
    for (let sum = 0; sum < TREE_LINES && end < all.length; end += 1) sum += all[end]?.lines ?? 0;
    lines = put(folder, all.slice(0, end));
  });
  await review(`a tree of ${lines} lines`, tree, ['--tree'], 'at most 60 s');
}

await main();
