import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { CancelledError, DeadlineError, UnavailableError } from './errors.ts';

export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug';

/** Result of a child process that ran to its end. */
export interface ExecResult {
  /** Exit code; `null` when a signal ended it. */
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface ExecOptions {
  readonly cwd: string;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds before the child is killed; default 60,000. */
  readonly timeoutMs?: number;
  /** Bytes of stdout kept before the child is killed; default 256 MiB. */
  readonly maxBytes?: number;
  /** Bytes written to the child's stdin. */
  readonly input?: string | Buffer;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Gives the child a process group of its own, and ends whatever is left of that group with it (not on Windows). */
  readonly group?: boolean;
  /** Hears the child's pid as soon as it runs. */
  readonly onStart?: (pid: number) => void;
}

/** Memory of a process in bytes; see Node's `process.memoryUsage`. */
export interface MemoryUsage {
  readonly rss: number;
  readonly heapTotal: number;
  readonly heapUsed: number;
  readonly external: number;
  readonly arrayBuffers: number;
}

/**
 * Every effect that is not the database or the file system: clock, ids, randomness, environment, log, sleep, child
 * processes. Code takes a `Runtime` as an argument, so tests pass one with a fixed clock and seeded ids.
 */
export interface Runtime {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Monotonic milliseconds, for durations. */
  ticks(): number;
  /** A new id, `<prefix>_<time-ordered base32>`, 26 characters after the prefix's underscore. */
  id(prefix: string): string;
  /** Uniform in [0, 1). */
  random(): number;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  /** Of this process, now. */
  memoryUsage(): MemoryUsage;
  readonly host: string;
  /** Whether a process with this pid is alive on this host. */
  alive(pid: number): boolean;
  log(level: Exclude<LogLevel, 'silent'>, message: string): void;
  /** Resolves after `ms`, or rejects with {@link CancelledError} when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /**
   * Runs a program without a shell. Resolves with any exit code; rejects with {@link UnavailableError} when the
   * program is not found, {@link DeadlineError} on time-out, {@link CancelledError} when the signal aborts.
   */
  exec(file: string, args: readonly string[], options: ExecOptions): Promise<ExecResult>;
}

const BASE32 = '0123456789abcdefghjkmnpqrstvwxyz';

/** ULID in lower case: 48 bits of time, 80 random bits, Crockford base32 (source: github.com/ulid/spec). */
function ulid(atMs: number, bytes: Uint8Array): string {
  let time = '';
  let rest = atMs;
  for (let i = 0; i < 10; i += 1) {
    time = BASE32.charAt(rest % 32) + time;
    rest = Math.floor(rest / 32);
  }
  let tail = '';
  for (let i = 0; i < 16; i += 1) tail += BASE32.charAt((bytes[i] ?? 0) % 32);
  return time + tail;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(new CancelledError('cancelled'));
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(new CancelledError('cancelled'));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Ends a child, or all of its process group; does nothing where it has ended. */
function kill(child: ChildProcess, group: boolean): void {
  if (!group || child.pid === undefined || process.platform === 'win32') {
    child.kill('SIGKILL');
    return;
  }
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    // ESRCH: no process of the group is left. macOS says EPERM where only ended ones are.
    if (!(error instanceof Error && 'code' in error && (error.code === 'ESRCH' || error.code === 'EPERM'))) throw error;
  }
}

function exec(file: string, args: readonly string[], options: ExecOptions): Promise<ExecResult> {
  const { cwd, signal, timeoutMs = 60_000, maxBytes = 256 * 1024 * 1024, group = false } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(new CancelledError(`cancelled before ${file} started`));
      return;
    }
    const child = spawn(file, args, {
      cwd,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      windowsHide: true,
      detached: group && process.platform !== 'win32',
    });
    if (child.pid !== undefined) options.onStart?.(child.pid);
    const out: Buffer[] = [];
    let size = 0;
    let stderr = '';
    let failure: Error | undefined;
    const stop = (error: Error): void => {
      failure ??= error;
      kill(child, group);
    };
    const onAbort = (): void => stop(new CancelledError(`${file} was cancelled`));
    const timer = setTimeout(() => stop(new DeadlineError(`${file} took longer than ${timeoutMs} ms`)), timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) stop(new UnavailableError(`${file} printed more than ${maxBytes} bytes`));
      else out.push(chunk);
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      if (stderr.length < 65_536) stderr += chunk;
    });
    child.stdin.on('error', () => undefined); // a child that ends early closes its stdin: its exit code tells
    child.on('error', (error) => {
      failure ??= new UnavailableError(`cannot run ${file}: ${error.message}`, {
        cause: error,
        hint: `Install ${file} or put it on PATH.`,
      });
    });
    // What it started in the background may hold its output open: then `close` would not come.
    if (group) child.on('exit', () => kill(child, true));
    child.on('close', (code) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      if (failure === undefined) resolve({ code, stdout: Buffer.concat(out), stderr });
      else reject(failure);
    });
    child.stdin.end(options.input ?? '');
  });
}

const LEVELS: Readonly<Record<LogLevel, number>> = { silent: 0, error: 1, warn: 2, info: 3, debug: 4 };

/** The real runtime; the log goes to stderr, one line a message. */
export function createRuntime(logLevel: LogLevel = 'warn'): Runtime {
  return {
    now: () => Date.now(),
    ticks: () => performance.now(),
    id: (prefix) => `${prefix}_${ulid(Date.now(), randomBytes(16))}`,
    random: () => Math.random(),
    env: process.env,
    pid: process.pid,
    memoryUsage: () => process.memoryUsage(),
    host: hostname(),
    alive: isAlive,
    log: (level, message) => {
      if (LEVELS[level] <= LEVELS[logLevel]) process.stderr.write(`skillflow: ${level}: ${message}\n`);
    },
    sleep,
    exec,
  };
}
