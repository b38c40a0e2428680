import type pg from 'pg';
import { type ConnectionLimits, type ConnectionSettings, openConnection } from './connection.ts';
import type { Queryable, Statement } from './database.ts';
import { isAway } from './database-errors.ts';
import { onClient } from './pool.ts';

interface Opened {
  client: pg.Client;
  db: Queryable;
}

/**
 * One connection beside the pool, so that its work never waits for readers. Made when first needed and again after it was
 * lost; statements run one by one. Nothing is repeated here: a lost connection rejects, the caller decides.
 */
export class SingleConnection implements Queryable {
  readonly #settings: ConnectionSettings;
  readonly #limits: ConnectionLimits;
  #opened: Promise<Opened> | undefined;
  #closed = false;

  constructor(settings: ConnectionSettings, limits: ConnectionLimits = {}) {
    this.#settings = settings;
    this.#limits = limits;
  }

  async query<Row extends pg.QueryResultRow>(statement: Statement): Promise<Row[]> {
    if (this.#closed) throw new Error('this database connection was closed');
    const opening = (this.#opened ??= this.#open());
    try {
      const { db } = await opening;
      return await db.query<Row>(statement);
    } catch (error) {
      if (isAway(error)) await this.#drop(opening);
      throw error;
    }
  }

  /** Ends the connection; statements under way fail. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#opened !== undefined) await this.#drop(this.#opened);
  }

  async #open(): Promise<Opened> {
    const client = await openConnection(this.#settings, this.#limits);
    return { client, db: onClient(client) };
  }

  async #drop(opening: Promise<Opened>): Promise<void> {
    if (this.#opened === opening) this.#opened = undefined;
    const opened = await opening.catch(() => undefined);
    await opened?.client.end().catch(() => undefined);
  }
}
