import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CancelledError, errorBody, InvalidInputError } from '../../../src/errors.ts';
import type { Embedder } from '../../../src/memory/embed/embedder.ts';
import { EmbedderError } from '../../../src/memory/embed/embedder-error.ts';
import { createEndpointEmbedder, type EndpointOptions } from '../../../src/memory/embed/endpoint-embedder.ts';
import { testRuntime } from '../../store/scratch.ts';
import {
  failing,
  faults,
  honest,
  itemsFor,
  send,
  startEmbeddingServer,
  unit,
  vectorOf,
  type EmbeddingRequest,
  type EmbeddingServer,
  type Item,
  type Reply,
} from './embedding-server.ts';

const KEY = 'sk-very-secret-0123456789';
let server: EmbeddingServer;
let pauses: number[];

beforeEach(async () => {
  server = await startEmbeddingServer();
  pauses = [];
});
afterEach(() => server.stop());

/** Pauses are noted instead of waited for. */
function embedder(options: Partial<EndpointOptions> = {}): Embedder {
  const runtime = testRuntime({
    sleep: async (ms, signal) => {
      pauses.push(ms);
      if (signal?.aborted === true) throw new CancelledError('cancelled');
    },
    random: () => 0.5,
  });
  return createEndpointEmbedder({ baseUrl: server.baseUrl, model: 'm', apiKey: KEY, fetch, runtime, ...options });
}

const { signal } = new AbortController();
const embed = (texts: readonly string[], options: Partial<EndpointOptions> = {}) =>
  embedder(options).embed(texts, 'document', signal);

async function failure(work: Promise<unknown>): Promise<EmbedderError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof EmbedderError)) throw new Error(`no EmbedderError: ${String(error)}`);
  return error;
}

const answering =
  (change: (items: Item[], asked: EmbeddingRequest) => unknown): Reply =>
  (asked, response) =>
    send(response, 200, { data: change(itemsFor(asked), asked) });

describe('an honest endpoint', () => {
  test('gives unit vectors in the order of the texts', async () => {
    const vectors = await embed(['one', 'two', 'three']);
    expect(vectors.map((vector) => [...vector])).toEqual(['one', 'two', 'three'].map((text) => unit(vectorOf(text))));
    expect(server.requests).toMatchObject([
      { path: '/v1/embeddings', model: 'm', input: ['one', 'two', 'three'], authorization: `Bearer ${KEY}` },
    ]);
    expect(server.requests[0]).not.toHaveProperty('dimensions');
  });

  test('is asked for dimensions, and without a key where none is set', async () => {
    const [vector] = await embed(['one'], { dimensions: 5, apiKey: '' });
    expect(vector).toHaveLength(5);
    expect(server.requests[0]).toMatchObject({ dimensions: 5, authorization: undefined });
  });

  test.each(['/v1/', '/v1/embeddings', '/v1/embeddings/'])('is found by a base that ends in %s', async (end) => {
    await embed(['one'], { baseUrl: server.baseUrl.replace(/\/v1$/, end) });
    expect(server.requests[0]?.path).toBe('/v1/embeddings');
  });

  test('gets at most 64 texts and 64,000 characters at once, each text cut to 8,000', async () => {
    const texts = [...Array.from({ length: 130 }, (_, at) => `text ${at}`), ...Array.from({ length: 9 }, () => 'x'.repeat(9000))];
    expect(await embed(texts)).toHaveLength(139);
    expect(server.requests.map(({ input }) => input.length)).toEqual([64, 64, 9, 2]);
    for (const { input } of server.requests) {
      expect(input.join('').length).toBeLessThanOrEqual(64_000);
      for (const text of input) expect(text.length).toBeLessThanOrEqual(8000);
    }
  });

  test('gets no blank text, and no half of a surrogate pair', async () => {
    await embed(['', ' \n', `${'x'.repeat(7999)}🚀`]);
    expect(server.requests[0]?.input).toEqual(['(empty)', '(empty)', 'x'.repeat(7999)]);
  });

  test('gets what the card of a known model asks for', async () => {
    const known = embedder({ model: 'nomic-embed-text:latest' });
    await known.embed(['a'], 'document', signal);
    await known.embed(['a'], 'query', signal);
    expect(server.requests.map(({ input }) => input[0])).toEqual(['search_document: a', 'search_query: a']);
  });

  test('without texts is not asked', async () => {
    expect(await embed([])).toEqual([]);
    expect(server.requests).toEqual([]);
  });
});

