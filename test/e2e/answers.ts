import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { skillflow } from './product.ts';
import type { ProcessOptions } from './product.ts';

/** What `--json` printed. */
export interface JsonAnswer<T> {
  readonly code: number | null;
  readonly body: T;
  readonly stderr: string;
}

/** The printable form of an error. */
export interface ErrorAnswer {
  readonly error: { readonly code: string; readonly message: string; readonly hint?: string };
}

/** What `run` and `show` print, as far as tests look at it. */
export interface RunAnswer {
  readonly runId: string;
  readonly skill: string;
  readonly status: string;
  readonly reason: string | null;
  readonly files: number | null;
  readonly findings: { readonly confirmed: number; readonly undecided: number; readonly rejected: number } | null;
  readonly bySeverity: Readonly<Record<string, number>>;
  readonly outputs: readonly string[];
  readonly steps: readonly {
    readonly stepId: string;
    readonly agentId: string;
    readonly kind: string;
    readonly status: string;
  }[];
  readonly topFindings: readonly { readonly rule: string; readonly place: string; readonly reportedBy: readonly string[] }[];
  readonly notLookedAt: readonly string[];
}

export interface RunsAnswer {
  readonly runs: readonly RunAnswer[];
  readonly total: number;
}

export interface EventAnswer {
  readonly type: string;
  readonly runId: string;
  readonly seq: number;
  readonly at: number;
}

/** Runs a command with `--json` and parses its output, which must be one document on one line. */
export async function askJson<T>(args: readonly string[], options: ProcessOptions): Promise<JsonAnswer<T>> {
  const { code, stdout, stderr } = await skillflow(['--json', ...args], options);
  if (!/^[^\n]+\n$/.test(stdout)) throw new Error(`expected one line of JSON, got ${JSON.stringify(stdout)} (stderr: ${stderr})`);
  const body: T = JSON.parse(stdout);
  return { code, body, stderr };
}

/** Polls until `probe` gives something; the time allowed is for a loaded machine. */
export async function until<T>(
  probe: () => T | undefined | Promise<T | undefined>,
  what: string,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}

function isWhole(path: string): boolean {
  const text = readFileSync(path, 'utf8');
  if (path.endsWith('.md')) return /^# [\s\S]*\n$/.test(text);
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * What is wrong with the reports in a project: files that are not whole, and files that a completed run lacks. A run
 * that did not complete need not have any.
 */
export function reportFaults(dir: string, completed: readonly string[]): readonly string[] {
  const folder = join(dir, '.skillflow', 'runs');
  const listed = existsSync(folder) ? readdirSync(folder) : [];
  return [...new Set([...listed, ...completed])].flatMap((run) => {
    const names = listed.includes(run) ? readdirSync(join(folder, run)).filter((name) => !name.startsWith('.')) : [];
    const wanted = completed.includes(run) ? ['report.json', 'report.md', 'report.sarif'] : [];
    return [
      ...wanted.filter((name) => !names.includes(name)).map((name) => `${run}/${name} is missing`),
      ...names.filter((name) => !isWhole(join(folder, run, name))).map((name) => `${run}/${name} is not whole`),
    ];
  });
}

/** Ids of the completed ones among runs. */
export function completedIds({ runs }: RunsAnswer): readonly string[] {
  return runs.filter(({ status }) => status === 'completed').map(({ runId }) => runId);
}
