export interface Round {
  readonly name: string;
  readonly perSecond: number;
}

/** How often a second something is done; `work` does it `count` times. */
export async function rate(name: string, count: number, work: () => void | Promise<void>): Promise<Round> {
  const started = performance.now();
  await work();
  return { name, perSecond: (count / (performance.now() - started)) * 1000 };
}
