import pg from 'pg';
import type { Logger } from '../log.ts';
import { type ConnectionSettings, connectionClass } from './connection.ts';
import type { Database, Queryable, Statement } from './database.ts';
import { databaseAway, isAway } from './database-errors.ts';

export interface PoolOptions {
  connection: ConnectionSettings;
  /** Most connections of this pool. */
  size: number;
  log: Logger;
  /** Called for each new connection, before it is used, with the start of the database server in Unix microseconds. */
  onServerStart?(start: number): void;
  /** Called for each new connection, before it is used; a rejection closes it. */
  admit?(db: Queryable): Promise<void>;
}

/** Statements that wait for a connection beyond this are refused at once: the database is too slow for what is asked. */
const MAX_WAITING = 2000;

const MAX_LIFETIME_SECONDS = 3600;

/** 17 and newer know a limit for whole transactions. */
const GREETING = {
  name: 'pool_greeting',
  text: `select (extract(epoch from pg_postmaster_start_time()) * 1000000)::int8 as start,
    case when current_setting('server_version_num')::int4 >= 170000 then set_config('transaction_timeout', '60s', false) end`,
} as const;

/** The readers' pool. A database that is away gives M_UNKNOWN with status 503 and Retry-After; it recovers by itself. */
export function openPool(options: PoolOptions): Database {
  const { connection, log } = options;
  const pool = new pg.Pool({
    Client: connectionClass(connection),
    max: options.size,
    connectionTimeoutMillis: 5000,
    idleTimeoutMillis: 300_000,
    maxLifetimeSeconds: MAX_LIFETIME_SECONDS,
    verify: (client, done) => {
      greet(client, options).then(() => done(), done);
    },
  });
  // A connection that breaks while in use says so twice: its statement rejects, and an unheard error would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined));
  pool.on('error', (err) => log.warn({ err }, 'idle database connection lost'));
  return new PooledDatabase(pool);
}

async function greet(client: pg.ClientBase, { onServerStart, admit }: PoolOptions): Promise<void> {
  const { rows } = await client.query<{ start: number }>(GREETING);
  for (const { start } of rows) onServerStart?.(start);
  await admit?.(onClient(client));
}

class PooledDatabase implements Database {
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  query<Row extends pg.QueryResultRow>(statement: Statement): Promise<Row[]> {
    return this.#withClient((client) => run<Row>(client, statement));
  }

  transaction<T>(work: (db: Queryable) => Promise<T>): Promise<T> {
    return this.#withClient(async (client) => {
      await client.query('begin');
      try {
        const result = await work(onClient(client));
        await client.query('commit');
        return result;
      } catch (error) {
        // A lost connection has rolled back already.
        await client.query('rollback').catch(() => undefined);
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #withClient<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    if (this.#pool.waitingCount >= MAX_WAITING) throw databaseAway(new Error('too many statements wait'));
    let client: pg.PoolClient | undefined;
    let broken = false;
    try {
      client = await this.#pool.connect();
      return await work(client);
    } catch (error) {
      // Also a passing answer such as a shutdown leaves a connection that is better not used again.
      broken = isAway(error);
      throw broken ? databaseAway(error) : error;
    } finally {
      client?.release(broken);
    }
  }
}

/** One connection as a Queryable: statements may be issued without awaiting each other, they run one by one. */
export function onClient(client: pg.ClientBase): Queryable {
  let last: Promise<unknown> = Promise.resolve();
  return {
    query: <Row extends pg.QueryResultRow>(statement: Statement) => {
      const mine = last.then(() => run<Row>(client, statement));
      last = mine.catch(() => undefined);
      return mine;
    },
  };
}

async function run<Row extends pg.QueryResultRow>(client: pg.ClientBase, statement: Statement): Promise<Row[]> {
  const { name, text, values } = statement;
  const result = await client.query<Row>(values === undefined ? { name, text } : { name, text, values: [...values] });
  return result.rows;
}
