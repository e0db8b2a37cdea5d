import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLiveScreen } from '../../src/cli/live-screen.ts';

let written: string[] = [];
let columns = 40;
let lines: readonly string[] = ['one', 'two'];
const screen = () =>
  createLiveScreen({
    write: (text) => void written.push(text),
    ticks: () => performance.now(),
    size: () => ({ columns, rows: 10 }),
    render: () => lines,
  });

beforeEach(() => {
  written = [];
  columns = 40;
  lines = ['one', 'two'];
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('what is over soon shows nothing', () => {
  const live = screen();
  live.touch();
  vi.advanceTimersByTime(300);
  live.close();
  vi.advanceTimersByTime(5000);
  expect(written).toEqual([]);
});

test('is drawn in place, at most ten times a second, and taken away', () => {
  const live = screen();
  live.touch();
  vi.advanceTimersByTime(400);
  expect(written).toEqual(['one\ntwo\n']);
  for (let at = 0; at < 50; at += 1) {
    live.touch();
    vi.advanceTimersByTime(10);
  }
  expect(written.length).toBeLessThanOrEqual(6);
  expect(written.at(-1)).toBe('\u001B[2A\r\u001B[Jone\ntwo\n');
  const before = written.length;
  vi.advanceTimersByTime(3000);
  expect(written.length - before).toBeLessThanOrEqual(4); // the clock goes on
  live.close();
  expect(written.at(-1)).toBe('\u001B[2A\r\u001B[J');
  expect(written.join('')).not.toContain('\u001B[?25l'); // the cursor is never hidden, so nothing can leave it so
});

test('is away while others write', () => {
  const live = screen();
  live.touch();
  vi.advanceTimersByTime(400);
  live.suspend();
  expect(written.at(-1)).toBe('\u001B[2A\r\u001B[J');
  const before = written.length;
  live.touch();
  vi.advanceTimersByTime(5000);
  expect(written).toHaveLength(before);
  live.resume();
  vi.advanceTimersByTime(100);
  expect(written.at(-1)).toBe('one\ntwo\n');
  live.close();
});

test('a window that became narrower has broken the lines', () => {
  lines = ['x'.repeat(30), '\u001B[36mtwo\u001B[0m'];
  const live = screen();
  live.touch();
  vi.advanceTimersByTime(400);
  columns = 20;
  live.close();
  expect(written.at(-1)).toBe('\u001B[3A\r\u001B[J');
});
