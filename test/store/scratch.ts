import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach } from 'vitest';
import { createRuntime, type Runtime } from '../../src/runtime.ts';
import { bundleProgram } from '../helpers/bundle-program.ts';

/** The real runtime, silent, with some parts replaced. */
export function testRuntime(parts: Partial<Runtime> = {}): Runtime {
  return { ...createRuntime('silent'), ...parts };
}

/** Time that runs `factor` times faster, for waits of many seconds. */
export function hurried(factor: number): Partial<Runtime> {
  const real = createRuntime('silent');
  return { ticks: () => real.ticks() * factor, sleep: (ms, signal) => real.sleep(ms / factor, signal) };
}

/** A factory of folders that are removed after each test, after what `onCleanUp` was given. */
export function useScratch(): { folder(): Promise<string>; onCleanUp(action: () => Promise<unknown>): void } {
  const folders: string[] = [];
  const actions: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const action of actions.splice(0).reverse()) await action();
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
  });
  return {
    folder: async () => {
      const folder = realpathSync(await mkdtemp(join(tmpdir(), 'skillflow-store-')));
      folders.push(folder);
      return folder;
    },
    onCleanUp: (action) => void actions.push(action),
  };
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** Names and hashes of all files in a folder. */
export function contents(folder: string): Record<string, string> {
  return Object.fromEntries(readdirSync(folder).map((name) => [name, sha256(join(folder, name))]));
}

/** Bundles `worker.ts` for plain Node. */
export function bundleWorker(): ReturnType<typeof bundleProgram> {
  return bundleProgram(fileURLToPath(new URL('worker.ts', import.meta.url)));
}

export interface Outcome {
  readonly code: number | null;
  /** Lines of stdout. */
  readonly lines: readonly string[];
  readonly stderr: string;
}

/** Starts a program; `onLine` sees each line of its stdout and may kill it. */
export function start(
  file: string,
  args: readonly string[],
  onLine?: (count: number, kill: () => void) => void,
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      onLine?.(stdout.split('\n').length - 1, () => child.kill('SIGKILL'));
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, lines: stdout.split('\n').slice(0, -1), stderr }));
  });
}

export function hasProgram(name: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, name)));
}
