import type { Queryable } from './database.ts';
import { insertRestoreCommit } from './tables/commits.ts';
import { deleteAllLeases } from './tables/leases.ts';
import { deleteAllReplicas } from './tables/replica.ts';

const BATCH_LOCK = { name: 'after_restore_lock_batches', text: 'select pg_advisory_xact_lock(7001)' } as const;

/**
 * Makes restored rows the beginning of another life of the database, in the caller's transaction: clients may know positions
 * that the backup does not, so the stream moves past them; leases and processes of the old life are dropped. Returns the
 * position after which the stream goes on.
 */
export async function restartPositions(db: Queryable): Promise<number> {
  await db.query(BATCH_LOCK);
  await deleteAllLeases(db);
  await deleteAllReplicas(db);
  return insertRestoreCommit(db);
}
