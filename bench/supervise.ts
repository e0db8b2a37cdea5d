// From a crash to a child that serves again: 500 seeded crashes without a backoff; hung children, found by their heartbeat,
// apart, since most of their time is the heartbeat's. Beside a bare loop that calls an async function again.
import { createRuntime } from '../src/runtime.ts';
import type { Worker } from '../src/swarm/supervise/incarnation.ts';
import type { SupervisorSpec } from '../src/swarm/supervise/supervision.ts';
import { createSupervisor } from '../src/swarm/supervise/supervisor.ts';
import { machine } from './child.ts';
import { seeded } from '../test/helpers/seeded.ts';

const CRASHES = 500;
const HANGS = 100;
const HEARTBEAT_MS = 50;
const IDLE_HEARTBEAT_MS = 1000;
const CHILDREN = 20;
const IDLE_MS = 5000;

const runtime = createRuntime('warn');

interface Server {
  readonly worker: Worker;
  /** Resolves when a child answers; waits for one where there is none. */
  ask(): Promise<void>;
  crash(): void;
  /** It neither answers nor beats any more; `deaf`: nor does it hear its signal. */
  hang(deaf: boolean): void;
}

/** A child that answers requests, and beats while it is well. */
function createServer(options: Omit<Worker, 'run'>): Server {
  let requests: (() => void)[] = [];
  let serve: (() => void) | undefined;
  let crash = (): void => undefined;
  let hang = (_deaf: boolean): void => undefined;
  return {
    worker: {
      ...options,
      run: ({ signal, ...context }) =>
        new Promise((_, reject) => {
          const answer = (): void => {
            for (const request of requests.splice(0)) request();
          };
          const beating = setInterval(() => context.heartbeat(), (options.heartbeatMs ?? IDLE_HEARTBEAT_MS) / 5);
          const end = (error: unknown): void => {
            clearInterval(beating);
            if (serve === answer) serve = undefined;
            reject(error instanceof Error ? error : new Error(String(error)));
          };
          const onAbort = (): void => end(signal.reason);
          signal.addEventListener('abort', onAbort);
          crash = () => end(new Error('crashed'));
          hang = (deaf) => {
            clearInterval(beating);
            serve = undefined;
            if (deaf) signal.removeEventListener('abort', onAbort);
          };
          serve = answer;
          answer();
        }),
    },
    ask: () =>
      new Promise((resolve) => {
        requests = [...requests, resolve];
        serve?.();
      }),
    crash: () => crash(),
    hang: (deaf) => hang(deaf),
  };
}

function summary(values: number[]): string {
  const sorted = values.sort((a, b) => a - b);
  const of = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(2);
  return `p50 ${of(0.5)} ms, p99 ${of(0.99)} ms, worst ${of(1)} ms`;
}

interface Family {
  readonly servers: readonly Server[];
  stop(): Promise<readonly string[]>;
}

function startFamily(strategy: SupervisorSpec['strategy'], options: Omit<Worker, 'run'> = {}): Family {
  const servers = Array.from({ length: CHILDREN }, () => createServer(options));
  const supervisor = createSupervisor({
    spec: {
      id: 'top',
      strategy,
      intensity: 1000,
      periodMs: 60_000,
      children: servers.map((_, at) => ({ id: `server-${at}` })),
    },
    workers: Object.fromEntries(servers.map(({ worker }, at) => [`server-${at}`, worker])),
    runtime,
  });
  supervisor.start();
  return { servers, stop: async () => (await supervisor.stop('the bench is over')).abandoned };
}

/** Breaks one child after the other by a seeded choice, and times until all answer again. */
async function outages(family: Family, count: number, seed: number, breakIt: (server: Server) => void): Promise<number[]> {
  const random = seeded(seed);
  const times: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const server = family.servers[Math.floor(random() * CHILDREN)];
    if (server === undefined) throw new Error('no server');
    await runtime.sleep(random() * 3);
    const begun = performance.now();
    breakIt(server);
    await Promise.all(family.servers.map((other) => other.ask()));
    times.push(performance.now() - begun);
  }
  return times;
}

/** The least that a restart can take: an async function that rejects is called again. */
async function bareLoop(): Promise<number[]> {
  const random = seeded(1);
  const server = createServer({});
  const loop = (async () => {
    for (let crashes = 0; crashes <= CRASHES; crashes += 1) {
      const { signal } = new AbortController();
      await server.worker.run({ signal, heartbeat: () => undefined }).catch(() => undefined);
    }
  })();
  const times: number[] = [];
  for (let n = 0; n < CRASHES; n += 1) {
    await runtime.sleep(random() * 3);
    const begun = performance.now();
    server.crash();
    await server.ask();
    times.push(performance.now() - begun);
  }
  server.crash();
  await loop;
  return times;
}

async function main(): Promise<void> {
  console.log(machine());
  console.log(`bare loop, ${CRASHES} crashes: ${summary(await bareLoop())}`);
  for (const strategy of ['one_for_one', 'rest_for_one', 'one_for_all'] as const) {
    const family = startFamily(strategy);
    const times = await outages(family, CRASHES, 1, (server) => server.crash());
    await family.stop();
    console.log(
      `${strategy}, ${CRASHES} crashes among ${CHILDREN} children, until all serve: ${summary(times)} (p99 below 100 ms)`,
    );
  }
  const hung = startFamily('one_for_one', { heartbeatMs: HEARTBEAT_MS, shutdownMs: 20 });
  const cooperative = await outages(hung, HANGS, 2, (server) => server.hang(false));
  console.log(`${HANGS} hung children, heartbeat ${HEARTBEAT_MS} ms, end when aborted: ${summary(cooperative)}`);
  const deaf = await outages(hung, HANGS, 3, (server) => server.hang(true));
  console.log(`${HANGS} hung children that ignore the abort for the 20 ms they have: ${summary(deaf)}`);
  const quiet = startFamily('one_for_one', { heartbeatMs: IDLE_HEARTBEAT_MS });
  const begun = performance.now();
  const abandoned = await hung.stop();
  console.log(
    `kill switch: ${CHILDREN} children in ${(performance.now() - begun).toFixed(1)} ms (below 1,000), ${abandoned.length} abandoned earlier`,
  );
  const before = process.cpuUsage();
  await runtime.sleep(IDLE_MS);
  const { user, system } = process.cpuUsage(before);
  console.log(
    `idle: ${(((user + system) / 1000 / IDLE_MS) * 100).toFixed(2)}% of a core for ${CHILDREN} children that beat every ${IDLE_HEARTBEAT_MS / 5} ms (below 2%)`,
  );
  await quiet.stop();
}

await main();
