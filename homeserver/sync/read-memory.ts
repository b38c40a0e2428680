import type { BoundedCache } from '../bounded-cache.ts';
import type { CacheName } from '../caches.ts';
import type { Store } from '../storage/store.ts';

/** A value with about the bytes that it takes. */
interface Kept<V> {
  readonly value: V;
  readonly bytes: number;
}

export interface ReadMemoryBound {
  readonly entries: number;
  readonly bytes: number;
}

/**
 * What was read from the database, or made of it, under keys that name everything it depends on (a snapshot, the newest position of a
 * room): nothing in it is ever out of date, so nothing has to be taken out but by age, and by a failover that took a tail back.
 */
export class ReadMemory<V> {
  readonly #entries: BoundedCache<string, Kept<V>>;
  readonly #bound: ReadMemoryBound;
  readonly #removeReset: () => void;
  #generation = 0;

  constructor({ feed, caches }: Pick<Store, 'feed' | 'caches'>, name: CacheName, bound: ReadMemoryBound) {
    this.#bound = bound;
    this.#entries = caches.bounded(name, { ...bound, weigh: (key, { bytes }) => 150 + key.length + bytes });
    this.#removeReset = feed.onReset(() => {
      this.#generation += 1;
      this.#entries.clear();
    });
  }

  /** To be read before the database is, and given to `set`: what was read before a reset is not kept after it. */
  get generation(): number {
    return this.#generation;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)?.value;
  }

  /** What is larger than everything may be together is not kept. */
  set(key: string, kept: Kept<V>, generation: number): void {
    if (generation === this.#generation && kept.bytes < this.#bound.bytes) this.#entries.set(key, kept);
  }

  close(): void {
    this.#removeReset();
  }
}
