import { setTimeout as pause } from 'node:timers/promises';
import { background } from '../log.ts';
import type { Logger } from '../log.ts';
import type { ObjectStore } from '../object-store/object-store.ts';
import { bucketProblem } from './check-bucket.ts';

/** Whether files can be kept in the bucket, as it was found last. */
export interface BucketWatch {
  /** Why not; undefined when they can. */
  readonly problem: string | undefined;
  /** Ends the looks and closes the bucket. */
  close(): Promise<void>;
}

export interface BucketWatchOptions {
  readonly store: ObjectStore;
  /** As `bucketProblem` takes it. */
  readonly awayField: string;
  /** What was found at the start. */
  readonly found: string | undefined;
  readonly log: Logger;
  /** How long after a look the next one comes, ms. */
  readonly everyMs?: { readonly good: number; readonly bad: number };
}

/** A look costs three requests, and each replica makes its own. */
const EVERY_MS = { good: 600_000, bad: 30_000 };

/** Looks again and again, sooner while something is wrong. A change is told in the log, what is the case to who asks. */
export function watchBucket({ store, awayField, found, log, everyMs = EVERY_MS }: BucketWatchOptions): BucketWatch {
  const over = new AbortController();
  let problem = found;
  const watch = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const waitMs = problem === undefined ? everyMs.good : everyMs.bad;
      await pause(waitMs, undefined, { signal: over.signal, ref: false }).catch(() => undefined);
      if (over.signal.aborted) return;
      const now = (await bucketProblem(store, awayField))?.message;
      if (now !== undefined && now !== problem) log.warn({ reason: now }, 'files cannot be kept now');
      if (now === undefined && problem !== undefined) log.info('files can be kept again');
      problem = now;
    }
  };
  const ended = watch();
  background(ended, log, 'look at the bucket');
  return {
    get problem() {
      return problem;
    },
    async close() {
      over.abort();
      // A look that is under way ends by the time limits of its requests; nobody waits for it.
      await store.close();
    },
  };
}
