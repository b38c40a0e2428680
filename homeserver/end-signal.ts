/** Says once that something is over. For what is made for each long poll: an AbortSignal costs several times as much. */
export class EndSignal {
  #isOver = false;
  #listeners: Set<() => void> | undefined;

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Calls those who listen; later calls do nothing. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const listeners = this.#listeners;
    this.#listeners = undefined;
    for (const listener of listeners ?? []) listener();
  }

  /** `listener` is called at the end, unless that has come already; it must not throw. Gives back its own removal. */
  onEnd(listener: () => void): () => void {
    if (this.#isOver) return () => undefined;
    this.#listeners ??= new Set();
    this.#listeners.add(listener);
    return () => this.#listeners?.delete(listener);
  }
}
