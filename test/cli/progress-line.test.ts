import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createProgressLine } from '../../src/cli/progress-line.ts';

let written: string[] = [];
const line = () => createProgressLine({ write: (text) => void written.push(text), ticks: () => performance.now(), width: 60 });

beforeEach(() => {
  written = [];
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('a call that is over soon shows nothing', () => {
  const progress = line();
  progress.update(0.5, 'half');
  vi.advanceTimersByTime(300);
  progress.update(0.9, 'nearly');
  progress.clear();
  vi.advanceTimersByTime(5000);
  expect(written).toEqual([]);
});

test('what works in one piece shows its only word after a while, with the seconds going on', () => {
  const progress = line();
  progress.update(0.05, 'copying \u001B[31mthe database');
  vi.advanceTimersByTime(1000);
  expect(written).toEqual(['\r\u001B[K[=                   ]   5% 1s copying \\x1b[31mthe database']);
  vi.advanceTimersByTime(2000);
  expect(written.at(-1)).toContain('3s copying');
  progress.update(2, 'done');
  expect(written.at(-1)).toContain('3s copying'); // too soon after the last
  vi.advanceTimersByTime(100);
  progress.update(2, 'done');
  expect(written.at(-1)).toContain('[====================] 100%');
  progress.clear();
  expect(written.at(-1)).toBe('\r\u001B[K');
  const count = written.length;
  vi.advanceTimersByTime(10_000);
  expect(written).toHaveLength(count);
});
