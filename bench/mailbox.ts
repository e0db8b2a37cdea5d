// Mail between agents: latency of the in-process bus and of the durable mailbox under 10,000 messages a second, what both
// take in all, beside a bare EventEmitter and a plain libsql insert loop in the same run; and what waiting costs. Rounds
// take turns, and the median of them counts.
import { EventEmitter, on } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Libsql from 'libsql';
import { createBus } from '../src/mail/bus.ts';
import type { Letter } from '../src/mail/letter.ts';
import { createMailbox, type Mailbox } from '../src/mail/mailbox.ts';
import { createRuntime } from '../src/runtime.ts';
import { openDatabase } from '../src/store/open-database.ts';
import { machine, median } from './child.ts';
import { durableLatency } from './durable-mail.ts';
import { paced, spread, type Spread } from './paced.ts';
import { rate, type Round } from './rate.ts';

const ROUNDS = 3;
const PER_SECOND = 10_000;
const SECONDS = 3;
const BUS_MESSAGES = 500_000;
const DURABLE_MESSAGES = 5000;
const BATCH = 500;
const IDLE_MS = 3000;
const BODY = 'x'.repeat(200);

const runtime = createRuntime('warn');
const READY = Promise.resolve();

interface Note {
  readonly type: 'note';
  readonly place: string;
  readonly at: number;
}

/** `handed`: from publishing to the subscriber's turn. `late`: from when it was due until the machine let the publisher run. */
async function busLatency(): Promise<{ readonly handed: Spread; readonly late: Spread }> {
  const bus = createBus<Note>();
  const handed: number[] = [];
  const late: number[] = [];
  const reading = (async () => {
    for await (const item of bus.subscribe({ types: ['note'], place: 'run' })) {
      if (item.type === 'note') handed.push(performance.now() - item.at);
    }
  })();
  await paced({ perSecond: PER_SECOND, seconds: SECONDS }, async (times) => {
    for (const due of times) {
      const at = performance.now();
      late.push(at - due);
      await bus.publish({ type: 'note', place: 'run', at });
    }
  });
  bus.close();
  await reading;
  return { handed: spread(handed), late: spread(late) };
}

const members = [
  { id: 'a', role: 'coder' },
  { id: 'b', role: 'reviewer' },
];
const letter = (place: string, to: Letter['to']): Letter => ({ place, from: 'a', to, body: BODY, members });

async function throughBus(): Promise<void> {
  const bus = createBus<Note>();
  let got = 0;
  const reading = (async () => {
    for await (const item of bus.subscribe({ types: ['note'] })) if (item.type === 'note') got += 1;
  })();
  for (let n = 0; n < BUS_MESSAGES; n += 1) await bus.publish({ type: 'note', place: 'run', at: n });
  bus.close();
  await reading;
  if (got !== BUS_MESSAGES) throw new Error(`the bus lost ${BUS_MESSAGES - got}`);
}

function throughEmitter(): void {
  const emitter = new EventEmitter();
  let got = 0;
  emitter.on('note', () => (got += 1));
  for (let n = 0; n < BUS_MESSAGES; n += 1) emitter.emit('note', { type: 'note', place: 'run', at: n });
  if (got !== BUS_MESSAGES) throw new Error('the emitter lost some');
}

/** Handed over to a loop by what Node has for it, without filters and limits. */
async function throughEmitterLoop(): Promise<void> {
  const emitter = new EventEmitter();
  const items: AsyncIterable<unknown> = on(emitter, 'note', { close: ['end'] });
  let got = 0;
  const reading = (async () => {
    for await (const item of items) if (item !== null) got += 1;
  })();
  for (let n = 0; n < BUS_MESSAGES; n += 1) {
    emitter.emit('note', { type: 'note', place: 'run', at: n });
    await READY;
  }
  emitter.emit('end');
  await reading;
  if (got !== BUS_MESSAGES) throw new Error(`the emitter lost ${BUS_MESSAGES - got}`);
}

function idOf(row: unknown): bigint {
  if (typeof row === 'object' && row !== null && 'id' in row && typeof row.id === 'number') return BigInt(row.id);
  throw new Error('a row without an id');
}

/** One table, one row a message: what a plain program would do. */
function plainLoop(path: string): (round: number) => Promise<readonly Round[]> {
  const db = new Libsql(path, { timeout: 250 });
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('PRAGMA synchronous = NORMAL');
  db.exec(
    'CREATE TABLE mail (id INTEGER PRIMARY KEY AUTOINCREMENT, agent TEXT NOT NULL, body TEXT NOT NULL, acked INTEGER) STRICT',
  );
  const insert = db.prepare('INSERT INTO mail (agent, body) VALUES (?, ?)');
  const read = db.prepare('SELECT * FROM mail WHERE acked IS NULL AND id > ? ORDER BY id LIMIT 500');
  const ack = db.prepare('UPDATE mail SET acked = 1 WHERE id = ?');
  return async () => {
    const one = await rate('plain insert', DURABLE_MESSAGES, () => {
      for (let n = 0; n < DURABLE_MESSAGES; n += 1) insert.run(['b', BODY]);
    });
    const many = await rate('plain insert in batches', DURABLE_MESSAGES, () => {
      for (let n = 0; n < DURABLE_MESSAGES; n += BATCH) {
        db.exec('BEGIN IMMEDIATE');
        for (let at = 0; at < BATCH; at += 1) insert.run(['b', BODY]);
        db.exec('COMMIT');
      }
    });
    const reads = await rate('plain read and ack', DURABLE_MESSAGES * 2, () => {
      for (;;) {
        const ids = read.all([0n]).map(idOf);
        if (ids.length === 0) break;
        db.exec('BEGIN IMMEDIATE');
        for (const id of ids) ack.run([id]);
        db.exec('COMMIT');
      }
    });
    return [one, many, reads];
  };
}

