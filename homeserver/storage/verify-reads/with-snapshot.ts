import type { ConnectionSettings } from '../connection.ts';
import { openLongSession } from '../copies/long-session.ts';
import { isPassing } from '../database-errors.ts';
import type { Queryable } from '../database.ts';
import { onClient } from '../pool.ts';

export interface SnapshotReader {
  readonly db: Queryable;
  /** Runs one look; undefined when it did not end within `ms`. The snapshot stays usable. */
  within<T>(ms: number, look: () => Promise<T>): Promise<T | undefined>;
}

/** Runs `work` on one moment of the database, over one connection. */
export async function withSnapshot<T>(
  connection: ConnectionSettings,
  work: (reader: SnapshotReader) => Promise<T>,
): Promise<T> {
  const client = await openLongSession(connection);
  const within = async <Result>(ms: number, look: () => Promise<Result>): Promise<Result | undefined> => {
    await client.query('savepoint look');
    await client.query("select set_config('statement_timeout', $1, true)", [String(Math.max(1, Math.ceil(ms)))]);
    const result = await look().catch((error: unknown) => {
      if (!isPassing(error)) throw error;
      return undefined;
    });
    // Takes the time limit back, too: the next look has one of its own.
    await client.query('rollback to savepoint look');
    await client.query('release savepoint look');
    return result;
  };
  try {
    await client.query('begin isolation level repeatable read read only');
    return await work({ db: onClient(client), within });
  } finally {
    await client.end().catch(() => undefined);
  }
}
