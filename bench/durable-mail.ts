import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Libsql from 'libsql';
import { BusyError } from '../src/errors.ts';
import { createMailbox } from '../src/mail/mailbox.ts';
import { createRuntime } from '../src/runtime.ts';
import { openDatabase } from '../src/store/open-database.ts';
import { median } from './child.ts';
import { paced, spread, type Spread } from './paced.ts';

const ROUNDS = 3;
const PACE = { perSecond: 10_000, seconds: 3 } as const;
/** Each sends to the next one, so that no mailbox becomes full though nobody reads. */
const AGENTS = 100;
const BODY = 'x'.repeat(200);

interface Found extends Spread {
  readonly perSecond: number;
  /** Messages that were refused since too many waited. */
  readonly refused: number;
}

/** @param work takes the time of each message, and returns how many were refused */
async function timed(work: (latencies: number[]) => Promise<number>): Promise<Found> {
  const latencies: number[] = [];
  const begun = performance.now();
  const refused = await work(latencies);
  return { ...spread(latencies), perSecond: (latencies.length / (performance.now() - begun)) * 1000, refused };
}

/** The pace itself: what the machine and Node's event loop make late, without any database. */
const nothing = (): Promise<Found> =>
  timed(async (latencies) => {
    await paced(PACE, (times) => {
      for (const due of times) latencies.push(performance.now() - due);
    });
    return 0;
  });

/** Each message one insert and commit into one table: what a plain program would do. */
async function plain(folder: string): Promise<Found> {
  const db = new Libsql(join(folder, 'plain.db'), { timeout: 250 });
  try {
    db.exec('PRAGMA journal_mode = WAL');
    db.exec('PRAGMA synchronous = NORMAL');
    db.exec('CREATE TABLE mail (id INTEGER PRIMARY KEY, agent TEXT NOT NULL, body TEXT NOT NULL, acked INTEGER) STRICT');
    const insert = db.prepare('INSERT INTO mail (agent, body) VALUES (?, ?)');
    return await timed(async (latencies) => {
      await paced(PACE, (times) => {
        for (const due of times) {
          insert.run(['b', BODY]);
          latencies.push(performance.now() - due);
        }
      });
      return 0;
    });
  } finally {
    db.close();
  }
}

/** Each message sent by itself, until it is committed. */
async function throughMailbox(folder: string): Promise<Found> {
  const runtime = createRuntime('warn');
  const db = await openDatabase(join(folder, 'skillflow.db'), { runtime });
  const box = createMailbox({ db, runtime });
  const members = Array.from({ length: AGENTS }, (_, at) => ({ id: `agent-${at}`, role: 'worker' }));
  try {
    return await timed(async (latencies) => {
      let refused = 0;
      const send = async (n: number, due: number): Promise<void> => {
        const [from, to] = [`agent-${n % AGENTS}`, { agent: `agent-${(n + 1) % AGENTS}` }];
        try {
          await box.send({ place: 'paced', from, to, body: BODY, members });
          latencies.push(performance.now() - due);
        } catch (error) {
          if (!(error instanceof BusyError)) throw error;
          refused += 1;
        }
      };
      const sends: Promise<void>[] = [];
      await paced(PACE, (times) => {
        for (const due of times) sends.push(send(sends.length, due));
      });
      await Promise.all(sends);
      return refused;
    });
  } finally {
    await db.close();
  }
}

const ms = (value: number): string => `${value.toFixed(2)} ms`;

/**
 * Durable mail at 10,000 messages a second, from when a message was due until it is committed, beside a plain insert loop
 * and beside nothing at the same pace: what is late without a database is the machine's. The rounds take turns; the median
 * of each figure counts.
 */
export async function durableLatency(): Promise<readonly string[]> {
  const found = new Map<string, Found[]>();
  const add = async (name: string, run: (folder: string) => Promise<Found>): Promise<void> => {
    const folder = mkdtempSync(join(tmpdir(), 'skillflow-bench-'));
    try {
      found.set(name, [...(found.get(name) ?? []), await run(folder)]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  for (let round = 0; round < ROUNDS; round += 1) {
    await add('nothing', nothing);
    await add('plain insert and commit', plain);
    await add('durable mailbox', throughMailbox);
  }
  return [...found].map(([name, rounds]) => {
    const of = (figure: keyof Found): number => median(rounds.map((round) => round[figure]));
    const best = Math.min(...rounds.map(({ p99 }) => p99));
    return `${name}, ${PACE.perSecond} messages/s due, ${of('perSecond').toFixed(0)}/s done: p50 ${ms(of('p50'))}, p99 ${ms(of('p99'))} (best round ${ms(best)})${of('refused') > 0 ? `, ${of('refused')} refused` : ''}`;
  });
}
