import { backoffMs } from './backoff.ts';
import { createTimers } from './key-timers.ts';
import { createLanes } from './queue-lanes.ts';
import type { Lane } from './queue-lanes.ts';

export type { Lane } from './queue-lanes.ts';

/** What a handler asks for when it returns; a throw counts as `retry`. */
export type Verdict =
  | { readonly next: 'done' }
  /** Again after this time, not counted as a failure. */
  | { readonly next: 'later'; readonly afterMs: number }
  /**
   * Again after the key's backoff: 0.5 s doubled to 5 min, +-20 %; `minMs` raises the wait (Retry-After). When another `cause` than
   * before is in the way, something has moved: the waits grow anew, from the second on.
   */
  | { readonly next: 'retry'; readonly minMs?: number; readonly cause?: string };

export interface WorkQueueOptions {
  readonly handle: (key: string, signal: AbortSignal) => Promise<Verdict>;
  readonly onError: (key: string, error: unknown) => void;
  readonly onTaken?: (waitedSeconds: number) => void;
  /** [16] */
  readonly workers?: number;
  /** [5,000] A run that takes longer, ms, waits for something: another one is begun beside it. */
  readonly slowMs?: number;
  /** [48] At most so many runs more than workers. */
  readonly maxSlow?: number;
  /** [5,000] How long running handlers are waited for once the signal has aborted, ms. */
  readonly graceMs?: number;
  readonly backoff?: { readonly minMs: number; readonly maxMs: number; readonly jitter: number };
}

/** One entry a key: it waits once, is never handled twice at once, and comes back if it changed meanwhile. */
export interface WorkQueue {
  add(key: string, lane?: Lane): void;
  /** A timer a key; the earlier of two wins. */
  addAfter(key: string, afterMs: number): void;
  /** Forgets a key that no longer exists: its backoff and its timer. */
  forget(key: string): void;
  /** Keys that wait for a worker. */
  readonly depth: number;
  /**
   * Starts the workers; takes no new key once the signal aborts, and resolves when running handlers have ended or the grace
   * is over: what hangs must not keep the process from letting others go on.
   */
  run(signal: AbortSignal): Promise<void>;
}

const BACKOFF = { minMs: 500, maxMs: 300_000, jitter: 0.2 };
const WORKERS = 16;
/** What hangs, such as a server that does not answer, must not use up the workers of all others. */
const SLOW_MS = 5000;
const MAX_SLOW = 48;
const GRACE_MS = 5000;

/** Makes a queue whose size is bounded by the number of distinct keys. */
export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  return new KeyedQueue(options);
}

class KeyedQueue implements WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #lanes = createLanes();
  readonly #timers = createTimers((key) => this.add(key, 'resync'));
  readonly #processing = new Set<string>();
  /** Keys added while they were being handled, with the lane to come back in. */
  readonly #dirty = new Map<string, Lane>();
  readonly #failures = new Map<string, { readonly attempts: number; readonly cause: string | undefined }>();
  #idle: (() => void)[] = [];
  readonly #workers = new Set<Promise<void>>();
  /** Runs in whose place another worker goes on. */
  #slow = 0;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  get depth(): number {
    return this.#lanes.size();
  }

  add(key: string, lane: Lane = 'change'): void {
    if (!this.#processing.has(key)) {
      this.#lanes.push(key, lane);
      this.#idle.shift()?.();
    } else if (this.#dirty.get(key) !== 'change') {
      this.#dirty.set(key, lane);
    }
  }

  addAfter(key: string, afterMs: number): void {
    this.#timers.set(key, afterMs);
  }

  forget(key: string): void {
    this.#failures.delete(key);
    this.#timers.clear(key);
  }

  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#wakeAll(), { once: true });
    for (let i = 0; i < (this.#options.workers ?? WORKERS); i += 1) this.#begin(signal);
    await withinGrace(this.#allEnded(), signal, this.#options.graceMs ?? GRACE_MS);
    this.#timers.clearAll();
  }

  async #work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const taken = this.#lanes.take();
      if (taken === undefined) {
        await new Promise<void>((resolve) => this.#idle.push(resolve));
      } else {
        this.#options.onTaken?.((performance.now() - taken.since) / 1000);
        const isReplaced = this.#replaceWhenSlow(signal);
        await this.#handle(taken.key, signal);
        if (isReplaced()) return;
      }
    }
  }

  #begin(signal: AbortSignal): void {
    const worker: Promise<void> = this.#work(signal).finally(() => this.#workers.delete(worker));
    this.#workers.add(worker);
  }

  /** Begins another worker when a run takes long; the function ends that wait and says whether there is one in its place. */
  #replaceWhenSlow(signal: AbortSignal): () => boolean {
    let isReplaced = false;
    const replace = (): void => {
      if (signal.aborted || this.#slow >= (this.#options.maxSlow ?? MAX_SLOW)) return;
      this.#slow += 1;
      isReplaced = true;
      this.#begin(signal);
    };
    const timer = setTimeout(replace, this.#options.slowMs ?? SLOW_MS);
    return () => {
      clearTimeout(timer);
      if (isReplaced) this.#slow -= 1;
      return isReplaced;
    };
  }

  async #allEnded(): Promise<void> {
    while (this.#workers.size > 0) await Promise.all(this.#workers);
  }

  async #handle(key: string, signal: AbortSignal): Promise<void> {
    this.#processing.add(key);
    this.#timers.clear(key);
    const verdict = await this.#verdict(key, signal);
    this.#processing.delete(key);
    // A run that outlived the grace leaves no timer behind.
    if (signal.aborted) return;
    this.#settle(key, verdict);
    const lane = this.#dirty.get(key);
    this.#dirty.delete(key);
    if (lane !== undefined) this.add(key, lane);
  }

  async #verdict(key: string, signal: AbortSignal): Promise<Verdict> {
    try {
      return await this.#options.handle(key, signal);
    } catch (error) {
      this.#options.onError(key, error);
      return { next: 'retry' };
    }
  }

  #settle(key: string, verdict: Verdict): void {
    if (verdict.next !== 'retry') {
      this.#failures.delete(key);
      if (verdict.next === 'later') this.#timers.set(key, verdict.afterMs);
      return;
    }
    const { cause, minMs = 0 } = verdict;
    const before = this.#failures.get(key) ?? { attempts: 0, cause };
    const attempts = before.cause === cause ? before.attempts : Math.min(before.attempts, 1);
    this.#failures.set(key, { attempts: attempts + 1, cause });
    this.#timers.set(key, Math.max(backoffMs(attempts, this.#options.backoff ?? BACKOFF), minMs));
  }

  #wakeAll(): void {
    const waiting = this.#idle;
    this.#idle = [];
    for (const resolve of waiting) resolve();
  }
}

/** Resolves with the work, or so long after the signal. */
async function withinGrace(work: Promise<unknown>, signal: AbortSignal, graceMs: number): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  let timer: NodeJS.Timeout | undefined;
  signal.addEventListener('abort', () => (timer = setTimeout(resolve, graceMs)), { once: true });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
