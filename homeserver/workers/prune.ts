import type { Logger } from '../log.ts';
import type { Queryable } from '../storage/database.ts';
import type { Store } from '../storage/store.ts';
import { deleteOldCommits } from '../storage/tables/commits.ts';
import { deleteDeadReplicas } from '../storage/tables/replica.ts';
import { deleteOldTransactions } from '../storage/tables/transactions.ts';
import { type HeldLease, startLeasedJob } from './lease.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Replicas that lag behind further drop their caches anyway. */
const KEEP_COMMITS_MS = HOUR_MS;
/** The specification leaves the time open; clients give up long before. */
const KEEP_TRANSACTIONS_MS = 48 * HOUR_MS;
const KEEP_DEAD_REPLICAS_MS = 24 * HOUR_MS;

/** Short transactions: 5000 rows are deleted in some 20 ms. */
const CHUNK = 5000;
/** A run ends after so many chunks a table; the next one goes on. */
const MAX_CHUNKS = 100;

type DeleteOld = (db: Queryable, ageMs: number, limit: number) => Promise<number>;

/** Deletes passing rows, on one replica at a time. Gives back its own end. */
export function startPruning(store: Store, log: Logger): () => Promise<void> {
  const job = { name: 'prune', everyMs: MINUTE_MS, leaseMs: 5 * MINUTE_MS, run: prune };
  return startLeasedJob(store, job, log.child({ component: 'prune' }));
}

/** One run: commits after an hour, transactions after two days, dead replicas after one. */
export async function prune(lease: HeldLease): Promise<void> {
  await pruneTable(lease, deleteOldCommits, KEEP_COMMITS_MS);
  await pruneTable(lease, deleteOldTransactions, KEEP_TRANSACTIONS_MS);
  await pruneTable(lease, deleteDeadReplicas, KEEP_DEAD_REPLICAS_MS);
}

async function pruneTable(lease: HeldLease, deleteOld: DeleteOld, ageMs: number): Promise<void> {
  for (let chunk = 0; chunk < MAX_CHUNKS && !lease.signal.aborted; chunk += 1) {
    const deleted = await lease.write((db) => deleteOld(db, ageMs, CHUNK));
    if (deleted < CHUNK) return;
  }
}
