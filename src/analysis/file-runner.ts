import { availableParallelism } from 'node:os';
import type { Piscina } from 'piscina';
import type { SourceFile } from '../changes.ts';
import { CancelledError, UnavailableError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import { type FileTaskName, type FileTasks, type Outcome, runFileTask } from './file-tasks.ts';
import { loadParsers } from './syntax.ts';

export interface FileRunOptions {
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

/** The threads, and whether they turned out not to start. */
interface Workers {
  readonly pool: Piscina;
  /** Aborted with the error of a worker that died outside of a task: its module does not load. */
  readonly broken: AbortSignal;
}

/** What travels to a worker. */
export interface FileBatch {
  readonly task: FileTaskName;
  readonly input: FileTasks[FileTaskName]['input'];
  readonly files: readonly SourceFile[];
}

const MAX_THREADS = 4;
const INLINE_FILES = 8;
const INLINE_FILES_BYTES = 1024 * 1024;
const INLINE_BYTES = 200 * 1024;
const BATCH_FILES = 16;
const BATCH_BYTES = 256 * 1024;
const WORKER_HEAP_MB = 256;
const IDLE_MS = 5_000;
/** Files in a row that no worker survived before the worker itself is taken to be broken. */
const MAX_CRASHES = 3;
/** How long inline work holds the event loop. */
const SLICE_MS = 20;

function totalBytes(files: readonly SourceFile[]): number {
  return files.reduce((sum, file) => sum + file.bytes, 0);
}

/** Starting threads costs more than a small job. */
function isSmall(files: readonly SourceFile[]): boolean {
  const bytes = totalBytes(files);
  return bytes < INLINE_BYTES || (files.length <= INLINE_FILES && bytes < INLINE_FILES_BYTES);
}

/** Cuts the list into batches of at most 16 files and about 256 KiB, as `[from, to)`. */
export function batchRanges(files: readonly SourceFile[]): { from: number; to: number }[] {
  const ranges: { from: number; to: number }[] = [];
  let from = 0;
  let bytes = 0;
  for (const [at, file] of files.entries()) {
    if (at > from && (at - from >= BATCH_FILES || bytes + file.bytes > BATCH_BYTES)) {
      ranges.push({ from, to: at });
      from = at;
      bytes = 0;
    }
    bytes += file.bytes;
  }
  if (from < files.length) ranges.push({ from, to: files.length });
  return ranges;
}

function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new CancelledError('the analysis was cancelled');
}

function notRunning(url: URL, reason: unknown): UnavailableError {
  const why = reason instanceof Error ? reason.message : String(reason);
  return new UnavailableError(`the analysis worker ${url.href} does not run: ${why}`, {
    hint: 'Reinstall Skillflow; if that does not help, report this message.',
  });
}

const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export function createFileRunner({ runtime, workerUrl, threads }: FileRunnerDeps): FileRunner {
  const lanes = Math.max(1, threads ?? Math.min(MAX_THREADS, availableParallelism()));
  let started: Promise<Workers> | undefined;

  const startWorkers = async (url: URL): Promise<Workers> => {
    const { Piscina } = await import('piscina');
    loadParsers();
    const pool = new Piscina({
      filename: url.href,
      minThreads: 0,
      maxThreads: lanes,
      idleTimeout: IDLE_MS,
      resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB },
    });
    const broken = new AbortController();
    pool.on('error', (error: unknown) => broken.abort(error));
    return { pool, broken: broken.signal };
  };

  const runInline: FileRunner['run'] = async (task, input, files, { signal, onProgress }) => {
    const outcomes: Awaited<ReturnType<typeof runFileTask<typeof task>>>[] = [];
    let sliceStart = runtime.ticks();
    for (const file of files) {
      throwIfAborted(signal);
      outcomes.push(await runFileTask(task, input, file));
      if (runtime.ticks() - sliceStart < SLICE_MS) continue;
      onProgress?.(outcomes.length);
      await breathe();
      sliceStart = runtime.ticks();
    }
    onProgress?.(files.length);
    return outcomes;
  };

  const runPooled = async <K extends FileTaskName>(
    url: URL,
    task: K,
    input: FileTasks[K]['input'],
    files: readonly SourceFile[],
    { signal, onProgress }: FileRunOptions,
  ): Promise<Outcome<FileTasks[K]['output']>[]> => {
    started ??= startWorkers(url);
    const { pool, broken } = await started;
    const stop = AbortSignal.any([signal, broken]);
    const outcomes: Outcome<FileTasks[K]['output']>[] = [];
    let done = 0;
    let crashes = 0;
    let survived = false;

    const send = async (from: number, to: number): Promise<string | null> => {
      throwIfAborted(signal);
      try {
        const batch: FileBatch = { task, input, files: files.slice(from, to) };
        const results: readonly Outcome<FileTasks[K]['output']>[] = await pool.run(batch, { signal: stop });
        for (const [i, result] of results.entries()) outcomes[from + i] = result;
        survived = true;
        return null;
      } catch (error) {
        throwIfAborted(signal);
        if (broken.aborted) throw notRunning(url, broken.reason);
        return error instanceof Error ? error.message : String(error);
      }
    };
    // A worker died: its files again one by one, so that only the deadly one is lost.
    const sendSingly = async (from: number, to: number): Promise<void> => {
      for (let at = from; at < to; at += 1) {
        const failure = await send(at, at + 1);
        if (failure === null) continue;
        crashes += 1;
        if (!survived && crashes >= MAX_CRASHES) throw notRunning(url, failure);
        outcomes[at] = { ok: false, reason: `its worker died: ${failure}` };
      }
    };
    const ranges = batchRanges(files).values();
    const drain = async (): Promise<void> => {
      for (const { from, to } of ranges) {
        const failure = await send(from, to);
        if (failure !== null) await sendSingly(from, to);
        done += to - from;
        onProgress?.(done);
      }
    };
    await Promise.all(Array.from({ length: lanes }, drain));
    return outcomes;
  };

  return {
    run: (task, input, files, options) =>
      workerUrl === null || isSmall(files)
        ? runInline(task, input, files, options)
        : runPooled(workerUrl, task, input, files, options),
    async [Symbol.asyncDispose]() {
      const workers = started;
      started = undefined;
      if (workers !== undefined) await (await workers).pool.destroy();
    },
  };
}
