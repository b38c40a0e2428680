import type { BoundedCache } from '../bounded-cache.ts';
import type { Store } from '../storage/store.ts';
import type { Notifier } from './notifier.ts';

const READERS = 20_000;
/** A list may name some thousands. */
const MAX_BYTES = 4_000_000;
const NO_ROOMS: ReadonlySet<number> = new Set();

interface Entry {
  readonly list: ReadonlySet<number>;
  /** Position up to which commits are in it. */
  readonly at: number;
}

/** Whom readers ignore: most nobody, and yet it is asked for each page. A commit that touches a reader takes theirs out. */
export class IgnoredMemory {
  readonly #notifier: Notifier;
  readonly #lists: BoundedCache<number, Entry>;
  readonly #remove: (() => void)[];

  constructor({ feed, caches }: Pick<Store, 'feed' | 'caches'>, notifier: Notifier) {
    this.#notifier = notifier;
    const weigh = (_user: number, { list }: Entry) => 150 + 40 * list.size;
    this.#lists = caches.bounded('ignored_users', { entries: READERS, bytes: MAX_BYTES, weigh });
    this.#remove = [
      feed.onCommit(({ last, users }) => {
        if (users === undefined) this.#lists.clear();
        else for (const userNo of users) this.#forget(userNo, last);
      }),
      feed.onReset(() => {
        this.#lists.clear();
      }),
    ];
  }

  /** As it is after every commit that the feed has handed on. */
  get(userNo: number): ReadonlySet<number> | undefined {
    return this.#lists.get(userNo)?.list;
  }

  /** Notes what was read after the commit at `at`, unless one that came since may have changed it. */
  remember(userNo: number, list: ReadonlySet<number>, at: number): void {
    if (!this.#notifier.mayHaveChanged({ userNo, rooms: NO_ROOMS }, at)) this.#lists.set(userNo, { list, at });
  }

  close(): void {
    for (const remove of this.#remove) remove();
  }

  #forget(userNo: number, last: number): void {
    const entry = this.#lists.get(userNo);
    if (entry !== undefined && entry.at < last) this.#lists.delete(userNo);
  }
}
