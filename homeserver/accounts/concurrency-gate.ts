import { MatrixError } from '../errors.ts';

/** Lets a bounded number of pieces of work run at once and a bounded number wait; more are refused at once. */
export class ConcurrencyGate {
  readonly #atOnce: number;
  readonly #maxWaiting: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(atOnce: number, maxWaiting: number) {
    this.#atOnce = atOnce;
    this.#maxWaiting = maxWaiting;
  }

  /** Errors: M_LIMIT_EXCEEDED when too many wait already. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#atOnce) await this.#wait();
    else this.#running += 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      // The place goes straight to the next in line, so nobody who comes later can take it.
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  async #wait(): Promise<void> {
    if (this.#waiting.length >= this.#maxWaiting) {
      const fields = { retry_after_ms: 2000 };
      throw new MatrixError('M_LIMIT_EXCEEDED', undefined, { fields, headers: { 'retry-after': '2' } });
    }
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
    });
  }
}
