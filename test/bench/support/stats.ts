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

/** Runs `call` for each index below `count`, `concurrency` at a time. */
export async function timed(
  count: number,
  concurrency: number,
  call: (index: number) => Promise<unknown>,
): Promise<Timed> {
  const samples: number[] = [];
  let next = 0;
  const started = performance.now();
  const lane = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      const at = performance.now();
      await call(index);
      samples.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, lane));
  return { rate: (count * 1000) / (performance.now() - started), samples };
}
