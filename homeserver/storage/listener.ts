import type pg from 'pg';
import type { Logger } from '../log.ts';
import { type ConnectionSettings, openConnection } from './connection.ts';
import { COMMIT_CHANNEL, VOLATILE_CHANNEL } from './notification-sender.ts';

export interface ListenerOptions {
  connection: ConnectionSettings;
  log: Logger;
  onMessage(channel: string, payload: string): void;
  /** LISTEN stands (again): what came before has to be asked for. */
  onListening(): void;
  onLost(): void;
}

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2000;

/** A connection whose peer has vanished says nothing; this finds it. */
const PING_EVERY_MS = 10_000;
const ANSWER_TIMEOUT_MS = 5000;

/** Keeps one LISTEN connection, made again whenever it is lost. */
export class Listener {
  readonly #options: ListenerOptions;
  #client: pg.Client | undefined;
  #ping: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;
  #closed = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  /** Resolves when the first try is over, successful or not. */
  async start(): Promise<void> {
    if (this.#closed) return;
    try {
      await this.#connect();
    } catch (err) {
      this.#options.log.warn({ err }, 'cannot listen for commits: asking the table instead');
      this.#tryLater();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearInterval(this.#ping);
    await this.#client?.end().catch(() => undefined);
  }

  async #connect(): Promise<void> {
    const client = await openConnection(this.#options.connection, { answerTimeoutMs: ANSWER_TIMEOUT_MS });
    client.on('notification', ({ channel, payload }) => this.#options.onMessage(channel, payload ?? ''));
    try {
      await client.query(`listen ${COMMIT_CHANNEL}`);
      await client.query(`listen ${VOLATILE_CHANNEL}`);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
    if (this.#closed) return void (await client.end());
    client.once('end', () => this.#onEnd(client));
    this.#client = client;
    this.#failures = 0;
    this.#ping = setInterval(() => this.#check(client), PING_EVERY_MS);
    this.#options.onListening();
  }

  #check(client: pg.Client): void {
    client.query('select 1').catch(() => {
      client.end().catch(() => undefined);
      this.#onEnd(client);
    });
  }

  #onEnd(client: pg.Client): void {
    if (this.#client !== client || this.#closed) return;
    this.#client = undefined;
    clearInterval(this.#ping);
    this.#options.log.warn('the listening connection was lost');
    this.#options.onLost();
    this.#tryLater();
  }

  #tryLater(): void {
    if (this.#closed) return;
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** this.#failures, LONGEST_PAUSE_MS);
    this.#failures += 1;
    this.#retry = setTimeout(() => {
      this.start().catch(() => undefined);
    }, pause);
  }
}
