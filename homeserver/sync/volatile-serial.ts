/**
 * Counts the changes of one replica that have no position (typing, presence). Sync tokens carry how far their client has come, so that
 * the same replica tells it only what is new.
 */
export class VolatileSerial {
  #value = 0;

  /** The newest number given out. */
  get value(): number {
    return this.#value;
  }

  next(): number {
    this.#value += 1;
    return this.#value;
  }
}
