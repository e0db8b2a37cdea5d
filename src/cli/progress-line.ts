import { printable, truncate } from '../printable.ts';

/** A line on a terminal that shows how far a call has come. */
export interface ProgressLine {
  update(done: number, what: string): void;
  /** Takes the line away. */
  clear(): void;
}

export interface ProgressLineDeps {
  /** Writes to the terminal. */
  readonly write: (text: string) => void;
  /** Monotonic milliseconds. */
  readonly ticks: () => number;
  readonly width: number;
}

/** Shorter calls show nothing. */
const DELAY_MS = 400;
const INTERVAL_MS = 80;
/** How often the seconds go on while nothing new is heard. */
const IDLE_MS = 1000;
const BAR = 20;

export function createProgressLine({ write, ticks, width }: ProgressLineDeps): ProgressLine {
  const startedTicks = ticks();
  let lastTicks = -Infinity;
  let latest: { readonly done: number; readonly what: string } | undefined;
  let shown = false;
  const draw = (): void => {
    const now = ticks();
    if (latest === undefined || now - startedTicks < DELAY_MS || now - lastTicks < INTERVAL_MS) return;
    lastTicks = now;
    shown = true;
    const part = Math.max(0, Math.min(1, latest.done));
    const full = Math.round(part * BAR);
    const seconds = ((now - startedTicks) / 1000).toFixed(0);
    const line = `[${'='.repeat(full)}${' '.repeat(BAR - full)}] ${String(Math.floor(part * 100)).padStart(3)}% ${seconds}s ${printable(latest.what)}`;
    write(`\r\u001B[K${truncate(line, Math.max(20, width - 1))}`);
  };
  // What works in one piece says so once, at its start.
  const timer = setInterval(draw, IDLE_MS);
  timer.unref();
  return {
    update: (done, what) => {
      latest = { done, what };
      draw();
    },
    clear: () => {
      clearInterval(timer);
      if (shown) write('\r\u001B[K');
      shown = false;
    },
  };
}
