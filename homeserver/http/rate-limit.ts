import type { HomeserverConfig } from '../contract/config-schema.ts';
import { MatrixError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';

type Limits = HomeserverConfig['rateLimits'];
export type LimitName = Exclude<keyof Limits, 'enabled'>;

/** Most buckets kept; about 15 MB. Past that the ones unused for longest go, which only ever helps their owners. */
const MAX_BUCKETS = 100_000;

interface Bucket {
  tokens: number;
  /** Monotonic time of the last change, ms. */
  at: number;
}

/**
 * Token buckets of one replica: with N replicas a caller gets at most N times the configured rate, and nothing has to be
 * shared to refuse a flood.
 */
export class RateLimiter {
  readonly #limits: Limits;
  readonly #metrics: Metrics;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(limits: Limits, metrics: Metrics, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#metrics = metrics;
    this.#now = now;
  }

  /** Counts one use of `limit` by `key`. Errors: M_LIMIT_EXCEEDED with Retry-After and retry_after_ms. */
  take(limit: LimitName, key: string): void {
    if (!this.#limits.enabled) return;
    const bucket = this.#refilled(limit, key);
    if (bucket.tokens < 1) throw this.#exceeded(limit, bucket);
    bucket.tokens -= 1;
  }

  /** Refuses like `take` but counts nothing: for limits on failures, which are counted once the failure is known. */
  check(limit: LimitName, key: string): void {
    if (!this.#limits.enabled) return;
    const bucket = this.#refilled(limit, key);
    if (bucket.tokens < 1) throw this.#exceeded(limit, bucket);
  }

  #refilled(limit: LimitName, key: string): Bucket {
    const { perSecond, burst } = this.#limits[limit];
    const id = `${limit}/${key}`;
    const now = this.#now();
    const found = this.#buckets.get(id);
    const bucket = found ?? { tokens: burst, at: now };
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond);
    bucket.at = now;
    // Deleting first moves the bucket to the end, so the map's first key is the one unused for longest.
    if (found !== undefined) this.#buckets.delete(id);
    this.#buckets.set(id, bucket);
    if (this.#buckets.size > MAX_BUCKETS) this.#dropOldest();
    return bucket;
  }

  #dropOldest(): void {
    for (const id of this.#buckets.keys()) {
      this.#buckets.delete(id);
      return;
    }
  }

  #exceeded(limit: LimitName, bucket: Bucket): MatrixError {
    this.#metrics.rateLimited.inc({ limit });
    const waitMs = Math.ceil(((1 - bucket.tokens) / this.#limits[limit].perSecond) * 1000);
    return new MatrixError('M_LIMIT_EXCEEDED', undefined, {
      fields: { retry_after_ms: waitMs },
      headers: { 'retry-after': String(Math.ceil(waitMs / 1000)) },
    });
  }
}