describe('what passes is tried again', () => {
  const resetAtOnce: Reply = (_, response) => void response.socket?.resetAndDestroy();
  const resetInBody: Reply = (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write('{"data": [{"index": 0, "embedd', () => response.socket?.resetAndDestroy());
  };
  const halfJson: Reply = (_, response) => send(response, 200, '{"data": [{"index": 0, "embedding": [0.1');

  test.each<[string, Reply]>([
    ['429', failing(429)],
    ['500 that is no JSON', failing(500, '<html>oops</html>')],
    ['503', failing(503)],
    ['529', failing(529)],
    ['408', failing(408)],
    ['a reset before the answer', resetAtOnce],
    ['a reset within the answer', resetInBody],
    ['half an answer', halfJson],
  ])('%s, twice', async (_, fault) => {
    server.reply = faults(fault, fault);
    const [vector] = await embed(['one']);
    expect([...(vector ?? [])]).toEqual(unit(vectorOf('one')));
    expect(pauses).toEqual([500, 1000]);
  });

  test('four times in all; then the last reason is told', async () => {
    server.reply = failing(503, { error: { message: 'model is\nloading' } });
    const error = await failure(embed(['one']));
    expect(error.message).toBe(`${server.baseUrl}/embeddings answers 503: model is loading`);
    expect(error).toMatchObject({ code: 'unavailable', retryable: true, fault: 'embedder' });
    expect(server.requests).toHaveLength(4);
    expect(pauses).toEqual([500, 1000, 2000]);
  });

  test('a query is tried only twice, with a short pause', async () => {
    server.reply = failing(429, {}, { 'retry-after': '30' });
    await failure(embedder().embed(['one'], 'query', signal));
    expect(pauses).toEqual([300]);
  });

  test('not before the server wants it, within reason', async () => {
    const date = new Date(1_700_000_000_000);
    server.reply = faults(
      failing(429, {}, { 'retry-after': '7' }),
      failing(429, {}, { 'retry-after': new Date(date.getTime() + 9000).toUTCString(), date: date.toUTCString() }),
      failing(503, {}, { 'retry-after': '86400' }),
    );
    await embed(['one']);
    expect(pauses).toEqual([7000, 9000, 20_000]);
  });

  test('an endpoint that is down, then back', async () => {
    await server.stop();
    const error = await failure(embed(['one']));
    expect(error.message).toMatch(/^cannot reach http:\/\/127\.0\.0\.1:\d+\/v1\/embeddings: .*ECONNREFUSED/);
    expect(error.hint).toMatch(/Start the embedding server/);
    await server.start();
    expect(await embed(['one'])).toHaveLength(1);
  });

  test('no answer in time, at once or by drops', async () => {
    const drip: Reply = async (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      while (!response.destroyed) {
        response.write(' ');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    server.reply = faults(() => undefined, drip);
    expect(await embed(['one'], { timeoutMs: 150 })).toHaveLength(1);
    server.reply = () => undefined;
    const error = await failure(embed(['one'], { timeoutMs: 30 }));
    expect(error).toMatchObject({ retryable: true, message: expect.stringMatching(/no whole answer within 30 ms$/) });
  });

  test('the time for all of it is limited', async () => {
    server.reply = () => undefined;
    const error = await failure(embed(['one'], { deadlineMs: 50 }));
    expect(error).toMatchObject({ retryable: true, message: expect.stringMatching(/embedded less than 1 texts within 50 ms$/) });
  });
});

describe('what does not pass is told at once', () => {
  test.each<[number, string]>([
    [400, 'texts'],
    [401, 'embedder'],
    [403, 'embedder'],
    [404, 'embedder'],
    [413, 'texts'],
    [422, 'texts'],
  ])('%i', async (status, fault) => {
    server.reply = failing(status);
    const error = await failure(embed(['one']));
    expect(error).toMatchObject({ retryable: false, fault, details: { status } });
    expect(error.hint).toBeTruthy();
    expect(server.requests).toHaveLength(1);
  });

  test('a redirect is not followed', async () => {
    await using other = await startEmbeddingServer();
    server.reply = failing(307, '', { location: `${other.baseUrl}/embeddings` });
    expect((await failure(embed(['one']))).message).toMatch(/redirect \(307\), which is not followed$/);
    expect(other.requests).toEqual([]);
  });

  test.each<[string, (items: Item[]) => unknown]>([
    ['too few', (items) => items.slice(1)],
    ['too many', (items) => [...items, ...items]],
    ['the same index twice', (items) => items.map((item) => ({ ...item, index: 1 }))],
    ['an index beyond the texts', (items) => items.map((item, at) => ({ ...item, index: at + 1 }))],
    ['a broken index', (items) => items.map((item, at) => ({ ...item, index: at + 0.5 }))],
    ['an index as text', (items) => items.map((item, at) => ({ ...item, index: String(at) }))],
    ['no index at all', (items) => items.map(({ embedding }) => ({ embedding }))],
    ['null for NaN', (items) => items.map((item) => ({ ...item, embedding: [0.1, null] }))],
    ['text for numbers', (items) => items.map((item) => ({ ...item, embedding: ['0.1', '0.2'] }))],
    ['base64', (items) => items.map((item) => ({ ...item, embedding: 'AACAPw==' }))],
    ['only zeros', (items) => items.map((item) => ({ ...item, embedding: [0, 0, 0] }))],
    ['no numbers', (items) => items.map((item) => ({ ...item, embedding: [] }))],
    ['numbers too large', (items) => items.map((item) => ({ ...item, embedding: [1e300, 1e300] }))],
    ['other dimensions midway', (items) => items.map((item, at) => ({ ...item, embedding: vectorOf('x', 4 + at) }))],
    ['no list', () => ({ 0: 1 })],
  ])('%s', async (_, change) => {
    server.reply = answering(change);
    const error = await failure(embed(['one', 'two', 'three']));
    expect(error).toMatchObject({ code: 'unavailable', retryable: false, fault: 'embedder' });
    expect(server.requests).toHaveLength(1);
  });

  test.each(['[]', 'null', '"text"', '{"error": "no"}'])('%s instead of an answer', async (body) => {
    server.reply = (_, response) => send(response, 200, body);
    expect((await failure(embed(['one']))).message).toMatch(/answers no list of embeddings/);
  });

  test('other dimensions in a later answer, or than were asked for', async () => {
    server.reply = (asked, response) => send(response, 200, { data: itemsFor(asked, asked.turn === 0 ? 8 : 9) });
    expect((await failure(embed(Array.from({ length: 65 }, (_, at) => `${at}`)))).message).toMatch(/9 dimensions instead of 8$/);
    expect((await failure(embed(['one'], { dimensions: 4 }))).message).toMatch(/9 dimensions instead of 4$/);
  });

  test('an endless answer is cut off', async () => {
    let written = 0;
    server.reply = async (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const chunk = Buffer.alloc(1024 * 1024, ' ');
      for (; written < 100 && !response.destroyed; written += 1) {
        response.write(chunk);
        while (response.writableNeedDrain && !response.destroyed) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      response.end();
    };
    expect((await failure(embed(['one']))).message).toMatch(/more than 33554432 bytes$/);
    expect(written).toBeLessThan(100);
  });

  test('giving up is no failure of the endpoint', async () => {
    const stop = new AbortController();
    server.reply = () => stop.abort();
    await expect(embedder().embed(['one'], 'document', stop.signal)).rejects.toThrow(CancelledError);
  });
});

describe('the key', () => {
  test.each([400, 401, 500])('is shown by no error, also when the server sends it back with %i', async (status) => {
    server.reply = (asked, response) => {
      const message = `Incorrect API key: ${asked.authorization}, ${KEY}`;
      send(response, status, { error: { message } });
    };
    const error = await failure(embed(['one']));
    expect(JSON.stringify([errorBody(error), error.stack, String(error.cause)])).not.toContain('secret');
  });

  test.each(['line\nbreak', 'two words', 'ünicode'])('that no header can carry is refused unseen: %j', (apiKey) => {
    const make = (): Embedder => embedder({ apiKey });
    expect(make).toThrow(InvalidInputError);
    expect(make).not.toThrow(apiKey);
  });

  test.each(['ftp://host/v1', 'file:///etc/passwd', 'host:11434', '', 'http://user:hidden@host/v1'])(
    'no such URL: %s',
    (baseUrl) => {
      const make = (): Embedder => embedder({ baseUrl });
      expect(make).toThrow(InvalidInputError);
      expect(make).not.toThrow('hidden');
    },
  );

  test('in the query of a URL is sent, and not shown', async () => {
    server.reply = failing(404);
    const error = await failure(embed(['one'], { baseUrl: `${server.baseUrl}?api-key=hidden` }));
    expect(server.requests[0]?.path).toBe('/v1/embeddings?api-key=hidden');
    expect(JSON.stringify(errorBody(error))).not.toContain('hidden');
  });
});

test('whatever comes back, a vector belongs to its text or nothing is believed', async () => {
  const mutation = fc.oneof(
    fc.record({ kind: fc.constant('move' as const), from: fc.nat(9), to: fc.nat(9) }),
    fc.record({ kind: fc.constant('drop' as const), at: fc.nat(9) }),
    fc.record({ kind: fc.constant('repeat' as const), at: fc.nat(9) }),
    fc.record({
      kind: fc.constant('index' as const),
      at: fc.nat(9),
      index: fc.oneof(fc.integer({ min: -2, max: 12 }), fc.double(), fc.constant(null)),
    }),
    fc.record({ kind: fc.constant('no index' as const), at: fc.nat(9) }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.string({ minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 8 }),
      fc.array(mutation, { maxLength: 4 }),
      async (texts, mutations) => {
        let relabelled = false;
        server.reply = answering((items) => {
          const changed = [...items];
          for (const one of mutations) {
            const place = 'at' in one ? one.at % changed.length : 0;
            const item = changed[place];
            if (item === undefined) break;
            if (one.kind === 'move') changed.splice(one.to, 0, ...changed.splice(one.from, 1));
            if (one.kind === 'drop') changed.splice(place, 1);
            if (one.kind === 'repeat') changed.push(item);
            if (one.kind === 'no index') changed[place] = { embedding: item.embedding };
            if (one.kind === 'index') {
              changed[place] = { ...item, index: one.index };
              relabelled = true; // a lie that gives every text one vector cannot be told from the truth
            }
          }
          return changed;
        });
        const expected = texts.map((text) => unit(vectorOf(text.trim() === '' ? '(empty)' : text)));
        const outcome = await embed(texts).then(
          (vectors) => (relabelled ? 'not to be told' : vectors.map((vector) => [...vector])),
          (error: unknown) => (error instanceof EmbedderError ? 'not believed' : error),
        );
        expect(['not to be told', 'not believed', expected]).toContainEqual(outcome);
      },
    ),
    { seed: 7, numRuns: 300 },
  );
  server.reply = honest;
});
