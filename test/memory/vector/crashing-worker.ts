import { parentPort } from 'node:worker_threads';

/** The real worker, whose thread ends when it is asked to search for a vector that starts with 1. */
await import('../../../src/memory/vector/worker.ts');

// It runs after the worker's own listener, and before that one's answer.
parentPort?.on('message', (call: { readonly op: string; readonly vector?: Float32Array }) => {
  if (call.op === 'search' && call.vector?.[0] === 1) process.exit(7);
});
