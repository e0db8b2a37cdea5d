import type { Piscina } from 'piscina';
import type { SourceFile } from '../changes.ts';
import { CancelledError, UnavailableError } from '../errors.ts';
import type { FileTaskName, FileTasks, Outcome } from './file-tasks.ts';
import { loadParsers } from './syntax.ts';

/** What travels to a worker. */
export interface FileBatch {
  readonly task: FileTaskName;
  readonly input: FileTasks[FileTaskName]['input'];
  readonly files: readonly SourceFile[];
}

/** The threads, and whether they turned out not to start. */
interface Workers {
  readonly pool: Piscina;
  /** Aborted with the error of a worker that died outside of a task: its module does not load. */
  readonly broken: AbortSignal;
}

export interface WorkerThreads extends AsyncDisposable {
  /** See `FileRunner.run`. */
  run<K extends FileTaskName>(
    task: K,
    input: FileTasks[K]['input'],
    files: readonly SourceFile[],
    options: { readonly signal: AbortSignal; readonly onProgress?: ((done: number) => void) | undefined },
  ): Promise<readonly Outcome<FileTasks[K]['output']>[]>;
}

const BATCH_FILES = 16;
const BATCH_BYTES = 256 * 1024;
const WORKER_HEAP_MB = 256;
const IDLE_MS = 5_000;
/** Files in a row that no worker survived before the worker itself is taken to be broken. */
const MAX_CRASHES = 3;

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

function notRunning(url: URL, reason: unknown): UnavailableError {
  const why = reason instanceof Error ? reason.message : String(reason);
  return new UnavailableError(`the analysis worker ${url.href} does not run: ${why}`, {
    hint: 'Reinstall Skillflow; if that does not help, report this message.',
  });
}

async function startWorkers(url: URL, threads: number): Promise<Workers> {
  const { Piscina } = await import('piscina');
  loadParsers();
  const pool = new Piscina({
    filename: url.href,
    minThreads: 0,
    maxThreads: threads,
    idleTimeout: IDLE_MS,
    resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB },
  });
  const broken = new AbortController();
  pool.on('error', (error: unknown) => broken.abort(error));
  return { pool, broken: broken.signal };
}

/** Threads that do batches of per-file tasks; they start with the first run and end when they are idle for 5 s. */
export function createWorkerThreads(url: URL, threads: number): WorkerThreads {
  let started: Promise<Workers> | undefined;

  const run: WorkerThreads['run'] = async (task, input, files, { signal, onProgress }) => {
    started ??= startWorkers(url, threads);
    const { pool, broken } = await started;
    const stop = AbortSignal.any([signal, broken]);
    const outcomes: Outcome<FileTasks[typeof task]['output']>[] = [];
    let done = 0;
    let crashes = 0;
    let survived = false;

    const send = async (from: number, to: number): Promise<string | null> => {
      if (signal.aborted) throw new CancelledError('the analysis was cancelled');
      try {
        const batch: FileBatch = { task, input, files: files.slice(from, to) };
        const results: typeof outcomes = await pool.run(batch, { signal: stop });
        for (const [i, result] of results.entries()) outcomes[from + i] = result;
        survived = true;
        return null;
      } catch (error) {
        if (signal.aborted) throw new CancelledError('the analysis was cancelled', { cause: error });
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
        if ((await send(from, to)) !== null) await sendSingly(from, to);
        done += to - from;
        onProgress?.(done);
      }
    };
    await Promise.all(Array.from({ length: threads }, drain));
    return outcomes;
  };

  return {
    run,
    async [Symbol.asyncDispose]() {
      const workers = started;
      started = undefined;
      if (workers !== undefined) await (await workers).pool.destroy();
    },
  };
}
