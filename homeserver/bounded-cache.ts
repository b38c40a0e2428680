import type { CacheFigures } from './metrics.ts';

/** How much a cache may hold. */
export interface CacheBound<K, V> {
  readonly entries: number;
  /** Of all entries together, where single ones can be large. */
  readonly bytes?: number;
  /** About how many bytes an entry takes; a value that is kept must not grow. */
  readonly weigh: (key: K, value: V) => number;
}

interface Entry<V> {
  readonly value: V;
  /** How many entries had been set when it was last moved to the end of the map. */
  movedAt: number;
}

/**
 * A map that forgets what was unused for longest once it holds more than it may, and counts what it was good for. How long is known
 * to an eighth of its entries: to move an entry at each use costs more than to find it.
 */
export class BoundedCache<K, V extends NonNullable<unknown>> {
  readonly #bound: CacheBound<K, V>;
  readonly #entries = new Map<K, Entry<V>>();
  #sets = 0;
  #bytes = 0;
  #hits = 0;
  #misses = 0;

  constructor(bound: CacheBound<K, V>) {
    this.#bound = bound;
  }

  figures(): CacheFigures {
    return { entries: this.#entries.size, bytes: this.#bytes, hits: this.#hits, misses: this.#misses };
  }

  get(key: K): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      this.#misses += 1;
      return undefined;
    }
    this.#hits += 1;
    if (this.#sets - entry.movedAt >= this.#entries.size >> 3) this.#moveToEnd(key, entry);
    return entry.value;
  }

  /** Last in the map is last used. */
  #moveToEnd(key: K, entry: Entry<V>): void {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.movedAt = this.#sets;
  }

  set(key: K, value: V): void {
    this.delete(key);
    this.#sets += 1;
    this.#entries.set(key, { value, movedAt: this.#sets });
    this.#bytes += this.#bound.weigh(key, value);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#bound.entries && this.#bytes <= (this.#bound.bytes ?? Infinity)) return;
      this.delete(oldest);
    }
  }

  delete(key: K): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= this.#bound.weigh(key, entry.value);
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }
}
