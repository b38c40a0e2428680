import type { Intent } from './intent.ts';

/** Intents that are ready to be built, first come first served; those that had to step back go first. */
export class IntentQueue {
  #front: Intent[] = [];
  #back: Intent[] = [];

  get size(): number {
    return this.#front.length + this.#back.length;
  }

  push(intent: Intent): void {
    this.#back.push(intent);
  }

  /** Puts an intent before all that wait, behind those put there earlier. */
  pushFirst(intent: Intent): void {
    this.#front.push(intent);
  }

  peek(): Intent | undefined {
    return this.#front[0] ?? this.#back[0];
  }

  shift(): Intent | undefined {
    return this.#front.shift() ?? this.#back.shift();
  }

  /** Empties the queue. */
  takeAll(): Intent[] {
    const all = [...this.#front, ...this.#back];
    this.#front = [];
    this.#back = [];
    return all;
  }
}
