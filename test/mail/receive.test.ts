import { describe, expect, it } from 'vitest';
import { BusyError, CancelledError } from '../../src/errors.ts';
import type { Letter } from '../../src/mail/letter.ts';
import { createMailbox, type Mailbox } from '../../src/mail/mailbox.ts';
import type { Database } from '../../src/store/database.ts';
import { databaseBackends } from '../helpers/databases.ts';
import { testRuntime } from '../store/scratch.ts';

const members = ['a', 'b', 'c'].map((id) => ({ id, role: 'worker' }));
const letter = (to: string, body: string): Letter => ({
  place: 'run_1',
  from: 'a',
  to: to === 'all' ? 'all' : { agent: to },
  body,
  members,
});
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe.each(databaseBackends())('mail that is sent together and waited for, on $name', ({ fresh, isRemote }) => {
  const open = async (): Promise<{ readonly box: Mailbox; readonly db: Database; readonly another: () => Promise<Mailbox> }> => {
    const place = await fresh();
    const runtime = testRuntime();
    const db = await place.open();
    const another = async (): Promise<Mailbox> => createMailbox({ db: await place.open(), runtime });
    return { box: createMailbox({ db, runtime }), db, another };
  };
  const receive = async (box: Mailbox, agent: string, limit = 100): Promise<readonly string[]> =>
    (await box.receive('run_1', agent, { limit })).map(({ body }) => body);

  it('shares transactions, and answers each call for itself', async () => {
    const { box, db } = await open();
    const before = db.commits;
    const answers = await Promise.allSettled([
      box.send(letter('b', 'one')),
      box.send(letter('nobody', 'two')),
      box.sendMany([letter('all', 'three'), letter('c', 'four')]),
      box.send(letter('b', '')),
      box.send(letter('b', 'five')),
    ]);
    expect(answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : String(answer.reason)))).toEqual([
      { messageId: 1, recipients: ['b'] },
      expect.stringContaining('there is no agent "nobody"'),
      [
        { messageId: 2, recipients: ['b', 'c'] },
        { messageId: 3, recipients: ['c'] },
      ],
      expect.stringContaining('body is empty'),
      { messageId: 4, recipients: ['b'] },
    ]);
    expect(db.commits - before).toBe(1);
    expect((await box.read('run_1', 'b')).map(({ body }) => body)).toEqual(['one', 'three', 'five']);
    const acks = await Promise.all([
      box.ack('run_1', 'b', [1, 2]),
      box.ack('run_1', 'b', [2, 4, 99]),
      box.ack('run_1', 'c', [2]),
      box.ack('run_1', 'c', [4]),
    ]);
    expect(acks).toEqual([
      { acked: 2, notOpen: [] },
      { acked: 1, notOpen: [2, 99] },
      { acked: 1, notOpen: [] },
      { acked: 0, notOpen: [4] },
    ]);
    expect(await box.pending('run_1')).toEqual([{ agent: 'c', unread: 1, unacked: 1 }]);
  });

  it.skipIf(isRemote)('a full mailbox refuses what is for it alone, and nothing of that stays', async () => {
    const { box, db } = await open();
    for (let at = 0; at < 10; at += 1) {
      await box.sendMany(Array.from({ length: at === 9 ? 998 : 1000 }, (_, n) => letter('b', `${n}`)));
    }
    const answers = await Promise.allSettled([
      box.send(letter('b', 'last but one')),
      box.sendMany([letter('c', 'x'), letter('b', 'x'), letter('b', 'x')]),
      box.send(letter('all', 'last')),
      box.send(letter('all', 'too many')),
      box.send(letter('c', 'fine')),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled']);
    const refused = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []));
    expect(refused.every((reason) => reason instanceof BusyError)).toBe(true);
    expect((await box.read('run_1', 'c')).map(({ body }) => body)).toEqual(['last', 'fine']);
    expect(await box.pending('run_1')).toMatchObject([{ agent: 'b', unacked: 10_000 }, { agent: 'c' }]);
    expect(await db.get('SELECT count(*) AS n FROM message')).toEqual({ n: 10_001 });
    const [acked, sent] = await Promise.all([box.ack('run_1', 'b', [1]), box.send(letter('b', 'room again'))]);
    expect([acked.acked, sent.recipients]).toEqual([1, ['b']]);
  });

  it('more letters than may wait are refused as busy, and those that were taken are stored', async () => {
    const { box } = await open();
    const batch = Array.from({ length: 1000 }, (_, n) => letter(n % 2 === 0 ? 'b' : 'c', `${n}`));
    const answers = await Promise.allSettled(Array.from({ length: 12 }, () => box.sendMany(batch)));
    const refused = answers.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(2);
    for (const answer of refused) expect(answer).toMatchObject({ reason: { code: 'busy', retryable: true } });
    expect(await box.pending('run_1')).toMatchObject([{ unacked: 5000 }, { unacked: 5000 }]);
  });

  it('gives who waits what is sent, once, in order, marked read', async () => {
    const { box, another } = await open();
    const waiting = receive(box, 'b');
    await turn();
    await Promise.all(['one', 'two'].map((body) => box.send(letter('b', body))));
    expect(await waiting).toEqual(['one', 'two']);
    expect(await box.read('run_1', 'b', { unreadOnly: true })).toEqual([]);
    const again = await (await another()).read('run_1', 'b');
    expect(again.map(({ messageId, body, readAt }) => [messageId, body, typeof readAt])).toEqual([
      [1, 'one', 'number'],
      [2, 'two', 'number'],
    ]);
    await box.send(letter('b', 'three'));
    expect(await box.receive('run_1', 'b')).toMatchObject([{ messageId: 3, from: 'a', address: 'agent:b', readAt: null }]);
  });

  it('readers of one mailbox share its mail; each gets at most what it asks for', async () => {
    const { box } = await open();
    const first = receive(box, 'b', 2);
    const second = receive(box, 'b', 2);
    await turn();
    await box.sendMany(['1', '2', '3'].map((body) => letter('b', body)));
    expect(await Promise.all([first, second])).toEqual([['1', '2'], ['3']]);
    const third = receive(box, 'b', 1);
    await box.sendMany(['4', '5'].map((body) => letter('b', body)));
    expect([await third, await receive(box, 'b')]).toEqual([['4'], ['5']]);
  });

  it('hears of what others send: another mailbox of this process, and another connection', async () => {
    const { box, db, another } = await open();
    const beside = createMailbox({ db, runtime: testRuntime() });
    const other = await another();
    for (const from of [beside, other]) {
      const waiting = receive(box, 'b');
      await turn();
      await from.send(letter('b', 'news'));
      expect(await waiting).toEqual(['news']);
    }
    await other.send(letter('b', 'older'));
    const [got] = await Promise.all([receive(box, 'b'), box.send(letter('b', 'newer'))]);
    expect([...got, ...(await box.read('run_1', 'b', { unreadOnly: true })).map(({ body }) => body)]).toEqual(['older', 'newer']);
  });

  it('stops waiting when told to, and takes nothing then', async () => {
    const { box } = await open();
    const over = new AbortController();
    const waiting = box.receive('run_1', 'b', { signal: over.signal });
    await turn();
    over.abort();
    await expect(waiting).rejects.toThrow(CancelledError);
    await expect(box.receive('run_1', 'b', { signal: over.signal })).rejects.toThrow(CancelledError);
    await box.send(letter('b', 'kept'));
    expect(await receive(box, 'b')).toEqual(['kept']);
  });

  it('mail is not lost when the waiting ends while it is stored', async () => {
    const { box } = await open();
    for (let turns = 0; turns < 6; turns += 1) {
      const over = new AbortController();
      const waiting = box.receive('run_1', 'b', { signal: over.signal }).then(
        (mail) => mail.length,
        () => 0,
      );
      await turn();
      const sent = box.send(letter('b', `n${turns}`));
      for (let at = 0; at < turns; at += 1) await (turns % 2 === 0 ? turn() : Promise.resolve());
      over.abort();
      await sent;
      expect((await waiting) + (await box.read('run_1', 'b', { unreadOnly: true })).length).toBe(1);
    }
  });

  it('who waits hears that the database was closed', async () => {
    const { box, db } = await open();
    const waiting = box.receive('run_1', 'b').catch((error: unknown) => error);
    await turn();
    await db.close();
    expect(await waiting).toMatchObject({ message: expect.stringContaining('closed') });
  });
});
