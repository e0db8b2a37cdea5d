/** A distribution of durations in milliseconds. */
export interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const of = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { p50: of(0.5), p99: of(0.99), max: of(1) };
}

export interface Pace {
  readonly perSecond: number;
  readonly seconds: number;
}

/** Calls `send` so that messages are due evenly for some seconds; it gets the times at which they were due. */
export async function paced(
  { perSecond, seconds }: Pace,
  send: (dueAt: readonly number[]) => void | Promise<void>,
): Promise<void> {
  const begun = performance.now();
  const total = perSecond * seconds;
  for (let sent = 0; sent < total;) {
    const due = Math.min(total, Math.floor(((performance.now() - begun) * perSecond) / 1000));
    const times = Array.from({ length: due - sent }, (_, at) => begun + ((sent + at + 1) * 1000) / perSecond);
    sent = due;
    if (times.length > 0) await send(times);
    await new Promise((resolve) => void setImmediate(resolve));
  }
}
