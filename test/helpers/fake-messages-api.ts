import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Tokens that a faked answer claims; defaults 100 in, 20 out, nothing cached. */
export interface FakeUsage {
  readonly input?: number;
  readonly output?: number;
  readonly cacheRead?: number;
  readonly cacheWrite?: number;
}

interface FakeCall {
  readonly name: string;
  readonly input: unknown;
}

/** What the server does with one request. */
export type FakeTurn =
  /** A whole answer: `text` as it is, any other value as JSON. */
  | { readonly type: 'answer'; readonly answer: unknown; readonly stopReason?: string; readonly usage?: FakeUsage }
  | { readonly type: 'tools'; readonly calls: readonly FakeCall[]; readonly usage?: FakeUsage }
  /** An error instead of an answer. */
  | { readonly type: 'status'; readonly status: number; readonly headers?: Record<string, string>; readonly message?: string }
  /** The connection is reset before there are headers. */
  | { readonly type: 'reset' }
  /** No answer at all, until the client goes. */
  | { readonly type: 'silence' }
  /** An answer that ends in the middle of its text: by a reset, by an end without `message_stop`, or never. */
  | { readonly type: 'cut'; readonly how: 'reset' | 'eof' | 'hang' }
  /** An event whose JSON is half there. */
  | { readonly type: 'half-json' }
  /** An `error` event in mid-stream. */
  | { readonly type: 'error-event'; readonly error: string }
  /** Any events, in this order, e.g. ones of wrong shapes. */
  | { readonly type: 'events'; readonly events: readonly Readonly<Record<string, unknown>>[] }
  /** Text without an end, up to so many bytes; in one line that never ends, or in many events. */
  | { readonly type: 'flood'; readonly bytes: number; readonly oneLine?: boolean };

/** A request as it arrived. */
export interface FakeRequest {
  /** Parsed body. */
  readonly body: Readonly<Record<string, unknown>>;
  /** The body as it was sent. */
  readonly text: string;
  readonly headers: IncomingMessage['headers'];
}

export interface FakeMessagesApi extends AsyncDisposable {
  /** For the client's `baseURL`. */
  readonly url: string;
  /** All that arrived, in order; those with a wrong key too. */
  readonly requests: readonly FakeRequest[];
  /** Requests whose answer has not ended, and whose client has not gone. */
  underWay(): number;
  /** Adds turns; each answers one request. A request without one gets status 500, once the queue is empty. */
  script(...turns: readonly FakeTurn[]): void;
  /** Answers whatever is not scripted. */
  fallback(turn: (request: FakeRequest) => FakeTurn): void;
}

const sse = (event: string, data: unknown): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

function startEvents(usage: FakeUsage = {}): string {
  const { input = 100, cacheRead = 0, cacheWrite = 0 } = usage;
  const message = {
    id: 'msg_fake',
    type: 'message',
    role: 'assistant',
    model: 'fake',
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: {
      input_tokens: input,
      output_tokens: 1,
      cache_read_input_tokens: cacheRead,
      cache_creation_input_tokens: cacheWrite,
    },
  };
  return sse('message_start', { type: 'message_start', message }) + sse('ping', { type: 'ping' });
}

function block(index: number, start: unknown, delta: unknown): string {
  return (
    sse('content_block_start', { type: 'content_block_start', index, content_block: start }) +
    sse('content_block_delta', { type: 'content_block_delta', index, delta }) +
    sse('content_block_stop', { type: 'content_block_stop', index })
  );
}

function endEvents(stopReason: string, usage: FakeUsage = {}): string {
  const delta = { stop_reason: stopReason, stop_sequence: null };
  const counted = { output_tokens: usage.output ?? 20 };
  return sse('message_delta', { type: 'message_delta', delta, usage: counted }) + sse('message_stop', { type: 'message_stop' });
}

function textBlock(text: string): string {
  return block(0, { type: 'text', text: '' }, { type: 'text_delta', text });
}

function answerEvents({ answer, stopReason = 'end_turn', usage }: Extract<FakeTurn, { type: 'answer' }>): string {
  const text = typeof answer === 'string' ? answer : JSON.stringify(answer);
  // A thinking block comes first, as from models that always think: it must be sent back unchanged.
  const thinking =
    sse('content_block_start', {
      type: 'content_block_start',
      index: 0,
      content_block: { type: 'thinking', thinking: '', signature: '' },
    }) +
    sse('content_block_delta', { type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 'sig' } }) +
    sse('content_block_stop', { type: 'content_block_stop', index: 0 });
  const said = block(1, { type: 'text', text: '' }, { type: 'text_delta', text });
  return startEvents(usage) + thinking + said + endEvents(stopReason, usage);
}

