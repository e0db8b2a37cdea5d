import { InvalidInputError } from '../../errors.ts';

export interface IntensityLimit {
  /** Restarts allowed within the period, a whole number ≥ 0. */
  readonly intensity: number;
  /** Milliseconds, > 0. */
  readonly periodMs: number;
}

/** The restarts of late. A window over past events is rebuilt by recording their times again. */
export interface Intensity {
  /**
   * Notes a restart down. A restart of exactly `periodMs` ago still counts. `false`: with it there were more than
   * `intensity` within the period, and the restart must not happen.
   */
  record(atMs: number): boolean;
  /** Restarts within the period that ended with the last record, itself included, up to `intensity + 1`. */
  readonly count: number;
}

/** @throws InvalidInputError an intensity that is no whole number ≥ 0, a period that is not above 0 */
export function createIntensity({ intensity, periodMs }: IntensityLimit): Intensity {
  if (!Number.isSafeInteger(intensity) || intensity < 0) {
    throw new InvalidInputError(`intensity is ${intensity}; expected a whole number ≥ 0`, {
      hint: 'Give the number of restarts allowed within the period.',
    });
  }
  if (!(periodMs > 0)) {
    throw new InvalidInputError(`periodMs is ${periodMs}; expected milliseconds above 0`, { hint: 'Give a period above 0 ms.' });
  }
  let times: number[] = [];
  return {
    record: (atMs) => {
      // A time after this one tells that the clock was set back: it is as good as now, and passes from now on.
      const past = times.map((time) => Math.min(time, atMs));
      times = [...past, atMs].filter((time) => atMs - time <= periodMs).slice(-(intensity + 1));
      return times.length <= intensity;
    },
    get count() {
      return times.length;
    },
  };
}
