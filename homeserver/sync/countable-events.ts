import { EVENT_FLAGS } from '../storage/batch-arrays.ts';
import type { UncountedEvent, UnreadRow } from '../storage/sync-reads/select-unread.ts';

/** Events that are alike to whoever counts them, as far as one can tell without looking into them; none is redacted. */
export interface EventKind {
  readonly senderNo: number;
  readonly typeNo: number;
  /** As in the column `events.flags`. */
  readonly flags: number;
  /** `main`, or the id of the thread's root. */
  readonly thread: string;
  /** Oldest first, with their numbers. */
  readonly anchors: readonly number[];
  readonly eventNos: readonly number[];
}

const EVENT_BYTES = 24;
const KIND_BYTES = 300;

/** Events of a room sorted by kind, once for all who count: a reader looks at some kinds, not at a thousand events. */
export class CountableEvents {
  readonly kinds: readonly EventKind[];
  readonly #anchors: readonly number[];
  /** Type -> anchor of its newest event. */
  readonly #newest = new Map<number, number>();
  /** Sender -> thread -> anchor of the newest thing that they wrote in it. */
  readonly #written = new Map<number, Map<string, number>>();

  /** From events in their order, oldest first. */
  constructor(events: readonly UncountedEvent[]) {
    this.#anchors = events.map(([, anchor]) => anchor);
    this.kinds = [...Map.groupBy(events.filter(isCounted), kindOf).values()].flatMap(toKind);
    for (const [, anchor, senderNo, typeNo, flags, thread] of events) {
      this.#newest.set(typeNo, anchor);
      if ((flags & EVENT_FLAGS.state) === 0) this.#noteWritten(senderNo, thread, anchor);
    }
  }

  #noteWritten(senderNo: number, thread: string, anchor: number): void {
    const threads = this.#written.get(senderNo) ?? new Map<string, number>();
    this.#written.set(senderNo, threads.set(thread, anchor));
  }

  /** How many events come after an anchor. */
  countAfter(anchor: number): number {
    return this.#anchors.length - indexAfter(this.#anchors, anchor);
  }

  /** Whether an event of a type comes after an anchor. */
  hasAfter(typeNo: number, anchor: number): boolean {
    return (this.#newest.get(typeNo) ?? 0) > anchor;
  }

  /** Threads in which a user has written, each with the anchor of what they wrote last. */
  writtenBy(userNo: number): ReadonlyMap<string, number> {
    return this.#written.get(userNo) ?? NOWHERE;
  }

  /** About the bytes of memory that it takes. */
  get bytes(): number {
    return 500 + EVENT_BYTES * this.#anchors.length + KIND_BYTES * this.kinds.length;
  }
}

const NOWHERE: ReadonlyMap<string, number> = new Map();

function isCounted([, , , , , , redacted]: UncountedEvent): boolean {
  return !redacted;
}

function kindOf([, , senderNo, typeNo, flags, thread]: UncountedEvent): string {
  return `${senderNo}/${typeNo}/${flags}/${thread}`;
}

function toKind(events: readonly UncountedEvent[]): EventKind[] {
  const [first] = events;
  if (first === undefined) return [];
  const [, , senderNo, typeNo, flags, thread] = first;
  const anchors = events.map(([, anchor]) => anchor);
  return [{ senderNo, typeNo, flags, thread, anchors, eventNos: events.map(([eventNo]) => eventNo) }];
}

/** Index of the first of the sorted anchors that is greater; their number if none is. */
export function indexAfter(anchors: readonly number[], anchor: number): number {
  let [low, high] = [0, anchors.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((anchors[middle] ?? 0) > anchor) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The newest events of a room, up to its newest one: the same for all who count. */
export interface RecentEvents {
  /** Every event after this anchor is here, or as many as anybody counts. */
  readonly floor: number;
  readonly events: CountableEvents;
}

/** A room with the events that are to be counted: of these, those after `uncounted_from`. */
export interface CountableRow extends Omit<UnreadRow, 'events'> {
  readonly events: CountableEvents;
}
