import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { MatrixError } from '../errors.ts';
import { tryAgainLater } from '../errors.ts';
import { runResolution, type ResolutionTask, type StateEntryPair } from './resolution-task.ts';
import type { ResolutionAnswer } from './resolution-worker.ts';

/**
 * Tasks of up to so many events are done at once: 2026-11, 2 cores, about 10 µs an event
 * (test/bench/room-core.bench.ts), so 2 ms; sending them to another thread would cost as much.
 */
const MAX_EVENTS_HERE = 200;
/** Tasks that may wait for a thread. */
const MAX_WAITING = 64;
/** A resolution of the largest conflict that is let in takes seconds; one that takes longer is given up. */
const TIMEOUT_MS = 60_000;
/** Threads end when nothing has been asked of them for so long. */
const IDLE_MS = 30_000;

export interface PoolOptions {
  readonly threads?: number;
  readonly maxEventsHere?: number;
}

interface Running extends Waiting {
  readonly timer: NodeJS.Timeout;
}

interface Waiting {
  readonly task: ResolutionTask;
  resolve(entries: readonly StateEntryPair[]): void;
  reject(error: unknown): void;
}

/** Resolves conflicts: small ones here, large ones on threads of their own, so that requests are answered meanwhile. */
export class ResolutionPool {
  readonly #threads: number;
  readonly #maxEventsHere: number;
  readonly #idle: { worker: Worker; since: NodeJS.Timeout }[] = [];
  readonly #busy = new Map<Worker, Running>();
  readonly #waiting: Waiting[] = [];
  #closed = false;

  constructor(options: PoolOptions = {}) {
    this.#threads = options.threads ?? Math.max(1, availableParallelism() - 1);
    this.#maxEventsHere = options.maxEventsHere ?? MAX_EVENTS_HERE;
  }

  /** Tasks on other threads, waiting ones included. */
  get pending(): number {
    return this.#busy.size + this.#waiting.length;
  }

  /** Errors: M_UNKNOWN with 503 when too much waits, when it takes too long, or when the pool closes. */
  async run(task: ResolutionTask): Promise<readonly StateEntryPair[]> {
    if (task.events.length <= this.#maxEventsHere) return runResolution(task);
    if (this.#closed || this.#waiting.length >= MAX_WAITING) throw tooBusy();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ task, resolve, reject });
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { reject } of this.#waiting.splice(0)) reject(tooBusy());
    for (const { since } of this.#idle) clearTimeout(since);
    const workers = [...this.#idle.splice(0).map(({ worker }) => worker), ...this.#busy.keys()];
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  #next(): void {
    if (this.#waiting.length === 0) return;
    const worker = this.#takeWorker();
    const waiting = worker === undefined ? undefined : this.#waiting.shift();
    if (worker === undefined || waiting === undefined) return;
    const timer = setTimeout(end, TIMEOUT_MS, worker).unref();
    this.#busy.set(worker, { ...waiting, timer });
    worker.ref();
    worker.postMessage(waiting.task);
  }

  #takeWorker(): Worker | undefined {
    const idle = this.#idle.pop();
    if (idle !== undefined) {
      clearTimeout(idle.since);
      return idle.worker;
    }
    return this.#busy.size < this.#threads ? this.#start() : undefined;
  }

  #start(): Worker {
    const worker = new Worker(workerFile());
    worker.on('message', (answer: ResolutionAnswer) => {
      this.#settle(worker, answer);
      this.#rest(worker);
      this.#next();
    });
    worker.on('error', (error: unknown) => {
      this.#settle(worker, { ok: false, because: error instanceof Error ? error.message : 'the thread broke' });
    });
    worker.on('exit', () => {
      this.#settle(worker, undefined);
      this.#next();
    });
    return worker;
  }

  /** Undefined: the thread has ended before it answered. */
  #settle(worker: Worker, answer: ResolutionAnswer | undefined): void {
    const waiting = this.#busy.get(worker);
    this.#busy.delete(worker);
    if (waiting === undefined) return;
    clearTimeout(waiting.timer);
    if (answer === undefined) waiting.reject(tooBusy());
    else if (answer.ok) waiting.resolve(answer.entries);
    else waiting.reject(new Error(`a resolution failed: ${answer.because}`));
  }

  #rest(worker: Worker): void {
    worker.unref();
    const since = setTimeout(() => {
      const at = this.#idle.findIndex((idle) => idle.worker === worker);
      if (at >= 0) this.#idle.splice(at, 1);
      end(worker);
    }, IDLE_MS).unref();
    this.#idle.push({ worker, since });
  }
}

/** Its `exit` event tells the rest; ending a thread does not fail. */
function end(worker: Worker): void {
  worker.terminate().catch(() => undefined);
}

/** Beside this file: as source, or as a program of its own in the bundle. */
function workerFile(): URL {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'mjs';
  return new URL(`./resolution-worker.${extension}`, import.meta.url);
}

function tooBusy(): MatrixError {
  return tryAgainLater('The room takes too long to work out: try again later.');
}
