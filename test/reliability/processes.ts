import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { bundleProgram, PROJECT, type BundledProgram } from '../helpers/bundle-program.ts';
import type { Report, Task, ToParent, ToWorker } from './worker-messages.ts';

/** Bundles a script of this folder for plain Node. */
export function bundle(script: string): Promise<BundledProgram> {
  return bundleProgram(join(PROJECT, 'test', 'reliability', script));
}

export interface Ended {
  /** `null` when it ended before it reported. */
  readonly report: Report | null;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  /** Resolves once the database is open, or when the process has ended before that. */
  readonly ready: Promise<void>;
  readonly ended: Promise<Ended>;
  send(message: ToWorker): void;
}

/** Starts a worker; `onTold` hears what it wrote. */
export function startWorker(worker: string, task: Task, onMessage: (message: ToParent) => void = () => undefined): Running {
  const child = fork(worker, [JSON.stringify(task)], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execArgv: [],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  let report: Report | null = null;
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ report, code, signal, stderr }));
  });
  const ready = new Promise<void>((resolve) => {
    child.on('message', (message: ToParent) => {
      if ('ready' in message) resolve();
      if ('report' in message) report = message.report;
      onMessage(message);
    });
    child.on('close', () => resolve());
  });
  const send = (message: ToWorker): void => {
    if (child.connected) child.send(message, () => undefined); // it may end meanwhile
  };
  return { child, ready, ended, send };
}

/** Runs workers at the same time, each hearing of what the others wrote as soon as that was acknowledged. */
export async function runTogether(
  worker: string,
  tasks: readonly Task[],
): Promise<{ readonly ended: readonly Ended[]; readonly wallMs: number }> {
  const running: Running[] = [];
  for (const task of tasks) {
    running.push(
      startWorker(worker, task, (message) => {
        if (!('told' in message)) return;
        for (const [at, other] of running.entries()) if (tasks[at] !== task) other.send({ see: message.told });
      }),
    );
  }
  await Promise.all(running.map(({ ready }) => ready));
  const begun = performance.now();
  for (const { send } of running) send({ go: true });
  const ended = await Promise.all(running.map((one) => one.ended));
  return { ended, wallMs: performance.now() - begun };
}
