import type { CacheFigures } from './metrics.ts';

/** How much a cache may hold. */
export interface CacheBound<K, V> {
  readonly entries: number;
  /** Of all entries together, where single ones can be large. */
  readonly bytes?: number;
  /** About how many bytes an entry takes; a value that is kept must not grow. */
  readonly weigh: (key: K, value: V) => number;
}

/** A map that forgets what was unused for longest once it holds more than it may, and counts what it was good for. */
export class BoundedCache<K, V extends NonNullable<unknown>> {
  readonly #bound: CacheBound<K, V>;
  readonly #entries = new Map<K, V>();
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
    const value = this.#entries.get(key);
    if (value === undefined) {
      this.#misses += 1;
      return undefined;
    }
    this.#hits += 1;
    // Last in the map is last used.
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  set(key: K, value: V): void {
    this.delete(key);
    this.#entries.set(key, value);
    this.#bytes += this.#bound.weigh(key, value);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#bound.entries && this.#bytes <= (this.#bound.bytes ?? Infinity)) return;
      this.delete(oldest);
    }
  }

  delete(key: K): void {
    const value = this.#entries.get(key);
    if (value === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= this.#bound.weigh(key, value);
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }
}
