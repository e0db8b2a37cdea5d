import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CancelledError, ForbiddenError } from '../../../src/errors.ts';
import { createEmbeddings } from '../../../src/memory/embed/create-embeddings.ts';
import type { Embedder } from '../../../src/memory/embed/embedder.ts';
import { EmbedderError } from '../../../src/memory/embed/embedder-error.ts';
import type { Embeddings } from '../../../src/memory/embed/embeddings.ts';
import { createEndpointEmbedder } from '../../../src/memory/embed/endpoint-embedder.ts';
import { createLexicalEmbedder } from '../../../src/memory/embed/lexical-embedder.ts';
import type { Runtime } from '../../../src/runtime.ts';
import type { Database } from '../../../src/store/database.ts';
import { databaseBackends, type DatabasePlace } from '../../helpers/databases.ts';
import { testRuntime, useScratch } from '../../store/scratch.ts';
import { hashOf, put, storedVectors } from './contents.ts';
import {
  failing,
  honest,
  itemsFor,
  send,
  startEmbeddingServer,
  unit,
  vectorOf,
  type EmbeddingServer,
  type Reply,
} from './embedding-server.ts';

const backends = databaseBackends();
const scratch = useScratch();
const { signal } = new AbortController();
let server: EmbeddingServer;
let place: DatabasePlace;
let db: Database;
let clock: number;
let logged: string[];
let runtime: Runtime;

function endpoint(model = 'm'): Embedder {
  return createEndpointEmbedder({ baseUrl: server.baseUrl, model, fetch, runtime });
}

function embeddings(embedder: Embedder | null = endpoint(), database = db): Embeddings {
  const made = createEmbeddings({ open: async () => database, runtime, embedder });
  scratch.onCleanUp(async () => made[Symbol.asyncDispose]());
  return made;
}

const texts = (count: number, name = 'text'): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`${name}-${at}`, `${name} ${at}`]));

const asked = (): readonly string[] => server.requests.flatMap(({ input }) => input);

/** Every stored vector is the honest server's for the content that its hash names. */
async function expectRightVectors(values: readonly string[], dimensions = 8): Promise<void> {
  const vectors = await storedVectors(db);
  const expected = new Map(values.map((value) => [hashOf(value), unit(vectorOf(value, dimensions))]));
  for (const { hash, vector } of vectors) expect(vector).toEqual(expected.get(hash));
  expect(vectors).toHaveLength(expected.size);
}

