import { createServer, type Server } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { createServerReach } from '../../src/store/server-reach.ts';
import { createServerFetch, RequestFailure, type Fetch } from '../../src/store/server-request.ts';
import { hurried, testRuntime } from './scratch.ts';

const SPEED = 20;
/** Milliseconds on the hurried clock. */
const FIRST_ANSWER_MS = 10_000;
const TIMEOUT_MS = 20_000;

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
});

/** A server that answers at the first, and then only those requests that `answers` lets through. */
async function listen(answers: (url: string) => Promise<boolean>): Promise<{ readonly href: string; readonly asked: string[] }> {
  const asked: string[] = [];
  const listening = createServer((request, response) => {
    const url = request.url ?? '';
    asked.push(url);
    request.resume();
    const answer = (): void => void response.end('{"results":[]}');
    if (asked.length === 1) answer();
    else void answers(url).then((may) => (may ? answer() : undefined));
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const address = listening.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return { href: `http://127.0.0.1:${address.port}`, asked };
}

function fetchOf(href: string): Fetch {
  const runtime = testRuntime(hurried(SPEED));
  return createServerFetch({
    href,
    authToken: undefined,
    runtime,
    timeoutMs: TIMEOUT_MS,
    firstAnswerMs: FIRST_ANSWER_MS,
    reach: createServerReach(runtime),
    signal: new AbortController().signal,
    fetch: (request) => globalThis.fetch(request),
  });
}

const post = (href: string): Request => new Request(`${href}/v2/pipeline`, { method: 'POST', body: '{}' });

async function failureOf(sent: Promise<unknown>): Promise<string> {
  return sent.then(
    () => 'answered',
    (error: unknown) => (error instanceof RequestFailure ? error.message : String(error)),
  );
}

describe('a server that has answered before', () => {
  test('and is silent now, is given up as soon as one that never did', async () => {
    const { href, asked } = await listen(async () => false);
    const fetch = fetchOf(href);
    await fetch(post(href));
    expect(await failureOf(fetch(post(href)))).toMatch(/no answer within 10000 ms$/);
    expect(asked).toEqual(['/v2/pipeline', '/v2/pipeline', '/v2']);
  });

  test('and answers others meanwhile, has more time for what takes long', async () => {
    const { href } = await listen(async (url) => url === '/v2');
    const fetch = fetchOf(href);
    await fetch(post(href));
    expect(await failureOf(fetch(post(href)))).toMatch(/no answer within 20000 ms$/);
  });

  test('is not asked whether it answers while it is quick', async () => {
    const { href, asked } = await listen(async () => true);
    const fetch = fetchOf(href);
    for (let at = 0; at < 3; at += 1) await fetch(post(href));
    expect(asked).toEqual(['/v2/pipeline', '/v2/pipeline', '/v2/pipeline']);
  });
});
