import type { LineRange } from '../changes.ts';
import { type Git, gitOutput } from './git.ts';

/** One file of a diff. */
export interface DiffEntry {
  /** Path from the project root after the change, `/`-separated. */
  readonly path: string;
  /** git's letter: A added, D deleted, M modified, R renamed, T type changed, U unmerged. */
  readonly letter: string;
  /** Octal file mode after the change, `000000` when deleted. */
  readonly mode: string;
  /** Whether the mode differs from before. */
  readonly modeChanged: boolean;
  /** Hash of the new content; all zeros when only the working tree has it. */
  readonly blob: string;
  /** Lines added or modified, ascending; empty where only lines went away, or git calls the file binary. */
  readonly lines: readonly LineRange[];
  /** git calls the file binary, by its content or by an attribute. */
  readonly binary: boolean;
}

const DIFF_ARGS = [
  'diff',
  '--raw',
  '--numstat',
  '--patch',
  '-z',
  '--no-abbrev',
  '--unified=0',
  '--inter-hunk-context=0',
  '--relative',
  '--find-renames',
  '--no-color',
  '--no-ext-diff',
  '--no-textconv',
  '--submodule=short',
  // compares recorded commits without running git inside the submodule, whose configuration is not trusted either
  '--ignore-submodules=dirty',
  '--src-prefix=a/',
  '--dst-prefix=b/',
  '-O/dev/null',
] as const;

const ESCAPES: Readonly<Record<string, number>> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '"': 34, '\\': 92 };

/** Undoes git's C-style quoting of a path (`core.quotepath` in git-config(1)); an unquoted one loses git's final tab. */
function unquotePath(quoted: string): string {
  if (!quoted.startsWith('"')) return quoted.replace(/\t$/u, '');
  const bytes: number[] = [];
  const pattern = /\\(?<octal>[0-7]{3})|\\(?<letter>.)|(?<plain>[^\\"]+)/gsu;
  for (const { groups } of quoted.slice(1).matchAll(pattern)) {
    if (groups?.['octal'] !== undefined) bytes.push(Number.parseInt(groups['octal'], 8));
    else if (groups?.['letter'] !== undefined) bytes.push(ESCAPES[groups['letter']] ?? 63);
    else bytes.push(...Buffer.from(groups?.['plain'] ?? '', 'utf8'));
  }
  return Buffer.from(bytes).toString('utf8');
}

/** Added lines by path. Hunk lines are counted off, so a changed line that looks like a header is not taken for one. */
function addedLines(patch: string): Map<string, LineRange[]> {
  const added = new Map<string, LineRange[]>();
  const rows = patch.split('\n');
  let current: LineRange[] = [];
  for (let i = 0; i < rows.length; i += 1) {
    const row = rows[i] ?? '';
    const hunk = /^@@ -\d+(?:,(?<removed>\d+))? \+(?<start>\d+)(?:,(?<added>\d+))? @@/u.exec(row)?.groups;
    if (hunk !== undefined) {
      const start = Number(hunk['start']);
      const count = Number(hunk['added'] ?? 1);
      if (count > 0) current.push({ start, end: start + count - 1 });
      i += count + Number(hunk['removed'] ?? 1);
    } else if (row.startsWith('+++ ')) {
      current = [];
      added.set(unquotePath(row.slice(4)).slice('b/'.length), current);
    }
  }
  return added;
}

interface RawRow {
  readonly path: string;
  readonly letter: string;
  readonly oldMode: string;
  readonly mode: string;
  readonly blob: string;
}

/** Reads NUL-terminated fields off the front of git's output. */
function createFields(output: string): { next: () => string; peek: () => string; rest: () => string } {
  let at = 0;
  const end = (): number => {
    const found = output.indexOf('\0', at);
    return found === -1 ? output.length : found;
  };
  return {
    peek: () => output.slice(at, end()),
    next: () => {
      const field = output.slice(at, end());
      at = end() + 1;
      return field;
    },
    rest: () => output.slice(at),
  };
}

/** Parses `--raw --numstat --patch -z`: raw rows, counts, an empty field, the patch (git-diff(1), "raw output format"). */
function parseDiff(output: string): DiffEntry[] {
  const fields = createFields(output);
  const rows: RawRow[] = [];
  while (fields.peek().startsWith(':')) {
    const [oldMode = '', mode = '', , blob = '', status = ''] = fields.next().slice(1).split(' ');
    const letter = status.charAt(0);
    if (letter === 'R' || letter === 'C') fields.next();
    rows.push({ path: fields.next(), letter, oldMode, mode, blob });
  }
  const counts = new Map<string, string>();
  while (fields.peek() !== '') {
    const row = /^(?<added>\d+|-)\t(?<removed>\d+|-)\t(?<path>.*)$/su.exec(fields.next())?.groups;
    const renamed = row?.['path'] === '';
    if (renamed) fields.next();
    const path = renamed ? fields.next() : (row?.['path'] ?? '');
    counts.set(path, `${row?.['added'] ?? ''}/${row?.['removed'] ?? ''}`);
  }
  fields.next();
  const lines = addedLines(fields.rest());
  return (
    rows
      .map((row) => ({
        path: row.path,
        letter: row.letter,
        mode: row.mode,
        modeChanged: row.oldMode !== row.mode,
        blob: row.blob,
        lines: lines.get(row.path) ?? [],
        binary: counts.get(row.path) === '-/-',
        counts: counts.get(row.path) ?? '0/0',
      }))
      // git lists a file whose time stamp alone changed, without a difference
      .filter((entry) => entry.letter !== 'M' || entry.modeChanged || entry.counts !== '0/0')
      .map(({ counts: _counts, ...entry }) => entry)
  );
}

/**
 * A diff of the project root's files, renames found; paths outside the root are left out. `args` names what to compare
 * (a full hash, `--cached`); no path arguments. Sorted as git sorts. Rejects with `UnavailableError` in git's words.
 */
export async function readDiff(git: Git, args: readonly string[]): Promise<DiffEntry[]> {
  const output = await gitOutput(git, [...DIFF_ARGS, ...args, '--']);
  return parseDiff(output.toString('utf8'));
}
