import type { BoundedCache } from '../bounded-cache.ts';
import type { Store } from '../storage/store.ts';

/** Unread notifications of a room or a thread. */
export interface UnreadCount {
  readonly notifications: number;
  readonly highlights: number;
}

/** Unread notifications of one room by thread: `main`, or the id of the root. Threads with none are missing. */
export type RoomUnread = ReadonlyMap<string, UnreadCount>;

/** What this replica has counted for a user in a room. */
export interface RememberedUnread {
  /** Every event up to this position is counted. */
  readonly countedTo: number;
  readonly unread: RoomUnread;
  /** Events counted since the count was stored. */
  readonly sinceStored: number;
}

/** Counts, and bytes of all of them: a room may have any number of threads. */
const ENTRIES = 20_000;
const BYTES = 8_000_000;

/** Counts of this replica, so that a sync looks only at events that it has not seen. Whether one still holds, the database says. */
export class UnreadMemory {
  readonly #entries: BoundedCache<string, RememberedUnread>;
  readonly #removeReset: () => void;
  #generation = 0;

  constructor({ feed, caches }: Pick<Store, 'feed' | 'caches'>) {
    const weigh = (_key: string, { unread }: RememberedUnread) => 200 + 200 * unread.size;
    this.#entries = caches.bounded('unread_counts', { entries: ENTRIES, bytes: BYTES, weigh });
    // After a failover that lost a tail, events that were counted may be gone.
    this.#removeReset = feed.onReset(() => {
      this.#generation += 1;
      this.#entries.clear();
    });
  }

  /** To be read before the database is, and given to `set`: what was read before a reset is not remembered after it. */
  get generation(): number {
    return this.#generation;
  }

  get(userNo: number, roomNo: number): RememberedUnread | undefined {
    return this.#entries.get(`${userNo}/${roomNo}`);
  }

  set(room: { userNo: number; roomNo: number }, counted: RememberedUnread, generation: number): void {
    if (generation === this.#generation) this.#entries.set(`${room.userNo}/${room.roomNo}`, counted);
  }

  close(): void {
    this.#removeReset();
  }
}
