import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { IndexError } from '../../../src/memory/vector/index-error.ts';
import { createGateState, createNativeGate, shutGate } from '../../../src/memory/vector/native-gate.ts';

test('calls pass one at a time, and none once it is shut', async () => {
  const state = createGateState();
  const gate = createNativeGate(state);
  expect(gate.pass(() => 1)).toBe(1);
  expect(() => gate.pass(() => gate.pass(() => 2))).toThrow(IndexError);
  await expect(gate.passAsync(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await gate.passAsync(async () => 3)).toBe(3);
  shutGate(state);
  shutGate(state);
  expect(() => gate.pass(() => 4)).toThrow(/closed/);
});

test('shutting it waits for the call of another thread that is inside', async () => {
  const state = createGateState();
  const over = new Int32Array(new SharedArrayBuffer(4));
  // A call of 200 ms, as the gate counts it.
  const worker = new Worker(
    `const { parentPort, workerData: { state, over } } = require('node:worker_threads');
    Atomics.store(state, 0, 1);
    parentPort.postMessage('inside');
    Atomics.wait(over, 0, 0, 200);
    Atomics.store(over, 0, 1);
    Atomics.store(state, 0, 0);
    Atomics.notify(state, 0);`,
    { eval: true, workerData: { state, over } },
  );
  await new Promise((resolve) => worker.once('message', resolve));
  expect(Atomics.load(over, 0)).toBe(0);
  shutGate(state);
  expect(Atomics.load(over, 0)).toBe(1);
  expect(Atomics.load(state, 0)).toBe(2);
  await worker.terminate();
});
