import { MatrixError } from '../errors.ts';

export interface LargeReadsBound {
  /** Of all large answers that are being made or sent, together. */
  readonly bytes: number;
  /** What is smaller than this waits for nothing and is not counted. */
  readonly small: number;
  /** Most that wait, and how long. */
  readonly waiting: number;
  readonly waitMs: number;
}

/** About what an event takes while an answer is made of it: its row, the texts that are cut out of it, its part of the answer. */
export const EVENT_BYTES = 3000;

/**
 * One initial sync of an account in 500 rooms, or one list of a room of 10,000 members. Of eight at once two together were ready later
 * than one after the other (2026-11, 2 busy cores: 1.5 to 1.9 and 1.7 to 3.6/s): the one thread that makes them collects more garbage.
 */
export const ALL_LARGE_BYTES = 48_000_000;

const BOUND: LargeReadsBound = { bytes: ALL_LARGE_BYTES, small: 1_000_000, waiting: 100, waitMs: 30_000 };

/** Told of every change. */
export interface LargeReadsGauges {
  readonly bytes: { set(value: number): void };
  readonly waiting: { set(value: number): void };
}

interface Waiter {
  readonly userNo: number;
  readonly bytes: number;
  pass(): void;
}

/** A place in the queue of those who wait. */
interface Place {
  readonly passed: Promise<void>;
  /** Ends the wait as if it had taken too long. */
  leave(): void;
}

/**
 * Bounds the memory of large answers under way: who wants more than is left waits, those first who have none under way. Small ones
 * never wait.
 */
export class LargeReads {
  readonly #bound: LargeReadsBound;
  readonly #gauges: LargeReadsGauges | undefined;
  readonly #waiting: Waiter[] = [];
  /** User number -> how many large answers are under way. */
  readonly #users = new Map<number, number>();
  /** Bytes that several answers may share -> how many do. */
  readonly #shared = new Map<Buffer, number>();
  #bytes = 0;

  constructor(gauges?: LargeReadsGauges, bound: Partial<LargeReadsBound> = {}) {
    this.#bound = { ...BOUND, ...bound };
    this.#gauges = gauges;
  }

