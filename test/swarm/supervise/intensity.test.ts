import { expect, test } from 'vitest';
import { createIntensity } from '../../../src/swarm/supervise/intensity.ts';

test('restarts within the period count, earlier ones do not', () => {
  const intensity = createIntensity({ intensity: 2, periodMs: 100 });
  expect([0, 50, 100].map((at) => intensity.record(at))).toEqual([true, true, false]);
  expect(intensity.record(300)).toBe(true);
  expect(intensity.count).toBe(1);
});

test('restarts from before a clock was set back pass as others do', () => {
  const intensity = createIntensity({ intensity: 2, periodMs: 100 });
  for (const at of [1_000_000, 1_000_010]) intensity.record(at);
  expect(intensity.record(10)).toBe(false); // they may have been just now
  expect([200, 400, 600].map((at) => intensity.record(at))).toEqual([true, true, true]);
  expect(intensity.count).toBe(1);
});
