import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Store } from '../storage/store.ts';
import {
  deleteUnnamedSnapshots,
  selectNamedAside,
  selectNamedInTimeline,
  selectUnnamedSnapshots,
  type EventPlace,
  type LookedAt,
} from '../storage/tables/unnamed_snapshots.ts';
import { type HeldLease, startLeasedJob } from './lease.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/**
 * Nobody can come to name a snapshot that nothing has named for so long: what is resolved is given out for an hour, a request lasts
 * less, and a process that was silent for a day has lost the right to write.
 */
const UNNAMED_FOR_MS = 2 * DAY_MS;
const SILENT_MS = DAY_MS;

/** Snapshots looked at in one go. */
const CHUNK = 200;
/** A run ends after so many goes; the next one goes on. */
const MAX_CHUNKS = 50;
/** Events looked at in one statement, some 20 ms. */
const PAGE = 10_000;
/** Beyond so many pages a room is left alone until the next time. */
const MAX_PAGES = 1000;
/** Before every event of a room. */
const END: EventPlace = { anchor: Number.MAX_SAFE_INTEGER, position: Number.MAX_SAFE_INTEGER };

export interface CollectionParts {
  readonly store: Pick<Store, 'db'>;
  readonly metrics: Pick<Metrics, 'unnamedSnapshots'>;
  /** How long nothing must have named a snapshot, ms. */
  readonly unnamedForMs?: number;
}

/** Deletes snapshots that nothing names, on one replica at a time. Gives back its own end. */
export function startSnapshotCollection(parts: CollectionParts & { store: Store; log: Logger }): () => Promise<void> {
  const job = {
    name: 'snapshots',
    everyMs: 10 * MINUTE_MS,
    leaseMs: 30 * MINUTE_MS,
    run: (lease: HeldLease) => collectSnapshots(parts, lease),
  };
  return startLeasedJob(parts.store, job, parts.log.child({ component: 'snapshots' }));
}

/** One run. Reading takes no lock and holds up nobody; what it decides about cannot be named any more meanwhile. */
export async function collectSnapshots(parts: CollectionParts, lease: HeldLease): Promise<void> {
  const wanted = { ageMs: parts.unnamedForMs ?? UNNAMED_FOR_MS, silentMs: SILENT_MS, limit: CHUNK };
  for (let chunk = 0; chunk < MAX_CHUNKS; chunk += 1) {
    const due = await selectUnnamedSnapshots(parts.store.db, wanted);
    for (const { room_no: roomNo, snapshots } of due) {
      if (lease.signal.aborted) return;
      const found = await lookAt(parts, { roomNo, snapshots });
      count(parts.metrics, found, await lease.write((db) => deleteUnnamedSnapshots(db, found)));
    }
    if (due.reduce((sum, { snapshots }) => sum + snapshots.length, 0) < CHUNK) return;
  }
}

async function lookAt(
  { store: { db } }: CollectionParts,
  { roomNo, snapshots }: { roomNo: number; snapshots: readonly number[] },
): Promise<LookedAt> {
  const named = new Set(await selectNamedAside(db, { roomNo, snapshots }));
  const left = () => snapshots.filter((snapshot) => !named.has(snapshot));
  let before: EventPlace | undefined = END;
  for (let page = 0; page < MAX_PAGES && before !== undefined && left().length > 0; page += 1) {
    const found = await selectNamedInTimeline(db, { roomNo, snapshots: left() }, { before, limit: PAGE });
    for (const snapshot of found.named) named.add(snapshot);
    before = found.next;
  }
  const isWhole = before === undefined;
  return { roomNo, named: [...named], unnamed: isWhole ? left() : [], later: isWhole ? [] : left() };
}

function count({ unnamedSnapshots }: CollectionParts['metrics'], found: LookedAt, deleted: number): void {
  unnamedSnapshots.inc({ outcome: 'deleted' }, deleted);
  unnamedSnapshots.inc({ outcome: 'named' }, found.named.length);
  unnamedSnapshots.inc({ outcome: 'kept' }, found.unnamed.length + found.later.length - deleted);
}
