import type { Logger } from '../log.ts';

/** How a replica ends. */
export interface StopOptions {
  /**
   * How long to go on serving after /readyz says no, ms: load balancers need that long to see it. Shorter when no other replica
   * is left to whom they could send.
   */
  settleMs: number;
  /** Longest wait for requests under way, ms. */
  drainMs: number;
}

/** Something opened, and how to close it. */
export interface Closer {
  readonly name: string;
  close(options: StopOptions): Promise<void> | void;
}

export interface CloseTiming {
  /** What takes longer is named in the log, ms. */
  readonly slowMs: number;
  /** For everything, beside the waits that the caller asks for, ms. */
  readonly allMs: number;
  /** What each has when that is over, ms: what gives back leases and the row of the replica may still do so. */
  readonly leastMs: number;
}

const TIMING: CloseTiming = { slowMs: 5000, allMs: 10_000, leastMs: 250 };

/**
 * Closes everything, what was opened last first, because it needs what was opened before it. What fails or hangs keeps nobody
 * from being closed: it is named in the log, and left. Gives back whether all is closed; never rejects.
 */
export async function closeAll(
  closers: readonly Closer[],
  how: StopOptions,
  log: Logger,
  timing: CloseTiming = TIMING,
): Promise<boolean> {
  const deadline = performance.now() + how.settleMs + how.drainMs + timing.allMs;
  let isClosed = true;
  for (const closer of closers.toReversed()) {
    const mostMs = Math.max(deadline - performance.now(), timing.leastMs);
    isClosed = (await closeOne(closer, how, { log, mostMs, slowMs: timing.slowMs })) && isClosed;
  }
  return isClosed;
}

interface Patience {
  readonly log: Logger;
  readonly mostMs: number;
  readonly slowMs: number;
}

async function closeOne(closer: Closer, how: StopOptions, patience: Patience): Promise<boolean> {
  const { name } = closer;
  const { log, mostMs, slowMs } = patience;
  const slow = setTimeout(() => log.warn({ component: name }, 'still closing'), how.settleMs + how.drainMs + slowMs);
  const { promise: late, resolve } = Promise.withResolvers<false>();
  const most = setTimeout(resolve, mostMs, false);
  try {
    const isClosed = await Promise.race([closed(closer, how), late]);
    if (!isClosed) log.error({ component: name, duration_ms: Math.round(mostMs) }, 'left without being closed');
    return isClosed;
  } catch (err) {
    log.error({ component: name, err }, 'could not be closed');
    return false;
  } finally {
    clearTimeout(slow);
    clearTimeout(most);
  }
}

async function closed({ close }: Closer, how: StopOptions): Promise<true> {
  await close(how);
  return true;
}
