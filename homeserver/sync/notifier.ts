import type { EndSignal } from '../end-signal.ts';
import { MatrixError } from '../errors.ts';
import type { BoundedCache } from '../bounded-cache.ts';
import type { Store } from '../storage/store.ts';
import type { Commit } from '../storage/write-batch.ts';
import { RecentCommits } from './recent-commits.ts';
import type { Interest, Span } from './recent-commits.ts';

/** Why a wait ended. `superseded`: the user has too many other polls open. */
export type WakeReason = 'woken' | 'timeout' | 'aborted' | 'superseded';

interface Waiter {
  readonly interest: Interest;
  readonly end: (reason: WakeReason) => void;
}

interface WaitingGauge {
  set(value: number): void;
}

const MAX_WAITERS = 20_000;
/** Entries (waiter, room) of the map; about 60 bytes each. */
const MAX_ROOM_ENTRIES = 2_000_000;
/** Open polls of one user; the oldest is answered when another comes. */
const MAX_PER_USER = 64;
/** Users whose rooms are remembered between two polls, and bytes of all their rooms. */
const MAX_INTERESTS = 5000;
const MAX_INTEREST_BYTES = 20_000_000;

const NO_ROOMS: ReadonlySet<number> = new Set();

/** Long polls of this replica: room -> waiting polls, user -> waiting polls. A commit wakes those that it concerns, without a query. */
export class Notifier {
  readonly #recent: RecentCommits;
  readonly #byRoom = new Map<number, Set<Waiter>>();
  readonly #byUser = new Map<number, Set<Waiter>>();
  readonly #gauge: WaitingGauge;
  readonly #remove: (() => void)[];
  readonly #interests: BoundedCache<string, Interest>;
  #waiting = 0;
  #roomEntries = 0;
  #closed = false;

  constructor({ feed, caches }: Pick<Store, 'feed' | 'caches'>, gauge: WaitingGauge) {
    this.#recent = new RecentCommits(feed.seen);
    this.#gauge = gauge;
    this.#interests = caches.bounded('user_rooms', {
      entries: MAX_INTERESTS,
      bytes: MAX_INTEREST_BYTES,
      weigh: (_user, { rooms }) => 200 + 40 * rooms.size,
    });
    this.#remove = [
      caches.watch('recent_commits', this.#recent),
      feed.onCommit((commit) => this.#onCommit(commit)),
      feed.onReset(() => {
        this.#recent.reset(feed.seen);
        this.#interests.clear();
        this.#wakeAll('woken');
      }),
    ];
  }

  /** The rooms of a user as the last sync read them, if nothing that concerns the user came since. */
  knownInterest(userNo: number): Interest | undefined {
    return this.#interests.get(String(userNo));
  }

  /** Notes what a sync read at `position`, unless a commit seen since then makes it void. */
  rememberInterest(interest: Interest, position: number): void {
    const alone = { userNo: interest.userNo, rooms: NO_ROOMS };
    if (!this.#recent.mayConcern(alone, position)) this.#interests.set(String(interest.userNo), interest);
  }

  /** How many polls wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** False only when it is certain that nothing of interest was committed after `position`. */
  mayHaveChanged(interest: Interest, position: number): boolean {
    return this.#recent.mayConcern(interest, position);
  }

  /** See `RecentCommits.roomsTouched`. */
  roomsTouched(interest: Interest, span: Span): ReadonlyMap<number, number> | undefined {
    return this.#recent.roomsTouched(interest, span);
  }

  /**
   * Waits until something of interest is committed after `position`, or `timeoutMs` passes, or one of `signals` says that it is over.
   * Errors: M_LIMIT_EXCEEDED when this replica holds as many polls as it may.
   */
  wait(interest: Interest, position: number, timeoutMs: number, signals: readonly EndSignal[]): Promise<WakeReason> {
    if (this.#closed || signals.some((signal) => signal.isOver)) return Promise.resolve('aborted');
    if (this.#recent.mayConcern(interest, position)) return Promise.resolve('woken');
    if (this.#waiting >= MAX_WAITERS || this.#roomEntries > MAX_ROOM_ENTRIES) {
      throw new MatrixError('M_LIMIT_EXCEEDED', undefined, {
        headers: { 'retry-after': '5' },
        fields: { retry_after_ms: 5000 },
      });
    }
    return new Promise((resolve) => {
      const waiter: Waiter = {
        interest,
        end: (reason) => {
          clearTimeout(timer);
          for (const remove of removals) remove();
          this.#forget(waiter);
          resolve(reason);
        },
      };
      const onEnd = () => waiter.end('aborted');
      const removals = signals.map((signal) => signal.onEnd(onEnd));
      const timer = setTimeout(() => waiter.end('timeout'), timeoutMs);
      this.#register(waiter);
    });
  }

  /** Wakes the polls of everybody in a room, for what is not committed (typing). */
  wakeRoom(roomNo: number): void {
    wake(this.#byRoom.get(roomNo), 'woken');
  }

  /** Answers all polls at once. */
  close(): void {
    this.#closed = true;
    for (const remove of this.#remove) remove();
    this.#wakeAll('aborted');
  }

  #onCommit(commit: Commit): void {
    this.#recent.add(commit);
    if (commit.rooms === undefined || commit.users === undefined) {
      this.#interests.clear();
      this.#wakeAll('woken');
      return;
    }
    for (const user of commit.users) this.#interests.delete(String(user));
    for (const room of commit.rooms) wake(this.#byRoom.get(room), 'woken');
    for (const user of commit.users) wake(this.#byUser.get(user), 'woken');
  }

  #wakeAll(reason: WakeReason): void {
    for (const waiters of [...this.#byUser.values()]) wake(waiters, reason);
  }

  #register(waiter: Waiter): void {
    const { userNo, rooms } = waiter.interest;
    const own = this.#byUser.get(userNo);
    if (own !== undefined && own.size >= MAX_PER_USER) {
      for (const oldest of own) {
        oldest.end('superseded');
        break;
      }
    }
    insert(this.#byUser, userNo, waiter);
    for (const room of rooms) insert(this.#byRoom, room, waiter);
    this.#roomEntries += rooms.size;
    this.#waiting += 1;
    this.#gauge.set(this.#waiting);
  }

  #forget(waiter: Waiter): void {
    const { userNo, rooms } = waiter.interest;
    remove(this.#byUser, userNo, waiter);
    for (const room of rooms) remove(this.#byRoom, room, waiter);
    this.#roomEntries -= rooms.size;
    this.#waiting -= 1;
    this.#gauge.set(this.#waiting);
  }
}

/** A waiter takes itself out of the sets when it ends, so the set is copied first. */
function wake(waiters: ReadonlySet<Waiter> | undefined, reason: WakeReason): void {
  if (waiters === undefined) return;
  for (const waiter of [...waiters]) waiter.end(reason);
}

function insert(map: Map<number, Set<Waiter>>, key: number, waiter: Waiter): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([waiter]));
  else set.add(waiter);
}

function remove(map: Map<number, Set<Waiter>>, key: number, waiter: Waiter): void {
  const set = map.get(key);
  if (set?.delete(waiter) === true && set.size === 0) map.delete(key);
}