function toolEvents({ calls, usage }: Extract<FakeTurn, { type: 'tools' }>): string {
  const blocks = calls.map(({ name, input }, index) =>
    block(
      index,
      { type: 'tool_use', id: `toolu_${index}`, name, input: {} },
      { type: 'input_json_delta', partial_json: JSON.stringify(input) },
    ),
  );
  return startEvents(usage) + blocks.join('') + endEvents('tool_use', usage);
}

/** Half of an answer: a text block that was begun. */
const HALF = `${startEvents()}${textBlock('{"findings":').replace(/event: content_block_stop[\s\S]*$/u, '')}`;

async function flood(response: ServerResponse, bytes: number, oneLine: boolean): Promise<void> {
  const part = 'x'.repeat(65_536);
  const delta = sse('content_block_delta', {
    type: 'content_block_delta',
    index: 0,
    delta: { type: 'text_delta', text: part },
  });
  response.write(startEvents());
  response.write(
    sse('content_block_start', { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
  );
  if (oneLine) response.write('event: content_block_delta\ndata: {"type":"');
  for (let sent = 0; sent < bytes && !response.destroyed; sent += part.length) {
    if (response.write(oneLine ? part : delta)) continue;
    const waited = new AbortController();
    const { signal } = waited;
    await Promise.race([once(response, 'drain', { signal }), once(response, 'close', { signal })]);
    waited.abort();
  }
  response.end();
}

function errorBody({ status, message = 'faked' }: Extract<FakeTurn, { type: 'status' }>): string {
  const types: Record<number, string> = {
    400: 'invalid_request_error',
    401: 'authentication_error',
    403: 'permission_error',
    429: 'rate_limit_error',
    529: 'overloaded_error',
  };
  return JSON.stringify({ type: 'error', error: { type: types[status] ?? 'api_error', message } });
}

function perform(turn: FakeTurn, response: ServerResponse): void {
  if (turn.type === 'reset') {
    response.socket?.resetAndDestroy();
    return;
  }
  if (turn.type === 'silence') return;
  if (turn.type === 'status') {
    response.writeHead(turn.status, { 'content-type': 'application/json', ...turn.headers }).end(errorBody(turn));
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  switch (turn.type) {
    case 'answer':
      response.end(answerEvents(turn));
      return;
    case 'tools':
      response.end(toolEvents(turn));
      return;
    case 'events':
      response.end(turn.events.map((event) => sse(String(event['type']), event)).join(''));
      return;
    case 'half-json':
      response.end(`${HALF}event: content_block_delta\ndata: {"type":"content_block_de\n\n`);
      return;
    case 'error-event':
      response.end(HALF + sse('error', { type: 'error', error: { type: turn.error, message: 'faked in mid-stream' } }));
      return;
    case 'flood':
      void flood(response, turn.bytes, turn.oneLine ?? false);
      return;
    case 'cut':
      if (turn.how === 'eof') response.end(HALF);
      // The half must have left before the reset, or the client sees no headers.
      else if (turn.how === 'reset') response.write(HALF, () => setTimeout(() => response.socket?.resetAndDestroy(), 20));
      else response.write(HALF);
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * A server on the loopback that speaks the Messages API's streaming protocol and misbehaves on demand. Scripted: every
 * request takes the next turn. Counts requests and keeps their bodies. It knows one key and refuses others with 401.
 * Its events come in the real order: `message_start, ping, content_block_start/delta/stop, message_delta, message_stop`.
 *
 * ```ts
 * await using api = await startFakeMessagesApi();
 * api.script({ type: 'tools', calls: [{ name: 'read_file', input: { path: 'a.ts' } }] }, { type: 'answer', answer: {…} });
 * // point the client at api.url with FAKE_API_KEY, then look at api.requests
 * ```
 */
export async function startFakeMessagesApi(key: string = FAKE_API_KEY): Promise<FakeMessagesApi> {
  const requests: FakeRequest[] = [];
  const turns: FakeTurn[] = [];
  const open = new Set<ServerResponse>();
  let otherwise = (_request: FakeRequest): FakeTurn => ({ type: 'status', status: 500, message: 'nothing scripted' });

  const handle = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const text = await bodyOf(message);
    const request: FakeRequest = { body: JSON.parse(text), text, headers: message.headers };
    requests.push(request);
    const given = message.headers['x-api-key'] ?? message.headers.authorization?.replace(/^Bearer /u, '');
    const turn: FakeTurn =
      given === key
        ? (turns.shift() ?? otherwise(request))
        : { type: 'status', status: 401, message: `invalid x-api-key ${String(given)}` };
    perform(turn, response);
  };

  const server = createServer((message, response) => {
    response.on('error', () => undefined); // a client that went is part of the play
    open.add(response);
    response.on('close', () => void open.delete(response));
    handle(message, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('the fake API has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    underWay: () => open.size,
    script: (...more) => void turns.push(...more),
    fallback: (turn) => {
      otherwise = turn;
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The key that the server knows. */
export const FAKE_API_KEY = 'sk-ant-fake-0123456789abcdef';
