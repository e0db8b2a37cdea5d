import { PassThrough } from 'node:stream';
import type { Readable, Writable } from 'node:stream';
import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/server';
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio';

type Id = string | number;

/** A subscription stays open for as long as the connection: waiting for its answer would wait for ever. */
const NEVER_ANSWERED = 'subscriptions/listen';

function requestId(message: JSONRPCMessage): Id | undefined {
  return 'method' in message && 'id' in message && message.method !== NEVER_ANSWERED ? message.id : undefined;
}

function answeredId(message: JSONRPCMessage): Id | undefined {
  return 'method' in message ? undefined : message.id;
}

function cancelledId(message: JSONRPCMessage): unknown {
  return 'method' in message && message.method === 'notifications/cancelled' ? message.params?.['requestId'] : undefined;
}

/**
 * MCP over a pair of streams that answers every request it has read before it closes: a client may write its requests
 * and close its end at once, and still reads all answers.
 * @param said lines that the client wrote before, and whose answers it has: they are heard first and not answered again
 */
export function createDrainingTransport(input: Readable, output: Writable, said: readonly string[]): Transport {
  const gate = new PassThrough();
  const wire = new StdioServerTransport(gate, output);
  const pending = new Set<unknown>();
  const answered = new Set<unknown>();
  let repeats = said.length;
  let ended = false;
  const settle = (id: unknown): void => {
    pending.delete(id);
    if (ended && pending.size === 0) gate.end();
  };
  const transport: Transport = {
    start: async () => {
      wire.onmessage = (message) => {
        const id = requestId(message);
        if (id !== undefined) (repeats > 0 ? answered : pending).add(id);
        if (repeats > 0) repeats -= 1;
        transport.onmessage?.(message);
        const cancelled = cancelledId(message);
        if (cancelled !== undefined) settle(cancelled);
      };
      wire.onclose = () => transport.onclose?.();
      wire.onerror = (error) => transport.onerror?.(error);
      await wire.start();
      // After the last byte has passed the gate, so that every request in it is counted.
      input.on('end', () => {
        setImmediate(() => {
          ended = true;
          if (pending.size === 0) gate.end();
        });
      });
      for (const line of said) gate.write(`${line}\n`);
      input.pipe(gate, { end: false });
    },
    send: async (message) => {
      const id = answeredId(message);
      if (answered.delete(id)) return;
      await wire.send(message);
      if (id !== undefined) settle(id);
    },
    close: async () => {
      input.unpipe(gate);
      input.pause();
      await wire.close();
    },
  };
  return transport;
}
