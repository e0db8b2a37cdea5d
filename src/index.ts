import { fileURLToPath } from 'node:url';
import type { ErrorBody, ErrorCode } from './errors.ts';
import type { CallResult, Caller } from './executor/executor.ts';
import { openApp } from './open-app.ts';
import { createRuntime } from './runtime.ts';

export type { CallResult, Caller, ErrorBody, ErrorCode };

declare const SKILLFLOW_VERSION: string;

export interface OpenOptions {
  /** Where to look for the project from; default: the current directory. */
  readonly cwd?: string;
  /** The project's root itself, instead of looking for it. */
  readonly root?: string;
  /** Refuse every tool that changes something; default `false`. */
  readonly readOnly?: boolean;
}

/** An open project. Dispose it to close what it opened. */
export interface Project extends AsyncDisposable {
  /** Names of the tools. */
  readonly tools: readonly string[];
  /** Calls a tool: `{ok: true, output}` or `{ok: false, error}`. Never rejects. */
  call(tool: string, input?: unknown, options?: Omit<Caller, 'surface'>): Promise<CallResult>;
}

/** Opens a project for programs. Throws an error with a `code` and a `hint` when the project or its settings are wrong. */
export async function openProject({ cwd = process.cwd(), root, readOnly }: OpenOptions = {}): Promise<Project> {
  const skillflow = await openApp({
    runtime: createRuntime(),
    version: SKILLFLOW_VERSION,
    cwd,
    packageDir: fileURLToPath(new URL('..', import.meta.url)),
    workerUrl: new URL('analysis-worker.js', import.meta.url),
    vectorWorkerUrl: new URL('vector-worker.js', import.meta.url),
    flags: { ...(root === undefined ? {} : { root }), ...(readOnly === undefined ? {} : { readOnly }) },
  });
  return {
    tools: skillflow.tools.map(({ name }) => name),
    call: (tool, input = {}, options = {}) => skillflow.call(tool, input, { surface: 'api', ...options }),
    [Symbol.asyncDispose]: () => skillflow[Symbol.asyncDispose](),
  };
}