async function durable(box: Mailbox, round: number): Promise<readonly Round[]> {
  const place = `round-${round}`;
  const one = await rate('send', DURABLE_MESSAGES / 5, async () => {
    for (let n = 0; n < DURABLE_MESSAGES / 5; n += 1) await box.send(letter(place, { agent: 'b' }));
  });
  const many = await rate('sendMany', DURABLE_MESSAGES, async () => {
    const batch = Array.from({ length: BATCH }, () => letter(place, { agent: 'b' }));
    for (let n = 0; n < DURABLE_MESSAGES; n += BATCH) await box.sendMany(batch);
  });
  let count = 0;
  const ids: number[][] = [];
  const read = await rate('read', DURABLE_MESSAGES * 1.2, async () => {
    for (;;) {
      const mail = await box.read(place, 'b', { unreadOnly: true, limit: BATCH });
      if (mail.length === 0) break;
      ids.push(mail.map(({ messageId }) => messageId));
      count += mail.length;
    }
  });
  const ack = await rate('ack', count, async () => {
    for (const some of ids) await box.ack(place, 'b', some);
  });
  if (count !== DURABLE_MESSAGES * 1.2) throw new Error(`read ${count} messages`);
  return [one, many, read, ack];
}

/** Share of a core that ten readers take: who wait on the bus, and who look into a mailbox ten times a second. */
async function idle(box: Mailbox): Promise<{ readonly waiting: number; readonly looking: number }> {
  const bus = createBus<Note>();
  const loops = Array.from({ length: 10 }, async () => {
    for await (const item of bus.subscribe()) if (item.type === 'gap') throw new Error('a gap');
  });
  const share = async (work: () => Promise<void>): Promise<number> => {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000 / IDLE_MS;
  };
  const waiting = await share(() => runtime.sleep(IDLE_MS));
  bus.close();
  await Promise.all(loops);
  const looking = await share(async () => {
    for (let at = 0; at < IDLE_MS / 100; at += 1) {
      for (let reader = 0; reader < 10; reader += 1) await box.read('idle', `agent-${reader}`, { unreadOnly: true });
      await runtime.sleep(100);
    }
  });
  return { waiting, looking };
}

const us = (ms: number): string => (ms < 1 ? `${(ms * 1000).toFixed(1)} µs` : `${ms.toFixed(2)} ms`);

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'skillflow-bench-'));
  const db = await openDatabase(join(folder, 'skillflow.db'), { runtime });
  try {
    console.log(machine());
    const box = createMailbox({ db, runtime });
    const plain = plainLoop(join(folder, 'plain.db'));
    const found = new Map<string, number[]>();
    for (let round = 0; round < ROUNDS; round += 1) {
      const results = [
        await rate('bus', BUS_MESSAGES, throughBus),
        await rate('emitter', BUS_MESSAGES, throughEmitter),
        await rate('emitter and events.on', BUS_MESSAGES, throughEmitterLoop),
        ...(await plain(round)),
        ...(await durable(box, round)),
      ];
      for (const { name, perSecond } of results) found.set(name, [...(found.get(name) ?? []), perSecond]);
    }
    const of = (name: string): number => median(found.get(name) ?? []);
    const line = (name: string, plainName: string): void =>
      console.log(
        `${name}: ${of(name).toFixed(0)}/s, ${(of(name) / of(plainName)).toFixed(2)} of ${plainName} (${of(plainName).toFixed(0)}/s)`,
      );
    const { handed, late } = await busLatency();
    console.log(
      `bus, ${PER_SECOND} messages/s: p50 ${us(handed.p50)}, p99 ${us(handed.p99)} (below 1 ms), worst ${us(handed.max)}; the publisher itself ran late by p50 ${us(late.p50)}, p99 ${us(late.p99)}`,
    );
    for (const text of await durableLatency()) console.log(text);
    line('bus', 'emitter');
    line('bus', 'emitter and events.on');
    line('send', 'plain insert');
    line('sendMany', 'plain insert in batches');
    line('read', 'plain read and ack');
    line('ack', 'plain read and ack');
    const { waiting, looking } = await idle(box);
    console.log(
      `idle: ${(waiting * 100).toFixed(2)}% of a core for ten subscribers, ${(looking * 100).toFixed(2)}% for ten that look into their mailbox ten times a second (below 2%)`,
    );
  } finally {
    await db.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
