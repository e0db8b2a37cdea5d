import { describe, expect, it } from 'vitest';
import { BusyError, InvalidInputError, NotFoundError } from '../../src/errors.ts';
import type { Address, Letter, Member } from '../../src/mail/letter.ts';
import { createMailbox, type Mailbox } from '../../src/mail/mailbox.ts';
import type { Database } from '../../src/store/database.ts';
import { databaseBackends } from '../helpers/databases.ts';
import { testRuntime } from '../store/scratch.ts';

const MEMBERS: readonly Member[] = [
  { id: 'hub', role: 'coordinator' },
  { id: 'security-1', role: 'security-analyst' },
  { id: 'security-2', role: 'security-analyst' },
  { id: 'coder', role: 'coder' },
];
const letter = (to: Address, body: string, more: Partial<Letter> = {}): Letter => ({
  place: 'run_1',
  from: 'hub',
  to,
  body,
  members: MEMBERS,
  ...more,
});
const WORKERS = ['a', 'b', 'c'].map((id) => ({ id, role: 'worker' }));
const toWorker = (to: string, body: string): Letter =>
  letter(to === 'all' ? 'all' : { agent: to }, body, { from: 'a', members: WORKERS });
const bodies = async (box: Mailbox, agent: string, place = 'run_1'): Promise<readonly string[]> =>
  (await box.read(place, agent)).map(({ body }) => body);

