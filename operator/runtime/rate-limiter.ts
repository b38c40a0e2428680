import { KubeError } from './kube-error.ts';

export interface RateLimiter {
  /** Resolves when a request may be sent; rejects with 429 when 2,000 wait already, or with the signal's reason. */
  take(signal?: AbortSignal): Promise<void>;
  /** Nothing is let through for this long: what Retry-After asked for. */
  pause(ms: number): void;
}

export interface RateLimits {
  readonly perSecond: number;
  readonly burst: number;
}

const MAX_WAITING = 2000;
/** A longer Retry-After is obeyed in portions, so that a wrong header cannot stop the operator for a day. */
const MAX_PAUSE_MS = 60_000;

interface Waiter {
  resolve: () => void;
}

/** Token bucket, first come first served. The clock is monotonic and in ms. */
export function createRateLimiter(limits: RateLimits, clock: () => number = () => performance.now()): RateLimiter {
  const waiting: Waiter[] = [];
  let tokens = limits.burst;
  let filledAt = clock();
  let pausedUntil = 0;
  let timer: NodeJS.Timeout | undefined;

  function refill(): void {
    const now = clock();
    tokens = Math.min(limits.burst, tokens + ((now - filledAt) / 1000) * limits.perSecond);
    filledAt = now;
  }

  function serve(): void {
    timer = undefined;
    refill();
    while (waiting.length > 0 && tokens >= 1 && clock() >= pausedUntil) {
      tokens -= 1;
      waiting.shift()?.resolve();
    }
    if (waiting.length === 0) return;
    const forToken = tokens >= 1 ? 0 : ((1 - tokens) / limits.perSecond) * 1000;
    timer = setTimeout(serve, Math.max(1, forToken, pausedUntil - clock()));
  }

  function enqueue(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { resolve: () => (signal?.removeEventListener('abort', onAbort), resolve()) };
      const onAbort = () => {
        const at = waiting.indexOf(waiter);
        if (at >= 0) waiting.splice(at, 1);
        reject(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      waiting.push(waiter);
      if (timer === undefined) serve();
    });
  }

  return {
    async take(signal) {
      signal?.throwIfAborted();
      if (waiting.length >= MAX_WAITING) throw new KubeError(429, 'LocalLimit', 'too many requests wait already');
      await enqueue(signal);
    },
    pause(ms) {
      pausedUntil = Math.max(pausedUntil, clock() + Math.min(ms, MAX_PAUSE_MS));
    },
  };
}
