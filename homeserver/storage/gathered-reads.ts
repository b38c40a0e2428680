/** Keys of one statement. */
const MAX_KEYS = 500;

interface Gathering<K, V> {
  readonly keys: Set<K>;
  readonly result: Promise<ReadonlyMap<K, V>>;
}

/**
 * Look-ups that come together share a statement: those of one turn of the event loop, and those that come while the one before is
 * under way. None begins before it was asked for, so each finds what was committed by then.
 */
export class GatheredReads<K, V> {
  readonly #read: (keys: readonly K[]) => Promise<ReadonlyMap<K, V>>;
  #next: Gathering<K, V> | undefined;
  #reading: Promise<unknown> | undefined;

  constructor(read: (keys: readonly K[]) => Promise<ReadonlyMap<K, V>>) {
    this.#read = read;
  }

  /** What there is for these keys; the map may hold more. Errors: those of the read, for all who share it. */
  read(keys: readonly K[]): Promise<ReadonlyMap<K, V>> {
    if (keys.length === 0) return Promise.resolve(new Map());
    const isFull = this.#next !== undefined && this.#next.keys.size + keys.length > MAX_KEYS;
    const gathering = this.#next === undefined || isFull ? this.#gather() : this.#next;
    for (const key of keys) gathering.keys.add(key);
    return gathering.result;
  }

  #gather(): Gathering<K, V> {
    const before = this.#next?.result ?? this.#reading;
    const keys = new Set<K>();
    this.#next = { keys, result: this.#begin(before).then(() => this.#start(keys)) };
    return this.#next;
  }

  #begin(before: Promise<unknown> | undefined): Promise<unknown> {
    const arrived = new Promise((resolve) => setImmediate(resolve));
    return before === undefined ? arrived : before.catch(() => undefined);
  }

  async #start(keys: ReadonlySet<K>): Promise<ReadonlyMap<K, V>> {
    if (this.#next?.keys === keys) this.#next = undefined;
    const reading = this.#read([...keys]);
    this.#reading = reading;
    try {
      return await reading;
    } finally {
      if (this.#reading === reading) this.#reading = undefined;
    }
  }
}
