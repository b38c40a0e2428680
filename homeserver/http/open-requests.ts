import type { ServerResponse } from 'node:http';
import { EndSignal } from '../end-signal.ts';
import { MatrixError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';

/** Most requests under way at once, long polls included: each holds a few kB, so this is some tens of MB. */
const MAX_OPEN = 10_000;

/** Counts the requests under way and ends the waiting ones when the server drains. */
export class OpenRequests {
  readonly #metrics: Metrics;
  readonly #waiting = new Set<EndSignal>();
  readonly #whenIdle = new Set<() => void>();
  #draining = false;
  #open = 0;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  /** Counts a request until its answer is through or its client is gone. Errors: M_UNKNOWN (503) when there are too many. */
  begin(response: ServerResponse): void {
    if (this.#open >= MAX_OPEN) {
      const headers = { 'retry-after': '5' };
      throw new MatrixError('M_UNKNOWN', 'This server has too many requests under way.', { status: 503, headers });
    }
    this.#open += 1;
    this.#metrics.requestsOpen.inc();
    response.once('close', () => {
      this.#end();
    });
  }

  #end(): void {
    this.#open -= 1;
    this.#metrics.requestsOpen.dec();
    if (this.#open > 0) return;
    for (const resolve of this.#whenIdle) resolve();
    this.#whenIdle.clear();
  }

  /** Fires when the client hangs up or the server drains. */
  signalFor(response: ServerResponse): EndSignal {
    const signal = new EndSignal();
    if (this.#draining || response.closed) signal.end();
    this.#waiting.add(signal);
    response.once('close', () => {
      this.#waiting.delete(signal);
      signal.end();
    });
    return signal;
  }

  /** From now on nothing waits: long polls under way and to come answer at once. */
  stopWaiting(): void {
    this.#draining = true;
    for (const signal of this.#waiting) signal.end();
  }

  /** Resolves with true when no request is under way, or with false after `timeoutMs`. */
  async idle(timeoutMs: number): Promise<boolean> {
    if (this.#open === 0) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const done = (): void => {
      resolve(true);
    };
    const timer = setTimeout(resolve, timeoutMs, false);
    this.#whenIdle.add(done);
    const idle = await promise;
    clearTimeout(timer);
    this.#whenIdle.delete(done);
    return idle;
  }
}
