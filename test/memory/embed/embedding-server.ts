import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { z } from 'zod';

const request = z.object({ model: z.string(), input: z.array(z.string()), dimensions: z.number().optional() });

export interface EmbeddingRequest extends z.infer<typeof request> {
  /** 0 for the first. */
  readonly turn: number;
  readonly path: string;
  readonly authorization: string | undefined;
}

export type Reply = (asked: EmbeddingRequest, response: ServerResponse) => void | Promise<void>;

export interface EmbeddingServer extends AsyncDisposable {
  readonly baseUrl: string;
  readonly requests: EmbeddingRequest[];
  /** What the server does with each request from now on. */
  reply: Reply;
  /** Stops listening, and cuts every connection. */
  stop(): Promise<void>;
  /** Listens again at the same port. */
  start(): Promise<void>;
}

/** What the honest server answers for a text: a vector that only this text has. */
export function vectorOf(text: string, dimensions = 8): number[] {
  const bytes = createHash('sha512').update(text).digest();
  return Array.from({ length: dimensions }, (_, at) => (bytes[at % 64] ?? 0) - 127.5 + at / 1000);
}

export function unit(vector: readonly number[]): number[] {
  const size = Math.hypot(...vector);
  return vector.map((value) => Math.fround(value / size));
}

export interface Item {
  readonly index?: unknown;
  readonly embedding: unknown;
}

export function itemsFor({ input, dimensions }: EmbeddingRequest, size = dimensions ?? 8): Item[] {
  return input.map((text, index) => ({ object: 'embedding', index, embedding: vectorOf(text, size) }));
}

export function send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

export const honest: Reply = (asked, response) =>
  send(response, 200, { object: 'list', data: itemsFor(asked), model: asked.model });

export const failing =
  (status: number, body: unknown = { error: { message: 'no' } }, headers: Record<string, string> = {}): Reply =>
  (_, response) =>
    send(response, status, body, headers);

/** The faults in turn, one a request; then the honest answer. */
export function faults(...replies: readonly Reply[]): Reply {
  return (asked, response) => (replies[asked.turn] ?? honest)(asked, response);
}

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

/** A server on loopback that speaks `POST /v1/embeddings`. */
export async function startEmbeddingServer(): Promise<EmbeddingServer> {
  const requests: EmbeddingRequest[] = [];
  let port = 0;
  const http = createServer((incoming, response) => {
    void (async () => {
      const asked: EmbeddingRequest = {
        ...request.parse(JSON.parse(await bodyOf(incoming))),
        turn: requests.length,
        path: incoming.url ?? '',
        authorization: incoming.headers.authorization,
      };
      requests.push(asked);
      await server.reply(asked, response);
    })().catch(() => response.destroy());
  });
  const start = async (): Promise<void> => {
    http.listen(port, '127.0.0.1');
    await once(http, 'listening');
    const address = http.address();
    port = typeof address === 'object' && address !== null ? address.port : 0;
  };
  const stop = async (): Promise<void> => {
    if (!http.listening) return;
    const closed = once(http, 'close');
    http.close();
    http.closeAllConnections();
    await closed;
  };
  await start();
  const server: EmbeddingServer = {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    requests,
    reply: honest,
    start,
    stop,
    [Symbol.asyncDispose]: stop,
  };
  return server;
}
