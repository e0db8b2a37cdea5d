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
