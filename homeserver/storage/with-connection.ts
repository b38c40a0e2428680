import { type ConnectionSettings, openConnection } from './connection.ts';
import type { Queryable } from './database.ts';
import { databaseAway, isAway } from './database-errors.ts';
import { onClient } from './pool.ts';

/** Runs `work` on one connection of its own and closes it. Throws M_UNKNOWN/503 when the database cannot be reached. */
export async function withConnection<T>(settings: ConnectionSettings, work: (db: Queryable) => Promise<T>): Promise<T> {
  try {
    const client = await openConnection(settings);
    try {
      return await work(onClient(client));
    } finally {
      await client.end().catch(() => undefined);
    }
  } catch (error) {
    throw isAway(error) ? databaseAway(error) : error;
  }
}
