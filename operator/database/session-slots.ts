import { OperatorError } from '../errors.ts';

/** The right to have so many sessions to one server open. */
export interface Turn {
  /** Gives `count` of them back; the rest stays. */
  release(count: number): void;
}

/** Bounds how many sessions are open at once, to one server and in all. */
export interface SessionSlots {
  /** Resolves once `count` sessions to `server` may be opened; first come first served, as far as both bounds allow. */
  take(server: string, count: number): Promise<Turn>;
  /** Whether somebody waits for a turn at `server`. */
  isAwaited(server: string): boolean;
  /**
   * What a connection attempt or a statement taught. A server that did not answer is tried by one at a time for a while, and
   * whoever waits for it fails at once, so that it holds up nobody who works with another server.
   */
  report(server: string, answers: boolean): void;
}

export interface SlotLimits {
  readonly perServer: number;
  readonly total: number;
  readonly waitMs: number;
  /** How long a server that did not answer is left to one at a time. */
  readonly suspectMs: number;
  /** [performance.now] Any clock that does not jump. */
  readonly now?: () => number;
}

interface Waiter {
  readonly server: string;
  readonly count: number;
  readonly start: () => void;
  readonly fail: (error: OperatorError) => void;
}

const MAX_WAITING = 5000;

/** Makes the slots of one process. Waiting longer than `waitMs` is DatabaseUnreachable. */
export function createSessionSlots(limits: SlotLimits): SessionSlots {
  return new BoundedSlots(limits);
}

class BoundedSlots implements SessionSlots {
  readonly #limits: SlotLimits;
  readonly #now: () => number;
  #waiting: readonly Waiter[] = [];
  readonly #used = new Map<string, number>();
  #total = 0;
  /** Server -> until when it is left to one at a time. */
  readonly #suspects = new Map<string, number>();

  constructor(limits: SlotLimits) {
    this.#limits = limits;
    this.#now = limits.now ?? (() => performance.now());
  }

  async take(server: string, count: number): Promise<Turn> {
    await this.#acquire(server, count);
    let left = count;
    return {
      release: (given) => {
        const back = Math.min(given, left);
        left -= back;
        this.#change(server, -back);
        this.#startWhatFits();
      },
    };
  }

  isAwaited(server: string): boolean {
    return this.#waiting.some((waiter) => waiter.server === server);
  }

  report(server: string, answers: boolean): void {
    this.#suspects.delete(server);
    if (answers) return;
    if (this.#suspects.size >= MAX_WAITING) this.#suspects.clear();
    this.#suspects.set(server, this.#now() + this.#limits.suspectMs);
    for (const waiter of this.#waiting.filter((one) => one.server === server)) {
      this.#remove(waiter);
      waiter.fail(silent(server));
    }
  }

  #acquire(server: string, count: number): Promise<void> {
    if (this.#waiting.length >= MAX_WAITING) return Promise.reject(busy(server));
    const isSuspect = (this.#suspects.get(server) ?? 0) > this.#now();
    if (isSuspect && this.#used.has(server)) return Promise.reject(silent(server));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#remove(waiter);
        reject(busy(server));
      }, this.#limits.waitMs);
      const waiter: Waiter = {
        server,
        count,
        start: () => (clearTimeout(timer), resolve()),
        fail: (error) => (clearTimeout(timer), reject(error)),
      };
      this.#waiting = [...this.#waiting, waiter];
      this.#startWhatFits();
    });
  }

  #startWhatFits(): void {
    for (const waiter of this.#waiting) {
      if (!this.#fits(waiter)) continue;
      this.#remove(waiter);
      this.#change(waiter.server, waiter.count);
      waiter.start();
    }
  }

  #fits({ server, count }: Waiter): boolean {
    const { total, perServer } = this.#limits;
    return this.#total + count <= total && (this.#used.get(server) ?? 0) + count <= perServer;
  }

  #remove(waiter: Waiter): void {
    this.#waiting = this.#waiting.filter((one) => one !== waiter);
  }

  #change(server: string, by: number): void {
    this.#total += by;
    const now = (this.#used.get(server) ?? 0) + by;
    if (now === 0) this.#used.delete(server);
    else this.#used.set(server, now);
  }
}

function busy(server: string): OperatorError {
  return new OperatorError('DatabaseUnreachable', `too much work waits for PostgreSQL at ${server}`);
}

function silent(server: string): OperatorError {
  return new OperatorError('DatabaseUnreachable', `PostgreSQL at ${server} does not answer; one session is trying it`);
}
