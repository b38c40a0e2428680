import type { BenchUser, MatrixClient } from './matrix-client.ts';

const POLL_MS = 2000;
/** Bound of the wait for messages that were sent and have not come. */
const ARRIVAL_MS = 60_000;

/** Users who follow their rooms by long polls, and what of the messages that count they have got. */
export class LongPolls {
  readonly #client: MatrixClient;
  readonly #watchers: readonly BenchUser[];
  /** How often each event came, until it is known whether it counts. */
  readonly #seen = new Map<string, number>();
  readonly #wanted = new Set<string>();
  #missing = 0;
  #whenAll: (() => void) | undefined;
  #stopped = false;
  #finished: Promise<unknown> = Promise.resolve();

  constructor(client: MatrixClient, watchers: readonly BenchUser[]) {
    this.#client = client;
    this.#watchers = watchers;
  }

  /** Resolves when each has their first token. */
  async start(): Promise<void> {
    const firsts = await Promise.all(
      this.#watchers.map(async (user) => ({ user, since: (await this.#client.sync(user, undefined, 0)).next })),
    );
    this.#finished = Promise.all(firsts.map(({ user, since }) => this.#follow(user, since)));
    // Looked at in `stop`; until then a failure shows as messages that do not come.
    this.#finished.catch(() => undefined);
  }

  async #follow(user: BenchUser, from: string): Promise<void> {
    let since = from;
    while (!this.#stopped) {
      const answer = await this.#client.sync(user, since, POLL_MS);
      since = answer.next;
      for (const id of answer.eventIds) this.#see(id);
    }
  }

  #see(id: string): void {
    if (!this.#wanted.has(id)) this.#seen.set(id, (this.#seen.get(id) ?? 0) + 1);
    else this.#arrived(1);
  }

  #arrived(times: number): void {
    this.#missing -= times;
    if (this.#missing === 0) this.#whenAll?.();
  }

  /** A message that each of them has to get; they may have got it already. */
  expect(id: string): void {
    this.#wanted.add(id);
    this.#missing += this.#watchers.length;
    this.#arrived(this.#seen.get(id) ?? 0);
  }

  /** Resolves when all that was expected has come. */
  async all(): Promise<void> {
    if (this.#missing === 0) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#whenAll = resolve;
    const timer = setTimeout(() => {
      reject(new Error(`${this.#missing} deliveries have not come`));
    }, ARRIVAL_MS);
    await promise.finally(() => {
      clearTimeout(timer);
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#finished;
  }
}
