import { availableParallelism } from 'node:os';
import type { SourceFile } from '../changes.ts';
import { CancelledError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import { type FileTaskName, type FileTasks, type Outcome, runFileTask } from './file-tasks.ts';
import { createWorkerThreads } from './worker-threads.ts';

interface FileRunOptions {
  readonly signal: AbortSignal;
  /** Called after every few files with the number done, up to `files.length`. */
  readonly onProgress?: ((done: number) => void) | undefined;
}

/** Does per-file tasks, in worker threads where that pays. */
export interface FileRunner extends AsyncDisposable {
  /**
   * One outcome a file, in the order of `files`, whatever the number of threads. A file whose task throws or crashes
   * its worker has an outcome with the reason; the others are still done. Rejects with `CancelledError` when the
   * signal aborts, with `UnavailableError` when no worker starts.
   */
  run<K extends FileTaskName>(
    task: K,
    input: FileTasks[K]['input'],
    files: readonly SourceFile[],
    options: FileRunOptions,
  ): Promise<readonly Outcome<FileTasks[K]['output']>[]>;
}

export interface FileRunnerDeps {
  readonly runtime: Runtime;
  /** The worker's module; `null` does everything in this thread. */
  readonly workerUrl: URL | null;
  /** Worker threads; default: the processors, at most 4. */
  readonly threads?: number | undefined;
}

const MAX_THREADS = 4;
const INLINE_FILES = 8;
const INLINE_FILES_BYTES = 1024 * 1024;
const INLINE_BYTES = 200 * 1024;
/** How long work in this thread holds the event loop, unless a single file takes longer. */
const SLICE_MS = 20;

/** Starting threads costs more than a small job. */
function isSmall(files: readonly SourceFile[]): boolean {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return bytes < INLINE_BYTES || (files.length <= INLINE_FILES && bytes < INLINE_FILES_BYTES);
}

const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Work in this thread, in slices that let the event loop turn. */
function createInlineRun(runtime: Runtime): FileRunner['run'] {
  return async (task, input, files, { signal, onProgress }) => {
    const outcomes: Outcome<FileTasks[typeof task]['output']>[] = [];
    let sliceStart = runtime.ticks();
    for (const file of files) {
      if (signal.aborted) throw new CancelledError('the analysis was cancelled');
      outcomes.push(await runFileTask(task, input, file));
      if (runtime.ticks() - sliceStart < SLICE_MS) continue;
      onProgress?.(outcomes.length);
      await breathe();
      sliceStart = runtime.ticks();
    }
    onProgress?.(files.length);
    return outcomes;
  };
}

/** Small jobs (under 200 KiB, or at most 8 files under 1 MiB) stay in this thread; larger ones go to workers. */
export function createFileRunner({ runtime, workerUrl, threads }: FileRunnerDeps): FileRunner {
  const runInline = createInlineRun(runtime);
  const wanted = Math.max(1, threads ?? Math.min(MAX_THREADS, availableParallelism()));
  const workers = workerUrl === null ? null : createWorkerThreads(workerUrl, wanted);
  return {
    run: (task, input, files, options) =>
      workers === null || isSmall(files) ? runInline(task, input, files, options) : workers.run(task, input, files, options),
    async [Symbol.asyncDispose]() {
      await workers?.[Symbol.asyncDispose]();
    },
  };
}
