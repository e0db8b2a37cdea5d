import { writeSync } from 'node:fs';
import type { Letter } from '../../src/mail/letter.ts';
import { createMailbox } from '../../src/mail/mailbox.ts';
import { createRuntime } from '../../src/runtime.ts';
import { openDatabase } from '../../src/store/open-database.ts';

/**
 * Arguments: database, `send`, `flood` or `read`, name, number of messages. A sender prints each body once its
 * sending was answered, one by one and in batches of five by turns. A flood is of twenty senders `<name>.<n>` at once that
 * have up to five messages under way each. A reader, as the agent `left`, prints `got <body>` for unread mail, acknowledges
 * it, prints `acked <body>`, and ends when it got so many or there has been none for three seconds.
 */
const [path = '', mode = '', name = '', count = '0'] = process.argv.slice(2);
const PLACE = 'run_1';
const BATCH = 5;
const members = [
  { id: 'left', role: 'reader' },
  { id: 'right', role: 'reader' },
];

const runtime = createRuntime('silent');
const db = await openDatabase(path, { runtime });
const box = createMailbox({ db, runtime });

async function send(): Promise<void> {
  for (let n = 0; n < Number(count); n += BATCH + 1) {
    const letter = (at: number): Letter => ({ place: PLACE, from: name, to: 'all', body: `${name} ${n + at}`, members });
    const first = letter(0);
    const rest = Array.from({ length: BATCH }, (_, at) => letter(at + 1));
    await box.send(first);
    writeSync(1, `${first.body}\n`);
    await box.sendMany(rest);
    writeSync(1, rest.map(({ body }) => `${body}\n`).join(''));
  }
}

async function flood(): Promise<void> {
  const senders = Array.from({ length: 20 }, (_, at) => `${name}.${at}`);
  const sendOne = async (from: string, n: number): Promise<void> => {
    const body = `${from} ${n}`;
    await box.send({ place: PLACE, from, to: 'all', body, members });
    writeSync(1, `${body}\n`);
  };
  const each = Number(count) / senders.length;
  await Promise.all(
    senders.map(async (from) => {
      for (let n = 0; n < each; n += BATCH) {
        await Promise.all(Array.from({ length: Math.min(BATCH, each - n) }, (_, at) => sendOne(from, n + at)));
      }
    }),
  );
}

async function read(): Promise<void> {
  let got = 0;
  for (let lastAt = runtime.ticks(); got < Number(count) && runtime.ticks() - lastAt < (got === 0 ? 20_000 : 3000);) {
    const mail = await box.read(PLACE, 'left', { unreadOnly: true, limit: 7 });
    if (mail.length === 0) {
      await runtime.sleep(2);
      continue;
    }
    lastAt = runtime.ticks();
    got += mail.length;
    writeSync(1, mail.map(({ body }) => `got ${body}\n`).join(''));
    const ids = mail.map(({ messageId }) => messageId);
    const { notOpen } = await box.ack(PLACE, 'left', ids);
    if (notOpen.length > 0) throw new Error(`not open: ${notOpen.join(', ')}`);
    writeSync(1, mail.map(({ body }) => `acked ${body}\n`).join(''));
  }
}

writeSync(1, 'ready\n');
const modes: Readonly<Record<string, () => Promise<void>>> = { send, flood, read };
await modes[mode]?.();
await db.close();
