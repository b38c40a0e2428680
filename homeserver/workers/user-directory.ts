import { checkDirectory } from '../accounts/user-directory.ts';
import type { Logger } from '../log.ts';
import type { Store } from '../storage/store.ts';
import { type HeldLease, startLeasedJob } from './lease.ts';

const EVERY_MS = 30_000;
const LEASE_MS = 300_000;
/** Of 500 accounts each; the next run goes on. */
const MAX_CHUNKS = 200;

/** Checks the user directory against the accounts, on one replica at a time. Gives back its own end. */
export function startDirectoryCheck(store: Store, log: Logger): () => Promise<void> {
  const job = {
    name: 'user directory',
    everyMs: EVERY_MS,
    leaseMs: LEASE_MS,
    run: (lease: HeldLease) => checkDirectory((work) => lease.write(work), MAX_CHUNKS),
  };
  return startLeasedJob(store, job, log.child({ component: 'user-directory' }));
}