  /** Bytes of what is under way, and how many wait. */
  figures(): { bytes: number; waiting: number } {
    return { bytes: this.#bytes, waiting: this.#waiting.length };
  }

  isSmall(bytes: number): boolean {
    return bytes < this.#bound.small;
  }

  /** Begins if there is room; else gives a place in the queue. Errors: M_LIMIT_EXCEEDED (503) when too many wait. */
  enter(userNo: number, bytes: number): Place | undefined {
    if (this.#waiting.length === 0 && this.#hasRoom(bytes)) {
      this.begin(userNo, bytes);
      return undefined;
    }
    if (this.#waiting.length >= this.#bound.waiting) throw tooMuch();
    return this.#queue(userNo, bytes);
  }

  /** Begins without waiting. */
  begin(userNo: number, bytes: number): void {
    this.#users.set(userNo, (this.#users.get(userNo) ?? 0) + 1);
    this.change(bytes);
  }

  /** What is under way takes more than it did, or less. */
  change(by: number): void {
    this.#bytes += by;
    if (by < 0) this.#passOn();
    this.#gauges?.bytes.set(this.#bytes);
  }

  end(userNo: number, bytes: number): void {
    const others = (this.#users.get(userNo) ?? 1) - 1;
    if (others === 0) this.#users.delete(userNo);
    else this.#users.set(userNo, others);
    this.change(-bytes);
  }

  /** Bytes that several are sent at once count once. */
  share(bytes: Buffer): void {
    const sharers = this.#shared.get(bytes) ?? 0;
    this.#shared.set(bytes, sharers + 1);
    if (sharers === 0) this.change(bytes.length);
  }

  unshare(bytes: Buffer): void {
    const sharers = (this.#shared.get(bytes) ?? 1) - 1;
    if (sharers > 0) this.#shared.set(bytes, sharers);
    else if (this.#shared.delete(bytes)) this.change(-bytes.length);
  }

  #queue(userNo: number, bytes: number): Place {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const leave = (): void => {
      const at = this.#waiting.indexOf(waiter);
      if (at < 0) return;
      this.#take(at);
      clearTimeout(timer);
      reject(tooMuch());
      this.#passOn();
    };
    const timer = setTimeout(leave, this.#bound.waitMs);
    const pass = (): void => {
      clearTimeout(timer);
      this.begin(userNo, bytes);
      resolve(undefined);
    };
    const waiter: Waiter = { userNo, bytes, pass };
    this.#waiting.push(waiter);
    this.#gauges?.waiting.set(this.#waiting.length);
    return { passed: promise, leave };
  }

  /** What is larger than everything may be goes alone. */
  #hasRoom(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#bound.bytes;
  }

  #passOn(): void {
    for (;;) {
      const next = this.#waiting.find(({ userNo }) => !this.#users.has(userNo)) ?? this.#waiting[0];
      if (next === undefined || !this.#hasRoom(next.bytes)) return;
      this.#take(this.#waiting.indexOf(next));
      next.pass();
    }
  }

  #take(at: number): void {
    this.#waiting.splice(at, 1);
    this.#gauges?.waiting.set(this.#waiting.length);
  }
}

/** The part of one request in all large answers under way: nothing as long as it is small. */
export class LargeRead {
  readonly #reads: LargeReads;
  readonly #userNo: number;
  readonly #onceOver: (over: () => void) => void;
  #place: Place | undefined;
  #isCounted = false;
  #isMade = false;
  #isOver = false;
  #bytes = 0;
  #shared: readonly Buffer[] = [];

  /** `onceOver` has `over` called when the answer is through or its reader is gone. */
  constructor(reads: LargeReads, userNo: number, onceOver: (over: () => void) => void) {
    this.#reads = reads;
    this.#userNo = userNo;
    this.#onceOver = onceOver;
  }

  /**
   * To be called before so much is read. Undefined: at once. A request that has begun does not wait again: it would hold what others
   * wait for. Errors: M_LIMIT_EXCEEDED (503) when it would wait for too long.
   */
  take(bytes: number): Promise<void> | undefined {
    if (this.#isOver || (!this.#isCounted && this.#reads.isSmall(bytes))) return undefined;
    if (this.#isCounted) {
      this.#resize(Math.max(this.#bytes, bytes));
      return undefined;
    }
    if (this.#place !== undefined) return this.#place.passed;
    this.#place = this.#reads.enter(this.#userNo, bytes);
    this.#onceOver(() => this.#end());
    if (this.#place === undefined) {
      this.#begun(bytes);
      return undefined;
    }
    return this.#place.passed.then(() => this.#begun(bytes));
  }

  /** Nothing is made any more, whether it was to an end or not: a reader who is gone holds nothing from now on. */
  leaveOff(): void {
    if (this.#isMade) return;
    this.#isMade = true;
    if (this.#isOver && this.#isCounted) this.#release();
  }

  /** The answer is made: from now on only its own bytes are held, and those that others may be sent as well. */
  made(own: number, shared: readonly Buffer[]): void {
    this.leaveOff();
    if (this.#isOver) return;
    if (!this.#isCounted) {
      this.#reads.begin(this.#userNo, 0);
      this.#onceOver(() => this.#end());
      this.#isCounted = true;
    }
    for (const bytes of shared) this.#reads.share(bytes);
    this.#shared = shared;
    this.#resize(own);
  }

  #begun(bytes: number): void {
    this.#isCounted = true;
    this.#bytes = bytes;
  }

  #resize(bytes: number): void {
    this.#reads.change(bytes - this.#bytes);
    this.#bytes = bytes;
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#place?.leave();
    // What is being made for somebody who is gone takes what it takes all the same.
    if (this.#isMade && this.#isCounted) this.#release();
  }

  #release(): void {
    for (const bytes of this.#shared) this.#reads.unshare(bytes);
    this.#reads.end(this.#userNo, this.#bytes);
  }
}

function tooMuch(): MatrixError {
  const fields = { retry_after_ms: 5000 };
  const detail = 'Too many large answers are under way: try again later.';
  return new MatrixError('M_LIMIT_EXCEEDED', detail, { status: 503, fields, headers: { 'retry-after': '5' } });
}
