export interface BackoffRange {
  readonly minMs: number;
  readonly maxMs: number;
  /** 0.2 means +-20 %, so that many who failed together do not come back together. */
  readonly jitter: number;
}

/** Wait before try number `attempt` (0 is the first repetition): `minMs` doubled each time up to `maxMs`, then jittered. */
export function backoffMs(attempt: number, range: BackoffRange, random: () => number = Math.random): number {
  const exact = Math.min(range.maxMs, range.minMs * 2 ** Math.min(attempt, 40));
  return exact * (1 - range.jitter + 2 * range.jitter * random());
}