describe.each(databaseBackends())('createMailbox on $name', ({ fresh, isRemote }) => {
  const open = async (): Promise<{ readonly box: Mailbox; readonly db: Database; readonly another: () => Promise<Mailbox> }> => {
    const place = await fresh();
    let now = 1000;
    const runtime = testRuntime({ now: () => (now += 1) });
    const db = await place.open();
    const another = async (): Promise<Mailbox> => createMailbox({ db: await place.open(), runtime });
    return { box: createMailbox({ db, runtime }), db, another };
  };

  it('delivers to an agent, to a role, and along the edges of the topology', async () => {
    const { box } = await open();
    expect(await box.send(letter({ agent: 'coder' }, 'one'))).toEqual({ messageId: 1, recipients: ['coder'] });
    expect(await box.send(letter({ role: 'security-analyst' }, 'two'))).toEqual({
      messageId: 2,
      recipients: ['security-1', 'security-2'],
    });
    expect((await box.send(letter('all', 'three'))).recipients).toEqual(['security-1', 'security-2', 'coder']);
    const allowed = (id: string): boolean => id === 'hub';
    expect((await box.send(letter('all', 'four', { from: 'coder', allowed }))).recipients).toEqual(['hub']);
    expect((await box.send(letter({ role: 'security-analyst' }, 'five', { from: 'security-1' }))).recipients).toEqual([
      'security-2',
    ]);
    expect((await box.send(letter({ agent: 'coder' }, 'six', { from: 'a person', allowed: () => false }))).recipients).toEqual([
      'coder',
    ]);
    expect(await bodies(box, 'coder')).toEqual(['one', 'three', 'six']);
    expect(await bodies(box, 'security-2')).toEqual(['two', 'three', 'five']);
    expect(await box.read('run_1', 'hub')).toEqual([
      { messageId: 4, from: 'coder', address: 'all', body: 'four', sentAt: expect.any(Number), readAt: null },
    ]);
    expect(await bodies(box, 'coder', 'run_2')).toEqual([]);
  });

  it('a message comes again until it is acknowledged, and says that it was read', async () => {
    const { box, another } = await open();
    await box.sendMany([letter({ agent: 'coder' }, 'one'), letter({ agent: 'coder' }, 'two')]);
    expect(await box.pending('run_1')).toEqual([{ agent: 'coder', unread: 2, unacked: 2 }]);
    const [first] = await box.read('run_1', 'coder', { limit: 1 });
    expect(first).toMatchObject({ messageId: 1, body: 'one', readAt: null });
    expect(await box.pending('run_1')).toEqual([{ agent: 'coder', unread: 1, unacked: 2 }]);
    const other = await another();
    expect((await other.read('run_1', 'coder', { unreadOnly: true })).map(({ body }) => body)).toEqual(['two']);
    expect(await other.read('run_1', 'coder', { unreadOnly: true })).toEqual([]);
    const again = await other.read('run_1', 'coder');
    expect(again.map(({ body, readAt }) => [body, typeof readAt])).toEqual([
      ['one', 'number'],
      ['two', 'number'],
    ]);
    expect((await box.read('run_1', 'coder', { after: 1 })).map(({ body }) => body)).toEqual(['two']);
    expect(await box.ack('run_1', 'coder', [1, 1, 99])).toEqual({ acked: 1, notOpen: [99] });
    expect(await box.ack('run_1', 'coder', [1])).toEqual({ acked: 0, notOpen: [1] });
    expect(await box.ack('run_1', 'hub', [2])).toEqual({ acked: 0, notOpen: [2] }); // somebody else's
    expect(await bodies(other, 'coder')).toEqual(['two']);
    await box.ack('run_1', 'coder', [2]);
    expect(await box.pending('run_1')).toEqual([]);
  });

  it('many letters are one transaction, in order, with an id each', async () => {
    const { box } = await open();
    const letters = Array.from({ length: 150 }, (_, n) =>
      letter(n % 3 === 0 ? 'all' : { agent: 'coder' }, `n${n}`, { place: n % 2 === 0 ? 'run_1' : 'run_2' }),
    );
    const sent = await box.sendMany(letters);
    expect(sent.map(({ messageId }) => messageId)).toEqual(letters.map((_, n) => n + 1));
    const first = await box.read('run_1', 'coder', { limit: 1000 });
    expect(first.map(({ messageId, body }) => [messageId, body])).toEqual(
      letters.flatMap(({ place, body }, n) => (place === 'run_1' ? [[n + 1, body]] : [])),
    );
    expect(await bodies(box, 'security-1', 'run_2')).toEqual(
      letters.flatMap(({ place, body, to }) => (place === 'run_2' && to === 'all' ? [body] : [])),
    );
    const bad = [letter('all', 'fine'), letter({ agent: 'nobody' }, 'not')];
    await expect(box.sendMany(bad)).rejects.toThrow(NotFoundError);
    expect((await box.send(letter('all', 'next'))).messageId).toBe(151);
    expect(await box.sendMany([])).toEqual([]);
  });

  it('says whom it does not know, and who is meant perhaps', async () => {
    const { box } = await open();
    const refused = async (to: Address, more: Partial<Letter> = {}): Promise<NotFoundError> => {
      const error: unknown = await box.send(letter(to, 'x', more)).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (!(error instanceof NotFoundError)) throw new Error(`it was ${String(error)}`);
      return error;
    };
    expect(await refused({ agent: 'secruity-1' })).toMatchObject({
      message: 'there is no agent "secruity-1" in run_1',
      hint: expect.stringContaining('security-1'),
    });
    expect((await refused({ role: 'poet' })).message).toContain('no other agent of the role "poet"');
    expect((await refused({ role: 'coordinator' })).message).toContain('no other agent'); // the sender alone has it
    expect((await refused('all', { allowed: () => false })).message).toBe('a broadcast of hub reaches nobody in run_1');
    expect((await refused({ agent: 'coder' }, { members: [] })).hint).toBe('Nobody gets mail in run_1.');
  });

  it('refuses what is empty, too long or cannot be stored', async () => {
    const { box } = await open();
    const largest = 'é'.repeat(32 * 1024);
    await box.send(letter({ agent: 'coder' }, largest));
    expect(await bodies(box, 'coder')).toEqual([largest]);
    for (const body of ['', `${largest}x`, 'a\0b', '\ud800', 'x'.repeat(1e6)]) {
      await expect(box.send(letter('all', body))).rejects.toThrow(/^body /);
    }
    await expect(box.send(letter('all', 'x', { place: '' }))).rejects.toThrow('place is empty');
    await expect(box.send(letter('all', 'x', { from: 'x'.repeat(513) }))).rejects.toThrow('from has more than 512 bytes');
    await expect(box.read('run_1', 'coder', { limit: 0 })).rejects.toThrow(InvalidInputError);
    await expect(box.read('run_1', 'coder', { after: -1 })).rejects.toThrow(InvalidInputError);
    await expect(box.ack('run_1', 'coder', [1.5])).rejects.toThrow(InvalidInputError);
    await expect(box.sendMany(Array.from({ length: 1001 }, () => letter('all', 'x')))).rejects.toThrow('number of letters');
  });

  it('keeps text as it is: quotes, wildcards, SQL, emoji', async () => {
    const { box } = await open();
    const place = `run'); DROP TABLE message; --`;
    const members = [{ id: `o'hara %_ 🙂`, role: 'all' }];
    const body = `"';--\n\t\u2028🙂`;
    await box.send(letter({ role: 'all' }, body, { place, members }));
    expect(await box.read(place, `o'hara %_ 🙂`)).toMatchObject([{ body, address: 'role:all' }]);
    expect(await box.read(place, `o'hara %_`)).toEqual([]);
  });

  it.skipIf(isRemote)(
    'a mailbox that is full is busy until some is acknowledged; nobody gets what it could not take',
    async () => {
      const { box } = await open();
      for (let at = 0; at < 10; at += 1) {
        await box.sendMany(Array.from({ length: at === 9 ? 999 : 1000 }, (_, n) => letter({ agent: 'coder' }, `${n}`)));
      }
      await expect(box.sendMany([letter('all', 'x'), letter('all', 'y')])).rejects.toThrow(BusyError);
      await box.send(letter('all', 'last'));
      const full = await box.send(letter('all', 'x')).catch((error: unknown) => error);
      expect(full).toMatchObject({ code: 'busy', retryable: true, details: { agent: 'coder', open: 10_000 } });
      expect(await box.pending('run_1')).toMatchObject([
        { agent: 'coder', unacked: 10_000 },
        { agent: 'security-1', unacked: 1 },
        { agent: 'security-2', unacked: 1 },
      ]);
      await box.ack('run_1', 'coder', [1]);
      await box.send(letter('all', 'again'));
    },
  );

  it('calls that come together share a transaction, and each is answered for itself', async () => {
    const { box, db } = await open();
    const before = db.commits;
    const answers = await Promise.allSettled([
      box.send(toWorker('b', 'one')),
      box.send(toWorker('nobody', 'two')),
      box.sendMany([toWorker('all', 'three'), toWorker('c', 'four')]),
      box.send(toWorker('b', '')),
      box.send(toWorker('b', 'five')),
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
    ]);
    expect(acks).toEqual([
      { acked: 2, notOpen: [] },
      { acked: 1, notOpen: [2, 99] },
      { acked: 1, notOpen: [] },
    ]);
    expect(await box.pending('run_1')).toEqual([{ agent: 'c', unread: 1, unacked: 1 }]);
  });

  it.skipIf(isRemote)('a full mailbox refuses what is for it alone, and nothing of that stays', async () => {
    const { box, db } = await open();
    for (let at = 0; at < 10; at += 1) {
      await box.sendMany(Array.from({ length: at === 9 ? 998 : 1000 }, (_, n) => toWorker('b', `${n}`)));
    }
    const answers = await Promise.allSettled([
      box.send(toWorker('b', 'last but one')),
      box.sendMany([toWorker('c', 'x'), toWorker('b', 'x'), toWorker('b', 'x')]),
      box.send(toWorker('all', 'last')),
      box.send(toWorker('all', 'too many')),
      box.send(toWorker('c', 'fine')),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled']);
    const refused = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []));
    expect(refused.every((reason) => reason instanceof BusyError)).toBe(true);
    expect((await box.read('run_1', 'c')).map(({ body }) => body)).toEqual(['last', 'fine']);
    expect(await box.pending('run_1')).toMatchObject([{ agent: 'b', unacked: 10_000 }, { agent: 'c' }]);
    expect(await db.get('SELECT count(*) AS n FROM message')).toEqual({ n: 10_001 });
    const [acked, sent] = await Promise.all([box.ack('run_1', 'b', [1]), box.send(toWorker('b', 'room again'))]);
    expect([acked.acked, sent.recipients]).toEqual([1, ['b']]);
  });

  it('more letters than may wait are refused as busy, and those that were taken are stored', async () => {
    const { box } = await open();
    const batch = Array.from({ length: 1000 }, (_, n) => toWorker(n % 2 === 0 ? 'b' : 'c', `${n}`));
    const answers = await Promise.allSettled(Array.from({ length: 12 }, () => box.sendMany(batch)));
    const refused = answers.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(2);
    for (const answer of refused) expect(answer).toMatchObject({ reason: { code: 'busy', retryable: true } });
    expect(await box.pending('run_1')).toMatchObject([{ unacked: 5000 }, { unacked: 5000 }]);
  });
});
