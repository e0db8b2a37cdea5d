import { parentPort, workerData } from 'node:worker_threads';
import { loadHnswlib } from './hnsw-graph.ts';
import { createIndexHost } from './index-host.ts';
import type { IndexCall } from './index-message.ts';
import { createNativeGate } from './native-gate.ts';

/** What a worker thread runs: an index host, called by messages and answering each with one. */
const { gate }: { readonly gate: Int32Array<SharedArrayBuffer> } = workerData;
const host = createIndexHost(loadHnswlib, createNativeGate(gate));

async function run(call: IndexCall): Promise<unknown> {
  if (call.op === 'start') return host.start(call.dimensions);
  if (call.op === 'load') return host.load(call.input);
  if (call.op === 'add') return host.add(call.rows);
  if (call.op === 'grow') return host.grow(call.rows, call.throughId);
  if (call.op === 'search') return host.search(call.vector, call.count);
  return host.save(call.tier, call.path);
}

async function answer(call: IndexCall): Promise<void> {
  const { seq } = call;
  try {
    const value = await run(call);
    const shared = call.op === 'search' ? {} : { shared: host.shared }; // which searching does not change
    parentPort?.postMessage({ seq, ok: true, value, ...shared }, []);
  } catch (error) {
    parentPort?.postMessage({ seq, ok: false, reason: error instanceof Error ? error.message : String(error) }, []);
  }
}

parentPort?.on('message', (call: IndexCall) => void answer(call));
