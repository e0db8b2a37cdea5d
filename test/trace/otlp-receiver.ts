import { createServer } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';

const value = z.union([
  z.object({ stringValue: z.string() }).transform(({ stringValue }) => stringValue),
  z.object({ intValue: z.coerce.number() }).transform(({ intValue }) => intValue),
  z.object({ doubleValue: z.number() }).transform(({ doubleValue }) => doubleValue),
  z.object({ boolValue: z.boolean() }).transform(({ boolValue }) => boolValue),
  z.unknown(),
]);
const attributes = z
  .array(z.object({ key: z.string(), value }))
  .transform((pairs): Readonly<Record<string, unknown>> => Object.fromEntries(pairs.map((pair) => [pair.key, pair.value])));

/** Source: the OTLP specification, JSON protobuf encoding. */
const request = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes }),
      scopeSpans: z.array(
        z.object({
          scope: z.object({ name: z.string(), version: z.string() }),
          spans: z.array(
            z.object({
              traceId: z.string(),
              spanId: z.string(),
              parentSpanId: z.string().optional(),
              name: z.string(),
              startTimeUnixNano: z.string(),
              endTimeUnixNano: z.string(),
              attributes,
              status: z.object({ code: z.number(), message: z.string().optional() }),
            }),
          ),
        }),
      ),
    }),
  ),
});

type ReceivedSpan = z.output<typeof request>['resourceSpans'][number]['scopeSpans'][number]['spans'][number] & {
  readonly resource: Readonly<Record<string, unknown>>;
};

export interface OtlpReceiver extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  readonly requests: readonly { readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: string }[];
  spans(): readonly ReceivedSpan[];
}

/** A collector on the loopback; `status` is what it answers, and `null` that it never does. */
export async function startOtlpReceiver(status: number | null = 200): Promise<OtlpReceiver> {
  const requests: { path: string; headers: IncomingHttpHeaders; body: string }[] = [];
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      requests.push({ path: incoming.url ?? '', headers: incoming.headers, body: Buffer.concat(chunks).toString('utf8') });
      if (status !== null) outgoing.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    spans: () =>
      requests.flatMap(({ body }) =>
        request
          .parse(JSON.parse(body))
          .resourceSpans.flatMap(({ resource, scopeSpans }) =>
            scopeSpans.flatMap(({ spans }) => spans.map((span) => ({ ...span, resource: resource.attributes }))),
          ),
      ),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<unknown>((resolve) => server.close(resolve));
    },
  };
}
