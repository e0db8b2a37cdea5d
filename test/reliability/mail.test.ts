import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMailbox, type Mail } from '../../src/mail/mailbox.ts';
import { openDatabase } from '../../src/store/open-database.ts';
import { start, testRuntime, useScratch, type Outcome } from '../store/scratch.ts';
import { bundle } from './processes.ts';

const scratch = useScratch();
let worker: Awaited<ReturnType<typeof bundle>>;

beforeAll(async () => {
  worker = await bundle('mail-worker.ts');
});
afterAll(() => worker.remove());

const PLACE = 'run_1';
const newPath = async (): Promise<string> => join(await scratch.folder(), 'skillflow.db');
const run = (path: string, args: readonly string[], onLine?: Parameters<typeof start>[2]): Promise<Outcome> =>
  start(process.execPath, [worker.path, path, ...args], onLine);

/** What is not acknowledged in a mailbox, and whether the database is sound. */
async function inspect(path: string, agent: string): Promise<{ readonly integrity: string; readonly mail: readonly Mail[] }> {
  const runtime = testRuntime();
  await using db = await openDatabase(path, { runtime });
  const box = createMailbox({ db, runtime });
  const mail: Mail[] = [];
  for (let page: readonly Mail[] = []; mail.length === 0 || page.length === 1000; mail.push(...page)) {
    page = await box.read(PLACE, agent, { limit: 1000, after: mail.at(-1)?.messageId ?? 0 });
    if (page.length === 0) break;
  }
  return { integrity: await db.integrity(), mail };
}

/** Numbers that a sender's messages have, in the order in which they were read. */
function numbersOf(bodies: readonly string[], sender: string): readonly number[] {
  return bodies.flatMap((body) => (body.startsWith(`${sender} `) ? [Number(body.slice(sender.length + 1))] : []));
}

const said = ({ lines }: Outcome, word: string): readonly string[] =>
  lines.flatMap((line) => (line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : []));

describe('mail and kill -9', () => {
  test('between sending and the answer: nothing answered is lost, nothing is half there, order is kept', async () => {
    const path = await newPath();
    const rounds = [1, 2, 8, 30, 77, 150];
    const answered = new Map<string, readonly string[]>();
    for (const [round, after] of rounds.entries()) {
      const name = `s${round}`;
      const outcome = await run(path, ['send', name, '100000'], (lines, kill) => {
        if (lines > after) kill();
      });
      expect(outcome.stderr).toBe('');
      answered.set(name, outcome.lines.slice(1));
    }
    for (const agent of ['left', 'right']) {
      const { integrity, mail } = await inspect(path, agent);
      expect(integrity).toBe('ok');
      const bodies = mail.map(({ body }) => body);
      expect(new Set(bodies).size).toBe(bodies.length);
      for (const [name, lines] of answered) {
        const numbers = numbersOf(bodies, name);
        expect(numbers).toEqual(numbers.map((_, n) => n)); // without a hole, in order
        expect(numbers.length).toBeGreaterThanOrEqual(lines.length);
        expect([0, 1]).toContain(numbers.length % 6); // one, and then five at once
      }
    }
    expect([...answered.values()].flat().length).toBeGreaterThan(200);
  });

  test('between reading and acknowledging: what was acknowledged does not come again, the rest does', async () => {
    const path = await newPath();
    const total = 600;
    await run(path, ['send', 's', String(total)]);
    const acked: string[] = [];
    const got = new Set<string>();
    for (const after of [3, 9, 20, 50]) {
      const outcome = await run(path, ['read', 'r', String(total)], (lines, kill) => {
        if (lines > after) kill();
      });
      expect(outcome.stderr).toBe('');
      for (const body of said(outcome, 'got')) got.add(body);
      acked.push(...said(outcome, 'acked'));
    }
    expect(new Set(acked).size).toBe(acked.length);
    const { integrity, mail } = await inspect(path, 'left');
    expect(integrity).toBe('ok');
    const left = mail.map(({ body }) => body);
    expect(left.filter((body) => acked.includes(body))).toEqual([]);
    // Acknowledged without having been told so: killed in between, at most one page a round.
    const neither = total - left.length - acked.length;
    expect(neither).toBeGreaterThanOrEqual(0);
    expect(neither).toBeLessThanOrEqual(4 * 7);
    const known = new Set([...left, ...got]);
    expect(Array.from({ length: total }, (_, n) => `s ${n}`).filter((body) => !known.has(body))).toEqual([]);
  });
});

describe('mail that shares transactions, and kill -9', () => {
  test('of many senders at once: nothing answered is lost, order is kept', async () => {
    const path = await newPath();
    const answered = new Map<string, readonly string[]>();
    for (const [round, after] of [5, 60, 900, 1500, 1500].entries()) {
      const outcome = await run(path, ['flood', `f${round}`, '4000'], (lines, kill) => {
        if (lines > after) kill();
      });
      expect(outcome.stderr).toBe('');
      answered.set(`f${round}`, outcome.lines.slice(1));
    }
    for (const agent of ['left', 'right']) {
      const { integrity, mail } = await inspect(path, agent);
      expect(integrity).toBe('ok');
      const bodies = mail.map(({ body }) => body);
      expect(new Set(bodies).size).toBe(bodies.length);
      const there = new Set(bodies);
      expect([...answered.values()].flat().filter((body) => !there.has(body))).toEqual([]);
      for (const name of answered.keys()) {
        for (let sender = 0; sender < 20; sender += 1) {
          const numbers = numbersOf(bodies, `${name}.${sender}`);
          expect(numbers).toEqual(numbers.map((_, n) => n)); // without a hole, in order
        }
      }
    }
    expect([...answered.values()].flat().length).toBeGreaterThan(3500);
  });
});

test('three processes send into a mailbox that two read at once: each message once, in the order of each sender', async () => {
  const path = await newPath();
  const senders = ['a', 'b', 'c'];
  const each = 300;
  const writing = senders.map((name) => run(path, ['send', name, String(each)]));
  const reading = ['x', 'y'].map((name) => run(path, ['read', name, String(each * senders.length)]));
  const sent = await Promise.all(writing);
  const read = await Promise.all(reading);
  for (const { code, stderr } of [...sent, ...read]) expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const all = read.flatMap((outcome) => said(outcome, 'acked'));
  expect(all).toHaveLength(each * senders.length);
  for (const name of senders) {
    expect([...numbersOf(all, name)].sort((a, b) => a - b)).toEqual(Array.from({ length: each }, (_, n) => n));
    for (const outcome of read) {
      const numbers = numbersOf(said(outcome, 'got'), name);
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    }
  }
  expect((await inspect(path, 'left')).mail).toEqual([]);
  expect((await inspect(path, 'right')).mail).toHaveLength(each * senders.length);
});