async function waitUntil(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe.each(backends)('$name', ({ fresh, isRemote }) => {
  beforeEach(async () => {
    clock = 1_000_000;
    logged = [];
    runtime = testRuntime({
      now: () => clock,
      ticks: () => clock,
      sleep: async (_, stop) => {
        if (stop?.aborted === true) throw new CancelledError('cancelled');
      },
      log: (_, message) => void logged.push(message),
    });
    server = await startEmbeddingServer();
    place = await fresh();
    db = await place.open();
  });
  afterEach(() => server.stop());

  describe('catching up', () => {
    test('embeds each content once, the newest first, in batches that are committed', async () => {
      await put(db, { ...texts(150), again: 'text 3', blank: ' ' });
      const progress: [number, number][] = [];
      const made = embeddings();
      expect(await made.catchUp({ signal, onProgress: (done, total) => progress.push([done, total]) })).toEqual({
        embedded: 151,
        pending: 0,
      });
      expect(progress).toEqual([
        [64, 151],
        [128, 151],
        [151, 151],
      ]);
      expect(asked().slice(0, 4)).toEqual(['(empty)', 'text 3', 'text 149', 'text 148']);
      const vectors = await storedVectors(db);
      expect(vectors.find(({ hash }) => hash === hashOf('text 7'))?.vector).toEqual(unit(vectorOf('text 7')));
      expect(await db.all('SELECT provider, model, dimensions FROM embedding_space')).toEqual([
        { provider: 'openai', model: 'm', dimensions: 8 },
      ]);
      expect(await made.catchUp({ signal })).toEqual({ embedded: 0, pending: 0 });
      expect(asked()).toHaveLength(151);
    });

    test('embeds the words of JSON, and only what can be seen', async () => {
      await put(db, texts(4));
      await db.run(`UPDATE memory_entry SET words = 'only words' WHERE key = 'text-0'`);
      await db.run(`UPDATE memory_entry SET deleted_at = 1 WHERE key = 'text-1'`);
      await db.run(`UPDATE memory_entry SET expires_at = ? WHERE key = 'text-2'`, [clock]);
      const made = embeddings();
      expect(await made.status()).toMatchObject({ embedded: 0, pending: 2 });
      expect(await made.catchUp({ signal })).toEqual({ embedded: 2, pending: 0 });
      expect(asked()).toEqual(['text 3', 'only words']);
      await db.run('UPDATE memory_entry SET deleted_at = NULL');
      expect(await made.status()).toMatchObject({ embedded: 2, pending: 1 });
      expect(await made.catchUp({ signal })).toEqual({ embedded: 1, pending: 0 });
    });

    test('later looks only at what has changed, also when the change log was shortened', async () => {
      await put(db, texts(10));
      const made = embeddings();
      await made.catchUp({ signal });
      await put(db, { 'text-3': 'changed', added: 'new', same: 'text 5' });
      expect(await made.catchUp({ signal })).toEqual({ embedded: 2, pending: 0 });
      await put(db, { more: 'more' });
      await db.run('DELETE FROM chg');
      expect(await made.catchUp({ signal })).toEqual({ embedded: 1, pending: 0 });
      expect(asked().slice(10)).toEqual(['new', 'changed', 'more']);
    });

    test('up to a number of contents; the next goes on', async () => {
      await put(db, texts(100));
      const made = embeddings();
      expect(await made.catchUp({ signal, maxContents: 70 })).toEqual({ embedded: 70, pending: 30 });
      expect(await made.catchUp({ signal, maxContents: 0 })).toEqual({ embedded: 0, pending: 30 });
      expect(await made.catchUp({ signal })).toEqual({ embedded: 30, pending: 0 });
      expect(new Set(asked()).size).toBe(100);
    });

    test('stops when it is cancelled; what is committed stays', async () => {
      await put(db, texts(200));
      const stop = new AbortController();
      const made = embeddings();
      const work = made.catchUp({ signal: stop.signal, onProgress: () => stop.abort() });
      await expect(work).rejects.toThrow(CancelledError);
      expect(await storedVectors(db)).toHaveLength(64);
      expect(await made.status()).toMatchObject({ embedded: 64, pending: 136, problem: null });
    });

    test.skipIf(isRemote)('counts well past the size up to which it counts at every call', async () => {
      await put(db, texts(9000));
      const lexical = embeddings(createLexicalEmbedder());
      expect(await lexical.catchUp({ signal, maxContents: 8500 })).toEqual({ embedded: 8500, pending: 500 });
      await db.run(`UPDATE memory_entry SET deleted_at = 1 WHERE id <= 100`);
      clock += 1000;
      expect(await lexical.status()).toMatchObject({ embedded: 8500, pending: 400 });
      expect(await lexical.catchUp({ signal })).toEqual({ embedded: 400, pending: 0 });
    });
  });

  describe('several at once', () => {
    test('in one process share the work', async () => {
      await put(db, texts(300));
      const made = embeddings();
      const done = await Promise.all([made.catchUp({ signal }), made.catchUp({ signal })]);
      expect(done.map(({ embedded }) => embedded).reduce((a, b) => a + b)).toBe(300);
      expect(asked()).toHaveLength(300);
    });

    test('over two connections leave one vector a content, and part ways', async () => {
      await put(db, texts(1000));
      const second = await place.open();
      const both = [embeddings(endpoint()), embeddings(endpoint(), second)];
      await Promise.all(both.map((made) => made.catchUp({ signal })));
      await expectRightVectors(Object.values(texts(1000)));
      expect(await db.all('SELECT id FROM embedding_space')).toHaveLength(1);
      expect(asked().length).toBeLessThan(1600);
    });
  });

  describe('a change of the model', () => {
    test('fills a new space; the old one stays, and queries use the new one', async () => {
      await put(db, texts(5));
      await embeddings(endpoint('old')).catchUp({ signal });
      const made = embeddings(endpoint('new'));
      expect(await made.status()).toMatchObject({ model: 'new', dimensions: null, embedded: 0, pending: 5 });
      expect(await made.embedQuery('q', signal)).toEqual({ ok: false, reason: 'nothing is embedded by openai new yet' });
      await made.catchUp({ signal, maxContents: 2 });
      expect(await made.status()).toMatchObject({ dimensions: 8, embedded: 2, pending: 3 });
      expect(await made.embedQuery('q', signal)).toMatchObject({
        ok: true,
        space: { provider: 'openai', model: 'new', dimensions: 8 },
      });
      await made.catchUp({ signal });
      const models = (await storedVectors(db)).map(({ model }) => model);
      expect(models).toEqual([...Array.from({ length: 5 }, () => 'old'), ...Array.from({ length: 5 }, () => 'new')]);
    });

    test('behind the same name shows by its dimensions: a new space, never a mixed one', async () => {
      await put(db, texts(100));
      let size = 8;
      server.reply = (request, response) => send(response, 200, { data: itemsFor(request, size) });
      const made = embeddings();
      await made.catchUp({ signal, maxContents: 64 });
      size = 12;
      expect(await made.catchUp({ signal })).toMatchObject({ pending: 0 });
      expect(await made.status()).toMatchObject({ dimensions: 12, embedded: 100, pending: 0 });
      for (const { dimensions, vector } of await storedVectors(db)) expect(vector).toHaveLength(dimensions);
      expect(await db.all('SELECT dimensions FROM embedding_space ORDER BY id')).toEqual([{ dimensions: 8 }, { dimensions: 12 }]);

      size = 16;
      const query = await made.embedQuery('q', signal);
      expect(query).toEqual({ ok: false, reason: 'nothing is embedded with 16 dimensions yet' });
      await waitUntil(async () => (await made.status()).embedded === 100 && (await made.status()).dimensions === 16);
      expect(await made.embedQuery('q', signal)).toMatchObject({ ok: true, space: { dimensions: 16 } });
    });

    test('to and fro is an error, not an endless loop', async () => {
      await put(db, texts(100));
      server.reply = (request, response) => send(response, 200, { data: itemsFor(request, 8 + (request.turn % 2)) });
      await expect(embeddings().catchUp({ signal })).rejects.toThrow(/vectors of changing dimensions/);
      for (const { dimensions, vector } of await storedVectors(db)) expect(vector).toHaveLength(dimensions);
    });
  });

  describe('a text that the endpoint refuses', () => {
    const refusing =
      (refused: (text: string) => boolean): Reply =>
      (request, response) =>
        request.input.some(refused)
          ? failing(400, { error: { message: 'too long' } })(request, response)
          : honest(request, response);

    test('is tried shorter', async () => {
      const long = 'long '.repeat(1000);
      await put(db, { ...texts(20), long });
      server.reply = refusing((text) => text.length > 3000);
      const made = embeddings();
      expect(await made.catchUp({ signal })).toEqual({ embedded: 21, pending: 0 });
      const vector = (await storedVectors(db)).find(({ hash }) => hash === hashOf(long))?.vector;
      expect(vector).toEqual(unit(vectorOf(long.slice(0, 2000))));
    });

    test('stops no other, is told, and is not asked for again', async () => {
      await put(db, texts(100));
      server.reply = refusing((text) => text === 'text 50' || text === 'text 7');
      const made = embeddings();
      expect(await made.catchUp({ signal })).toEqual({ embedded: 98, pending: 2 });
      expect(await made.status()).toMatchObject({
        embedded: 98,
        pending: 2,
        problem: expect.stringMatching(/answers 400: too long$/),
      });
      const before = server.requests.length;
      expect(await made.catchUp({ signal })).toEqual({ embedded: 0, pending: 2 });
      expect(server.requests).toHaveLength(before);
    });

    test('when all are refused, the endpoint is at fault', async () => {
      await put(db, texts(100));
      server.reply = refusing(() => true);
      const made = embeddings();
      await expect(made.catchUp({ signal })).rejects.toThrow(EmbedderError);
      expect(server.requests.length).toBeLessThan(20);
      server.reply = honest;
      expect(await made.catchUp({ signal })).toEqual({ embedded: 100, pending: 0 });
      await put(db, { one: 'one' });
      server.reply = refusing(() => true);
      await expect(made.catchUp({ signal })).rejects.toThrow(/too long/);
      server.reply = honest;
      expect(await made.catchUp({ signal })).toEqual({ embedded: 1, pending: 0 });
    });
  });

  describe('in the background', () => {
    test('embeds what was written, and is done when it is disposed', async () => {
      await put(db, texts(200));
      const made = embeddings();
      made.wake();
      made.wake();
      await waitUntil(async () => (await made.status()).pending === 0);
      await put(db, { later: 'later' });
      made.wake();
      await waitUntil(async () => (await made.status()).pending === 0);
      expect(asked()).toHaveLength(201);
      await made[Symbol.asyncDispose]();
      await put(db, { never: 'never' });
      made.wake();
      await expect(made.catchUp({ signal })).rejects.toThrow(CancelledError);
      expect(await made.embedQuery('q', signal)).toEqual({ ok: false, reason: 'cancelled' });
      expect(await made.status()).toMatchObject({ pending: 1 });
    });

    test('disposal cuts off an endpoint that hangs', async () => {
      await put(db, texts(3));
      server.reply = () => undefined;
      const made = embeddings();
      made.wake();
      await waitUntil(async () => server.requests.length > 0);
      await made[Symbol.asyncDispose]();
      expect(logged).toEqual([]);
    });

    test('a failure is logged once, shown, and does not keep it busy', async () => {
      await put(db, texts(3));
      await server.stop();
      const made = embeddings();
      made.wake();
      await waitUntil(async () => (await made.status()).problem !== null);
      for (let n = 0; n < 20; n += 1) made.wake();
      await expect(made.catchUp({ signal })).rejects.toThrow(/cannot reach/);
      expect(await made.status()).toMatchObject({ embedded: 0, pending: 3, problem: expect.stringMatching(/^cannot reach/) });
      expect(logged).toEqual([expect.stringMatching(/^embeddings: cannot reach/)]);
      await server.start();
      expect(await made.catchUp({ signal })).toEqual({ embedded: 3, pending: 0 });
      expect(await made.status()).toMatchObject({ problem: null });
    });

    test('does nothing to a database that is only read', async () => {
      await put(db, texts(3));
      const reader = await place.open(undefined, { readOnly: true });
      const made = embeddings(endpoint(), reader);
      made.wake();
      await new Promise((resolve) => setTimeout(resolve, 150));
      expect(await made.status()).toMatchObject({ pending: 3, problem: null });
      await expect(made.catchUp({ signal })).rejects.toThrow(ForbiddenError);
      expect(server.requests).toEqual([]);
    });
  });

  describe('a query', () => {
    beforeEach(async () => {
      await put(db, texts(3));
      await embeddings().catchUp({ signal });
      server.requests.length = 0;
    });

    test('becomes a vector of the current space, and is asked once', async () => {
      const made = embeddings();
      const answer = await made.embedQuery('a query', signal);
      if (!answer.ok) throw new Error(answer.reason);
      expect([...answer.vector]).toEqual(unit(vectorOf('a query')));
      expect(answer).toMatchObject({ semantic: true, space: { provider: 'openai', model: 'm', dimensions: 8 } });
      await made.embedQuery('a query', signal);
      expect(asked()).toEqual(['a query']);
      expect(await made.embedQuery(' ', signal)).toEqual({ ok: false, reason: 'the query is empty' });
    });

    test('does without an endpoint that is down, quickly for some seconds; then it is back', async () => {
      const made = embeddings();
      server.reply = failing(503);
      expect(await made.embedQuery('q', signal)).toMatchObject({ ok: false, reason: expect.stringMatching(/answers 503/) });
      const before = server.requests.length;
      expect(await made.embedQuery('other', signal)).toMatchObject({
        ok: false,
        reason: expect.stringMatching(/answers 503: no \(tried again in 5 s\)$/),
      });
      expect(server.requests).toHaveLength(before);
      expect(await made.status()).toMatchObject({ problem: expect.stringMatching(/answers 503/) });
      server.reply = honest;
      clock += 5000;
      expect(await made.embedQuery('other', signal)).toMatchObject({ ok: true });
      expect(await made.status()).toMatchObject({ problem: null });
    });

    test('waits about a second for an endpoint that hangs, and not at all when the caller gives up', async () => {
      const made = embeddings();
      const stop = new AbortController();
      server.reply = () => stop.abort();
      expect(await made.embedQuery('q', stop.signal)).toEqual({ ok: false, reason: 'cancelled' });
      server.reply = () => undefined;
      expect(await made.embedQuery('q', signal)).toEqual({ ok: false, reason: 'no vector of the query within 1000 ms' });
      expect(await made.embedQuery('q', signal)).toMatchObject({
        ok: false,
        reason: expect.stringMatching(/tried again in 5 s/),
      });
    });

    test('never rejects, whatever the database does', async () => {
      const made = createEmbeddings({ open: () => Promise.reject(new Error('gone')), runtime, embedder: endpoint() });
      expect(await made.embedQuery('q', signal)).toEqual({ ok: false, reason: 'gone' });
      await made[Symbol.asyncDispose]();
    });
  });

  test('without an embedder there is nothing, and nothing fails', async () => {
    const off = embeddings(null);
    expect(off.enabled).toBe(false);
    off.wake();
    expect(await off.status()).toMatchObject({ provider: null, embedded: 0, pending: 0, problem: null });
    expect(await off.catchUp({ signal })).toEqual({ embedded: 0, pending: 0 });
    expect(await off.embedQuery('q', signal)).toEqual({ ok: false, reason: 'embeddings are off' });
  });

  test('whatever a server does, no vector lands under the hash of another content', async () => {
    const fault = fc.constantFrom<Reply>(
      honest,
      honest,
      failing(400),
      failing(429),
      failing(500),
      (_, response) => void response.socket?.resetAndDestroy(),
      (request, response) => send(response, 200, JSON.stringify({ data: itemsFor(request) }).slice(0, -20)),
      (request, response) => send(response, 200, { data: itemsFor(request).reverse() }),
      (request, response) => send(response, 200, { data: itemsFor(request).slice(1) }),
      (request, response) => send(response, 200, { data: [...itemsFor(request), ...itemsFor(request)] }),
      (request, response) => send(response, 200, { data: itemsFor(request).map((item) => ({ ...item, index: 0 })) }),
      (request, response) => send(response, 200, { data: itemsFor(request).map((item) => ({ ...item, embedding: [0] })) }),
      (request, response) => send(response, 200, { data: itemsFor(request, 12) }),
    );
    let round = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fault, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 150 }),
        async (replies, count) => {
          round += 1;
          const values = texts(count, `round ${round}`);
          await put(db, values);
          let turn = 0;
          server.reply = (request, response) => {
            turn += 1;
            return (replies[turn - 1] ?? honest)(request, response);
          };
          const made = embeddings(endpoint(`model ${round}`));
          for (let tries = 0; tries < 12; tries += 1) {
            const done = await made.catchUp({ signal }).catch(() => undefined);
            if (done?.pending === 0) break;
          }
          await made[Symbol.asyncDispose]();
          const known = new Map(
            (await db.all('SELECT value FROM memory_entry')).map(({ value }) => [hashOf(String(value)), String(value)]),
          );
          const wrong = (await storedVectors(db)).filter(
            ({ hash, vector, dimensions, model }) =>
              model === `model ${round}` && vector.join() !== unit(vectorOf(known.get(hash) ?? '', dimensions)).join(),
          );
          expect(wrong).toEqual([]);
          await db.run('DELETE FROM memory_entry');
        },
      ),
      { seed: 11, numRuns: isRemote ? 8 : 40 },
    );
  });
});
