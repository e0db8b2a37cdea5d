import type { Runtime } from '../runtime.ts';

export interface FetchWatchOptions {
  readonly runtime: Runtime;
  /** Milliseconds without a byte of the body before it counts as hung. */
  readonly idleMs: number;
  /** Bytes of a body before it is cut off. */
  readonly maxBytes: number;
  /** Ends the request. */
  readonly abort: () => void;
}

/** A `fetch` for one request that bounds the body: in bytes, and in the time between two of them. */
export interface FetchWatch {
  readonly fetch: typeof globalThis.fetch;
  /** Whether the request was handed to the network: from then on the server may have it. */
  wasSent(): boolean;
  /** Whether the server began to answer: from then on it may charge. */
  sawHeaders(): boolean;
  /** Why the body was cut off, `null` where it was not. */
  cut(): 'idle' | 'flood' | null;
  /** Stops the watch. */
  stop(): void;
}

/**
 * The client's own time-out ends when the headers are there, and it buffers a line until its end: a server that falls
 * silent, or never ends a line, is caught here. Pings count as bytes.
 */
export function watchFetch({ runtime, idleMs, maxBytes, abort }: FetchWatchOptions): FetchWatch {
  const stopped = new AbortController();
  let sent = false;
  let headers = false;
  let cut: 'idle' | 'flood' | null = null;
  let last = 0;
  let bytes = 0;

  const watchIdle = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      const left = idleMs - (runtime.ticks() - last);
      if (left <= 0) {
        cut ??= 'idle';
        abort();
        return;
      }
      try {
        await runtime.sleep(Math.ceil(left), stopped.signal);
      } catch {
        return; // the watch was stopped
      }
    }
  };

  const watched = (body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> =>
    body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, controller) => {
          last = runtime.ticks();
          bytes += chunk.byteLength;
          if (bytes <= maxBytes) {
            controller.enqueue(chunk);
            return;
          }
          cut ??= 'flood';
          abort();
          controller.terminate();
        },
      }),
    );

  return {
    fetch: async (input, init) => {
      sent = true;
      const response = await globalThis.fetch(input, init);
      headers = true;
      if (response.body === null) return response;
      last = runtime.ticks();
      void watchIdle();
      const { status, statusText } = response;
      return new Response(watched(response.body), { status, statusText, headers: response.headers });
    },
    wasSent: () => sent,
    sawHeaders: () => headers,
    cut: () => cut,
    stop: () => stopped.abort(),
  };
}
