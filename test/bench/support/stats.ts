/** Value below which `share` (0 to 1) of the samples lie, by nearest rank; NaN without samples. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN;
}

export interface Timed {
  /** Calls a second over the whole run. */
  rate: number;
  /** Duration of each call, ms. */
  samples: number[];
}

/** How long calls are made: for a time, and within bounds, as one server is a hundred times as fast as another. */
export interface Pace {
  readonly atOnce: number;
  readonly seconds: number;
  /** Calls that a slow server is given the threefold time for. */
  readonly atLeast: number;
  readonly atMost?: number;
}

const SLOW = 3;

/** Makes calls, one after another in each of `atOnce` lanes; none begins after the end, and those under way are waited for. */
export async function during(pace: Pace, call: (index: number) => Promise<unknown>): Promise<Timed> {
  const samples: number[] = [];
  const started = performance.now();
  let next = 0;
  const isOver = (): boolean => {
    const share = (performance.now() - started) / 1000 / pace.seconds;
    return next >= (pace.atMost ?? Infinity) || share >= SLOW || (share >= 1 && next >= pace.atLeast);
  };
  const lane = async (): Promise<void> => {
    while (!isOver()) {
      const at = performance.now();
      await call(next++);
      samples.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: pace.atOnce }, lane));
  return { rate: (samples.length * 1000) / (performance.now() - started), samples };
}

/** Runs `call` for each index below `count`, `atOnce` at a time. */
export function timed(count: number, atOnce: number, call: (index: number) => Promise<unknown>): Promise<Timed> {
  return during({ atOnce, seconds: Infinity, atLeast: count, atMost: count }, call);
}
