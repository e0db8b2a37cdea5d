import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';

/** What the proxy does with one request; `…After` means that the server has done it. */
export type Fault =
  | 'pass'
  | 'delay'
  | 'dropBefore'
  | 'dropAfter'
  | 'cut'
  | 'garbage'
  | 'garbageAfter'
  | 'html'
  | 'status500'
  | 'status502After'
  | 'status401'
  | 'status404'
  | 'never';

export interface FaultProxy {
  readonly url: string;
  /** Bodies of the requests so far. */
  readonly requests: readonly string[];
  readonly faults: ReadonlyMap<Fault, number>;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer;
}

/** Milliseconds until a transaction whose client was lost is ended, where the proxy does that. */
const LOST_MS = 50;

const LOGIN = '<!doctype html><title>Sign in</title>';
const DELAY_MS = 30;

/** Whether the server gets the request. */
function isDone(fault: Fault): boolean {
  return ['pass', 'delay', 'dropAfter', 'cut', 'garbageAfter', 'status502After'].includes(fault);
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

function forward(port: number, incoming: IncomingMessage, body: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', url = '/' } = incoming;
    const { 'accept-encoding': _compressed, ...headers } = incoming.headers;
    const outgoing = request({ host: '127.0.0.1', port, method, path: url, headers, agent: false }, (answer) => {
      bodyOf(answer).then(
        (text) => resolve({ status: answer.statusCode ?? 0, type: answer.headers['content-type'] ?? '', body: text }),
        reject,
      );
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function send(response: ServerResponse, status: number, type: string, body: Buffer | string): void {
  response.writeHead(status, { 'content-type': type });
  response.end(body);
}

/**
 * Ends the stream that a text of the protocol continues, and its transaction, as a server does by itself 5 s after others
 * began to wait (source: libsql-server, connection_manager.rs).
 */
function endStream(port: number, path: string, text: string): void {
  const baton = /"baton":"([^"]+)"/.exec(text)?.[1];
  if (baton === undefined) return;
  const body = JSON.stringify({ baton, requests: [{ type: 'close' }] });
  setTimeout(() => {
    const outgoing = request({ host: '127.0.0.1', port, method: 'POST', path, agent: false });
    outgoing.on('error', () => undefined); // the server is gone, and the stream with it
    outgoing.on('response', (answer) => void answer.resume());
    outgoing.end(body);
  }, LOST_MS);
}

/**
 * An HTTP proxy on the loopback before a server, with faults.
 * @param decide what happens to a request, by its body and its number from 0
 * @param endsLost whether it soon ends the transactions whose clients are lost; default: only the server does, later
 */
export async function startFaultProxy(
  port: number,
  decide: (body: string, index: number) => Fault,
  endsLost: () => boolean = () => false,
): Promise<FaultProxy> {
  const requests: string[] = [];
  const faults = new Map<Fault, number>();
  const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(incoming);
    const lose = (text: Buffer): void => {
      if (endsLost()) endStream(port, incoming.url ?? '', text.toString('utf8'));
    };
    const fault = decide(body.toString('utf8'), requests.length);
    requests.push(body.toString('utf8'));
    faults.set(fault, (faults.get(fault) ?? 0) + 1);
    if (!isDone(fault)) lose(body);
    if (fault === 'never') return;
    if (fault === 'dropBefore') return void response.destroy();
    if (fault === 'garbage') return send(response, 200, 'application/json', '\u0000{"results":[');
    if (fault === 'html') return send(response, 200, 'text/html', LOGIN);
    if (fault === 'status500') return send(response, 500, 'text/plain', 'out of order');
    if (fault === 'status401') return send(response, 401, 'application/json', '{"error":"Unauthorized"}');
    if (fault === 'status404') return send(response, 404, 'text/plain', 'not found');
    if (fault === 'delay') await new Promise((resolve) => setTimeout(resolve, DELAY_MS));
    const answer = await forward(port, incoming, body);
    if (fault !== 'pass' && fault !== 'delay') lose(answer.body);
    if (fault === 'dropAfter') return void response.destroy();
    if (fault === 'garbageAfter') return send(response, 200, answer.type, answer.body.subarray(0, answer.body.length / 2));
    if (fault === 'status502After') return send(response, 502, 'text/plain', 'bad gateway');
    if (fault === 'cut') {
      response.writeHead(answer.status, { 'content-type': answer.type, 'content-length': answer.body.length });
      response.write(answer.body.subarray(0, answer.body.length / 2), () => response.destroy());
      return undefined;
    }
    return send(response, answer.status, answer.type, answer.body);
  };
  const server = createServer((incoming, response) => {
    handle(incoming, response).catch(() => response.destroy()); // the server behind it is gone
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    faults,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
