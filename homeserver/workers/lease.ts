import { background } from '../log.ts';
import type { Logger } from '../log.ts';
import type { Queryable } from '../storage/database.ts';
import type { Store } from '../storage/store.ts';
import { selectLeaseForShare, updateLeaseReleased, upsertLease } from '../storage/tables/leases.ts';

/** Work that one replica at a time does. */
export interface LeasedJob {
  /** Name of the lease. */
  name: string;
  /** Pause between two runs, and between two looks whether the lease is free, ms. */
  everyMs: number;
  /** How long a holder that says nothing keeps the lease, ms; longer than a run. */
  leaseMs: number;
  run(lease: HeldLease): Promise<void>;
}

/** A lease as its holder sees it. */
export interface HeldLease {
  /** Fires when the replica stops. */
  readonly signal: AbortSignal;
  /**
   * Runs `work` in a transaction that commits only under this lease: a holder that stalled cannot write after another took
   * over. Rejects with LeaseLost otherwise.
   */
  write<T>(work: (db: Queryable) => Promise<T>): Promise<T>;
}

export class LeaseLost extends Error {
  constructor(name: string) {
    super(`the lease ${name} was lost`);
    this.name = 'LeaseLost';
  }
}

/** Runs the job here whenever no other replica holds its lease. Gives back its own end, which hands the lease over. */
export function startLeasedJob(store: Store, job: LeasedJob, log: Logger): () => Promise<void> {
  const stop = new AbortController();
  const holder = store.replica.replicaNo;
  let running: Promise<void> | undefined;
  const turn = () => {
    running ??= takeTurn(store, job, stop.signal).finally(() => {
      running = undefined;
    });
    background(running, log, job.name);
  };
  const timer = setInterval(turn, job.everyMs);
  timer.unref();
  return async () => {
    clearInterval(timer);
    stop.abort();
    await running?.catch(() => undefined);
    await updateLeaseReleased(store.background, { name: job.name, holder }).catch(() => undefined);
  };
}

async function takeTurn(store: Store, job: LeasedJob, signal: AbortSignal): Promise<void> {
  const { name, leaseMs: forMs } = job;
  const holder = store.replica.replicaNo;
  const fence = await upsertLease(store.background, { name, holder, forMs });
  if (fence === undefined || signal.aborted) return;
  await job.run({
    signal,
    write: (work) =>
      store.db.transaction(async (db) => {
        if (!(await selectLeaseForShare(db, { name, holder, fence }))) throw new LeaseLost(name);
        return work(db);
      }),
  });
}
