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
  readonly #underWay = new Map<string, Promise<ReadonlyMap<string, V>>>();
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

  /**
   * What `read` gives for these keys. Keys that are being read for somebody else are waited for: twenty who open a large room at once
   * cost as much as one.
   */
  async readOnce(
    keys: readonly string[],
    read: (keys: ReadonlySet<string>) => Promise<ReadonlyMap<string, V>>,
  ): Promise<Map<string, V>> {
    const marks = new Map(keys.map((key) => [key, `${this.#generation}/${key}`]));
    const fresh = [...marks].filter(([, mark]) => !this.#underWay.has(mark));
    if (fresh.length > 0) {
      const reading = read(new Set(fresh.map(([key]) => key)));
      for (const [, mark] of fresh) this.#underWay.set(mark, reading);
      const done = () => {
        for (const [, mark] of fresh) this.#underWay.delete(mark);
      };
      void reading.then(done, done);
    }
    const found = new Map<string, V>();
    for (const [key, reading] of [...marks].map(([key, mark]) => [key, this.#underWay.get(mark)] as const)) {
      const value = (await reading)?.get(key);
      if (value !== undefined) found.set(key, value);
    }
    return found;
  }

  close(): void {
    this.#removeReset();
  }
}
