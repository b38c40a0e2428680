import type { Logger } from '../log.ts';
import type { Store } from '../storage/store.ts';
import { extendSearchIndex } from '../sync/search-index.ts';
import { type HeldLease, startLeasedJob } from './lease.ts';

const EVERY_MS = 10_000;
const LEASE_MS = 300_000;
/** Of 1000 events each; the next run goes on. */
const MAX_CHUNKS = 100;

/** Keeps the search index close to the end of the stream, on one replica at a time. Gives back its own end. */
export function startSearchIndex(store: Store, log: Logger): () => Promise<void> {
  const job = {
    name: 'search index',
    everyMs: EVERY_MS,
    leaseMs: LEASE_MS,
    run: (lease: HeldLease) => extendSearchIndex((work) => lease.write(work), MAX_CHUNKS),
  };
  return startLeasedJob(store, job, log.child({ component: 'search-index' }));
}
