import { stripVTControlCharacters } from 'node:util';
import { displayWidth } from '../printable.ts';

/** Lines at the end of a terminal that are drawn anew in place. The cursor stays visible, below them. */
export interface LiveScreen {
  /** Something changed: draws soon. */
  touch(): void;
  /** Takes the lines away until something changes after `resume`: others write meanwhile. */
  suspend(): void;
  resume(): void;
  /** Takes the lines away for good. */
  close(): void;
}

export interface LiveScreenDeps {
  /** Writes to the terminal. */
  readonly write: (text: string) => void;
  /** Monotonic milliseconds. */
  readonly ticks: () => number;
  readonly size: () => { readonly columns: number; readonly rows: number };
  /** The lines to show: at most `height`, each at most `width` columns; colours are the only escapes in them. */
  readonly render: (width: number, height: number) => readonly string[];
}

/** What is over before shows nothing. */
const DELAY_MS = 400;
const INTERVAL_MS = 100;
/** How often the times go on while nothing new is heard. */
const IDLE_MS = 1000;

/** Terminal lines that printed lines take, which a window made narrower since has broken. */
function rowsOf(lines: readonly string[], columns: number): number {
  return lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(displayWidth(stripVTControlCharacters(line)) / columns)), 0);
}

export function createLiveScreen({ write, ticks, size, render }: LiveScreenDeps): LiveScreen {
  const startedTicks = ticks();
  let shown: readonly string[] = [];
  let lastTicks = -Infinity;
  let isHeld = false;
  let isClosed = false;
  let soon: NodeJS.Timeout | undefined;
  const back = (): string => {
    const rows = shown.length === 0 ? 0 : rowsOf(shown, Math.max(1, size().columns));
    return rows === 0 ? '' : `\u001B[${rows}A\r\u001B[J`;
  };
  const draw = (): void => {
    soon = undefined;
    if (isHeld || isClosed) return;
    const { columns, rows } = size();
    // A line less than there are: the cursor's own; and a column less: some terminals break a full line.
    const lines = render(Math.max(1, columns - 1), Math.max(1, rows - 1));
    lastTicks = ticks();
    write(`${back()}${lines.map((line) => `${line}\n`).join('')}`);
    shown = lines;
  };
  const touch = (): void => {
    if (isHeld || isClosed || soon !== undefined) return;
    const now = ticks();
    const wait = Math.max(startedTicks + DELAY_MS - now, lastTicks + INTERVAL_MS - now, 0);
    soon = setTimeout(draw, wait);
    soon.unref();
  };
  const clear = (): void => {
    clearTimeout(soon);
    soon = undefined;
    if (shown.length > 0) write(back());
    shown = [];
  };
  const idle = setInterval(touch, IDLE_MS);
  idle.unref();
  return {
    touch,
    suspend: () => {
      isHeld = true;
      clear();
    },
    resume: () => {
      isHeld = false;
      touch();
    },
    close: () => {
      clearInterval(idle);
      isClosed = true;
      clear();
    },
  };
}
