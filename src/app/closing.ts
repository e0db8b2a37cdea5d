import type { Database } from '../store/database.ts';

/** Things that were opened, to be closed in the reverse order. */
export interface Closing {
  /** Returns what it was given. */
  add<T extends AsyncDisposable>(resource: T): T;
  all(): Promise<void>;
}

export function createClosing(): Closing {
  const resources: AsyncDisposable[] = [];
  return {
    add: (resource) => {
      resources.push(resource);
      return resource;
    },
    all: async () => {
      for (const resource of resources.splice(0).reverse()) await resource[Symbol.asyncDispose]();
    },
  };
}

/** Remembers the first promise that did not reject. */
export function once<T>(open: () => Promise<T>): () => Promise<T> {
  let opened: Promise<T> | undefined;
  return () => {
    opened ??= open().catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
}

/** Milliseconds in which calls under way may end by themselves, and for the question whether the server answers. */
const LEAVE_MS = 500;
const ANSWER_MS = 1_000;

/** What of a project a process leaves. */
export interface Leavable extends AsyncDisposable {
  readonly app: {
    readonly config: { readonly databaseUrl: string | null };
    database(access: 'read'): Promise<Pick<Database, 'get' | 'replica'>>;
  };
}

async function answers({ app }: Leavable): Promise<boolean> {
  const db = await app.database('read');
  await db.get('SELECT 1');
  return (db.replica?.().problem ?? null) === null;
}

/**
 * Sees to it that a server which does not answer keeps no process from leaving: half a second after `stop`, and after
 * `ended` as soon as the server does not answer, the project is closed, which ends the calls that wait for the server.
 * A project with a file is left alone: its calls end by themselves.
 * @param stop the process was told to stop
 * @param ended nobody will ask anything more, and the calls under way are still wanted
 * @param later calls `work` after some milliseconds, unless the process has left by then
 */
export function leaveSilentServer(
  project: Leavable,
  stop: AbortSignal,
  ended: AbortSignal | undefined,
  later: (work: () => void, ms: number) => void,
): void {
  if (project.app.config.databaseUrl === null) return;
  let isClosed = false;
  const close = (): void => {
    isClosed = true;
    void project[Symbol.asyncDispose]();
  };
  const look = (): void => {
    if (isClosed) return;
    let isSettled = false;
    const settle = (silent: boolean): void => {
      if (isSettled) return;
      isSettled = true;
      if (silent) close();
      else later(look, LEAVE_MS);
    };
    later(() => settle(true), ANSWER_MS);
    answers(project).then(
      (yes) => settle(!yes),
      () => settle(true),
    );
  };
  const soon = (): void => later(close, LEAVE_MS);
  for (const [signal, work] of [[stop, soon] as const, [ended, look] as const]) {
    if (signal?.aborted === true) work();
    else signal?.addEventListener('abort', work, { once: true });
  }
}
