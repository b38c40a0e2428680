import { Buffer } from 'node:buffer';
import type { Logger } from '../log.ts';
import { encodeCommit } from './commit-payload.ts';
import type { Queryable } from './database.ts';
import type { WrittenCommit } from './sequencer.ts';

export const COMMIT_CHANNEL = 'commits';
export const VOLATILE_CHANNEL = 'volatile';

const MAX_VOLATILE_BYTES = 4000;

/** Beyond this the oldest are dropped: commits are found by the next catch-up, volatile messages may be lost. */
const MAX_WAITING = 512;

const NOTIFY = 'select pg_notify(n.channel, n.payload) from unnest($1::text[], $2::text[]) n (channel, payload)';

/**
 * Sends wake-ups to all replicas: at once when idle; while one call is under way, the next ones are gathered into one. Never
 * inside a writing transaction, where NOTIFY takes a lock of the whole database until the commit.
 */
export class NotificationSender {
  readonly #db: Queryable;
  readonly #log: Logger;
  #waiting: { channel: string; payload: string }[] = [];
  #running: Promise<void> | undefined;

  constructor(db: Queryable, log: Logger) {
    this.#db = db;
    this.#log = log;
  }

  sendCommit(commit: WrittenCommit): void {
    this.#send(COMMIT_CHANNEL, encodeCommit(commit));
  }

  /** At most 4,000 bytes, not empty. Throws RangeError beyond. */
  sendVolatile(message: string): void {
    const bytes = Buffer.byteLength(message);
    if (bytes === 0 || bytes > MAX_VOLATILE_BYTES)
      throw new RangeError(`a volatile message of ${bytes} bytes cannot be sent`);
    this.#send(VOLATILE_CHANNEL, message);
  }

  /** Resolves when everything handed over so far has been sent or dropped. */
  async settled(): Promise<void> {
    await this.#running;
  }

  #send(channel: string, payload: string): void {
    if (this.#waiting.length >= MAX_WAITING) this.#waiting.shift();
    this.#waiting.push({ channel, payload });
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      const values = [batch.map(({ channel }) => channel), batch.map(({ payload }) => payload)];
      try {
        await this.#db.query({ name: 'notify', text: NOTIFY, values });
      } catch (err) {
        this.#log.warn({ err, count: batch.length }, 'wake-ups not sent: replicas find the commits by themselves');
      }
    }
    this.#running = undefined;
  }
}
