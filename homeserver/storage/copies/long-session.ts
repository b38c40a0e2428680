import type pg from 'pg';
import { openConnection, type ConnectionSettings } from '../connection.ts';
import { databaseAway, isAway } from '../database-errors.ts';

/**
 * Settings for a session that may stand still for long: the object store may be slower than the database. A full window at
 * the reader counts as silence for `tcp_user_timeout`, which would end the copy; keepalives still notice a lost peer.
 */
const PATIENT = `
select set_config('idle_in_transaction_session_timeout', '0', false), set_config('tcp_user_timeout', '0', false),
  set_config('lock_timeout', '60s', false)`;

/**
 * Opens a connection without limits on how long a statement or a transaction takes. The caller ends it. Throws M_UNKNOWN/503 when
 * the database cannot be reached or does not exist yet.
 */
export async function openLongSession(settings: ConnectionSettings): Promise<pg.Client> {
  let client: pg.Client | undefined;
  try {
    client = await openConnection(settings, { statementTimeoutMs: 0, answerTimeoutMs: 0 });
    await client.query(PATIENT);
    return client;
  } catch (error) {
    await client?.end().catch(() => undefined);
    throw isAway(error) ? databaseAway(error) : error;
  }
}
